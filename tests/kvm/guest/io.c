// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: verified disk I/O
 *
 * A command never touches blocks of another one that is under way, so the
 * contents of each block are known at any time: the stamp of its generation,
 * or zeros. The generation goes up when a write has completed.
 */
#include "tests/kvm/guest/io.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/stamp.h"

#define DEFAULT_SPAN		8192
#define DEFAULT_KIB		64

/**
 * io_options_read - take options from the command line
 * @o: set to seed= qd= kb= span= pointer=prp|sgl|mixed zeroes=
 */
void io_options_read(struct io_options *o)
{
	o->seed = arg_number("seed", 1);
	o->depth = (unsigned int)arg_number("qd", 8);
	o->max_bytes = (uint32_t)arg_number("kb", DEFAULT_KIB) * 1024;
	o->span = arg_number("span", DEFAULT_SPAN);
	o->zeroes = arg_number("zeroes", 1);
	o->pointer = arg_is("pointer", "prp") ? NVME_POINTER_PRP :
		     arg_is("pointer", "sgl") ? NVME_POINTER_SGL :
						NVME_POINTER_MIXED;
}

/**
 * io_setup_read - take the controller's shape from the command line
 * @s: set to irq=msix|intx|poll queues= depth= page=BYTES shadow=
 *
 * By default there is a queue for each CPU.
 *
 * Return: 0, or -1 if the words make no sense.
 */
int io_setup_read(struct nvme_setup *s)
{
	const uint64_t page = arg_number("page", 4096);

	*s = (struct nvme_setup){
		.irq = arg_is("irq", "intx") ? NVME_IRQ_INTX :
		       arg_is("irq", "poll") ? NVME_IRQ_POLL : NVME_IRQ_MSIX,
		.queues = (unsigned int)arg_number("queues", cpu_count()),
		.depth = (unsigned int)arg_number("depth", 64),
		.shadow = arg_number("shadow", 0),
	};
	while ((1ull << s->page_shift) < page)
		s->page_shift++;
	CHECK(s->page_shift >= 12 && s->page_shift <= 16, "page size %lu",
	      page);
	return 0;
}

/**
 * io_job_init - make a job for a queue
 * @j: zeroed, or a job of the same size whose memory is used again
 * @q: queue, created
 * @o: options
 *
 * The queue's share of each namespace is the job's. All blocks are taken to
 * be zero, or as this job left them if it was used before.
 */
void io_job_init(struct io_job *j, struct nvme_queue *q,
		 const struct io_options *o)
{
	const struct nvme_ctrl *c = q->ctrl;
	unsigned int i;

	j->queue = q;
	j->options = *o;
	j->options.max_bytes = MIN(o->max_bytes, c->max_bytes);
	/* One entry of a queue always stays free. */
	j->options.depth = MIN(o->depth, q->depth - 1u);
	j->rng.state = o->seed + c->index * 1000 + q->id;
	j->areas = c->ns_count;
	for (i = 0; i < c->ns_count; i++) {
		const struct nvme_ns *ns = &c->ns[i];
		const uint64_t span = o->span ? MIN(o->span, ns->blocks) :
						ns->blocks;
		const uint64_t first = span * (q->id - 1) / c->queues;
		struct io_area *a = &j->area[i];

		a->ns = ns;
		a->first = first;
		a->count = (uint32_t)(span * q->id / c->queues - first);
		a->gen = mem_alloc((a->count + 1) * sizeof(a->gen[0]), 4);
		a->busy = mem_alloc(a->count + 1, 1);
	}
	j->slot = mem_alloc(j->options.depth * sizeof(j->slot[0]), 8);
	for (i = 0; i < j->options.depth; i++)
		nvme_data_alloc(&j->slot[i].data, j->options.max_bytes,
				c->page_size, &j->rng);
	j->by_cid = mem_alloc(q->depth * sizeof(j->by_cid[0]), 8);
	j->bounce = mem_alloc(j->options.max_bytes, 8);
}

static uint32_t block_bytes(const struct io_area *a)
{
	return 1u << a->ns->block_shift;
}

static struct stamp stamp_of(const struct io_job *j, const struct io_area *a,
			     uint32_t block, uint32_t gen)
{
	return (struct stamp){
		.seed = j->options.seed,
		.where = a->first + block,
		.space = STAMP_SPACE_DISK(a->ns->ctrl->index, a->ns->nsid),
		.gen = gen & GEN_ZEROED ? 0 : gen,
	};
}

static int mismatch(const struct io_job *j, const struct io_area *a,
		    uint32_t block, const uint8_t *data)
{
	const struct stamp *found = (const struct stamp *)data;
	struct stamp want = stamp_of(j, a, block, a->gen[block]);
	const size_t at = stamp_diff(data, block_bytes(a), &want);

	print("guest: MISMATCH nvme%un%u lba %lu: from byte %lu of %u, generation %u%s expected\n",
	      a->ns->ctrl->index, a->ns->nsid, a->first + block, (uint64_t)at,
	      block_bytes(a), a->gen[block] & ~GEN_ZEROED,
	      want.gen ? "" : " (zeros)");
	if (found->magic == STAMP_MAGIC)
		print("guest:   found the stamp of space %x lba %lu generation %u seed %lu\n",
		      found->space, found->where, found->gen, found->seed);
	else
		print("guest:   found %lx %lx %lx %lx\n", found->magic,
		      found->seed, found->where,
		      *(const uint64_t *)(data + at));
	return -1;
}

/* Marks the blocks of a command, or fails if one is under way already. */
static bool blocks_claim(struct io_area *a, uint32_t block, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (a->busy[block + i])
			return false;
	memset(a->busy + block, 1, n);
	return true;
}

static void write_prepare(struct io_job *j, struct io_slot *s)
{
	const uint32_t bytes = block_bytes(s->area);
	uint32_t i;

	for (i = 0; i < s->blocks; i++) {
		const uint32_t gen = s->area->gen[s->block + i] & ~GEN_ZEROED;
		struct stamp st = stamp_of(j, s->area, s->block + i, gen + 1);

		stamp_fill(j->bounce + i * bytes, bytes, &st);
	}
	nvme_data_put(&s->data, 0, j->bounce, s->blocks * bytes);
}

static int submit(struct io_job *j, struct io_slot *s)
{
	static const uint8_t opcodes[] = {
		[IO_READ] = NVME_IO_READ,
		[IO_WRITE] = NVME_IO_WRITE,
		[IO_ZEROES] = NVME_IO_WRITE_ZEROES,
		[IO_FLUSH] = NVME_IO_FLUSH,
	};
	const uint64_t lba = s->area->first + s->block;
	struct nvme_command cmd = {
		.opcode = opcodes[s->op],
		.nsid = s->area->ns->nsid,
	};
	int cid;

	if (s->op != IO_FLUSH) {
		cmd.cdw10 = (uint32_t)lba;
		cmd.cdw11 = (uint32_t)(lba >> 32);
		cmd.cdw12 = s->blocks - 1;
	}
	if (s->op == IO_WRITE || s->op == IO_READ) {
		nvme_data_place(&s->data, s->blocks * block_bytes(s->area),
				&j->rng);
		if (s->op == IO_WRITE)
			write_prepare(j, s);
		else
			nvme_data_guard(&s->data);
		nvme_data_point(&s->data, &cmd, j->queue->ctrl,
				j->options.pointer, &j->rng);
	}
	if (s->op == IO_WRITE && !rng_below(&j->rng, 16))
		cmd.cdw12 |= NVME_FUA;
	cid = nvme_push(j->queue, &cmd);
	CHECK(cid >= 0, "queue %u is full with %u commands", j->queue->id,
	      nvme_outstanding(j->queue));
	j->by_cid[cid] = s;
	s->active = true;
	return 0;
}

/* Chooses a random command. False if its blocks are under way. */
static bool choose_random(struct io_job *j, struct io_slot *s)
{
	const uint32_t dice = rng_below(&j->rng, 100);
	struct io_area *a = &j->area[rng_below(&j->rng, j->areas)];
	uint32_t most = j->options.max_bytes >> a->ns->block_shift;

	s->area = a;
	s->blocks = 0;
	s->block = 0;
	s->op = IO_FLUSH;
	if (dice < 2)
		return true;
	s->op = dice < 48 ? IO_WRITE :
		dice < 52 && j->options.zeroes ? IO_ZEROES : IO_READ;
	most = MIN(most, a->count);
	/* Small ones are the rule. */
	if (rng_next(&j->rng) & 1)
		most = MIN(most, MAX(1u, 4096u >> a->ns->block_shift));
	s->blocks = 1 + rng_below(&j->rng, most);
	s->block = rng_below(&j->rng, a->count - s->blocks + 1);
	return blocks_claim(a, s->block, s->blocks);
}

/* Chooses the next read of a sequential check. False if all is done. */
static bool choose_next(struct io_job *j, struct io_slot *s)
{
	while (j->scan_area < j->areas) {
		struct io_area *a = &j->area[j->scan_area];

		if (j->scan_block == a->count) {
			j->scan_block = 0;
			j->scan_area++;
			continue;
		}
		s->op = IO_READ;
		s->area = a;
		s->block = j->scan_block;
		s->blocks = MIN(j->options.max_bytes >> a->ns->block_shift,
				a->count - j->scan_block);
		j->scan_block += s->blocks;
		return blocks_claim(a, s->block, s->blocks);
	}
	return false;
}

static int fill(struct io_job *j, bool (*choose)(struct io_job *j,
						 struct io_slot *s))
{
	unsigned int i;

	for (i = 0; i < j->options.depth; i++) {
		struct io_slot *s = &j->slot[i];

		if (s->active)
			continue;
		if (!choose(j, s))
			break;
		if (submit(j, s))
			return -1;
	}
	nvme_ring(j->queue);
	return 0;
}

static int read_check(struct io_job *j, struct io_slot *s)
{
	const uint32_t bytes = block_bytes(s->area);
	uint32_t i;

	CHECK(nvme_data_guard_intact(&s->data),
	      "lba %lu blocks %u offset %u: bytes beside the data changed",
	      s->area->first + s->block, s->blocks, s->data.offset);
	nvme_data_get(&s->data, 0, j->bounce, s->blocks * bytes);
	for (i = 0; i < s->blocks; i++) {
		const uint32_t b = s->block + i;
		struct stamp st = stamp_of(j, s->area, b, s->area->gen[b]);

		if (stamp_diff(j->bounce + i * bytes, bytes, &st) != bytes)
			return mismatch(j, s->area, b, j->bounce + i * bytes);
	}
	return 0;
}

static int complete(struct io_job *j, const struct nvme_done *done)
{
	struct io_slot *s = j->by_cid[done->cid];
	uint32_t i;

	CHECK(!done->status,
	      "nvme%un%u op %u lba %lu blocks %u: status %x",
	      s->area->ns->ctrl->index, s->area->ns->nsid, s->op,
	      s->area->first + s->block, s->blocks, done->status);
	s->active = false;
	for (i = 0; i < s->blocks; i++) {
		uint32_t *gen = &s->area->gen[s->block + i];

		s->area->busy[s->block + i] = 0;
		if (s->op == IO_WRITE)
			*gen = (*gen & ~GEN_ZEROED) + 1;
		else if (s->op == IO_ZEROES)
			*gen |= GEN_ZEROED;
	}
	if (s->op == IO_FLUSH)
		j->flushes++;
	else if (s->op == IO_READ)
		j->reads++;
	else
		j->writes++;
	j->bytes += s->blocks * block_bytes(s->area);
	return s->op == IO_READ ? read_check(j, s) : 0;
}

static int take_one(struct io_job *j)
{
	struct nvme_done done;

	return nvme_wait(j->queue, &done) ? -1 : complete(j, &done);
}

/**
 * io_fill - submit random commands up to the depth, take no completions
 * @j: job
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int io_fill(struct io_job *j)
{
	return fill(j, choose_random);
}

/**
 * io_run - do random I/O; commands may be under way afterwards
 * @j:           job
 * @completions: how many to take
 *
 * Context: the queue's CPU.
 * Return: 0, or -1 after reporting what is wrong.
 */
int io_run(struct io_job *j, uint64_t completions)
{
	while (completions--)
		if (fill(j, choose_random) || take_one(j))
			return -1;
	return 0;
}

/**
 * io_drain - wait for everything that is under way
 * @j: job
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int io_drain(struct io_job *j)
{
	while (nvme_outstanding(j->queue))
		if (take_one(j))
			return -1;
	return 0;
}

/**
 * io_check_all - read and check each block of the job's areas
 * @j: job; what is under way is waited for first
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int io_check_all(struct io_job *j)
{
	if (io_drain(j))
		return -1;
	j->scan_area = 0;
	j->scan_block = 0;
	for (;;) {
		if (fill(j, choose_next))
			return -1;
		if (!nvme_outstanding(j->queue))
			return 0;
		if (take_one(j))
			return -1;
	}
}

/* Reads a block and sets its generation to the old or the new one. */
static int settle_block(struct io_job *j, struct io_slot *s, uint32_t block)
{
	struct io_area *a = s->area;
	const uint32_t old = a->gen[block];
	const uint32_t written = (old & ~GEN_ZEROED) + 1;
	const uint32_t choices[] = {
		old, s->op == IO_WRITE ? written :
		     s->op == IO_ZEROES ? old | GEN_ZEROED : old,
	};
	const uint64_t lba = a->first + block;
	struct nvme_command cmd = {
		.opcode = NVME_IO_READ,
		.nsid = a->ns->nsid,
		.prp = { (uint64_t)s->data.page[0] },
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
	};
	unsigned int i;

	CHECK(block_bytes(a) <= s->data.page_size, "block above the page size");
	if (nvme_sync(j->queue, &cmd, NULL))
		return -1;
	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		struct stamp st = stamp_of(j, a, block, choices[i]);

		if (stamp_diff(s->data.page[0], block_bytes(a), &st) ==
		    block_bytes(a)) {
			a->gen[block] = choices[i];
			return 0;
		}
	}
	return mismatch(j, a, block, s->data.page[0]);
}

/**
 * io_settle - after a controller reset: find out which of the commands that
 * were under way have been done
 * @j: job; its queue has been created again and is empty
 *
 * Each block may be as before or as after the command, nothing else.
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int io_settle(struct io_job *j)
{
	unsigned int i;
	uint32_t b;

	for (i = 0; i < j->options.depth; i++) {
		struct io_slot *s = &j->slot[i];

		if (!s->active)
			continue;
		s->active = false;
		for (b = s->block; b < s->block + s->blocks; b++) {
			s->area->busy[b] = 0;
			if (settle_block(j, s, b))
				return -1;
		}
	}
	return 0;
}

static void report_disk(const struct io_job *const *jobs, unsigned int n,
			const struct nvme_ns *ns)
{
	uint64_t sum = 0, written = 0;
	unsigned int i, k;
	uint32_t b;

	for (i = 0; i < n; i++) {
		for (k = 0; k < jobs[i]->areas; k++) {
			const struct io_area *a = &jobs[i]->area[k];

			for (b = 0; a->ns == ns && b < a->count; b++) {
				if (!a->gen[b] || (a->gen[b] & GEN_ZEROED))
					continue;
				written++;
				sum = stamp_sum(sum, a->first + b, a->gen[b]);
			}
		}
	}
	print("guest: disk ctrl %u nsid %u bs %u written %lu sum %lx\n",
	      ns->ctrl->index, ns->nsid, 1u << ns->block_shift, written, sum);
}

/**
 * io_report_disks - tell the host what must be on the disks
 * @jobs: all jobs, drained
 * @n:    how many
 *
 * A line for each namespace: how many blocks hold a stamp, and stamp_sum()
 * over them.
 */
void io_report_disks(const struct io_job *const *jobs, unsigned int n)
{
	unsigned int i, k;

	for (i = 0; i < n; i++) {
		const struct nvme_ctrl *c = jobs[i]->queue->ctrl;

		/* Once for each controller: with its first queue. */
		if (jobs[i]->queue->id != 1)
			continue;
		for (k = 0; k < c->ns_count; k++)
			report_disk(jobs, n, &c->ns[k]);
	}
}
