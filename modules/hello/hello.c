/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello: the smallest module that is worth loading.
 *
 *	modload hello			greets twice, as hello.plist says
 *	modload -i times=5 hello	greets five times
 *	sysctl -w kern.hello.times=3	greets three times more
 *	modunload hello			says good-bye
 *
 * It shows the frame that every module has: MODULE(), the control function
 * and its four commands, and that whatever INIT sets up, FINI takes away.
 */
#include <sys/param.h>
#include <sys/module.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

/*
 * The module's class, its name (which must be the name of the file, too), and
 * the modules that it requires: none.
 */
MODULE(MODULE_CLASS_MISC, hello, NULL);

#define HELLO_TIMES_MAX	10

/*
 * Everything is static.  The kernel has one name space for the symbols of all
 * modules and its own: a module that defines a global which exists already is
 * refused.  So export only what other modules shall use (see tally).
 */
static struct sysctllog *hello_log;
static int hello_times = 1;
static bool hello_polite;

static void
hello_greet(int times)
{
	for (int i = 0; i < times; i++)
		printf("hello: %s\n",
		    hello_polite ? "Good day, kernel" : "Hi, kernel");
}

/* Called when someone reads or writes kern.hello.times. */
static int
hello_times_access(SYSCTLFN_ARGS)
{
	struct sysctlnode node;
	int error, times = hello_times;

	/*
	 * Let the value be read, or written, in a copy.  (Why memcpy() and not
	 * node = *rnode: for the latter some compilers call memcpy() as well,
	 * but in a way that the in-kernel linker for powerpc cannot do.)
	 */
	memcpy(&node, rnode, sizeof(node));
	node.sysctl_data = &times;
	error = sysctl_lookup(SYSCTLFN_CALL(&node));
	if (error != 0 || newp == NULL)
		return error;

	/* It was written: look at what came before it is taken. */
	if (times < 0 || times > HELLO_TIMES_MAX)
		return EINVAL;
	hello_times = times;
	hello_greet(times);
	return 0;
}

/* Make kern.hello and what is below it; hello_log remembers each node. */
static int
hello_sysctl_init(void)
{
	const struct sysctlnode *hello_node;
	int error;

	error = sysctl_createv(&hello_log, 0, NULL, &hello_node,
	    0, CTLTYPE_NODE, "hello", SYSCTL_DESCR("The hello module"),
	    NULL, 0, NULL, 0,
	    CTL_KERN, CTL_CREATE, CTL_EOL);
	if (error != 0)
		return error;

	error = sysctl_createv(&hello_log, 0, &hello_node, NULL,
	    CTLFLAG_READWRITE, CTLTYPE_INT, "times",
	    SYSCTL_DESCR("How often to greet; writing greets"),
	    hello_times_access, 0, NULL, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0)
		sysctl_teardown(&hello_log);
	return error;
}

/* Take what we know from the properties; without any, keep the defaults. */
static void
hello_configure(prop_dictionary_t properties)
{
	uint32_t times;

	if (properties == NULL)
		return;
	if (prop_dictionary_get_uint32(properties, "times", &times))
		hello_times = (int)MIN(times, HELLO_TIMES_MAX);
	prop_dictionary_get_bool(properties, "polite", &hello_polite);
}

/*
 * The control function.  0 says yes; anything else is an error number, and
 * the kernel then leaves the module as it was: not loaded after INIT, still
 * loaded after FINI.
 */
static int
hello_modcmd(modcmd_t cmd, void *arg)
{
	int error;

	switch (cmd) {
	case MODULE_CMD_INIT:
		/* arg is the dictionary of properties, or NULL. */
		hello_configure(arg);
		error = hello_sysctl_init();
		if (error != 0)
			return error;
		hello_greet(hello_times);
		return 0;

	case MODULE_CMD_FINI:
		/* After this nothing may point into the module any more. */
		sysctl_teardown(&hello_log);
		printf("hello: good-bye\n");
		return 0;

	case MODULE_CMD_STAT:
	case MODULE_CMD_AUTOUNLOAD:
	default:
		/*
		 * Not ours to answer.  For AUTOUNLOAD that means: a module
		 * which the kernel loaded by itself may go when it is idle.
		 */
		return ENOTTY;
	}
}
