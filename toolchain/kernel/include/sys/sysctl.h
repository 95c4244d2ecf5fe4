/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: nodes of the sysctl tree, see sysctl(9). */
#ifndef MODBUILD_SYS_SYSCTL_H
#define MODBUILD_SYS_SYSCTL_H

#include <sys/types.h>

#define CTL_EOL			(-1)
#define CTL_CREATE		(-3)

#define CTL_KERN		1
#define CTL_SECURITY		13

#define CTLTYPE_NODE		1
#define CTLTYPE_INT		2
#define CTLTYPE_BOOL		6

#define CTLFLAG_READONLY	0x00000000
#define CTLFLAG_READWRITE	0x00000070

#ifdef SYSCTL_INCLUDE_DESCR
#define SYSCTL_DESCR(text)	text
#else
#define SYSCTL_DESCR(text)	NULL
#endif

/*
 * A field that 32 bit and 64 bit programs see at one place: 64 bits wide, a
 * narrower value in the half that holds its low bits.
 */
#if defined(__LP64__)
#define MODBUILD_WIDE(type, name)	type name
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MODBUILD_WIDE(type, name)	uint32_t name##_high; type name
#else
#define MODBUILD_WIDE(type, name)	type name; uint32_t name##_high
#endif

struct sysctlnode {
	uint32_t sysctl_flags;
	int32_t sysctl_num;
	char sysctl_name[32];
	uint32_t sysctl_ver;
	uint32_t sysctl_reserved;
	union {
		u_quad_t sysctl_value;
		struct {
			MODBUILD_WIDE(void *, sysctl_data);
			MODBUILD_WIDE(size_t, sysctl_offset);
		};
	};
	MODBUILD_WIDE(size_t, sysctl_size);
	MODBUILD_WIDE(void *, sysctl_func);
	MODBUILD_WIDE(struct sysctlnode *, sysctl_parent);
	MODBUILD_WIDE(const char *, sysctl_desc);
};

/* The arguments of a node's function: to declare, to define, to pass on. */
#define SYSCTLFN_PROTO \
	const int *, u_int, void *, size_t *, const void *, size_t, \
	const int *, struct lwp *, const struct sysctlnode *
#define SYSCTLFN_ARGS \
	const int *name, u_int namelen, void *oldp, size_t *oldlenp, \
	const void *newp, size_t newlen, const int *oname, struct lwp *l, \
	const struct sysctlnode *rnode
#define SYSCTLFN_CALL(node) \
	name, namelen, oldp, oldlenp, newp, newlen, oname, l, node

typedef int (*sysctlfn)(SYSCTLFN_PROTO);

/* Remembers the nodes that were created, so that they can be removed. */
struct sysctllog;

/*
 * Create one node: log, flags, root, where to put the node, its type and
 * flags, its name, its description, its function, an immediate value, the
 * variable and its size; then the path from the root, ended by CTL_CREATE
 * and CTL_EOL.
 */
int sysctl_createv(struct sysctllog **, int, const struct sysctlnode **,
    const struct sysctlnode **, int, int, const char *, const char *,
    sysctlfn, u_quad_t, void *, size_t, ...);
void sysctl_teardown(struct sysctllog **);
int sysctl_lookup(SYSCTLFN_PROTO);

#endif
