/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the NVMe controller from the inside
 *
 * Three places hold state, and each has one owner:
 *
 *  - &struct nvme_ctrl: registers, the table of queues, features, logs, the
 *    admin queue pair. Under the device's lock. The admin queue is served on
 *    the machine's main loop: nvme_ctrl_kick() asks for it from any thread,
 *    and everything that the main loop has to look at is found there.
 *  - &struct nvme_loop: one iothread with the I/O queue pairs that live on
 *    it. Only that thread touches them, so the data path takes no lock; code
 *    on an iothread never takes the device's lock.
 *  - &struct nvme_doorbell: what vCPU threads and a loop share. Atomics, never
 *    freed while the controller exists.
 *
 * The admin queue pair lives on a &struct nvme_loop as well, whose thread is
 * the main loop: fetching, completing and mapping data are the same code for
 * all queues. On the admin loop that code runs with the device's lock held.
 *
 * A completion-queue slot is reserved before a command is fetched, and given
 * back only by nvme_req_complete() (or while a request is parked, see
 * nvme_req_park()), so a completion never waits for room.
 *
 * nvme_req_priv.h has commands and requests, nvme_queue_priv.h the queues and
 * the loops that serve them; here is the controller, which has all of them.
 */
#ifndef LKVM_NVME_PRIV_H
#define LKVM_NVME_PRIV_H

#include <stdatomic.h>
#include <time.h>

#include "devices/nvme/nvme_queue_priv.h"
#include "devices/nvme/nvme_req_priv.h"
#include "devices/pci/pci.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"

/* ---- namespaces ---------------------------------------------------------- */

/**
 * struct nvme_lba_range - blocks marked by Write Uncorrectable
 * @slba: first block
 * @nlb: how many
 */
struct nvme_lba_range {
	u64 slba;
	u64 nlb;
};

/**
 * struct nvme_ns - a namespace
 * @nsid: its identifier, 1-based; it is &nvme_ctrl.ns[nsid - 1]
 * @blk: its disk
 * @lba_shift: log2 of the block size; changes only while all loops are frozen
 * @lbas: NSZE, blocks; changes with @lba_shift
 * @readonly: write protected
 * @attached: attached to this controller: an active namespace
 * @formatting: a Format NVM command is at work: I/O is refused
 * @format_left: how much of it is left, per cent
 * @nguid: Namespace Globally Unique Identifier
 * @eui64: IEEE Extended Unique Identifier
 * @uuid: Namespace UUID
 * @unc_lock: protects @unc (LOCK_LEAF)
 * @unc_nr: ranges in use; read without the lock to skip the search
 * @unc: ranges marked uncorrectable, sorted, apart from each other
 */
struct nvme_ns {
	u32 nsid;
	struct block *blk;
	u32 lba_shift;
	u64 lbas;
	bool readonly;
	_Atomic bool attached;
	_Atomic bool formatting;
	_Atomic u32 format_left;
	u8 nguid[16];
	u8 eui64[8];
	u8 uuid[16];
	struct mutex unc_lock;
	_Atomic u32 unc_nr;
	struct nvme_lba_range unc[NVME_UNC_RANGES_MAX];
};

/* ---- the controller ------------------------------------------------------ */

/**
 * struct nvme_features - feature values; plain, migrated as it is
 * @arbitration: FID 01h
 * @power: FID 02h
 * @temp_over: FID 04h, over temperature threshold of each sensor (0: composite)
 * @temp_under: FID 04h, under temperature threshold
 * @write_cache: FID 06h
 * @coalescing: FID 08h
 * @atomicity: FID 0Ah
 * @aec: FID 0Bh, Asynchronous Event Configuration
 * @error_recovery: FID 05h, of each namespace
 * @vector_config: FID 09h, bit 16 (CD) of each vector
 * @host_behavior: FID 16h
 *
 * &nvme_ctrl.feat holds the current values, &nvme_ctrl.feat_saved the saved
 * ones.
 */
struct nvme_features {
	u32 arbitration;
	u32 power;
	u16 temp_over[9];
	u16 temp_under[9];
	u32 write_cache;
	u32 coalescing;
	u32 atomicity;
	u32 aec;
	u32 error_recovery[NVME_NS_MAX];
	u8 vector_config[NVME_QIDS];
	u8 host_behavior[3];
};

/**
 * struct nvme_tuning - feature values as the loops need them
 * @burst: commands fetched from one queue in a row (1 to 65535)
 * @coalesce_entries: completions that make an interrupt
 * @coalesce_ns: longest delay of an interrupt; 0: no coalescing
 * @write_through: the volatile write cache is disabled: each write has FUA
 * @no_coalesce: one bit a vector: coalescing disabled
 *
 * Written by Set Features under the device's lock (nvme_tuning_update()), read
 * by all loops.
 */
struct nvme_tuning {
	_Atomic u32 burst;
	_Atomic u32 coalesce_entries;
	_Atomic u64 coalesce_ns;
	_Atomic bool write_through;
	_Atomic u64 no_coalesce[BITMAP_WORDS(NVME_QIDS)];
};

/**
 * struct nvme_event - a queued asynchronous event
 * @type: Asynchronous Event Type
 * @info: Asynchronous Event Information
 * @log: Log Page Identifier
 */
struct nvme_event {
	u8 type;
	u8 info;
	u8 log;
};

/**
 * struct nvme_aer - asynchronous events; owned by aer.c, device's lock
 * @parked: the Asynchronous Event Request commands that wait, oldest first
 * @parked_nr: how many
 * @events: queued events, oldest first
 * @events_nr: how many
 * @masked: one bit a type: reported and not cleared by reading its log yet
 */
struct nvme_aer {
	struct nvme_req *parked[NVME_AERS_MAX];
	u32 parked_nr;
	struct nvme_event events[NVME_EVENTS_MAX];
	u32 events_nr;
	u32 masked;
};

/**
 * struct nvme_error_log - Error Information log
 * @lock: protects it: loops add entries (LOCK_LEAF)
 * @count: errors since the controller was made; 1-based in the entries
 * @entries: the newest, entry n of @count at (n - 1) % NVME_ERRORS_MAX
 */
struct nvme_error_log {
	struct mutex lock;
	u64 count;
	struct nvme_log_error entries[NVME_ERRORS_MAX];
};

/**
 * struct nvme_smart - counters that outlive a reset; device's lock
 * @power_cycles: Power Cycles
 * @power_on_ns: time powered on in earlier lives of this machine
 * @powered_on_at_ns: CLOCK_MONOTONIC of this life's start
 * @unsafe_shutdowns: Unsafe Shutdowns
 * @warning_ns: time with a temperature at or above WCTEMP
 * @base: counters brought along by a restored machine
 */
struct nvme_smart {
	u64 power_cycles;
	u64 power_on_ns;
	u64 powered_on_at_ns;
	u64 unsafe_shutdowns;
	u64 warning_ns;
	struct nvme_stats base;
};

/**
 * struct nvme_regs - registers that hold what the guest wrote
 * @cc: Controller Configuration
 * @csts: Controller Status
 * @intms: Interrupt Mask
 * @aqa: Admin Queue Attributes
 * @asq: Admin Submission Queue base
 * @acq: Admin Completion Queue base
 */
struct nvme_regs {
	u32 cc;
	_Atomic u32 csts;
	_Atomic u32 intms;
	u32 aqa;
	u64 asq;
	u64 acq;
};

/**
 * enum nvme_notice - what a loop or a vCPU has to tell the main loop
 * @NVME_NOTICE_BAD_DOORBELL: a doorbell of a queue that is not there
 * @NVME_NOTICE_BAD_VALUE: an invalid doorbell value
 * @NVME_NOTICE_FATAL: the controller cannot go on: CSTS.CFS
 *
 * Bits of &nvme_ctrl.notices.
 */
enum nvme_notice {
	NVME_NOTICE_BAD_DOORBELL	= 1,
	NVME_NOTICE_BAD_VALUE		= 2,
	NVME_NOTICE_FATAL		= 4,
};

/**
 * struct nvme_freeze_part - one loop's part of a wish for silence
 * @link: in &nvme_loop.freezes
 * @freeze: the wish
 * @loop: the loop
 * @call: carries the wish to the loop
 */
struct nvme_freeze_part {
	struct list link;
	struct nvme_freeze *freeze;
	struct nvme_loop *loop;
	struct loop_call call;
};

/**
 * struct nvme_freeze - a wish that all loops fetch nothing and hold nothing
 * @ctrl: the controller
 * @active: between nvme_freeze_start() and nvme_freeze_end()
 * @cancel: cancel what is in flight instead of waiting for it
 * @hurried: nvme_freeze_hurry() was called; main loop
 * @waiting: loops that are not silent yet
 * @parts: one for each loop
 *
 * When @waiting has become 0 the main loop finds out by nvme_ctrl_kick().
 */
struct nvme_freeze {
	struct nvme_ctrl *ctrl;
	bool active;
	bool cancel;
	bool hurried;
	_Atomic u32 waiting;
	struct nvme_freeze_part parts[NVME_LOOPS_MAX];
};

/**
 * struct nvme_shutdown - flushes all disks before SHST says that it is done
 * @active: it is at work
 * @failed: a flush has failed
 * @nsid: the namespace that is being flushed
 * @finished: set by the loop at the end
 * @blk: the flush
 * @call: carries it to the first loop
 */
struct nvme_shutdown {
	bool active;
	bool failed;
	u32 nsid;
	_Atomic bool finished;
	struct block_req blk;
	struct loop_call call;
};

/**
 * struct nvme_dbbuf - Doorbell Buffer Config
 * @enabled: in use
 * @shadow: Shadow Doorbell buffer
 * @event: EventIdx buffer
 */
struct nvme_dbbuf {
	bool enabled;
	gpa_t shadow;
	gpa_t event;
};

/**
 * struct nvme_ctrl - an NVMe controller
 * @pci: the PCI function; &pci.dev.lock protects what is here
 * @config: its options
 * @serial: serial number
 * @regs: registers
 * @page_shift: CC.MPS as a shift, while enabled
 * @resetting: a reset waits for the loops to be silent
 * @shutdown: flushing for CC.SHN
 * @io_sqs: I/O submission queues allocated by Number of Queues
 * @io_cqs: I/O completion queues allocated by Number of Queues
 * @sqs: by identifier
 * @cqs: by identifier
 * @sq_db: doorbells by queue identifier
 * @cq_db: likewise
 * @ns: namespaces, NULL where there is none
 * @ns_nr: NN, the greatest identifier
 * @loops: threads that serve I/O queues
 * @loops_nr: how many
 * @admin: the admin queue's loop
 * @kick: runs nvme_ctrl_work() on the main loop
 * @notices: set of enum nvme_notice, from any thread
 * @done_lock: protects @done (LOCK_LEAF)
 * @done: struct nvme_req, offloaded and finished
 * @reset_freeze: a reset waits for silence
 * @format_freeze: a Format waits for silence
 * @quiesce_freeze: the machine is paused
 * @dbbuf: shadow doorbells
 * @feat: current feature values
 * @feat_saved: saved feature values
 * @tuning: current values as the loops need them
 * @timestamp_ms: FID 0Eh: the value set
 * @timestamp_at_ns: when it was set, CLOCK_MONOTONIC
 * @timestamp_origin: FID 0Eh: Timestamp Origin
 * @aer: asynchronous events
 * @errors: Error Information log
 * @smart: counters
 * @changed_ns: Changed Namespace List: one bit a namespace identifier - 1
 * @excl_lock: protects @excl (LOCK_LEAF)
 * @excl: struct nvme_req.after_link, those that must run alone
 * @excl_run: the one of them that runs, or NULL
 * @excl_freeze: makes the others silent
 * @bit_bucket: where data goes that the host does not want
 */
struct nvme_ctrl {
	struct pci_device pci;
	const struct nvme_config *config;
	char serial[21];
	struct nvme_regs regs;
	u32 page_shift;
	bool resetting;
	struct nvme_shutdown shutdown;
	u32 io_sqs;
	u32 io_cqs;
	struct nvme_sq *sqs[NVME_QIDS];
	struct nvme_cq *cqs[NVME_QIDS];
	struct nvme_doorbell sq_db[NVME_QIDS];
	struct nvme_doorbell cq_db[NVME_QIDS];
	struct nvme_ns *ns[NVME_NS_MAX];
	u32 ns_nr;
	struct nvme_loop *loops;
	u32 loops_nr;
	struct nvme_loop admin;
	struct loop_call kick;
	_Atomic u32 notices;
	struct mutex done_lock;
	struct list done;
	struct nvme_freeze reset_freeze;
	struct nvme_freeze format_freeze;
	struct nvme_freeze quiesce_freeze;
	struct nvme_dbbuf dbbuf;
	struct nvme_features feat;
	struct nvme_features feat_saved;
	struct nvme_tuning tuning;
	u64 timestamp_ms;
	u64 timestamp_at_ns;
	u8 timestamp_origin;
	struct nvme_aer aer;
	struct nvme_error_log errors;
	struct nvme_smart smart;
	u64 changed_ns[BITMAP_WORDS(NVME_NS_MAX)];
	struct mutex excl_lock;
	struct list excl;
	struct nvme_req *excl_run;
	struct nvme_freeze excl_freeze;
	void *bit_bucket;
};

static inline struct nvme_ctrl *nvme_ctrl_of(struct pci_device *pci)
{
	return container_of(pci, struct nvme_ctrl, pci);
}

static inline u64 nvme_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* ---- nvme.c ---------------------------------------------------------------- */

void nvme_ctrl_kick(struct nvme_ctrl *ctrl);
void nvme_ctrl_notice(struct nvme_ctrl *ctrl, u32 notice);
void nvme_freeze_for_pause(struct nvme_ctrl *ctrl);
void nvme_stats_sum(const struct nvme_ctrl *ctrl, struct nvme_stats *sum);

/* ---- regs.c: registers, enable, reset, shutdown ---------------------------- */

extern const struct bus_ops nvme_bar_ops;
void nvme_reset_begin(struct nvme_ctrl *ctrl, bool all);
void nvme_reset_work(struct nvme_ctrl *ctrl);
void nvme_power_on(struct nvme_ctrl *ctrl);
bool nvme_is_shut_down(const struct nvme_ctrl *ctrl);
bool nvme_cc_is_valid(u32 cc);
void nvme_shutdown_work(struct nvme_ctrl *ctrl);
void nvme_fatal(struct nvme_ctrl *ctrl);

/* ---- freeze.c -------------------------------------------------------------- */

void nvme_freeze_init(struct nvme_freeze *freeze, struct nvme_ctrl *ctrl,
		      bool cancel);
void nvme_freeze_start(struct nvme_freeze *freeze);
bool nvme_freeze_done(const struct nvme_freeze *freeze);
void nvme_freeze_end(struct nvme_freeze *freeze);
void nvme_freeze_hurry(struct nvme_freeze *freeze);
void nvme_loop_busy(struct nvme_loop *loop);
void nvme_loop_idle(struct nvme_loop *loop);
void nvme_exclusive_run(struct nvme_req *req,
			void (*fn)(struct nvme_req *req));
void nvme_exclusive_end(struct nvme_req *req);
void nvme_exclusive_work(struct nvme_ctrl *ctrl);

/* ---- ns.c ------------------------------------------------------------------ */

int nvme_ns_create(struct nvme_ctrl *ctrl, u32 nsid, const char *path,
		   struct error *err) __must_check;
void nvme_ns_destroy(struct nvme_ctrl *ctrl, u32 nsid);
void nvme_uuid_make(u8 *uuid, const char *name, u32 number);
struct nvme_ns *nvme_ns_find(struct nvme_ctrl *ctrl, u32 nsid);
struct nvme_ns *nvme_ns_active(struct nvme_ctrl *ctrl, u32 nsid);
u32 nvme_ns_lbaf(const struct nvme_ns *ns);
bool nvme_ns_lbaf_fits(const struct nvme_ns *ns, u32 lbaf);
void nvme_ns_set_format(struct nvme_ns *ns, u32 lbaf);
bool nvme_unc_hit(struct nvme_ns *ns, u64 slba, u64 nlb);
bool nvme_unc_mark(struct nvme_ns *ns, u64 slba, u64 nlb) __must_check;
void nvme_unc_clear(struct nvme_ns *ns, u64 slba, u64 nlb);

/* ---- state.c --------------------------------------------------------------- */

extern const struct state_desc nvme_state_desc;
int nvme_state_fits(const struct nvme_ctrl *ctrl, struct error *err) __must_check;
void nvme_save(const struct device *dev, void *state);
int nvme_check(const struct device *dev, const void *state, struct error *err);
void nvme_load(struct device *dev, const void *state);

/* ---- the admin side: called by the core, device's lock held ---------------- */

/* aer.c */
void nvme_event_post(struct nvme_ctrl *ctrl, u8 type, u8 info, u8 log);
/* Answers waiting AERs with queued events as far as there is room. */
void nvme_event_process(struct nvme_ctrl *ctrl);
/* Controller level reset: parked requests are forgotten, events dropped. */
void nvme_event_reset(struct nvme_ctrl *ctrl);

/* admin_log.c; any thread. */
void nvme_error_log_add(struct nvme_ctrl *ctrl, const struct nvme_req *req,
			nvme_status_t status);
/* An error that belongs to no command. */
void nvme_error_log_add_async(struct nvme_ctrl *ctrl, nvme_status_t status);

/* admin_feature.c: power-on (saved becomes default) and reset values. */
void nvme_features_init(struct nvme_ctrl *ctrl);
void nvme_features_reset(struct nvme_ctrl *ctrl);

/* admin_format.c: the main loop looks whether a Format can go on. */
void nvme_format_work(struct nvme_ctrl *ctrl);

#endif /* LKVM_NVME_PRIV_H */
