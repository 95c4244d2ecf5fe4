/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: paths and their parts, see namei(9). */
#ifndef MODBUILD_SYS_NAMEI_H
#define MODBUILD_SYS_NAMEI_H

#include <sys/types.h>

/* cn_nameiop: what will be done with the name. */
#define LOOKUP		0
#define CREATE		1
#define DELETE		2
#define RENAME		3

/* cn_flags. */
#define ISDOTDOT	0x00002000	/* the name is ".." */
#define ISLASTCN	0x00008000	/* the last part of the path */

struct componentname {
	uint32_t cn_nameiop;
	uint32_t cn_flags;
	kauth_cred_t cn_cred;
	const char *cn_nameptr;		/* not ended by a NUL */
	size_t cn_namelen;
};

struct pathbuf;

struct pathbuf *pathbuf_create(const char *);
void pathbuf_destroy(struct pathbuf *);

#endif
