// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: who may use a disk
 *
 * An open-file-description lock over the whole file: exclusive for those who
 * write, shared for those who only read. It goes with the open file, not with
 * the process, so closing another descriptor of the same file does not lose
 * it. QEMU locks single bytes of its images in the same way, so the two keep
 * each other out.
 */
#include <fcntl.h>

#include "devices/block/block_priv.h"
#include "vmm/base/log.h"
#include "vmm/lock_holder.h"

/**
 * block_lock_file() - lock an image file or block device
 * @fd: the open file
 * @path: its name, for messages
 * @shared: keep out only those who write
 * @err: who holds it
 *
 * A file system without locks gives a warning only: there is nothing to be
 * done about it.
 *
 * Return: 0, -EBUSY when somebody holds it, or another negative errno.
 */
int block_lock_file(int fd, const char *path, bool shared, struct error *err)
{
	struct flock lock = {
		.l_type = shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	char holder[LOCK_HOLDER_MAX];

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL) {
		log_warning("%s: the file system has no locks (%m): make sure that no other machine uses the disk",
			    path);
		return 0;
	}
	if (errno != EAGAIN && errno != EACCES)
		return error_set(err, -errno, "%s: cannot lock it: %m", path);
	lock_holder(fd, holder, sizeof(holder));
	return error_set(err, -EBUSY, "%s: in use by %s%s", path, holder,
			 shared ? ", which writes to it" :
			 "; stop that one, or add \",ro\" to both");
}

/**
 * block_unlock_file() - give the lock back
 * @fd: the open file
 */
void block_unlock_file(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	/* Unlocking what is ours cannot fail, and closing would do it too. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		log_debug("unlock: %m");
}
