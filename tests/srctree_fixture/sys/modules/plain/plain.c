#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, plain, "offers");

static int
plain_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}

#include <machine/cpunumber.h>
#include <x86/x86number.h>
#include <common/number.h>
#include "plain.h"

const char *plain_place(void);
int plain_numbers[4] = { CPU_NUMBER, X86_NUMBER, COMMON_NUMBER, PLAIN_HERE };

const char *
plain_place(void)
{
	return offers_name(plain_numbers[0]) ? __FILE__ : PLAIN_WORD;
}
