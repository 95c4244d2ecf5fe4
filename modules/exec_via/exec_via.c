/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exec_via: a format of programs.  A file whose first line is
 *
 *	VIA /path/of/interpreter
 *
 * is started as "/path/of/interpreter FILE ARGUMENTS...".  It shows execsw
 * and exec_add(), and what a hook owes the others: to leave everything as it
 * was when the file is not for it.
 */
#include <sys/param.h>
#include <sys/exec.h>
#include <sys/fcntl.h>
#include <sys/kauth.h>
#include <sys/kmem.h>
#include <sys/module.h>
#include <sys/namei.h>
#include <sys/systm.h>
#include <sys/vnode.h>

MODULE(MODULE_CLASS_EXEC, exec_via, NULL);

static const char exec_via_magic[] = "VIA ";

#define EXEC_VIA_MAGIC_LENGTH	(sizeof(exec_via_magic) - 1)
#define EXEC_VIA_LINE_MAX	256	/* with the newline */

/* The arguments that go before the caller's: interpreter, file, end. */
#define EXEC_VIA_ARGS		3
#define EXEC_VIA_ARGS_SIZE	(EXEC_VIA_ARGS * sizeof(struct exec_fakearg))

static int exec_via_makecmds(struct lwp *, struct exec_package *);

static struct execsw exec_via_execsw = {
	.es_hdrsz = EXEC_VIA_LINE_MAX,
	.es_makecmds = exec_via_makecmds,
	.es_prio = EXECSW_PRIO_ANY,
	.es_setup_stack = exec_setup_stack
};

/*
 * Find the path in the first line, without changing a byte of it: the hooks
 * after us look at the same bytes.  Gives its length, and 0 for every file
 * that is not ours.
 */
static size_t
exec_via_find_path(const struct exec_package *epp, const char **path)
{
	const char *line = epp->ep_hdr, *newline;
	size_t valid = MIN(epp->ep_hdrvalid, EXEC_VIA_LINE_MAX), length;

	if (valid <= EXEC_VIA_MAGIC_LENGTH ||
	    memcmp(line, exec_via_magic, EXEC_VIA_MAGIC_LENGTH) != 0)
		return 0;
	newline = memchr(line, '\n', valid);
	if (newline == NULL)
		return 0;

	*path = line + EXEC_VIA_MAGIC_LENGTH;
	length = (size_t)(newline - *path);
	if (length == 0 || **path != '/' || memchr(*path, '\0', length) != NULL)
		return 0;
	return length;
}

static char *
exec_via_copy(const char *text, size_t length)
{
	char *copy = kmem_alloc(length + 1, KM_SLEEP);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* The kernel frees them in the same way when the program has started. */
static struct exec_fakearg *
exec_via_make_args(const char *path, size_t length, const char *file)
{
	struct exec_fakearg *args;

	args = kmem_zalloc(EXEC_VIA_ARGS_SIZE, KM_SLEEP);
	args[0].fa_arg = exec_via_copy(path, length);
	args[0].fa_len = length + 1;
	args[1].fa_arg = exec_via_copy(file, strlen(file));
	args[1].fa_len = strlen(file) + 1;
	return args;
}

static void
exec_via_free_args(struct exec_fakearg *args)
{
	struct exec_fakearg *arg;

	for (arg = args; arg->fa_arg != NULL; arg++)
		kmem_free(arg->fa_arg, arg->fa_len);
	kmem_free(args, EXEC_VIA_ARGS_SIZE);
}

/* The file is open and referenced, and nobody else will give it back. */
static void
exec_via_close(struct vnode *vp)
{
	vn_lock(vp, LK_EXCLUSIVE | LK_RETRY);
	VOP_CLOSE(vp, FREAD, kauth_cred_get());
	vput(vp);
}

/* Start over with the interpreter in place of the file. */
static int
exec_via_start(struct lwp *l, struct exec_package *epp, const char *path)
{
	struct pathbuf *pb;
	int error;

	epp->ep_vp = NULL;
	epp->ep_hdrvalid = 0;
	pb = pathbuf_create(path);
	if (pb == NULL)
		return ENOMEM;
	error = check_exec(l, epp, pb, NULL);
	pathbuf_destroy(pb);
	return error;
}

/*
 * Called for every program that is started.  Told ENOEXEC, the kernel asks
 * the next hook.
 */
static int
exec_via_makecmds(struct lwp *l, struct exec_package *epp)
{
	struct vnode *file = epp->ep_vp;
	struct exec_fakearg *args;
	const char *path;
	size_t length;
	int error;

	/* An interpreter that needs an interpreter could go on for ever. */
	if ((epp->ep_flags & EXEC_INDIR) != 0)
		return ENOEXEC;
	length = exec_via_find_path(epp, &path);
	if (length == 0)
		return ENOEXEC;

	/* Now it is ours.  The line is lost as soon as we start over. */
	args = exec_via_make_args(path, length, epp->ep_kname);
	epp->ep_flags |= EXEC_INDIR;
	error = exec_via_start(l, epp, args[0].fa_arg);

	/*
	 * Whatever came out of it, the first file has been taken out of the
	 * package, so our caller must not touch it: that is EXEC_DESTR.
	 */
	epp->ep_flags |= EXEC_DESTR;
	exec_via_close(file);
	if (error != 0) {
		exec_via_free_args(args);
		kill_vmcmds(&epp->ep_vmcmds);
		return error;
	}
	epp->ep_flags |= EXEC_HASARGL | EXEC_SKIPARG;
	epp->ep_fa = args;
	epp->ep_fa_len = EXEC_VIA_ARGS_SIZE;
	return 0;
}

static int
exec_via_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return exec_add(&exec_via_execsw, 1);

	case MODULE_CMD_FINI:
		/* Waits for programs that are being started. */
		return exec_remove(&exec_via_execsw, 1);

	case MODULE_CMD_AUTOUNLOAD:
		/*
		 * What we start runs as a program of its interpreter's format,
		 * so we look idle when we are not.  The kernel can load an
		 * exec module when a file needs it; do not come and go.
		 */
		return EBUSY;

	default:
		return ENOTTY;
	}
}
