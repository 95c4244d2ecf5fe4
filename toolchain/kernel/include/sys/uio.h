/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: the description of one transfer, see uiomove(9). */
#ifndef MODBUILD_SYS_UIO_H
#define MODBUILD_SYS_UIO_H

#include <sys/types.h>

enum uio_rw { UIO_READ, UIO_WRITE };
enum uio_seg { UIO_USERSPACE, UIO_SYSSPACE };

struct uio {
	struct iovec *uio_iov;
	int uio_iovcnt;
	off_t uio_offset;	/* where in the file */
	size_t uio_resid;	/* bytes still to move */
	enum uio_rw uio_rw;	/* UIO_READ: from the kernel to the caller */
	struct vmspace *uio_vmspace;
};

#endif
