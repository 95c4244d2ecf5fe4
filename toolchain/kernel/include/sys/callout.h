/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: functions called later, see callout(9). */
#ifndef MODBUILD_SYS_CALLOUT_H
#define MODBUILD_SYS_CALLOUT_H

#include <sys/types.h>

/* Room for ten pointers; the kernel promises never to need more. */
typedef struct callout {
	void *co_room[10];
} callout_t;

#define CALLOUT_MPSAFE	0x0100

void callout_init(callout_t *, u_int);
void callout_destroy(callout_t *);
void callout_setfunc(callout_t *, void (*)(void *), void *);
void callout_schedule(callout_t *, int);
bool callout_halt(callout_t *, void *);

#endif
