// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe registers: reset values, access, enabling, shutdown, resets
 */
#include "tests/device/test_nvme.h"

#include "tests/lib/block_fault.h"

FIXTURE(regs)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct vm *vm;
};

FIXTURE_SETUP(regs)
{
	test_nvme_create(&self->t, 2, TEST_DISK, ",queues=4");
	self->drv = &self->t.drv;
	self->vm = self->t.vm;
}

FIXTURE_TEARDOWN(regs)
{
	test_nvme_destroy(&self->t);
}

static u32 read32(struct nvme_driver *drv, u32 reg)
{
	return nvme_driver_read32(drv, reg);
}

#define ENABLE	(NVME_CC_EN | nvme_put(NVME_CC_IOSQES, NVME_SQE_SHIFT) | \
		 nvme_put(NVME_CC_IOCQES, NVME_CQE_SHIFT))

TEST_F(regs, reset_values)
{
	u64 cap = nvme_driver_read64(self->drv, NVME_REG_CAP);
	static const u32 zero[] = {
		NVME_REG_INTMS, NVME_REG_INTMC, NVME_REG_CC, NVME_REG_CSTS,
		NVME_REG_NSSR, NVME_REG_AQA, NVME_REG_ASQ, NVME_REG_ASQ + 4,
		NVME_REG_ACQ, NVME_REG_ACQ + 4, NVME_REG_CMBLOC,
		NVME_REG_CMBSZ, NVME_REG_BPINFO, NVME_REG_CRTO,
		NVME_REG_PMRCAP, 0xffc,
	};
	u32 i;

	EXPECT_LE(1023, nvme_get(NVME_CAP_MQES, cap));
	EXPECT_TRUE(cap & NVME_CAP_CQR);
	EXPECT_EQ(0, nvme_get(NVME_CAP_DSTRD, cap));
	EXPECT_TRUE(cap & NVME_CAP_NSSRS);
	EXPECT_TRUE(cap & NVME_CAP_CSS_NVM);
	EXPECT_EQ(0, nvme_get(NVME_CAP_MPSMIN, cap));
	EXPECT_EQ(4, nvme_get(NVME_CAP_MPSMAX, cap));
	EXPECT_LT(0, nvme_get(NVME_CAP_TO, cap));
	EXPECT_EQ(NVME_VS(1, 4, 0), read32(self->drv, NVME_REG_VS));
	for (i = 0; i < ARRAY_SIZE(zero); i++)
		EXPECT_EQ(0, read32(self->drv, zero[i]))
			TH_LOG("%x", zero[i]);
}

TEST_F(regs, halves_and_wrong_accesses)
{
	u64 bar = self->drv->bar0;
	u64 cap = nvme_driver_read64(self->drv, NVME_REG_CAP);

	EXPECT_EQ((u32)cap, read32(self->drv, NVME_REG_CAP));
	EXPECT_EQ((u32)(cap >> 32), read32(self->drv, NVME_REG_CAP + 4));
	nvme_driver_write32(self->drv, NVME_REG_ASQ, 0x12345fff);
	nvme_driver_write32(self->drv, NVME_REG_ASQ + 4, 0x9abc);
	EXPECT_EQ(0x9abc12345000ULL,
		  nvme_driver_read64(self->drv, NVME_REG_ASQ));
	nvme_driver_write64(self->drv, NVME_REG_ACQ, ~0ULL);
	EXPECT_EQ(~0xfffULL, nvme_driver_read64(self->drv, NVME_REG_ACQ));
	nvme_driver_write32(self->drv, NVME_REG_AQA, ~0U);
	EXPECT_EQ(0x0fff0fff, read32(self->drv, NVME_REG_AQA));
	/* Bytes, words, across registers, not aligned: nothing. */
	EXPECT_EQ(0, testvm_mmio_read(self->vm, bar + NVME_REG_VS, 1));
	EXPECT_EQ(0, testvm_mmio_read(self->vm, bar + NVME_REG_VS, 2));
	EXPECT_EQ(0, testvm_mmio_read(self->vm, bar + NVME_REG_VS, 8));
	EXPECT_EQ(0, testvm_mmio_read(self->vm, bar + NVME_REG_CAP + 2, 4));
	testvm_mmio_write(self->vm, bar + NVME_REG_AQA, 0, 1);
	testvm_mmio_write(self->vm, bar + NVME_REG_AQA, 0, 8);
	EXPECT_EQ(0x0fff0fff, read32(self->drv, NVME_REG_AQA));
	/* Read-only ones. */
	nvme_driver_write64(self->drv, NVME_REG_CAP, 0);
	nvme_driver_write32(self->drv, NVME_REG_VS, 0);
	EXPECT_EQ(cap, nvme_driver_read64(self->drv, NVME_REG_CAP));
	EXPECT_NE(0, read32(self->drv, NVME_REG_VS));
}

/* Windows reads them back while the controller is enabled. */
TEST_F(regs, admin_queue_registers_are_kept_while_enabled)
{
	u64 asq, acq;
	u32 aqa;

	nvme_driver_enable(self->drv, TEST_ADMIN);
	aqa = read32(self->drv, NVME_REG_AQA);
	asq = nvme_driver_read64(self->drv, NVME_REG_ASQ);
	acq = nvme_driver_read64(self->drv, NVME_REG_ACQ);
	EXPECT_EQ(0x1f001f, aqa);
	EXPECT_NE(0, asq);
	nvme_driver_write32(self->drv, NVME_REG_AQA, 0);
	nvme_driver_write64(self->drv, NVME_REG_ASQ, 0);
	nvme_driver_write64(self->drv, NVME_REG_ACQ, 0);
	EXPECT_EQ(aqa, read32(self->drv, NVME_REG_AQA));
	EXPECT_EQ(asq, nvme_driver_read64(self->drv, NVME_REG_ASQ));
	EXPECT_EQ(acq, nvme_driver_read64(self->drv, NVME_REG_ACQ));
	/* A reset by CC.EN keeps them too. */
	nvme_driver_disable(self->drv);
	EXPECT_EQ(aqa, read32(self->drv, NVME_REG_AQA));
	EXPECT_EQ(asq, nvme_driver_read64(self->drv, NVME_REG_ASQ));
}

/* Queues were made with the page size; their state must stay loadable. */
TEST_F(regs, page_size_is_kept_while_enabled)
{
	struct error err = ERROR_INIT;
	void *state;
	u32 cc;

	nvme_driver_enable(self->drv, TEST_ADMIN);
	cc = nvme_driver_read32(self->drv, NVME_REG_CC);
	ASSERT_TRUE(cc & NVME_CC_EN);
	nvme_driver_write32(self->drv, NVME_REG_CC, cc |
			    nvme_put(NVME_CC_MPS, 4) |
			    nvme_put(NVME_CC_AMS, NVME_CC_AMS_WRR) |
			    nvme_put(NVME_CC_CSS, NVME_CC_CSS_ADMIN));
	EXPECT_EQ(cc, nvme_driver_read32(self->drv, NVME_REG_CC));
	state = testvm_save(self->t.dev);
	EXPECT_EQ(0, testvm_load(self->t.dev, state, &err))
		TH_LOG("%s", err.text);
	free(state);
}

TEST_F(regs, what_cannot_be_enabled_is_fatal)
{
	struct nvme_driver *drv = self->drv;
	const u64 ram = TESTVM_RAM, end = ram + self->vm->config.memory_bytes;
	static const u32 cc[] = {
		5 << 7, 15 << 7,		/* pages */
		1 << 11, 7 << 11,		/* arbitration */
		1 << 4, 5 << 4,			/* command sets */
	};
	const struct {
		u32 aqa;
		u64 asq;
		u64 acq;
	} queues[] = {
		{ 0x00000001, ram + MIB, ram + 2 * MIB },	/* too small */
		{ 0x00010000, ram + MIB, ram + 2 * MIB },
		{ 0x0fff0fff, end - 4096, ram + 2 * MIB },	/* beyond memory */
		{ 0x00010001, ram + MIB, end },
		{ 0x00010001, drv->bar0, ram + 2 * MIB },	/* registers */
		{ 0x00010001, ram + MIB, 1ULL << 50 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cc); i++) {
		nvme_driver_set_admin_queue(drv, TEST_ADMIN);
		nvme_driver_write32(drv, NVME_REG_CC, ENABLE | cc[i]);
		EXPECT_EQ(NVME_CSTS_CFS, read32(drv, NVME_REG_CSTS))
			TH_LOG("CC %x", cc[i]);
		nvme_driver_disable(drv);
		EXPECT_TRUE(nvme_driver_wait_csts(drv, ~0U, 0));
	}
	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		nvme_driver_write32(drv, NVME_REG_AQA, queues[i].aqa);
		nvme_driver_write64(drv, NVME_REG_ASQ, queues[i].asq);
		nvme_driver_write64(drv, NVME_REG_ACQ, queues[i].acq);
		nvme_driver_write32(drv, NVME_REG_CC, ENABLE);
		EXPECT_EQ(NVME_CSTS_CFS, read32(drv, NVME_REG_CSTS))
			TH_LOG("case %u", i);
		nvme_driver_disable(drv);
		EXPECT_TRUE(nvme_driver_wait_csts(drv, ~0U, 0));
	}
	/* 64 KiB pages want queues that are aligned so. */
	nvme_driver_write32(drv, NVME_REG_AQA, 0x00010001);
	nvme_driver_write64(drv, NVME_REG_ASQ, ram + MIB + 4096);
	nvme_driver_write64(drv, NVME_REG_ACQ, ram + 2 * MIB);
	nvme_driver_write32(drv, NVME_REG_CC, ENABLE | 4 << 7);
	EXPECT_EQ(NVME_CSTS_CFS, read32(drv, NVME_REG_CSTS));
	nvme_driver_enable(drv, TEST_ADMIN);
	EXPECT_TRUE(nvme_driver_wait_csts(drv, ~0U, NVME_CSTS_RDY));
}

TEST_F(regs, every_command_set_selection)
{
	static const u32 css[] = { 0, 6, 7 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(css); i++) {
		nvme_driver_set_admin_queue(self->drv, TEST_ADMIN);
		nvme_driver_write32(self->drv, NVME_REG_CC,
				    ENABLE | css[i] << 4);
		EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_RDY,
						  NVME_CSTS_RDY));
		EXPECT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
						  self->t.buf));
		nvme_driver_disable(self->drv);
	}
}

TEST_F(regs, commands_need_an_enabled_controller)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_IDENTIFY, 0);
	struct nvme_pair *pair = &self->drv->pair[0];

	nvme_driver_set_admin_queue(self->drv, TEST_ADMIN);
	cmd.cdw10 = cpu_to_le32(NVME_CNS_CTRL);
	cmd.prp.prp1 = cpu_to_le64(self->t.buf);
	nvme_driver_queue(pair, &cmd);
	testvm_mmio_write(self->vm, pair->sq_doorbell, 1, 4);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
	/* Nor does that write count afterwards. */
	nvme_driver_write32(self->drv, NVME_REG_CC, ENABLE);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
	EXPECT_EQ(NVME_CSTS_RDY, read32(self->drv, NVME_REG_CSTS));
}

/* ---- shutdown ---------------------------------------------------------------------- */

TEST_F(regs, shutdown_flushes_every_disk)
{
	struct nvme_ctrl *ctrl = test_ctrl(&self->t);
	struct block_fault *fault[2];
	struct block_fault_plan flushes = { .kinds = 1 << BLOCK_FLUSH };
	u32 shn, i;

	for (i = 0; i < 2; i++) {
		fault[i] = block_fault_attach(ctrl->ns[i]->blk);
		block_fault_plan(fault[i], &flushes);
	}
	for (shn = 1; shn <= 2; shn++) {
		nvme_driver_enable(self->drv, TEST_ADMIN);
		nvme_driver_write32(self->drv, NVME_REG_CC,
				    ENABLE | nvme_put(NVME_CC_SHN, shn));
		EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_SHST,
						  2 << 2));
		for (i = 0; i < 2; i++)
			EXPECT_EQ(shn, block_fault_seen(fault[i]));
		nvme_driver_disable(self->drv);
		EXPECT_EQ(0, read32(self->drv, NVME_REG_CSTS));
	}
	for (i = 0; i < 2; i++)
		block_fault_detach(fault[i]);
}

/* A flush that hangs or fails: SHST tells how far it is, nothing waits. */
TEST_F(regs, shutdown_with_a_slow_disk)
{
	struct block_fault *fault =
		block_fault_attach(test_ctrl(&self->t)->ns[0]->blk);
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG,
		.kinds = 1 << BLOCK_FLUSH,
		.first = 1,
		.count = 1,
	};

	block_fault_plan(fault, &plan);
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_write32(self->drv, NVME_REG_CC,
			    ENABLE | nvme_put(NVME_CC_SHN, 1));
	EXPECT_EQ(NVME_CSTS_RDY | 1 << 2, read32(self->drv, NVME_REG_CSTS));
	while (!block_fault_hanging(fault))
		testvm_poll(self->vm);
	EXPECT_EQ(NVME_CSTS_RDY | 1 << 2, read32(self->drv, NVME_REG_CSTS));
	block_fault_release(fault);
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_SHST, 2 << 2));
	block_fault_detach(fault);
}

/* A shutdown's flush is no command of the queues that could not be made. */
TEST_F(regs, enabling_in_vain_during_a_shutdown)
{
	struct block_fault *fault =
		block_fault_attach(test_ctrl(&self->t)->ns[0]->blk);
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG,
		.kinds = 1 << BLOCK_FLUSH,
		.first = 1,
		.count = 1,
	};

	block_fault_plan(fault, &plan);
	nvme_driver_disable(self->drv);
	nvme_driver_write32(self->drv, NVME_REG_CC,
			    nvme_put(NVME_CC_SHN, 1));
	while (!block_fault_hanging(fault))
		testvm_poll(self->vm);
	nvme_driver_write64(self->drv, NVME_REG_ASQ, 0xf000000000000000ULL);
	nvme_driver_write32(self->drv, NVME_REG_CC, ENABLE);
	EXPECT_TRUE(read32(self->drv, NVME_REG_CSTS) & NVME_CSTS_CFS);
	block_fault_release(fault);
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_SHST, 2 << 2));
	nvme_driver_disable(self->drv);
	nvme_driver_enable(self->drv, TEST_ADMIN);
	block_fault_detach(fault);
}

/* ---- resets ------------------------------------------------------------------------- */

TEST_F(regs, subsystem_reset)
{
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	nvme_driver_write32(self->drv, NVME_REG_NSSR, 0x4e564d64);
	EXPECT_EQ(NVME_CSTS_RDY, read32(self->drv, NVME_REG_CSTS));
	nvme_driver_write32(self->drv, NVME_REG_NSSR, NVME_NSSR_MAGIC);
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv,
					  NVME_CSTS_NSSRO | NVME_CSTS_RDY,
					  NVME_CSTS_NSSRO));
	EXPECT_EQ(0, read32(self->drv, NVME_REG_CC));
	EXPECT_EQ(0, read32(self->drv, NVME_REG_AQA));
	EXPECT_EQ(0, nvme_driver_read64(self->drv, NVME_REG_ASQ));
	/* It says so until the host has taken note, over other resets too. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(NVME_CSTS_RDY | NVME_CSTS_NSSRO,
		  read32(self->drv, NVME_REG_CSTS));
	nvme_driver_write32(self->drv, NVME_REG_CSTS, NVME_CSTS_NSSRO);
	EXPECT_EQ(NVME_CSTS_RDY, read32(self->drv, NVME_REG_CSTS));
	nvme_driver_create_pair(self->drv, 1, 16, 1);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 1,
				    self->t.buf));
}

TEST_F(regs, function_level_reset)
{
	u32 cap = testvm_capability(self->vm, TEST_SLOT, 0x10);
	static const u32 bars[] = { 0x10, 0x14, 0x20 };
	u32 devctl, saved[3], i, b;

	for (b = 0; b < 3; b++)
		saved[b] = testvm_config_read(self->vm, TEST_SLOT, bars[b], 4);
	for (i = 0; i < 3; i++) {
		nvme_driver_enable(self->drv, TEST_ADMIN);
		nvme_driver_create_pair(self->drv, 1, 16, 1);
		devctl = testvm_config_read(self->vm, TEST_SLOT, cap + 8, 2);
		testvm_config_write(self->vm, TEST_SLOT, cap + 8,
				    devctl | 1 << 15, 2);
		/* Configuration space is as at power-on: set it up again. */
		for (b = 0; b < 3; b++)
			testvm_config_write(self->vm, TEST_SLOT, bars[b],
					    saved[b], 4);
		testvm_config_write(self->vm, TEST_SLOT, 4, 2, 2);
		testvm_msix_enable(self->vm, TEST_SLOT, TEST_VECTORS);
		nvme_driver_init(self->drv, self->vm, TEST_SLOT);
		EXPECT_EQ(0, read32(self->drv, NVME_REG_CC));
		EXPECT_EQ(0, read32(self->drv, NVME_REG_CSTS));
	}
	nvme_driver_enable(self->drv, TEST_ADMIN);
	EXPECT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  nvme_driver_alloc(self->drv, 4096)));
}

/* Without Bus Master Enable the device reaches no memory. */
TEST_F(regs, bus_master)
{
	struct nvme_driver *drv = self->drv;
	struct nvme_pair *pair = &drv->pair[1];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	struct nvme_cqe cqe;

	nvme_driver_enable(drv, TEST_ADMIN);
	nvme_driver_create_pair(drv, 1, 16, 1);
	testvm_bus_master(self->vm, TEST_SLOT, false);
	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(self->t.buf);
	nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(drv, pair);
	EXPECT_TRUE(nvme_driver_quiet(drv, pair, 20));
	/* It goes on when it may. */
	testvm_bus_master(self->vm, TEST_SLOT, true);
	ASSERT_TRUE(nvme_driver_wait(drv, pair, &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
}

/* A completion that cannot be written is the end of the controller. */
TEST_F(regs, bus_master_lost_with_a_command_in_flight)
{
	struct block_fault *fault =
		block_fault_attach(test_ctrl(&self->t)->ns[0]->blk);
	struct block_fault_plan plan = {
		.action = BLOCK_FAULT_HANG, .first = 1, .count = 1,
	};
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	struct nvme_driver *drv = self->drv;

	nvme_driver_enable(drv, TEST_ADMIN);
	nvme_driver_create_pair(drv, 1, 16, 1);
	block_fault_plan(fault, &plan);
	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(self->t.buf);
	nvme_driver_queue(&drv->pair[1], &cmd);
	nvme_driver_ring(drv, &drv->pair[1]);
	while (!block_fault_hanging(fault))
		testvm_poll(self->vm);
	testvm_bus_master(self->vm, TEST_SLOT, false);
	block_fault_release(fault);
	EXPECT_TRUE(nvme_driver_wait_csts(drv, NVME_CSTS_CFS, NVME_CSTS_CFS));
	testvm_bus_master(self->vm, TEST_SLOT, true);
	block_fault_detach(fault);
	nvme_driver_enable(drv, TEST_ADMIN);
	EXPECT_EQ(NVME_CSTS_RDY, read32(drv, NVME_REG_CSTS));
}

TEST_HARNESS_MAIN
