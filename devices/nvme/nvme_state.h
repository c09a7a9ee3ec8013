/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what is saved of an NVMe controller
 *
 * Plain structs of the controller that the guest sees, not of our queues and
 * threads. Everything is quiesced: nothing is at a disk, interrupts have been
 * sent, no reset, format or shutdown is under way. Arrays have room for the
 * greatest controller, so the struct is large and lives on the heap.
 */
#ifndef LKVM_NVME_STATE_H
#define LKVM_NVME_STATE_H

#include "devices/nvme/nvme_priv.h"

#define NVME_STATE_REPLAYS	1024	/* commands to be issued again */

/**
 * struct nvme_sq_state - a submission queue
 * @base: guest address
 * @qid: identifier
 * @cqid: its completion queue
 * @priority: QPRIO
 * @entries: slots
 * @head: next to fetch
 * @tail: as far as the controller has seen
 */
struct nvme_sq_state {
	u64 base;
	u32 qid;
	u32 cqid;
	u32 priority;
	u32 entries;
	u32 head;
	u32 tail;
};

/**
 * struct nvme_cq_state - a completion queue
 * @base: guest address
 * @qid: identifier
 * @vector: interrupt vector
 * @entries: slots
 * @head: as far as the guest has consumed
 * @tail: next to fill
 * @ien: interrupts enabled
 * @phase: of the next entry
 */
struct nvme_cq_state {
	u64 base;
	u32 qid;
	u32 vector;
	u32 entries;
	u32 head;
	u32 tail;
	u16 ien;
	u16 phase;
};

/**
 * struct nvme_cmd_state - a fetched command that has not completed
 * @sqid: its submission queue
 * @sqe: the command
 */
struct nvme_cmd_state {
	u64 sqid;
	u8 sqe[NVME_SQE_SIZE];
};

/**
 * struct nvme_range_state - blocks marked by Write Uncorrectable
 * @slba: first block
 * @nlb: how many
 */
struct nvme_range_state {
	u64 slba;
	u64 nlb;
};

/**
 * struct nvme_ns_state - a namespace
 * @nsid: identifier
 * @lbaf: LBA format
 * @attached: active
 * @unc_nr: of @unc
 * @lbas: size in blocks
 * @unc: uncorrectable ranges
 */
struct nvme_ns_state {
	u32 nsid;
	u32 lbaf;
	u32 attached;
	u32 unc_nr;
	u64 lbas;
	struct nvme_range_state unc[NVME_UNC_RANGES_MAX];
};

/**
 * struct nvme_event_state - a queued asynchronous event
 * @type: Asynchronous Event Type
 * @info: Asynchronous Event Information
 * @log: Log Page Identifier
 */
struct nvme_event_state {
	u8 type;
	u8 info;
	u8 log;
};

/**
 * struct nvme_smart_state - counters that outlive resets
 * @power_cycles: Power Cycles
 * @power_on_ns: time powered on
 * @unsafe_shutdowns: Unsafe Shutdowns
 * @warning_ns: time too warm
 * @read_units: see struct nvme_stats, as all that follow
 * @write_units: likewise
 * @reads: likewise
 * @writes: likewise
 * @busy_ns: likewise
 * @media_errors: likewise
 */
struct nvme_smart_state {
	u64 power_cycles;
	u64 power_on_ns;
	u64 unsafe_shutdowns;
	u64 warning_ns;
	u64 read_units;
	u64 write_units;
	u64 reads;
	u64 writes;
	u64 busy_ns;
	u64 media_errors;
};

/**
 * struct nvme_state - a controller
 * @pci: the PCI function
 * @cc: Controller Configuration
 * @csts: Controller Status
 * @intms: Interrupt Mask
 * @aqa: Admin Queue Attributes
 * @asq: Admin Submission Queue base
 * @acq: Admin Completion Queue base
 * @io_sqs: Number of Queues
 * @io_cqs: Number of Queues
 * @dbbuf_enabled: Doorbell Buffer Config was sent
 * @cqs_nr: of @cqs
 * @dbbuf_shadow: shadow doorbells
 * @dbbuf_event: event indexes
 * @feat: current feature values
 * @feat_saved: saved feature values
 * @timestamp_ms: Timestamp now
 * @timestamp_origin: Timestamp Origin
 * @sqs_nr: of @sqs
 * @cqs: completion queues, the admin queue's too, by identifier
 * @sqs: submission queues, likewise
 * @aers: Asynchronous Event Requests that wait, oldest first
 * @replays: commands that did not end in time, to be issued again
 * @aers_nr: of @aers
 * @replays_nr: of @replays
 * @events: queued events, oldest first
 * @events_nr: of @events
 * @events_masked: one bit a type, reported and not cleared
 * @errors_count: Error Information log: errors ever
 * @errors: its ring of entries
 * @smart: counters
 * @changed_ns: Changed Namespace List, one bit a namespace
 * @namespaces: namespaces
 * @namespaces_nr: of @namespaces
 */
struct nvme_state {
	struct pci_state pci;
	u32 cc;
	u32 csts;
	u32 intms;
	u32 aqa;
	u64 asq;
	u64 acq;
	u32 io_sqs;
	u32 io_cqs;
	u32 dbbuf_enabled;
	u32 cqs_nr;
	u64 dbbuf_shadow;
	u64 dbbuf_event;
	struct nvme_features feat;
	struct nvme_features feat_saved;
	u64 timestamp_ms;
	u32 timestamp_origin;
	u32 sqs_nr;
	struct nvme_cq_state cqs[NVME_QIDS];
	struct nvme_sq_state sqs[NVME_QIDS];
	struct nvme_cmd_state aers[NVME_AERS_MAX];
	struct nvme_cmd_state replays[NVME_STATE_REPLAYS];
	u32 aers_nr;
	u32 replays_nr;
	struct nvme_event_state events[NVME_EVENTS_MAX];
	u64 events_masked;
	u64 errors_count;
	u8 errors[NVME_ERRORS_MAX * sizeof(struct nvme_log_error)];
	struct nvme_smart_state smart;
	u64 changed_ns;
	struct nvme_ns_state namespaces[NVME_NS_MAX];
	u32 events_nr;
	u32 namespaces_nr;
};

#endif /* LKVM_NVME_STATE_H */
