/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gray: what gray.c and gray_code.S agree upon.  Both include this file, so
 * what only C understands is hidden from the assembler.
 */
#ifndef MODULES_GRAY_H
#define MODULES_GRAY_H

/* The machines for which gray_code.S has the function; others use C. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || \
    defined(__arm__) || defined(__powerpc__) || defined(__sparc__) || \
    defined(__mips__) || defined(__riscv)
#define GRAY_IN_ASSEMBLY	1
#else
#define GRAY_IN_ASSEMBLY	0
#endif

#ifndef __ASSEMBLER__

#include <sys/types.h>

/*
 * The Gray code of a number: those of n and n + 1 differ in one bit.  It has
 * to be global to be seen by gray.c, so it bears the module's name.
 */
uint32_t gray_code(uint32_t);

#endif

#endif
