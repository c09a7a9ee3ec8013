// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: interrupts of completion queues
 *
 * Completions are posted as they come, interrupts are sent once a round of
 * the loop: a queue with new entries waits in &nvme_loop.flush until the
 * loop's poller comes round, and several entries make one message.
 *
 * Interrupt Coalescing (NVMe-2.0 5.27.1.6) delays further: until enough
 * entries have gathered or the time has passed. It applies to I/O queues whose
 * vector does not have Coalescing Disable (5.27.1.7), and not to the pin.
 *
 * Without MSI-X the function drives its pin: high while a completion queue
 * with interrupts enabled holds entries that the guest has not consumed, and
 * vector 0 is not masked by INTMS (NVMe-2.0 3.1.3.3, PCIET-1.0 3.5.1). The
 * level depends on what several threads store; nvme_intx_update() says how it
 * comes out right.
 */
#include "devices/nvme/nvme_priv.h"
#include "devices/pci/msix.h"

static bool intx_wanted(struct nvme_ctrl *ctrl)
{
	u32 i;

	if (atomic_load(&ctrl->regs.intms) & 1)
		return false;
	for (i = 0; i <= ctrl->config->queues; i++) {
		struct nvme_doorbell *db = &ctrl->cq_db[i];

		if (atomic_load(&db->entries) && atomic_load(&db->ien) &&
		    atomic_load(&db->value) != atomic_load(&db->tail))
			return true;
	}
	return false;
}

/**
 * nvme_intx_update() - bring the pin's level in line with the queues
 * @ctrl: the controller
 *
 * Threads that do this at once may come to different answers and set them in
 * the wrong order. So each looks again after it has set the level: who sets
 * last sees what the others had stored before they looked.
 *
 * Context: any thread.
 */
void nvme_intx_update(struct nvme_ctrl *ctrl)
{
	bool level, set;

	level = intx_wanted(ctrl);
	do {
		set = level;
		pci_intx_set(&ctrl->pci, set);
		level = intx_wanted(ctrl);
	} while (level != set);
}

static void cq_fire(struct nvme_cq *cq)
{
	struct nvme_ctrl *ctrl = cq->loop->ctrl;

	list_del(&cq->flush_link);
	cq->unsignalled = 0;
	if (likely(msix_enabled(&ctrl->pci)))
		msix_notify(&ctrl->pci, cq->vector);
	else
		nvme_intx_update(ctrl);
}

static bool cq_coalesces(const struct nvme_cq *cq, u64 *delay_ns)
{
	struct nvme_ctrl *ctrl = cq->loop->ctrl;
	struct nvme_tuning *t = &ctrl->tuning;

	*delay_ns = atomic_load_explicit(&t->coalesce_ns,
					 memory_order_relaxed);
	if (likely(!*delay_ns) || cq->qid == NVME_QUEUE_ADMIN ||
	    !msix_enabled(&ctrl->pci))
		return false;
	if (atomic_load_explicit(&t->no_coalesce[cq->vector / 64],
				 memory_order_relaxed) >>
	    (cq->vector % 64) & 1)
		return false;
	return cq->unsignalled < atomic_load_explicit(&t->coalesce_entries,
						      memory_order_relaxed);
}

/**
 * nvme_cq_signal() - a completion was posted
 * @cq: its queue
 *
 * Context: the queue's loop.
 */
void nvme_cq_signal(struct nvme_cq *cq)
{
	cq->unsignalled++;
	if (cq->ien && list_is_empty(&cq->flush_link))
		list_add_tail(&cq->loop->flush, &cq->flush_link);
}

/**
 * nvme_cq_flush_now() - send what a queue has delayed
 * @cq: the queue
 *
 * Context: the queue's loop.
 */
void nvme_cq_flush_now(struct nvme_cq *cq)
{
	if (!list_is_empty(&cq->flush_link))
		cq_fire(cq);
}

/**
 * nvme_loop_flush() - send the interrupts that are due
 * @loop: the loop
 *
 * Context: the loop's thread.
 * Return: true when one was sent.
 */
bool nvme_loop_flush(struct nvme_loop *loop)
{
	struct nvme_cq *cq, *tmp;
	bool any = false;
	u64 delay_ns;

	list_for_each_entry_safe(cq, tmp, &loop->flush, flush_link) {
		if (cq_coalesces(cq, &delay_ns)) {
			if (!loop->coalescing) {
				io_timer_set(&loop->coalesce, delay_ns);
				loop->coalescing = true;
			}
			continue;
		}
		cq_fire(cq);
		any = true;
	}
	return any;
}

/**
 * nvme_loop_flush_now() - send all interrupts, also those being coalesced
 * @loop: the loop
 *
 * Context: the loop's thread.
 */
void nvme_loop_flush_now(struct nvme_loop *loop)
{
	struct nvme_cq *cq, *tmp;

	list_for_each_entry_safe(cq, tmp, &loop->flush, flush_link)
		cq_fire(cq);
}

/**
 * nvme_coalesce_end() - the aggregation time has passed
 * @timer: &nvme_loop.coalesce
 *
 * Context: the loop's thread.
 */
void nvme_coalesce_end(struct io_timer *timer)
{
	struct nvme_loop *loop = container_of(timer, struct nvme_loop,
					      coalesce);

	loop->coalescing = false;
	nvme_loop_flush_now(loop);
}

/**
 * nvme_tuning_update() - give current feature values to the loops
 * @ctrl: the controller
 *
 * Context: device's lock held.
 */
void nvme_tuning_update(struct nvme_ctrl *ctrl)
{
	const struct nvme_features *f = &ctrl->feat;
	struct nvme_tuning *t = &ctrl->tuning;
	u32 ab = nvme_get(NVME_FEAT_ARB_AB, f->arbitration);
	u32 i;

	atomic_store(&t->burst, ab == NVME_FEAT_ARB_AB_UNLIMITED ?
				UINT16_MAX : 1U << ab);
	atomic_store(&t->coalesce_entries,
		     nvme_get(NVME_FEAT_IC_THR, f->coalescing) + 1);
	atomic_store(&t->coalesce_ns,
		     100000ULL * nvme_get(NVME_FEAT_IC_TIME, f->coalescing));
	atomic_store(&t->write_through, !(f->write_cache & NVME_FEAT_VWC_WCE));
	for (i = 0; i < NVME_QIDS; i++) {
		if (f->vector_config[i])
			atomic_fetch_or(&t->no_coalesce[i / 64],
					BIT_ULL(i % 64));
		else
			atomic_fetch_and(&t->no_coalesce[i / 64],
					 ~BIT_ULL(i % 64));
	}
}
