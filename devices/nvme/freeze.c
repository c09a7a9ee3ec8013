// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: silence: no loop fetches anything and nothing is in flight
 *
 * Control asks for silence before it takes queues away (reset), changes a
 * namespace's geometry (Format), saves state (quiesce), or lets one request
 * run alone (a fused Compare and Write). Each wish is a &struct nvme_freeze;
 * several may hold at once, and fetching goes on when the last has ended.
 *
 * A loop stops fetching at once and says so when its last request has ended.
 * Control never waits for that: the last loop to become silent kicks the main
 * loop, which then goes on with whatever asked.
 */
#include "devices/nvme/nvme_priv.h"

static u64 loop_clock(const struct nvme_loop *loop)
{
	return loop->admin ? 0 : nvme_now_ns();
}

/**
 * nvme_loop_busy() - one more request is in flight
 * @loop: where
 *
 * Context: the loop's thread.
 */
void nvme_loop_busy(struct nvme_loop *loop)
{
	if (!loop->inflight++)
		loop->busy_since_ns = loop_clock(loop);
}

static void part_silent(struct nvme_freeze_part *part)
{
	struct nvme_freeze *freeze = part->freeze;

	list_del(&part->link);
	/* Release: what the loop did is seen by who sees 0. */
	if (atomic_fetch_sub_explicit(&freeze->waiting, 1,
				      memory_order_acq_rel) == 1)
		nvme_ctrl_kick(freeze->ctrl);
}

/**
 * nvme_loop_idle() - a request has ended
 * @loop: where
 *
 * Context: the loop's thread.
 */
void nvme_loop_idle(struct nvme_loop *loop)
{
	struct nvme_freeze_part *part, *tmp;
	_Atomic u64 *busy = &loop->stats.busy_ns;

	if (--loop->inflight)
		return;
	atomic_store_explicit(busy,
			      atomic_load_explicit(busy, memory_order_relaxed) +
			      loop_clock(loop) - loop->busy_since_ns,
			      memory_order_relaxed);
	list_for_each_entry_safe(part, tmp, &loop->freezes, link)
		part_silent(part);
}

static void cancel_all(struct nvme_loop *loop)
{
	struct nvme_req *req;
	struct nvme_sq *sq;

	list_for_each_entry(sq, &loop->sqs, link)
		list_for_each_entry(req, &sq->busy, link)
			nvme_req_cancel(req, NVME_SC_ABORTED);
	list_for_each_entry(req, &loop->offloaded, after_link)
		nvme_req_cancel(req, NVME_SC_ABORTED);
}

static void part_begin(struct loop_call *call)
{
	struct nvme_freeze_part *part =
		container_of(call, struct nvme_freeze_part, call);
	struct nvme_loop *loop = part->loop;
	struct nvme_sq *sq;

	loop->frozen++;
	list_for_each_entry(sq, &loop->sqs, link)
		nvme_sq_unhold(sq);
	if (part->freeze->cancel) {
		loop->discard = true;
		cancel_all(loop);
	}
	list_add_tail(&loop->freezes, &part->link);
	if (!loop->inflight)
		part_silent(part);
}

static void part_end(void *arg)
{
	struct nvme_freeze_part *part = arg;
	struct nvme_loop *loop = part->loop;

	list_del(&part->link);
	loop->frozen--;
	if (part->freeze->cancel)
		loop->discard = false;
	/* Doorbells were left alone meanwhile. */
	atomic_store(&loop->rung, true);
	if (!loop->frozen)
		nvme_loop_again(loop);
}

/* Copy is not the same when it is done twice; a pair must not be cut. */
static bool can_be_again(const struct nvme_req *req)
{
	if (req->sq->loop->admin)
		return req->sqe.opcode == NVME_ADM_FORMAT_NVM;
	return req->sqe.opcode != NVME_IO_COPY && !req->partner &&
	       !req->exclusive;
}

static void hurry(void *arg)
{
	struct nvme_loop *loop = arg;
	struct nvme_req *req;
	struct nvme_sq *sq;

	list_for_each_entry(sq, &loop->sqs, link)
		list_for_each_entry(req, &sq->busy, link)
			if (can_be_again(req))
				nvme_req_cancel(req, NVME_REQ_AGAIN);
	list_for_each_entry(req, &loop->offloaded, after_link)
		if (can_be_again(req))
			nvme_req_cancel(req, NVME_REQ_AGAIN);
}

/**
 * nvme_freeze_hurry() - put aside what takes too long, to be issued again
 * @freeze: active, not done
 *
 * Commands that cannot be called back from their disk, or that may not be
 * issued twice, are left alone.
 *
 * Context: main loop.
 */
void nvme_freeze_hurry(struct nvme_freeze *freeze)
{
	struct nvme_ctrl *ctrl = freeze->ctrl;
	u32 i;

	freeze->hurried = true;
	for (i = 0; i < ctrl->loops_nr; i++)
		iothread_call(ctrl->loops[i].thread, hurry, &ctrl->loops[i]);
}

/**
 * nvme_freeze_init() - make a wish that is not active
 * @freeze: to be filled
 * @ctrl: the controller, its loops exist
 * @cancel: cancel what is in flight, and let nothing of it reach the guest
 */
void nvme_freeze_init(struct nvme_freeze *freeze, struct nvme_ctrl *ctrl,
		      bool cancel)
{
	u32 i;

	freeze->ctrl = ctrl;
	freeze->cancel = cancel;
	for (i = 0; i < ctrl->loops_nr; i++) {
		struct nvme_freeze_part *part = &freeze->parts[i];

		part->freeze = freeze;
		part->loop = &ctrl->loops[i];
		list_init(&part->link);
		loop_call_init(&part->call, part_begin);
	}
}

/**
 * nvme_freeze_start() - ask for silence
 * @freeze: not active
 *
 * Context: device's lock held; does not wait.
 */
void nvme_freeze_start(struct nvme_freeze *freeze)
{
	struct nvme_ctrl *ctrl = freeze->ctrl;
	u32 i;

	assert(!freeze->active);
	freeze->active = true;
	freeze->hurried = false;
	atomic_store(&freeze->waiting, ctrl->loops_nr);
	for (i = 0; i < ctrl->loops_nr; i++)
		iothread_post(ctrl->loops[i].thread, &freeze->parts[i].call);
}

/**
 * nvme_freeze_done() - has it become silent?
 * @freeze: the wish
 *
 * Context: any thread.
 * Return: true while it is silent because of @freeze.
 */
bool nvme_freeze_done(const struct nvme_freeze *freeze)
{
	return freeze->active &&
	       !atomic_load_explicit(&freeze->waiting, memory_order_acquire);
}

/**
 * nvme_freeze_end() - silence is not needed any more
 * @freeze: active; ending it before it is done gives it up
 *
 * Waits for each loop to hear of it, so that the next start finds none of the
 * calls of this one on their way.
 *
 * Context: main loop.
 */
void nvme_freeze_end(struct nvme_freeze *freeze)
{
	struct nvme_ctrl *ctrl = freeze->ctrl;
	u32 i;

	assert(freeze->active);
	for (i = 0; i < ctrl->loops_nr; i++)
		iothread_call(ctrl->loops[i].thread, part_end,
			      &freeze->parts[i]);
	freeze->active = false;
	freeze->hurried = false;
}

/* ---- one request alone ----------------------------------------------------- */

/**
 * nvme_exclusive_run() - run a request while nothing else is in flight
 * @req: it does not count as in flight while it waits, nor does its partner
 * @fn: what to run on the request's loop; ends in nvme_exclusive_end()
 *
 * Context: the request's loop.
 */
void nvme_exclusive_run(struct nvme_req *req, void (*fn)(struct nvme_req *req))
{
	struct nvme_ctrl *ctrl = req->sq->ctrl;

	req->offload = fn;
	mutex_lock(&ctrl->excl_lock);
	list_add_tail(&ctrl->excl, &req->after_link);
	mutex_unlock(&ctrl->excl_lock);
	nvme_loop_idle(req->loop);
	if (req->partner)
		nvme_loop_idle(req->loop);
	nvme_ctrl_kick(ctrl);
}

static void exclusive_begin(struct loop_call *call)
{
	struct nvme_req *req = container_of(call, struct nvme_req, call);

	nvme_loop_busy(req->loop);
	if (req->partner)
		nvme_loop_busy(req->loop);
	req->offload(req);
}

/**
 * nvme_exclusive_end() - the request that ran alone is about to complete
 * @req: the request
 *
 * Context: the request's loop.
 */
void nvme_exclusive_end(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = req->sq->ctrl;

	mutex_lock(&ctrl->excl_lock);
	ctrl->excl_run = NULL;
	mutex_unlock(&ctrl->excl_lock);
	nvme_ctrl_kick(ctrl);
}

/**
 * nvme_exclusive_work() - let the next request run that wants to be alone
 * @ctrl: the controller
 *
 * In a reset those that wait are forgotten with their queues.
 *
 * Context: main loop, device's lock held.
 */
void nvme_exclusive_work(struct nvme_ctrl *ctrl)
{
	struct nvme_freeze *freeze = &ctrl->excl_freeze;
	struct nvme_req *next = NULL;
	struct list *link = NULL;
	bool idle, wanted;

	mutex_lock(&ctrl->excl_lock);
	if (ctrl->resetting)
		list_init(&ctrl->excl);
	idle = !ctrl->excl_run;
	wanted = !list_is_empty(&ctrl->excl);
	if (idle && wanted && nvme_freeze_done(freeze)) {
		link = list_pop(&ctrl->excl);
		next = list_entry(link, struct nvme_req, after_link);
		ctrl->excl_run = next;
	}
	mutex_unlock(&ctrl->excl_lock);

	if (next) {
		loop_call_init(&next->call, exclusive_begin);
		iothread_post(next->loop->thread, &next->call);
	} else if (wanted && !freeze->active) {
		nvme_freeze_start(freeze);
	} else if (!wanted && idle && nvme_freeze_done(freeze)) {
		nvme_freeze_end(freeze);
	}
}
