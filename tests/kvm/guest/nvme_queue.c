// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe driver: submission and completion queues
 *
 * Commands are pushed into the submission queue and become visible to the
 * controller with nvme_ring(). nvme_reap() takes one completion and checks
 * everything that a controller could get wrong about it. nvme_wait() sleeps
 * for one, and fails if a completion comes without its interrupt.
 *
 * NVMe-2.0 3.3 (queues), 5.8 and annex B (shadow doorbells).
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/platform.h"

#define IRQ_TIMEOUT_NS		20000000000ull

/**
 * nvme_queue_init - make a queue pair empty, as before it is created
 * @q:     its id and controller are set
 * @depth: entries
 *
 * Memory is allocated when it is used for the first time or gets deeper.
 */
void nvme_queue_init(struct nvme_queue *q, unsigned int depth)
{
	unsigned int i;

	if (q->capacity < depth) {
		const size_t align = q->ctrl->page_size;

		q->sq = mem_alloc(depth * sizeof(*q->sq), align);
		q->cq = mem_alloc(depth * sizeof(*q->cq), align);
		q->busy = mem_alloc(depth, 1);
		q->free_cids = mem_alloc(depth * sizeof(*q->free_cids), 2);
		q->capacity = (uint16_t)depth;
	}
	q->depth = (uint16_t)depth;
	memset((void *)q->cq, 0, depth * sizeof(*q->cq));
	memset(q->busy, 0, depth);
	for (i = 0; i < depth; i++)
		q->free_cids[i] = (uint16_t)(depth - 1 - i);
	q->free_count = depth;
	q->sq_tail = 0;
	q->sq_head = 0;
	q->cq_head = 0;
	q->phase = 1;
	q->sq_rung = 0;
	q->cq_unrung = 0;
}

/**
 * nvme_outstanding - how many commands have not completed
 * @q: queue
 *
 * Return: the number.
 */
unsigned int nvme_outstanding(const struct nvme_queue *q)
{
	return q->depth - q->free_count;
}

/**
 * nvme_push - put a command into the submission queue
 * @q:   queue
 * @cmd: command; its identifier is set here
 *
 * Return: the identifier, or -1 if the queue is full.
 */
int nvme_push(struct nvme_queue *q, struct nvme_command *cmd)
{
	const uint16_t next = (uint16_t)((q->sq_tail + 1) % q->depth);

	if (next == q->sq_head || !q->free_count)
		return -1;
	cmd->cid = q->free_cids[--q->free_count];
	q->busy[cmd->cid] = 1;
	memcpy((void *)&q->sq[q->sq_tail], cmd, sizeof(*cmd));
	q->sq_tail = next;
	return cmd->cid;
}

/* Has the controller asked for the register write: annex B's formula. */
static bool event_is_due(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static void doorbell(struct nvme_queue *q, bool cq, uint16_t v)
{
	volatile uint32_t *reg = cq ? q->cq_doorbell : q->sq_doorbell;
	uint16_t before;

	if (q->shadow) {
		volatile uint32_t *shadow = q->shadow;
		const uint32_t step = 1u << (q->ctrl->cap >> 32 & 15);
		const uint32_t at = cq ? step : 0;

		before = (uint16_t)shadow[at];
		/* The entries must be there before the shadow value. */
		memory_barrier();
		shadow[at] = v;
		/* Shadow first, then look at the event index: annex B. */
		memory_barrier();
		if (!event_is_due((uint16_t)q->event[at], v, before))
			return;
	}
	memory_barrier();
	*reg = v;
	q->rings++;
}

/**
 * nvme_ring - tell the controller about pushed commands
 * @q: queue
 */
void nvme_ring(struct nvme_queue *q)
{
	if (q->sq_rung == q->sq_tail)
		return;
	doorbell(q, false, q->sq_tail);
	q->sq_rung = q->sq_tail;
}

static int completion_check(const struct nvme_queue *q,
			    const struct nvme_completion *c)
{
	CHECK(c->sq_id == q->id, "nvme%u cq %u: completion for sq %u cid %u",
	      q->ctrl->index, q->id, c->sq_id, c->cid);
	CHECK(c->cid < q->depth && q->busy[c->cid],
	      "nvme%u cq %u entry %u: cid %u is not outstanding, status %x",
	      q->ctrl->index, q->id, q->cq_head, c->cid, c->status);
	CHECK(c->sq_head < q->depth, "nvme%u cq %u: sq head %u of %u",
	      q->ctrl->index, q->id, c->sq_head, q->depth);
	return 0;
}

/**
 * nvme_reap - take a completion
 * @q:    queue
 * @done: set to what has completed
 *
 * The completion doorbell is rung when nothing is left, or half of the queue
 * has been taken.
 *
 * Return: 1 if there was one, 0 if not, -1 if it makes no sense.
 */
int nvme_reap(struct nvme_queue *q, struct nvme_done *done)
{
	volatile struct nvme_completion *at = &q->cq[q->cq_head];
	struct nvme_completion c;
	const bool found = (at->status & 1) == q->phase;

	if (q->cq_unrung && (!found || q->cq_unrung >= q->depth / 2)) {
		doorbell(q, true, q->cq_head);
		q->cq_unrung = 0;
	}
	if (!found)
		return 0;
	/* The phase bit first, then the rest of the entry. */
	memory_barrier();
	memcpy(&c, (const void *)at, sizeof(c));
	if (completion_check(q, &c))
		return -1;
	q->busy[c.cid] = 0;
	q->free_cids[q->free_count++] = c.cid;
	q->sq_head = c.sq_head;
	q->cq_unrung++;
	if (++q->cq_head == q->depth) {
		q->cq_head = 0;
		q->phase ^= 1;
	}
	done->cid = c.cid;
	done->status = c.status >> 1 & NVME_STATUS_MASK;
	done->result = c.result;
	return 1;
}

static int timed_out(const struct nvme_queue *q)
{
	const volatile struct nvme_completion *at = &q->cq[q->cq_head];

	CHECK(false,
	      "nvme%u queue %u: no completion: %u outstanding, sq tail %u head %u, cq head %u phase %u status %x, csts %x, irqs %u",
	      q->ctrl->index, q->id, nvme_outstanding(q), q->sq_tail,
	      q->sq_head, q->cq_head, q->phase, at->status,
	      nvme_reg32(q->ctrl, NVME_CSTS),
	      q->irq < 0 ? 0 : irq_seen((unsigned int)q->irq));
}

/*
 * The completion queue was empty when the counter was seen, so the interrupt
 * of a completion found later cannot have been counted already.
 */
static int irq_must_follow(const struct nvme_queue *q, uint32_t seen)
{
	const uint64_t end = now_ns() + IRQ_TIMEOUT_NS;

	while (irq_seen((unsigned int)q->irq) == seen && now_ns() < end)
		cpu_relax();
	CHECK(irq_seen((unsigned int)q->irq) != seen,
	      "nvme%u queue %u: completion without an interrupt",
	      q->ctrl->index, q->id);
	return 0;
}

/**
 * nvme_wait - wait for a completion
 * @q:    queue, of this CPU
 * @done: set to what has completed
 *
 * Return: 0, or -1 after reporting a fault or a timeout.
 */
int nvme_wait(struct nvme_queue *q, struct nvme_done *done)
{
	const uint64_t end = now_ns() + NVME_TIMEOUT_MS * 1000000ull;
	uint32_t seen, slept_at = 0;
	bool slept = false;
	int got;

	for (;;) {
		seen = q->irq < 0 ? 0 : irq_seen((unsigned int)q->irq);
		got = nvme_reap(q, done);
		if (got < 0)
			return -1;
		if (got && slept)
			return irq_must_follow(q, slept_at);
		if (got)
			return 0;
		if (now_ns() > end)
			return timed_out(q);
		if (q->irq < 0) {
			cpu_relax();
			continue;
		}
		nvme_intx_rearm(q->ctrl);
		irq_wait((unsigned int)q->irq, seen);
		slept = true;
		slept_at = seen;
		q->sleeps++;
	}
}

/**
 * nvme_sync_status - do one command, whatever its status
 * @q:    queue, of this CPU; nothing else is outstanding on it but
 *        Asynchronous Event Requests
 * @cmd:  command
 * @done: set to its completion
 *
 * Return: 0, or -1 if it does not complete.
 */
int nvme_sync_status(struct nvme_queue *q, struct nvme_command *cmd,
		     struct nvme_done *done)
{
	const int cid = nvme_push(q, cmd);

	CHECK(cid >= 0, "nvme%u queue %u is full", q->ctrl->index, q->id);
	nvme_ring(q);
	do {
		if (nvme_wait(q, done))
			return -1;
	} while (q->id == 0 &&
		 nvme_event_take(q->ctrl, done->cid, done->result));
	CHECK(done->cid == cid, "nvme%u queue %u: cid %u completed, not %d",
	      q->ctrl->index, q->id, done->cid, cid);
	return 0;
}

/**
 * nvme_sync - do one command that must succeed
 * @q:      as for nvme_sync_status()
 * @cmd:    command
 * @result: set to dword 0 of the completion, unless NULL
 *
 * Return: 0, or -1 after reporting what happened.
 */
int nvme_sync(struct nvme_queue *q, struct nvme_command *cmd,
	      uint32_t *result)
{
	struct nvme_done done;

	if (nvme_sync_status(q, cmd, &done))
		return -1;
	CHECK(!done.status,
	      "nvme%u queue %u opcode %x nsid %x cdw10 %x cdw11 %x: status %x",
	      q->ctrl->index, q->id, cmd->opcode, cmd->nsid, cmd->cdw10,
	      cmd->cdw11, done.status);
	if (result)
		*result = done.result;
	return 0;
}
