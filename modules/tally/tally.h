/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally: counters which other modules create, and which everyone can read
 * with sysctl(8) as kern.tally.NAME.
 *
 * A module that includes this file must name "tally" in its MODULE() and
 * under `requires' in its descriptor.  The kernel then loads tally first, and
 * keeps it while that module is loaded.
 */
#ifndef MODULES_TALLY_H
#define MODULES_TALLY_H

#include <sys/types.h>

/* A counter; what is inside is known to tally only. */
struct tally;

/*
 * Create a counter that starts at 0.  The name must be a fit name for a
 * sysctl node: letters, digits and `_', at most 31 characters.  Gives 0;
 * EEXIST when there is a counter of that name; ENAMETOOLONG; or what
 * sysctl_createv() has against the name.  May sleep.
 */
int tally_create(const char *name, struct tally **);

/* Remove a counter that nobody uses any more.  May sleep. */
void tally_destroy(struct tally *);

/* Count; from a thread or a soft interrupt. */
void tally_add(struct tally *, int amount);

/* Tell the present value. */
int tally_read(struct tally *);

#endif
