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
#include <sys/queue.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

#include "tally.h"

MODULE(MODULE_CLASS_MISC, tally, NULL);

#define TALLY_NAME_SIZE	32		/* with the NUL */

struct tally {
	kmutex_t lock;			/* guards value */
	int value;
	char name[TALLY_NAME_SIZE];
	struct sysctllog *log;		/* kern.tally.NAME */
	LIST_ENTRY(tally) link;
};

static struct sysctllog *tally_log;	/* kern.tally */
static int tally_number;		/* of that node */

static kmutex_t tally_lock;		/* guards tally_list */
static LIST_HEAD(, tally) tally_list = LIST_HEAD_INITIALIZER(tally_list);

/* Put the counter into the list, unless there is one of its name. */
static int
tally_enter(struct tally *tally)
{
	struct tally *other;
	int error = 0;

	mutex_enter(&tally_lock);
	LIST_FOREACH(other, &tally_list, link) {
		if (strcmp(other->name, tally->name) == 0) {
			error = EEXIST;
			break;
		}
	}
	if (error == 0)
		LIST_INSERT_HEAD(&tally_list, tally, link);
	mutex_exit(&tally_lock);
	return error;
}

static void
tally_leave(struct tally *tally)
{
	mutex_enter(&tally_lock);
	LIST_REMOVE(tally, link);
	mutex_exit(&tally_lock);
}

static void
tally_free(struct tally *tally)
{
	mutex_destroy(&tally->lock);
	kmem_free(tally, sizeof(*tally));
}

int
tally_create(const char *name, struct tally **result)
{
	struct tally *tally;
	int error;

	tally = kmem_zalloc(sizeof(*tally), KM_SLEEP);
	mutex_init(&tally->lock, MUTEX_DEFAULT, IPL_SOFTCLOCK);

	/* Each step that fails undoes those before it, the last one first. */
	if (strlcpy(tally->name, name, sizeof(tally->name)) >=
	    sizeof(tally->name)) {
		error = ENAMETOOLONG;
		goto fail_free;
	}
	error = tally_enter(tally);
	if (error != 0)
		goto fail_free;
	error = sysctl_createv(&tally->log, 0, NULL, NULL,
	    CTLFLAG_READONLY, CTLTYPE_INT, tally->name,
	    SYSCTL_DESCR("A counter of another module"),
	    NULL, 0, &tally->value, 0,
	    CTL_KERN, tally_number, CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail_leave;

	*result = tally;
	return 0;

fail_leave:
	tally_leave(tally);
fail_free:
	tally_free(tally);
	return error;
}

void
tally_destroy(struct tally *tally)
{
	/* First nobody may find it, then it may go. */
	sysctl_teardown(&tally->log);
	tally_leave(tally);
	tally_free(tally);
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
	const struct sysctlnode *node;
	int error;

	mutex_init(&tally_lock, MUTEX_DEFAULT, IPL_NONE);
	error = sysctl_createv(&tally_log, 0, NULL, &node,
	    0, CTLTYPE_NODE, "tally", SYSCTL_DESCR("Counters of modules"),
	    NULL, 0, NULL, 0,
	    CTL_KERN, CTL_CREATE, CTL_EOL);
	if (error != 0) {
		mutex_destroy(&tally_lock);
		return error;
	}

	/*
	 * Keep the number and not the pointer: the kernel moves nodes when
	 * others are created beside them.
	 */
	tally_number = node->sysctl_num;
	return 0;
}

static int
tally_fini(void)
{
	bool busy;

	/*
	 * Modules that require tally hold it in memory, so the kernel does not
	 * ask us to go while one is loaded.  But the kernel lets a module call
	 * our functions without requiring us: look for ourselves.
	 */
	mutex_enter(&tally_lock);
	busy = !LIST_EMPTY(&tally_list);
	mutex_exit(&tally_lock);
	if (busy)
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
