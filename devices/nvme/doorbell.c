// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: doorbells, in registers and in guest memory
 *
 * A write to a doorbell register is taken on the vCPU's thread without a lock:
 * the value is checked against the queue's size and left in &struct
 * nvme_doorbell, and the queue's loop is woken if it sleeps. An ioeventfd
 * would save the exit but lose the value, so it is used only when the guest
 * keeps the values in memory (Doorbell Buffer Config, NVMe-2.0 5.8 and
 * Annex B.5): then the register is rung only to wake us.
 *
 * Whether it must be rung is what the event index tells the guest: it rings
 * when its new value passes the index. While the loop is awake and looks by
 * itself, the index is kept just behind the value, where it is not passed for
 * nearly a whole round of the ring; before the loop sleeps it is set to the
 * value, so that the next change rings. A completion queue's index stays
 * behind but when the loop waits for room, or needs each head for the level of
 * the interrupt pin.
 *
 * Shadow values are guest memory: read once, checked, and bad ones ignored and
 * reported by an asynchronous event (NVMe-2.0 5.2), each bad value once.
 *
 * Deviates: a doorbell write of the same value as before is taken without an
 * event; it does no harm.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "devices/pci/msix.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define DOORBELL_STRIDE	4	/* CAP.DSTRD is 0 */

static struct nvme_loop *doorbell_loop(struct nvme_ctrl *ctrl,
				       struct nvme_doorbell *db)
{
	u32 index = atomic_load_explicit(&db->loop, memory_order_relaxed);

	return index < ctrl->loops_nr ? &ctrl->loops[index] : &ctrl->admin;
}

static void sq_tail_write(struct nvme_ctrl *ctrl, struct nvme_doorbell *db,
			  u32 value)
{
	atomic_store(&db->value, value);
	nvme_loop_ring(doorbell_loop(ctrl, db));
}

/*
 * The loop may have posted more since we read @tail, never less: the check
 * does not refuse what was right.
 */
static void cq_head_write(struct nvme_ctrl *ctrl, struct nvme_doorbell *db,
			  u32 value, u32 entries)
{
	u32 old = atomic_load(&db->value);
	u32 tail = atomic_load(&db->tail);
	u32 posted = tail >= old ? tail - old : tail + entries - old;
	u32 taken = value >= old ? value - old : value + entries - old;

	if (taken > posted) {
		nvme_ctrl_notice(ctrl, NVME_NOTICE_BAD_VALUE);
		return;
	}
	/* Pairs with nvme_cq_reserve(): the value first, then the flag. */
	atomic_store(&db->value, value);
	if (atomic_load(&db->waits))
		nvme_loop_ring(doorbell_loop(ctrl, db));
	if (!msix_enabled(&ctrl->pci))
		nvme_intx_update(ctrl);
}

/**
 * nvme_doorbell_write() - the guest has written a doorbell register
 * @ctrl: the controller
 * @offset: from the first doorbell, bytes
 * @value: what it wrote
 *
 * Context: a vCPU thread, no lock held.
 */
void nvme_doorbell_write(struct nvme_ctrl *ctrl, u64 offset, u32 value)
{
	u32 qid = (u32)(offset / (2 * DOORBELL_STRIDE));
	bool is_cq = offset & DOORBELL_STRIDE;
	struct nvme_doorbell *db;
	u32 entries;

	if (qid >= NVME_QIDS || offset % DOORBELL_STRIDE) {
		nvme_ctrl_notice(ctrl, NVME_NOTICE_BAD_DOORBELL);
		return;
	}
	db = is_cq ? &ctrl->cq_db[qid] : &ctrl->sq_db[qid];
	entries = atomic_load_explicit(&db->entries, memory_order_acquire);
	if (!entries)
		nvme_ctrl_notice(ctrl, NVME_NOTICE_BAD_DOORBELL);
	else if (atomic_load_explicit(&db->shadowed, memory_order_relaxed))
		nvme_loop_ring(doorbell_loop(ctrl, db));
	else if ((value & NVME_DOORBELL_VALUE) >= entries)
		nvme_ctrl_notice(ctrl, NVME_NOTICE_BAD_VALUE);
	else if (is_cq)
		cq_head_write(ctrl, db, value & NVME_DOORBELL_VALUE, entries);
	else
		sq_tail_write(ctrl, db, value & NVME_DOORBELL_VALUE);
}

/* ---- shadow doorbells ----------------------------------------------------- */

/* Both buffers have the layout of the registers, one page of the host's. */
static u64 shadow_offset(u16 qid, bool is_cq)
{
	return (2ULL * qid + is_cq) * DOORBELL_STRIDE;
}

static void *shadow_ptr(const struct nvme_ctrl *ctrl, gpa_t base, u64 offset)
{
	struct guest_gate open;

	guest_gate_init(&open, ctrl->pci.dev.gate.memory);
	return guest_ptr(&open, gpa_add(base, offset), DOORBELL_STRIDE,
			 GUEST_WRITES);
}

/* Queues whose doorbells lie beyond the one page keep their registers. */
static void shadow_begin(struct nvme_ctrl *ctrl, struct nvme_shadow *shadow,
			 struct nvme_doorbell *db, u64 offset)
{
	memset(shadow, 0, sizeof(*shadow));
	shadow->bad = NVME_SHADOW_GOOD;
	shadow->index = NVME_SHADOW_NONE;
	if (!ctrl->dbbuf.enabled || offset >= 1ULL << ctrl->page_shift)
		return;
	shadow->value = shadow_ptr(ctrl, ctrl->dbbuf.shadow, offset);
	shadow->event = shadow_ptr(ctrl, ctrl->dbbuf.event, offset);
	shadow->event_addr = gpa_add(ctrl->dbbuf.event, offset);
	atomic_store(&db->shadowed, true);
}

static u32 shadow_get(const _Atomic u32 *p)
{
	/* Acquire: pairs with the guest's barrier after its entries. */
	return le32_to_cpu((__force __le32)
			   atomic_load_explicit(p, memory_order_acquire));
}

static void event_set(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
		      u32 value)
{
	atomic_store_explicit(shadow->event, (__force u32)cpu_to_le32(value),
			      memory_order_relaxed);
	guest_memory_mark_dirty(ctrl->pci.dev.gate.memory, shadow->event_addr,
				sizeof(u32));
	shadow->index = value;
}

/**
 * nvme_sq_shadow_begin() - a submission queue came to its loop
 * @sq: the queue
 *
 * Context: the queue's loop, while control waits for it.
 */
void nvme_sq_shadow_begin(struct nvme_sq *sq)
{
	if (sq->qid != NVME_QUEUE_ADMIN)
		shadow_begin(sq->ctrl, &sq->shadow, sq->db,
			     shadow_offset(sq->qid, false));
	if (sq->shadow.value)
		sq->loop->shadowed = true;
}

/**
 * nvme_cq_shadow_begin() - a completion queue came to its loop
 * @cq: the queue
 *
 * Context: the queue's loop, while control waits for it.
 */
void nvme_cq_shadow_begin(struct nvme_cq *cq)
{
	if (cq->qid != NVME_QUEUE_ADMIN)
		shadow_begin(cq->loop->ctrl, &cq->shadow, cq->db,
			     shadow_offset(cq->qid, true));
}

/**
 * nvme_shadow_reject() - a doorbell value cannot be
 * @shadow: where it came from
 * @ctrl: the controller
 * @value: the value
 *
 * Context: the queue's loop.
 */
void nvme_shadow_reject(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
			u32 value)
{
	if (shadow->bad == value)
		return;
	shadow->bad = value;
	nvme_ctrl_notice(ctrl, NVME_NOTICE_BAD_VALUE);
}

/**
 * nvme_shadow_read() - look at a shadow doorbell
 * @shadow: in use
 * @ctrl: the controller
 * @last: the last good value
 * @entries: of the queue
 *
 * Keeps the event index out of the guest's way.
 *
 * Context: the queue's loop.
 * Return: the value; @last when it is out of range.
 */
u32 nvme_shadow_read(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
		     u32 last, u32 entries)
{
	u32 value = shadow_get(shadow->value);

	if (value == last)
		return last;
	if (value >= entries) {
		nvme_shadow_reject(shadow, ctrl, value);
		return last;
	}
	shadow->bad = NVME_SHADOW_GOOD;
	/* Before the guest comes round to the index again. */
	if (shadow->index >= entries ||
	    (value >= shadow->index ? value - shadow->index :
	     value + entries - shadow->index) > entries / 2)
		event_set(shadow, ctrl, value ? value - 1 : entries - 1);
	return value;
}

/**
 * nvme_shadow_arm() - ask the guest to ring at its next change
 * @shadow: NULL pointers in it: registers are in use, nothing to do
 * @ctrl: the controller
 * @value: what we have seen
 *
 * The fence pairs with the guest's between its doorbell value and its look at
 * the index: either the guest sees the index, or we see the value.
 *
 * Context: the queue's loop.
 * Return: true when the value has changed meanwhile.
 */
bool nvme_shadow_arm(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
		     u32 value)
{
	u32 now;

	if (!shadow->value)
		return false;
	if (shadow->index != value)
		event_set(shadow, ctrl, value);
	atomic_thread_fence(memory_order_seq_cst);
	now = shadow_get(shadow->value);
	return now != value && now != shadow->bad;
}

/* ---- ioeventfds ----------------------------------------------------------- */

/**
 * nvme_doorbell_event_add() - let KVM take the ring of a shadowed doorbell
 * @ctrl: the controller
 * @qid: an I/O queue
 * @is_cq: its completion queue head, else its submission queue tail
 *
 * Context: device's lock held.
 */
void nvme_doorbell_event_add(struct nvme_ctrl *ctrl, u16 qid, bool is_cq)
{
	struct nvme_doorbell *db = is_cq ? &ctrl->cq_db[qid] :
					   &ctrl->sq_db[qid];
	struct pci_device *pci = &ctrl->pci;
	struct error ignored = ERROR_INIT;
	struct bus_event *event = &db->event;

	if (!atomic_load(&db->shadowed) ||
	    !pci_bar_mapped(pci, NVME_BAR_REGS))
		return;
	event->addr = pci->bars[NVME_BAR_REGS].region.base +
		      NVME_DOORBELLS + shadow_offset(qid, is_cq);
	event->len = DOORBELL_STRIDE;
	event->fd = doorbell_loop(ctrl, db)->bell;
	/* Without it the write comes as an exit and does the same. */
	if (bus_event_add(&pci->dev.vm->mmio, event, &ignored))
		event->bus = NULL;
}

static void events_remove(struct nvme_ctrl *ctrl)
{
	u16 qid;

	for (qid = 1; qid <= ctrl->config->queues; qid++) {
		bus_event_remove(&ctrl->sq_db[qid].event);
		bus_event_remove(&ctrl->cq_db[qid].event);
	}
}

/**
 * nvme_doorbell_events_move() - the registers are at another address now
 * @ctrl: the controller
 *
 * Context: device's lock held.
 */
void nvme_doorbell_events_move(struct nvme_ctrl *ctrl)
{
	u16 qid;

	events_remove(ctrl);
	for (qid = 1; qid <= ctrl->config->queues; qid++) {
		if (ctrl->sqs[qid])
			nvme_doorbell_event_add(ctrl, qid, false);
		if (ctrl->cqs[qid])
			nvme_doorbell_event_add(ctrl, qid, true);
	}
}

/* ---- Doorbell Buffer Config ------------------------------------------------ */

/*
 * Queues that exist already go on from where they are: the guest finds their
 * present values in the buffer. It writes them anew with its next change.
 */
static void shadow_put(struct nvme_ctrl *ctrl, const struct nvme_shadow *shadow,
		       u64 offset, u32 value)
{
	__le32 le = cpu_to_le32(value);

	if (shadow->value &&
	    guest_write(&ctrl->pci.dev.gate,
			gpa_add(ctrl->dbbuf.shadow, offset), &le, sizeof(le)))
		nvme_ctrl_notice(ctrl, NVME_NOTICE_FATAL);
}

static void loop_begin_shadows(void *arg)
{
	struct nvme_loop *loop = arg;
	struct nvme_ctrl *ctrl = loop->ctrl;
	struct nvme_sq *sq;
	struct nvme_cq *cq;

	list_for_each_entry(sq, &loop->sqs, link) {
		nvme_sq_look(sq);
		nvme_sq_shadow_begin(sq);
		shadow_put(ctrl, &sq->shadow, shadow_offset(sq->qid, false),
			   sq->tail);
	}
	list_for_each_entry(cq, &loop->cqs, link) {
		nvme_cq_look(cq, ctrl);
		nvme_cq_shadow_begin(cq);
		shadow_put(ctrl, &cq->shadow, shadow_offset(cq->qid, true),
			   cq->head);
	}
	atomic_store(&loop->rung, true);
}

/**
 * nvme_dbbuf_enable() - use shadow doorbells from now on
 * @ctrl: the controller
 * @shadow: Shadow Doorbell buffer
 * @event: EventIdx buffer
 *
 * May be called again with other buffers.
 *
 * Context: main loop, device's lock held.
 * Return: NVME_SC_SUCCESS; NVME_SC_INVALID_FIELD for an address that is not
 * page aligned or not in RAM.
 */
nvme_status_t nvme_dbbuf_enable(struct nvme_ctrl *ctrl, gpa_t shadow,
				gpa_t event)
{
	u64 page = 1ULL << ctrl->page_shift;
	struct guest_memory *memory = ctrl->pci.dev.gate.memory;
	u32 i;

	if (!is_aligned(gpa_raw(shadow) | gpa_raw(event), page) ||
	    !guest_is_memory(memory, shadow, page) ||
	    !guest_is_memory(memory, event, page))
		return NVME_SC_INVALID_FIELD;
	ctrl->dbbuf.enabled = true;
	ctrl->dbbuf.shadow = shadow;
	ctrl->dbbuf.event = event;
	for (i = 0; i < ctrl->loops_nr; i++)
		iothread_call(ctrl->loops[i].thread, loop_begin_shadows,
			      &ctrl->loops[i]);
	nvme_doorbell_events_move(ctrl);
	return NVME_SC_SUCCESS;
}

/**
 * nvme_dbbuf_disable() - a reset: doorbells are in registers again
 * @ctrl: the controller, without queues
 *
 * Context: device's lock held.
 */
void nvme_dbbuf_disable(struct nvme_ctrl *ctrl)
{
	memset(&ctrl->dbbuf, 0, sizeof(ctrl->dbbuf));
}
