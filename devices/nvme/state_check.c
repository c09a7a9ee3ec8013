// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: does a saved state fit together, and does it fit this controller?
 *
 * The second check of state.c, after the table's ranges. Whatever the code
 * elsewhere relies on is checked here, because a state comes from outside:
 * indexes, addresses, counts of slots and requests.
 */
#include "devices/nvme/nvme_state.h"
#include "devices/pci/msix.h"
#include "vmm/base/math.h"

/**
 * struct checker - what is known while a state is looked at
 * @ctrl: the controller
 * @state: the state
 * @err: to be filled
 * @cqs: by identifier, NULL where there is none
 * @sqs: likewise
 * @inflight: commands to be issued again, by submission queue
 * @page: bytes of a page (CC.MPS)
 */
struct checker {
	const struct nvme_ctrl *ctrl;
	const struct nvme_state *state;
	struct error *err;
	const struct nvme_cq_state *cqs[NVME_QIDS];
	const struct nvme_sq_state *sqs[NVME_QIDS];
	u32 inflight[NVME_QIDS];
	u64 page;
};

static int check_regs(struct checker *c)
{
	const struct nvme_state *s = c->state;
	bool enabled = s->cc & NVME_CC_EN;
	bool ready = s->csts & NVME_CSTS_RDY;

	if (enabled && !(s->csts & NVME_CSTS_CFS) && !nvme_cc_is_valid(s->cc))
		return error_set(c->err, -EINVAL,
				 "cc: %#x cannot be enabled", s->cc);
	if (ready && (!enabled || !nvme_cc_is_valid(s->cc)))
		return error_set(c->err, -EINVAL,
				 "csts: ready, but cc is %#x", s->cc);
	if (enabled && !ready && !(s->csts & NVME_CSTS_CFS))
		return error_set(c->err, -EINVAL,
				 "csts: enabled, but neither ready nor fatal");
	if (nvme_get(NVME_CSTS_SHST, s->csts) == NVME_CSTS_SHST_BUSY)
		return error_set(c->err, -EINVAL, "csts: shutting down");
	if ((s->asq | s->acq) & ~NVME_AQ_BASE)
		return error_set(c->err, -EINVAL,
				 "asq, acq: reserved bits are set");
	if (s->io_sqs > c->ctrl->config->queues ||
	    s->io_cqs > c->ctrl->config->queues)
		return error_set(c->err, -EINVAL,
				 "%u and %u I/O queues: the controller has %u",
				 s->io_sqs, s->io_cqs,
				 c->ctrl->config->queues);
	c->page = 4096ULL << nvme_get(NVME_CC_MPS, s->cc);
	return 0;
}

static bool in_memory(const struct checker *c, u64 addr, u64 len)
{
	return guest_is_memory(c->ctrl->pci.dev.gate.memory, gpa(addr), len);
}

static bool ring_fits(const struct checker *c, u64 base, u64 len)
{
	struct guest_gate open;

	guest_gate_init(&open, c->ctrl->pci.dev.gate.memory);
	return is_aligned(base, c->page) &&
	       guest_ptr(&open, gpa(base), len, GUEST_WRITES);
}

static int check_cq(struct checker *c, const struct nvme_cq_state *s)
{
	if (s->qid > c->state->io_cqs || c->cqs[s->qid])
		return error_set(c->err, -EINVAL,
				 "completion queue %u: there is no such identifier, or it is there twice",
				 s->qid);
	if (s->head >= s->entries || s->tail >= s->entries)
		return error_set(c->err, -EINVAL,
				 "completion queue %u: head %u, tail %u of %u",
				 s->qid, s->head, s->tail, s->entries);
	if (s->vector >= msix_vectors(&c->ctrl->pci))
		return error_set(c->err, -EINVAL,
				 "completion queue %u: there is no vector %u",
				 s->qid, s->vector);
	if (!ring_fits(c, s->base, (u64)s->entries * NVME_CQE_SIZE))
		return error_set(c->err, -EINVAL,
				 "completion queue %u: %#llx is not memory of the guest",
				 s->qid, s->base);
	c->cqs[s->qid] = s;
	return 0;
}

static int check_sq(struct checker *c, const struct nvme_sq_state *s)
{
	if (s->qid > c->state->io_sqs || c->sqs[s->qid])
		return error_set(c->err, -EINVAL,
				 "submission queue %u: there is no such identifier, or it is there twice",
				 s->qid);
	if (!c->cqs[s->cqid] || !s->qid != !s->cqid)
		return error_set(c->err, -EINVAL,
				 "submission queue %u: completion queue %u is not for it",
				 s->qid, s->cqid);
	if (s->head >= s->entries || s->tail >= s->entries)
		return error_set(c->err, -EINVAL,
				 "submission queue %u: head %u, tail %u of %u",
				 s->qid, s->head, s->tail, s->entries);
	if (!ring_fits(c, s->base, (u64)s->entries * NVME_SQE_SIZE))
		return error_set(c->err, -EINVAL,
				 "submission queue %u: %#llx is not memory of the guest",
				 s->qid, s->base);
	c->sqs[s->qid] = s;
	return 0;
}

/* Either the admin queues are there and the controller is ready, or nothing. */
static int check_queues(struct checker *c)
{
	const struct nvme_state *s = c->state;
	bool ready = s->csts & NVME_CSTS_RDY;
	int ret = 0;
	u32 i;

	for (i = 0; i < s->cqs_nr && !ret; i++)
		ret = check_cq(c, &s->cqs[i]);
	for (i = 0; i < s->sqs_nr && !ret; i++)
		ret = check_sq(c, &s->sqs[i]);
	if (ret)
		return ret;
	if (ready != !!c->cqs[0] || ready != !!c->sqs[0] ||
	    (!ready && (s->cqs_nr || s->sqs_nr)))
		return error_set(c->err, -EINVAL,
				 "csts: %#x does not fit the queues", s->csts);
	return 0;
}

static bool replay_is_safe(const struct nvme_cmd_state *s)
{
	const struct nvme_sqe *sqe = (const void *)s->sqe;

	if (!s->sqid)
		return sqe->opcode == NVME_ADM_FORMAT_NVM;
	return sqe->opcode != NVME_IO_COPY &&
	       !nvme_get(NVME_SQE_FUSE, sqe->flags);
}

/* Each needs a request of its queue, and a completion slot. */
static int check_replays(struct checker *c)
{
	const struct nvme_state *s = c->state;
	u32 slots[NVME_QIDS] = { 0 };
	u32 i;

	for (i = 0; i < s->replays_nr; i++) {
		const struct nvme_cmd_state *cmd = &s->replays[i];
		const struct nvme_sq_state *sq = c->sqs[cmd->sqid];

		if (!sq || !replay_is_safe(cmd))
			return error_set(c->err, -EINVAL,
					 "again: a command that cannot be issued again in queue %llu",
					 cmd->sqid);
		c->inflight[cmd->sqid]++;
		slots[sq->cqid]++;
	}
	for (i = 0; i < s->sqs_nr; i++) {
		const struct nvme_sq_state *sq = &s->sqs[i];

		if (c->inflight[sq->qid] + (sq->qid ? 0 : s->aers_nr) >
		    min_of(sq->entries, (u32)NVME_SQ_REQS_MAX))
			return error_set(c->err, -EINVAL,
					 "submission queue %u: more commands than it can have",
					 sq->qid);
	}
	for (i = 0; i < s->cqs_nr; i++) {
		const struct nvme_cq_state *cq = &s->cqs[i];
		u32 used = cq->tail >= cq->head ? cq->tail - cq->head :
			   cq->tail + cq->entries - cq->head;

		if (slots[cq->qid] + used > cq->entries - 1)
			return error_set(c->err, -EINVAL,
					 "completion queue %u: more commands than free slots",
					 cq->qid);
	}
	return 0;
}

static int check_events(struct checker *c)
{
	const struct nvme_state *s = c->state;
	u32 i;

	for (i = 0; i < s->aers_nr; i++) {
		const struct nvme_sqe *sqe = (const void *)s->aers[i].sqe;

		if (!c->sqs[0] || s->aers[i].sqid ||
		    sqe->opcode != NVME_ADM_AER)
			return error_set(c->err, -EINVAL,
					 "event-request: not one");
	}
	return 0;
}

static int check_dbbuf(struct checker *c)
{
	const struct nvme_state *s = c->state;

	if (!s->dbbuf_enabled)
		return 0;
	if (!(s->csts & NVME_CSTS_RDY) ||
	    !is_aligned(s->dbbuf_shadow | s->dbbuf_event, c->page) ||
	    !in_memory(c, s->dbbuf_shadow, c->page) ||
	    !in_memory(c, s->dbbuf_event, c->page))
		return error_set(c->err, -EINVAL,
				 "doorbell-buffer: %#llx and %#llx are not memory of the guest",
				 s->dbbuf_shadow, s->dbbuf_event);
	return 0;
}

static int check_ranges(struct checker *c, const struct nvme_ns_state *s)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < s->unc_nr; i++) {
		const struct nvme_range_state *r = &s->unc[i];

		if (r->slba < end || !range_fits(r->slba, r->nlb, s->lbas))
			return error_set(c->err, -EINVAL,
					 "namespace %u: uncorrectable blocks %llu, %llu: out of order or range",
					 s->nsid, r->slba, r->nlb);
		end = r->slba + r->nlb;
	}
	return 0;
}

static int check_ns(struct checker *c, const struct nvme_ns_state *s)
{
	const struct nvme_ns *ns = s->nsid <= c->ctrl->ns_nr ?
				   c->ctrl->ns[s->nsid - 1] : NULL;
	u64 size;

	if (!ns)
		return error_set(c->err, -EINVAL,
				 "namespace %u: the controller has none",
				 s->nsid);
	size = block_info(ns->blk)->size;
	if (!nvme_ns_lbaf_fits(ns, s->lbaf) ||
	    s->lbas != size >> nvme_lbaf_shift(s->lbaf))
		return error_set(c->err, -EINVAL,
				 "namespace %u: %llu blocks of %u bytes, but %s has %llu bytes",
				 s->nsid, s->lbas,
				 1U << nvme_lbaf_shift(s->lbaf),
				 block_path(ns->blk), size);
	return check_ranges(c, s);
}

static int check_namespaces(struct checker *c)
{
	const struct nvme_state *s = c->state;
	u64 seen = 0;
	int ret = 0;
	u32 i;

	for (i = 0; i < s->namespaces_nr && !ret; i++) {
		ret = check_ns(c, &s->namespaces[i]);
		seen |= BIT_ULL(s->namespaces[i].nsid - 1);
	}
	if (ret)
		return ret;
	if (s->namespaces_nr != c->ctrl->ns_nr ||
	    (u32)__builtin_popcountll(seen) != c->ctrl->ns_nr)
		return error_set(c->err, -EINVAL,
				 "%u namespaces, some of them twice or missing: the controller has %u",
				 s->namespaces_nr, c->ctrl->ns_nr);
	if (s->changed_ns & ~seen)
		return error_set(c->err, -EINVAL,
				 "changed-namespaces: %#llx: some are not there",
				 s->changed_ns);
	return 0;
}

/**
 * nvme_check() - can this state be loaded?
 * @dev: the device
 * @from: decoded struct nvme_state, its ranges checked
 * @err: says what does not fit
 *
 * Return: 0 or -EINVAL.
 */
int nvme_check(const struct device *dev, const void *from, struct error *err)
{
	struct checker c = {
		.ctrl = container_of(dev, const struct nvme_ctrl, pci.dev),
		.state = from,
		.err = err,
	};
	int (*const checks[])(struct checker *c) = {
		check_regs, check_queues, check_replays, check_events,
		check_dbbuf, check_namespaces,
	};
	int ret;
	u32 i;

	ret = pci_state_check(&c.ctrl->pci, &c.state->pci, err);
	for (i = 0; i < ARRAY_SIZE(checks) && !ret; i++)
		ret = checks[i](&c);
	return ret;
}
