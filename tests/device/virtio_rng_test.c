// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the entropy device
 */
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/virtio.h"

#define SLOT	3
#define RAM	(16 * MIB)

FIXTURE(rng)
{
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	u64 buf;
};

FIXTURE_VARIANT(rng)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(rng, split)
{
	.features = VIRTIO_F_VERSION_1,
};

FIXTURE_VARIANT_ADD(rng, split_event)
{
	.features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
		    VIRTIO_F_INDIRECT_DESC,
};

FIXTURE_VARIANT_ADD(rng, packed)
{
	.features = VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED,
};

FIXTURE_VARIANT_ADD(rng, packed_event)
{
	.features = VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED |
		    VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC,
};

FIXTURE_SETUP(rng)
{
	self->vm = testvm_create(RAM);
	self->dev = testvm_add_pci(self->vm, "rng", 0, SLOT, NULL);
	virtio_driver_init(&self->drv, self->vm, SLOT);
	ASSERT_TRUE(virtio_driver_negotiate(&self->drv, variant->features));
	virtio_driver_queue(&self->drv, 0, 8);
	virtio_driver_ok(&self->drv);
	self->buf = virtio_driver_alloc(&self->drv, 65536);
}

FIXTURE_TEARDOWN(rng)
{
	testvm_destroy(self->vm);
}

static bool is_zero(const u8 *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

TEST_F(rng, fills_what_it_says_and_no_more)
{
	const struct virtio_buf buf = { self->buf, 64, true };
	u8 *p = virtio_driver_ptr(&self->drv, self->buf, 4096);
	u32 round;

	/* Several times round the ring. */
	for (round = 0; round < 50; round++) {
		memset(p, 0, 128);
		ASSERT_EQ(64, virtio_driver_exec(&self->drv.vq[0], &buf, 1,
						 false));
		EXPECT_FALSE(is_zero(p, 64));
		EXPECT_TRUE(is_zero(p + 64, 64));
	}
}

TEST_F(rng, chains_and_tables)
{
	const struct virtio_buf bufs[] = {
		{ self->buf, 16, false },
		{ self->buf + 4096, 10, true },
		{ self->buf + 8192, 20, true },
	};
	bool indirect = self->drv.features & VIRTIO_F_INDIRECT_DESC;
	u8 *p = virtio_driver_ptr(&self->drv, self->buf, 12288);

	ASSERT_EQ(30, virtio_driver_exec(&self->drv.vq[0], bufs, 3, indirect));
	EXPECT_TRUE(is_zero(p, 4096));
	EXPECT_FALSE(is_zero(p + 4096, 10));
	EXPECT_TRUE(is_zero(p + 4106, 4086));
	EXPECT_FALSE(is_zero(p + 8192, 20));
	/* Nothing to write: given back as it is. */
	ASSERT_EQ(0, virtio_driver_exec(&self->drv.vq[0], bufs, 1, indirect));
}

TEST_F(rng, long_buffers_are_filled_in_part)
{
	const struct virtio_buf buf = { self->buf, 65536, true };
	u32 len = virtio_driver_exec(&self->drv.vq[0], &buf, 1, false);

	EXPECT_LT(0, len);
	EXPECT_GE(65536, len);
}

/* A guest that asks without end gets no more than the limit. */
TEST_F(rng, the_rate_has_a_limit)
{
	const struct virtio_buf buf = { self->buf, 4096, true };
	struct virtio_vq *vq = &self->drv.vq[0];
	u64 bytes = 0;
	u32 len;
	u16 id;

	while (bytes < 4 * MIB) {
		while (virtio_driver_add(vq, &buf, 1, false) >= 0)
			;
		virtio_driver_notify(vq);
		if (virtio_driver_quiet(vq, 100))
			break;
		bytes += 4096;
		while (virtio_driver_reap(vq, &id, &len))
			bytes += len;
	}
	EXPECT_LE(1 * MIB - 65536, bytes);
	EXPECT_GE(2 * MIB, bytes);
	/* And the next second there is more. */
	ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
}

/* Saved while it waits for the next second: it gets what it has asked for. */
TEST_F(rng, a_wait_survives)
{
	const struct virtio_buf buf = { self->buf, 4096, true };
	struct virtio_vq *vq = &self->drv.vq[0];
	struct error err = ERROR_INIT;
	u32 len, got = 0, asked = 0;
	void *state;
	u16 id;

	for (;;) {
		for (; virtio_driver_add(vq, &buf, 1, false) >= 0; asked++)
			;
		virtio_driver_notify(vq);
		if (virtio_driver_quiet(vq, 100))
			break;
		/* That was one. */
		got++;
		while (virtio_driver_reap(vq, &id, &len))
			got++;
		ASSERT_GT(2000, asked);
	}
	ASSERT_LT(got, asked);
	ASSERT_EQ(0, self->dev->class->ops->quiesce(self->dev, &err));
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(self->dev, state, &err));
	free(state);
	self->dev->class->ops->resume(self->dev);
	for (; got < asked; got++)
		ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
}

/* One that asks for nothing at all, or next to it, does not get away either. */
TEST_F(rng, small_buffers_have_a_limit)
{
	const struct virtio_buf bufs[] = {
		{ self->buf, 1, false }, { self->buf, 1, true },
	};
	struct virtio_vq *vq = &self->drv.vq[0];
	u32 chains = 0, len;
	u16 id;

	while (chains < 50000) {
		while (virtio_driver_add(vq, &bufs[chains / 8 % 2], 1,
					 false) >= 0)
			;
		virtio_driver_notify(vq);
		if (virtio_driver_quiet(vq, 100))
			break;
		while (virtio_driver_reap(vq, &id, &len))
			chains++;
	}
	EXPECT_GT(20000, chains);
	/* And the next second there is more. */
	ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
}

TEST_F(rng, state_survives)
{
	const struct virtio_buf buf = { self->buf, 64, true };
	struct virtio_vq *vq = &self->drv.vq[0];
	struct error err = ERROR_INIT;
	void *state;
	u32 i;

	for (i = 0; i < 13; i++)
		virtio_driver_exec(vq, &buf, 1, false);
	ASSERT_EQ(0, self->dev->class->ops->quiesce(self->dev, &err));
	ASSERT_LE(0, virtio_driver_add(vq, &buf, 1, false));
	virtio_driver_notify(vq);
	EXPECT_TRUE(virtio_driver_quiet(vq, 20));
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(self->dev, state, &err)) {
		TH_LOG("%s", err.text);
	}
	EXPECT_TRUE(virtio_driver_quiet(vq, 20));
	self->dev->class->ops->resume(self->dev);
	{
		u32 len;
		u16 id;

		ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
		EXPECT_EQ(64, len);
	}
	for (i = 0; i < 13; i++)
		EXPECT_EQ(64, virtio_driver_exec(vq, &buf, 1, false));
	free(state);
}

TEST_HARNESS_MAIN
