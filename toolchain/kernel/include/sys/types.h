/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: scalar types, and the names of the structures
 * which modules only carry pointers to.
 */
#ifndef MODBUILD_SYS_TYPES_H
#define MODBUILD_SYS_TYPES_H

#include <sys/cdefs.h>
#include <machine/types.h>

#define NULL		((void *)0)
#define bool		_Bool
#define true		1
#define false		0
#define offsetof(type, member)	__builtin_offsetof(type, member)

typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INTPTR_TYPE__ intptr_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ssize_t;

typedef unsigned int u_int;
typedef unsigned long u_long;
typedef uint64_t u_quad_t;

/* Users, files, devices. */
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef uint32_t mode_t;
typedef uint32_t accmode_t;
typedef uint32_t nlink_t;
typedef uint64_t ino_t;
typedef uint64_t dev_t;
typedef int32_t devmajor_t;
typedef int32_t devminor_t;
typedef int64_t off_t;
typedef int64_t time_t;

#define NODEVMAJOR	(-1)

/*
 * A dev_t holds a 12 bit major number and a 20 bit minor number; the lowest
 * 8 bits of the minor lie below the major, the other 12 above it.
 */
#define major(device)	((devmajor_t)(((uint32_t)(device) >> 8) & 0xfff))
#define minor(device)	((devminor_t)((((uint32_t)(device) >> 12) & 0xfff00) | \
			    ((uint32_t)(device) & 0xff)))

/* Known by name only. */
struct buf;
struct cfdriver;
struct file;
struct knote;
struct lwp;
struct mount;
struct proc;
struct tty;
struct uio;
struct vnode;
typedef struct kauth_cred *kauth_cred_t;
typedef struct lwp lwp_t;

#endif
