/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: points in time. */
#ifndef MODBUILD_SYS_TIME_H
#define MODBUILD_SYS_TIME_H

#include <sys/types.h>

struct timespec {
	time_t tv_sec;
	long tv_nsec;
};

#endif
