/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: what differs from port to port, told by the
 * macros that the compiler predefines for its target.
 */
#ifndef MODBUILD_MACHINE_TYPES_H
#define MODBUILD_MACHINE_TYPES_H

/* Physical and virtual addresses are as wide as a long on all these ports. */
typedef unsigned long paddr_t;
typedef unsigned long vaddr_t;
typedef unsigned long vsize_t;

/* Distance, in bytes, that keeps two data out of one cache line. */
#ifdef __aarch64__
#define COHERENCY_UNIT	128
#else
#define COHERENCY_UNIT	64
#endif

#endif
