/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: what differs from port to port, told by the
 * macros that the compiler predefines for its target.
 */
#ifndef MODBUILD_MACHINE_TYPES_H
#define MODBUILD_MACHINE_TYPES_H

/* Virtual addresses are as wide as a long; physical ones may be wider. */
#ifdef __mips__
typedef __UINT64_TYPE__ paddr_t;
typedef __UINTPTR_TYPE__ vaddr_t;
typedef __UINTPTR_TYPE__ vsize_t;
#else
typedef unsigned long paddr_t;
typedef unsigned long vaddr_t;
typedef unsigned long vsize_t;
#endif

/* Distance, in bytes, that keeps two data out of one cache line. */
#if defined(__aarch64__) || defined(__mips__)
#define COHERENCY_UNIT	128
#else
#define COHERENCY_UNIT	64
#endif

#endif
