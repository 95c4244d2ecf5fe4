/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: memory, see kmem(9). */
#ifndef MODBUILD_SYS_KMEM_H
#define MODBUILD_SYS_KMEM_H

#include <sys/types.h>

typedef unsigned int km_flag_t;

#define KM_SLEEP	0x1
#define KM_NOSLEEP	0x2

void *kmem_alloc(size_t, km_flag_t);
void *kmem_zalloc(size_t, km_flag_t);
void kmem_free(void *, size_t);

#endif
