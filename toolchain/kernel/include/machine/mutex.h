/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: how much room a mutex takes.  What lies inside
 * belongs to the kernel.
 */
#ifndef MODBUILD_MACHINE_MUTEX_H
#define MODBUILD_MACHINE_MUTEX_H

#include <sys/types.h>

struct kmutex {
	uintptr_t mtx_owner_word;
#if defined(__mips__) || defined(__powerpc__)
	uint32_t mtx_spin_words[2];
#endif
};

#endif
