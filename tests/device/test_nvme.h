/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a machine with an NVMe controller, for tests
 *
 * The fixture "nvme": two namespaces of 8 MiB on sparse files, 512 bytes a
 * block, four I/O queue pairs allowed, controller enabled, MSI-X on, and a
 * buffer of guest memory. Tests that want it otherwise use struct test_nvme
 * by themselves.
 */
#ifndef TESTS_DEVICE_TEST_NVME_H
#define TESTS_DEVICE_TEST_NVME_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#include "tests/lib/block_disk.h"
#include "tests/lib/nvme_driver.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"

#define TEST_SLOT	4
#define TEST_DISK	(8 * MIB)
#define TEST_LBAS	(TEST_DISK / 512)
#define TEST_BUF	(256 * KIB)
#define TEST_VECTORS	5
#define TEST_ADMIN	32

/* The status that a completion must have: EXPECT_EQ(SC(INVALID_FIELD), ...) */
#define SC(name)	nvme_status_raw(NVME_SC_##name)

/**
 * struct test_nvme - a machine with one controller
 * @vm: the machine
 * @dev: the controller
 * @drv: its driver
 * @dir: where its images are
 * @nss: how many namespaces
 * @buf: TEST_BUF bytes of guest memory
 * @ptr: the same, here
 */
struct test_nvme {
	struct vm *vm;
	struct device *dev;
	struct nvme_driver drv;
	struct test_dir dir;
	u32 nss;
	u64 buf;
	u8 *ptr;
};

static inline struct nvme_ctrl *test_ctrl(struct test_nvme *t)
{
	return container_of(t->dev, struct nvme_ctrl, pci.dev);
}

static inline const char *test_nvme_image(struct test_nvme *t, u32 nsid,
					  char *path, size_t len)
{
	char name[16];

	snprintf(name, sizeof(name), "%u.img", nsid);
	return test_dir_file(&t->dir, name, path, len);
}

/* @options follow the image of namespace 1: ",ro", or "". */
static inline void test_nvme_create(struct test_nvme *t, u32 nss, u64 size,
				    const char *options)
{
	char path[256], text[4096];
	size_t n;
	u32 i;

	memset(t, 0, sizeof(*t));
	t->nss = nss;
	if (test_dir_make(&t->dir))
		abort();
	for (i = 1; i <= nss; i++)
		if (test_image_make(test_nvme_image(t, i, path, sizeof(path)),
				    size))
			abort();
	n = (size_t)snprintf(text, sizeof(text), "%s%s",
			     test_nvme_image(t, 1, path, sizeof(path)),
			     options);
	for (i = 2; i <= nss; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",ns=%s",
				      test_nvme_image(t, i, path,
						      sizeof(path)));
	t->vm = testvm_create(64 * MIB);
	t->dev = testvm_add_pci(t->vm, "nvme", 0, TEST_SLOT, text);
	testvm_msix_enable(t->vm, TEST_SLOT, TEST_VECTORS);
	nvme_driver_init(&t->drv, t->vm, TEST_SLOT);
	t->buf = nvme_driver_alloc(&t->drv, TEST_BUF);
	t->ptr = nvme_driver_ptr(&t->drv, t->buf);
}

static inline void test_nvme_destroy(struct test_nvme *t)
{
	testvm_destroy(t->vm);
	test_dir_remove(&t->dir);
}

/* What is in the image file of a namespace, around the VMM. */
static inline void test_nvme_peek(struct test_nvme *t, u32 nsid, u64 offset,
				  void *buf, size_t len)
{
	char path[256];
	int fd = open(test_nvme_image(t, nsid, path, sizeof(path)),
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, buf, len, (off_t)offset) != (ssize_t)len)
		abort();
	close(fd);
}

/* Bytes that are all the same. */
static inline bool test_all(const void *buf, u8 byte, size_t len)
{
	const u8 *p = buf;

	while (len--)
		if (*p++ != byte)
			return false;
	return true;
}

FIXTURE(nvme)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	u64 buf;
	u8 *ptr;
};

FIXTURE_SETUP(nvme)
{
	test_nvme_create(&self->t, 2, TEST_DISK, ",queues=4");
	self->drv = &self->t.drv;
	self->buf = self->t.buf;
	self->ptr = self->t.ptr;
	nvme_driver_enable(self->drv, TEST_ADMIN);
}

FIXTURE_TEARDOWN(nvme)
{
	test_nvme_destroy(&self->t);
}

#endif /* TESTS_DEVICE_TEST_NVME_H */
