#include <sys/param.h>
#include <sys/module.h>

MODULE(MODULE_CLASS_MISC, sets, NULL);

static int
sets_modcmd(modcmd_t cmd, void *arg)
{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}

extern const int *const __start_link_set_sets[];
static const int sets_member = 4;
static const int *const sets_entry
    __attribute__((__section__("link_set_sets"), __used__)) = &sets_member;
int sets_first(void);

int
sets_first(void)
{
	return *__start_link_set_sets[0];
}
