// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a memory balloon: memory of the guest goes back to the host
 *
 * VIRTIO-1.2 5.5, the traditional one. The guest gives pages to the balloon
 * when it is asked to (inflating), and reports those that are free anyway; both
 * go back to the host by guest_memory_discard(), so they are holes in a
 * snapshot and zeros in a migration. A page that is taken back from the balloon
 * needs nothing: the host gives memory when it is touched.
 *
 * Every page number is checked against RAM; what is none is counted and
 * ignored. Discarding is never more than a help, so what would take too long is
 * left out: no buffer makes the device look at more than PAGES_MAX pages.
 *
 * Statistics: the driver's buffer stays in its queue until somebody asks; to
 * give it back is to ask for new ones, which come in the next buffer.
 *
 * Free pages that the guest fills with a pattern other than zeros
 * (BALLOON_F_PAGE_POISON) are left alone.
 *
 * Drivers count the queues in two ways: by the numbers of the specification,
 * or without those that they or the device do not use, as Linux does. There is
 * no hinting queue here, so reporting is found at both places.
 *
 * Threads: one loop of its own; registers on vCPU threads, control on the main
 * loop.
 *
 * Not here: BALLOON_F_MUST_TELL_HOST, BALLOON_F_FREE_PAGE_HINT.
 */
#include <stdlib.h>
#include <string.h>

#include "virtio/balloon.h"
#include "virtio/balloon_spec.h"
#include "virtio/virtio.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define QUEUE_SIZE	128
#define TURN_CHAINS	16
#define BATCH_PAGES	256U		/* looked at together */
#define PAGES_MAX	16384U		/* of a buffer */
#define STATS_MAX	64U		/* of a buffer */
#define STATS_FRESH_MS	200		/* not asked for again before */

/* By tag (VIRTIO-1.2 5.5.6.4); the first two and the rest are units apart. */
const char *const balloon_stat_names[BALLOON_STATS] = {
	"swap-in-bytes", "swap-out-bytes", "major-faults", "minor-faults",
	"free-bytes", "total-bytes", "available-bytes", "cache-bytes",
	"hugetlb-allocations", "hugetlb-failures",
};

/**
 * struct balloon_state - what is saved
 * @virtio: the virtio part
 * @num_pages: what the balloon is to take
 * @actual: what the driver says that it takes
 * @poison_val: what the driver fills free pages with
 */
struct balloon_state {
	struct virtio_state virtio;
	u64 num_pages;
	u32 actual;
	u32 poison_val;
};

/**
 * struct balloon - the device
 * @v: its virtio part
 * @config: device configuration; device's lock
 * @poison: &balloon_config.poison_val, for the loop
 * @ask: posted to the loop: the driver is to send new statistics
 * @wanted: it is to be asked; the loop's
 * @held: the buffer in the queue of statistics was read; the loop's
 * @stats: the statistics, by tag
 * @stats_known: bits of those that the driver has sent
 * @stats_ms: when, CLOCK_MONOTONIC
 * @inflated: pages that were given to the balloon
 * @reported: bytes that were reported free
 * @given: bytes that went back to the host
 * @refused: pages that are none of RAM
 * @iov: of the chain at hand
 */
struct balloon {
	struct virtio_device v;
	struct balloon_config config;
	_Atomic u32 poison;
	struct loop_call ask;
	bool wanted;
	bool held;
	_Atomic u64 stats[BALLOON_STATS];
	_Atomic u32 stats_known;
	_Atomic u64 stats_ms;
	_Atomic u64 inflated;
	_Atomic u64 reported;
	_Atomic u64 given;
	_Atomic u64 refused;
	struct iovec iov[QUEUE_SIZE + MEMORY_BLOCKS_MAX];
};

static struct balloon *to_balloon(struct virtio_device *v)
{
	return container_of(v, struct balloon, v);
}

static struct balloon *balloon_of(struct device *dev)
{
	return to_balloon(virtio_device_of(dev));
}

static struct guest_memory *memory_of(const struct balloon *b)
{
	return b->v.pci.dev.gate.memory;
}

/* ---- pages --------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static void discard_run(struct balloon *b, u64 page, u64 nr)
{
	u64 given = 0, i;

	if (guest_memory_discard(memory_of(b), gpa(page << BALLOON_PAGE_SHIFT),
				 nr << BALLOON_PAGE_SHIFT, &given)) {
		/* A part of it is no RAM: which? */
		for (i = 0; nr > 1 && i < nr; i++)
			discard_run(b, page + i, 1);
		if (nr == 1)
			atomic_fetch_add(&b->refused, 1);
	}
	atomic_fetch_add(&b->given, given);
}

/* Neighbours together: one call of the system instead of many. */
static void discard_pages(struct balloon *b, u32 *page, u32 nr)
{
	u32 i, start;

	qsort(page, nr, sizeof(*page), by_number);
	for (start = 0; start < nr; start = i) {
		for (i = start + 1; i < nr; i++)
			if (page[i] - page[i - 1] > 1)
				break;
		discard_run(b, page[start], page[i - 1] - page[start] + 1ULL);
	}
}

static void inflate(struct balloon *b, const struct virtio_chain *chain)
{
	u32 page[BATCH_PAGES], done, n, i;
	__le32 raw[BATCH_PAGES];

	for (done = 0; done < PAGES_MAX; done += n) {
		n = (u32)virtio_chain_read(chain, done * sizeof(*raw), raw,
					   sizeof(raw)) / (u32)sizeof(*raw);
		if (!n)
			break;
		for (i = 0; i < n; i++)
			page[i] = le32_to_cpu(raw[i]);
		discard_pages(b, page, n);
	}
	atomic_fetch_add(&b->inflated, done);
}

static void report(struct balloon *b, const struct virtio_chain *chain)
{
	u64 given = 0, left = (u64)PAGES_MAX * QUEUE_SIZE << BALLOON_PAGE_SHIFT;
	u32 i;

	atomic_fetch_add(&b->reported, chain->in_len);
	if (virtio_has(&b->v, BALLOON_F_PAGE_POISON) && atomic_load(&b->poison))
		return;
	for (i = 0; i < chain->in_nr; i++) {
		const struct iovec *iov = &chain->iov[chain->out_nr + i];

		if (iov->iov_len > left)
			break;
		left -= iov->iov_len;
		guest_memory_discard_mapped(memory_of(b), iov, &given);
	}
	atomic_fetch_add(&b->given, given);
}

/* ---- statistics ---------------------------------------------------------- */

static void take_stats(struct balloon *b, const struct virtio_chain *chain)
{
	struct balloon_stat stat[STATS_MAX];
	u32 known = 0, nr, i, tag;

	nr = (u32)(virtio_chain_read(chain, 0, stat, sizeof(stat)) /
		   sizeof(*stat));
	for (i = 0; i < nr; i++) {
		tag = le16_to_cpu(stat[i].tag);
		if (tag >= BALLOON_STATS)
			continue;
		atomic_store(&b->stats[tag], le64_to_cpu(stat[i].val));
		known |= BIT(tag);
	}
	atomic_store(&b->stats_ms, now_ms());
	atomic_store(&b->stats_known, known);
}

static enum virtio_next handle_stats(struct balloon *b, struct virtio_queue *q)
{
	struct virtio_chain chain;

	if (!virtio_queue_pop(q, &chain, b->iov, ARRAY_SIZE(b->iov)))
		return VIRTIO_NEXT_CHAIN;
	if (!b->held) {
		take_stats(b, &chain);
		/* Who asked meanwhile has wanted these. */
		b->wanted = false;
	}
	b->held = !b->wanted;
	if (b->held) {
		virtio_queue_unpop(q, &chain);
		return VIRTIO_NEXT_WAKE;
	}
	b->wanted = false;
	virtio_queue_push(q, &chain, 0);
	return VIRTIO_NEXT_CHAIN;
}

static void ask_driver(struct loop_call *call)
{
	struct balloon *b = container_of(call, struct balloon, ask);

	if (now_ms() - atomic_load(&b->stats_ms) <= STATS_FRESH_MS)
		return;
	b->wanted = true;
	virtio_queue_wake(&b->v.queues[BALLOON_QUEUE_STATS]);
}

/* ---- queues -------------------------------------------------------------- */

static bool is_stats(const struct virtio_queue *q)
{
	return q->index == BALLOON_QUEUE_STATS &&
	       virtio_has(q->v, BALLOON_F_STATS_VQ);
}

static enum virtio_next balloon_handle(struct virtio_queue *q)
{
	struct balloon *b = to_balloon(q->v);
	struct virtio_chain chain;
	u32 n;

	if (is_stats(q))
		return handle_stats(b, q);
	for (n = 0; n < TURN_CHAINS; n++) {
		if (!virtio_queue_pop(q, &chain, b->iov, ARRAY_SIZE(b->iov)))
			return VIRTIO_NEXT_CHAIN;
		if (q->index == BALLOON_QUEUE_INFLATE)
			inflate(b, &chain);
		else if (q->index != BALLOON_QUEUE_DEFLATE &&
			 virtio_has(q->v, BALLOON_F_REPORTING))
			report(b, &chain);
		virtio_queue_push(q, &chain, 0);
	}
	return VIRTIO_NEXT_TURN;
}

static void balloon_queue_start(struct virtio_queue *q)
{
	if (is_stats(q))
		to_balloon(q->v)->held = false;
}

static void balloon_config_written(struct virtio_device *v, u32 offset, u32 len)
{
	struct balloon *b = to_balloon(v);

	atomic_store(&b->poison, le32_to_cpu(b->config.poison_val));
}

static void balloon_forget(struct virtio_device *v)
{
	struct balloon *b = to_balloon(v);

	/* What the host wants is wanted of the next driver as well. */
	b->config.actual = cpu_to_le32(0);
	b->config.poison_val = cpu_to_le32(0);
	atomic_store(&b->poison, 0);
	atomic_store(&b->stats_known, 0);
}

static const struct virtio_ops balloon_virtio_ops = {
	.handle		= balloon_handle,
	.reset		= balloon_forget,
	.config_written	= balloon_config_written,
	.queue_start	= balloon_queue_start,
};

/* ---- control ------------------------------------------------------------- */

static struct balloon *find(struct vm *vm, struct error *err)
{
	struct device *dev = device_find_class(vm, "balloon", 0);

	if (dev)
		return balloon_of(dev);
	error_set(err, -EOPNOTSUPP,
		  "%s has no balloon; start it with --balloon", vm->name);
	return NULL;
}

static u64 pages_to_bytes(__le32 pages)
{
	return (u64)le32_to_cpu(pages) << BALLOON_PAGE_SHIFT;
}

/**
 * balloon_get() - how the balloon is
 * @vm: the machine
 * @info: filled
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0, or -EOPNOTSUPP without a balloon.
 */
int balloon_get(struct vm *vm, struct balloon_info *info, struct error *err)
{
	struct balloon *b = find(vm, err);

	if (!b)
		return err->code;
	mutex_lock(&b->v.pci.dev.lock);
	info->target = pages_to_bytes(b->config.num_pages);
	info->actual = pages_to_bytes(b->config.actual);
	mutex_unlock(&b->v.pci.dev.lock);
	return 0;
}

/**
 * balloon_set() - say how much memory the balloon is to take
 * @vm: the machine
 * @bytes: so much; less than a page does not count
 * @err: filled on failure
 *
 * The guest does it by and by, as far as it can.
 *
 * Context: main loop.
 * Return: 0, -EOPNOTSUPP without a balloon, -EINVAL for more than there is.
 */
int balloon_set(struct vm *vm, u64 bytes, struct error *err)
{
	u64 most = guest_memory_size(&vm->memory);
	struct balloon *b = find(vm, err);

	if (!b)
		return err->code;
	if (bytes > most)
		return error_set(err, -EINVAL,
				 "%s has %llu MiB of memory, a balloon cannot take %llu MiB",
				 vm->name, most / MIB, bytes / MIB);
	mutex_lock(&b->v.pci.dev.lock);
	b->config.num_pages = cpu_to_le32((u32)(bytes >> BALLOON_PAGE_SHIFT));
	virtio_config_changed(&b->v);
	mutex_unlock(&b->v.pci.dev.lock);
	return 0;
}

/**
 * balloon_stats() - what the guest says of its memory
 * @vm: the machine
 * @stats: filled with what it has said last
 * @err: filled on failure
 *
 * If that is old, it is asked for more: whoever wants news calls again.
 *
 * Context: main loop.
 * Return: 0, or -EOPNOTSUPP without a balloon or when the guest says nothing.
 */
int balloon_stats(struct vm *vm, struct balloon_stats *stats,
		  struct error *err)
{
	struct balloon *b = find(vm, err);
	u32 i;

	if (!b)
		return err->code;
	stats->known = atomic_load(&b->stats_known);
	stats->age_ms = now_ms() - atomic_load(&b->stats_ms);
	for (i = 0; i < BALLOON_STATS; i++)
		stats->value[i] = atomic_load(&b->stats[i]);
	if (!stats->known)
		return error_set(err, -EOPNOTSUPP,
				 "the guest in %s has no driver for the balloon, or one without statistics",
				 vm->name);
	if (stats->age_ms > STATS_FRESH_MS)
		iothread_post(b->v.loops[0].thread, &b->ask);
	return 0;
}

/* ---- the device ---------------------------------------------------------- */

static int balloon_realize(struct device *dev, struct error *err)
{
	static const struct balloon_config wmask = {
		.actual		= (__force __le32)0xffffffffU,
		.poison_val	= (__force __le32)0xffffffffU,
	};
	struct balloon *b = balloon_of(dev);
	const struct virtio_setup setup = {
		.id		= VIRTIO_ID_BALLOON,
		.pci_class	= 0x00ff00,	/* none that is defined */
		.features	= BALLOON_F_STATS_VQ |
				  BALLOON_F_DEFLATE_ON_OOM |
				  BALLOON_F_PAGE_POISON | BALLOON_F_REPORTING,
		.queues_nr	= BALLOON_QUEUES,
		.queue_size	= QUEUE_SIZE,
		.queue_group	= BALLOON_QUEUES,
		.loops_nr	= 1,
		.config		= &b->config,
		.config_len	= sizeof(b->config),
		.config_wmask	= (const u8 *)&wmask,
		.ops		= &balloon_virtio_ops,
	};

	loop_call_init(&b->ask, ask_driver);
	return virtio_realize(&b->v, &setup, err);
}

static void balloon_unrealize(struct device *dev)
{
	struct balloon *b = balloon_of(dev);

	iothread_unpost(b->v.loops[0].thread, &b->ask);
	virtio_unrealize(&b->v);
}

static void balloon_save(const struct device *dev, void *state)
{
	const struct balloon *b = container_of(dev, const struct balloon,
					       v.pci.dev);
	struct balloon_state *to = state;

	virtio_state_save(&b->v, &to->virtio);
	to->num_pages = le32_to_cpu(b->config.num_pages);
	to->actual = le32_to_cpu(b->config.actual);
	to->poison_val = le32_to_cpu(b->config.poison_val);
}

static int balloon_check(const struct device *dev, const void *state,
			 struct error *err)
{
	const struct balloon *b = container_of(dev, const struct balloon,
					       v.pci.dev);
	const struct balloon_state *from = state;

	return virtio_state_check(&b->v, &from->virtio, err);
}

static void balloon_load(struct device *dev, const void *state)
{
	struct balloon *b = balloon_of(dev);
	const struct balloon_state *from = state;

	virtio_state_load(&b->v, &from->virtio);
	b->config.num_pages = cpu_to_le32((u32)from->num_pages);
	b->config.actual = cpu_to_le32(from->actual);
	b->config.poison_val = cpu_to_le32(from->poison_val);
	atomic_store(&b->poison, from->poison_val);
}

static void balloon_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct balloon *b = container_of(dev, const struct balloon,
					       v.pci.dev);

	virtio_stat(dev, sink);
	sink->counter(sink, "pages-inflated", atomic_load(&b->inflated));
	sink->counter(sink, "bytes-reported", atomic_load(&b->reported));
	sink->counter(sink, "bytes-given-back", atomic_load(&b->given));
	sink->counter(sink, "pages-refused", atomic_load(&b->refused));
}

static const struct state_field balloon_fields[] = {
	STATE_STRUCT(struct balloon_state, virtio, "virtio",
		     &virtio_state_desc),
	STATE_U64(struct balloon_state, num_pages, "num-pages", 0, UINT32_MAX),
	STATE_U32(struct balloon_state, actual, "actual", 0, UINT32_MAX),
	STATE_U32(struct balloon_state, poison_val, "poison-val", 0,
		  UINT32_MAX),
};

static const struct state_desc balloon_state_desc =
	STATE_DESC("lkvm,virtio-balloon-v1", struct balloon_state,
		   balloon_fields);

static const struct device_ops balloon_ops = {
	.realize	= balloon_realize,
	.reset		= virtio_reset,
	.quiesce	= virtio_quiesce,
	.save		= balloon_save,
	.check		= balloon_check,
	.load		= balloon_load,
	.resume		= virtio_resume,
	.unrealize	= balloon_unrealize,
	.stat		= balloon_stat,
};

static const struct device_class balloon_class = {
	.name		= "balloon",
	.compatible	= "lkvm,virtio-balloon",
	.summary	= "virtio balloon: gives memory back to the host",
	.kind		= DEVICE_PCI,
	.max		= 1,
	.instance_size	= sizeof(struct balloon),
	.state		= &balloon_state_desc,
	.ops		= &balloon_ops,
};

DEVICE_CLASS_REGISTER(balloon_class);
