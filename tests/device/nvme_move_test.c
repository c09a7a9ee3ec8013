// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe: what is under way when a controller is saved
 *
 * Completions that wait for room, interrupts that are masked, doorbells in
 * memory, resets and shutdowns that have begun: the driver goes on in the second
 * machine as if nothing had been.
 */
#include "tests/device/test_nvme_state.h"

#define SHN_NORMAL	1u
#define EVENT_BAD_DB	0x010000	/* error status: invalid doorbell register */

/* Saves, and goes on in the second machine. */
static struct device *move_now(struct _test_data_state *self,
			       struct nvme_state **state)
{
	struct device *dev = NULL;

	*state = NULL;
	if (!quiesce(self->t.dev, &self->err)) {
		*state = testvm_save(self->t.dev);
		dev = move(self, *state);
	}
	if (dev)
		resume(dev);
	else
		printf("# %s\n", self->err.text);
	return dev;
}

TEST_F(state, requests_behind_a_full_completion_queue_move)
{
	struct nvme_pair *pair = &self->drv->pair[1];
	struct nvme_state *state;
	struct nvme_cqe cqe;
	u16 cid[10];
	u32 i;

	for (i = 0; i < ENTRIES - 1; i++)
		submit_read(self->drv, 1, i, self->t.buf);
	for (i = 0; i < ENTRIES - 1; i++)
		while (!nvme_driver_reap(pair, &cqe))
			testvm_poll(self->t.vm);
	/* Their entries are not given back, so there is no room for these. */
	for (i = 0; i < ARRAY_SIZE(cid); i++)
		cid[i] = submit_read(self->drv, 1, i, self->t.buf);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
	ASSERT_NE(NULL, move_now(self, &state));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
	nvme_driver_ack(self->drv, pair);
	for (i = 0; i < ARRAY_SIZE(cid); i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, pair, &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
		EXPECT_EQ(1, !!memchr(cid, le16_to_cpu(cqe.cid) & 0xff,
				      sizeof(cid)));
	}
	EXPECT_TRUE(nvme_driver_quiet(self->drv, pair, 20));
	free(state);
}

#define CONTROL(vector)	((vector) * 16 + 12)

static bool is_pending(struct vm *vm, u32 vector)
{
	return testvm_mmio_read(vm, testvm_msix_pba(vm, TEST_SLOT), 8) >>
	       vector & 1;
}

/* It is sent after the entry was posted, so it may come a little later. */
static bool interrupt_comes(struct vm *vm, u32 vector)
{
	u32 ms;

	for (ms = 0; ms < 5000; ms++) {
		if (testvm_msix_take(vm, TEST_SLOT, vector))
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F(state, masked_interrupts_that_wait_move)
{
	u64 table = testvm_msix_table(self->t.vm, TEST_SLOT);
	struct nvme_state *state;
	struct nvme_cqe cqe;

	testvm_msix_take(self->t.vm, TEST_SLOT, 1);
	testvm_mmio_write(self->t.vm, table + CONTROL(1), 1, 4);
	submit_read(self->drv, 1, 0, self->t.buf);
	while (!is_pending(self->t.vm, 1))
		testvm_poll(self->t.vm);
	ASSERT_NE(NULL, move_now(self, &state));
	EXPECT_TRUE(is_pending(self->second, 1));
	EXPECT_FALSE(is_pending(self->second, 2));
	EXPECT_EQ(0, testvm_msix_take(self->second, TEST_SLOT, 1));
	EXPECT_EQ(table, testvm_msix_table(self->second, TEST_SLOT));
	testvm_mmio_write(self->second, table + CONTROL(1), 0, 4);
	EXPECT_EQ(1, testvm_msix_take(self->second, TEST_SLOT, 1));
	EXPECT_FALSE(is_pending(self->second, 1));
	EXPECT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1], &cqe));
	/* The next one comes by itself. */
	submit_read(self->drv, 1, 0, self->t.buf);
	EXPECT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1], &cqe));
	EXPECT_TRUE(interrupt_comes(self->second, 1));
	free(state);
}

/*
 * With shadow doorbells nothing tells the controller of a command that comes
 * while it is paused, but the value in memory.
 */
TEST_F(state, shadow_doorbells_move)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_DBBUF_CONFIG, 0);
	struct nvme_pair *pair = &self->drv->pair[1];
	u64 shadow = nvme_driver_alloc(self->drv, 4096);
	u64 event = nvme_driver_alloc(self->drv, 4096);
	struct nvme_state *state;
	struct nvme_cqe cqe;
	struct device *dev;
	__le32 *tail;
	u32 i;

	cmd.prp.prp1 = cpu_to_le64(shadow);
	cmd.prp.prp2 = cpu_to_le64(event);
	ASSERT_EQ(0, nvme_driver_admin(self->drv, &cmd));
	tail = nvme_driver_ptr(self->drv, shadow);
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	nvme_driver_set_rw(&cmd, 3, 1);
	cmd.prp.prp1 = cpu_to_le64(self->t.buf);
	for (i = 0; i < 4; i++)
		nvme_driver_queue(pair, &cmd);
	tail[2] = cpu_to_le32(pair->tail);
	state = testvm_save(self->t.dev);
	EXPECT_EQ(1, state->dbbuf_enabled);
	dev = move(self, state);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	resume(dev);
	tail = nvme_driver_ptr(self->drv, shadow);
	for (i = 0; i < 4; i++) {
		while (!nvme_driver_reap(pair, &cqe))
			testvm_poll(self->second);
		EXPECT_EQ(0, nvme_driver_status(&cqe));
	}
	tail[3] = cpu_to_le32(pair->head);
	free(state);
}

static u16 rw(struct _test_data_state *self, u16 qid, u8 opcode, u32 nsid,
	      u64 lba)
{
	return nvme_driver_rw(self->drv, qid, opcode, nsid, lba, 1,
			      self->t.buf);
}

/* Each queue has gone round another number of times. */
TEST_F(state, queues_of_all_sizes_and_phases_move)
{
	static const u32 entries[] = { 2, 5, 100 };
	struct nvme_state *state;
	u32 q, i, lba = 0;
	u8 *p;

	for (q = 0; q < ARRAY_SIZE(entries); q++)
		nvme_driver_create_pair(self->drv, (u16)(q + 2), entries[q],
					q + 2);
	for (q = 1; q <= 4; q++)
		for (i = 0; i < 7 * q + 3; i++, lba++) {
			memset(self->t.ptr, (u8)lba, 512);
			ASSERT_EQ(0, rw(self, (u16)q, NVME_IO_WRITE,
					1 + lba % 2, lba));
		}
	ASSERT_NE(NULL, move_now(self, &state));
	EXPECT_EQ(5, state->cqs_nr);
	p = nvme_driver_ptr(self->drv, self->t.buf);
	for (i = 0; i < lba; i++) {
		memset(p, 0, 512);
		ASSERT_EQ(0, rw(self, (u16)(1 + i % 4), NVME_IO_READ,
				1 + i % 2, i));
		EXPECT_TRUE(test_all(p, (u8)i, 512)) TH_LOG("block %u", i);
	}
	free(state);
}

TEST_F(state, events_that_nobody_has_asked_for_move)
{
	struct nvme_sqe aer = nvme_driver_cmd(NVME_ADM_AER, 0);
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_state *state;
	struct nvme_cqe cqe;
	u16 cid;

	nvme_driver_write32(self->drv, NVME_DOORBELL_SQ(3, 4), 1);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, admin, 20));
	ASSERT_NE(NULL, move_now(self, &state));
	cid = nvme_driver_queue(admin, &aer);
	nvme_driver_ring(self->drv, admin);
	ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(EVENT_BAD_DB, le32_to_cpu(cqe.dw0));
	free(state);
}

TEST_F(state, a_reset_that_has_begun_moves)
{
	struct nvme_state *state;

	hang(self->fault, 1, 1);
	submit_read(self->drv, 1, 0, self->t.buf);
	while (!block_fault_hanging(self->fault))
		testvm_poll(self->t.vm);
	nvme_driver_write32(self->drv, NVME_REG_CC, 0);
	ASSERT_NE(NULL, move_now(self, &state));
	EXPECT_EQ(0, nvme_driver_read32(self->drv, NVME_REG_CC) & NVME_CC_EN);
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_RDY, 0));
	/* And is as good as new. */
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
	EXPECT_EQ(0, rw(self, 1, NVME_IO_READ, 2, 0));
	free(state);
}

TEST_F(state, a_shutdown_that_has_begun_moves)
{
	u32 cc = nvme_driver_read32(self->drv, NVME_REG_CC);
	struct nvme_state *state;

	ASSERT_EQ(0, rw(self, 1, NVME_IO_WRITE, 1, 0));
	nvme_driver_write32(self->drv, NVME_REG_CC,
			    cc | nvme_put(NVME_CC_SHN, SHN_NORMAL));
	ASSERT_NE(NULL, move_now(self, &state));
	EXPECT_TRUE(nvme_driver_wait_csts(self->drv, NVME_CSTS_SHST,
					  nvme_put(NVME_CSTS_SHST,
						   NVME_CSTS_SHST_DONE)));
	EXPECT_EQ(SHN_NORMAL, nvme_get(NVME_CC_SHN,
				       nvme_driver_read32(self->drv,
							  NVME_REG_CC)));
	nvme_driver_disable(self->drv);
	nvme_driver_enable(self->drv, TEST_ADMIN);
	nvme_driver_create_pair(self->drv, 1, ENTRIES, 1);
	EXPECT_EQ(0, rw(self, 1, NVME_IO_READ, 1, 0));
	free(state);
}

TEST_HARNESS_MAIN
