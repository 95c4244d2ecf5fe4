/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: waiting for a condition, see condvar(9). */
#ifndef MODBUILD_SYS_CONDVAR_H
#define MODBUILD_SYS_CONDVAR_H

#include <sys/mutex.h>

typedef struct kcondvar {
	void *cv_room[2];
} kcondvar_t;

void cv_init(kcondvar_t *, const char *);
void cv_destroy(kcondvar_t *);
int cv_wait_sig(kcondvar_t *, kmutex_t *);
void cv_broadcast(kcondvar_t *);

#endif
