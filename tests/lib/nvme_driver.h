/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a small NVMe driver for tests and benchmarks without a vCPU
 *
 * It does what an operating system's driver does, through the same doors:
 * finds the registers by configuration space, enables the controller, makes
 * queues in guest memory and rings doorbells with bus_write(). Queues and
 * buffers are reached by plain pointers into guest RAM, so that submitting and
 * reaping cost next to nothing.
 *
 * The machine (testvm.h) has no vCPU; whoever waits here runs the machine's
 * main loop meanwhile, on the calling thread.
 *
 * Memory comes from an arena of guest RAM and is never given back, until
 * nvme_driver_init() starts anew. It is contiguous and zeroed.
 *
 * What goes wrong on the way to a command (no memory, no answer in time) ends
 * the test at once with the reason; how a command ends is the caller's
 * business.
 */
#ifndef TESTS_LIB_NVME_DRIVER_H
#define TESTS_LIB_NVME_DRIVER_H

#include "devices/nvme/nvme_spec.h"
#include "vmm/vm.h"

#define NVME_DRIVER_PAGE	4096U
#define NVME_DRIVER_QUEUES	65		/* admin and 64 I/O queues */
#define NVME_DRIVER_TIMEOUT_MS	20000U
/* The arena begins here. */
#define NVME_DRIVER_ARENA	(TESTVM_RAM + (1ULL << 20))

/**
 * struct nvme_pair - a submission queue and a completion queue of its own
 * @qid: identifier of both
 * @entries: slots of both
 * @sq: submission queue entries in guest RAM
 * @cq: completion queue entries in guest RAM
 * @sq_gpa: where the guest sees @sq
 * @cq_gpa: where the guest sees @cq
 * @lists: a page for a PRP list or an SGL segment per submission slot
 * @lists_gpa: where the guest sees @lists
 * @tail: next free submission slot
 * @sq_head: submission queue head that the controller last told
 * @head: next completion slot to look at
 * @phase: phase tag of new completions
 * @cid: the next command identifier
 * @sq_doorbell: address of the tail doorbell
 * @cq_doorbell: address of the head doorbell
 */
struct nvme_pair {
	u16 qid;
	u32 entries;
	struct nvme_sqe *sq;
	struct nvme_cqe *cq;
	u64 sq_gpa;
	u64 cq_gpa;
	u8 *lists;
	u64 lists_gpa;
	u32 tail;
	u32 sq_head;
	u32 head;
	bool phase;
	u16 cid;
	u64 sq_doorbell;
	u64 cq_doorbell;
};

/**
 * struct nvme_driver - one controller and how far it has been set up
 * @vm: the machine
 * @slot: PCI slot of the controller
 * @bar0: address of the controller's registers
 * @arena_next: next free guest address
 * @arena_end: end of the arena
 * @cap: the CAP register
 * @stride: bytes between doorbells
 * @page: memory page size that the controller is enabled with, bytes
 * @block: bytes of a block, for nvme_driver_rw(); 512 at first
 * @pair: queue pairs by identifier; entries is 0 where there is none
 * @cqe: the last completion that one of the synchronous calls got
 * @timeout_ms: how long they wait
 */
struct nvme_driver {
	struct vm *vm;
	u32 slot;
	u64 bar0;
	u64 arena_next;
	u64 arena_end;
	u64 cap;
	u32 stride;
	u32 page;
	u32 block;
	struct nvme_pair pair[NVME_DRIVER_QUEUES];
	struct nvme_cqe cqe;
	u32 timeout_ms;
};

/* ---- the controller ---------------------------------------------------------- */

void nvme_driver_init(struct nvme_driver *drv, struct vm *vm, u32 slot);
void nvme_driver_enable(struct nvme_driver *drv, u32 admin_entries);
void nvme_driver_set_admin_queue(struct nvme_driver *drv, u32 entries);
void nvme_driver_disable(struct nvme_driver *drv);
bool nvme_driver_wait_csts(struct nvme_driver *drv, u32 mask, u32 value);
u32 nvme_driver_read32(struct nvme_driver *drv, u32 reg);
u64 nvme_driver_read64(struct nvme_driver *drv, u32 reg);
void nvme_driver_write32(struct nvme_driver *drv, u32 reg, u32 value);
void nvme_driver_write64(struct nvme_driver *drv, u32 reg, u64 value);
u64 nvme_driver_alloc(struct nvme_driver *drv, u64 bytes);
void *nvme_driver_ptr(struct nvme_driver *drv, u64 addr);

/* ---- one command at a time: the status without DNR, More and CRD -------------- */

struct nvme_sqe nvme_driver_cmd(u8 opcode, u32 nsid);
u16 nvme_driver_exec(struct nvme_driver *drv, u16 qid,
		     const struct nvme_sqe *cmd);
u16 nvme_driver_admin(struct nvme_driver *drv, const struct nvme_sqe *cmd);
u16 nvme_driver_identify(struct nvme_driver *drv, u8 cns, u32 nsid, u64 addr);
u16 nvme_driver_get_log(struct nvme_driver *drv, u8 lid, u64 offset, u32 bytes,
			u64 addr);
u16 nvme_driver_get_feature(struct nvme_driver *drv, u8 fid, u8 sel,
			    u32 cdw11);
u16 nvme_driver_set_feature(struct nvme_driver *drv, u8 fid, u32 cdw11);
u16 nvme_driver_create_cq(struct nvme_driver *drv, u16 qid, u32 entries,
			  u32 cdw11);
u16 nvme_driver_create_sq(struct nvme_driver *drv, u16 qid, u32 entries,
			  u32 cdw11);
void nvme_driver_create_pair(struct nvme_driver *drv, u16 qid, u32 entries,
			     u32 vector);
u16 nvme_driver_delete_queue(struct nvme_driver *drv, u8 opcode, u16 qid);
u16 nvme_driver_rw(struct nvme_driver *drv, u16 qid, u8 opcode, u32 nsid,
		   u64 lba, u32 blocks, u64 addr);

/* ---- many commands at a time ---------------------------------------------------- */

void nvme_driver_set_rw(struct nvme_sqe *cmd, u64 lba, u32 blocks);
void nvme_driver_set_prps(struct nvme_driver *drv, struct nvme_pair *pair,
			  struct nvme_sqe *cmd, u64 addr, u64 bytes);
void nvme_driver_set_sgl(struct nvme_driver *drv, struct nvme_pair *pair,
			 struct nvme_sqe *cmd, u64 addr, u64 bytes, u32 pieces);
u16 nvme_driver_queue(struct nvme_pair *pair, const struct nvme_sqe *cmd);
void nvme_driver_ring(struct nvme_driver *drv, struct nvme_pair *pair);
bool nvme_driver_reap(struct nvme_pair *pair, struct nvme_cqe *cqe);
void nvme_driver_ack(struct nvme_driver *drv, struct nvme_pair *pair);
bool nvme_driver_wait(struct nvme_driver *drv, struct nvme_pair *pair,
		      struct nvme_cqe *cqe);
bool nvme_driver_quiet(struct nvme_driver *drv, struct nvme_pair *pair, u32 ms);
u16 nvme_driver_status(const struct nvme_cqe *cqe);

#endif /* TESTS_LIB_NVME_DRIVER_H */
