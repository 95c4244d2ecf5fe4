/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: interrupts, see spl(9). */
#ifndef MODBUILD_SYS_INTR_H
#define MODBUILD_SYS_INTR_H

#include <machine/intr.h>

#endif
