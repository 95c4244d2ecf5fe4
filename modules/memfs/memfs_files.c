/* SPDX-License-Identifier: BSD-2-Clause */
/* memfs: the files, and how to find them. */
#include <sys/param.h>
#include <sys/systm.h>

#include "memfs.h"

const struct memfs_node memfs_nodes[] = {
	{ MEMFS_ROOT, MEMFS_ROOT, VDIR, "", NULL },
	{ 2, MEMFS_ROOT, VREG, "README",
	    "These files are part of memfs.kmod.\n"
	    "See doc/reading-order.\n" },
	{ 3, MEMFS_ROOT, VDIR, "doc", NULL },
	{ 4, 3, VREG, "reading-order",
	    "memfs_files.c   what there is\n"
	    "memfs_vfsops.c  mounting it\n"
	    "memfs_vnops.c   using it\n" },
	{ 5, 3, VREG, "empty", "" },
};
const size_t memfs_node_count = __arraycount(memfs_nodes);

/* Gives NULL when there is no such node. */
const struct memfs_node *
memfs_node_by_id(ino_t id)
{
	return id >= MEMFS_ROOT && id <= memfs_node_count ?
	    &memfs_nodes[id - 1] : NULL;
}

/* The name has a length and no NUL.  Gives NULL when it is not in there. */
const struct memfs_node *
memfs_node_by_name(const struct memfs_node *directory, const char *name,
    size_t length)
{
	const struct memfs_node *node;

	for (size_t i = 0; i < memfs_node_count; i++) {
		node = &memfs_nodes[i];
		if (node->parent == directory->id && node != directory &&
		    strlen(node->name) == length &&
		    memcmp(node->name, name, length) == 0)
			return node;
	}
	return NULL;
}

/* In bytes. */
size_t
memfs_node_size(const struct memfs_node *node)
{
	return node->type == VREG ? strlen(node->text) : DEV_BSIZE;
}
