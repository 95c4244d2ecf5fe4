/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally: a module that other modules require.
 *
 * It shows how to export functions: they are the only symbols that are not
 * static, all begin with the module's name, and a header declares them.
 */
#include <sys/param.h>
#include <sys/kmem.h>
#include <sys/module.h>
#include <sys/mutex.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

#include "tally.h"

MODULE(MODULE_CLASS_MISC, tally, NULL);

struct tally {
	kmutex_t lock;			/* guards value */
	int value;
	struct sysctllog *log;		/* kern.tally.NAME */
};

static struct sysctllog *tally_log;	/* kern.tally */
static const struct sysctlnode *tally_node;

static kmutex_t tally_lock;		/* guards tally_count */
static u_int tally_count;		/* counters that exist */

int
tally_create(const char *name, struct tally **result)
{
	struct tally *tally;
	int error;

	tally = kmem_zalloc(sizeof(*tally), KM_SLEEP);
	mutex_init(&tally->lock, MUTEX_DEFAULT, IPL_SOFTCLOCK);
	error = sysctl_createv(&tally->log, 0, &tally_node, NULL,
	    CTLFLAG_READONLY, CTLTYPE_INT, name,
	    SYSCTL_DESCR("A counter of another module"),
	    NULL, 0, &tally->value, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0) {
		mutex_destroy(&tally->lock);
		kmem_free(tally, sizeof(*tally));
		return error;
	}

	mutex_enter(&tally_lock);
	tally_count++;
	mutex_exit(&tally_lock);

	*result = tally;
	return 0;
}

void
tally_destroy(struct tally *tally)
{
	/* First nobody may find it, then it may go. */
	sysctl_teardown(&tally->log);
	mutex_destroy(&tally->lock);
	kmem_free(tally, sizeof(*tally));

	mutex_enter(&tally_lock);
	KASSERT(tally_count > 0);
	tally_count--;
	mutex_exit(&tally_lock);
}

void
tally_add(struct tally *tally, int amount)
{
	mutex_enter(&tally->lock);
	tally->value += amount;
	mutex_exit(&tally->lock);
}

int
tally_read(struct tally *tally)
{
	int value;

	mutex_enter(&tally->lock);
	value = tally->value;
	mutex_exit(&tally->lock);
	return value;
}

static int
tally_init(void)
{
	int error;

	mutex_init(&tally_lock, MUTEX_DEFAULT, IPL_NONE);
	error = sysctl_createv(&tally_log, 0, NULL, &tally_node,
	    0, CTLTYPE_NODE, "tally", SYSCTL_DESCR("Counters of modules"),
	    NULL, 0, NULL, 0,
	    CTL_KERN, CTL_CREATE, CTL_EOL);
	if (error != 0)
		mutex_destroy(&tally_lock);
	return error;
}

static int
tally_fini(void)
{
	u_int count;

	/*
	 * Modules that require tally hold it in memory, so the kernel does not
	 * ask us to go while one is loaded.  But the kernel lets a module call
	 * our functions without requiring us: look for ourselves.
	 */
	mutex_enter(&tally_lock);
	count = tally_count;
	mutex_exit(&tally_lock);
	if (count != 0)
		return EBUSY;

	sysctl_teardown(&tally_log);
	mutex_destroy(&tally_lock);
	return 0;
}

static int
tally_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return tally_init();
	case MODULE_CMD_FINI:
		return tally_fini();
	default:
		return ENOTTY;
	}
}
