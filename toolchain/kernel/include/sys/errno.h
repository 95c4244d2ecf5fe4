/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: error numbers, see errno(2). */
#ifndef MODBUILD_SYS_ERRNO_H
#define MODBUILD_SYS_ERRNO_H

#define EPERM		1
#define ENOENT		2
#define EINTR		4
#define ENXIO		6
#define ENOEXEC		8
#define ENOMEM		12
#define EACCES		13
#define EBUSY		16
#define EEXIST		17
#define ENODEV		19
#define ENOTDIR		20
#define EISDIR		21
#define EINVAL		22
#define ENOTTY		25
#define ENOSPC		28
#define EROFS		30
#define EWOULDBLOCK	35
#define EAGAIN		EWOULDBLOCK
#define EOPNOTSUPP	45
#define ENAMETOOLONG	63

/* Never seen by a program: the caller of the hook goes on with the next one. */
#define EJUSTRETURN	(-2)

#endif
