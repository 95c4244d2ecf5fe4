/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: operations that suit many file systems. */
#ifndef MODBUILD_MISCFS_GENFS_GENFS_H
#define MODBUILD_MISCFS_GENFS_GENFS_H

#include <sys/vnode.h>

struct acl;

int genfs_abortop(void *);
int genfs_accessx(void *);
int genfs_enoioctl(void *);
int genfs_eopnotsupp(void *);
int genfs_islocked(void *);
int genfs_lock(void *);
int genfs_null_putpages(void *);
int genfs_nullop(void *);
int genfs_parsepath(void *);
int genfs_pathconf(void *);
int genfs_poll(void *);
int genfs_revoke(void *);
int genfs_unlock(void *);

int genfs_can_access(struct vnode *, kauth_cred_t, uid_t, gid_t, mode_t,
    struct acl *, accmode_t);
int genfs_renamelock_enter(struct mount *);
void genfs_renamelock_exit(struct mount *);
int genfs_suspendctl(struct mount *, int);

#endif
