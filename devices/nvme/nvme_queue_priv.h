/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: queues, doorbells and loops of the NVMe controller
 *
 * nvme_priv.h tells how all belongs together.
 */
#ifndef LKVM_NVME_QUEUE_PRIV_H
#define LKVM_NVME_QUEUE_PRIV_H

#include <stdatomic.h>

#include "devices/nvme/nvme_req_priv.h"
#include "vmm/base/list.h"
#include "vmm/bus.h"
#include "vmm/iothread.h"

/* ---- queues -------------------------------------------------------------- */

/**
 * struct nvme_doorbell - what the writer of a doorbell shares with the queue
 * @entries: of the queue; 0: there is no such queue
 * @value: the last value that was written and in range
 * @loop: index of the loop that serves the queue
 * @tail: completion queue: how far the loop has posted, set before the entry
 *        is visible
 * @waits: completion queue: the loop waits for room in it
 * @ien: completion queue: interrupts enabled
 * @shadowed: the value is in guest memory, a write only rings
 * @event: rings without an exit while @shadowed; device's lock
 *
 * @value is written by vCPU threads without a lock; the rest by control and by
 * the queue's loop.
 */
struct nvme_doorbell {
	_Atomic u32 entries;
	_Atomic u32 value;
	_Atomic u32 loop;
	_Atomic u32 tail;
	_Atomic bool waits;
	_Atomic bool ien;
	_Atomic bool shadowed;
	struct bus_event event;
} __cacheline_aligned;

/**
 * struct nvme_shadow - a shadow doorbell and its event index
 * @value: written by the guest; NULL while not in use
 * @event: written by us
 * @event_addr: where @event is, to mark it dirty
 * @index: what @event holds; NVME_SHADOW_NONE while that is not known
 * @bad: the last bad value, which was reported; no 32-bit value for none
 */
struct nvme_shadow {
	const _Atomic u32 *value;
	_Atomic u32 *event;
	gpa_t event_addr;
	u32 index;
	u64 bad;
};

#define NVME_SHADOW_NONE	UINT32_MAX	/* no queue's index */
#define NVME_SHADOW_GOOD	UINT64_MAX	/* no guest's value */

/**
 * struct nvme_cq - a completion queue
 * @link: in &nvme_loop.cqs
 * @loop: its owner
 * @db: its doorbell
 * @shadow: its shadow doorbell
 * @qid: its identifier
 * @entries: slots
 * @base: where it is
 * @ring: the same, mapped
 * @head: what the guest has consumed, as far as we looked
 * @tail: next slot to fill
 * @phase: of the next entry
 * @reserved: slots promised to fetched commands
 * @sqs: submission queues that use it
 * @vector: interrupt vector
 * @ien: interrupts enabled
 * @unsignalled: entries posted since the last interrupt
 * @flush_link: in &nvme_loop.flush while entries want an interrupt
 */
struct nvme_cq {
	struct list link;
	struct nvme_loop *loop;
	struct nvme_doorbell *db;
	struct nvme_shadow shadow;
	u16 qid;
	u32 entries;
	gpa_t base;
	u8 *ring;
	u32 head;
	u32 tail;
	bool phase;
	u32 reserved;
	u32 sqs;
	u32 vector;
	bool ien;
	u32 unsignalled;
	struct list flush_link;
};

/**
 * struct nvme_sq - a submission queue
 * @link: in &nvme_loop.sqs
 * @loop: its owner, that of its completion queue
 * @ctrl: its controller
 * @cq: where its completions go
 * @db: its doorbell
 * @shadow: its shadow doorbell
 * @qid: its identifier
 * @priority: QPRIO as created; informative with round-robin arbitration
 * @entries: slots
 * @base: where it is
 * @ring: the same, mapped
 * @head: next slot to fetch
 * @tail: how far the guest has filled, as far as we looked
 * @inflight: requests fetched and not completed, parked ones too
 * @busy: struct nvme_req, those in flight, oldest first
 * @again: struct nvme_req, to be issued again at resume; they keep their slots
 * @free: struct nvme_req, used before and free again
 * @reqs: the pool, untouched pages of it cost nothing
 * @iovs: NVME_IOVS_MAX vectors for each of @reqs, likewise
 * @reqs_nr: size of the pool
 * @reqs_used: entries of @reqs that were ever used
 * @ready_link: in &nvme_loop.ready while @head is not @tail
 * @held: the first half of a fused pair, while the second cannot be fetched
 * @deleter: the Delete I/O Submission Queue command that waits for the end of
 *           what is in flight, or NULL
 * @closing: a deletion has begun; device's lock
 */
struct nvme_sq {
	struct list link;
	struct nvme_loop *loop;
	struct nvme_ctrl *ctrl;
	struct nvme_cq *cq;
	struct nvme_doorbell *db;
	struct nvme_shadow shadow;
	u16 qid;
	u8 priority;
	u32 entries;
	gpa_t base;
	const u8 *ring;
	u32 head;
	u32 tail;
	u32 inflight;
	struct list busy;
	struct list again;
	struct list free;
	struct nvme_req *reqs;
	struct iovec *iovs;
	u32 reqs_nr;
	u32 reqs_used;
	struct list ready_link;
	struct nvme_req *held;
	struct nvme_req *deleter;
	bool closing;
};

/**
 * struct nvme_queue_params - how a queue is to be created
 * @qid: identifier; the table has no such queue yet
 * @entries: slots, 2 to NVME_QUEUE_ENTRIES
 * @base: guest address, page aligned
 * @cqid: submission queue: an existing completion queue
 * @priority: submission queue: QPRIO
 * @vector: completion queue: interrupt vector
 * @ien: completion queue: interrupts enabled
 */
struct nvme_queue_params {
	u16 qid;
	u32 entries;
	gpa_t base;
	u16 cqid;
	u8 priority;
	u32 vector;
	bool ien;
};

/**
 * struct nvme_stats - counters of one loop; written by its thread only
 * @read_units: 512-byte units read by the host, by Read and Compare
 * @write_units: 512-byte units written by the host
 * @reads: read commands completed
 * @writes: write commands completed
 * @busy_ns: time with at least one command in flight
 * @media_errors: unrecovered data integrity errors
 */
struct nvme_stats {
	_Atomic u64 read_units;
	_Atomic u64 write_units;
	_Atomic u64 reads;
	_Atomic u64 writes;
	_Atomic u64 busy_ns;
	_Atomic u64 media_errors;
};

/**
 * struct nvme_loop - a thread and the queues that live on it
 * @ctrl: its controller
 * @thread: the thread
 * @own: storage of @thread, but for the admin loop
 * @index: in &nvme_ctrl.loops; of the admin loop NVME_LOOPS_MAX
 * @admin: it is the admin loop: its thread is the main loop, and all of it is
 *         under the device's lock
 * @poller: finds new commands
 * @rung: a doorbell of this loop was written
 * @bell: eventfd behind the doorbells while shadow doorbells are in use
 * @bell_watch: watches @bell
 * @sqs: struct nvme_sq
 * @cqs: struct nvme_cq
 * @ready: struct nvme_sq with commands to fetch, in the order of their turns
 * @shadowed: its queues have shadow doorbells
 * @flush: struct nvme_cq with entries that want an interrupt
 * @coalesce: ends the delay of coalesced interrupts
 * @coalescing: @coalesce is running
 * @inflight: requests fetched and not completed, without parked ones, and
 *            offloaded ones
 * @frozen: how many wishes for silence hold it; nothing is fetched
 * @discard: the queues are going away: completions reach nobody
 * @freezes: struct nvme_freeze_part that wait for @inflight to become 0
 * @offloaded: struct nvme_req.after_link, admin requests at work here
 * @scratch: buffers of Compare, Verify and Copy, those not in use
 * @scratch_made: how many there are, in use or not
 * @waiting: struct nvme_req.after_link, those that wait for such a buffer
 * @busy_since_ns: when @inflight became more than 0
 * @stats: counters
 */
struct nvme_loop {
	struct nvme_ctrl *ctrl;
	struct iothread *thread;
	struct iothread own;
	u32 index;
	bool admin;
	struct io_poller poller;
	_Atomic bool rung;
	int bell;
	struct io_watch bell_watch;
	struct list sqs;
	struct list cqs;
	struct list ready;
	bool shadowed;
	struct list flush;
	struct io_timer coalesce;
	bool coalescing;
	u32 inflight;
	u32 frozen;
	bool discard;
	struct list freezes;
	struct list offloaded;
	void *scratch[NVME_SCRATCH_BUFS];
	u32 scratch_made;
	struct list waiting;
	u64 busy_since_ns;
	struct nvme_stats stats;
};

/* ---- queue.c --------------------------------------------------------------- */

nvme_status_t nvme_cq_create(struct nvme_ctrl *ctrl,
			     const struct nvme_queue_params *params);
nvme_status_t nvme_sq_create(struct nvme_ctrl *ctrl,
			     const struct nvme_queue_params *params);
void nvme_sq_delete(struct nvme_ctrl *ctrl, u16 qid, struct nvme_req *req);
void nvme_sq_ended(struct nvme_sq *sq);
void nvme_cq_delete(struct nvme_ctrl *ctrl, u16 qid);
void nvme_sq_abort(struct nvme_ctrl *ctrl, u16 qid, u16 cid,
		   struct nvme_req *req);
void nvme_queues_destroy(struct nvme_ctrl *ctrl);
void nvme_admin_queues_destroy(struct nvme_ctrl *ctrl);

/* ---- loop.c ---------------------------------------------------------------- */

void nvme_loop_init(struct nvme_loop *loop, struct nvme_ctrl *ctrl,
		    struct iothread *thread, u32 index);
void nvme_loop_start(struct nvme_loop *loop);
void nvme_loop_stop(struct nvme_loop *loop);
bool nvme_loop_poll(struct nvme_loop *loop);
void nvme_loop_ring(struct nvme_loop *loop);
void nvme_loop_forget_queues(struct nvme_loop *loop);
bool nvme_cq_reserve(struct nvme_cq *cq, struct nvme_ctrl *ctrl) __must_check;
void nvme_cq_look(struct nvme_cq *cq, struct nvme_ctrl *ctrl);
void nvme_sq_look(struct nvme_sq *sq);
void nvme_sq_unhold(struct nvme_sq *sq);
struct nvme_req *nvme_req_new(struct nvme_sq *sq);
struct nvme_req *nvme_req_restore(struct nvme_sq *sq, const void *sqe);
void nvme_loop_again(struct nvme_loop *loop);
void nvme_req_clear(struct nvme_req *req);
void nvme_req_free(struct nvme_req *req);

/* ---- doorbell.c ------------------------------------------------------------ */

void nvme_doorbell_write(struct nvme_ctrl *ctrl, u64 offset, u32 value);
void nvme_doorbell_events_move(struct nvme_ctrl *ctrl);
void nvme_doorbell_event_add(struct nvme_ctrl *ctrl, u16 qid, bool is_cq);
void nvme_sq_shadow_begin(struct nvme_sq *sq);
void nvme_cq_shadow_begin(struct nvme_cq *cq);
void nvme_shadow_reject(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
			u32 value);
u32 nvme_shadow_read(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
		     u32 last, u32 entries);
bool nvme_shadow_arm(struct nvme_shadow *shadow, struct nvme_ctrl *ctrl,
		     u32 value);
nvme_status_t nvme_dbbuf_enable(struct nvme_ctrl *ctrl, gpa_t shadow,
				gpa_t event);
void nvme_dbbuf_disable(struct nvme_ctrl *ctrl);

/* ---- irq.c ----------------------------------------------------------------- */

void nvme_cq_signal(struct nvme_cq *cq);
void nvme_cq_flush_now(struct nvme_cq *cq);
bool nvme_loop_flush(struct nvme_loop *loop);
void nvme_loop_flush_now(struct nvme_loop *loop);
void nvme_coalesce_end(struct io_timer *timer);
void nvme_intx_update(struct nvme_ctrl *ctrl);
void nvme_tuning_update(struct nvme_ctrl *ctrl);

#endif /* LKVM_NVME_QUEUE_PRIV_H */
