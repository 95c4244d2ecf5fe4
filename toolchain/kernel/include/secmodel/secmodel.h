/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: security models, see secmodel(9). */
#ifndef MODBUILD_SECMODEL_SECMODEL_H
#define MODBUILD_SECMODEL_SECMODEL_H

#include <prop/proplib.h>

typedef struct secmodel_descr *secmodel_t;

/* Answers a question of another security model. */
typedef int (*secmodel_eval_t)(const char *, void *, void *);
typedef int (*secmodel_setinfo_t)(void *);

int secmodel_register(secmodel_t *, const char *, const char *,
    prop_dictionary_t, secmodel_eval_t, secmodel_setinfo_t);
int secmodel_deregister(secmodel_t);

#endif
