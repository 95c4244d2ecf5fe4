/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gray: a module of two sources, one of them in assembly.
 *
 *	sysctl -w kern.gray.number=6
 *	sysctl kern.gray.code		5, which is 6 ^ 3
 */
#include <sys/param.h>
#include <sys/module.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

#include "gray.h"

MODULE(MODULE_CLASS_MISC, gray, NULL);

static struct sysctllog *gray_log;
static int gray_number;

#if !GRAY_IN_ASSEMBLY
uint32_t
gray_code(uint32_t n)
{
	return n ^ (n >> 1);
}
#endif

/* kern.gray.code has no variable of its own: it is worked out when read. */
static int
gray_code_access(SYSCTLFN_ARGS)
{
	struct sysctlnode node;
	int code = (int)gray_code((uint32_t)gray_number);

	memcpy(&node, rnode, sizeof(node));
	node.sysctl_data = &code;
	return sysctl_lookup(SYSCTLFN_CALL(&node));
}

static int
gray_init(void)
{
	const struct sysctlnode *gray_node;
	int error;

	error = sysctl_createv(&gray_log, 0, NULL, &gray_node,
	    0, CTLTYPE_NODE, "gray", SYSCTL_DESCR("Gray codes"),
	    NULL, 0, NULL, 0,
	    CTL_KERN, CTL_CREATE, CTL_EOL);
	if (error != 0)
		return error;

	error = sysctl_createv(&gray_log, 0, &gray_node, NULL,
	    CTLFLAG_READWRITE, CTLTYPE_INT, "number",
	    SYSCTL_DESCR("A number"),
	    NULL, 0, &gray_number, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail;

	error = sysctl_createv(&gray_log, 0, &gray_node, NULL,
	    CTLFLAG_READONLY, CTLTYPE_INT, "code",
	    SYSCTL_DESCR("The Gray code of the number"),
	    gray_code_access, 0, NULL, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail;
	return 0;

fail:
	sysctl_teardown(&gray_log);
	return error;
}

static int
gray_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return gray_init();
	case MODULE_CMD_FINI:
		sysctl_teardown(&gray_log);
		return 0;
	default:
		return ENOTTY;
	}
}
