// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an entropy device
 *
 * VIRTIO-1.2 5.4. One queue; each buffer that the driver offers is filled from
 * the host's getrandom(2). All is done on the main loop: a guest asks for a few
 * hundred bytes a second when it asks for much.
 *
 * A guest that asks for more than RATE_BYTES in a second waits for the next
 * one, so that it cannot keep the main loop busy, with small buffers and empty
 * ones neither; what it waits for stays in the ring. How much it may still have
 * in this second is no state: that protects this host's main loop, and the guest
 * cannot see it but as time. So a machine that comes to another host may have as
 * much as any there.
 */
#include <string.h>
#include <sys/random.h>

#include "virtio/virtio.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define QUEUE_SIZE	64
#define IOVS_MAX	(QUEUE_SIZE + MEMORY_BLOCKS_MAX)
#define CHAIN_BYTES	4096		/* of each buffer, at most */
#define COST_BYTES	256U		/* a buffer counts for so many at least */
#define RATE_BYTES	(1 << 20)	/* in a period */
#define PERIOD_NS	1000000000ULL
#define TURN_BYTES	(64 << 10)	/* then others have their turn */

/**
 * struct rng - the device
 * @v: its virtio part
 * @left: bytes that may still be given in this period
 * @period: ends the period; runs once something was given in it
 * @timing: @period is running
 * @bytes: given so far
 * @iov: of the buffer at hand
 *
 * All but @v belongs to the main loop.
 */
struct rng {
	struct virtio_device v;
	u32 left;
	struct io_timer period;
	bool timing;
	_Atomic u64 bytes;
	struct iovec iov[IOVS_MAX];
};

static struct rng *to_rng(struct virtio_device *v)
{
	return container_of(v, struct rng, v);
}

/* Fills the start of a buffer; a driver takes less than it has asked for. */
static u32 fill(struct rng *rng, const struct virtio_chain *chain)
{
	u64 room = min_of(chain->in_len, (u64)CHAIN_BYTES);
	u32 want = min_of((u32)room, rng->left);
	u8 buf[CHAIN_BYTES];
	u32 got = 0;

	while (got < want) {
		ssize_t n = getrandom(buf + got, want - got, 0);

		if (n > 0)
			got += (u32)n;
		else if (n < 0 && errno != EINTR)
			break;
	}
	virtio_chain_write(chain, 0, buf, got);
	explicit_bzero(buf, got);
	return got;
}

static void period_begin(struct rng *rng)
{
	if (rng->timing)
		return;
	rng->timing = true;
	io_timer_set(&rng->period, PERIOD_NS);
}

static void period_end(struct io_timer *timer)
{
	struct rng *rng = container_of(timer, struct rng, period);

	rng->timing = false;
	rng->left = RATE_BYTES;
	virtio_queue_wake(&rng->v.queues[0]);
}

static enum virtio_next rng_handle(struct virtio_queue *q)
{
	struct rng *rng = to_rng(q->v);
	struct virtio_chain chain;
	u32 turn = 0, cost, n;

	while (turn < TURN_BYTES) {
		if (!rng->left)
			return VIRTIO_NEXT_WAKE;
		if (!virtio_queue_pop(q, &chain, rng->iov, IOVS_MAX))
			return VIRTIO_NEXT_CHAIN;
		n = fill(rng, &chain);
		cost = max_of(n, COST_BYTES);
		rng->left -= min_of(cost, rng->left);
		turn += cost;
		atomic_fetch_add(&rng->bytes, n);
		virtio_queue_push(q, &chain, n);
		period_begin(rng);
	}
	return VIRTIO_NEXT_TURN;
}

static const struct virtio_ops rng_virtio_ops = {
	.handle	= rng_handle,
};

static int rng_realize(struct device *dev, struct error *err)
{
	static const struct virtio_setup setup = {
		.id		= VIRTIO_ID_ENTROPY,
		.pci_class	= 0x00ff00,	/* none that is defined */
		.queues_nr	= 1,
		.queue_size	= QUEUE_SIZE,
		.ops		= &rng_virtio_ops,
	};
	struct rng *rng = to_rng(virtio_device_of(dev));

	rng->left = RATE_BYTES;
	io_timer_init(&rng->period, &dev->vm->loop, period_end);
	return virtio_realize(&rng->v, &setup, err);
}

static void rng_unrealize(struct device *dev)
{
	struct rng *rng = to_rng(virtio_device_of(dev));

	virtio_unrealize(&rng->v);
	io_timer_destroy(&rng->period);
}

static void rng_save(const struct device *dev, void *state)
{
	virtio_state_save(container_of(dev, const struct virtio_device,
				       pci.dev), state);
}

static int rng_check(const struct device *dev, const void *state,
		     struct error *err)
{
	return virtio_state_check(container_of(dev, const struct virtio_device,
					       pci.dev), state, err);
}

static void rng_load(struct device *dev, const void *state)
{
	virtio_state_load(virtio_device_of(dev), state);
}

static void rng_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct rng *rng = container_of(dev, const struct rng, v.pci.dev);

	virtio_stat(dev, sink);
	sink->counter(sink, "bytes", atomic_load(&rng->bytes));
}

static const struct state_field rng_fields[] = {
	{
		.name = "virtio", .kind = STATE_KIND_STRUCT, .capacity = 1,
		.count_offset = STATE_NO_COUNT, .nested = &virtio_state_desc,
	},
};

/* Nothing of its own: the state is that of the virtio part. */
static const struct state_desc rng_state =
	STATE_DESC("lkvm,virtio-rng-v1", struct virtio_state, rng_fields);

static const struct device_ops rng_ops = {
	.realize	= rng_realize,
	.reset		= virtio_reset,
	.quiesce	= virtio_quiesce,
	.save		= rng_save,
	.check		= rng_check,
	.load		= rng_load,
	.resume		= virtio_resume,
	.unrealize	= rng_unrealize,
	.stat		= rng_stat,
};

static const struct device_class rng_class = {
	.name		= "rng",
	.compatible	= "lkvm,virtio-rng",
	.summary	= "virtio entropy device",
	.kind		= DEVICE_PCI,
	.default_options = "",
	.max		= 1,
	.instance_size	= sizeof(struct rng),
	.state		= &rng_state,
	.ops		= &rng_ops,
};

DEVICE_CLASS_REGISTER(rng_class);
