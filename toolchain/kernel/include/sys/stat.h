/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: permissions of a file. */
#ifndef MODBUILD_SYS_STAT_H
#define MODBUILD_SYS_STAT_H

#define S_IRUSR	0400
#define S_IXUSR	0100
#define S_IRGRP	0040
#define S_IXGRP	0010
#define S_IROTH	0004
#define S_IXOTH	0001

#endif
