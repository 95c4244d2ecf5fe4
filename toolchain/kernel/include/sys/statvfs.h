/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: what a file system tells of itself, statvfs(2). */
#ifndef MODBUILD_SYS_STATVFS_H
#define MODBUILD_SYS_STATVFS_H

#include <sys/types.h>

typedef struct {
	int32_t __fsid_val[2];
} fsid_t;

struct statvfs {
	u_long f_flag;
	/* Sizes in bytes. */
	u_long f_bsize, f_frsize, f_iosize;
	/* Numbers of blocks of f_frsize. */
	uint64_t f_blocks, f_bfree, f_bavail, f_bresvd;
	/* Numbers of files. */
	uint64_t f_files, f_ffree, f_favail, f_fresvd;
	/* Numbers of transfers. */
	uint64_t f_syncreads, f_syncwrites, f_asyncreads, f_asyncwrites;
	/* Which file system it is, and whose. */
	fsid_t f_fsidx;
	u_long f_fsid;
	u_long f_namemax;
	uid_t f_owner;
	uint64_t f_spare[4];
	char f_fstypename[32];
	char f_mntonname[1024];
	char f_mntfromname[1024];
	char f_mntfromlabel[1024];
};

void copy_statvfs_info(struct statvfs *, const struct mount *);
int set_statvfs_info(const char *, int, const char *, int, const char *,
    struct mount *, struct lwp *);

#endif
