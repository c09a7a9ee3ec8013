// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: files that are loaded into a guest: kernels, initial RAM disks
 *
 * What every architecture's boot loader does with them. Files are hostile: each
 * length and offset is checked against the file's size at the time it was
 * opened, and against guest memory; a file that shrinks meanwhile is an error.
 *
 * Context: the main loop's thread, the machine paused; no locks.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/boot_file.h"
#include "vmm/guest_memory.h"

#define BOOT_IOVECS	MEMORY_BLOCKS_MAX

/**
 * boot_file_open() - open a file to be loaded
 * @file: to be filled
 * @what: "kernel" or "initrd"
 * @path: its path
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int boot_file_open(struct boot_file *file, const char *what, const char *path,
		   struct error *err)
{
	struct stat st;

	*file = (struct boot_file){ .what = what, .path = path };
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return error_set(err, -errno, "%s %s: %m", what, path);
	if (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(file->fd);
		return error_set(err, -EINVAL, "%s %s: not a regular file",
				 what, path);
	}
	file->size = (u64)st.st_size;
	return 0;
}

/**
 * boot_file_close() - the file was loaded
 * @file: the file
 */
void boot_file_close(struct boot_file *file)
{
	close(file->fd);
	file->fd = -1;
}

/**
 * boot_file_check() - does a file have these bytes?
 * @file: the file
 * @offset: where in it
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0 or -ENOEXEC.
 */
int boot_file_check(const struct boot_file *file, u64 offset, u64 len,
		    struct error *err)
{
	if (range_fits(offset, len, file->size))
		return 0;
	return error_set(err, -ENOEXEC,
			 "%s %s is cut off: %llu bytes at 0x%llx are wanted, the file has %llu; copy it again",
			 file->what, file->path, len, offset, file->size);
}

/* Reads all of @iov or fails; consumes the vectors. */
static int read_all(const struct boot_file *file, u64 offset,
		    struct iovec *iov, u32 nr, struct error *err)
{
	while (nr) {
		ssize_t n = preadv(file->fd, iov, (int)nr, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, n ? -errno : -EIO, "%s %s: %s",
					 file->what, file->path,
					 n ? strerror(errno) :
					     "the file became shorter while it was read");
		offset += (u64)n;
		for (; nr && (size_t)n >= iov->iov_len; iov++, nr--)
			n -= (ssize_t)iov->iov_len;
		if (nr) {
			iov->iov_base = (u8 *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/**
 * boot_file_read() - a part of a file into our memory
 * @file: the file
 * @offset: where in it
 * @buf: where to
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0, -ENOEXEC when the file has not so much, or a negative errno.
 */
int boot_file_read(const struct boot_file *file, u64 offset, void *buf,
		   size_t len, struct error *err)
{
	struct iovec iov = { buf, len };
	int ret;

	ret = boot_file_check(file, offset, len, err);
	if (ret || !len)
		return ret;
	return read_all(file, offset, &iov, 1, err);
}

/**
 * boot_file_place() - a part of a file into guest memory
 * @file: the file
 * @offset: where in it
 * @gate: a door to the guest's memory
 * @addr: guest physical address
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0, -ENOEXEC when the file has not so much, or a negative errno.
 */
int boot_file_place(const struct boot_file *file, u64 offset,
		    struct guest_gate *gate, u64 addr, u64 len,
		    struct error *err)
{
	struct iovec iov[BOOT_IOVECS], left[BOOT_IOVECS];
	u32 nr = 0;
	int ret;

	ret = boot_file_check(file, offset, len, err);
	if (ret)
		return ret;
	ret = guest_map(gate, gpa(addr), len, GUEST_WRITES, iov, BOOT_IOVECS,
			&nr);
	if (ret)
		return error_set(err, ret, "%s %s: no memory at 0x%llx",
				 file->what, file->path, addr);
	memcpy(left, iov, sizeof(left));
	ret = read_all(file, offset, left, nr, err);
	guest_unmap(gate, iov, nr, len);
	return ret;
}
