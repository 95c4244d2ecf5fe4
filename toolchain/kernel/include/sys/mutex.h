/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: mutual exclusion, see mutex(9). */
#ifndef MODBUILD_SYS_MUTEX_H
#define MODBUILD_SYS_MUTEX_H

#include <sys/intr.h>
#include <sys/types.h>
#include <machine/mutex.h>

typedef struct kmutex kmutex_t;

typedef enum kmutex_type_t {
	MUTEX_DEFAULT = 2
} kmutex_type_t;

void mutex_init(kmutex_t *, kmutex_type_t, int);
void mutex_destroy(kmutex_t *);
void mutex_enter(kmutex_t *);
void mutex_exit(kmutex_t *);
int mutex_owned(const kmutex_t *);

#endif
