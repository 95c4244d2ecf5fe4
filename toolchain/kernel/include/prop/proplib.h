/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: reading a dictionary of properties, see
 * proplib(3).  Each function gives false when there is no such key, or its
 * value is of another type or does not fit; the result is then not touched.
 */
#ifndef MODBUILD_PROP_PROPLIB_H
#define MODBUILD_PROP_PROPLIB_H

#include <sys/types.h>

typedef struct _prop_dictionary *prop_dictionary_t;

bool prop_dictionary_get_bool(prop_dictionary_t, const char *, bool *);
bool prop_dictionary_get_uint32(prop_dictionary_t, const char *, uint32_t *);

#endif
