// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the device tree as a file, for people
 *
 * The file is whole or it is not there: it is written under another name beside
 * its place and then renamed. What is no regular file, a pipe or a terminal, is
 * written to directly.
 *
 * Context: the main loop's thread; may block.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/arm64/boot_priv.h"

static int write_all(int fd, const void *blob, size_t len)
{
	const char *at = blob;
	ssize_t n;

	while (len) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const char *path, int flags, const void *blob, u32 len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, blob, len);
	if (close(fd) && !ret)
		ret = -errno;
	if (ret && (flags & O_EXCL))
		unlink(path);
	return ret;
}

static int replace_file(const char *path, const void *blob, u32 len)
{
	char name[PATH_MAX];
	int ret;

	if ((size_t)snprintf(name, sizeof(name), "%s.%d", path, getpid()) >=
	    sizeof(name))
		return -ENAMETOOLONG;
	ret = write_file(name, O_CREAT | O_EXCL, blob, len);
	if (!ret && rename(name, path)) {
		ret = -errno;
		unlink(name);
	}
	return ret;
}

/**
 * dump_dtb() - write the device tree to a file
 * @path: the file, which is replaced
 * @blob: the device tree
 * @len: its bytes
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int dump_dtb(const char *path, const void *blob, u32 len, struct error *err)
{
	struct stat st;
	int ret;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		ret = write_file(path, 0, blob, len);
	else
		ret = replace_file(path, blob, len);
	return ret ? error_set(err, ret, "--dump-dtb %s: %s", path,
			       strerror(-ret)) : 0;
}
