// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the virtio block device: saving and loading
 *
 * Beside the registers these are the requests that a pause has put aside, for
 * the host did not end them in time. Each is saved as it was taken: what the
 * driver knows it by, and its buffers, by their guest addresses: in a packed ring
 * the driver's descriptors may have been overwritten by then. When the machine
 * runs again they are done from their beginning.
 *
 * A state comes from outside: a buffer has to be in RAM, and what the buffers
 * hold is checked when the request is taken up, as if it had just come.
 */
#include <string.h>

#include "virtio/blk_priv.h"
#include "vmm/base/math.h"

#define AGAIN_MAX	1024
#define AGAIN_BUFFERS	8192

/**
 * struct blk_again_state - a request that is to be done again
 * @queue: number of its queue
 * @id: what the driver knows it by
 * @slots: entries of the ring that it takes
 * @out_nr: buffers that the device reads, the next ones of &blk_state.buffers
 * @in_nr: buffers that the device writes, behind those
 */
struct blk_again_state {
	u16 queue;
	u16 id;
	u16 slots;
	u16 out_nr;
	u16 in_nr;
};

/**
 * struct blk_state - what is saved
 * @virtio: the virtio part
 * @sectors: size of the disk
 * @writeback: the writeback field
 * @again_nr: of @again
 * @numbers_nr: of @buffers
 * @again: requests to be done again
 * @buffers: their buffers, address and length by turns
 */
struct blk_state {
	struct virtio_state virtio;
	u64 sectors;
	u64 writeback;
	u32 again_nr;
	u32 numbers_nr;
	struct blk_again_state again[AGAIN_MAX];
	u64 buffers[2 * AGAIN_BUFFERS];
};

static const struct state_field again_fields[] = {
	STATE_U16(struct blk_again_state, queue, "queue", 0,
		  BLK_QUEUES_MAX - 1),
	STATE_U16(struct blk_again_state, id, "id", 0, UINT16_MAX),
	STATE_U16(struct blk_again_state, slots, "slots", 1, BLK_QUEUE_SIZE),
	STATE_U16(struct blk_again_state, out_nr, "out", 0, BLK_IOVS_MAX),
	STATE_U16(struct blk_again_state, in_nr, "in", 1, BLK_IOVS_MAX),
};

static const struct state_desc again_desc =
	STATE_DESC("lkvm,virtio-blk-again-v1", struct blk_again_state,
		   again_fields);

static const struct state_field fields[] = {
	STATE_STRUCT(struct blk_state, virtio, "virtio", &virtio_state_desc),
	STATE_U64(struct blk_state, sectors, "sectors", 1,
		  UINT64_MAX >> VIRTIO_BLK_SECTOR_SHIFT),
	STATE_U64(struct blk_state, writeback, "writeback", 0, 1),
	/* Images of before have none. */
	{
		.name = "again", .kind = STATE_KIND_STRUCT,
		.offset = offsetof(struct blk_state, again),
		.capacity = AGAIN_MAX,
		.count_offset = offsetof(struct blk_state, again_nr),
		.optional = true, .nested = &again_desc,
	}, {
		.name = "again-buffers", .kind = STATE_KIND_U64,
		.offset = offsetof(struct blk_state, buffers),
		.capacity = 2 * AGAIN_BUFFERS,
		.count_offset = offsetof(struct blk_state, numbers_nr),
		.max = UINT64_MAX, .optional = true,
	},
};

/* The table of the device. */
const struct state_desc blk_state_desc =
	STATE_DESC("lkvm,virtio-blk-v1", struct blk_state, fields);

/* ---- saving ------------------------------------------------------------- */

/* Adds the pieces of vectors to @to, if there is one; how many there are. */
static u32 save_vectors(const struct blk *blk, struct blk_state *to,
			const struct iovec *iov, u32 nr)
{
	u32 n = 0, i;
	gpa_t addr;

	for (i = 0; i < nr; i++) {
		/* They come from guest_map(), each in one block. */
		if (!guest_addr_of(blk->v.pci.dev.gate.memory,
				   iov[i].iov_base, &addr))
			continue;
		if (to) {
			to->buffers[to->numbers_nr++] = gpa_raw(addr);
			to->buffers[to->numbers_nr++] = iov[i].iov_len;
		}
		n++;
	}
	return n;
}

static void save_again(const struct blk *blk, const struct blk_req *req,
		       u16 queue, struct blk_state *to)
{
	const struct virtio_chain *chain = &req->chain;
	struct blk_again_state *s = &to->again[to->again_nr++];

	s->queue = queue;
	s->id = chain->id;
	s->slots = chain->slots;
	s->out_nr = (u16)save_vectors(blk, to, chain->iov, chain->out_nr);
	s->in_nr = (u16)save_vectors(blk, to, chain->iov + chain->out_nr,
				     chain->in_nr);
}

/* The driver could not tell which of two has ended. */
static int check_ids(const struct blk *blk, u32 queue, struct error *err)
{
	const struct list *again = &blk->queues[queue].again;
	const struct blk_req *req, *other;

	list_for_each_entry(req, again, link)
		list_for_each_entry(other, again, link)
			if (req != other && req->chain.id == other->chain.id)
				return error_set(err, -EPROTO,
						 "%s: queue %u: the driver calls two requests %u",
						 block_path(blk->disk), queue,
						 req->chain.id);
	return 0;
}

/**
 * blk_state_fits() - can a state have what was put aside?
 * @blk: quiesced
 * @err: filled on failure
 *
 * Return: 0; -E2BIG: there is not room for all; -EPROTO: the driver has given
 * two requests one identifier.
 */
int blk_state_fits(const struct blk *blk, struct error *err)
{
	const struct blk_req *req;
	u32 nr = 0, buffers = 0, i;
	int ret = 0;

	for (i = 0; i < blk->config->queues && !ret; i++) {
		list_for_each_entry(req, &blk->queues[i].again, link) {
			nr++;
			buffers += req->chain.out_nr + req->chain.in_nr;
		}
		ret = check_ids(blk, i, err);
	}
	if (ret)
		return ret;
	if (nr <= AGAIN_MAX && buffers <= AGAIN_BUFFERS)
		return 0;
	return error_set(err, -E2BIG,
			 "%s: %u requests with %u buffers did not end in time, which is more than a snapshot holds",
			 block_path(blk->disk), nr, buffers);
}

/**
 * blk_save() - &device_ops.save
 * @dev: the device
 * @state: struct blk_state
 */
void blk_save(const struct device *dev, void *state)
{
	const struct blk *blk = blk_of_const(dev);
	struct blk_state *s = state;
	const struct blk_req *req;
	u32 i;

	virtio_state_save(&blk->v, &s->virtio);
	s->sectors = blk->sectors;
	s->writeback = blk->regs.writeback;
	for (i = 0; i < blk->config->queues; i++) {
		if (!blk->v.queues[i].enabled)
			continue;
		list_for_each_entry(req, &blk->queues[i].again, link)
			save_again(blk, req, (u16)i, s);
	}
}

/* ---- loading ------------------------------------------------------------ */

static int check_buffers(const struct blk *blk, const u64 *at, u32 nr,
			 enum guest_access access, struct error *err)
{
	struct guest_gate gate;

	guest_gate_init(&gate, blk->v.pci.dev.gate.memory);
	for (; nr; nr--, at += 2)
		if (!at[1] || !guest_ptr(&gate, gpa(at[0]), at[1], access))
			return error_set(err, -EINVAL,
					 "again-buffers: %#llx bytes at %#llx are not in RAM",
					 at[1], at[0]);
	return 0;
}

static int check_again(const struct blk *blk, const struct blk_state *state,
		       const struct blk_again_state *s, const u64 *at,
		       struct error *err)
{
	bool packed = state->virtio.features & VIRTIO_F_RING_PACKED;
	const struct virtio_queue_state *q;
	int ret;

	if (s->queue >= blk->config->queues)
		return error_set(err, -EINVAL, "queue: there is no queue %u",
				 s->queue);
	/* Only a queue that was running has taken some. */
	if (!(state->virtio.status & VIRTIO_STATUS_DRIVER_OK))
		return error_set(err, -EINVAL,
				 "queue: the driver has not begun");
	q = &state->virtio.queues[s->queue];
	/* In a packed ring it is what the driver likes (VIRTIO-1.2 2.8.1). */
	if (!q->enabled || (!packed && s->id >= q->size))
		return error_set(err, -EINVAL,
				 "id: queue %u has no request %u", s->queue,
				 s->id);
	if (!packed && s->slots != 1)
		return error_set(err, -EINVAL,
				 "slots: %u, but a split ring has 1 for each",
				 s->slots);
	if (s->out_nr + s->in_nr > BLK_IOVS_MAX)
		return error_set(err, -EINVAL, "more than %u buffers",
				 BLK_IOVS_MAX);
	ret = check_buffers(blk, at, s->out_nr, GUEST_READS, err);
	return ret ? ret : check_buffers(blk, at + 2 * s->out_nr, s->in_nr,
					 GUEST_WRITES, err);
}

static bool is_doubled(const struct blk_state *state, u32 at)
{
	const struct blk_again_state *again = state->again;
	u32 i;

	for (i = 0; i < at; i++)
		if (again[i].queue == again[at].queue &&
		    again[i].id == again[at].id)
			return true;
	return false;
}

static int check_all_again(const struct blk *blk, const struct blk_state *s,
			   struct error *err)
{
	u32 slots[BLK_QUEUES_MAX] = { 0 }, left = s->numbers_nr, i, numbers;
	const u64 *at = s->buffers;
	int ret;

	for (i = 0; i < s->again_nr; i++, at += numbers, left -= numbers) {
		const struct blk_again_state *one = &s->again[i];

		numbers = 2U * (one->out_nr + one->in_nr);
		ret = numbers > left ?
			error_set(err, -EINVAL,
				  "again-buffers: there are too few") :
			check_again(blk, s, one, at, err);
		if (!ret && is_doubled(s, i))
			ret = error_set(err, -EINVAL,
					"id: queue %u has two requests %u",
					one->queue, one->id);
		if (ret)
			return error_prefix(err, "again@%u", i);
		slots[one->queue] += one->slots;
		if (slots[one->queue] > s->virtio.queues[one->queue].size)
			return error_set(err, -EINVAL,
					 "again@%u: more than queue %u has entries",
					 i, one->queue);
	}
	return left ? error_set(err, -EINVAL,
				"again-buffers: there are too many") : 0;
}

/**
 * blk_check() - &device_ops.check
 * @dev: the device
 * @state: struct blk_state
 * @err: says what does not fit
 *
 * Return: 0 or -EINVAL.
 */
int blk_check(const struct device *dev, const void *state, struct error *err)
{
	const struct blk *blk = blk_of_const(dev);
	const struct blk_state *s = state;
	int ret;

	if (s->sectors != blk->sectors)
		return error_set(err, -EINVAL,
				 "sectors: the machine's disk had %llu of %u bytes, %s has %llu",
				 s->sectors, VIRTIO_BLK_SECTOR,
				 block_path(blk->disk), blk->sectors);
	ret = virtio_state_check(&blk->v, &s->virtio, err);
	return ret ? ret : check_all_again(blk, s, err);
}

/* As a walk through a chain does it, but that each buffer is in one block. */
static void load_buffers(struct blk *blk, struct virtio_chain *chain,
			 const u64 *at, u32 nr, bool in)
{
	u32 *count = in ? &chain->in_nr : &chain->out_nr;
	u64 *len = in ? &chain->in_len : &chain->out_len;
	struct guest_gate gate;
	u32 i;

	guest_gate_init(&gate, blk->v.pci.dev.gate.memory);
	for (i = 0; i < nr; i++, at += 2) {
		chain->iov[chain->out_nr + chain->in_nr] = (struct iovec){
			.iov_base = guest_ptr(&gate, gpa(at[0]), at[1],
					      in ? GUEST_WRITES : GUEST_READS),
			.iov_len = at[1],
		};
		++*count;
		*len += at[1];
	}
}

/**
 * blk_load() - &device_ops.load
 * @dev: the device
 * @state: struct blk_state, passed blk_check()
 */
void blk_load(struct device *dev, const void *state)
{
	struct blk *blk = blk_of(dev);
	const struct blk_state *s = state;
	const u64 *at = s->buffers;
	u32 i;

	virtio_state_load(&blk->v, &s->virtio);
	blk_writeback_set(blk, (u8)s->writeback);
	for (i = 0; i < s->again_nr; i++) {
		const struct blk_again_state *one = &s->again[i];
		struct blk_req *req = blk_req_load(&blk->queues[one->queue]);

		req->chain = (struct virtio_chain){
			.id = one->id, .slots = one->slots, .iov = req->iov,
		};
		load_buffers(blk, &req->chain, at, one->out_nr, false);
		at += 2 * one->out_nr;
		load_buffers(blk, &req->chain, at, one->in_nr, true);
		at += 2 * one->in_nr;
		virtio_queue_load_aside(&blk->v.queues[one->queue],
					one->slots);
	}
}
