// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the virtio block device: requests, errors, resets, saving
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/device/test_virtio.h"
#include "tests/lib/block_disk.h"
#include "tests/lib/block_fault.h"
#include "virtio/blk_priv.h"

#define DISK		(8 * MIB)
#define SECTORS		(DISK / 512)
#define BUF		(256 * KIB)
#define BLK_FEATURES	(VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_MQ |		\
			 VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES | \
			 VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_SEG_MAX)

FIXTURE(blk)
{
	struct vm *vm;
	struct device *dev;
	struct blk *blk;
	struct virtio_driver drv;
	struct virtio_vq *vq;
	struct test_dir dir;
	char path[256];
	bool indirect;
	u64 head;
	u64 buf;
	u64 status;
	u8 *ptr;
};

FIXTURE_VARIANT(blk)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(blk, split)
{
	.features = RING_SPLIT,
};

FIXTURE_VARIANT_ADD(blk, split_event)
{
	.features = RING_SPLIT_EVENT,
};

FIXTURE_VARIANT_ADD(blk, packed)
{
	.features = RING_PACKED,
};

FIXTURE_VARIANT_ADD(blk, packed_event)
{
	.features = RING_PACKED_EVENT,
};

#define SELF	struct _test_data_blk

static void add_disk(SELF *self, const char *options)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s", self->path, options);
	self->vm = testvm_create(16 * MIB);
	self->dev = testvm_add_pci(self->vm, "disk", 0, TEST_SLOT, text);
	self->blk = container_of(self->dev, struct blk, v.pci.dev);
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
}

static void begin(SELF *self, u64 features)
{
	u16 i;

	if (!virtio_driver_negotiate(&self->drv, features))
		abort();
	for (i = 0; i < 2; i++)
		virtio_driver_queue(&self->drv, i, 16);
	virtio_driver_ok(&self->drv);
	self->vq = &self->drv.vq[0];
	self->indirect = features & VIRTIO_F_INDIRECT_DESC;
	if (!self->buf) {
		self->head = virtio_driver_alloc(&self->drv, 4096);
		self->status = virtio_driver_alloc(&self->drv, 4096);
		self->buf = virtio_driver_alloc(&self->drv, BUF);
		self->ptr = virtio_driver_ptr(&self->drv, self->buf, BUF);
	}
}

FIXTURE_SETUP(blk)
{
	if (test_dir_make(&self->dir) ||
	    test_image_make(test_dir_file(&self->dir, "disk.img", self->path,
					  sizeof(self->path)), DISK))
		abort();
	self->buf = 0;
	add_disk(self, ",serial=a-serial,queues=3");
	begin(self, variant->features | BLK_FEATURES);
}

FIXTURE_TEARDOWN(blk)
{
	testvm_destroy(self->vm);
	test_dir_remove(&self->dir);
}

/* Where the head and the status of the n-th request are. */
static void put_head(SELF *self, u32 n, u32 type, u64 sector)
{
	struct virtio_blk_head *head =
		virtio_driver_ptr(&self->drv, self->head + 16 * n, 16);

	*head = (struct virtio_blk_head){
		.type = cpu_to_le32(type),
		.sector = cpu_to_le64(sector),
	};
	*(u8 *)virtio_driver_ptr(&self->drv, self->status + n, 1) = 0xee;
}

static u8 status_of(SELF *self, u32 n)
{
	return *(u8 *)virtio_driver_ptr(&self->drv, self->status + n, 1);
}

static int submit(SELF *self, struct virtio_vq *vq, u32 n, u32 type, u64 sector,
		  u64 addr, u32 len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	const struct virtio_buf bufs[] = {
		{ self->head + 16 * n, 16, false },
		{ len ? addr : self->status + n, len ? len : 1,
		  len ? in : true },
		{ self->status + n, 1, true },
	};

	put_head(self, n, type, sector);
	return virtio_driver_add(vq, bufs, len ? 3 : 2, self->indirect);
}

/* One request; its status. */
static u8 request(SELF *self, u32 type, u64 sector, u64 addr, u32 len, u32 *used)
{
	u32 got = 0;
	u16 id;

	if (submit(self, self->vq, 0, type, sector, addr, len) < 0)
		abort();
	virtio_driver_notify(self->vq);
	if (!virtio_driver_wait(self->vq, &id, &got))
		abort();
	if (used)
		*used = got;
	return status_of(self, 0);
}

static u8 rw(SELF *self, u32 type, u64 sector, u32 len)
{
	return request(self, type, sector, self->buf, len, NULL);
}

static void peek(SELF *self, u64 offset, void *buf, size_t len)
{
	int fd = open(self->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, buf, len, (off_t)offset) != (ssize_t)len)
		abort();
	close(fd);
}

static u64 config(SELF *self, size_t offset, u32 len)
{
	return testvm_mmio_read(self->vm, self->drv.config + offset, len);
}

#define CONFIG(_self, _member)						\
	config(_self, offsetof(struct virtio_blk_config, _member),	\
	       sizeof(((struct virtio_blk_config *)0)->_member))

/* ---- what it is ----------------------------------------------------------------- */

TEST_F(blk, configuration)
{
	EXPECT_EQ(0x1042, testvm_config_read(self->vm, TEST_SLOT, 2, 2));
	EXPECT_EQ(0x1af4, testvm_config_read(self->vm, TEST_SLOT, 0, 2));
	EXPECT_EQ(SECTORS, CONFIG(self, capacity));
	EXPECT_EQ((u32)SECTORS, config(self, 0, 4));
	EXPECT_EQ(512, CONFIG(self, blk_size));
	EXPECT_EQ(3, CONFIG(self, num_queues));
	EXPECT_EQ(1, CONFIG(self, writeback));
	EXPECT_EQ(BLK_SEG_MAX, CONFIG(self, seg_max));
	EXPECT_LT(0, CONFIG(self, max_discard_sectors));
	EXPECT_LT(0, CONFIG(self, max_write_zeroes_sectors));
	EXPECT_EQ(3, virtio_driver_read(&self->drv, VIRTIO_REG_NUM_QUEUES, 2));
	/* Read-only, and zero beyond its end. */
	testvm_mmio_write(self->vm, self->drv.config, 0, 8);
	EXPECT_EQ(SECTORS, CONFIG(self, capacity));
	EXPECT_EQ(0, config(self, sizeof(struct virtio_blk_config), 4));
	EXPECT_EQ(0, config(self, 0xffc, 4));
}

TEST_F(blk, identity)
{
	u32 used;

	memset(self->ptr, 0xaa, 64);
	EXPECT_EQ(0, request(self, VIRTIO_BLK_T_GET_ID, 0, self->buf, 20,
			     &used));
	EXPECT_EQ(21, used);
	EXPECT_EQ(0, memcmp(self->ptr, "a-serial\0\0\0\0\0\0\0\0\0\0\0\0", 20));
	EXPECT_TRUE(test_all(self->ptr + 20, 0xaa, 44));
	/* More room than there is to say, and less. */
	memset(self->ptr, 0xaa, 64);
	EXPECT_EQ(0, request(self, VIRTIO_BLK_T_GET_ID, 0, self->buf, 40,
			     &used));
	EXPECT_EQ(20, used);
	memset(self->ptr, 0xaa, 64);
	EXPECT_EQ(0, request(self, VIRTIO_BLK_T_GET_ID, 0, self->buf, 4,
			     &used));
	EXPECT_EQ(5, used);
	EXPECT_TRUE(test_all(self->ptr + 4, 0xaa, 60));
}

/* ---- reading and writing ---------------------------------------------------------- */

TEST_F(blk, what_was_written_is_read)
{
	struct test_random rnd;
	u8 image[4096], data[4096];
	u32 round, used;

	test_random_init(&rnd);
	for (round = 0; round < 100; round++) {
		u64 sector = test_random_below(&rnd, SECTORS - 8);

		test_random_fill(&rnd, data, sizeof(data));
		memcpy(self->ptr, data, sizeof(data));
		ASSERT_EQ(0, request(self, VIRTIO_BLK_T_OUT, sector, self->buf,
				     4096, &used));
		ASSERT_EQ(1, used);
		peek(self, sector * 512, image, sizeof(image));
		ASSERT_EQ(0, memcmp(data, image, sizeof(data)));
		memset(self->ptr, 0, 8192);
		ASSERT_EQ(0, request(self, VIRTIO_BLK_T_IN, sector, self->buf,
				     4096, &used));
		ASSERT_EQ(4097, used);
		ASSERT_EQ(0, memcmp(data, self->ptr, sizeof(data)));
		ASSERT_TRUE(test_all(self->ptr + 4096, 0, 4096));
	}
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_FLUSH, 0, 0));
}

/* Many at a time, on two queues, in any order. */
TEST_F(blk, many_in_flight)
{
	struct test_random rnd;
	u32 round, n, len;
	u16 id;

	test_random_init(&rnd);
	for (round = 0; round < 50; round++) {
		u32 nr = 0, left[2] = { 0, 0 };

		for (n = 0; n < 16; n++) {
			u32 type = test_random_below(&rnd, 2) ?
				VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
			u32 q = (u32)test_random_below(&rnd, 2);

			if (submit(self, &self->drv.vq[q], n, type,
				   test_random_below(&rnd, SECTORS - 32),
				   self->buf + 16384 * n, 512 * (1 + n)) < 0)
				continue;
			left[q]++;
			nr |= 1U << n;
		}
		virtio_driver_notify(&self->drv.vq[0]);
		virtio_driver_notify(&self->drv.vq[1]);
		for (n = 0; n < 2; n++)
			while (left[n]--)
				ASSERT_TRUE(virtio_driver_wait(&self->drv.vq[n],
							       &id, &len));
		for (n = 0; n < 16; n++)
			if (nr & 1U << n)
				ASSERT_EQ(0, status_of(self, n));
	}
}

/* The driver may cut a request up in any way (VIRTIO-1.2 2.7.4). */
TEST_F(blk, any_framing)
{
	const struct virtio_buf out[] = {
		{ self->head, 3, false },
		{ self->head + 3, 13, false },
		{ self->buf, 100, false },
		{ self->buf + 100, 924, false },
		{ self->status, 1, true },
	};
	const struct virtio_buf in[] = {
		{ self->head, 16, false },
		{ self->buf + 4096, 511, true },
		/* The last byte of data and the status in one. */
		{ self->buf + 4096 + 511, 2, true },
	};
	const struct virtio_buf together[] = {
		/* Head and data in one. */
		{ self->buf + 8192, 16 + 512, false },
		{ self->status, 1, true },
	};
	u32 i;

	for (i = 0; i < 1024; i++)
		self->ptr[i] = (u8)(i * 7);
	put_head(self, 0, VIRTIO_BLK_T_OUT, 5);
	virtio_driver_exec(self->vq, out, 5, self->indirect);
	ASSERT_EQ(0, status_of(self, 0));
	put_head(self, 0, VIRTIO_BLK_T_IN, 5);
	self->ptr[4096 + 512] = 0xee;
	EXPECT_EQ(513, virtio_driver_exec(self->vq, in, 3, self->indirect));
	EXPECT_EQ(0, self->ptr[4096 + 512]);
	EXPECT_EQ(0, memcmp(self->ptr, self->ptr + 4096, 512));
	put_head(self, 0, VIRTIO_BLK_T_OUT, 6);
	memcpy(self->ptr + 8192, virtio_driver_ptr(&self->drv, self->head, 16),
	       16);
	memset(self->ptr + 8192 + 16, 0x5a, 512);
	virtio_driver_exec(self->vq, together, 2, self->indirect);
	ASSERT_EQ(0, status_of(self, 0));
	peek(self, 6 * 512, self->ptr, 512);
	EXPECT_TRUE(test_all(self->ptr, 0x5a, 512));
}

TEST_F(blk, discard_and_write_zeroes)
{
	struct virtio_blk_seg *seg = (struct virtio_blk_seg *)self->ptr;
	u8 image[4096];

	memset(self->ptr, 0x11, 65536);
	ASSERT_EQ(0, rw(self, VIRTIO_BLK_T_OUT, 0, 65536));
	seg[0] = (struct virtio_blk_seg){ cpu_to_le64(8), cpu_to_le32(8), 0 };
	seg[1] = (struct virtio_blk_seg){ cpu_to_le64(24), cpu_to_le32(8),
					  cpu_to_le32(VIRTIO_BLK_SEG_UNMAP) };
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 32));
	peek(self, 8 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0, 4096));
	peek(self, 24 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0, 4096));
	peek(self, 16 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0x11, 4096));
	seg[0] = (struct virtio_blk_seg){ cpu_to_le64(64), cpu_to_le32(8), 0 };
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	peek(self, 64 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0, 4096));
	peek(self, 72 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0x11, 4096));
	/* A discard has no flags, nobody has others. */
	seg[0].flags = cpu_to_le32(VIRTIO_BLK_SEG_UNMAP);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	seg[0].flags = cpu_to_le32(2);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP,
		  rw(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16));
	/* None, part of one, too many, too long, beyond the end. */
	seg[0].flags = 0;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, rw(self, VIRTIO_BLK_T_DISCARD, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, rw(self, VIRTIO_BLK_T_DISCARD, 0, 15));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  rw(self, VIRTIO_BLK_T_DISCARD, 0,
		     16 * (BLK_DISCARD_SEGS + 1)));
	seg[0].sectors = cpu_to_le32(BLK_DISCARD_SECTORS + 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	seg[0].sectors = cpu_to_le32(2);
	seg[0].sector = cpu_to_le64(SECTORS - 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	seg[0].sector = cpu_to_le64(UINT64_MAX);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR,
		  rw(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16));
	/* The first is not done when the second is wrong. */
	seg[0] = (struct virtio_blk_seg){ cpu_to_le64(72), cpu_to_le32(8), 0 };
	seg[1] = (struct virtio_blk_seg){ cpu_to_le64(SECTORS),
					  cpu_to_le32(8), 0 };
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, rw(self, VIRTIO_BLK_T_DISCARD, 0, 32));
	peek(self, 72 * 512, image, 4096);
	EXPECT_TRUE(test_all(image, 0x11, 4096));
}

/* ---- errors ---------------------------------------------------------------------- */

TEST_F(blk, wrong_requests)
{
	static const u64 sectors[] = {
		SECTORS, SECTORS + 1, SECTORS - 7, UINT64_MAX, 1ULL << 55,
		1ULL << 63,
	};
	static const u32 types[] = {
		2, 3, 5, 10, 12, 14, 0x80000000, UINT32_MAX,
	};
	const struct virtio_buf headless[] = {
		{ self->head, 15, false },
		{ self->status, 1, true },
	};
	const struct virtio_buf no_head[] = {
		{ self->status, 1, true },
	};
	u32 i, used;

	for (i = 0; i < ARRAY_SIZE(sectors); i++) {
		EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_IN, sectors[i], 4096));
		EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_OUT, sectors[i], 4096));
	}
	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_EQ(2, rw(self, types[i], 0, 512));
	EXPECT_EQ(1, request(self, VIRTIO_BLK_T_IN, 0, self->buf, 100, &used));
	EXPECT_EQ(0, used);
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_OUT, 0, 513));
	/* No data is no error. */
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 0));
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_OUT, 0, 0));
	put_head(self, 0, VIRTIO_BLK_T_IN, 0);
	virtio_driver_exec(self->vq, headless, 2, self->indirect);
	EXPECT_EQ(1, status_of(self, 0));
	put_head(self, 0, VIRTIO_BLK_T_IN, 0);
	virtio_driver_exec(self->vq, no_head, 1, self->indirect);
	EXPECT_EQ(1, status_of(self, 0));
	EXPECT_EQ(0, virtio_driver_status(&self->drv) &
		     VIRTIO_STATUS_NEEDS_RESET);
}

/* Data in the wrong direction is no data. */
TEST_F(blk, wrong_direction)
{
	const struct virtio_buf read_out[] = {
		{ self->head, 16, false },
		{ self->buf, 512, false },
		{ self->status, 1, true },
	};
	const struct virtio_buf write_in[] = {
		{ self->head, 16, false },
		{ self->buf, 512, true },
		{ self->status, 1, true },
	};
	u8 image[512];

	memset(self->ptr, 0x77, 512);
	put_head(self, 0, VIRTIO_BLK_T_IN, 0);
	virtio_driver_exec(self->vq, read_out, 3, self->indirect);
	EXPECT_EQ(0, status_of(self, 0));
	EXPECT_TRUE(test_all(self->ptr, 0x77, 512));
	put_head(self, 0, VIRTIO_BLK_T_OUT, 0);
	EXPECT_EQ(0, virtio_driver_exec(self->vq, write_in, 3,
					self->indirect));
	EXPECT_EQ(0, status_of(self, 0));
	EXPECT_TRUE(test_all(self->ptr, 0x77, 512));
	peek(self, 0, image, 512);
	EXPECT_TRUE(test_all(image, 0, 512));
}

/* A request that cannot be answered: the device asks for a reset. */
TEST_F(blk, no_room_for_a_status)
{
	const struct virtio_buf bufs[] = {
		{ self->head, 16, false },
		{ self->buf, 512, false },
	};

	put_head(self, 0, VIRTIO_BLK_T_OUT, 0);
	ASSERT_LE(0, virtio_driver_add(self->vq, bufs, 2, self->indirect));
	virtio_driver_notify(self->vq);
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
	EXPECT_TRUE(virtio_driver_quiet(self->vq, 20));
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_OUT, 0, 512));
}

TEST_F(blk, the_host_fails)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	u32 used;

	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_FAIL, .first = 1, .count = 0,
		.result = -EIO,
	});
	EXPECT_EQ(1, request(self, VIRTIO_BLK_T_IN, 0, self->buf, 4096,
			     &used));
	EXPECT_EQ(0, used);
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_FLUSH, 0, 0));
	block_fault_plan(fault, &(struct block_fault_plan){ 0 });
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 4096));
	block_fault_detach(fault);
}

/* Offers a read again and again, as if the device had given it back. */
static void offer_again(SELF *self, struct virtio_vq *vq, u32 lap)
{
	u16 mine = lap % 2 ? VIRTQ_DESC_F_USED : VIRTQ_DESC_F_AVAIL;
	struct virtq_packed_desc *packed = (void *)vq->desc;
	struct virtq_desc *split = (void *)vq->desc;
	__le16 *avail = (void *)vq->driver;
	u32 i;

	/* The first one last: nothing is looked at before that. */
	for (i = vq->size; i-- > 0;) {
		u64 addr = i % 2 ? self->status : self->head;
		u16 flags = i % 2 ? VIRTQ_DESC_F_WRITE : VIRTQ_DESC_F_NEXT;

		if (vq->packed) {
			packed[i].addr = cpu_to_le64(addr);
			packed[i].len = cpu_to_le32(i % 2 ? 1 : 16);
			__atomic_store_n(&packed[i].flags,
					 cpu_to_le16(flags | mine),
					 __ATOMIC_RELEASE);
			continue;
		}
		split[i].addr = cpu_to_le64(addr);
		split[i].len = cpu_to_le32(i % 2 ? 1 : 16);
		split[i].flags = cpu_to_le16(flags);
		split[i].next = cpu_to_le16((u16)(i + 1));
		/* All of them are the first chain. */
		avail[2 + i] = 0;
	}
	if (!vq->packed)
		__atomic_store_n(&avail[1],
				 cpu_to_le16((u16)((lap + 1) * vq->size / 2)),
				 __ATOMIC_RELEASE);
	virtio_driver_notify(vq);
}

/* A driver that offers more than a full queue, and the disk takes its time. */
TEST_F(blk, more_than_a_full_queue)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	u32 lap;

	ASSERT_TRUE(virtio_driver_negotiate(&self->drv, variant->features |
					    BLK_FEATURES));
	virtio_driver_queue(&self->drv, 0, BLK_QUEUE_SIZE);
	virtio_driver_ok(&self->drv);
	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_HANG, .first = 1, .count = 0,
	});
	put_head(self, 0, VIRTIO_BLK_T_FLUSH, 0);
	for (lap = 0; lap < 2; lap++) {
		offer_again(self, self->vq, lap);
		while (block_fault_hanging(fault) <
		       (lap + 1) * BLK_QUEUE_SIZE / 2)
			testvm_poll(self->vm);
	}
	offer_again(self, self->vq, lap);
	block_fault_plan(fault, &(struct block_fault_plan){ 0 });
	/* The device goes on to ask for a reset, and gives all of them back. */
	while (!atomic_load(&self->blk->v.failed) &&
	       !(virtio_driver_status(&self->drv) & VIRTIO_STATUS_NEEDS_RESET))
		testvm_poll(self->vm);
	block_fault_release(fault);
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_OUT, 0, 512));
	block_fault_detach(fault);
}

/* ---- the cache -------------------------------------------------------------------- */

static u64 flushes_of_a_write(SELF *self, struct block_fault *fault)
{
	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_NONE, .kinds = 1 << BLOCK_FLUSH,
	});
	if (rw(self, VIRTIO_BLK_T_OUT, 0, 512))
		abort();
	return block_fault_seen(fault);
}

/* Without a flush command a discard is made stable by a flush behind it. */
TEST_F(blk, writeback_field)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	struct virtio_blk_seg *seg = (struct virtio_blk_seg *)self->ptr;
	u64 at = self->drv.config + offsetof(struct virtio_blk_config,
					     writeback);

	begin(self, variant->features | BLK_FEATURES |
	      VIRTIO_BLK_F_CONFIG_WCE);
	EXPECT_EQ(0, flushes_of_a_write(self, fault));
	*seg = (struct virtio_blk_seg){ cpu_to_le64(8), cpu_to_le32(8), 0 };
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	EXPECT_EQ(0, block_fault_seen(fault));
	testvm_mmio_write(self->vm, at, 0xfe, 1);
	EXPECT_EQ(0, CONFIG(self, writeback));
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	EXPECT_EQ(1, block_fault_seen(fault));
	/* Saved with the rest, and as at power-on after a reset. */
	ASSERT_EQ(0, test_quiesce(self->dev));
	ASSERT_EQ(0, test_save_load(self->dev));
	EXPECT_EQ(0, CONFIG(self, writeback));
	self->dev->class->ops->resume(self->dev);
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(1, CONFIG(self, writeback));
	/* A driver without flushes. */
	begin(self, variant->features | VIRTIO_BLK_F_DISCARD);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, rw(self, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	EXPECT_EQ(2, block_fault_seen(fault));
	block_fault_detach(fault);
}

/* ---- resets and pauses ------------------------------------------------------------- */

static void hang(SELF *self, struct block_fault *fault, u32 nr)
{
	u32 n;

	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_HANG, .first = 1, .count = 0,
	});
	for (n = 0; n < nr; n++)
		if (submit(self, self->vq, n, VIRTIO_BLK_T_IN, n * 8,
			   self->buf + 4096 * n, 4096) < 0)
			abort();
	virtio_driver_notify(self->vq);
	while (block_fault_hanging(fault) < nr)
		testvm_poll(self->vm);
}

/* A reset cancels what is in flight; nothing of it reaches the driver. */
TEST_F(blk, reset_with_requests_in_flight)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	u32 round;

	for (round = 0; round < 5; round++) {
		hang(self, fault, 4);
		virtio_driver_reset(&self->drv);
		EXPECT_EQ(0, block_fault_hanging(fault));
		EXPECT_EQ(0xee, status_of(self, 0));
		block_fault_plan(fault, &(struct block_fault_plan){ 0 });
		begin(self, variant->features | BLK_FEATURES);
		EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	}
	block_fault_detach(fault);
}

/* One queue is reset, the other one goes on. */
TEST_F(blk, queue_reset_with_requests_in_flight)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	struct virtio_driver *drv = &self->drv;
	u32 n, len;
	u16 id;

	hang(self, fault, 4);
	block_fault_plan(fault, &(struct block_fault_plan){ 0 });
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_SELECT, 0, 2);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_RESET, 1, 2);
	if (!(variant->features & VIRTIO_F_RING_RESET)) {
		EXPECT_EQ(0, virtio_driver_read(drv, VIRTIO_REG_QUEUE_RESET,
						2));
		EXPECT_EQ(1, virtio_driver_read(drv, VIRTIO_REG_QUEUE_ENABLE,
						2));
		block_fault_release(fault);
		for (n = 0; n < 4; n++)
			EXPECT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		block_fault_detach(fault);
		return;
	}
	while (virtio_driver_read(drv, VIRTIO_REG_QUEUE_RESET, 2))
		testvm_poll(self->vm);
	EXPECT_EQ(0, virtio_driver_read(drv, VIRTIO_REG_QUEUE_ENABLE, 2));
	EXPECT_EQ(0xee, status_of(self, 0));
	self->vq = &drv->vq[1];
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	self->vq = &drv->vq[0];
	virtio_driver_queue_enable(drv, 0);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	block_fault_detach(fault);
}

/* A pause waits for what is in flight, which ends as always. */
TEST_F(blk, pause_with_requests_in_flight)
{
	struct test_random rnd;
	u32 round, n, len;
	u16 id;

	test_random_init(&rnd);
	for (round = 0; round < 20; round++) {
		for (n = 0; n < 5; n++)
			ASSERT_LE(0, submit(self, self->vq, n,
					    VIRTIO_BLK_T_OUT, n * 8,
					    self->buf + 4096 * n, 4096));
		virtio_driver_notify(self->vq);
		if (test_random_below(&rnd, 2))
			testvm_poll(self->vm);
		ASSERT_EQ(0, test_quiesce(self->dev));
		for (n = 0; virtio_driver_reap(self->vq, &id, &len); n++)
			;
		EXPECT_EQ(0, block_in_flight(self->blk->disk));
		/* Nothing more comes. */
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 2));
		ASSERT_EQ(0, test_save_load(self->dev));
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 2));
		self->dev->class->ops->resume(self->dev);
		for (; n < 5; n++)
			ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		for (n = 0; n < 5; n++)
			ASSERT_EQ(0, status_of(self, n));
	}
}

/* Requests of 4 KiB, the n-th at sector 8n: every second one reads, others write. */
static void submit_mixed(SELF *self, u32 nr)
{
	u32 n;

	for (n = 0; n < nr; n++) {
		memset(self->ptr + 4096 * n, n % 2 ? (int)(0x40 + n) : 0, 4096);
		if (submit(self, self->vq, n,
			   n % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, n * 8,
			   self->buf + 4096 * n, 4096) < 0)
			abort();
	}
	virtio_driver_notify(self->vq);
}

static void fill_disk(SELF *self)
{
	memset(self->ptr, 0x33, 65536);
	if (rw(self, VIRTIO_BLK_T_OUT, 0, 65536))
		abort();
}

static bool were_done(SELF *self, u32 nr)
{
	u8 data[4096];
	u32 n;

	for (n = 0; n < nr; n++) {
		peek(self, 4096ULL * n, data, sizeof(data));
		if (status_of(self, n) ||
		    !test_all(self->ptr + 4096 * n, n % 2 ? 0x40 + n : 0x33,
			      4096) ||
		    memcmp(data, self->ptr + 4096 * n, 4096))
			return false;
	}
	return true;
}

/*
 * The host does not end the middle ones of five requests, so others are given
 * back before them. They are put aside, saved, and done again: nobody sees a
 * thing.
 */
TEST_F(blk, a_pause_puts_aside_what_does_not_end)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);
	u32 round, n, got, len;
	u16 id;

	for (round = 0; round < 2; round++) {
		fill_disk(self);
		block_fault_plan(fault, &(struct block_fault_plan){
			.action = BLOCK_FAULT_HANG, .first = 2, .count = 3,
		});
		submit_mixed(self, 5);
		while (block_fault_hanging(fault) < 3)
			testvm_poll(self->vm);
		for (got = 0; got < 2; got++)
			ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		ASSERT_EQ(0, test_quiesce(self->dev));
		EXPECT_EQ(0, block_fault_hanging(fault));
		EXPECT_EQ(0, block_in_flight(self->blk->disk));
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 2));
		if (round)
			ASSERT_EQ(0, test_save_load(self->dev));
		self->dev->class->ops->resume(self->dev);
		for (; got < 5; got++)
			ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		EXPECT_TRUE(were_done(self, 5));
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 2));
		for (n = 0; n < 40; n++)
			ASSERT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	}
	block_fault_detach(fault);
}

/* In a packed ring a driver may call its requests by any numbers of 16 bits. */
TEST_F(blk, a_pause_puts_aside_any_identifier)
{
	static const u16 bases[] = { 256, 0xfff8 };
	struct block_fault *fault;
	u32 round, got, len;
	u16 id;

	if (variant->features != RING_PACKED_EVENT)
		return;
	fault = block_fault_attach(self->blk->disk);
	for (round = 0; round < ARRAY_SIZE(bases); round++) {
		fill_disk(self);
		self->vq->id_base = bases[round];
		block_fault_plan(fault, &(struct block_fault_plan){
			.action = BLOCK_FAULT_HANG, .first = 1, .count = 16,
		});
		submit_mixed(self, 16);
		while (block_fault_hanging(fault) < 16)
			testvm_poll(self->vm);
		ASSERT_EQ(0, test_quiesce(self->dev));
		ASSERT_EQ(0, test_save_load(self->dev));
		self->dev->class->ops->resume(self->dev);
		for (got = 0; got < 16; got++)
			ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
		EXPECT_TRUE(were_done(self, 16));
		EXPECT_TRUE(virtio_driver_quiet(self->vq, 2));
		self->vq->id_base = 0;
	}
	block_fault_detach(fault);
}

/* Two that nobody can tell apart are not saved; the guest runs on. */
TEST_F(blk, a_pause_with_doubled_identifiers)
{
	struct error err = ERROR_INIT;
	struct block_fault *fault;
	u32 len;
	u16 id;

	if (variant->features != RING_PACKED)
		return;
	fault = block_fault_attach(self->blk->disk);
	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_HANG, .first = 1, .count = 2,
	});
	for (self->vq->id_base = 2; self->vq->id_base; self->vq->id_base--)
		ASSERT_LE(0, submit(self, self->vq, 2 - self->vq->id_base,
				    VIRTIO_BLK_T_IN, 0, self->buf, 512));
	virtio_driver_notify(self->vq);
	while (block_fault_hanging(fault) < 2)
		testvm_poll(self->vm);
	EXPECT_EQ(-EPROTO, self->dev->class->ops->quiesce(self->dev, &err));
	EXPECT_NE(NULL, strstr(err.text, "queue 0: the driver calls two requests 2"))
		TH_LOG("%s", err.text);
	for (self->vq->id_base = 2; self->vq->id_base; self->vq->id_base--)
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	EXPECT_EQ(0, status_of(self, 0));
	EXPECT_EQ(0, status_of(self, 1));
	block_fault_detach(fault);
}

/* A reset forgets what was put aside. */
TEST_F(blk, reset_of_what_was_put_aside)
{
	struct block_fault *fault;

	/* It takes seconds, and has to do with no kind of ring. */
	if (variant->features != RING_PACKED)
		return;
	fault = block_fault_attach(self->blk->disk);
	hang(self, fault, 4);
	ASSERT_EQ(0, test_quiesce(self->dev));
	block_fault_plan(fault, &(struct block_fault_plan){ 0 });
	self->dev->class->ops->reset(self->dev);
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(0, block_fault_seen(fault));
	EXPECT_EQ(0xee, status_of(self, 0));
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	self->buf = 0;
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	block_fault_detach(fault);
}

/* One that the disk does not let go of: the pause fails, the guest runs on. */
TEST_F(blk, a_pause_that_cannot_be)
{
	struct error err = ERROR_INIT;
	struct block_fault *fault;
	u32 got, len;
	u16 id;

	/* It takes seconds, and has to do with no kind of ring. */
	if (variant->features != RING_SPLIT_EVENT)
		return;
	fault = block_fault_attach(self->blk->disk);
	fill_disk(self);
	block_fault_plan(fault, &(struct block_fault_plan){
		.action = BLOCK_FAULT_HANG, .first = 2, .count = 1,
		.stubborn = true,
	});
	submit_mixed(self, 6);
	while (!block_fault_hanging(fault))
		testvm_poll(self->vm);
	EXPECT_EQ(-ETIMEDOUT, self->dev->class->ops->quiesce(self->dev, &err));
	EXPECT_STREQ("the host did not end requests within 10 s", err.text);
	EXPECT_EQ(1, block_fault_hanging(fault));
	/* Others go on beside it, and new ones too. */
	for (got = 0; got < 5; got++)
		ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	ASSERT_LE(0, submit(self, self->vq, 7, VIRTIO_BLK_T_IN, 0,
			    self->buf + 65536, 512));
	virtio_driver_notify(self->vq);
	ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	EXPECT_EQ(0, status_of(self, 7));
	block_fault_release(fault);
	ASSERT_TRUE(virtio_driver_wait(self->vq, &id, &len));
	EXPECT_TRUE(were_done(self, 6));
	ASSERT_EQ(0, test_quiesce(self->dev));
	self->dev->class->ops->resume(self->dev);
	block_fault_detach(fault);
}

/*
 * Stops that come twice, for a chain that cannot be and for a reset, right
 * before a queue is started and stopped again: none may be lost.
 */
TEST_F(blk, stops_in_a_row)
{
	const struct virtio_buf bad[] = {
		{ UINT64_MAX - 4096, 16, false },
	};
	struct test_random rnd;
	u32 round, polls;

	test_random_init(&rnd);
	for (round = 0; round < 300; round++) {
		virtio_driver_add(self->vq, bad, 1, false);
		virtio_driver_notify(self->vq);
		polls = (u32)test_random_below(&rnd, 4);
		while (polls--)
			testvm_poll(self->vm);
		if (test_random_below(&rnd, 2))
			usleep((u32)test_random_below(&rnd, 100));
		self->drv.arena_next = self->buf + BUF;
		begin(self, variant->features | BLK_FEATURES);
		ASSERT_EQ(0, test_quiesce(self->dev));
		self->dev->class->ops->resume(self->dev);
	}
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

/* The machine ends in the middle. */
TEST_F(blk, end_with_requests_in_flight)
{
	struct block_fault *fault = block_fault_attach(self->blk->disk);

	hang(self, fault, 4);
	virtio_driver_write(&self->drv, VIRTIO_REG_DEVICE_STATUS, 0, 1);
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv, 0xff, 0));
	block_fault_detach(fault);
	begin(self, variant->features | BLK_FEATURES);
	ASSERT_LE(0, submit(self, self->vq, 0, VIRTIO_BLK_T_IN, 0, self->buf,
			    65536));
	virtio_driver_notify(self->vq);
}

/* ---- options ------------------------------------------------------------------------ */

TEST_F(blk, write_protected)
{
	testvm_destroy(self->vm);
	self->buf = 0;
	add_disk(self, ",ro");
	EXPECT_TRUE(virtio_driver_offered(&self->drv) & VIRTIO_BLK_F_RO);
	EXPECT_FALSE(virtio_driver_offered(&self->drv) & VIRTIO_BLK_F_DISCARD);
	EXPECT_FALSE(virtio_driver_negotiate(&self->drv, variant->features |
					     VIRTIO_BLK_F_DISCARD));
	begin(self, variant->features | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_FLUSH);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_OUT, 0, 512));
	EXPECT_EQ(2, rw(self, VIRTIO_BLK_T_DISCARD, 0, 16));
	EXPECT_EQ(2, rw(self, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16));
}

TEST_F(blk, block_size_4096)
{
	testvm_destroy(self->vm);
	self->buf = 0;
	add_disk(self, ",bs=4096");
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(4096, CONFIG(self, blk_size));
	EXPECT_EQ(8, CONFIG(self, discard_sector_alignment));
	EXPECT_EQ(SECTORS, CONFIG(self, capacity));
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 8, 4096));
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_IN, 1, 4096));
	EXPECT_EQ(1, rw(self, VIRTIO_BLK_T_IN, 8, 512));
}

/* Another disk under a saved machine is refused. */
TEST_F(blk, state_of_another_disk)
{
	struct error err = ERROR_INIT;
	struct blk_state_view {
		struct virtio_state virtio;
		u64 sectors;
		u64 writeback;
	} *state;

	ASSERT_EQ(0, test_quiesce(self->dev));
	state = testvm_save(self->dev);
	state->sectors++;
	EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &err));
	free(state);
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

/* What blk_state.c keeps to itself. */
struct blk_again_view {
	u16 queue;
	u16 id;
	u16 slots;
	u16 out_nr;
	u16 in_nr;
};

struct blk_state_view {
	struct virtio_state virtio;
	u64 sectors;
	u64 writeback;
	u32 again_nr;
	u32 numbers_nr;
	struct blk_again_view again[1024];
	u64 buffers[2 * 8192];
};

/* One request of queue 0 that is to be done again. */
static void put_again(struct blk_state_view *state, u16 slots)
{
	state->again_nr = 1;
	state->again[0] = (struct blk_again_view){ 0, 0, slots, 1, 1 };
	state->numbers_nr = 4;
	state->buffers[0] = TESTVM_RAM + 0x1000;
	state->buffers[1] = 16;
	state->buffers[2] = TESTVM_RAM + 0x2000;
	state->buffers[3] = 1;
}

/* A queue that has not run has no requests. */
TEST_F(blk, state_with_requests_before_the_driver_is_ready)
{
	struct error err = ERROR_INIT;
	struct blk_state_view *state;

	ASSERT_EQ(0, test_quiesce(self->dev));
	state = testvm_save(self->dev);
	put_again(state, 1);
	state->virtio.status &= (u16)~VIRTIO_STATUS_DRIVER_OK;
	EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &err));
	free(state);
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

/* What was put aside does not outlive its queue: the next one may be smaller. */
TEST_F(blk, queue_reset_of_what_was_put_aside)
{
	bool packed = variant->features & VIRTIO_F_RING_PACKED;
	struct error err = ERROR_INIT;
	struct blk_state_view *state;

	if (!(variant->features & VIRTIO_F_RING_RESET))
		return;
	ASSERT_EQ(0, test_quiesce(self->dev));
	state = testvm_save(self->dev);
	put_again(state, packed ? 16 : 1);
	/* So that the queue does not run and does it. */
	state->virtio.status |= VIRTIO_STATUS_NEEDS_RESET;
	ASSERT_EQ(0, testvm_load(self->dev, state, &err))
		TH_LOG("%s", err.text);
	free(state);
	self->dev->class->ops->resume(self->dev);
	virtio_driver_write(&self->drv, VIRTIO_REG_QUEUE_SELECT, 0, 2);
	virtio_driver_write(&self->drv, VIRTIO_REG_QUEUE_RESET, 1, 2);
	EXPECT_EQ(0, virtio_driver_read(&self->drv, VIRTIO_REG_QUEUE_RESET, 2));
	virtio_driver_queue(&self->drv, 0, 4);
	ASSERT_EQ(0, test_quiesce(self->dev));
	state = testvm_save(self->dev);
	EXPECT_EQ(0, state->again_nr);
	free(state);
	self->dev->class->ops->resume(self->dev);
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

/* In a split ring it is the head's index, in a packed one any number. */
TEST_F(blk, state_with_identifiers)
{
	bool packed = variant->features & VIRTIO_F_RING_PACKED;
	struct error err = ERROR_INIT;
	struct blk_state_view *state;

	ASSERT_EQ(0, test_quiesce(self->dev));
	state = testvm_save(self->dev);
	put_again(state, 1);
	memcpy(&state->buffers[4], state->buffers, 4 * sizeof(u64));
	state->again[1] = state->again[0];
	state->again_nr = 2;
	state->numbers_nr = 8;
	EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &err));
	EXPECT_NE(NULL, strstr(err.text, "queue 0 has two requests 0"))
		TH_LOG("%s", err.text);
	/* Of another queue it is another one. */
	state->again[1].queue = 1;
	/* So that the queues do not run and do them. */
	state->virtio.status |= VIRTIO_STATUS_NEEDS_RESET;
	EXPECT_EQ(0, testvm_load(self->dev, state, &err))
		TH_LOG("%s", err.text);
	self->dev->class->ops->reset(self->dev);
	state->again[1].id = 16;
	EXPECT_EQ(packed ? 0 : -EINVAL, testvm_load(self->dev, state, &err));
	if (!packed)
		EXPECT_NE(NULL, strstr(err.text, "queue 1 has no request 16"));
	free(state);
	self->dev->class->ops->reset(self->dev);
	self->dev->class->ops->resume(self->dev);
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	self->buf = 0;
	begin(self, variant->features | BLK_FEATURES);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

/* What is to be done again comes from outside, too. */
TEST_F(blk, state_with_requests_that_cannot_be)
{
	const u64 ram = TESTVM_RAM;
	const struct {
		struct blk_again_view again;
		u32 numbers_nr;
		u64 addr;
		u64 len;
		const char *why;
	} cases[] = {
		{ { 3, 0, 1, 1, 1 }, 4, ram + 0x1000, 16, "there is no queue 3" },
		{ { 2, 0, 1, 1, 1 }, 4, ram + 0x1000, 16, "queue 2 has no request 0" },
		{ { 0, 0, 17, 1, 1 }, 4, ram + 0x1000, 16, NULL },
		{ { 0, 0, 1, 1, 1 }, 2, ram + 0x1000, 16, "there are too few" },
		{ { 0, 0, 1, 1, 1 }, 6, ram + 0x1000, 16, "there are too many" },
		{ { 0, 0, 1, 200, 200 }, 800, ram + 0x1000, 16, "more than" },
		{ { 0, 0, 1, 1, 1 }, 4, ram + 0x1000, 0, "are not in RAM" },
		{ { 0, 0, 1, 1, 1 }, 4, ram + 16 * MIB - 8, 16, "are not in RAM" },
		{ { 0, 0, 1, 1, 1 }, 4, UINT64_MAX - 7, 16, "are not in RAM" },
	};
	struct blk_state_view *state;
	u32 i, n;

	ASSERT_EQ(sizeof(*state), self->dev->class->state->size);
	ASSERT_EQ(0, test_quiesce(self->dev));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;

		state = testvm_save(self->dev);
		state->again_nr = 1;
		state->again[0] = cases[i].again;
		state->numbers_nr = cases[i].numbers_nr;
		for (n = 0; n < state->numbers_nr; n += 2) {
			state->buffers[n] = cases[i].addr;
			state->buffers[n + 1] = cases[i].len;
		}
		EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &err));
		if (cases[i].why)
			EXPECT_NE(NULL, strstr(err.text, cases[i].why))
				printf("# %u: %s\n", i, err.text);
		free(state);
	}
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(0, rw(self, VIRTIO_BLK_T_IN, 0, 512));
}

TEST_HARNESS_MAIN
