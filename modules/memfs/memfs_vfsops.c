/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfs: a read-only file system in memory; the operations on a whole mount.
 *
 *	modload memfs
 *
 * mount(8) starts a program mount_memfs, which does not exist; this one does
 * what it would do:
 *
 *	#include <sys/mount.h>
 *	#include <err.h>
 *
 *	int
 *	main(void)
 *	{
 *		if (mount("memfs", "/mnt", MNT_RDONLY, NULL, 0) != 0)
 *			err(1, "/mnt");
 *	}
 *
 * While it is mounted the kernel refuses to unload it: vfs_detach() gives
 * EBUSY.  And while a file is in use it refuses to unmount it: vflush() does.
 */
#include <sys/param.h>
#include <sys/kmem.h>
#include <sys/module.h>
#include <sys/mount.h>
#include <sys/systm.h>
#include <sys/vnode.h>

#include <miscfs/genfs/genfs.h>
#include <uvm/uvm_extern.h>

#include "memfs.h"

MODULE(MODULE_CLASS_VFS, memfs, NULL);

#define MEMFS_NAME_MAX	31

/*
 * Make a new mount.  The path is a string of the caller's; data would be the
 * arguments that the program gave, but we need none.
 */
static int
memfs_mount(struct mount *mp, const char *path, void *data __unused,
    size_t *data_len)
{
	struct memfs_mount *memfs;
	int error;

	if ((mp->mnt_flag & MNT_GETARGS) != 0) {
		*data_len = 0;
		return 0;
	}
	if ((mp->mnt_flag & MNT_UPDATE) != 0)
		return EOPNOTSUPP;

	/*
	 * What statvfs(2) and df(1) show.  Someone who mounts it from within
	 * chroot(8) is shown the path as it is seen there.
	 */
	error = set_statvfs_info(NULL, UIO_USERSPACE, "memfs", UIO_SYSSPACE,
	    mp->mnt_op->vfs_name, mp, NULL);
	if (error != 0)
		return error;
	error = copyinstr(path, mp->mnt_stat.f_mntonname,
	    sizeof(mp->mnt_stat.f_mntonname), NULL);
	if (error != 0)
		return error;
	mp->mnt_stat.f_namemax = MEMFS_NAME_MAX;
	vfs_getnewfsid(mp);

	memfs = kmem_alloc(sizeof(*memfs), KM_SLEEP);
	vfs_timestamp(&memfs->mounted);
	mp->mnt_data = memfs;
	mp->mnt_flag |= MNT_LOCAL | MNT_RDONLY;
	mp->mnt_iflag |= IMNT_MPSAFE;
	return 0;
}

static int
memfs_start(struct mount *mp __unused, int flags __unused)
{
	return 0;
}

static int
memfs_unmount(struct mount *mp, int flags)
{
	int error;

	/* Give up all vnodes; EBUSY when one is in use, unless forced. */
	error = vflush(mp, NULL, (flags & MNT_FORCE) != 0 ? FORCECLOSE : 0);
	if (error != 0)
		return error;

	kmem_free(mp->mnt_data, sizeof(struct memfs_mount));
	mp->mnt_data = NULL;
	return 0;
}

/* Give the vnode of the root, locked as asked for. */
static int
memfs_root(struct mount *mp, int lktype, struct vnode **vpp)
{
	const ino_t id = MEMFS_ROOT;
	int error;

	error = vcache_get(mp, &id, sizeof(id), vpp);
	if (error != 0)
		return error;
	error = vn_lock(*vpp, lktype);
	if (error != 0) {
		vrele(*vpp);
		*vpp = NULL;
	}
	return error;
}

static int
memfs_statvfs(struct mount *mp, struct statvfs *sbp)
{
	sbp->f_bsize = sbp->f_frsize = sbp->f_iosize = DEV_BSIZE;

	/* There is one block for each node, and nothing is free. */
	sbp->f_blocks = sbp->f_files = memfs_node_count;
	sbp->f_bfree = sbp->f_bavail = sbp->f_bresvd = 0;
	sbp->f_ffree = sbp->f_favail = sbp->f_fresvd = 0;
	copy_statvfs_info(sbp, mp);
	return 0;
}

/* Nothing is ever written. */
static int
memfs_sync(struct mount *mp __unused, int waitfor __unused,
    kauth_cred_t cred __unused)
{
	return 0;
}

/*
 * Called by vcache_get() when there is no vnode for the key: our keys are the
 * ids.  The key that is given back must live as long as the vnode.
 */
static int
memfs_loadvnode(struct mount *mp __unused, struct vnode *vp, const void *key,
    size_t key_len, const void **new_key)
{
	const struct memfs_node *node;
	ino_t id;

	KASSERT(key_len == sizeof(id));
	memcpy(&id, key, key_len);
	node = memfs_node_by_id(id);
	if (node == NULL)
		return ENOENT;

	vp->v_tag = VT_NON;
	vp->v_type = node->type;
	vp->v_op = memfs_vnodeop_p;
	vp->v_data = __UNCONST(node);
	if (id == MEMFS_ROOT)
		vp->v_vflag |= VV_ROOT;
	uvm_vnp_setsize(vp, (off_t)memfs_node_size(node));
	*new_key = &node->id;
	return 0;
}

/* For vfs_init(), vfs_reinit() and vfs_done(), which must be there. */
static void
memfs_nothing(void)
{
}

static const struct vnodeopv_desc *const memfs_vnodeopv_descs[] = {
	&memfs_vnodeop_opv_desc,
	NULL
};

/*
 * The kernel calls most of these without looking whether they are there.  So
 * each one that we lack gets a function that says EOPNOTSUPP.
 */
static struct vfsops memfs_vfsops = {
	.vfs_name = "memfs",
	.vfs_min_mount_data = 0,
	.vfs_mount = memfs_mount,
	.vfs_start = memfs_start,
	.vfs_unmount = memfs_unmount,
	.vfs_root = memfs_root,
	.vfs_quotactl = (void *)eopnotsupp,
	.vfs_statvfs = memfs_statvfs,
	.vfs_sync = memfs_sync,
	.vfs_vget = (void *)eopnotsupp,
	.vfs_loadvnode = memfs_loadvnode,
	.vfs_newvnode = (void *)eopnotsupp,
	.vfs_fhtovp = (void *)eopnotsupp,
	.vfs_vptofh = (void *)eopnotsupp,
	.vfs_init = memfs_nothing,
	.vfs_reinit = memfs_nothing,
	.vfs_done = memfs_nothing,
	.vfs_snapshot = (void *)eopnotsupp,
	.vfs_extattrctl = vfs_stdextattrctl,
	.vfs_suspendctl = genfs_suspendctl,
	.vfs_renamelock_enter = genfs_renamelock_enter,
	.vfs_renamelock_exit = genfs_renamelock_exit,
	.vfs_fsync = (void *)eopnotsupp,
	.vfs_opv_descs = memfs_vnodeopv_descs
};

static int
memfs_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return vfs_attach(&memfs_vfsops);
	case MODULE_CMD_FINI:
		return vfs_detach(&memfs_vfsops);
	default:
		return ENOTTY;
	}
}
