/* SPDX-License-Identifier: BSD-2-Clause */
/* modbuild kernel interface: character devices, see driver(9). */
#ifndef MODBUILD_SYS_CONF_H
#define MODBUILD_SYS_CONF_H

#include <sys/types.h>

#define D_OTHER		0x0000	/* neither tape, disk nor terminal */
#define D_MPSAFE	0x0100	/* needs no big kernel lock */

struct bdevsw;

/* Where the calls for a device go, selected by its major number. */
struct cdevsw {
	int (*d_open)(dev_t, int, int, struct lwp *);
	int (*d_cancel)(dev_t, int, int, struct lwp *);
	int (*d_close)(dev_t, int, int, struct lwp *);
	int (*d_read)(dev_t, struct uio *, int);
	int (*d_write)(dev_t, struct uio *, int);
	int (*d_ioctl)(dev_t, u_long, void *, int, struct lwp *);
	void (*d_stop)(struct tty *, int);
	struct tty *(*d_tty)(dev_t);
	int (*d_poll)(dev_t, int, struct lwp *);
	paddr_t (*d_mmap)(dev_t, off_t, int);
	int (*d_kqfilter)(dev_t, struct knote *);
	int (*d_discard)(dev_t, off_t, off_t);
	int (*d_devtounit)(dev_t);
	struct cfdriver *d_cfdriver;
	int d_flag;
};

int devsw_attach(const char *, const struct bdevsw *, devmajor_t *,
    const struct cdevsw *, devmajor_t *);
void devsw_detach(const struct bdevsw *, const struct cdevsw *);

/* For the calls that a device does not answer. */
int devenodev(dev_t, ...);
void ttyvenodev(struct tty *, ...);
paddr_t nommap(dev_t, off_t, int);
int seltrue(dev_t, int, struct lwp *);
int seltrue_kqfilter(dev_t, struct knote *);

#define noioctl		((int (*)(dev_t, u_long, void *, int, \
			    struct lwp *))devenodev)
#define nostop		((void (*)(struct tty *, int))ttyvenodev)
#define notty		NULL
#define nopoll		seltrue
#define nokqfilter	seltrue_kqfilter
#define nodiscard	((int (*)(dev_t, off_t, off_t))devenodev)

#endif
