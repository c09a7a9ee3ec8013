// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a loop and its queues: finding commands, taking turns, fetching
 *
 * A doorbell writer leaves the new tail in the queue's doorbell, sets
 * &nvme_loop.rung and wakes the loop if it sleeps. The loop's poller then
 * looks at all its queues and puts those with commands on the ready list,
 * from which they are served in turn: as many commands each as the
 * arbitration burst allows (NVMe-2.0 3.4.4.1, round robin).
 *
 * A command is fetched only when a completion slot is reserved for it and a
 * request is free. A queue that lacks either leaves the ready list and comes
 * back when a request ends, or when the guest has consumed completions.
 *
 * The SQE is copied out of guest memory once, and the copy is all that anyone
 * looks at.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "devices/pci/msix.h"
#include "vmm/base/math.h"

#define SERVE_MAX	256	/* commands in a row before completions are due */

static u32 ring_next(u32 at, u32 entries)
{
	return at + 1 == entries ? 0 : at + 1;
}

static u32 ring_distance(u32 from, u32 to, u32 entries)
{
	return to >= from ? to - from : to + entries - from;
}

static void ready_add(struct nvme_sq *sq)
{
	if (list_is_empty(&sq->ready_link) && !sq->deleter)
		list_add_tail(&sq->loop->ready, &sq->ready_link);
}

/**
 * nvme_sq_look() - see how far the guest has filled a submission queue
 * @sq: the queue; put on the ready list when there are commands
 *
 * Context: the queue's loop.
 */
void nvme_sq_look(struct nvme_sq *sq)
{
	u32 tail;

	if (sq->shadow.value)
		tail = nvme_shadow_read(&sq->shadow, sq->ctrl, sq->tail,
					sq->entries);
	else
		tail = atomic_load_explicit(&sq->db->value,
					    memory_order_acquire);
	sq->tail = tail;
	if (sq->head != tail)
		ready_add(sq);
}

/**
 * nvme_cq_look() - see how far the guest has consumed a completion queue
 * @cq: the queue
 * @ctrl: the controller
 *
 * It cannot have consumed more than was posted; such a value is reported and
 * ignored.
 *
 * Context: the queue's loop.
 */
void nvme_cq_look(struct nvme_cq *cq, struct nvme_ctrl *ctrl)
{
	u32 head;

	if (cq->shadow.value)
		head = nvme_shadow_read(&cq->shadow, ctrl, cq->head,
					cq->entries);
	else
		head = atomic_load_explicit(&cq->db->value,
					    memory_order_acquire);
	if (head == cq->head)
		return;
	if (ring_distance(cq->head, head, cq->entries) >
	    ring_distance(cq->head, cq->tail, cq->entries)) {
		nvme_shadow_reject(&cq->shadow, ctrl, head);
		return;
	}
	cq->head = head;
	/* For the level of the interrupt pin. */
	if (cq->shadow.value)
		atomic_store_explicit(&cq->db->value, head,
				      memory_order_relaxed);
}

static bool cq_has_room(const struct nvme_cq *cq)
{
	u32 used = ring_distance(cq->head, cq->tail, cq->entries);

	return used + cq->reserved < cq->entries - 1;
}

/**
 * nvme_cq_reserve() - promise a completion slot
 * @cq: the completion queue
 * @ctrl: the controller
 *
 * Without room the queue asks to be told when the guest has made some: the
 * store of &nvme_doorbell.waits before the second look pairs with the
 * doorbell writer, who stores the head and then looks at it.
 *
 * Context: the queue's loop.
 * Return: false when there is no room now.
 */
bool nvme_cq_reserve(struct nvme_cq *cq, struct nvme_ctrl *ctrl)
{
	if (unlikely(!cq_has_room(cq))) {
		nvme_cq_look(cq, ctrl);
		if (!cq_has_room(cq)) {
			atomic_store(&cq->db->waits, true);
			nvme_shadow_arm(&cq->shadow, ctrl, cq->head);
			nvme_cq_look(cq, ctrl);
			if (!cq_has_room(cq))
				return false;
		}
		atomic_store_explicit(&cq->db->waits, false,
				      memory_order_relaxed);
	}
	cq->reserved++;
	return true;
}

static struct nvme_req *req_get(struct nvme_sq *sq)
{
	struct list *link = list_pop(&sq->free);
	struct nvme_req *req;

	if (likely(link))
		return list_entry(link, struct nvme_req, link);
	if (sq->reqs_used == sq->reqs_nr)
		return NULL;
	req = &sq->reqs[sq->reqs_used];
	req->index = (u16)sq->reqs_used++;
	req->sq = sq;
	req->loop = sq->loop;
	list_init(&req->after_link);
	return req;
}

/**
 * nvme_req_clear() - as at its fetch
 * @req: the request; its command, queue and place stay
 */
void nvme_req_clear(struct nvme_req *req)
{
	req->cmd = NULL;
	req->ns = NULL;
	req->result = 0;
	req->slba = 0;
	req->nlb = 0;
	req->data_len = 0;
	req->iov = req->inline_iov;
	req->iov_nr = 0;
	req->dma_dir = NVME_DIR_NONE;
	req->parked = false;
	req->in_block = false;
	req->exclusive = false;
	req->aborted = NVME_SC_SUCCESS;
	req->aborter = NULL;
	req->partner = NULL;
	req->next = NULL;
	req->after = NULL;
	memset(req->priv, 0, sizeof(req->priv));
	req->arg = NULL;
}

/**
 * nvme_req_new() - a request with a reserved completion slot
 * @sq: the submission queue that it is of
 *
 * Context: the queue's loop.
 * Return: the request, to be filled with its command; NULL without a request
 * or a slot.
 */
struct nvme_req *nvme_req_new(struct nvme_sq *sq)
{
	struct nvme_loop *loop = sq->loop;
	struct nvme_req *req;

	if (!nvme_cq_reserve(sq->cq, sq->ctrl))
		return NULL;
	req = req_get(sq);
	if (!req) {
		sq->cq->reserved--;
		return NULL;
	}
	nvme_req_clear(req);
	list_add_tail(&sq->busy, &req->link);
	sq->inflight++;
	nvme_loop_busy(loop);
	return req;
}

/**
 * nvme_req_free() - a request goes back to its pool
 * @req: completed, or never started
 *
 * Context: the queue's loop. The queue may be gone afterwards.
 */
void nvme_req_free(struct nvme_req *req)
{
	struct nvme_sq *sq = req->sq;
	struct nvme_loop *loop = sq->loop;

	list_del(&req->link);
	list_add_head(&sq->free, &req->link);
	sq->inflight--;
	if (sq->head != sq->tail)
		ready_add(sq);
	if (unlikely(sq->deleter) && !sq->inflight)
		nvme_sq_ended(sq);
	nvme_loop_idle(loop);
}

/**
 * nvme_req_restore() - a request of a machine that was saved
 * @sq: its queue; neither has a request or slot been checked for, nor is there
 *      room for more than was saved: the state was checked
 * @sqe: the command
 *
 * Context: load, the queue's loop is frozen.
 * Return: the request, in &nvme_sq.again, without a slot.
 */
struct nvme_req *nvme_req_restore(struct nvme_sq *sq, const void *sqe)
{
	struct nvme_req *req = req_get(sq);

	assert(req);
	nvme_req_clear(req);
	memcpy(&req->sqe, sqe, sizeof(req->sqe));
	list_add_tail(&sq->again, &req->link);
	sq->inflight++;
	return req;
}

/**
 * nvme_loop_again() - issue what did not end before the machine was paused
 * @loop: not frozen any more
 *
 * Context: the loop's thread; the admin loop with the device's lock held.
 */
void nvme_loop_again(struct nvme_loop *loop)
{
	struct nvme_sq *sq;
	struct list *link;
	struct list batch;

	list_init(&batch);
	list_for_each_entry(sq, &loop->sqs, link) {
		while ((link = list_pop(&sq->again)))
			list_add_tail(&batch, link);
	}
	while ((link = list_pop(&batch))) {
		struct nvme_req *req = list_entry(link, struct nvme_req, link);

		list_add_tail(&req->sq->busy, &req->link);
		nvme_loop_busy(loop);
		nvme_req_start(req);
	}
}

/*
 * The first half of a fused pair is held until the second is fetched. The two
 * come with one doorbell write, so when nothing follows there is no second.
 */
static void fetched(struct nvme_sq *sq, struct nvme_req *req)
{
	struct nvme_req *held = sq->held;
	u32 fuse = nvme_get(NVME_SQE_FUSE, req->sqe.flags);

	sq->held = NULL;
	if (likely(!fuse && !held)) {
		nvme_req_start(req);
		return;
	}
	if (held && fuse == NVME_FUSE_SECOND) {
		nvme_fused_start(held, req);
		return;
	}
	if (held)
		nvme_req_complete(held, NVME_SC_ABORTED_FUSED_MISSING);
	if (fuse == NVME_FUSE_FIRST && sq->head != sq->tail &&
	    sq->cq->entries > 2 && !sq->loop->admin)
		sq->held = req;
	else if (fuse == NVME_FUSE_NONE || sq->loop->admin)
		nvme_req_start(req);
	else
		nvme_req_complete(req, fuse > NVME_FUSE_SECOND ?
				  NVME_SC_INVALID_FIELD :
				  NVME_SC_ABORTED_FUSED_MISSING);
}

static bool fetch_one(struct nvme_sq *sq)
{
	struct nvme_req *req = nvme_req_new(sq);

	if (!req)
		return false;
	memcpy(&req->sqe, sq->ring + (size_t)sq->head * sizeof(req->sqe),
	       sizeof(req->sqe));
	sq->head = ring_next(sq->head, sq->entries);
	fetched(sq, req);
	return true;
}

/**
 * nvme_sq_unhold() - put a held half of a fused pair back into its queue
 * @sq: the queue
 *
 * Its slot was not reported as free yet, so it is still there.
 *
 * Context: the queue's loop.
 */
void nvme_sq_unhold(struct nvme_sq *sq)
{
	struct nvme_req *req = sq->held;

	if (!req)
		return;
	sq->held = NULL;
	sq->head = sq->head ? sq->head - 1 : sq->entries - 1;
	sq->cq->reserved--;
	nvme_req_free(req);
}

/* True when the queue has more to fetch and lacks nothing. */
static bool sq_serve(struct nvme_sq *sq, u32 max)
{
	u32 n;

	for (n = 0; n < max; n++) {
		if (sq->head == sq->tail)
			return false;
		if (!fetch_one(sq))
			return false;
	}
	return sq->head != sq->tail;
}

static bool gate_is_open(const struct nvme_ctrl *ctrl)
{
	return !atomic_load_explicit(&ctrl->pci.dev.gate.closed,
				     memory_order_relaxed);
}

static bool loop_serve(struct nvme_loop *loop)
{
	u32 burst = atomic_load_explicit(&loop->ctrl->tuning.burst,
					 memory_order_relaxed);
	u32 left = SERVE_MAX;
	struct list *link;

	while (left && !loop->frozen && (link = list_pop(&loop->ready))) {
		struct nvme_sq *sq = list_entry(link, struct nvme_sq,
						ready_link);
		u32 n = min_of(burst, left);

		left -= n;
		if (sq_serve(sq, n))
			ready_add(sq);
	}
	return left < SERVE_MAX;
}

/* With an interrupt pin the level follows each head. */
static void look_at_heads(struct nvme_loop *loop)
{
	struct nvme_cq *cq;

	list_for_each_entry(cq, &loop->cqs, link)
		nvme_cq_look(cq, loop->ctrl);
	nvme_intx_update(loop->ctrl);
}

static void loop_look(struct nvme_loop *loop)
{
	struct nvme_sq *sq;

	list_for_each_entry(sq, &loop->sqs, link)
		nvme_sq_look(sq);
	if (unlikely(loop->shadowed && !msix_enabled(&loop->ctrl->pci)))
		look_at_heads(loop);
}

/**
 * nvme_loop_poll() - look for commands once, and send interrupts
 * @loop: the loop
 *
 * Context: the loop's thread; the admin loop with the device's lock held.
 * Return: true when there was something to do.
 */
bool nvme_loop_poll(struct nvme_loop *loop)
{
	bool any = false;

	if (likely(!loop->frozen) && gate_is_open(loop->ctrl)) {
		if (atomic_load_explicit(&loop->rung, memory_order_relaxed)) {
			/* Pairs with nvme_loop_ring(): first the flag. */
			atomic_exchange(&loop->rung, false);
			loop_look(loop);
		} else if (loop->shadowed) {
			loop_look(loop);
		}
		any = loop_serve(loop);
	}
	any |= nvme_loop_flush(loop);
	return any;
}

/**
 * nvme_loop_ring() - a queue of this loop needs to be looked at
 * @loop: the loop
 *
 * Context: any thread, no lock; the reason was stored before.
 */
void nvme_loop_ring(struct nvme_loop *loop)
{
	atomic_store(&loop->rung, true);
	if (loop->admin)
		nvme_ctrl_kick(loop->ctrl);
	else
		iothread_wake(loop->thread);
}

static bool poller_poll(struct io_poller *poller)
{
	return nvme_loop_poll(container_of(poller, struct nvme_loop, poller));
}

static bool arm_shadows(struct nvme_loop *loop)
{
	struct nvme_ctrl *ctrl = loop->ctrl;
	bool any = false;
	struct nvme_sq *sq;
	struct nvme_cq *cq;

	list_for_each_entry(sq, &loop->sqs, link)
		if (sq->head == sq->tail)
			any |= nvme_shadow_arm(&sq->shadow, ctrl, sq->tail);
	if (msix_enabled(&ctrl->pci))
		return any;
	list_for_each_entry(cq, &loop->cqs, link)
		any |= nvme_shadow_arm(&cq->shadow, ctrl, cq->head);
	return any;
}

/* About to sleep: from now on the guest has to ring. */
static bool poller_arm(struct io_poller *poller)
{
	struct nvme_loop *loop = container_of(poller, struct nvme_loop,
					      poller);
	bool any;

	if (loop->frozen || !gate_is_open(loop->ctrl))
		return false;
	any = loop->shadowed && arm_shadows(loop);
	return any || atomic_load(&loop->rung) ||
	       !list_is_empty(&loop->ready);
}

static void bell_ready(struct io_watch *watch)
{
	struct nvme_loop *loop = container_of(watch, struct nvme_loop,
					      bell_watch);

	atomic_store(&loop->rung, true);
}

static void loop_enter(void *arg)
{
	struct nvme_loop *loop = arg;

	io_watch_eventfd(loop->thread, &loop->bell_watch, loop->bell,
			 bell_ready);
	io_timer_init(&loop->coalesce, loop->thread, nvme_coalesce_end);
	io_poller_add(loop->thread, &loop->poller);
}

static void loop_leave(void *arg)
{
	struct nvme_loop *loop = arg;

	io_poller_remove(&loop->poller);
	io_timer_destroy(&loop->coalesce);
	io_watch_remove(&loop->bell_watch);
}

/**
 * nvme_loop_init() - set up a loop without queues
 * @loop: zeroed
 * @ctrl: its controller
 * @thread: its thread
 * @index: its place in &nvme_ctrl.loops, NVME_LOOPS_MAX for the admin loop
 */
void nvme_loop_init(struct nvme_loop *loop, struct nvme_ctrl *ctrl,
		    struct iothread *thread, u32 index)
{
	loop->ctrl = ctrl;
	loop->thread = thread;
	loop->index = index;
	loop->admin = index == NVME_LOOPS_MAX;
	loop->bell = -1;
	loop->poller.poll = poller_poll;
	loop->poller.arm = poller_arm;
	list_init(&loop->sqs);
	list_init(&loop->cqs);
	list_init(&loop->ready);
	list_init(&loop->flush);
	list_init(&loop->freezes);
	list_init(&loop->offloaded);
	list_init(&loop->waiting);
}

/**
 * nvme_loop_start() - let an I/O loop look for commands
 * @loop: set up, its thread is running, its eventfd is open
 */
void nvme_loop_start(struct nvme_loop *loop)
{
	iothread_call(loop->thread, loop_enter, loop);
}

/**
 * nvme_loop_stop() - undo nvme_loop_start()
 * @loop: frozen, without queues
 */
void nvme_loop_stop(struct nvme_loop *loop)
{
	iothread_call(loop->thread, loop_leave, loop);
}

static void forget_queues(void *arg)
{
	struct nvme_loop *loop = arg;

	assert(!loop->inflight);
	list_init(&loop->sqs);
	list_init(&loop->cqs);
	list_init(&loop->ready);
	list_init(&loop->flush);
	loop->shadowed = false;
	atomic_store(&loop->rung, false);
}

/**
 * nvme_loop_forget_queues() - the queues of a loop are about to be freed
 * @loop: frozen, nothing in flight
 */
void nvme_loop_forget_queues(struct nvme_loop *loop)
{
	if (loop->admin)
		forget_queues(loop);
	else
		iothread_call(loop->thread, forget_queues, loop);
}
