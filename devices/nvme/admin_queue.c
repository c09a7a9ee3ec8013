// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: creating and deleting I/O queues
 *
 * NVMe-2.0 5.4 to 5.7. What can be wrong with a command is checked here; the
 * queues themselves belong to the threads of queue.c. Queues are contiguous
 * in memory (CAP.CQR), so PRP1 is an address and never a list.
 *
 * Runs on the main loop with the device's lock held.
 */
#include "devices/nvme/admin_priv.h"
#include "devices/pci/msix.h"

static bool queue_params(const struct nvme_req *req,
			 struct nvme_queue_params *params)
{
	u32 cdw10 = nvme_cdw(req, 10);

	params->qid = (u16)nvme_get(NVME_CQUEUE_CDW10_QID, cdw10);
	params->entries = nvme_get(NVME_CQUEUE_CDW10_QSIZE, cdw10) + 1;
	params->base = gpa(le64_to_cpu(req->sqe.prp.prp1));
	return params->entries >= NVME_QUEUE_SIZE_MIN &&
	       params->entries <= NVME_QUEUE_ENTRIES;
}

/* What a completion and a submission queue have in common. */
static nvme_status_t check_memory(const struct nvme_ctrl *ctrl, u32 cdw11,
				  const struct nvme_queue_params *params)
{
	if (!(cdw11 & NVME_CREATE_CDW11_PC))
		return NVME_SC_INVALID_FIELD;
	if (gpa_raw(params->base) & (BIT_ULL(ctrl->page_shift) - 1))
		return NVME_SC_PRP_INVALID_OFFSET;
	return NVME_SC_SUCCESS;
}

static bool vector_valid(const struct nvme_ctrl *ctrl, u32 vector)
{
	if (!msix_enabled(&ctrl->pci))
		return vector == 0;
	return vector < msix_vectors(&ctrl->pci);
}

static nvme_status_t create_cq(struct nvme_ctrl *ctrl,
			       const struct nvme_req *req)
{
	struct nvme_queue_params params = { 0 };
	u32 cdw11 = nvme_cdw(req, 11);
	nvme_status_t status;
	bool size_ok;

	size_ok = queue_params(req, &params);
	params.vector = nvme_get(NVME_CCQ_CDW11_IV, cdw11);
	params.ien = cdw11 & NVME_CCQ_CDW11_IEN;

	if (params.qid == NVME_QUEUE_ADMIN || params.qid > ctrl->io_cqs ||
	    ctrl->cqs[params.qid])
		return NVME_SC_QID_INVALID;
	if (!size_ok ||
	    nvme_get(NVME_CC_IOCQES, ctrl->regs.cc) != NVME_CQE_SHIFT)
		return NVME_SC_QUEUE_SIZE_INVALID;
	status = check_memory(ctrl, cdw11, &params);
	if (status)
		return status;
	if (!vector_valid(ctrl, params.vector))
		return NVME_SC_VECTOR_INVALID;
	return nvme_cq_create(ctrl, &params);
}

static nvme_status_t create_sq(struct nvme_ctrl *ctrl,
			       const struct nvme_req *req)
{
	struct nvme_queue_params params = { 0 };
	u32 cdw11 = nvme_cdw(req, 11);
	nvme_status_t status;
	bool size_ok;

	size_ok = queue_params(req, &params);
	params.cqid = (u16)nvme_get(NVME_CSQ_CDW11_CQID, cdw11);
	params.priority = (u8)nvme_get(NVME_CSQ_CDW11_QPRIO, cdw11);

	if (params.qid == NVME_QUEUE_ADMIN || params.qid > ctrl->io_sqs ||
	    ctrl->sqs[params.qid])
		return NVME_SC_QID_INVALID;
	if (params.cqid == NVME_QUEUE_ADMIN || params.cqid > ctrl->io_cqs)
		return NVME_SC_QID_INVALID;
	if (!ctrl->cqs[params.cqid])
		return NVME_SC_CQ_INVALID;
	if (!size_ok ||
	    nvme_get(NVME_CC_IOSQES, ctrl->regs.cc) != NVME_SQE_SHIFT)
		return NVME_SC_QUEUE_SIZE_INVALID;
	status = check_memory(ctrl, cdw11, &params);
	if (status)
		return status;
	return nvme_sq_create(ctrl, &params);
}

/**
 * nvme_admin_create_cq() - Create I/O Completion Queue
 * @req: the command
 *
 * Source: NVMe-2.0 5.4
 * Return: status
 */
nvme_status_t nvme_admin_create_cq(struct nvme_req *req)
{
	return create_cq(nvme_req_ctrl(req), req);
}

/**
 * nvme_admin_create_sq() - Create I/O Submission Queue
 * @req: the command
 *
 * QPRIO is kept and has no effect: arbitration is round robin.
 *
 * Source: NVMe-2.0 5.5
 * Return: status
 */
nvme_status_t nvme_admin_create_sq(struct nvme_req *req)
{
	return create_sq(nvme_req_ctrl(req), req);
}

/**
 * nvme_admin_delete_sq() - Delete I/O Submission Queue
 * @req: the command; completes when nothing of the queue is in flight
 *
 * Source: NVMe-2.0 5.7
 * Return: status or NVME_REQ_PENDING
 */
nvme_status_t nvme_admin_delete_sq(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u16 qid = (u16)nvme_get(NVME_DQUEUE_CDW10_QID, nvme_cdw(req, 10));

	if (qid == NVME_QUEUE_ADMIN || qid >= NVME_QIDS || !ctrl->sqs[qid])
		return NVME_SC_QID_INVALID;
	nvme_sq_delete(ctrl, qid, req);
	return NVME_REQ_PENDING;
}

static bool cq_in_use(const struct nvme_ctrl *ctrl, const struct nvme_cq *cq)
{
	u32 qid;

	for (qid = 1; qid < NVME_QIDS; qid++) {
		if (ctrl->sqs[qid] && ctrl->sqs[qid]->cq == cq)
			return true;
	}
	return false;
}

/**
 * nvme_admin_delete_cq() - Delete I/O Completion Queue
 * @req: the command; its submission queues must be gone
 *
 * Source: NVMe-2.0 5.6
 * Return: status
 */
nvme_status_t nvme_admin_delete_cq(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u16 qid = (u16)nvme_get(NVME_DQUEUE_CDW10_QID, nvme_cdw(req, 10));

	if (qid == NVME_QUEUE_ADMIN || qid >= NVME_QIDS || !ctrl->cqs[qid])
		return NVME_SC_QID_INVALID;
	if (cq_in_use(ctrl, ctrl->cqs[qid]))
		return NVME_SC_QUEUE_DELETION;
	nvme_cq_delete(ctrl, qid);
	return NVME_SC_SUCCESS;
}
