/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: interrupt priority levels, see spl(9).  Only the
 * two that mean "an adaptive mutex" to mutex_init().
 */
#ifndef MODBUILD_MACHINE_INTR_H
#define MODBUILD_MACHINE_INTR_H

#define IPL_NONE	0

#if defined(__i386__) || defined(__x86_64__)
#define IPL_SOFTCLOCK	2
#else
#define IPL_SOFTCLOCK	1
#endif

#endif
