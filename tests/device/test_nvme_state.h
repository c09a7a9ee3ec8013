/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: an NVMe controller that is saved, and the driver that goes on elsewhere
 *
 * state_move() loads a saved state into a second machine with the same disk
 * images and a copy of the memory, and points the driver there.
 */
#ifndef TESTS_DEVICE_TEST_NVME_STATE_H
#define TESTS_DEVICE_TEST_NVME_STATE_H

#include "tests/device/test_nvme.h"

#include "devices/nvme/nvme_state.h"
#include "tests/lib/block_fault.h"

#define ENTRIES	16

FIXTURE(state)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct block_fault *fault;
	struct vm *second;
	struct error err;
};

FIXTURE_SETUP(state)
{
	memset(&self->err, 0, sizeof(self->err));
	self->second = NULL;
	test_nvme_create(&self->t, 2, TEST_DISK, ",queues=4");
	self->drv = &self->t.drv;
	self->fault = block_fault_attach(test_ctrl(&self->t)->ns[0]->blk);
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
}

FIXTURE_TEARDOWN(state)
{
	if (self->second)
		testvm_destroy(self->second);
	if (self->fault) {
		block_fault_release(self->fault);
		block_fault_detach(self->fault);
	}
	test_nvme_destroy(&self->t);
}

static inline int quiesce(struct device *dev, struct error *err)
{
	return dev->class->ops->quiesce(dev, err);
}

static inline void resume(struct device *dev)
{
	dev->class->ops->resume(dev);
}

static inline u16 submit_read(struct nvme_driver *drv, u16 qid, u64 lba, u64 buf)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u16 cid;

	nvme_driver_set_rw(&cmd, lba, 1);
	cmd.prp.prp1 = cpu_to_le64(buf);
	cid = nvme_driver_queue(&drv->pair[qid], &cmd);
	nvme_driver_ring(drv, &drv->pair[qid]);
	return cid;
}

static inline void hang(struct block_fault *fault, u64 first, u64 count)
{
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG,
		.first = first,
		.count = count,
	};

	block_fault_plan(fault, &plan);
}

/* The second machine; the first one's disks must not be locked by two. */
static inline struct device *move(struct _test_data_state *self, const void *state)
{
	struct nvme_driver *drv = self->drv;
	u64 bytes = self->t.vm->config.memory_bytes;
	char path[256], path2[256], text[600];
	struct device *dev;
	u32 q;

	snprintf(text, sizeof(text), "%s,queues=4,ns=%s",
		 test_nvme_image(&self->t, 1, path, sizeof(path)),
		 test_nvme_image(&self->t, 2, path2, sizeof(path2)));
	self->second = testvm_create(bytes);
	memcpy(testvm_ram(self->second, TESTVM_RAM + MIB, bytes - MIB),
	       testvm_ram(self->t.vm, TESTVM_RAM + MIB, bytes - MIB), bytes - MIB);
	block_fault_release(self->fault);
	block_fault_detach(self->fault);
	self->fault = NULL;
	block_unlock(test_ctrl(&self->t)->ns[0]->blk);
	block_unlock(test_ctrl(&self->t)->ns[1]->blk);
	dev = testvm_add_pci(self->second, "nvme", 0, TEST_SLOT, text);
	if (testvm_load(dev, state, &self->err))
		return NULL;
	/* The driver's pointers are into the other memory now. */
	drv->vm = self->second;
	for (q = 0; q < NVME_DRIVER_QUEUES; q++) {
		struct nvme_pair *pair = &drv->pair[q];

		if (!pair->entries)
			continue;
		pair->sq = nvme_driver_ptr(drv, pair->sq_gpa);
		pair->cq = nvme_driver_ptr(drv, pair->cq_gpa);
		pair->lists = nvme_driver_ptr(drv, pair->lists_gpa);
	}
	return dev;
}

static inline struct nvme_ctrl *ctrl_of(struct device *dev)
{
	return container_of(dev, struct nvme_ctrl, pci.dev);
}

#endif /* TESTS_DEVICE_TEST_NVME_STATE_H */
