/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: how a module introduces itself, see module(9).
 */
#ifndef MODBUILD_SYS_MODULE_H
#define MODBUILD_SYS_MODULE_H

#include <sys/param.h>
#include <prop/proplib.h>

typedef enum modclass {
	MODULE_CLASS_ANY,
	MODULE_CLASS_MISC,
	MODULE_CLASS_VFS,
	MODULE_CLASS_DRIVER,
	MODULE_CLASS_EXEC,
	MODULE_CLASS_SECMODEL,
	MODULE_CLASS_BUFQ,
	MODULE_CLASS_MAX
} modclass_t;

/* What the kernel asks of a module; see docs/samples.md for the answers. */
typedef enum modcmd {
	MODULE_CMD_INIT,
	MODULE_CMD_FINI,
	MODULE_CMD_STAT,
	MODULE_CMD_AUTOUNLOAD
} modcmd_t;

/* The record that the in-kernel linker looks for. */
typedef const struct modinfo {
	u_int mi_version;
	modclass_t mi_class;
	int (*mi_modcmd)(modcmd_t, void *);
	const char *mi_name;
	const char *mi_required;
} modinfo_t;

/*
 * MODULE(class, name, required) declares NAME_modcmd(), which the module must
 * define, and the one entry of the link set "modules".  Both stay static: the
 * kernel panics on a modinfo that it reaches through a global symbol.
 */
#define MODULE(class, name, required) \
	static int name##_modcmd(modcmd_t, void *); \
	static modinfo_t name##_modinfo = { \
		__NetBSD_Version__, (class), name##_modcmd, #name, (required) \
	}; \
	__link_set_add_rodata(modules, name##_modinfo)

#endif
