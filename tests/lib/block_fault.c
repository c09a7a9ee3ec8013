// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: disks that fail on request
 *
 * See block_fault.h. The wrapper takes the place of &block.ops, so the device
 * goes on using the disk that it has opened. A result is replaced where the
 * completion of the ring is delivered, in &io_op.done, so that the back end
 * sees it as if it came from the kernel.
 *
 * Requests come from any event loop and the test speaks from its own thread;
 * one mutex protects it all.
 */
#include <pthread.h>
#include <stdlib.h>

#include "devices/block/block_ops.h"
#include "tests/lib/block_fault.h"

/**
 * struct block_fault - the wrapper of one disk
 * @ops: in the place of the back end's
 * @blk: the disk
 * @inner: the back end's
 * @mutex: protects the rest
 * @plan: what shall go wrong
 * @seen: requests of the plan's kinds since it was made
 * @hanging: struct block_req that hang
 * @hanging_nr: how many
 * @op_done: what the back end wants to be called with a result
 */
struct block_fault {
	struct block_ops ops;
	struct block *blk;
	const struct block_ops *inner;
	pthread_mutex_t mutex;
	struct block_fault_plan plan;
	u64 seen;
	struct list hanging;
	u32 hanging_nr;
	void (*op_done)(struct io_op *op, s32 res, u32 flags);
};

static struct block_fault *fault_of(struct block_req *req)
{
	return container_of(req->lane->blk->ops, struct block_fault, ops);
}

static void replace_result(struct io_op *op, s32 res, u32 flags)
{
	struct block_req *req = container_of(op, struct block_req, op);
	struct block_fault *fault = fault_of(req);
	void (*done)(struct io_op *op, s32 res, u32 flags);

	pthread_mutex_lock(&fault->mutex);
	done = fault->op_done;
	if (!fault->plan.repeat)
		op->done = done;
	if (fault->plan.result < 0 || res > fault->plan.result)
		res = fault->plan.result;
	pthread_mutex_unlock(&fault->mutex);
	done(op, res, flags);
}

/* With the mutex held: what shall happen to this request? */
static enum block_fault_action decide(struct block_fault *fault,
				      const struct block_req *req)
{
	const struct block_fault_plan *plan = &fault->plan;

	if (plan->kinds && !(plan->kinds >> req->kind & 1))
		return BLOCK_FAULT_NONE;
	fault->seen++;
	if (fault->seen < plan->first ||
	    (plan->count && fault->seen - plan->first >= plan->count))
		return BLOCK_FAULT_NONE;
	return plan->action;
}

static void fault_submit(struct block_req *req)
{
	struct block_fault *fault = fault_of(req);
	enum block_fault_action action;
	int result;

	pthread_mutex_lock(&fault->mutex);
	action = decide(fault, req);
	result = fault->plan.result;
	if (action == BLOCK_FAULT_HANG) {
		list_add_tail(&fault->hanging, &req->call.link);
		fault->hanging_nr++;
	}
	pthread_mutex_unlock(&fault->mutex);
	if (action == BLOCK_FAULT_FAIL)
		block_complete_later(req, result);
	if (action == BLOCK_FAULT_FAIL || action == BLOCK_FAULT_HANG)
		return;
	fault->inner->submit(req);
	if (action == BLOCK_FAULT_RESULT) {
		pthread_mutex_lock(&fault->mutex);
		fault->op_done = req->op.done;
		req->op.done = replace_result;
		pthread_mutex_unlock(&fault->mutex);
	}
}

static bool unhang(struct block_fault *fault, struct block_req *req)
{
	struct list *link;
	bool found = false;

	pthread_mutex_lock(&fault->mutex);
	for (link = fault->hanging.next; link != &fault->hanging && !found;
	     link = link->next)
		found = link == &req->call.link;
	if (found) {
		list_del(&req->call.link);
		fault->hanging_nr--;
	}
	pthread_mutex_unlock(&fault->mutex);
	return found;
}

static bool fault_cancel(struct block_req *req)
{
	struct block_fault *fault = fault_of(req);
	bool stubborn;

	pthread_mutex_lock(&fault->mutex);
	stubborn = fault->plan.stubborn;
	pthread_mutex_unlock(&fault->mutex);
	if (stubborn)
		return false;
	if (unhang(fault, req)) {
		block_complete_later(req, -ECANCELED);
		return true;
	}
	return fault->inner->cancel && fault->inner->cancel(req);
}

static int fault_lock(struct block *blk, struct error *err)
{
	struct block_fault *fault = container_of(blk->ops, struct block_fault,
						 ops);

	return fault->inner->lock ? fault->inner->lock(blk, err) : 0;
}

static void fault_unlock(struct block *blk)
{
	struct block_fault *fault = container_of(blk->ops, struct block_fault,
						 ops);

	if (fault->inner->unlock)
		fault->inner->unlock(blk);
}

/* The device closes a disk that the test has forgotten to detach from. */
static void fault_close(struct block *blk)
{
	struct block_fault *fault = container_of(blk->ops, struct block_fault,
						 ops);

	block_fault_detach(fault);
	blk->ops->close(blk);
}

/**
 * block_fault_attach() - put the wrapper around a disk
 * @blk: the disk; nothing goes wrong yet
 *
 * Context: no request is being made meanwhile.
 * Return: the wrapper; it ends with block_fault_detach() or with the disk.
 */
struct block_fault *block_fault_attach(struct block *blk)
{
	struct block_fault *fault = calloc(1, sizeof(*fault));

	assert(fault);
	fault->ops.submit = fault_submit;
	fault->ops.cancel = fault_cancel;
	fault->ops.lock = fault_lock;
	fault->ops.unlock = fault_unlock;
	fault->ops.close = fault_close;
	fault->blk = blk;
	fault->inner = blk->ops;
	pthread_mutex_init(&fault->mutex, NULL);
	list_init(&fault->hanging);
	blk->ops = &fault->ops;
	return fault;
}

/**
 * block_fault_detach() - leave the disk as it was
 * @fault: the wrapper, with nothing hanging
 *
 * Context: no request is being made or in flight meanwhile.
 */
void block_fault_detach(struct block_fault *fault)
{
	assert(list_is_empty(&fault->hanging));
	fault->blk->ops = fault->inner;
	pthread_mutex_destroy(&fault->mutex);
	free(fault);
}

/**
 * block_fault_plan() - say what shall go wrong
 * @fault: the wrapper
 * @plan: copied; requests are counted from now
 *
 * Context: any thread; what hangs goes on hanging.
 */
void block_fault_plan(struct block_fault *fault,
		      const struct block_fault_plan *plan)
{
	pthread_mutex_lock(&fault->mutex);
	fault->plan = *plan;
	fault->seen = 0;
	pthread_mutex_unlock(&fault->mutex);
}

static void submit_released(struct loop_call *call)
{
	struct block_req *req = container_of(call, struct block_req, call);

	fault_of(req)->inner->submit(req);
}

/**
 * block_fault_release() - let what hangs go on
 * @fault: the wrapper; its plan stays
 *
 * Context: any thread.
 */
void block_fault_release(struct block_fault *fault)
{
	struct list *link;

	pthread_mutex_lock(&fault->mutex);
	fault->hanging_nr = 0;
	while ((link = list_pop(&fault->hanging))) {
		struct block_req *req = list_entry(link, struct block_req,
						   call.link);

		loop_call_init(&req->call, submit_released);
		iothread_post(block_lane_loop(req->lane), &req->call);
	}
	pthread_mutex_unlock(&fault->mutex);
}

/**
 * block_fault_hanging() - how many requests hang
 * @fault: the wrapper
 *
 * Context: any thread.
 * Return: how many.
 */
u32 block_fault_hanging(struct block_fault *fault)
{
	u32 nr;

	pthread_mutex_lock(&fault->mutex);
	nr = fault->hanging_nr;
	pthread_mutex_unlock(&fault->mutex);
	return nr;
}

/**
 * block_fault_seen() - requests of the plan's kinds since it was made
 * @fault: the wrapper
 *
 * Context: any thread.
 * Return: how many.
 */
u64 block_fault_seen(struct block_fault *fault)
{
	u64 nr;

	pthread_mutex_lock(&fault->mutex);
	nr = fault->seen;
	pthread_mutex_unlock(&fault->mutex);
	return nr;
}
