/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: files in use, and the operations on them; see
 * vnode(9) and vnodeops(9).
 */
#ifndef MODBUILD_SYS_VNODE_H
#define MODBUILD_SYS_VNODE_H

#include <sys/condvar.h>
#include <sys/kauth.h>
#include <sys/mount.h>
#include <sys/time.h>
#include <sys/uio.h>

enum vtype { VNON, VREG, VDIR, VBLK, VCHR, VLNK, VSOCK, VFIFO, VBAD };
enum vtagtype { VT_NON };

struct vnode {
	/* The virtual memory object. */
	struct {
		void *lock, *pgops;
		int npages;
		u_int refs;
		struct {
			void *root;
			u_int height;
		} pages;
		void *ubc;
	} v_uobj;
	off_t v_size;
	off_t v_writesize;

	kcondvar_t v_cv __aligned(COHERENCY_UNIT);
	int v_iflag;
	int v_uflag;
	int v_usecount;
	int v_numoutput;
	int v_writecount;
	int v_holdcnt;
	void *v_cleanblkhd, *v_dirtyblkhd;

	int v_vflag __aligned(COHERENCY_UNIT);
	kmutex_t *v_interlock;
	struct mount *v_mount;
	int (**v_op)(void *);		/* set by vfs_loadvnode() */
	void *v_un;
	enum vtype v_type;		/* set by vfs_loadvnode() */
	enum vtagtype v_tag;
	void *v_data;			/* belongs to the file system */
	void *v_klist;
	void *v_segvguard;
};

/* v_vflag: the root of its file system. */
#define VV_ROOT		0x00000001

/* How to lock: vn_lock() with LK_RETRY cannot fail. */
#define LK_SHARED	0x00000001
#define LK_EXCLUSIVE	0x00000002
#define LK_RETRY	0x00000200

/* Flags of vflush() and of a device's read and write. */
#define FORCECLOSE	0x0002
#define IO_NDELAY	0x00100

/* Kinds of access. */
#define VEXEC		000000000100
#define VWRITE		000000000200
#define VREAD		000000000400

/* The attributes of a file. */
struct vattr {
	enum vtype va_type;
	mode_t va_mode;
	nlink_t va_nlink;
	uid_t va_uid;
	gid_t va_gid;
	dev_t va_fsid;
	ino_t va_fileid;
	u_quad_t va_size;
	long va_blocksize;
	struct timespec va_atime, va_mtime, va_ctime, va_birthtime;
	u_long va_gen;
	u_long va_flags;
	dev_t va_rdev;
	u_quad_t va_bytes;
	u_quad_t va_filerev;
	u_int va_vaflags;
	long va_spare;
};

/*
 * The operations of a file system: for each a description, which the kernel
 * has, and a function, which gets its arguments in one of the structures
 * below.  vfs_attach() makes a vector of the list.
 */
struct vnodeop_desc;

struct vnodeopv_entry_desc {
	const struct vnodeop_desc *opve_op;
	int (*opve_impl)(void *);
};

struct vnodeopv_desc {
	int (***opv_desc_vector_p)(void *);
	const struct vnodeopv_entry_desc *opv_desc_ops;
};

#define MODBUILD_VOP_ARGS(name, ...) \
	struct vop_##name##_args { \
		const struct vnodeop_desc *a_desc; \
		__VA_ARGS__ \
	}

struct componentname;

MODBUILD_VOP_ARGS(lookup_v2,
	struct vnode *a_dvp; struct vnode **a_vpp;
	struct componentname *a_cnp;);
MODBUILD_VOP_ARGS(access,
	struct vnode *a_vp; accmode_t a_accmode; kauth_cred_t a_cred;);
MODBUILD_VOP_ARGS(getattr,
	struct vnode *a_vp; struct vattr *a_vap; kauth_cred_t a_cred;);
MODBUILD_VOP_ARGS(read,
	struct vnode *a_vp; struct uio *a_uio; int a_ioflag;
	kauth_cred_t a_cred;);
MODBUILD_VOP_ARGS(readdir,
	struct vnode *a_vp; struct uio *a_uio; kauth_cred_t a_cred;
	int *a_eofflag; off_t **a_cookies; int *a_ncookies;);
MODBUILD_VOP_ARGS(inactive_v2,
	struct vnode *a_vp; bool *a_recycle;);
MODBUILD_VOP_ARGS(reclaim_v2,
	struct vnode *a_vp;);

extern const struct vnodeop_desc
    vop_default_desc, vop_parsepath_desc, vop_lookup_desc, vop_open_desc,
    vop_close_desc, vop_access_desc, vop_accessx_desc, vop_getattr_desc,
    vop_setattr_desc, vop_read_desc, vop_ioctl_desc, vop_poll_desc,
    vop_revoke_desc, vop_fsync_desc, vop_seek_desc, vop_readdir_desc,
    vop_abortop_desc, vop_inactive_desc, vop_reclaim_desc, vop_lock_desc,
    vop_unlock_desc, vop_islocked_desc, vop_pathconf_desc,
    vop_putpages_desc;

int VOP_ACCESS(struct vnode *, accmode_t, kauth_cred_t);
int VOP_CLOSE(struct vnode *, int, kauth_cred_t);
int VOP_UNLOCK(struct vnode *);

/* Find the vnode of a file by its key, or have vfs_loadvnode() make it. */
int vcache_get(struct mount *, const void *, size_t, struct vnode **);

void vattr_null(struct vattr *);
void vfs_timestamp(struct timespec *);
int vflush(struct mount *, struct vnode *, int);
int vn_lock(struct vnode *, int);
void vref(struct vnode *);
void vrele(struct vnode *);
void vput(struct vnode *);

#endif
