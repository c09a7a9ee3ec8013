// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: files as channels
 *
 * A channel on a file may have two descriptors: one with O_DIRECT for the
 * transfers whose memory, length and position are aligned, one without for all
 * others (headers, the rest after a short transfer). Both reach the same file;
 * the kernel keeps them coherent, since a direct transfer writes back and drops
 * what the page cache holds of its range.
 *
 * Pieces of a batch are under way at once, see channel_ring.c.
 *
 * Threads: any number at once.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migration/channel_ring.h"
#include "vmm/base/math.h"

#define DIRECT_ALIGN	4096ULL

/**
 * struct channel_file - a file as a channel
 * @ch: the channel
 * @fd: through the page cache
 * @direct_fd: past it, -1 when that is not possible or not wanted
 * @rings: for batches
 */
struct channel_file {
	struct channel ch;
	int fd;
	int direct_fd;
	struct channel_rings rings;
};

static struct channel_file *to_file(const struct channel *ch)
{
	return container_of((struct channel *)ch, struct channel_file, ch);
}

static bool suits_direct(const struct iovec *iov, int iov_nr, u64 pos)
{
	u64 bits = pos;
	int i;

	for (i = 0; i < iov_nr; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return is_aligned(bits, DIRECT_ALIGN);
}

static int pick_fd(const struct channel_file *f, const struct iovec *iov,
		   int iov_nr, u64 pos)
{
	if (f->direct_fd >= 0 && suits_direct(iov, iov_nr, pos))
		return f->direct_fd;
	return f->fd;
}

static ssize_t file_preadv(struct channel *ch, const struct iovec *iov,
			   int iov_nr, u64 pos)
{
	struct channel_file *f = to_file(ch);
	ssize_t n = preadv(pick_fd(f, iov, iov_nr, pos), iov, iov_nr,
			   (off_t)pos);

	return n < 0 ? -errno : n;
}

static ssize_t file_pwritev(struct channel *ch, const struct iovec *iov,
			    int iov_nr, u64 pos)
{
	struct channel_file *f = to_file(ch);
	ssize_t n = pwritev(pick_fd(f, iov, iov_nr, pos), iov, iov_nr,
			    (off_t)pos);

	return n < 0 ? -errno : n;
}

static void file_batch(struct channel *ch, struct channel_piece *pieces,
		       u32 nr, bool write)
{
	struct channel_file *f = to_file(ch);
	int fds[CHANNEL_BATCH_MAX];
	u32 i;

	for (i = 0; i < nr; i++) {
		struct iovec iov = {
			.iov_base = pieces[i].buf, .iov_len = pieces[i].len,
		};

		fds[i] = pick_fd(f, &iov, 1, pieces[i].pos);
	}
	channel_rings_batch(&f->rings, ch->control, pieces, fds, nr, write);
}

static int file_set_size(struct channel *ch, u64 size)
{
	return ftruncate(to_file(ch)->fd, (off_t)size) < 0 ? -errno : 0;
}

/* A hole; the file grows when the range ends beyond it. */
static int file_zero(struct channel *ch, u64 pos, u64 len)
{
	int fd = to_file(ch)->fd;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((u64)st.st_size > pos &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)pos, (off_t)len) < 0)
		return -errno;
	return 0;
}

static int file_sync(struct channel *ch)
{
	return fsync(to_file(ch)->fd) < 0 ? -errno : 0;
}

/* A block device says its size only by its end. */
static s64 file_size(struct channel *ch)
{
	off_t end = lseek(to_file(ch)->fd, 0, SEEK_END);

	return end < 0 ? -errno : end;
}

static int file_data(struct channel *ch, u64 pos, u64 *start, u64 *end)
{
	int fd = to_file(ch)->fd;
	off_t at = lseek(fd, (off_t)pos, SEEK_DATA);

	if (at < 0 && errno == ENXIO) {
		*start = *end;
		return 0;
	}
	if (at < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	*start = (u64)at;
	at = lseek(fd, at, SEEK_HOLE);
	if (at >= 0)
		*end = (u64)at;
	return 0;
}

static const struct channel_ops file_ops;

static ssize_t file_copy(struct channel *to, struct channel *from, u64 pos,
			 u64 len)
{
	off_t in = (off_t)pos, out = (off_t)pos;
	ssize_t n;

	if (from->ops != &file_ops)
		return -EOPNOTSUPP;
	n = copy_file_range(to_file(from)->fd, &in, to_file(to)->fd, &out, len,
			    0);
	return n < 0 ? -errno : n;
}

static int file_clone(struct channel *to, struct channel *from)
{
	if (from->ops != &file_ops)
		return -EOPNOTSUPP;
	return ioctl(to_file(to)->fd, FICLONE, to_file(from)->fd) < 0 ?
	       -errno : 0;
}

static void file_close(struct channel *ch)
{
	struct channel_file *f = to_file(ch);

	channel_rings_destroy(&f->rings);
	if (f->direct_fd >= 0)
		close(f->direct_fd);
	close(f->fd);
	free(f);
}

static const struct channel_ops file_ops = {
	.preadv = file_preadv,
	.pwritev = file_pwritev,
	.batch = file_batch,
	.set_size = file_set_size,
	.zero = file_zero,
	.data = file_data,
	.copy = file_copy,
	.clone = file_clone,
	.sync = file_sync,
	.size = file_size,
	.close = file_close,
};

/*
 * The same file once more, past the page cache. Through /proc, so that it is
 * the same file even when the name means another one by now.
 */
static int open_direct(int fd, bool write)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, (write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
}

static int open_plain(const struct channel_file_config *config,
		      struct error *err)
{
	int flags = config->write ? O_RDWR : O_RDONLY;
	struct stat st;
	int fd;

	if (config->create)
		flags |= O_CREAT | O_EXCL;
	if (config->unnamed)
		flags |= O_TMPFILE;
	/*
	 * A pipe is refused below and must not block here. io_uring would take
	 * the flag at its word.
	 */
	fd = openat(config->dirfd, config->path, flags | O_CLOEXEC | O_NONBLOCK,
		    0600);
	if (fd < 0)
		return error_set(err, -errno, "%s: %m", config->path);
	if (fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) ||
	     (config->device && S_ISBLK(st.st_mode))) &&
	    fcntl(fd, F_SETFL, 0) == 0)
		return fd;
	close(fd);
	return error_set(err, -EINVAL, "%s: not a regular file%s",
			 config->path,
			 config->device ? " or block device" : "");
}

/**
 * channel_file_open() - open or create a file as a channel
 * @config: see struct channel_file_config
 * @out: the channel; channel_close() frees it
 * @err: filled on failure
 *
 * Return: 0; -EEXIST when a file to be created exists; -EINVAL for something
 * else than a regular file; or what the system said.
 */
int channel_file_open(const struct channel_file_config *config,
		      struct channel **out, struct error *err)
{
	struct channel_file *f;
	int fd, ret;

	fd = open_plain(config, err);
	if (fd < 0)
		return fd;
	f = calloc(1, sizeof(*f));
	if (!f) {
		ret = error_set(err, -ENOMEM, "%s: out of memory",
				config->path);
		goto err_close;
	}
	f->fd = fd;
	channel_rings_init(&f->rings);
	f->direct_fd = config->direct ? open_direct(fd, config->write) : -1;
	ret = channel_init(&f->ch, &file_ops, config->path, err);
	if (ret)
		goto err_free;
	*out = &f->ch;
	return 0;

err_free:
	channel_rings_destroy(&f->rings);
	if (f->direct_fd >= 0)
		close(f->direct_fd);
	free(f);
err_close:
	close(fd);
	return ret;
}

/**
 * channel_file_fd() - the descriptor of a file channel, for mapping it
 * @ch: a channel made by channel_file_open()
 *
 * Return: the descriptor; the channel keeps it.
 */
int channel_file_fd(const struct channel *ch)
{
	assert(ch->ops == &file_ops);
	return to_file(ch)->fd;
}
