/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfs: the operations on a file or directory.  Each gets its arguments in a
 * structure of its own, and the vnodes in there are locked by the caller,
 * unless vnodeops(9) says otherwise.
 */
#include <sys/param.h>
#include <sys/dirent.h>
#include <sys/kauth.h>
#include <sys/mount.h>
#include <sys/namei.h>
#include <sys/stat.h>
#include <sys/systm.h>
#include <sys/uio.h>
#include <sys/vnode.h>

#include <miscfs/genfs/genfs.h>

#include "memfs.h"

#define MEMFS_FILE_MODE	(S_IRUSR | S_IRGRP | S_IROTH)
#define MEMFS_DIR_MODE	(MEMFS_FILE_MODE | S_IXUSR | S_IXGRP | S_IXOTH)

static mode_t
memfs_mode(const struct memfs_node *node)
{
	return node->type == VDIR ? MEMFS_DIR_MODE : MEMFS_FILE_MODE;
}

/*
 * Find a name in a directory.  The vnode found gets a reference, but no lock.
 */
static int
memfs_lookup(void *v)
{
	struct vop_lookup_v2_args *ap = v;
	const struct componentname *cnp = ap->a_cnp;
	const struct memfs_node *directory = ap->a_dvp->v_data, *node;
	bool is_last = (cnp->cn_flags & ISLASTCN) != 0;
	int error;

	*ap->a_vpp = NULL;
	error = VOP_ACCESS(ap->a_dvp, VEXEC, cnp->cn_cred);
	if (error != 0)
		return error;
	if (is_last &&
	    (cnp->cn_nameiop == DELETE || cnp->cn_nameiop == RENAME))
		return EROFS;

	if (cnp->cn_namelen == 1 && cnp->cn_nameptr[0] == '.') {
		vref(ap->a_dvp);
		*ap->a_vpp = ap->a_dvp;
		return 0;
	}
	if ((cnp->cn_flags & ISDOTDOT) != 0)
		node = memfs_node_by_id(directory->parent);
	else
		node = memfs_node_by_name(directory, cnp->cn_nameptr,
		    cnp->cn_namelen);
	if (node == NULL)
		return is_last && cnp->cn_nameiop == CREATE ? EROFS : ENOENT;
	return vcache_get(ap->a_dvp->v_mount, &node->id, sizeof(node->id),
	    ap->a_vpp);
}

static int
memfs_access(void *v)
{
	struct vop_access_args *ap = v;
	struct vnode *vp = ap->a_vp;
	mode_t mode = memfs_mode(vp->v_data);

	if ((ap->a_accmode & VWRITE) != 0)
		return EROFS;

	/* The security models decide; what we would say is one argument. */
	return kauth_authorize_vnode(ap->a_cred,
	    KAUTH_ACCESS_ACTION(ap->a_accmode, vp->v_type, mode), vp, NULL,
	    genfs_can_access(vp, ap->a_cred, 0, 0, mode, NULL,
		ap->a_accmode));
}

static int
memfs_getattr(void *v)
{
	struct vop_getattr_args *ap = v;
	const struct memfs_node *node = ap->a_vp->v_data;
	const struct mount *mp = ap->a_vp->v_mount;
	const struct memfs_mount *memfs = mp->mnt_data;
	struct vattr *vap = ap->a_vap;

	vattr_null(vap);
	vap->va_type = node->type;
	vap->va_mode = memfs_mode(node);
	vap->va_nlink = node->type == VDIR ? 2 : 1;
	vap->va_uid = 0;
	vap->va_gid = 0;
	vap->va_fsid = (dev_t)mp->mnt_stat.f_fsidx.__fsid_val[0];
	vap->va_fileid = node->id;
	vap->va_size = memfs_node_size(node);
	vap->va_bytes = vap->va_size;
	vap->va_blocksize = DEV_BSIZE;
	vap->va_atime = vap->va_mtime = memfs->mounted;
	vap->va_ctime = vap->va_birthtime = memfs->mounted;
	vap->va_gen = 0;
	vap->va_flags = 0;
	vap->va_rdev = 0;
	vap->va_filerev = 0;
	return 0;
}

static int
memfs_setattr(void *v __unused)
{
	return EROFS;
}

static int
memfs_read(void *v)
{
	struct vop_read_args *ap = v;
	const struct memfs_node *node = ap->a_vp->v_data;
	struct uio *uio = ap->a_uio;
	size_t size, start;

	if (node->type != VREG)
		return EISDIR;
	if (uio->uio_offset < 0)
		return EINVAL;

	size = memfs_node_size(node);
	if (uio->uio_offset >= (off_t)size)
		return 0;
	start = (size_t)uio->uio_offset;
	return uiomove(__UNCONST(node->text + start),
	    MIN(size - start, uio->uio_resid), uio);
}

/* Hand over one entry; EJUSTRETURN when there is no room for it. */
static int
memfs_readdir_entry(struct uio *uio, const struct memfs_node *node,
    const char *name)
{
	struct dirent entry;

	memset(&entry, 0, sizeof(entry));
	entry.d_fileno = node->id;
	entry.d_type = node->type == VDIR ? DT_DIR : DT_REG;
	entry.d_namlen = (uint16_t)strlcpy(entry.d_name, name,
	    sizeof(entry.d_name));
	entry.d_reclen = (uint16_t)_DIRENT_SIZE(&entry);
	if (uio->uio_resid < entry.d_reclen)
		return EJUSTRETURN;
	return uiomove(&entry, entry.d_reclen, uio);
}

/*
 * List a directory.  The offset is no number of bytes: 0 and 1 stand for "."
 * and "..", and 2 and more for the nodes in the order of memfs_nodes.
 */
static int
memfs_readdir(void *v)
{
	struct vop_readdir_args *ap = v;
	const struct memfs_node *directory = ap->a_vp->v_data, *node;
	struct uio *uio = ap->a_uio;
	const size_t end = memfs_node_count + 2, room = uio->uio_resid;
	size_t place;
	int error = 0;

	if (directory->type != VDIR)
		return ENOTDIR;
	if (uio->uio_offset < 0)
		return EINVAL;

	place = (size_t)MIN(uio->uio_offset, (off_t)end);
	for (; place < end; place++) {
		if (place == 0) {
			error = memfs_readdir_entry(uio, directory, ".");
		} else if (place == 1) {
			node = memfs_node_by_id(directory->parent);
			error = memfs_readdir_entry(uio, node, "..");
		} else {
			node = &memfs_nodes[place - 2];
			if (node->parent == directory->id && node != directory)
				error = memfs_readdir_entry(uio, node,
				    node->name);
		}
		if (error != 0)
			break;
	}

	/* uiomove() counted bytes; say where to go on instead. */
	uio->uio_offset = (off_t)place;
	if (error == EJUSTRETURN)
		error = uio->uio_resid == room ? EINVAL : 0;
	if (ap->a_eofflag != NULL)
		*ap->a_eofflag = place == end;

	/* Only a file server wants cookies, and we have no file handles. */
	if (ap->a_ncookies != NULL) {
		*ap->a_ncookies = 0;
		*ap->a_cookies = NULL;
	}
	return error;
}

/* The last user is gone.  Keep the vnode: the file may be used again. */
static int
memfs_inactive(void *v)
{
	struct vop_inactive_v2_args *ap = v;

	*ap->a_recycle = false;
	return 0;
}

/* The vnode is taken away for another file: let go of ours. */
static int
memfs_reclaim(void *v)
{
	struct vop_reclaim_v2_args *ap = v;

	VOP_UNLOCK(ap->a_vp);
	ap->a_vp->v_data = NULL;
	return 0;
}

int (**memfs_vnodeop_p)(void *);

/*
 * The first entry is for all operations that are not in the list.  There is
 * vn_default_error(), too; but genfs_eopnotsupp() also gives back the vnodes
 * which an operation has to give back even if it fails.
 */
static const struct vnodeopv_entry_desc memfs_vnodeop_entries[] = {
	{ &vop_default_desc, genfs_eopnotsupp },
	{ &vop_parsepath_desc, genfs_parsepath },
	{ &vop_lookup_desc, memfs_lookup },
	{ &vop_open_desc, genfs_nullop },
	{ &vop_close_desc, genfs_nullop },
	{ &vop_access_desc, memfs_access },
	{ &vop_accessx_desc, genfs_accessx },
	{ &vop_getattr_desc, memfs_getattr },
	{ &vop_setattr_desc, memfs_setattr },
	{ &vop_read_desc, memfs_read },
	{ &vop_ioctl_desc, genfs_enoioctl },
	{ &vop_poll_desc, genfs_poll },
	{ &vop_revoke_desc, genfs_revoke },
	{ &vop_fsync_desc, genfs_nullop },
	{ &vop_seek_desc, genfs_nullop },
	{ &vop_readdir_desc, memfs_readdir },
	{ &vop_abortop_desc, genfs_abortop },
	{ &vop_inactive_desc, memfs_inactive },
	{ &vop_reclaim_desc, memfs_reclaim },
	{ &vop_lock_desc, genfs_lock },
	{ &vop_unlock_desc, genfs_unlock },
	{ &vop_islocked_desc, genfs_islocked },
	{ &vop_pathconf_desc, genfs_pathconf },
	{ &vop_putpages_desc, genfs_null_putpages },
	{ NULL, NULL }
};

const struct vnodeopv_desc memfs_vnodeop_opv_desc = {
	&memfs_vnodeop_p, memfs_vnodeop_entries
};
