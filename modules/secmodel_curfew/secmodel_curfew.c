/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secmodel_curfew: a security model that is switched on and off.
 *
 *	sysctl -w security.models.curfew.enforcing=1
 *
 * From then on nobody, not even root, may mount a file system or change a
 * mount, reboot, or trace a process; until it is switched off.  It shows
 * secmodel_register(), kauth listeners, and a module that refuses to be
 * unloaded because of what it is doing, not because someone has it open.
 */
#include <sys/param.h>
#include <sys/kauth.h>
#include <sys/module.h>
#include <sys/mutex.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

#include <secmodel/secmodel.h>

MODULE(MODULE_CLASS_SECMODEL, secmodel_curfew, NULL);

#define CURFEW_ID	"modbuild.secmodel.curfew"
#define CURFEW_NAME	"Curfew"

static secmodel_t curfew_model;
static kauth_listener_t curfew_system, curfew_process;
static struct sysctllog *curfew_log;

static kmutex_t curfew_lock;	/* guards the next two */
static bool curfew_enforcing;
static bool curfew_leaving;	/* the module is being unloaded */

static bool
curfew_is_enforcing(void)
{
	bool is_enforcing;

	mutex_enter(&curfew_lock);
	is_enforcing = curfew_enforcing;
	mutex_exit(&curfew_lock);
	return is_enforcing;
}

/*
 * A listener is asked about every action of its scope.  One that says DENY is
 * enough to forbid it; DEFER leaves the answer to the other models.  Never say
 * ALLOW for something that you do not know.
 */
static int
curfew_system_listener(kauth_cred_t cred __unused, kauth_action_t action,
    void *cookie __unused, void *request, void *arg1 __unused,
    void *arg2 __unused, void *arg3 __unused)
{
	bool is_forbidden = false;

	switch (action) {
	case KAUTH_SYSTEM_MOUNT:
		switch ((enum kauth_system_req)(uintptr_t)request) {
		case KAUTH_REQ_SYSTEM_MOUNT_NEW:
		case KAUTH_REQ_SYSTEM_MOUNT_UPDATE:
			is_forbidden = true;
			break;
		default:
			break;
		}
		break;
	case KAUTH_SYSTEM_REBOOT:
		is_forbidden = true;
		break;
	default:
		break;
	}
	return is_forbidden && curfew_is_enforcing() ?
	    KAUTH_RESULT_DENY : KAUTH_RESULT_DEFER;
}

static int
curfew_process_listener(kauth_cred_t cred __unused, kauth_action_t action,
    void *cookie __unused, void *process __unused, void *arg1 __unused,
    void *arg2 __unused, void *arg3 __unused)
{
	return action == KAUTH_PROCESS_PTRACE && curfew_is_enforcing() ?
	    KAUTH_RESULT_DENY : KAUTH_RESULT_DEFER;
}

/* Other security models may ask secmodel_eval(CURFEW_ID, "is-enforcing"). */
static int
curfew_eval(const char *question, void *arg __unused, void *answer)
{
	bool *is_enforcing = answer;

	if (strcmp(question, "is-enforcing") != 0)
		return ENOENT;
	*is_enforcing = curfew_is_enforcing();
	return 0;
}

static int
curfew_enforcing_access(SYSCTLFN_ARGS)
{
	struct sysctlnode node;
	bool enforcing = curfew_is_enforcing();
	int error;

	memcpy(&node, rnode, sizeof(node));
	node.sysctl_data = &enforcing;
	error = sysctl_lookup(SYSCTLFN_CALL(&node));
	if (error != 0 || newp == NULL)
		return error;

	mutex_enter(&curfew_lock);
	if (curfew_leaving)
		error = EBUSY;
	else
		curfew_enforcing = enforcing;
	mutex_exit(&curfew_lock);
	return error;
}

static int
curfew_sysctl_init(void)
{
	const struct sysctlnode *models_node, *curfew_node;
	int error;

	/* The node "models" is there already; that is not an error. */
	error = sysctl_createv(&curfew_log, 0, NULL, &models_node,
	    0, CTLTYPE_NODE, "models", NULL,
	    NULL, 0, NULL, 0,
	    CTL_SECURITY, CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail;
	error = sysctl_createv(&curfew_log, 0, &models_node, &curfew_node,
	    0, CTLTYPE_NODE, "curfew", SYSCTL_DESCR(CURFEW_NAME),
	    NULL, 0, NULL, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail;
	error = sysctl_createv(&curfew_log, 0, &curfew_node, NULL,
	    CTLFLAG_READWRITE, CTLTYPE_BOOL, "enforcing",
	    SYSCTL_DESCR("Whether mounting, rebooting, tracing is forbidden"),
	    curfew_enforcing_access, 0, NULL, 0,
	    CTL_CREATE, CTL_EOL);
	if (error != 0)
		goto fail;
	return 0;

fail:
	sysctl_teardown(&curfew_log);
	return error;
}

static int
curfew_init(void)
{
	int error;

	mutex_init(&curfew_lock, MUTEX_DEFAULT, IPL_NONE);

	error = secmodel_register(&curfew_model, CURFEW_ID, CURFEW_NAME,
	    NULL, curfew_eval, NULL);
	if (error != 0)
		goto fail_lock;
	curfew_system = kauth_listen_scope(KAUTH_SCOPE_SYSTEM,
	    curfew_system_listener, NULL);
	if (curfew_system == NULL) {
		error = ENOMEM;
		goto fail_model;
	}
	curfew_process = kauth_listen_scope(KAUTH_SCOPE_PROCESS,
	    curfew_process_listener, NULL);
	if (curfew_process == NULL) {
		error = ENOMEM;
		goto fail_system;
	}
	error = curfew_sysctl_init();
	if (error != 0)
		goto fail_process;
	return 0;

	/* Undone from the last step to the first. */
fail_process:
	kauth_unlisten_scope(curfew_process);
fail_system:
	kauth_unlisten_scope(curfew_system);
fail_model:
	secmodel_deregister(curfew_model);
fail_lock:
	mutex_destroy(&curfew_lock);
	return error;
}

static int
curfew_fini(void)
{
	/* A curfew that ended because its module went would be none. */
	mutex_enter(&curfew_lock);
	if (curfew_enforcing) {
		mutex_exit(&curfew_lock);
		return EBUSY;
	}
	curfew_leaving = true;
	mutex_exit(&curfew_lock);

	sysctl_teardown(&curfew_log);
	kauth_unlisten_scope(curfew_process);
	kauth_unlisten_scope(curfew_system);
	secmodel_deregister(curfew_model);
	mutex_destroy(&curfew_lock);
	return 0;
}

static int
secmodel_curfew_modcmd(modcmd_t cmd, void *arg __unused)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return curfew_init();
	case MODULE_CMD_FINI:
		return curfew_fini();
	case MODULE_CMD_AUTOUNLOAD:
		/* It was loaded on purpose; its user decides when it goes. */
		return EBUSY;
	default:
		return ENOTTY;
	}
}
