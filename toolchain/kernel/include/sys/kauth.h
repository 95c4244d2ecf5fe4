/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: who may do what, see kauth(9). */
#ifndef MODBUILD_SYS_KAUTH_H
#define MODBUILD_SYS_KAUTH_H

#include <sys/stat.h>
#include <sys/types.h>

typedef struct kauth_listener *kauth_listener_t;
typedef uint64_t kauth_action_t;
typedef int (*kauth_scope_callback_t)(kauth_cred_t, kauth_action_t, void *,
    void *, void *, void *, void *);

/* What a listener says. */
#define KAUTH_RESULT_ALLOW	0
#define KAUTH_RESULT_DENY	1
#define KAUTH_RESULT_DEFER	2

#define KAUTH_SCOPE_SYSTEM	"org.netbsd.kauth.system"
#define KAUTH_SCOPE_PROCESS	"org.netbsd.kauth.process"

/* Some actions of the scope "system", and requests for one of them. */
enum {
	KAUTH_SYSTEM_MOUNT = 8,
	KAUTH_SYSTEM_REBOOT = 10
};
enum kauth_system_req {
	KAUTH_REQ_SYSTEM_MOUNT_NEW = 5,
	KAUTH_REQ_SYSTEM_MOUNT_UPDATE = 7
};

/* One action of the scope "process". */
enum {
	KAUTH_PROCESS_PTRACE = 8
};

/* The action of the scope "vnode" that says: it is a program. */
#define KAUTH_VNODE_IS_EXEC	(1ULL << 29)

kauth_listener_t kauth_listen_scope(const char *, kauth_scope_callback_t,
    void *);
void kauth_unlisten_scope(kauth_listener_t);

kauth_cred_t kauth_cred_get(void);
int kauth_authorize_vnode(kauth_cred_t, kauth_action_t, struct vnode *,
    struct vnode *, int);
kauth_action_t kauth_accmode_to_action(accmode_t);

/* The action that stands for an access to a file of that type and mode. */
#define KAUTH_ACCESS_ACTION(accmode, type, mode) \
	(kauth_accmode_to_action(accmode) | \
	((type) == VDIR || ((mode) & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0 ? \
	    KAUTH_VNODE_IS_EXEC : 0))

#endif
