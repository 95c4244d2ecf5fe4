/* SPDX-License-Identifier: BSD-2-Clause */
/* memfs: what its three sources share. */
#ifndef MODULES_MEMFS_H
#define MODULES_MEMFS_H

#include <sys/types.h>
#include <sys/time.h>
#include <sys/vnode.h>

/* A file or directory.  They never change, so nothing has to be locked. */
struct memfs_node {
	ino_t id;		/* its place in memfs_nodes, from 1 */
	ino_t parent;		/* the directory it is in; the root: itself */
	enum vtype type;	/* VREG or VDIR */
	const char *name;
	const char *text;	/* of a VREG */
};

/* What belongs to one mount; the kernel keeps it as mnt_data. */
struct memfs_mount {
	struct timespec mounted;	/* the time that all files show */
};

#define MEMFS_ROOT	1

extern const struct memfs_node memfs_nodes[];
extern const size_t memfs_node_count;

/* Filled by the kernel from memfs_vnodeop_opv_desc in vfs_attach(). */
extern int (**memfs_vnodeop_p)(void *);
extern const struct vnodeopv_desc memfs_vnodeop_opv_desc;

const struct memfs_node *memfs_node_by_id(ino_t);
const struct memfs_node *memfs_node_by_name(const struct memfs_node *,
    const char *, size_t);
size_t memfs_node_size(const struct memfs_node *);

#endif
