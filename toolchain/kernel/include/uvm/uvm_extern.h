/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: virtual memory, as far as a file system tells it. */
#ifndef MODBUILD_UVM_UVM_EXTERN_H
#define MODBUILD_UVM_UVM_EXTERN_H

#include <sys/types.h>

void uvm_vnp_setsize(struct vnode *, off_t);

#endif
