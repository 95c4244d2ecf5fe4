/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringdev: a character device that holds a bounded number of bytes.
 *
 *	modload ringdev			prints the major number, say 351
 *	mknod /dev/ring c 351 0
 *	echo hello > /dev/ring
 *	dd if=/dev/ring bs=512 count=1
 *
 * Readers wait for bytes, writers wait for room, unless the device was opened
 * with O_NONBLOCK.  It shows cdevsw and devsw_attach(), a mutex with its
 * condition variable, and how a driver that is open refuses to be unloaded.
 */
#include <sys/param.h>
#include <sys/condvar.h>
#include <sys/conf.h>
#include <sys/kmem.h>
#include <sys/module.h>
#include <sys/mutex.h>
#include <sys/systm.h>
#include <sys/uio.h>
#include <sys/vnode.h>

MODULE(MODULE_CLASS_DRIVER, ringdev, NULL);

#define RINGDEV_SIZE_DEFAULT	4096
#define RINGDEV_SIZE_MIN	16
#define RINGDEV_SIZE_MAX	65536

/* All of it is guarded by the lock; data and size do not change. */
static struct {
	kmutex_t lock;
	kcondvar_t changed;	/* bytes came or went, or the device closes */
	char *data;
	size_t size;
	size_t first;		/* where the oldest byte is */
	size_t count;		/* how many bytes there are */
	bool is_open;
	bool is_closing;	/* whoever waits must give up */
	bool is_leaving;	/* the module is being unloaded */
} ringdev;

static int ringdev_open(dev_t, int, int, struct lwp *);
static int ringdev_cancel(dev_t, int, int, struct lwp *);
static int ringdev_close(dev_t, int, int, struct lwp *);
static int ringdev_read(dev_t, struct uio *, int);
static int ringdev_write(dev_t, struct uio *, int);

static const struct cdevsw ringdev_cdevsw = {
	.d_open = ringdev_open,
	.d_cancel = ringdev_cancel,
	.d_close = ringdev_close,
	.d_read = ringdev_read,
	.d_write = ringdev_write,
	.d_ioctl = noioctl,
	.d_stop = nostop,
	.d_tty = notty,
	.d_poll = nopoll,
	.d_mmap = nommap,
	.d_kqfilter = nokqfilter,
	.d_discard = nodiscard,
	.d_flag = D_OTHER | D_MPSAFE
};

/*
 * Called at every open(2).  There is no use in counting the calls, because
 * ringdev_close() is called only once, when the last of them is closed.
 */
static int
ringdev_open(dev_t dev, int flags __unused, int mode __unused,
    struct lwp *l __unused)
{
	int error = 0;

	if (minor(dev) != 0)
		return ENXIO;

	mutex_enter(&ringdev.lock);
	if (ringdev.is_leaving)
		error = ENXIO;
	else
		ringdev.is_open = true;
	mutex_exit(&ringdev.lock);
	return error;
}

/* Called before the last close: let nobody go on waiting. */
static int
ringdev_cancel(dev_t dev __unused, int flags __unused, int mode __unused,
    struct lwp *l __unused)
{
	mutex_enter(&ringdev.lock);
	ringdev.is_closing = true;
	cv_broadcast(&ringdev.changed);
	mutex_exit(&ringdev.lock);
	return 0;
}

/* Called when nobody reads or writes any more.  The bytes stay. */
static int
ringdev_close(dev_t dev __unused, int flags __unused, int mode __unused,
    struct lwp *l __unused)
{
	mutex_enter(&ringdev.lock);
	ringdev.is_open = false;
	ringdev.is_closing = false;
	mutex_exit(&ringdev.lock);
	return 0;
}

/* Wait until something has changed; a signal ends it with an error. */
static int
ringdev_wait(int flags)
{
	int error;

	KASSERT(mutex_owned(&ringdev.lock));
	if ((flags & IO_NDELAY) != 0)
		return EWOULDBLOCK;
	error = cv_wait_sig(&ringdev.changed, &ringdev.lock);
	if (error == 0 && ringdev.is_closing)
		error = ENXIO;
	return error;
}

/*
 * An adaptive mutex may be held while uiomove() waits for a page of the
 * caller's; a spin mutex may not.
 */
static int
ringdev_read(dev_t dev __unused, struct uio *uio, int flags)
{
	size_t chunk;
	int error = 0;

	mutex_enter(&ringdev.lock);
	while (ringdev.count == 0 && uio->uio_resid > 0 && error == 0)
		error = ringdev_wait(flags);

	/* At most twice: up to the end of the ring, then from its start. */
	while (error == 0 && ringdev.count > 0 && uio->uio_resid > 0) {
		chunk = MIN(ringdev.count, ringdev.size - ringdev.first);
		chunk = MIN(chunk, uio->uio_resid);
		error = uiomove(ringdev.data + ringdev.first, chunk, uio);
		if (error != 0)
			break;
		ringdev.first += chunk;
		if (ringdev.first == ringdev.size)
			ringdev.first = 0;
		ringdev.count -= chunk;
		cv_broadcast(&ringdev.changed);
	}
	mutex_exit(&ringdev.lock);
	return error;
}

/* Where the next byte goes: behind the newest one. */
static size_t
ringdev_end(void)
{
	size_t end = ringdev.first + ringdev.count;

	return end < ringdev.size ? end : end - ringdev.size;
}

static int
ringdev_write(dev_t dev __unused, struct uio *uio, int flags)
{
	size_t chunk, end;
	int error = 0;

	mutex_enter(&ringdev.lock);
	while (error == 0 && uio->uio_resid > 0) {
		if (ringdev.count == ringdev.size) {
			error = ringdev_wait(flags);
			continue;
		}
		end = ringdev_end();
		chunk = MIN(ringdev.size - ringdev.count, ringdev.size - end);
		chunk = MIN(chunk, uio->uio_resid);
		error = uiomove(ringdev.data + end, chunk, uio);
		if (error != 0)
			break;
		ringdev.count += chunk;
		cv_broadcast(&ringdev.changed);
	}
	mutex_exit(&ringdev.lock);

	/* write(2) tells how much was taken when an error comes after that. */
	return error;
}

static size_t
ringdev_configured_size(prop_dictionary_t properties)
{
	uint32_t size;

	if (properties == NULL ||
	    !prop_dictionary_get_uint32(properties, "size", &size))
		return RINGDEV_SIZE_DEFAULT;
	return MIN(MAX(size, RINGDEV_SIZE_MIN), RINGDEV_SIZE_MAX);
}

static void
ringdev_free(void)
{
	cv_destroy(&ringdev.changed);
	mutex_destroy(&ringdev.lock);
	kmem_free(ringdev.data, ringdev.size);
}

static int
ringdev_init(prop_dictionary_t properties)
{
	/* None for block devices; for characters any that is free. */
	devmajor_t bmajor = NODEVMAJOR, cmajor = NODEVMAJOR;
	int error;

	ringdev.size = ringdev_configured_size(properties);
	ringdev.data = kmem_alloc(ringdev.size, KM_SLEEP);
	mutex_init(&ringdev.lock, MUTEX_DEFAULT, IPL_NONE);
	cv_init(&ringdev.changed, "ringdev");

	/* The device can be opened from here on, so this step is the last. */
	error = devsw_attach("ringdev", NULL, &bmajor,
	    &ringdev_cdevsw, &cmajor);
	if (error != 0) {
		ringdev_free();
		return error;
	}
	aprint_normal("ringdev: character device %d, %d bytes\n",
	    (int)cmajor, (int)ringdev.size);
	return 0;
}

static int
ringdev_fini(void)
{
	/* Refuse while it is open, and let nobody open it behind our back. */
	mutex_enter(&ringdev.lock);
	if (ringdev.is_open) {
		mutex_exit(&ringdev.lock);
		return EBUSY;
	}
	ringdev.is_leaving = true;
	mutex_exit(&ringdev.lock);

	/* Waits for those who are just finding out that they may not. */
	devsw_detach(NULL, &ringdev_cdevsw);
	ringdev_free();
	return 0;
}

static int
ringdev_modcmd(modcmd_t cmd, void *arg)
{
	switch (cmd) {
	case MODULE_CMD_INIT:
		return ringdev_init(arg);
	case MODULE_CMD_FINI:
		return ringdev_fini();
	case MODULE_CMD_AUTOUNLOAD:
		/* The bytes in the ring would be lost. */
		return EBUSY;
	default:
		return ENOTTY;
	}
}
