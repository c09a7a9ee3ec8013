// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: disk images and requests for tests
 *
 * See block_disk.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/block_disk.h"

/**
 * test_dir_make() - make a folder
 * @dir: to be filled
 *
 * Return: 0 or a negative errno.
 */
int test_dir_make(struct test_dir *dir)
{
	const char *base = getenv("TMPDIR");

	snprintf(dir->path, sizeof(dir->path), "%s/lkvm-test-XXXXXX",
		 base ? base : "/var/tmp");
	return mkdtemp(dir->path) ? 0 : -errno;
}

/**
 * test_dir_remove() - remove a folder and the files in it
 * @dir: the folder
 */
void test_dir_remove(struct test_dir *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir->path);

	while (d && (entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name,
			 entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	if (d)
		closedir(d);
	rmdir(dir->path);
}

/**
 * test_dir_file() - the path of a file in a folder
 * @dir: the folder
 * @name: of the file
 * @buf: for the path
 * @len: its room
 *
 * Return: @buf.
 */
const char *test_dir_file(const struct test_dir *dir, const char *name,
			  char *buf, size_t len)
{
	snprintf(buf, len, "%s/%s", dir->path, name);
	return buf;
}

/**
 * test_image_make() - make a sparse file
 * @path: its path; what was there is lost
 * @size: bytes
 *
 * Return: 0 or a negative errno.
 */
int test_image_make(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static void io_done(struct block_req *req, int res)
{
	struct test_io *io = container_of(req, struct test_io, req);

	io->res = res;
	io->calls++;
}

/**
 * test_io_init() - make a request ready to be used
 * @io: to be filled
 *
 * Everything that the block layer has to set is filled with rubbish.
 */
void test_io_init(struct test_io *io)
{
	memset(io, 0xa5, sizeof(*io));
	io->req.done = io_done;
	io->res = 1;
	io->calls = 0;
}

/**
 * test_io_wait() - run the loop until a request has been completed
 * @t: the loop
 * @io: the request
 *
 * Return: its result.
 */
int test_io_wait(struct iothread *t, struct test_io *io)
{
	while (!io->calls)
		iothread_run_once(t, true);
	return io->res;
}
