/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: how programs are started. */
#ifndef MODBUILD_SYS_EXEC_H
#define MODBUILD_SYS_EXEC_H

#include <sys/types.h>

struct coredump_iostate;
struct emul;
struct exec_package;
struct exec_vmcmd;
struct pathbuf;
struct ps_strings;
struct vattr;

/* One format of programs.  es_makecmds says ENOEXEC to all others. */
struct execsw {
	u_int es_hdrsz;		/* bytes of the file it wants to see */
	int (*es_makecmds)(struct lwp *, struct exec_package *);
	union {
		int (*elf_probe_func)(struct lwp *, struct exec_package *,
		    void *, char *, vaddr_t *);
		int (*ecoff_probe_func)(struct lwp *, struct exec_package *);
	} u;
	struct emul *es_emul;
	int es_prio;
	int es_arglen;
	int (*es_copyargs)(struct lwp *, struct exec_package *,
	    struct ps_strings *, char **, void *);
	void (*es_setregs)(struct lwp *, struct exec_package *, vaddr_t);
	int (*es_coredump)(struct lwp *, struct coredump_iostate *);
	int (*es_setup_stack)(struct lwp *, struct exec_package *);
};

#define EXECSW_PRIO_ANY	0x000

struct exec_vmcmd_set {
	u_int evs_cnt;
	u_int evs_used;
	struct exec_vmcmd *evs_cmds;
};

/* An argument that is put before the caller's; fa_len counts the NUL. */
struct exec_fakearg {
	char *fa_arg;
	size_t fa_len;
};

/* What is known of the program that is being started. */
struct exec_package {
	const char *ep_kname;		/* its path, as the caller said it */
	char *ep_resolvedname;
	int ep_xfd;
	void *ep_hdr;			/* its first bytes */
	u_int ep_hdrlen;
	u_int ep_hdrvalid;		/* how many of them there are */
	struct exec_vmcmd_set ep_vmcmds;
	struct vnode *ep_vp;		/* the file: open, not locked */
	struct vattr *ep_vap;
	vaddr_t ep_taddr;
	vsize_t ep_tsize;
	vaddr_t ep_daddr;
	vsize_t ep_dsize;
	vaddr_t ep_maxsaddr;
	vaddr_t ep_minsaddr;
	vsize_t ep_ssize;
	vaddr_t ep_entry;
	vaddr_t ep_entryoffset;
	vaddr_t ep_vm_minaddr;
	vaddr_t ep_vm_maxaddr;
	u_int ep_flags;
	size_t ep_fa_len;		/* bytes of the array ep_fa */
	struct exec_fakearg *ep_fa;	/* ended by one with fa_arg NULL */
	int ep_fd;
	void *ep_emul_arg;
	const struct execsw *ep_esch;
	struct vnode *ep_emul_root;
	struct vnode *ep_interp;
	uint32_t ep_pax_flags;
	void (*ep_emul_arg_free)(void *);
	uint32_t ep_osversion;
	char ep_machine_arch[12];
};

/* ep_flags. */
#define EXEC_INDIR	0x0001	/* an interpreter is being started */
#define EXEC_HASARGL	0x0004	/* ep_fa is set */
#define EXEC_SKIPARG	0x0008	/* it replaces the caller's argv[0] */
#define EXEC_DESTR	0x0010	/* what was known at first is gone */

int exec_add(struct execsw *, int);
int exec_remove(struct execsw *, int);
int exec_setup_stack(struct lwp *, struct exec_package *);
int check_exec(struct lwp *, struct exec_package *, struct pathbuf *, char **);
void kill_vmcmds(struct exec_vmcmd_set *);

#endif
