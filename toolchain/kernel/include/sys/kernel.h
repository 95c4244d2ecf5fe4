/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: the clock. */
#ifndef MODBUILD_SYS_KERNEL_H
#define MODBUILD_SYS_KERNEL_H

/* Ticks of the clock in one second. */
extern int hz;

#endif
