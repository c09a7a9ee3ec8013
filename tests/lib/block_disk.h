/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: disk images and requests for tests
 *
 * An image in a folder of its own that goes away with it, and requests that
 * are waited for on the test's own event loop.
 */
#ifndef TESTS_LIB_BLOCK_DISK_H
#define TESTS_LIB_BLOCK_DISK_H

#include "devices/block/block.h"

/**
 * struct test_dir - a folder for the files of one test
 * @path: below TMPDIR, or /var/tmp, which is on a disk on most machines
 */
struct test_dir {
	char path[128];
};

/**
 * struct test_io - a request that the test waits for
 * @req: for the block layer
 * @res: its result
 * @calls: how often it was completed
 */
struct test_io {
	struct block_req req;
	int res;
	u32 calls;
};

int test_dir_make(struct test_dir *dir);
void test_dir_remove(struct test_dir *dir);
const char *test_dir_file(const struct test_dir *dir, const char *name,
			  char *buf, size_t len);
int test_image_make(const char *path, u64 size);

void test_io_init(struct test_io *io);
int test_io_wait(struct iothread *t, struct test_io *io);

#endif /* TESTS_LIB_BLOCK_DISK_H */
