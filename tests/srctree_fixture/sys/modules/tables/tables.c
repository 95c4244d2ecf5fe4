#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, tables, NULL);

static int
tables_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}

#include "grammar.h"
int tables_token = TOKEN;
