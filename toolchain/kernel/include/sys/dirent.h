/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: what reading a directory gives, see dirent(3). */
#ifndef MODBUILD_SYS_DIRENT_H
#define MODBUILD_SYS_DIRENT_H

#include <sys/types.h>

#define DT_DIR	4
#define DT_REG	8

struct dirent {
	ino_t d_fileno;
	uint16_t d_reclen;	/* length of this record, in bytes */
	uint16_t d_namlen;	/* length of the name without its NUL */
	uint8_t d_type;
	char d_name[512];
};

/* The length of a record: up to the NUL, and a multiple of an ino_t. */
#define _DIRENT_RECLEN(entry, namlen) \
	((offsetof(struct dirent, d_name) + (namlen) + \
	    sizeof((entry)->d_fileno)) & ~(sizeof((entry)->d_fileno) - 1))
#define _DIRENT_SIZE(entry)	_DIRENT_RECLEN(entry, (entry)->d_namlen)

#endif
