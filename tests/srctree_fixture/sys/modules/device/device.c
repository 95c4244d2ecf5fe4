#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, device, NULL);

static int
device_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}

#include "ioconf.c"
#include "locators.h"
int device_first = LOCATOR_FIRST;
