#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, offers, NULL);

static int
offers_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}

int offers_name(int);
int
offers_name(int number)
{
	return number + 1;
}
