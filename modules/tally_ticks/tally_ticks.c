/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally_ticks: a module that requires another one, and is called by the clock.
 *
 *	modload tally_ticks		loads tally, too
 *	sysctl kern.tally.seconds	the seconds since then
 *
 * It shows the `required' part of MODULE(), and that FINI must stop all that
 * may still call into the module before it frees anything.
 */
#include <sys/param.h>
#include <sys/callout.h>
#include <sys/kernel.h>
#include <sys/module.h>
#include <sys/systm.h>

#include "tally.h"

/* More than one required module is written "one,two", without blanks. */
MODULE(MODULE_CLASS_MISC, tally_ticks, "tally");

static struct tally *tally_ticks_seconds;
static callout_t tally_ticks_callout;

/* Called in a soft interrupt, once a second: quick, and never sleeping. */
static void
tally_ticks_tick(void *arg)
{
	struct tally *seconds = arg;

	tally_add(seconds, 1);
	callout_schedule(&tally_ticks_callout, hz);
}

static int
tally_ticks_init(void)
{
	int error;

	error = tally_create("seconds", &tally_ticks_seconds);
	if (error != 0)
		return error;

	/* From here on nothing fails: the last step starts the work. */
	callout_init(&tally_ticks_callout, CALLOUT_MPSAFE);
	callout_setfunc(&tally_ticks_callout, tally_ticks_tick,
	    tally_ticks_seconds);
	callout_schedule(&tally_ticks_callout, hz);
	return 0;
}

static void
tally_ticks_fini(void)
{
	/*
	 * In the reverse order of INIT.  callout_halt() also waits for a call
	 * that is under way on another CPU, and undoes its callout_schedule().
	 */
	callout_halt(&tally_ticks_callout, NULL);
	callout_destroy(&tally_ticks_callout);
	printf("tally_ticks: %d seconds\n", tally_read(tally_ticks_seconds));
	tally_destroy(tally_ticks_seconds);
}

static int
tally_ticks_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return tally_ticks_init();

	case MODULE_CMD_FINI:
		tally_ticks_fini();
		return 0;

	case MODULE_CMD_AUTOUNLOAD:
		/*
		 * Nobody calls us, so to the kernel we always look idle; but
		 * we are at work.  Go only when we are told to.
		 */
		return EBUSY;

	default:
		return ENOTTY;
	}
}
