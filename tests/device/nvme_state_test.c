// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe: pausing, saving and loading, in the states that are hard
 *
 * A saved state is loaded into a second machine with the same disk image and a
 * copy of the memory, and the driver goes on there as if nothing had been.
 */
#include "tests/device/test_nvme_state.h"

/* ---- pausing -------------------------------------------------------------------- */

TEST_F(state, a_pause_lets_commands_end_and_fetches_no_more)
{
	struct nvme_cqe cqe;
	u32 i;

	for (i = 0; i < 10; i++)
		submit_read(self->drv, 1, i, self->t.buf);
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	EXPECT_EQ(0, test_ctrl(&self->t)->loops[0].inflight);
	submit_read(self->drv, 1, 0, self->t.buf);
	for (i = 0; nvme_driver_reap(&self->drv->pair[1], &cqe); i++)
		EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_GE(10, i);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, &self->drv->pair[1], 20));
	nvme_driver_ack(self->drv, &self->drv->pair[1]);
	/* Every doorbell is looked at again. */
	resume(self->t.dev);
	for (; i < 11; i++) {
		ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1],
					     &cqe));
		EXPECT_EQ(0, nvme_driver_status(&cqe));
	}
}

TEST_F(state, a_pause_does_not_wait_for_ever)
{
	struct nvme_cqe cqe;

	hang(self->fault, 1, 1);
	submit_read(self->drv, 1, 0, self->t.buf);
	while (!block_fault_hanging(self->fault))
		testvm_poll(self->t.vm);
	/* It is cancelled, kept, and issued again: nobody sees a thing. */
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	EXPECT_EQ(0, block_fault_hanging(self->fault));
	EXPECT_FALSE(nvme_driver_reap(&self->drv->pair[1], &cqe));
	resume(self->t.dev);
	ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1], &cqe));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, &self->drv->pair[1], 20));
}

/* The greatest number that a state holds is let aside, one more is refused. */
TEST_F(state, a_pause_with_more_commands_than_a_state_holds)
{
	struct nvme_state *state;
	struct nvme_cqe cqe;
	u32 round, i;

	nvme_driver_create_pair(self->drv, 2, NVME_STATE_REPLAYS, 2);
	nvme_driver_create_pair(self->drv, 3, ENTRIES, 3);
	for (round = 0; round < 2; round++) {
		u32 more = 2 - round;

		hang(self->fault, 1, NVME_STATE_REPLAYS - 1 + more);
		for (i = 1; i < NVME_STATE_REPLAYS; i++)
			submit_read(self->drv, 2, i % 100, self->t.buf);
		for (i = 0; i < more; i++)
			submit_read(self->drv, 3, i, self->t.buf);
		while (block_fault_hanging(self->fault) <
		       NVME_STATE_REPLAYS - 1 + more)
			testvm_poll(self->t.vm);
		if (round) {
			ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
			state = testvm_save(self->t.dev);
			EXPECT_EQ(NVME_STATE_REPLAYS, state->replays_nr);
			free(state);
			resume(self->t.dev);
		} else {
			ASSERT_EQ(-E2BIG, quiesce(self->t.dev, &self->err));
			EXPECT_NE(NULL, strstr(self->err.text,
					       "did not end 1025 commands"));
		}
		/* Either way it runs on, and nothing is lost. */
		for (i = 1; i < NVME_STATE_REPLAYS; i++) {
			ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[2],
						     &cqe));
			EXPECT_EQ(0, nvme_driver_status(&cqe));
		}
		for (i = 0; i < more; i++) {
			ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[3],
						     &cqe));
			EXPECT_EQ(0, nvme_driver_status(&cqe));
		}
	}
}

TEST_F(state, many_pauses_lose_nothing)
{
	struct test_random rnd;
	struct nvme_cqe cqe;
	u32 i, sent = 0, got = 0;

	test_random_init(&rnd);
	for (i = 0; i < 200; i++) {
		u32 nr = (u32)test_random_below(&rnd, ENTRIES - 1 -
						(sent - got));

		for (; nr; nr--, sent++)
			submit_read(self->drv, 1, sent % 100, self->t.buf);
		ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
		resume(self->t.dev);
		while (nvme_driver_reap(&self->drv->pair[1], &cqe)) {
			ASSERT_EQ(0, nvme_driver_status(&cqe));
			nvme_driver_ack(self->drv, &self->drv->pair[1]);
			got++;
		}
	}
	for (; got < sent; got++)
		ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1],
					     &cqe));
	EXPECT_TRUE(nvme_driver_quiet(self->drv, &self->drv->pair[1], 20));
}

/* ---- moving ---------------------------------------------------------------------- */

TEST_F(state, an_idle_controller_moves)
{
	struct nvme_state *state;
	struct device *dev;
	u8 *p;

	memset(self->t.ptr, 0x42, 512);
	ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_WRITE, 1, 7, 1,
				    self->t.buf));
	ASSERT_EQ(0, nvme_driver_set_feature(self->drv, NVME_FID_COALESCING,
					     0x0102));
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	state = testvm_save(self->t.dev);
	dev = move(self, state);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	resume(dev);
	p = nvme_driver_ptr(self->drv, self->t.buf);
	memset(p, 0, 512);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 7, 1,
				    self->t.buf));
	EXPECT_TRUE(test_all(p, 0x42, 512));
	EXPECT_EQ(0, nvme_driver_get_feature(self->drv, NVME_FID_COALESCING,
					     0, 0));
	EXPECT_EQ(0x0102, le32_to_cpu(self->drv->cqe.dw0));
	EXPECT_EQ(0x0102, ctrl_of(dev)->feat.coalescing);
	free(state);
}

/* Saved, loaded, saved: the same, but for what is time. */
TEST_F(state, a_saved_state_is_what_was_loaded)
{
	struct nvme_state *a, *b;
	struct device *dev;

	submit_read(self->drv, 1, 0, self->t.buf);
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	a = testvm_save(self->t.dev);
	dev = move(self, a);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	b = testvm_save(dev);
	b->timestamp_ms = a->timestamp_ms;
	b->smart.power_on_ns = a->smart.power_on_ns;
	EXPECT_EQ(0, memcmp(a, b, sizeof(*a)));
	free(a);
	free(b);
}

TEST_F(state, a_command_that_hangs_moves)
{
	struct nvme_state *state;
	struct nvme_cqe cqe;
	struct device *dev;
	u16 cid;
	u8 *p;

	memset(self->t.ptr, 0x43, 512);
	ASSERT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_WRITE, 1, 9, 1,
				    self->t.buf));
	memset(self->t.ptr, 0, 512);
	hang(self->fault, 1, 1);
	cid = submit_read(self->drv, 1, 9, self->t.buf);
	while (!block_fault_hanging(self->fault))
		testvm_poll(self->t.vm);
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	state = testvm_save(self->t.dev);
	ASSERT_EQ(1, state->replays_nr);
	dev = move(self, state);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	resume(dev);
	ASSERT_TRUE(nvme_driver_wait(self->drv, &self->drv->pair[1], &cqe));
	EXPECT_EQ(cid, le16_to_cpu(cqe.cid));
	EXPECT_EQ(0, nvme_driver_status(&cqe));
	p = nvme_driver_ptr(self->drv, self->t.buf);
	EXPECT_TRUE(test_all(p, 0x43, 512));
	free(state);
}

TEST_F(state, event_requests_and_events_move)
{
	struct nvme_sqe aer = nvme_driver_cmd(NVME_ADM_AER, 0);
	struct nvme_pair *admin = &self->drv->pair[0];
	struct nvme_state *state;
	struct nvme_cqe cqe;
	struct device *dev;
	u16 cid[3];
	u32 i;

	for (i = 0; i < 3; i++)
		cid[i] = nvme_driver_queue(admin, &aer);
	nvme_driver_ring(self->drv, admin);
	EXPECT_TRUE(nvme_driver_quiet(self->drv, admin, 20));
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	state = testvm_save(self->t.dev);
	ASSERT_EQ(3, state->aers_nr);
	dev = move(self, state);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	resume(dev);
	/* The oldest is answered first. */
	nvme_driver_write32(self->drv, NVME_DOORBELL_SQ(3, 4), 1);
	ASSERT_TRUE(nvme_driver_wait(self->drv, admin, &cqe));
	EXPECT_EQ(cid[0], le16_to_cpu(cqe.cid));
	EXPECT_EQ(0x010000, le32_to_cpu(cqe.dw0));
	EXPECT_EQ(2, ctrl_of(dev)->aer.parked_nr);
	free(state);
}

TEST_F(state, uncorrectable_blocks_and_attachment_move)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_WRITE_UNCORR, 1);
	struct nvme_state *state;
	struct device *dev;

	nvme_driver_set_rw(&cmd, 20, 3);
	ASSERT_EQ(0, nvme_driver_exec(self->drv, 1, &cmd));
	atomic_store(&test_ctrl(&self->t)->ns[1]->attached, false);
	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	state = testvm_save(self->t.dev);
	dev = move(self, state);
	ASSERT_NE(NULL, dev) TH_LOG("%s", self->err.text);
	resume(dev);
	EXPECT_EQ(SC(READ_ERROR),
		  nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 22, 1,
				 self->t.buf));
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 23, 1,
				    self->t.buf));
	EXPECT_EQ(SC(INVALID_FIELD),
		  nvme_driver_rw(self->drv, 1, NVME_IO_READ, 2, 0, 1,
				 self->t.buf));
	free(state);
}

/* ---- hostile states ---------------------------------------------------------------- */

/**
 * struct change - one field and a value that it cannot have
 * @offset: of the field in struct nvme_state
 * @size: bytes of the field
 * @value: the value
 * @in_ram: it is an address, told from where RAM begins
 */
struct change {
	size_t offset;
	size_t size;
	u64 value;
	bool in_ram;
};

#define CHANGE_FROM(_member, _value, _in_ram)				\
	{								\
		.offset = offsetof(struct nvme_state, _member),		\
		.size = sizeof(((struct nvme_state *)0)->_member),	\
		.value = _value,					\
		.in_ram = _in_ram,					\
	}
#define CHANGE(_member, _value)		CHANGE_FROM(_member, _value, false)
#define CHANGE_ADDR(_member, _value)	CHANGE_FROM(_member, _value, true)

static const struct change changes[] = {
	CHANGE(cc, 0),
	CHANGE(csts, 0),
	CHANGE(csts, NVME_CSTS_RDY | 1 << 2),
	CHANGE(asq, 1),
	CHANGE(io_sqs, 5),
	CHANGE(cqs_nr, 1),
	CHANGE(sqs_nr, 0),
	CHANGE(cqs[1].qid, 0),
	CHANGE(cqs[1].qid, 5),
	CHANGE(cqs[1].head, ENTRIES),
	CHANGE(cqs[1].tail, ENTRIES),
	CHANGE(cqs[1].vector, 5),
	CHANGE_ADDR(cqs[1].base, 64 * MIB),
	CHANGE_ADDR(cqs[1].base, MIB + 8),
	CHANGE(sqs[1].cqid, 0),
	CHANGE(sqs[1].cqid, 4),
	CHANGE(sqs[1].tail, ENTRIES),
	CHANGE(sqs[1].base, ~0xfffULL),
	CHANGE(sqs[1].qid, 0),
	CHANGE(aers_nr, 1),
	CHANGE(namespaces_nr, 1),
	CHANGE(namespaces[0].lbas, TEST_LBAS + 1),
	CHANGE(changed_ns, 4),
};

/* Each change makes the state one that cannot be. */
TEST_F(state, states_that_do_not_fit_are_refused)
{
	struct nvme_state *good, *bad = malloc(sizeof(*bad));
	u32 n;

	ASSERT_EQ(0, quiesce(self->t.dev, &self->err));
	good = testvm_save(self->t.dev);
	for (n = 0; n < ARRAY_SIZE(changes); n++) {
		u64 value = changes[n].value;
		struct error err = ERROR_INIT;

		if (changes[n].in_ram)
			value += TESTVM_RAM;
		*bad = *good;
		memcpy((u8 *)bad + changes[n].offset, &value, changes[n].size);
		EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &err))
			TH_LOG("change %u", n);
		EXPECT_NE(0, err.text[0]);
	}
	/* A queue that is not there, and what cannot be done twice. */
	*bad = *good;
	bad->replays_nr = 1;
	bad->replays[0].sqid = 3;
	EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &self->err));
	bad->replays[0].sqid = 1;
	bad->replays[0].sqe[0] = NVME_IO_COPY;
	EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &self->err));
	/* Shadow doorbells beyond memory. */
	*bad = *good;
	bad->dbbuf_enabled = 1;
	bad->dbbuf_shadow = TESTVM_RAM + self->t.vm->config.memory_bytes;
	EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &self->err));
	/* Blocks beyond the disk. */
	*bad = *good;
	bad->namespaces[0].unc_nr = 1;
	bad->namespaces[0].unc[0].slba = TEST_LBAS;
	bad->namespaces[0].unc[0].nlb = 1;
	EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &self->err));
	/* More commands to be issued again than there are free slots. */
	*bad = *good;
	bad->replays_nr = ENTRIES;
	for (n = 0; n < ENTRIES; n++)
		bad->replays[n].sqid = 1;
	EXPECT_EQ(-EINVAL, testvm_load(self->t.dev, bad, &self->err));
	/* All of that has changed nothing. */
	resume(self->t.dev);
	EXPECT_EQ(0, nvme_driver_rw(self->drv, 1, NVME_IO_READ, 1, 0, 1,
				    self->t.buf));
	free(good);
	free(bad);
}

TEST_HARNESS_MAIN
