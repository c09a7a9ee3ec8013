// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtio over PCI: registers, negotiation, resets, interrupts
 */
#include <linux/pci_regs.h>

#include "tests/device/test_virtio_dev.h"

#define RAM	(16 * MIB)
#define AT(_to)	(TESTVM_RAM + (_to))	/* in RAM */
#define GOOD	(VIRTIO_F_VERSION_1 | TEST_FEATURE | RING_EXTRAS)

FIXTURE(vpci)
{
	struct vm *vm;
	struct device *dev;
	struct test_virtio *t;
	struct virtio_driver drv;
	u64 buf;
};

#define SELF	struct _test_data_vpci

FIXTURE_SETUP(vpci)
{
	self->vm = testvm_create(RAM);
	self->dev = testvm_add_pci(self->vm, "test-virtio", 0, TEST_SLOT,
				   NULL);
	self->t = to_test(virtio_device_of(self->dev));
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	self->buf = virtio_driver_alloc(&self->drv, 65536);
}

FIXTURE_TEARDOWN(vpci)
{
	testvm_destroy(self->vm);
}

static u64 get(SELF *self, u32 reg, u32 len)
{
	return virtio_driver_read(&self->drv, reg, len);
}

static void put(SELF *self, u32 reg, u64 value, u32 len)
{
	virtio_driver_write(&self->drv, reg, value, len);
}

static u8 status(SELF *self)
{
	return virtio_driver_status(&self->drv);
}

static void begin(SELF *self, u64 features)
{
	u16 i;

	if (!virtio_driver_negotiate(&self->drv, features))
		abort();
	for (i = 0; i < TEST_QUEUES; i++)
		virtio_driver_queue(&self->drv, i, 8);
	virtio_driver_ok(&self->drv);
}

static void offer(SELF *self, u16 queue)
{
	const struct virtio_buf bufs[] = {
		{ self->buf, 16, false },
		{ self->buf + 4096, 16, true },
	};

	if (virtio_driver_add(&self->drv.vq[queue], bufs, 2, false) < 0)
		abort();
	virtio_driver_notify(&self->drv.vq[queue]);
}

static bool answered(SELF *self, u16 queue)
{
	u32 len;
	u16 id;

	return virtio_driver_wait(&self->drv.vq[queue], &id, &len) && len == 16;
}

/* ---- registers ------------------------------------------------------------------ */

TEST_F(vpci, identity_and_power_on)
{
	u32 q;

	EXPECT_EQ(0x1af4, testvm_config_read(self->vm, TEST_SLOT, 0, 2));
	EXPECT_EQ(0x1040 + 62, testvm_config_read(self->vm, TEST_SLOT, 2, 2));
	EXPECT_LE(1, testvm_config_read(self->vm, TEST_SLOT, 8, 1));
	EXPECT_EQ(0, status(self));
	EXPECT_EQ(TEST_QUEUES, get(self, VIRTIO_REG_NUM_QUEUES, 2));
	EXPECT_EQ(0xffff, get(self, VIRTIO_REG_CONFIG_VECTOR, 2));
	for (q = 0; q < TEST_QUEUES; q++) {
		put(self, VIRTIO_REG_QUEUE_SELECT, q, 2);
		EXPECT_EQ(TEST_QUEUE, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
		EXPECT_EQ(0xffff, get(self, VIRTIO_REG_QUEUE_VECTOR, 2));
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
		EXPECT_EQ(q, get(self, VIRTIO_REG_QUEUE_NOTIFY_OFF, 2));
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_DESC, 8));
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_RESET, 2));
	}
	/* A queue that is not there. */
	put(self, VIRTIO_REG_QUEUE_SELECT, TEST_QUEUES, 2);
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
	put(self, VIRTIO_REG_QUEUE_SIZE, 8, 2);
	put(self, VIRTIO_REG_QUEUE_DESC, 4096, 8);
	put(self, VIRTIO_REG_QUEUE_ENABLE, 1, 2);
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_DESC, 8));
}

TEST_F(vpci, halves_and_wrong_accesses)
{
	put(self, VIRTIO_REG_QUEUE_DESC, 0x12345000, 4);
	put(self, VIRTIO_REG_QUEUE_DESC + 4, 0x9a, 4);
	EXPECT_EQ(0x9a12345000ULL, get(self, VIRTIO_REG_QUEUE_DESC, 8));
	EXPECT_EQ(0x9a, get(self, VIRTIO_REG_QUEUE_DESC + 4, 4));
	EXPECT_EQ(0x12345000, get(self, VIRTIO_REG_QUEUE_DESC, 4));
	/* Too narrow, too wide, across, not aligned: nothing. */
	put(self, VIRTIO_REG_QUEUE_DESC, 0, 1);
	put(self, VIRTIO_REG_QUEUE_DESC, 0, 2);
	put(self, VIRTIO_REG_QUEUE_DESC + 2, 0, 4);
	EXPECT_EQ(0x9a12345000ULL, get(self, VIRTIO_REG_QUEUE_DESC, 8));
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_SIZE, 1));
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_SIZE, 4));
	EXPECT_EQ(0, get(self, VIRTIO_REG_DEVICE_STATUS, 4));
	EXPECT_EQ(0, get(self, 0x40, 4));
	EXPECT_EQ(0, get(self, 0xff8, 8));
	/* Read-only ones. */
	put(self, VIRTIO_REG_NUM_QUEUES, 9, 2);
	put(self, VIRTIO_REG_CONFIG_GENERATION, 9, 1);
	put(self, VIRTIO_REG_DEVICE_FEATURE, 0, 4);
	EXPECT_EQ(TEST_QUEUES, get(self, VIRTIO_REG_NUM_QUEUES, 2));
	EXPECT_EQ(0, get(self, VIRTIO_REG_CONFIG_GENERATION, 1));
	EXPECT_EQ(TEST_FEATURE | TEST_NOT_ALONE | VIRTIO_F_VERSION_1 |
		  VIRTIO_F_RING_PACKED | RING_EXTRAS,
		  virtio_driver_offered(&self->drv));
	put(self, VIRTIO_REG_DEVICE_FEATURE_SELECT, 2, 4);
	EXPECT_EQ(0, get(self, VIRTIO_REG_DEVICE_FEATURE, 4));
	put(self, VIRTIO_REG_DRIVER_FEATURE_SELECT, 0xffffffff, 4);
	put(self, VIRTIO_REG_DRIVER_FEATURE, 0xffffffff, 4);
	EXPECT_EQ(0, get(self, VIRTIO_REG_DRIVER_FEATURE, 4));
}

TEST_F(vpci, device_configuration)
{
	u64 at = self->drv.config;

	memset(self->t->config, 0x11, sizeof(self->t->config));
	EXPECT_EQ(0x1111111111111111ULL, testvm_mmio_read(self->vm, at, 8));
	testvm_mmio_write(self->vm, at + 3, 0xffffffff, 4);
	EXPECT_EQ(1, self->t->writes);
	EXPECT_EQ(0x1111ff1f11111111ULL, testvm_mmio_read(self->vm, at, 8));
	/* Across its end. */
	testvm_mmio_write(self->vm, at + 14, 0, 4);
	EXPECT_EQ(1, self->t->writes);
	EXPECT_EQ(0x1111, testvm_mmio_read(self->vm, at + 14, 4));
	EXPECT_EQ(0, testvm_mmio_read(self->vm, at + 16, 8));
}

/* ---- negotiation ------------------------------------------------------------------ */

TEST_F(vpci, features_that_are_refused)
{
	struct virtio_driver *drv = &self->drv;

	EXPECT_FALSE(virtio_driver_negotiate(drv, 0));
	EXPECT_FALSE(virtio_driver_negotiate(drv, TEST_FEATURE));
	EXPECT_FALSE(virtio_driver_negotiate(drv, VIRTIO_F_VERSION_1 |
					     BIT_ULL(33)));
	EXPECT_FALSE(virtio_driver_negotiate(drv, VIRTIO_F_VERSION_1 |
					     BIT_ULL(63)));
	EXPECT_FALSE(virtio_driver_negotiate(drv, VIRTIO_F_VERSION_1 |
					     BIT_ULL(0)));
	/* What the device itself says no to. */
	EXPECT_FALSE(virtio_driver_negotiate(drv, VIRTIO_F_VERSION_1 |
					     TEST_NOT_ALONE));
	/* Without FEATURES_OK nothing begins. */
	virtio_driver_queue(drv, 0, 8);
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
	virtio_driver_ok(drv);
	EXPECT_EQ(0, status(self) & VIRTIO_STATUS_DRIVER_OK);
	EXPECT_TRUE(virtio_driver_negotiate(drv, VIRTIO_F_VERSION_1 |
					    TEST_NOT_ALONE | TEST_FEATURE));
	/* Final. */
	put(self, VIRTIO_REG_DRIVER_FEATURE_SELECT, 0, 4);
	put(self, VIRTIO_REG_DRIVER_FEATURE, 0, 4);
	EXPECT_EQ(TEST_NOT_ALONE | TEST_FEATURE,
		  get(self, VIRTIO_REG_DRIVER_FEATURE, 4));
}

TEST_F(vpci, status_bits_are_only_added)
{
	put(self, VIRTIO_REG_DEVICE_STATUS, VIRTIO_STATUS_ACKNOWLEDGE, 1);
	put(self, VIRTIO_REG_DEVICE_STATUS, VIRTIO_STATUS_DRIVER, 1);
	EXPECT_EQ(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER,
		  status(self));
	/* What does not exist, and what is the device's to say. */
	put(self, VIRTIO_REG_DEVICE_STATUS,
	    0x30 | VIRTIO_STATUS_NEEDS_RESET, 1);
	EXPECT_EQ(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER,
		  status(self));
	begin(self, GOOD);
	EXPECT_EQ(0x0f, status(self));
	put(self, VIRTIO_REG_DEVICE_STATUS, VIRTIO_STATUS_FAILED, 1);
	EXPECT_EQ(0x8f, status(self));
	/* A driver that has given up is not served. */
	offer(self, 0);
	EXPECT_TRUE(virtio_driver_quiet(&self->drv.vq[0], 5));
	begin(self, GOOD);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
}

/* ---- queues ----------------------------------------------------------------------- */

struct place {
	u64 desc;
	u64 driver;
	u64 device;
};

TEST_F(vpci, queues_that_cannot_be)
{
	const struct place bad[] = {
		{ AT(0x10008), AT(0x20000), AT(0x30000) },
		{ AT(0x10000), AT(0x20001), AT(0x30000) },
		{ AT(0x10000), AT(0x20000), AT(0x30002) },
		{ AT(RAM), AT(0x20000), AT(0x30000) },
		{ AT(RAM - 16), AT(0x20000), AT(0x30000) },
		{ AT(0x10000), AT(RAM - 4), AT(0x30000) },
		{ AT(0x10000), AT(0x20000), AT(RAM - 8) },
		{ UINT64_MAX - 15, AT(0x20000), AT(0x30000) },
		{ AT(0x10000), UINT64_MAX - 1, AT(0x30000) },
		{ 0xfee00000, AT(0x20000), AT(0x30000) },
	};
	static const u64 kinds[] = { GOOD, GOOD | VIRTIO_F_RING_PACKED };
	u32 i, k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			/* A packed ring has small areas. */
			if (k && (i == 1 || i == 5 || i == 6))
				continue;
			virtio_driver_negotiate(&self->drv, kinds[k]);
			put(self, VIRTIO_REG_QUEUE_SELECT, 0, 2);
			put(self, VIRTIO_REG_QUEUE_SIZE, 8, 2);
			put(self, VIRTIO_REG_QUEUE_DESC, bad[i].desc, 8);
			put(self, VIRTIO_REG_QUEUE_DRIVER, bad[i].driver, 8);
			put(self, VIRTIO_REG_QUEUE_DEVICE, bad[i].device, 8);
			put(self, VIRTIO_REG_QUEUE_ENABLE, 1, 2);
			EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2))
				TH_LOG("%u", i);
			EXPECT_TRUE(status(self) & VIRTIO_STATUS_NEEDS_RESET)
				TH_LOG("%u", i);
		}
	}
}

TEST_F(vpci, queue_registers)
{
	virtio_driver_negotiate(&self->drv, GOOD);
	put(self, VIRTIO_REG_QUEUE_SELECT, 1, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 64, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 0, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 48, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 512, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 0xffff, 2);
	EXPECT_EQ(64, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
	put(self, VIRTIO_REG_QUEUE_VECTOR, TEST_VECTORS, 2);
	EXPECT_EQ(0xffff, get(self, VIRTIO_REG_QUEUE_VECTOR, 2));
	put(self, VIRTIO_REG_QUEUE_VECTOR, TEST_VECTORS - 1, 2);
	EXPECT_EQ(TEST_VECTORS - 1, get(self, VIRTIO_REG_QUEUE_VECTOR, 2));
	put(self, VIRTIO_REG_CONFIG_VECTOR, 0xfffe, 2);
	EXPECT_EQ(0xffff, get(self, VIRTIO_REG_CONFIG_VECTOR, 2));
	/* Enabled by 1 only, and then nothing of it can be changed. */
	put(self, VIRTIO_REG_QUEUE_DESC, AT(0x10000), 8);
	put(self, VIRTIO_REG_QUEUE_DRIVER, AT(0x20000), 8);
	put(self, VIRTIO_REG_QUEUE_DEVICE, AT(0x30000), 8);
	put(self, VIRTIO_REG_QUEUE_ENABLE, 2, 2);
	EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
	put(self, VIRTIO_REG_QUEUE_ENABLE, 1, 2);
	EXPECT_EQ(1, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
	put(self, VIRTIO_REG_QUEUE_ENABLE, 0, 2);
	put(self, VIRTIO_REG_QUEUE_SIZE, 8, 2);
	put(self, VIRTIO_REG_QUEUE_DESC, 0, 8);
	EXPECT_EQ(1, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
	EXPECT_EQ(64, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
	EXPECT_EQ(AT(0x10000), get(self, VIRTIO_REG_QUEUE_DESC, 8));
	/* A packed ring may have any size. */
	virtio_driver_negotiate(&self->drv, GOOD | VIRTIO_F_RING_PACKED);
	put(self, VIRTIO_REG_QUEUE_SELECT, 1, 2);
	EXPECT_EQ(TEST_QUEUE, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
	put(self, VIRTIO_REG_QUEUE_SIZE, 48, 2);
	EXPECT_EQ(48, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
}

TEST_F(vpci, queue_reset_and_again)
{
	u32 round;

	begin(self, GOOD);
	for (round = 0; round < 5; round++) {
		offer(self, 0);
		EXPECT_TRUE(answered(self, 0));
		self->t->keep = true;
		offer(self, 0);
		testvm_poll(self->vm);
		testvm_poll(self->vm);
		put(self, VIRTIO_REG_QUEUE_SELECT, 0, 2);
		put(self, VIRTIO_REG_QUEUE_RESET, 0, 2);
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_RESET, 2));
		put(self, VIRTIO_REG_QUEUE_RESET, 1, 2);
		EXPECT_EQ(1, get(self, VIRTIO_REG_QUEUE_RESET, 2));
		/* Not before it has ended. */
		put(self, VIRTIO_REG_QUEUE_ENABLE, 1, 2);
		while (get(self, VIRTIO_REG_QUEUE_RESET, 2))
			testvm_poll(self->vm);
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
		EXPECT_EQ(0, self->t->kept);
		self->t->keep = false;
		/* The other one has not noticed. */
		offer(self, 1);
		EXPECT_TRUE(answered(self, 1));
		virtio_driver_queue_enable(&self->drv, 0);
	}
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
}

/* ---- resets ------------------------------------------------------------------------ */

enum stage {
	STAGE_NOTHING,
	STAGE_DRIVER,
	STAGE_FEATURES,
	STAGE_QUEUES,
	STAGE_OK,
	STAGE_BUSY,
	STAGE_FAILED,
	STAGES,
};

static void reach(SELF *self, enum stage stage)
{
	put(self, VIRTIO_REG_DEVICE_STATUS, 0, 1);
	virtio_driver_wait_status(&self->drv, 0xff, 0);
	if (stage >= STAGE_DRIVER)
		put(self, VIRTIO_REG_DEVICE_STATUS, 3, 1);
	if (stage >= STAGE_FEATURES)
		virtio_driver_negotiate(&self->drv, GOOD);
	if (stage >= STAGE_QUEUES)
		virtio_driver_queue(&self->drv, 0, 8);
	if (stage >= STAGE_OK)
		virtio_driver_ok(&self->drv);
	if (stage >= STAGE_BUSY) {
		self->t->keep = true;
		offer(self, 0);
		offer(self, 0);
		testvm_poll(self->vm);
	}
	if (stage == STAGE_FAILED) {
		/* The index runs away. */
		*(u16 *)(self->drv.vq[0].driver + 2) = 0x7000;
		virtio_driver_notify(&self->drv.vq[0]);
		virtio_driver_wait_status(&self->drv,
					  VIRTIO_STATUS_NEEDS_RESET,
					  VIRTIO_STATUS_NEEDS_RESET);
	}
}

static void is_as_new(struct __test_metadata *_metadata, SELF *self)
{
	u32 q;

	EXPECT_EQ(0, status(self));
	EXPECT_EQ(0, self->t->kept);
	for (q = 0; q < TEST_QUEUES; q++) {
		put(self, VIRTIO_REG_QUEUE_SELECT, q, 2);
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_ENABLE, 2));
		EXPECT_EQ(TEST_QUEUE, get(self, VIRTIO_REG_QUEUE_SIZE, 2));
		EXPECT_EQ(0xffff, get(self, VIRTIO_REG_QUEUE_VECTOR, 2));
		EXPECT_EQ(0, get(self, VIRTIO_REG_QUEUE_DESC, 8));
	}
	put(self, VIRTIO_REG_DRIVER_FEATURE_SELECT, 0, 4);
	EXPECT_EQ(0, get(self, VIRTIO_REG_DRIVER_FEATURE, 4));
	EXPECT_EQ(self->t->starts, self->t->stops);
	self->t->keep = false;
	begin(self, GOOD);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
}

TEST_F(vpci, reset_in_every_state)
{
	u32 stage;

	for (stage = 0; stage < STAGES; stage++) {
		reach(self, stage);
		put(self, VIRTIO_REG_DEVICE_STATUS, 0, 1);
		/* Twice is as good as once. */
		put(self, VIRTIO_REG_DEVICE_STATUS, 0, 1);
		EXPECT_TRUE(virtio_driver_wait_status(&self->drv, 0xff, 0));
		is_as_new(_metadata, self);
	}
}

TEST_F(vpci, function_level_reset_in_every_state)
{
	u32 cap = testvm_capability(self->vm, TEST_SLOT, PCI_CAP_ID_EXP);
	u32 bar0 = testvm_config_read(self->vm, TEST_SLOT, 0x10, 4);
	u32 bar1 = testvm_config_read(self->vm, TEST_SLOT, 0x14, 4);
	u32 stage;

	for (stage = 0; stage < STAGES; stage++) {
		reach(self, stage);
		testvm_config_write(self->vm, TEST_SLOT, cap + PCI_EXP_DEVCTL,
				    PCI_EXP_DEVCTL_BCR_FLR, 2);
		testvm_config_write(self->vm, TEST_SLOT, 0x10, bar0, 4);
		testvm_config_write(self->vm, TEST_SLOT, 0x14, bar1, 4);
		testvm_config_write(self->vm, TEST_SLOT, PCI_COMMAND,
				    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
				    2);
		EXPECT_TRUE(virtio_driver_wait_status(&self->drv, 0xff, 0));
		is_as_new(_metadata, self);
	}
}

TEST_F(vpci, pause_in_every_state)
{
	u32 stage, i, len;
	u16 id;

	for (stage = 0; stage < STAGES; stage++) {
		u8 before;

		reach(self, stage);
		before = status(self);
		ASSERT_EQ(0, test_quiesce(self->dev));
		EXPECT_EQ(0, self->t->kept);
		ASSERT_EQ(0, test_save_load(self->dev));
		EXPECT_EQ(before, status(self));
		self->t->keep = false;
		self->dev->class->ops->resume(self->dev);
		EXPECT_EQ(before, status(self));
		if (stage == STAGE_BUSY)
			for (i = 0; i < 2; i++)
				EXPECT_TRUE(virtio_driver_wait(&self->drv.vq[0],
							       &id, &len));
		if (stage == STAGE_OK || stage == STAGE_BUSY) {
			offer(self, 0);
			EXPECT_TRUE(answered(self, 0));
		}
	}
}

/* A reset that the driver asked for just before the pause. */
TEST_F(vpci, pause_in_a_reset)
{
	reach(self, STAGE_BUSY);
	put(self, VIRTIO_REG_DEVICE_STATUS, 0, 1);
	ASSERT_EQ(0, test_quiesce(self->dev));
	EXPECT_EQ(0, status(self));
	ASSERT_EQ(0, test_save_load(self->dev));
	self->dev->class->ops->resume(self->dev);
	is_as_new(_metadata, self);
}

/* ---- interrupts --------------------------------------------------------------------- */

static bool pin(SELF *self)
{
	return irq_gsi_level(&self->vm->irq, testvm_intx_gsi(TEST_SLOT));
}

static u8 isr(SELF *self)
{
	return (u8)testvm_mmio_read(self->vm, self->drv.isr, 1);
}

TEST_F(vpci, the_pin)
{
	begin(self, VIRTIO_F_VERSION_1);
	EXPECT_FALSE(pin(self));
	EXPECT_EQ(0, isr(self));
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
	testvm_poll(self->vm);
	EXPECT_TRUE(pin(self));
	/* Reading acknowledges. */
	EXPECT_EQ(VIRTIO_ISR_QUEUE, isr(self));
	EXPECT_FALSE(pin(self));
	EXPECT_EQ(0, isr(self));
	mutex_lock(&self->dev->lock);
	virtio_config_changed(&self->t->v);
	mutex_unlock(&self->dev->lock);
	EXPECT_EQ(1, get(self, VIRTIO_REG_CONFIG_GENERATION, 1));
	EXPECT_TRUE(pin(self));
	/* It goes with the machine. */
	ASSERT_EQ(0, test_quiesce(self->dev));
	ASSERT_EQ(0, test_save_load(self->dev));
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(VIRTIO_ISR_CONFIG, isr(self));
	EXPECT_FALSE(pin(self));
	/* A reset has nothing to announce. */
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
	testvm_poll(self->vm);
	EXPECT_TRUE(pin(self));
	virtio_driver_reset(&self->drv);
	EXPECT_FALSE(pin(self));
	EXPECT_EQ(0, isr(self));
}

TEST_F(vpci, messages)
{
	testvm_msix_enable(self->vm, TEST_SLOT, TEST_VECTORS);
	begin(self, VIRTIO_F_VERSION_1);
	put(self, VIRTIO_REG_CONFIG_VECTOR, 2, 2);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
	testvm_poll(self->vm);
	offer(self, 1);
	EXPECT_TRUE(answered(self, 1));
	testvm_poll(self->vm);
	EXPECT_EQ(1, testvm_msix_take(self->vm, TEST_SLOT, 0));
	EXPECT_EQ(1, testvm_msix_take(self->vm, TEST_SLOT, 1));
	EXPECT_EQ(0, testvm_msix_take(self->vm, TEST_SLOT, 2));
	mutex_lock(&self->dev->lock);
	virtio_config_changed(&self->t->v);
	mutex_unlock(&self->dev->lock);
	EXPECT_EQ(1, testvm_msix_take(self->vm, TEST_SLOT, 2));
	EXPECT_EQ(0, isr(self));
	EXPECT_FALSE(pin(self));
	/* No vector, no message. */
	put(self, VIRTIO_REG_QUEUE_SELECT, 0, 2);
	put(self, VIRTIO_REG_QUEUE_VECTOR, 0xffff, 2);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
	testvm_poll(self->vm);
	EXPECT_EQ(0, testvm_msix_take(self->vm, TEST_SLOT, 0));
	EXPECT_EQ(0, testvm_msix_take(self->vm, TEST_SLOT, 1));
}

/* ---- the window in configuration space ------------------------------------------------ */

static u32 window_cap(SELF *self)
{
	u32 at = testvm_config_read(self->vm, TEST_SLOT, PCI_CAPABILITY_LIST,
				    1);

	while (at && (testvm_config_read(self->vm, TEST_SLOT, at, 1) !=
		      PCI_CAP_ID_VNDR ||
		      testvm_config_read(self->vm, TEST_SLOT, at + 3, 1) !=
		      VIRTIO_CAP_PCI))
		at = testvm_config_read(self->vm, TEST_SLOT, at + 1, 1);
	return at;
}

static void window_set(SELF *self, u32 bar, u32 offset, u32 len)
{
	u32 cap = window_cap(self);

	testvm_config_write(self->vm, TEST_SLOT, cap + 4, bar, 1);
	testvm_config_write(self->vm, TEST_SLOT, cap + 8, offset, 4);
	testvm_config_write(self->vm, TEST_SLOT, cap + 12, len, 4);
}

TEST_F(vpci, window_in_configuration_space)
{
	u32 cap = window_cap(self), data = cap + 16;

	ASSERT_NE(0, cap);
	window_set(self, 0, VIRTIO_REG_NUM_QUEUES, 2);
	EXPECT_EQ(TEST_QUEUES, testvm_config_read(self->vm, TEST_SLOT, data,
						  2));
	window_set(self, 0, VIRTIO_REG_DEVICE_STATUS, 1);
	testvm_config_write(self->vm, TEST_SLOT, data, 3, 1);
	EXPECT_EQ(3, status(self));
	EXPECT_EQ(3, testvm_config_read(self->vm, TEST_SLOT, data, 1));
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 1);
	EXPECT_EQ(0, status(self));
	window_set(self, 0, VIRTIO_REG_QUEUE_DESC, 4);
	testvm_config_write(self->vm, TEST_SLOT, data, 0xabc000, 4);
	EXPECT_EQ(0xabc000, get(self, VIRTIO_REG_QUEUE_DESC, 8));
	/* Windows that are none: nothing happens. */
	window_set(self, 0, VIRTIO_REG_QUEUE_DESC, 3);
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 4);
	window_set(self, 2, VIRTIO_REG_QUEUE_DESC, 4);
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 4);
	window_set(self, 0, 0x4000, 4);
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 4);
	window_set(self, 0, 0xfffffffc, 4);
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 4);
	window_set(self, 0, VIRTIO_REG_QUEUE_DESC + 1, 4);
	testvm_config_write(self->vm, TEST_SLOT, data, 0, 4);
	EXPECT_EQ(0xabc000, get(self, VIRTIO_REG_QUEUE_DESC, 8));
	/* It is part of the state. */
	window_set(self, 0, VIRTIO_REG_NUM_QUEUES, 2);
	ASSERT_EQ(0, test_quiesce(self->dev));
	ASSERT_EQ(0, test_save_load(self->dev));
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(TEST_QUEUES, testvm_config_read(self->vm, TEST_SLOT, data,
						  2));
}

/* Notifications work at the BAR's new place, too. */
TEST_F(vpci, the_bar_moves)
{
	u32 low = testvm_config_read(self->vm, TEST_SLOT, 0x10, 4);
	u64 old = self->drv.common;

	begin(self, GOOD);
	testvm_config_write(self->vm, TEST_SLOT, 0x10, low + 0x100000, 4);
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	EXPECT_EQ(old + 0x100000, self->drv.common);
	begin(self, GOOD);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
}

/* ---- bad states ----------------------------------------------------------------------- */

TEST_F(vpci, states_that_cannot_be)
{
	struct error err = ERROR_INIT;
	struct virtio_state *good, *s;
	u32 i;

	begin(self, GOOD);
	ASSERT_EQ(0, test_quiesce(self->dev));
	good = testvm_save(self->dev);
	s = malloc(sizeof(*s));
	for (i = 0; i < 13; i++) {
		struct virtio_queue_state *q = &s->queues[0];

		*s = *good;
		switch (i) {
		case 0:
			s->status = 0x10;
			break;
		case 1:
			s->status &= ~VIRTIO_STATUS_FEATURES_OK;
			break;
		case 2:
			s->features |= BIT_ULL(50);
			break;
		case 3:
			s->features &= ~VIRTIO_F_VERSION_1;
			break;
		case 4:
			s->config_vector = TEST_VECTORS;
			break;
		case 5:
			s->queues_nr--;
			break;
		case 6:
			q->size = 512;
			break;
		case 7:
			q->size = 3;
			break;
		case 8:
			q->vector = TEST_VECTORS;
			break;
		case 9:
			q->desc = AT(RAM);
			break;
		case 10:
			q->wrap = 1;
			break;
		case 11:
			s->features = (s->features & ~TEST_FEATURE) |
				      TEST_NOT_ALONE;
			break;
		default:
			q->enabled = 0;
			q->position = 1;
			break;
		}
		EXPECT_EQ(-EINVAL, testvm_load(self->dev, s, &err))
			TH_LOG("%u", i);
	}
	EXPECT_EQ(0, testvm_load(self->dev, good, &err));
	self->dev->class->ops->resume(self->dev);
	offer(self, 0);
	EXPECT_TRUE(answered(self, 0));
	free(s);
	free(good);
}

TEST_HARNESS_MAIN
