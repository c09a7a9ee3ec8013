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
 */
#ifndef LKVM_NVME_PRIV_H
#define LKVM_NVME_PRIV_H

#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>

#include "devices/block/block.h"
#include "devices/nvme/nvme_spec.h"
#include "devices/pci/pci.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"
#include "vmm/bus.h"
#include "vmm/iothread.h"

struct nvme_ctrl;
struct nvme_loop;
struct nvme_req;
struct nvme_sq;

#define NVME_QUEUES_MAX		512	/* I/O queue pairs, by option */
#define NVME_QIDS		(NVME_QUEUES_MAX + 1)
#define NVME_QUEUE_ENTRIES	4096	/* CAP.MQES + 1 */
#define NVME_NS_MAX		64	/* namespaces of one controller */
#define NVME_LOOPS_MAX		16
#define NVME_SQ_REQS_MAX	1024	/* fetched and not completed, per SQ */
#define NVME_ERRORS_MAX		64	/* Error Information log entries */
#define NVME_AERS_MAX		8	/* AERL + 1 */
#define NVME_EVENTS_MAX		32	/* queued asynchronous events */
#define NVME_UNC_RANGES_MAX	256	/* ranges marked uncorrectable, per ns */
#define NVME_INLINE_IOVS	4
#define NVME_SCRATCH_BUFS	4	/* of each loop */
#define NVME_SCRATCH_BYTES	(256 * KIB)
#define NVME_MDTS_MAX		8	/* 2^8 pages of 4 KiB: 1 MiB */
#define NVME_IOVS_MAX		((1u << NVME_MDTS_MAX) + 16)

#define NVME_BAR_REGS		0
#define NVME_BAR_MSIX		4
#define NVME_BAR_SIZE		16384
#define NVME_DOORBELLS		0x1000	/* CAP.DSTRD is 0 */

/* What Identify tells the host, and what commands keep to. */
#define NVME_VERSION		NVME_VS(1, 4, 0)
#define NVME_RAB		6	/* Recommended Arbitration Burst, 2^n */
#define NVME_LBAFS		2	/* LBA formats: 512 and 4096 bytes */
#define NVME_CTRL_SGLS		(NVME_SGLS_ANY_ALIGNMENT |		\
				 NVME_SGLS_BIT_BUCKET | NVME_SGLS_LONGER)
static inline u32 nvme_lbaf_shift(u32 lbaf)
{
	return lbaf ? 12 : 9;
}

#define NVME_COPY_RANGES	128	/* MSRC + 1 */
#define NVME_COPY_MSSRL		65535	/* blocks of one source range */
#define NVME_COPY_MCL		65535	/* blocks of a Copy command */

/*
 * What a handler returns when the request goes on by itself and will be
 * completed by nvme_req_complete(). Not a status of the specification.
 */
#define NVME_REQ_PENDING	((__force nvme_status_t)0xffff)
/*
 * What a request completes with that is to be issued again later, as if it had
 * just been fetched: it did not end in time when the machine was paused.
 */
#define NVME_REQ_AGAIN		((__force nvme_status_t)0xfffe)

/* ---- configuration ------------------------------------------------------- */

/**
 * struct nvme_config - the options of ``--nvme``
 * @file: image of namespace 1
 * @ns: images of further namespaces
 * @ro: all namespaces are write protected
 * @serial: serial number, NULL: made from the device's name
 * @model: model number
 * @queues: I/O queue pairs
 * @bs: index of the LBA format: 0 512 bytes, 1 4096 bytes
 * @cache: enum block_cache
 * @discard: deallocate gives space back to the host
 * @iothreads: threads that serve the I/O queues
 * @mdts: Maximum Data Transfer Size, a power of two of 4 KiB pages
 * @poll_us: longest time a thread looks around before it sleeps
 */
struct nvme_config {
	char *file;
	struct option_list ns;
	bool ro;
	char *serial;
	char *model;
	u32 queues;
	u32 bs;
	u32 cache;
	bool discard;
	u32 iothreads;
	u32 mdts;
	u32 poll_us;
};

/* ---- commands ------------------------------------------------------------ */

/**
 * enum nvme_dir - which way the data of a command goes
 * @NVME_DIR_NONE: no data
 * @NVME_DIR_OUT: from the host to the controller (a write)
 * @NVME_DIR_IN: from the controller to the host (a read)
 */
enum nvme_dir {
	NVME_DIR_NONE,
	NVME_DIR_OUT,
	NVME_DIR_IN,
};

/**
 * enum nvme_nsid_rule - what NSID means to a command
 * @NVME_NSID_OWN: the handler looks at it itself
 * @NVME_NSID_ACTIVE: must be an active namespace: &nvme_req.ns is set
 * @NVME_NSID_ACTIVE_OR_ALL: the same, or FFFFFFFFh: &nvme_req.ns is NULL
 */
enum nvme_nsid_rule {
	NVME_NSID_OWN,
	NVME_NSID_ACTIVE,
	NVME_NSID_ACTIVE_OR_ALL,
};

/**
 * enum nvme_len_rule - how long the data of a command is
 * @NVME_LEN_OWN: the handler finds out
 * @NVME_LEN_LBAS: NLB + 1 blocks of the namespace; SLBA and NLB are parsed
 *                 into &nvme_req.slba and &nvme_req.nlb and checked
 * @NVME_LEN_LBAS_NO_DATA: the same without any data to move
 */
enum nvme_len_rule {
	NVME_LEN_OWN,
	NVME_LEN_LBAS,
	NVME_LEN_LBAS_NO_DATA,
};

/**
 * struct nvme_cmd - one command; a table of them is the whole dispatch
 * @name: for traces and Documentation
 * @dir: see enum nvme_dir
 * @nsid: see enum nvme_nsid_rule
 * @len: see enum nvme_len_rule
 * @effects: its entry in the Commands Supported and Effects log
 * @writes: refused on a write-protected namespace
 * @run: executes it: a status, or NVME_REQ_PENDING
 *
 * The tables are nvme_admin_cmds[] (admin.c) and nvme_io_cmds[] (cmd.c), both
 * indexed by opcode; a row without @run is a command that is not there.
 */
struct nvme_cmd {
	const char *name;
	u8 dir;
	u8 nsid;
	u8 len;
	u32 effects;
	bool writes;
	nvme_status_t (*run)(struct nvme_req *req);
};

extern const struct nvme_cmd nvme_admin_cmds[];
extern const u32 nvme_admin_cmds_nr;
extern const struct nvme_cmd nvme_io_cmds[];
extern const u32 nvme_io_cmds_nr;

/**
 * struct nvme_req - a command from its fetch to its completion
 * @blk: the disk request
 * @link: in &nvme_sq.busy, or in &nvme_sq.free
 * @sq: where it came from
 * @cmd: its row in the table
 * @ns: its namespace, or NULL
 * @sqe: the command as fetched; nobody reads the ring again
 * @result: dwords 0 (low) and 1 (high) of the completion
 * @slba: first block
 * @nlb: blocks, a count and not 0's based
 * @data_len: bytes to move
 * @iov: vectors into guest memory (nvme_dptr_map())
 * @iov_nr: how many
 * @dma_dir: enum nvme_dir of the mapping, NVME_DIR_NONE while there is none
 * @index: in the pool of @sq
 * @parked: it has given its completion slot back (an AER)
 * @in_block: @blk is at the disk
 * @exclusive: other requests wait until it has ended
 * @partner: the other half of a fused pair
 * @aborted: somebody asked for its end: the status that it completes with
 *           when that worked, NVME_SC_SUCCESS while nobody did
 * @aborter: the Abort command that waits for its end, or NULL
 * @next: what to do when the disk request has finished; 0 or negative errno
 * @offload: admin: what to run on a loop's thread
 * @after: admin: what to do on the main loop afterwards
 * @after_status: for @after
 * @after_link: in &nvme_loop.offloaded, then in &nvme_ctrl.done; or in a list of
 *              those that wait to go on
 * @call: carries @offload to the loop
 * @loop: where it is worked on: that of @sq, or where @offload runs
 * @priv: for the handler, zero at fetch
 * @arg: for the handler, NULL at fetch
 * @own_iov: for data in a buffer of ours
 * @inline_iov: for short transfers
 */
struct nvme_req {
	struct block_req blk;
	struct list link;
	struct nvme_sq *sq;
	const struct nvme_cmd *cmd;
	struct nvme_ns *ns;
	struct nvme_sqe sqe;
	u64 result;
	u64 slba;
	u32 nlb;
	u32 iov_nr;
	u64 data_len;
	struct iovec *iov;
	u16 index;
	u8 dma_dir;
	bool parked;
	bool in_block;
	bool exclusive;
	nvme_status_t aborted;
	struct nvme_req *aborter;
	struct nvme_req *partner;
	void (*next)(struct nvme_req *req, int res);
	void (*offload)(struct nvme_req *req);
	void (*after)(struct nvme_req *req, nvme_status_t status);
	nvme_status_t after_status;
	struct list after_link;
	struct loop_call call;
	struct nvme_loop *loop;
	u64 priv[4];
	void *arg;
	struct iovec own_iov;
	struct iovec inline_iov[NVME_INLINE_IOVS];
};

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

/* ---- cmd.c ----------------------------------------------------------------- */

const struct nvme_cmd *nvme_cmd_find(const struct nvme_cmd *table, u32 nr,
				     u8 opcode);
void nvme_req_start(struct nvme_req *req);
nvme_status_t nvme_req_check(struct nvme_req *req);
void nvme_req_complete(struct nvme_req *req, nvme_status_t status);
void nvme_req_park(struct nvme_req *req);
bool nvme_req_unpark(struct nvme_req *req) __must_check;
bool nvme_req_cancel(struct nvme_req *req, nvme_status_t status);
void nvme_offload(struct nvme_req *req, struct nvme_loop *loop,
		  void (*fn)(struct nvme_req *req),
		  void (*after)(struct nvme_req *req, nvme_status_t status));
void nvme_offload_done(struct nvme_req *req, nvme_status_t status);

/* ---- dptr.c: data of exactly @len bytes ------------------------------------ */

nvme_status_t nvme_dptr_map(struct nvme_req *req, u64 len, enum nvme_dir dir);
void nvme_dptr_unmap(struct nvme_req *req);
nvme_status_t nvme_req_to_host(struct nvme_req *req, const void *buf, u32 len);
nvme_status_t nvme_req_from_host(struct nvme_req *req, void *buf, u32 len);

/* ---- io.c: disk requests, and what they say -------------------------------- */

nvme_status_t nvme_req_errno(const struct nvme_req *req, int res);
void nvme_disk_read(struct nvme_req *req, struct iovec *iov, u32 iov_nr,
		    u64 offset, void (*next)(struct nvme_req *req, int res));
void nvme_disk_write(struct nvme_req *req, struct iovec *iov, u32 iov_nr,
		     u64 offset, u32 flags,
		     void (*next)(struct nvme_req *req, int res));
void nvme_disk_flush(struct nvme_req *req,
		     void (*next)(struct nvme_req *req, int res));
void nvme_disk_write_zeroes(struct nvme_req *req, u64 offset, u64 len,
			    u32 flags,
			    void (*next)(struct nvme_req *req, int res));
void nvme_disk_discard(struct nvme_req *req, u64 offset, u64 len,
		       void (*next)(struct nvme_req *req, int res));
u32 nvme_write_flags(const struct nvme_req *req, bool fua);

/* ---- scratch.c: buffers of commands that read for themselves ---------------- */

nvme_status_t nvme_scratch_run(struct nvme_req *req,
			       void (*fn)(struct nvme_req *req));
void nvme_scratch_end(struct nvme_req *req, nvme_status_t status);
void nvme_scratch_destroy(struct nvme_loop *loop);

/* ---- I/O commands, by file ------------------------------------------------- */

nvme_status_t nvme_io_read(struct nvme_req *req);
nvme_status_t nvme_io_write(struct nvme_req *req);
nvme_status_t nvme_io_flush(struct nvme_req *req);
nvme_status_t nvme_io_write_zeroes(struct nvme_req *req);
nvme_status_t nvme_io_dsm(struct nvme_req *req);
nvme_status_t nvme_io_verify(struct nvme_req *req);
nvme_status_t nvme_io_write_uncorrectable(struct nvme_req *req);
nvme_status_t nvme_io_compare(struct nvme_req *req);
nvme_status_t nvme_io_copy(struct nvme_req *req);
void nvme_fused_start(struct nvme_req *first, struct nvme_req *second);

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
