#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, sample, NULL);

static int
sample_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}
