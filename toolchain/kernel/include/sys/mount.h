/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: file systems and mounts, see vfsops(9). */
#ifndef MODBUILD_SYS_MOUNT_H
#define MODBUILD_SYS_MOUNT_H

#include <sys/mutex.h>
#include <sys/queue.h>
#include <sys/statvfs.h>
#include <sys/time.h>

/* mnt_flag: how it is mounted, and what is asked of vfs_mount(). */
#define MNT_RDONLY	0x00000001
#define MNT_LOCAL	0x00001000
#define MNT_UPDATE	0x00010000
#define MNT_FORCE	0x00080000
#define MNT_GETARGS	0x00400000

/* mnt_iflag: the file system needs no big kernel lock. */
#define IMNT_MPSAFE	0x00000100

struct fid;
struct quotactl_args;
struct vattr;
struct vnodeopv_desc;
struct wapbl;
struct wapbl_ops;
struct wapbl_replay;

/* One mounted file system. */
struct mount {
	kmutex_t *mnt_vnodelock;
	struct vfsops *mnt_op;
	struct vnode *mnt_vnodecovered;
	struct mount *mnt_lower;
	void *mnt_data;			/* belongs to the file system */
	kmutex_t *mnt_renamelock;
	int mnt_flag;
	int mnt_iflag;
	int mnt_fs_bshift;
	int mnt_dev_bshift;
	struct {
		void *container;
		kmutex_t lock;
	} mnt_specdataref;
	kmutex_t *mnt_updating;
	const struct wapbl_ops *mnt_wapbl_op;
	struct wapbl *mnt_wapbl;
	struct wapbl_replay *mnt_wapbl_replay;
	uint64_t mnt_gen;
	int mnt_refcnt __aligned(COHERENCY_UNIT);
	int mnt_synclist_slot;
	void *mnt_vnodelist[2];
	struct statvfs mnt_stat;
};

/* One kind of file system. */
struct vfsops {
	const char *vfs_name;
	size_t vfs_min_mount_data;
	int (*vfs_mount)(struct mount *, const char *, void *, size_t *);
	int (*vfs_start)(struct mount *, int);
	int (*vfs_unmount)(struct mount *, int);
	int (*vfs_root)(struct mount *, int, struct vnode **);
	int (*vfs_quotactl)(struct mount *, struct quotactl_args *);
	int (*vfs_statvfs)(struct mount *, struct statvfs *);
	int (*vfs_sync)(struct mount *, int, kauth_cred_t);
	int (*vfs_vget)(struct mount *, ino_t, int, struct vnode **);
	int (*vfs_loadvnode)(struct mount *, struct vnode *, const void *,
	    size_t, const void **);
	int (*vfs_newvnode)(struct mount *, struct vnode *, struct vnode *,
	    struct vattr *, kauth_cred_t, void *, size_t *, const void **);
	int (*vfs_fhtovp)(struct mount *, struct fid *, int, struct vnode **);
	int (*vfs_vptofh)(struct vnode *, struct fid *, size_t *);
	void (*vfs_init)(void);
	void (*vfs_reinit)(void);
	void (*vfs_done)(void);
	int (*vfs_mountroot)(void);
	int (*vfs_snapshot)(struct mount *, struct vnode *, struct timespec *);
	int (*vfs_extattrctl)(struct mount *, int, struct vnode *, int,
	    const char *);
	int (*vfs_suspendctl)(struct mount *, int);
	int (*vfs_renamelock_enter)(struct mount *);
	void (*vfs_renamelock_exit)(struct mount *);
	int (*vfs_fsync)(struct vnode *, int);
	const struct vnodeopv_desc *const *vfs_opv_descs;
	int vfs_refcount;
	LIST_ENTRY(vfsops) vfs_list;
};

int vfs_attach(struct vfsops *);
int vfs_detach(struct vfsops *);
void vfs_getnewfsid(struct mount *);
int vfs_stdextattrctl(struct mount *, int, struct vnode *, int, const char *);

#endif
