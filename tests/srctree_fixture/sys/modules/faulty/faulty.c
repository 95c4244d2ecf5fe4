#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, faulty, NULL);

static int
faulty_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}
