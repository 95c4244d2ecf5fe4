/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: how a file was opened. */
#ifndef MODBUILD_SYS_FCNTL_H
#define MODBUILD_SYS_FCNTL_H

#define FREAD	0x1
#define FWRITE	0x2

#endif
