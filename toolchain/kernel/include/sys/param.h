/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: the version of the kernel that this interface
 * describes, and the limits that hold everywhere in it.
 *
 * The headers of this directory declare what the sample modules use, with the
 * layout that NetBSD-current 10.99.12 has, and nothing else.  They let the
 * samples be built on a machine that has no NetBSD source.  A module that
 * needs more is built against a NetBSD source tree: see docs/samples.md.
 */
#ifndef MODBUILD_SYS_PARAM_H
#define MODBUILD_SYS_PARAM_H

/* MMmmrrpp00, see module_compatible() in sys/kern/kern_module.c. */
#define __NetBSD_Version__	1099001200

#include <sys/errno.h>
#include <sys/types.h>

#define DEV_BSIZE	512

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

#endif
