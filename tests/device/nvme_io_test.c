// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe I/O commands on a machine without a vCPU
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/nvme_driver.h"
#include "tests/lib/testvm.h"

#define SLOT	3

FIXTURE(nvme) {
	struct vm *vm;
	struct nvme_driver drv;
	char path[64];
	int fd;
};

FIXTURE_SETUP(nvme)
{
	char opts[128];

	self->fd = memfd_create("disk", 0);
	ASSERT_EQ(0, ftruncate(self->fd, 16 << 20));
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
	self->vm = testvm_create(64 << 20);
	snprintf(opts, sizeof(opts), "%s", self->path);
	testvm_add_pci(self->vm, "nvme", 0, SLOT, opts);
	testvm_bus_master(self->vm, SLOT, true);
	testvm_msix_enable(self->vm, SLOT, 4);
	nvme_driver_init(&self->drv, self->vm, SLOT);
	nvme_driver_enable(&self->drv, 32);
	nvme_driver_create_pair(&self->drv, 1, 64, 1);
}

FIXTURE_TEARDOWN(nvme)
{
	testvm_destroy(self->vm);
	close(self->fd);
}

TEST_F(nvme, read_gives_what_was_written)
{
	u64 buf = nvme_driver_alloc(&self->drv, 65536);
	u8 *p = nvme_driver_ptr(&self->drv, buf);
	u8 disk[4096];

	memset(p, 0x5a, 4096);
	ASSERT_EQ(0, nvme_driver_rw(&self->drv, 1, NVME_IO_WRITE, 1, 16, 8,
				    buf));
	ASSERT_EQ(4096, pread(self->fd, disk, 4096, 8192));
	EXPECT_EQ(0, memcmp(disk, p, 4096));
	memset(p, 0, 65536);
	ASSERT_EQ(0, nvme_driver_rw(&self->drv, 1, NVME_IO_READ, 1, 0, 128,
				    buf));
	EXPECT_EQ(0, memcmp(disk, p + 8192, 4096));
	EXPECT_EQ(0, p[8191]);
}

TEST_HARNESS_MAIN
