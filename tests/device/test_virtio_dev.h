/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a virtio device for tests of rings and transport
 *
 * Device class "test-virtio", registered in the test program that includes this
 * file: two queues on the main loop. A chain's answer is what it has to read, as
 * far as there is room. Chains are answered at once, or kept until the test says
 * so. No other program has it.
 */
#ifndef TESTS_DEVICE_TEST_VIRTIO_DEV_H
#define TESTS_DEVICE_TEST_VIRTIO_DEV_H

#include "tests/device/test_virtio.h"

#define TEST_QUEUE	256		/* entries at most */
#define TEST_QUEUES	2
#define TEST_VECTORS	(TEST_QUEUES + 1)
#define TEST_FEATURE	BIT_ULL(3)	/* of its own */
#define TEST_NOT_ALONE	BIT_ULL(5)	/* wants TEST_FEATURE */
#define TEST_IOVS	300

struct test_chain {
	struct virtio_chain chain;
	struct iovec iov[TEST_IOVS];
};

struct test_virtio {
	struct virtio_device v;
	u8 config[16];
	bool keep;
	bool unpop;
	u32 kept;
	u32 handled;
	u32 starts;
	u32 stops;
	u32 resets;
	u32 writes;
	struct test_chain chains[TEST_QUEUE];
};

static inline struct test_virtio *to_test(struct virtio_device *v)
{
	return container_of(v, struct test_virtio, v);
}

static void test_answer(struct virtio_queue *q, struct test_chain *c)
{
	u8 buf[65536];
	u64 n = virtio_chain_read(&c->chain, 0, buf, sizeof(buf));

	n = virtio_chain_write(&c->chain, 0, buf, n);
	virtio_queue_push(q, &c->chain, (u32)n);
}

static enum virtio_next test_handle(struct virtio_queue *q)
{
	struct test_virtio *t = to_test(q->v);
	struct test_chain *c;

	t->handled++;
	for (;;) {
		c = &t->chains[t->keep ? t->kept : TEST_QUEUE - 1];
		if (!virtio_queue_pop(q, &c->chain, c->iov, TEST_IOVS))
			return VIRTIO_NEXT_CHAIN;
		if (t->unpop) {
			virtio_queue_unpop(q, &c->chain);
			return VIRTIO_NEXT_WAKE;
		}
		if (t->keep)
			t->kept++;
		else
			test_answer(q, c);
	}
}

/* Answers the n-th of those that are kept. */
static __maybe_unused void test_release(struct test_virtio *t, u32 queue, u32 n)
{
	test_answer(&t->v.queues[queue], &t->chains[n]);
	t->chains[n] = t->chains[--t->kept];
	/* Its vectors have moved with it. */
	t->chains[n].chain.iov = t->chains[n].iov;
}

static void test_queue_start(struct virtio_queue *q)
{
	to_test(q->v)->starts++;
}

static void test_queue_stop(struct virtio_queue *q)
{
	struct test_virtio *t = to_test(q->v);

	t->stops++;
	while (t->kept && q->index == 0)
		test_release(t, 0, 0);
}

static bool test_features_ok(const struct virtio_device *v, u64 features)
{
	return !(features & TEST_NOT_ALONE) || (features & TEST_FEATURE);
}

static void test_reset(struct virtio_device *v)
{
	to_test(v)->resets++;
}

static void test_config_written(struct virtio_device *v, u32 offset, u32 len)
{
	to_test(v)->writes++;
}

static const struct virtio_ops test_virtio_ops = {
	.features_ok	= test_features_ok,
	.reset		= test_reset,
	.config_written	= test_config_written,
	.handle		= test_handle,
	.queue_start	= test_queue_start,
	.queue_stop	= test_queue_stop,
};

static int test_realize(struct device *dev, struct error *err)
{
	static const u8 wmask[16] = { [4] = 0x0f, [5] = 0xff };
	struct test_virtio *t = to_test(virtio_device_of(dev));
	const struct virtio_setup setup = {
		.id		= 62,
		.pci_class	= 0x00ff00,
		.features	= TEST_FEATURE | TEST_NOT_ALONE,
		.queues_nr	= TEST_QUEUES,
		.queue_size	= TEST_QUEUE,
		.config		= t->config,
		.config_len	= sizeof(t->config),
		.config_wmask	= wmask,
		.ops		= &test_virtio_ops,
	};

	return virtio_realize(&t->v, &setup, err);
}

static void test_unrealize(struct device *dev)
{
	virtio_unrealize(virtio_device_of(dev));
}

static void test_save(const struct device *dev, void *state)
{
	virtio_state_save(container_of(dev, const struct virtio_device,
				       pci.dev), state);
}

static int test_check(const struct device *dev, const void *state,
		      struct error *err)
{
	return virtio_state_check(container_of(dev, const struct virtio_device,
					       pci.dev), state, err);
}

static void test_load(struct device *dev, const void *state)
{
	virtio_state_load(virtio_device_of(dev), state);
}

static const struct state_field test_fields[] = {
	{
		.name = "virtio", .kind = STATE_KIND_STRUCT, .capacity = 1,
		.count_offset = STATE_NO_COUNT, .nested = &virtio_state_desc,
	},
};

static const struct state_desc test_state =
	STATE_DESC("lkvm,test-virtio-v1", struct virtio_state, test_fields);

static const struct device_ops test_dev_ops = {
	.realize	= test_realize,
	.reset		= virtio_reset,
	.quiesce	= virtio_quiesce,
	.save		= test_save,
	.check		= test_check,
	.load		= test_load,
	.resume		= virtio_resume,
	.unrealize	= test_unrealize,
	.stat		= virtio_stat,
};

static const struct device_class test_virtio_class = {
	.name		= "test-virtio",
	.compatible	= "lkvm,test-virtio",
	.summary	= "for tests",
	.kind		= DEVICE_PCI,
	.max		= 4,
	.instance_size	= sizeof(struct test_virtio),
	.state		= &test_state,
	.ops		= &test_dev_ops,
};

DEVICE_CLASS_REGISTER(test_virtio_class);

#endif /* TESTS_DEVICE_TEST_VIRTIO_DEV_H */
