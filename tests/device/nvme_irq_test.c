// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe interrupts: MSI-X, their coalescing, the pin and its mask
 */
#include "tests/device/test_nvme.h"

FIXTURE(irq)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct vm *vm;
	u64 buf;
};

FIXTURE_SETUP(irq)
{
	test_nvme_create(&self->t, 1, TEST_DISK, ",queues=4");
	self->drv = &self->t.drv;
	self->vm = self->t.vm;
	self->buf = self->t.buf;
	nvme_driver_enable(self->drv, TEST_ADMIN);
}

FIXTURE_TEARDOWN(irq)
{
	test_nvme_destroy(&self->t);
}

/* @nr reads are submitted with one doorbell write and waited for. */
static void reads(struct nvme_driver *drv, u16 qid, u64 buf, u32 nr)
{
	struct nvme_pair *pair = &drv->pair[qid];
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	struct nvme_cqe cqe;
	u32 i;

	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(buf);
	for (i = 0; i < nr; i++)
		nvme_driver_queue(pair, &cmd);
	nvme_driver_ring(drv, pair);
	for (i = 0; i < nr; i++)
		if (!nvme_driver_wait(drv, pair, &cqe) ||
		    nvme_driver_status(&cqe))
			abort();
}

/* Interrupts follow the completions at the end of a round. */
static u64 take(struct vm *vm, u32 vector, u64 at_least)
{
	u64 end = nvme_now_ns() + 20000000000ULL, nr = 0;

	do {
		nr += testvm_msix_take(vm, TEST_SLOT, vector);
		testvm_poll(vm);
	} while (nr < at_least && nvme_now_ns() < end);
	return nr;
}

static void pause_ms(struct vm *vm, u32 ms)
{
	u64 end = nvme_now_ns() + ms * 1000000ULL;

	while (nvme_now_ns() < end)
		testvm_poll(vm);
}

/* ---- MSI-X ----------------------------------------------------------------------- */

TEST_F(irq, each_queue_has_its_vector)
{
	u32 vector;

	nvme_driver_create_pair(self->drv, 1, 64, 3);
	nvme_driver_create_pair(self->drv, 2, 64, 1);
	for (vector = 0; vector < 4; vector++)
		take(self->vm, vector, 0);
	reads(self->drv, 1, self->buf, 1);
	EXPECT_EQ(1, take(self->vm, 3, 1));
	EXPECT_EQ(0, take(self->vm, 1, 0));
	reads(self->drv, 2, self->buf, 1);
	EXPECT_EQ(1, take(self->vm, 1, 1));
	EXPECT_EQ(0, take(self->vm, 0, 0));
	EXPECT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
					  self->buf));
	EXPECT_EQ(1, take(self->vm, 0, 1));
}

TEST_F(irq, a_queue_without_interrupts_sends_none)
{
	ASSERT_EQ(0, nvme_driver_create_cq(self->drv, 1, 64,
					   NVME_CREATE_CDW11_PC | 1 << 16));
	ASSERT_EQ(0, nvme_driver_create_sq(self->drv, 1, 64,
					   NVME_CREATE_CDW11_PC | 1 << 16));
	reads(self->drv, 1, self->buf, 10);
	pause_ms(self->vm, 20);
	EXPECT_EQ(0, take(self->vm, 1, 0));
}

TEST_F(irq, many_completions_make_few_interrupts)
{
	u64 nr;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	reads(self->drv, 1, self->buf, 60);
	nr = take(self->vm, 1, 1);
	EXPECT_LE(1, nr);
	EXPECT_GT(60, nr);
}

/* INTMS is for the pin only. */
TEST_F(irq, the_pins_mask_does_not_mask_messages)
{
	nvme_driver_create_pair(self->drv, 1, 64, 1);
	nvme_driver_write32(self->drv, NVME_REG_INTMS, ~0U);
	reads(self->drv, 1, self->buf, 1);
	EXPECT_EQ(1, take(self->vm, 1, 1));
}

/* ---- coalescing -------------------------------------------------------------------- */

/* @thr: entries, as a count; @time: of 100 us */
static u16 coalesce(struct nvme_driver *drv, u32 thr, u32 time)
{
	return nvme_driver_set_feature(drv, NVME_FID_COALESCING,
				       (thr - 1) | time << 8);
}

/* The longest time that there is; what takes longer is tried again. */
#define LONGEST		255
#define IN_TIME_NS	20000000ULL
#define TRIES		200

TEST_F(irq, coalescing_by_number)
{
	u64 start = 0, early = 0, tenth = 0;
	u32 i, n;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	ASSERT_EQ(0, coalesce(self->drv, 10, LONGEST));
	for (n = 0; n < TRIES; n++) {
		pause_ms(self->vm, 40);
		take(self->vm, 1, 0);
		start = nvme_now_ns();
		for (i = 0; i < 9; i++)
			reads(self->drv, 1, self->buf, 1);
		early = take(self->vm, 1, 0);
		reads(self->drv, 1, self->buf, 1);
		tenth = take(self->vm, 1, 1);
		if (nvme_now_ns() - start < IN_TIME_NS)
			break;
	}
	ASSERT_GT(TRIES, n);
	EXPECT_EQ(0, early);
	EXPECT_EQ(1, tenth);
	pause_ms(self->vm, 40);
	EXPECT_EQ(0, take(self->vm, 1, 0));
}

TEST_F(irq, coalescing_by_time)
{
	u64 start;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	ASSERT_EQ(0, coalesce(self->drv, 256, 200));	/* 20 ms */
	take(self->vm, 1, 0);
	start = nvme_now_ns();
	reads(self->drv, 1, self->buf, 3);
	EXPECT_EQ(1, take(self->vm, 1, 1));
	EXPECT_LT(15000000, nvme_now_ns() - start);
	/* And again: the timer is started anew. */
	start = nvme_now_ns();
	reads(self->drv, 1, self->buf, 1);
	EXPECT_EQ(1, take(self->vm, 1, 1));
	EXPECT_LT(15000000, nvme_now_ns() - start);
}

TEST_F(irq, some_vectors_are_not_coalesced)
{
	u64 start, coalesced = 0, disabled = 0, admin = 0;
	u32 n;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	nvme_driver_create_pair(self->drv, 2, 64, 2);
	ASSERT_EQ(0, coalesce(self->drv, 256, LONGEST));
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_VECTOR,
					     NVME_FEAT_IV_CD | 2));
	for (n = 0; n < TRIES; n++) {
		pause_ms(self->vm, 40);
		take(self->vm, 0, 0);
		take(self->vm, 1, 0);
		start = nvme_now_ns();
		reads(self->drv, 1, self->buf, 1);
		reads(self->drv, 2, self->buf, 1);
		disabled = take(self->vm, 2, 1);
		/* The admin queue is not coalesced. */
		EXPECT_EQ(0, nvme_driver_identify(self->drv, NVME_CNS_CTRL, 0,
						  self->buf));
		admin = take(self->vm, 0, 1);
		coalesced = take(self->vm, 1, 0);
		if (nvme_now_ns() - start < IN_TIME_NS)
			break;
	}
	ASSERT_GT(TRIES, n);
	EXPECT_EQ(1, disabled);
	EXPECT_EQ(1, admin);
	EXPECT_EQ(0, coalesced);
}

/* A pause does not leave an interrupt behind. */
TEST_F(irq, a_pause_sends_what_is_coalesced)
{
	struct error err = ERROR_INIT;

	nvme_driver_create_pair(self->drv, 1, 64, 1);
	ASSERT_EQ(0, coalesce(self->drv, 256, LONGEST));
	take(self->vm, 1, 0);
	reads(self->drv, 1, self->buf, 1);
	ASSERT_EQ(0, self->t.dev->class->ops->quiesce(self->t.dev, &err));
	EXPECT_EQ(1, testvm_msix_take(self->vm, TEST_SLOT, 1));
	self->t.dev->class->ops->resume(self->t.dev);
	reads(self->drv, 1, self->buf, 1);
	EXPECT_EQ(1, take(self->vm, 1, 1));
}

/* ---- the pin ------------------------------------------------------------------------ */

#define PCI_COMMAND	4
#define INTX_DISABLE	BIT(10)

FIXTURE(pin)
{
	struct test_nvme t;
	struct nvme_driver *drv;
	struct vm *vm;
	u32 gsi;
	u64 buf;
};

FIXTURE_SETUP(pin)
{
	u32 cap;

	test_nvme_create(&self->t, 1, TEST_DISK, ",queues=4,iothreads=2");
	self->drv = &self->t.drv;
	self->vm = self->t.vm;
	self->buf = self->t.buf;
	self->gsi = testvm_intx_gsi(TEST_SLOT);
	/* MSI-X off again. */
	cap = testvm_capability(self->vm, TEST_SLOT, 0x11);
	testvm_config_write(self->vm, TEST_SLOT, cap + 2, 0, 2);
	nvme_driver_enable(self->drv, TEST_ADMIN);
}

FIXTURE_TEARDOWN(pin)
{
	test_nvme_destroy(&self->t);
}

static bool level_is(struct vm *vm, u32 gsi, bool level)
{
	u64 end = nvme_now_ns() + 20000000000ULL;

	while (irq_gsi_level(&vm->irq, gsi) != level && nvme_now_ns() < end)
		testvm_poll(vm);
	return irq_gsi_level(&vm->irq, gsi) == level;
}

static void submit_read(struct nvme_driver *drv, u16 qid, u64 buf)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);

	nvme_driver_set_rw(&cmd, 0, 1);
	cmd.prp.prp1 = cpu_to_le64(buf);
	nvme_driver_queue(&drv->pair[qid], &cmd);
	nvme_driver_ring(drv, &drv->pair[qid]);
}

static void consume(struct nvme_driver *drv, u16 qid)
{
	struct nvme_cqe cqe;

	if (!nvme_driver_reap(&drv->pair[qid], &cqe))
		abort();
	nvme_driver_ack(drv, &drv->pair[qid]);
}

TEST_F(pin, is_high_while_a_completion_waits)
{
	nvme_driver_create_pair(self->drv, 1, 16, 0);
	ASSERT_TRUE(level_is(self->vm, self->gsi, false));
	submit_read(self->drv, 1, self->buf);
	ASSERT_TRUE(level_is(self->vm, self->gsi, true));
	/* The write that consumes it lowers the pin before it returns. */
	consume(self->drv, 1);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
}

TEST_F(pin, belongs_to_all_queues_together)
{
	nvme_driver_create_pair(self->drv, 1, 16, 0);
	nvme_driver_create_pair(self->drv, 2, 16, 0);
	submit_read(self->drv, 1, self->buf);
	submit_read(self->drv, 2, self->buf);
	pause_ms(self->vm, 20);
	ASSERT_TRUE(level_is(self->vm, self->gsi, true));
	consume(self->drv, 1);
	EXPECT_TRUE(irq_gsi_level(&self->vm->irq, self->gsi));
	consume(self->drv, 2);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
}

TEST_F(pin, can_be_masked)
{
	nvme_driver_create_pair(self->drv, 1, 16, 0);
	submit_read(self->drv, 1, self->buf);
	ASSERT_TRUE(level_is(self->vm, self->gsi, true));
	nvme_driver_write32(self->drv, NVME_REG_INTMS, 2);
	EXPECT_TRUE(irq_gsi_level(&self->vm->irq, self->gsi));
	nvme_driver_write32(self->drv, NVME_REG_INTMS, 1);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
	EXPECT_EQ(3, nvme_driver_read32(self->drv, NVME_REG_INTMS));
	EXPECT_EQ(3, nvme_driver_read32(self->drv, NVME_REG_INTMC));
	nvme_driver_write32(self->drv, NVME_REG_INTMC, 1);
	EXPECT_TRUE(irq_gsi_level(&self->vm->irq, self->gsi));
	consume(self->drv, 1);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
}

TEST_F(pin, can_be_cut_off_by_the_command_register)
{
	u32 command = testvm_config_read(self->vm, TEST_SLOT, PCI_COMMAND, 2);

	nvme_driver_create_pair(self->drv, 1, 16, 0);
	submit_read(self->drv, 1, self->buf);
	ASSERT_TRUE(level_is(self->vm, self->gsi, true));
	testvm_config_write(self->vm, TEST_SLOT, PCI_COMMAND,
			    command | INTX_DISABLE, 2);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
	testvm_config_write(self->vm, TEST_SLOT, PCI_COMMAND, command, 2);
	EXPECT_TRUE(irq_gsi_level(&self->vm->irq, self->gsi));
}

TEST_F(pin, goes_low_in_a_reset)
{
	nvme_driver_create_pair(self->drv, 1, 16, 0);
	submit_read(self->drv, 1, self->buf);
	ASSERT_TRUE(level_is(self->vm, self->gsi, true));
	nvme_driver_disable(self->drv);
	EXPECT_FALSE(irq_gsi_level(&self->vm->irq, self->gsi));
}

/* A driver that waits for the pin and never looks before: none is lost. */
TEST_F(pin, every_completion_is_announced)
{
	u32 i;

	nvme_driver_create_pair(self->drv, 1, 16, 0);
	nvme_driver_create_pair(self->drv, 2, 16, 0);
	for (i = 0; i < 150; i++) {
		struct nvme_cqe cqe;
		u32 got = 0, q;

		submit_read(self->drv, 1, self->buf);
		submit_read(self->drv, 2, self->buf);
		while (got < 2) {
			ASSERT_TRUE(level_is(self->vm, self->gsi, true));
			for (q = 1; q <= 2; q++) {
				struct nvme_pair *pair = &self->drv->pair[q];

				if (!nvme_driver_reap(pair, &cqe))
					continue;
				nvme_driver_ack(self->drv, pair);
				got++;
			}
		}
		ASSERT_TRUE(level_is(self->vm, self->gsi, false));
	}
}

TEST_HARNESS_MAIN
