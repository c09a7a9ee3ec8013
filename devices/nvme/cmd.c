// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: commands: dispatch, checks that all have in common, completion
 *
 * A fetched command goes through four steps: it is parsed, checked, executed,
 * completed. The row of its opcode in a table says what to parse and check;
 * the row's handler does what is special to the command, checks everything
 * before it changes anything, and either returns a status or goes on by itself
 * until it calls nvme_req_complete(). There is no other way for a request to
 * end, and each ends once.
 *
 * An admin command that needs a disk or a queue's thread is sent there with
 * nvme_offload() and comes back to the main loop when it is done.
 *
 * Status codes: NVMe-2.0 3.3.3.2, NVMCS-1.0 3.1.2. Reserved command fields that
 * are not zero are refused in dword 0, where they would change what the
 * command is, and ignored elsewhere.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

#define IO_EFFECTS	(NVME_EFFECTS_CSUPP | NVME_EFFECTS_SCOPE_NS)
#define IO_CHANGES	(IO_EFFECTS | NVME_EFFECTS_LBCC)

const struct nvme_cmd nvme_io_cmds[] = {
	[NVME_IO_FLUSH] = {
		.name = "Flush", .nsid = NVME_NSID_ACTIVE_OR_ALL,
		.effects = IO_EFFECTS, .run = nvme_io_flush,
	},
	[NVME_IO_WRITE] = {
		.name = "Write", .dir = NVME_DIR_OUT,
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS,
		.effects = IO_CHANGES, .writes = true,
		.run = nvme_io_write,
	},
	[NVME_IO_READ] = {
		.name = "Read", .dir = NVME_DIR_IN,
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS,
		.effects = IO_EFFECTS, .run = nvme_io_read,
	},
	[NVME_IO_WRITE_UNCORR] = {
		.name = "Write Uncorrectable",
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS_NO_DATA,
		.effects = IO_CHANGES, .writes = true,
		.run = nvme_io_write_uncorrectable,
	},
	[NVME_IO_COMPARE] = {
		.name = "Compare", .dir = NVME_DIR_OUT,
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS,
		.effects = IO_EFFECTS, .run = nvme_io_compare,
	},
	[NVME_IO_WRITE_ZEROES] = {
		.name = "Write Zeroes",
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS_NO_DATA,
		.effects = IO_CHANGES, .writes = true,
		.run = nvme_io_write_zeroes,
	},
	[NVME_IO_DSM] = {
		.name = "Dataset Management", .dir = NVME_DIR_OUT,
		.nsid = NVME_NSID_ACTIVE, .effects = IO_CHANGES,
		.writes = true, .run = nvme_io_dsm,
	},
	[NVME_IO_VERIFY] = {
		.name = "Verify",
		.nsid = NVME_NSID_ACTIVE, .len = NVME_LEN_LBAS_NO_DATA,
		.effects = IO_EFFECTS, .run = nvme_io_verify,
	},
	[NVME_IO_COPY] = {
		.name = "Copy", .dir = NVME_DIR_OUT,
		.nsid = NVME_NSID_ACTIVE, .effects = IO_CHANGES,
		.writes = true, .run = nvme_io_copy,
	},
};

const u32 nvme_io_cmds_nr = ARRAY_SIZE(nvme_io_cmds);

/* The same command may succeed at another time: Do Not Retry stays clear. */
static const u16 retryable[] = {
	(__force u16)NVME_SC_INTERNAL,
	(__force u16)NVME_SC_POWER_LOSS,
	(__force u16)NVME_SC_ABORTED,
	(__force u16)NVME_SC_ABORTED_SQ_DELETED,
	(__force u16)NVME_SC_ABORTED_FUSED_FAILED,
	(__force u16)NVME_SC_NS_NOT_READY,
	(__force u16)NVME_SC_FORMAT_IN_PROGRESS,
	(__force u16)NVME_SC_INTERRUPTED,
	(__force u16)NVME_SC_TRANSIENT_TRANSPORT,
	(__force u16)NVME_SC_ABORT_LIMIT,
	(__force u16)NVME_SC_WRITE_FAULT,
	(__force u16)NVME_SC_READ_ERROR,
	(__force u16)NVME_SC_CAPACITY_EXCEEDED,
};

/* The host asked for these; they are no errors to be kept. */
static const u16 unlogged[] = {
	(__force u16)NVME_SC_ABORTED,
	(__force u16)NVME_SC_ABORTED_SQ_DELETED,
	(__force u16)NVME_SC_ABORTED_FUSED_FAILED,
};

static bool code_in(nvme_status_t status, const u16 *codes, u32 nr)
{
	u16 code = nvme_status_raw(nvme_status_code(status));
	u32 i;

	for (i = 0; i < nr; i++)
		if (codes[i] == code)
			return true;
	return false;
}

static void count_media_error(struct nvme_req *req, nvme_status_t status)
{
	_Atomic u64 *errors = &req->loop->stats.media_errors;
	nvme_status_t code = nvme_status_code(status);

	if (code == NVME_SC_READ_ERROR || code == NVME_SC_WRITE_FAULT)
		atomic_fetch_add(errors, 1);
}

/* Adds Do Not Retry and More, and keeps the error. */
static nvme_status_t report(struct nvme_req *req, nvme_status_t status)
{
	log_limited(LOG_DEBUG, "%s: queue %u: %s (%02xh): status %03xh",
		    req->sq->ctrl->pci.dev.name, req->sq->qid,
		    req->cmd ? req->cmd->name : "command", req->sqe.opcode,
		    nvme_status_raw(nvme_status_code(status)));
	if (!code_in(status, retryable, ARRAY_SIZE(retryable)))
		status = nvme_status_dnr(status);
	if (code_in(status, unlogged, ARRAY_SIZE(unlogged)))
		return status;
	count_media_error(req, status);
	status = nvme_status_more(status);
	nvme_error_log_add(req->sq->ctrl, req, status);
	return status;
}

/**
 * nvme_cmd_find() - a command's row
 * @table: nvme_admin_cmds or nvme_io_cmds
 * @nr: rows
 * @opcode: which
 *
 * Return: the row, NULL for a command that is not there.
 */
const struct nvme_cmd *nvme_cmd_find(const struct nvme_cmd *table, u32 nr,
				     u8 opcode)
{
	return opcode < nr && table[opcode].run ? &table[opcode] : NULL;
}

static nvme_status_t check_flags(const struct nvme_req *req)
{
	u8 flags = req->sqe.flags;

	if (likely(!flags))
		return NVME_SC_SUCCESS;
	if (flags & NVME_SQE_RESERVED)
		return NVME_SC_INVALID_FIELD;
	/* SGLs are for I/O commands only (PCIET-1.0 3.3). */
	if (req->sq->loop->admin)
		return NVME_SC_INVALID_FIELD;
	if (nvme_get(NVME_SQE_PSDT, flags) > NVME_PSDT_SGL_MSGL)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

static nvme_status_t check_ns(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = req->sq->ctrl;
	u32 nsid = le32_to_cpu(req->sqe.nsid);

	if (req->cmd->nsid == NVME_NSID_OWN ||
	    (req->cmd->nsid == NVME_NSID_ACTIVE_OR_ALL &&
	     nsid == NVME_NSID_ALL))
		return NVME_SC_SUCCESS;
	if (!nsid || nsid > ctrl->ns_nr)
		return NVME_SC_INVALID_NS;
	req->ns = nvme_ns_active(ctrl, nsid);
	if (unlikely(!req->ns))
		return NVME_SC_INVALID_FIELD;
	if (unlikely(atomic_load_explicit(&req->ns->formatting,
					  memory_order_acquire)))
		return NVME_SC_FORMAT_IN_PROGRESS;
	if (unlikely(req->cmd->writes && req->ns->readonly))
		return NVME_SC_NS_WRITE_PROTECTED;
	return NVME_SC_SUCCESS;
}

static nvme_status_t check_lbas(struct nvme_req *req)
{
	const struct nvme_sqe *sqe = &req->sqe;
	u32 nlb;

	if (req->cmd->len == NVME_LEN_OWN)
		return NVME_SC_SUCCESS;
	nlb = nvme_get(NVME_RW_CDW12_NLB, le32_to_cpu(sqe->cdw12)) + 1;
	req->slba = le32_to_cpu(sqe->cdw10) |
		    (u64)le32_to_cpu(sqe->cdw11) << 32;
	req->nlb = nlb;
	if (!range_fits(req->slba, nlb, req->ns->lbas))
		return NVME_SC_LBA_RANGE;
	if (req->cmd->len == NVME_LEN_LBAS_NO_DATA)
		return NVME_SC_SUCCESS;
	req->data_len = (u64)nlb << req->ns->lba_shift;
	if (req->data_len > 4096ULL << req->sq->ctrl->config->mdts)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

/**
 * nvme_req_check() - parse a command and check what its row says
 * @req: fetched
 *
 * Sets &nvme_req.cmd, @ns, @slba, @nlb and @data_len.
 *
 * Context: the request's loop.
 * Return: NVME_SC_SUCCESS, or why it cannot be executed.
 */
nvme_status_t nvme_req_check(struct nvme_req *req)
{
	nvme_status_t status;

	if (unlikely(req->sq->loop->admin))
		req->cmd = nvme_cmd_find(nvme_admin_cmds, nvme_admin_cmds_nr,
					 req->sqe.opcode);
	else
		req->cmd = nvme_cmd_find(nvme_io_cmds, nvme_io_cmds_nr,
					 req->sqe.opcode);
	if (unlikely(!req->cmd))
		return NVME_SC_INVALID_OPCODE;
	status = check_flags(req);
	if (likely(!status))
		status = check_ns(req);
	if (likely(!status))
		status = check_lbas(req);
	return status;
}

/**
 * nvme_req_start() - check and execute a command
 * @req: fetched
 *
 * Context: the request's loop. @req may have ended on return.
 */
void nvme_req_start(struct nvme_req *req)
{
	nvme_status_t status = nvme_req_check(req);

	if (likely(!status))
		status = req->cmd->run(req);
	if (status != NVME_REQ_PENDING)
		nvme_req_complete(req, status);
}

/*
 * The entry's body first, then the half dword with the phase tag: the release
 * store pairs with the guest, which looks at the phase first.
 */
static void cqe_publish(u8 *slot, const struct nvme_cqe *cqe)
{
	_Atomic u64 *at = (_Atomic u64 *)(void *)slot;
	u64 half[2];

	memcpy(half, cqe, sizeof(half));
	atomic_store_explicit(&at[0], half[0], memory_order_relaxed);
	atomic_store_explicit(&at[1], half[1], memory_order_release);
}

/* What the guest may overwrite: not the slot of a command that may be put back. */
static u16 reported_head(const struct nvme_sq *sq)
{
	if (likely(!sq->held))
		return (u16)sq->head;
	return (u16)(sq->head ? sq->head - 1 : sq->entries - 1);
}

static void cq_post(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_sq *sq = req->sq;
	struct nvme_cq *cq = sq->cq;
	struct guest_gate *gate = &sq->ctrl->pci.dev.gate;
	struct nvme_cqe cqe = {
		.dw0 = cpu_to_le32((u32)req->result),
		.dw1 = cpu_to_le32((u32)(req->result >> 32)),
		.sq_head = cpu_to_le16(reported_head(sq)),
		.sqid = cpu_to_le16(sq->qid),
		.cid = req->sqe.cid,
		.status = nvme_cqe_status(status, cq->phase),
	};
	u64 offset = (u64)cq->tail * sizeof(cqe);

	if (unlikely(atomic_load_explicit(&gate->closed,
					  memory_order_relaxed))) {
		/* A completion that cannot be written: PCIe-4.0 7.5.1.1.3. */
		nvme_ctrl_notice(sq->ctrl, NVME_NOTICE_FATAL);
		return;
	}
	cq->tail = cq->tail + 1 == cq->entries ? 0 : cq->tail + 1;
	cq->phase ^= cq->tail == 0;
	/* Before the guest can see the entry and answer it. */
	atomic_store_explicit(&cq->db->tail, cq->tail, memory_order_release);
	cqe_publish(cq->ring + offset, &cqe);
	guest_memory_mark_dirty(gate->memory, gpa_add(cq->base, offset),
				sizeof(cqe));
	nvme_cq_signal(cq);
}

/* Keeps the request and its slot; it is as it was when it was fetched. */
static void put_aside(struct nvme_req *req)
{
	struct nvme_sqe sqe = req->sqe;
	struct nvme_sq *sq = req->sq;

	list_del(&req->link);
	nvme_req_clear(req);
	req->sqe = sqe;
	list_add_tail(&sq->again, &req->link);
	nvme_loop_idle(sq->loop);
}

static void tell_aborter(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_req *aborter = req->aborter;

	req->aborter = NULL;
	if (nvme_status_code(status) == NVME_SC_ABORTED)
		aborter->result = 0;
	nvme_offload_done(aborter, NVME_SC_SUCCESS);
}

/**
 * nvme_req_complete() - a request ends
 * @req: the request; not the caller's any more
 * @status: how; Do Not Retry and More are added here
 *
 * The one way for a request to end. In a reset nothing reaches the guest.
 *
 * Context: the loop of the request's queue; for an admin request with the
 * device's lock held. The queue may be gone on return.
 */
void nvme_req_complete(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_sq *sq = req->sq;

	if (req->dma_dir)
		nvme_dptr_unmap(req);
	if (unlikely(status == NVME_REQ_AGAIN)) {
		put_aside(req);
		return;
	}
	if (unlikely(status))
		status = report(req, status);
	if (unlikely(req->aborter))
		tell_aborter(req, status);
	if (unlikely(req->exclusive))
		nvme_exclusive_end(req);
	sq->cq->reserved--;
	if (likely(!sq->loop->discard))
		cq_post(req, status);
	nvme_req_free(req);
}

/**
 * nvme_req_park() - let a request wait without a completion slot
 * @req: an admin request
 *
 * An Asynchronous Event Request may wait for ever; it must not keep a slot
 * from commands that end. It does not count as in flight.
 *
 * Context: device's lock held.
 */
void nvme_req_park(struct nvme_req *req)
{
	assert(!req->parked);
	req->parked = true;
	req->sq->cq->reserved--;
	nvme_loop_idle(req->sq->loop);
}

/**
 * nvme_req_unpark() - take a completion slot again
 * @req: parked
 *
 * Context: device's lock held.
 * Return: true when it has one: then it must be completed. False: try again
 * when the core calls nvme_event_process().
 */
bool nvme_req_unpark(struct nvme_req *req)
{
	struct nvme_sq *sq = req->sq;

	if (sq->loop->frozen || sq->loop->discard ||
	    !nvme_cq_reserve(sq->cq, sq->ctrl))
		return false;
	req->parked = false;
	nvme_loop_busy(sq->loop);
	return true;
}

/**
 * nvme_req_cancel() - try to end a request early
 * @req: in flight
 * @status: what it shall complete with if that works
 *
 * Handlers of several steps look at &nvme_req.aborted before each.
 *
 * Context: the request's loop.
 * Return: true when it was asked to end; it completes later.
 */
bool nvme_req_cancel(struct nvme_req *req, nvme_status_t status)
{
	if (req->aborted)
		return false;
	req->aborted = status;
	if (req->in_block)
		return block_cancel(&req->blk);
	return true;
}

static void offload_run(struct loop_call *call)
{
	struct nvme_req *req = container_of(call, struct nvme_req, call);

	nvme_loop_busy(req->loop);
	list_add_tail(&req->loop->offloaded, &req->after_link);
	if (req->loop->discard)
		req->aborted = NVME_SC_ABORTED;
	req->offload(req);
}

/**
 * nvme_offload() - work on an admin request on a loop's thread
 * @req: the request
 * @loop: where
 * @fn: begins the work, which ends in nvme_offload_done()
 * @after: what to do on the main loop then, device's lock held, with the
 *         status that the work has ended with; it completes the request. NULL:
 *         complete it with that status
 *
 * Context: device's lock held.
 */
void nvme_offload(struct nvme_req *req, struct nvme_loop *loop,
		  void (*fn)(struct nvme_req *req),
		  void (*after)(struct nvme_req *req, nvme_status_t status))
{
	req->loop = loop;
	req->offload = fn;
	req->after = after;
	loop_call_init(&req->call, offload_run);
	iothread_post(loop->thread, &req->call);
}

/**
 * nvme_offload_done() - the work on a loop's thread has ended
 * @req: the request; belongs to the main loop again
 * @status: how
 *
 * Context: the thread of &nvme_req.loop.
 */
void nvme_offload_done(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_ctrl *ctrl = req->sq->ctrl;
	struct nvme_loop *loop = req->loop;

	list_del(&req->after_link);
	req->after_status = status;
	mutex_lock(&ctrl->done_lock);
	list_add_tail(&ctrl->done, &req->after_link);
	mutex_unlock(&ctrl->done_lock);
	nvme_ctrl_kick(ctrl);
	nvme_loop_idle(loop);
}
