// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: submission and completion queues
 *
 * A queue is made by the main loop under the device's lock, handed to the loop
 * that will own it, and from then on touched by that loop's thread only, until
 * it is taken back: a submission queue when everything in it has ended, a
 * completion queue when no submission queue uses it, all at once when the
 * loops are frozen (a reset).
 *
 * Each submission queue has a pool of requests and of vectors, so nothing is
 * allocated for a command. The pools are mapped and not touched: only as much
 * of them becomes memory as commands were ever in flight at once.
 *
 * NVMe-2.0 3.3 (queues), PCIET-1.0 3.1.2 (doorbells). Queues are physically
 * contiguous (CAP.CQR is 1), and must lie in guest RAM.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

static void *lazy_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* A huge page at the first touch would defeat the purpose. */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static bool pool_create(struct nvme_sq *sq)
{
	sq->reqs_nr = min_of(sq->entries, (u32)NVME_SQ_REQS_MAX);
	sq->reqs = lazy_alloc(sq->reqs_nr * sizeof(*sq->reqs));
	sq->iovs = lazy_alloc(sq->reqs_nr * NVME_IOVS_MAX * sizeof(*sq->iovs));
	return sq->reqs && sq->iovs;
}

static void pool_destroy(struct nvme_sq *sq)
{
	if (sq->reqs)
		munmap(sq->reqs, sq->reqs_nr * sizeof(*sq->reqs));
	if (sq->iovs)
		munmap(sq->iovs, sq->reqs_nr * NVME_IOVS_MAX *
		       sizeof(*sq->iovs));
}

/*
 * Where a ring is mapped. The gate may be closed at present (a restored
 * machine is paused); whoever uses the ring looks at the gate again.
 */
static void *ring_ptr(struct nvme_ctrl *ctrl, gpa_t base, u64 bytes,
		      enum guest_access access)
{
	struct guest_gate open;

	guest_gate_init(&open, ctrl->pci.dev.gate.memory);
	return guest_ptr(&open, base, bytes, access);
}

/* I/O queues are spread by their completion queue. */
static struct nvme_loop *loop_for(struct nvme_ctrl *ctrl, u16 cqid)
{
	if (cqid == NVME_QUEUE_ADMIN)
		return &ctrl->admin;
	return &ctrl->loops[(cqid - 1u) % ctrl->loops_nr];
}

static void doorbell_open(struct nvme_doorbell *db, u32 entries,
			  const struct nvme_loop *loop)
{
	atomic_store(&db->value, 0);
	atomic_store(&db->tail, 0);
	atomic_store(&db->waits, false);
	atomic_store(&db->shadowed, false);
	atomic_store(&db->loop, loop->index);
	/* Last: from here on writes are taken. */
	atomic_store(&db->entries, entries);
}

static void doorbell_close(struct nvme_doorbell *db)
{
	atomic_store(&db->entries, 0);
	bus_event_remove(&db->event);
}

/*
 * The admin loop is ours while we hold the device's lock, whichever thread
 * this is; a vCPU that waited for the main loop here would wait for ever.
 */
static void attach(struct nvme_loop *loop, void (*fn)(void *arg), void *queue)
{
	if (loop->admin)
		fn(queue);
	else
		iothread_call(loop->thread, fn, queue);
}

static void cq_attach(void *arg)
{
	struct nvme_cq *cq = arg;

	list_add_tail(&cq->loop->cqs, &cq->link);
	nvme_cq_shadow_begin(cq);
}

static void cq_detach(void *arg)
{
	struct nvme_cq *cq = arg;

	nvme_cq_flush_now(cq);
	list_del(&cq->link);
}

/**
 * nvme_cq_create() - make a completion queue and give it to its loop
 * @ctrl: the controller
 * @params: checked, but for the memory
 *
 * Context: main loop or a vCPU thread, device's lock held.
 * Return: NVME_SC_SUCCESS, NVME_SC_INVALID_FIELD when the ring is not in RAM,
 * NVME_SC_INTERNAL without memory.
 */
nvme_status_t nvme_cq_create(struct nvme_ctrl *ctrl,
			     const struct nvme_queue_params *params)
{
	u64 bytes = (u64)params->entries * sizeof(struct nvme_cqe);
	struct nvme_cq *cq;
	u8 *ring;

	ring = ring_ptr(ctrl, params->base, bytes, GUEST_WRITES);
	if (!ring)
		return NVME_SC_INVALID_FIELD;
	cq = calloc(1, sizeof(*cq));
	if (!cq)
		return NVME_SC_INTERNAL;
	cq->loop = loop_for(ctrl, params->qid);
	cq->db = &ctrl->cq_db[params->qid];
	cq->qid = params->qid;
	cq->entries = params->entries;
	cq->base = params->base;
	cq->ring = ring;
	cq->phase = true;
	cq->vector = params->vector;
	cq->ien = params->ien;
	list_init(&cq->flush_link);
	ctrl->cqs[cq->qid] = cq;
	atomic_store(&cq->db->ien, cq->ien);
	doorbell_open(cq->db, cq->entries, cq->loop);
	attach(cq->loop, cq_attach, cq);
	if (cq->qid)
		nvme_doorbell_event_add(ctrl, cq->qid, true);
	return NVME_SC_SUCCESS;
}

static void cq_free(struct nvme_ctrl *ctrl, struct nvme_cq *cq)
{
	doorbell_close(cq->db);
	ctrl->cqs[cq->qid] = NULL;
	free(cq);
}

/**
 * nvme_cq_delete() - take a completion queue away
 * @ctrl: the controller
 * @qid: one that no submission queue uses
 *
 * Context: main loop, device's lock held.
 */
void nvme_cq_delete(struct nvme_ctrl *ctrl, u16 qid)
{
	struct nvme_cq *cq = ctrl->cqs[qid];

	assert(!cq->sqs);
	iothread_call(cq->loop->thread, cq_detach, cq);
	cq_free(ctrl, cq);
	nvme_intx_update(ctrl);
}

static void sq_attach(void *arg)
{
	struct nvme_sq *sq = arg;

	list_add_tail(&sq->loop->sqs, &sq->link);
	nvme_sq_shadow_begin(sq);
}

static struct nvme_sq *sq_alloc(struct nvme_ctrl *ctrl,
				const struct nvme_queue_params *params)
{
	struct nvme_sq *sq = calloc(1, sizeof(*sq));

	if (!sq)
		return NULL;
	sq->ctrl = ctrl;
	sq->cq = ctrl->cqs[params->cqid];
	sq->loop = sq->cq->loop;
	sq->db = &ctrl->sq_db[params->qid];
	sq->qid = params->qid;
	sq->priority = params->priority;
	sq->entries = params->entries;
	sq->base = params->base;
	list_init(&sq->busy);
	list_init(&sq->again);
	list_init(&sq->free);
	list_init(&sq->ready_link);
	if (pool_create(sq))
		return sq;
	pool_destroy(sq);
	free(sq);
	return NULL;
}

/**
 * nvme_sq_create() - make a submission queue and give it to its loop
 * @ctrl: the controller
 * @params: checked, but for the memory; the completion queue exists
 *
 * Context: main loop or a vCPU thread, device's lock held.
 * Return: see nvme_cq_create().
 */
nvme_status_t nvme_sq_create(struct nvme_ctrl *ctrl,
			     const struct nvme_queue_params *params)
{
	u64 bytes = (u64)params->entries * sizeof(struct nvme_sqe);
	struct nvme_sq *sq;
	const u8 *ring;

	ring = ring_ptr(ctrl, params->base, bytes, GUEST_READS);
	if (!ring)
		return NVME_SC_INVALID_FIELD;
	sq = sq_alloc(ctrl, params);
	if (!sq)
		return NVME_SC_INTERNAL;
	sq->ring = ring;
	sq->cq->sqs++;
	ctrl->sqs[sq->qid] = sq;
	doorbell_open(sq->db, sq->entries, sq->loop);
	attach(sq->loop, sq_attach, sq);
	if (sq->qid)
		nvme_doorbell_event_add(ctrl, sq->qid, false);
	return NVME_SC_SUCCESS;
}

static void sq_free(struct nvme_ctrl *ctrl, struct nvme_sq *sq)
{
	doorbell_close(sq->db);
	sq->cq->sqs--;
	ctrl->sqs[sq->qid] = NULL;
	pool_destroy(sq);
	free(sq);
}

static void sq_deleted(struct nvme_req *req, nvme_status_t status)
{
	sq_free(req->sq->ctrl, req->arg);
	nvme_req_complete(req, status);
}

/**
 * nvme_sq_ended() - the last request of a queue that is to go has ended
 * @sq: the queue; not ours any more afterwards
 *
 * Context: the queue's loop.
 */
void nvme_sq_ended(struct nvme_sq *sq)
{
	struct nvme_req *req = sq->deleter;

	sq->deleter = NULL;
	list_del(&sq->link);
	nvme_offload_done(req, NVME_SC_SUCCESS);
}

static void sq_delete_begin(struct nvme_req *deleter)
{
	struct nvme_sq *sq = deleter->arg;
	struct nvme_req *req;

	nvme_sq_unhold(sq);
	list_del(&sq->ready_link);
	sq->deleter = deleter;
	list_for_each_entry(req, &sq->busy, link)
		nvme_req_cancel(req, NVME_SC_ABORTED_SQ_DELETED);
	if (!sq->inflight)
		nvme_sq_ended(sq);
}

/**
 * nvme_sq_delete() - end what is in a submission queue and take it away
 * @ctrl: the controller
 * @qid: an existing I/O submission queue
 * @req: the command that asks for it; completed when it is done
 *
 * Commands in flight are cancelled where that is possible, and have completed
 * before @req does (NVMe-2.0 5.7).
 *
 * Context: main loop, device's lock held.
 */
void nvme_sq_delete(struct nvme_ctrl *ctrl, u16 qid, struct nvme_req *req)
{
	struct nvme_sq *sq = ctrl->sqs[qid];

	if (sq->closing) {
		nvme_req_complete(req, NVME_SC_QID_INVALID);
		return;
	}
	sq->closing = true;
	req->arg = sq;
	nvme_offload(req, sq->loop, sq_delete_begin, sq_deleted);
}

static struct nvme_req *sq_find(struct nvme_sq *sq, u16 cid)
{
	struct nvme_req *req;

	list_for_each_entry(req, &sq->busy, link)
		if (le16_to_cpu(req->sqe.cid) == cid)
			return req;
	return NULL;
}

/* The answer comes when the command has ended: only then it is known. */
static void sq_abort_begin(struct nvme_req *aborter)
{
	struct nvme_req *req = sq_find(aborter->arg, (u16)aborter->priv[0]);

	aborter->result = NVME_ABORT_DW0_NOT_ABORTED;
	if (!req || req->aborter) {
		nvme_offload_done(aborter, NVME_SC_SUCCESS);
		return;
	}
	req->aborter = aborter;
	if (!nvme_req_cancel(req, NVME_SC_ABORTED)) {
		req->aborter = NULL;
		req->aborted = NVME_SC_SUCCESS;
		nvme_offload_done(aborter, NVME_SC_SUCCESS);
	}
}

/**
 * nvme_sq_abort() - try to end one command of an I/O submission queue
 * @ctrl: the controller
 * @qid: an I/O submission queue; one that does not exist has no commands
 * @cid: which command
 * @req: the Abort command: completed when it is known how it went
 *
 * Context: main loop, device's lock held.
 */
void nvme_sq_abort(struct nvme_ctrl *ctrl, u16 qid, u16 cid,
		   struct nvme_req *req)
{
	struct nvme_sq *sq = qid && qid < NVME_QIDS ? ctrl->sqs[qid] : NULL;

	if (!sq || sq->closing) {
		req->result = NVME_ABORT_DW0_NOT_ABORTED;
		nvme_req_complete(req, NVME_SC_SUCCESS);
		return;
	}
	req->arg = sq;
	req->priv[0] = cid;
	nvme_offload(req, sq->loop, sq_abort_begin, NULL);
}

/**
 * nvme_queues_destroy() - take all queues away, the admin queues too
 * @ctrl: the controller; its loops are frozen and nothing is in flight
 *
 * Context: main loop, device's lock held.
 */
void nvme_queues_destroy(struct nvme_ctrl *ctrl)
{
	u32 i;

	for (i = 0; i < ctrl->loops_nr; i++)
		nvme_loop_forget_queues(&ctrl->loops[i]);
	nvme_loop_forget_queues(&ctrl->admin);
	for (i = 0; i < NVME_QIDS; i++)
		if (ctrl->sqs[i])
			sq_free(ctrl, ctrl->sqs[i]);
	for (i = 0; i < NVME_QIDS; i++)
		if (ctrl->cqs[i])
			cq_free(ctrl, ctrl->cqs[i]);
}

/**
 * nvme_admin_queues_destroy() - take the admin queues away again
 * @ctrl: a controller that was to be enabled and has no other queues
 *
 * The I/O loops are left alone: a shutdown's flush may be in flight there.
 *
 * Context: device's lock held.
 */
void nvme_admin_queues_destroy(struct nvme_ctrl *ctrl)
{
	nvme_loop_forget_queues(&ctrl->admin);
	if (ctrl->sqs[NVME_QUEUE_ADMIN])
		sq_free(ctrl, ctrl->sqs[NVME_QUEUE_ADMIN]);
	if (ctrl->cqs[NVME_QUEUE_ADMIN])
		cq_free(ctrl, ctrl->cqs[NVME_QUEUE_ADMIN]);
}
