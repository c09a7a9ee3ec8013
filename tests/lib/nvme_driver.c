// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a small NVMe driver for tests and benchmarks: see nvme_driver.h
 *
 * Queue entries are written and read by plain accesses with the barriers that
 * a driver needs: the half of an entry with the phase tag is read with acquire,
 * and the doorbell is a bus_write(), which is a full barrier as soon as it
 * reaches the device.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/nvme_driver.h"
#include "tests/lib/testvm.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"

#define PRPS_PER_PAGE	(NVME_DRIVER_PAGE / sizeof(__le64))

static __noreturn __printf(1, 2) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "# nvme driver: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

/* ---- registers and memory ------------------------------------------------------- */

/**
 * nvme_driver_read32() - read a register
 * @drv: the driver
 * @reg: its offset
 *
 * Return: its value
 */
u32 nvme_driver_read32(struct nvme_driver *drv, u32 reg)
{
	return (u32)testvm_mmio_read(drv->vm, drv->bar0 + reg, 4);
}

/**
 * nvme_driver_read64() - read a 64-bit register
 * @drv: the driver
 * @reg: its offset
 *
 * Return: its value
 */
u64 nvme_driver_read64(struct nvme_driver *drv, u32 reg)
{
	return testvm_mmio_read(drv->vm, drv->bar0 + reg, 8);
}

/**
 * nvme_driver_write32() - write a register
 * @drv: the driver
 * @reg: its offset
 * @value: what to write
 */
void nvme_driver_write32(struct nvme_driver *drv, u32 reg, u32 value)
{
	testvm_mmio_write(drv->vm, drv->bar0 + reg, value, 4);
}

/**
 * nvme_driver_write64() - write a 64-bit register
 * @drv: the driver
 * @reg: its offset
 * @value: what to write
 */
void nvme_driver_write64(struct nvme_driver *drv, u32 reg, u64 value)
{
	testvm_mmio_write(drv->vm, drv->bar0 + reg, value, 8);
}

/**
 * nvme_driver_ptr() - where a guest address is in the test's own memory
 * @drv: the driver
 * @addr: an address in RAM
 *
 * Return: a pointer, good to the end of the memory block
 */
void *nvme_driver_ptr(struct nvme_driver *drv, u64 addr)
{
	return testvm_ram(drv->vm, addr, 1);
}

/**
 * nvme_driver_alloc() - take zeroed, page-aligned memory from the arena
 * @drv: the driver
 * @bytes: how much, rounded up to whole pages
 *
 * Return: its guest address
 */
u64 nvme_driver_alloc(struct nvme_driver *drv, u64 bytes)
{
	u64 addr = drv->arena_next;

	bytes = round_up_to(bytes, drv->page);
	if (!range_within(addr, bytes, 0, drv->arena_end))
		die("guest memory is used up");
	drv->arena_next += bytes;
	memset(testvm_ram(drv->vm, addr, bytes), 0, bytes);
	return addr;
}

/**
 * nvme_driver_init() - find a controller
 * @drv: filled in
 * @vm: the machine; its memory below 4 GiB from 1 MiB on is the arena
 * @slot: the controller's PCI slot
 */
void nvme_driver_init(struct nvme_driver *drv, struct vm *vm, u32 slot)
{
	struct memory_block *block;

	memset(drv, 0, sizeof(*drv));
	drv->vm = vm;
	drv->slot = slot;
	drv->bar0 = testvm_bar(vm, slot, 0);
	drv->page = NVME_DRIVER_PAGE;
	drv->block = 512;
	drv->timeout_ms = NVME_DRIVER_TIMEOUT_MS;
	block = guest_memory_find(&vm->memory, gpa(NVME_DRIVER_ARENA));
	if (!block)
		die("no guest memory at 1 MiB");
	drv->arena_next = NVME_DRIVER_ARENA;
	drv->arena_end = gpa_raw(block->gpa) + block->size;
	testvm_bus_master(vm, slot, true);
	drv->cap = nvme_driver_read64(drv, NVME_REG_CAP);
	drv->stride = 4u << nvme_get(NVME_CAP_DSTRD, drv->cap);
}

/**
 * nvme_driver_wait_csts() - wait for a state of the controller
 * @drv: the driver
 * @mask: bits of CSTS to look at
 * @value: what they should be
 *
 * Return: whether it came in time
 */
bool nvme_driver_wait_csts(struct nvme_driver *drv, u32 mask, u32 value)
{
	u64 end = now_ms() + drv->timeout_ms;

	while ((nvme_driver_read32(drv, NVME_REG_CSTS) & mask) != value) {
		if (now_ms() > end)
			return false;
		testvm_poll(drv->vm);
	}
	return true;
}

/**
 * nvme_driver_disable() - clear CC.EN and wait until the controller is reset
 * @drv: the driver; its queues are forgotten
 */
void nvme_driver_disable(struct nvme_driver *drv)
{
	u32 cc = nvme_driver_read32(drv, NVME_REG_CC);

	nvme_driver_write32(drv, NVME_REG_CC, cc & ~NVME_CC_EN);
	if (!nvme_driver_wait_csts(drv, NVME_CSTS_RDY, 0))
		die("the controller does not become not ready");
	memset(drv->pair, 0, sizeof(drv->pair));
}

/* ---- queues --------------------------------------------------------------------- */

static struct nvme_pair *pair_init(struct nvme_driver *drv, u16 qid,
				   u32 entries)
{
	struct nvme_pair *pair = &drv->pair[qid];
	u64 lists_bytes = (u64)entries * NVME_DRIVER_PAGE;

	memset(pair, 0, sizeof(*pair));
	pair->qid = qid;
	pair->entries = entries;
	pair->sq_gpa = nvme_driver_alloc(drv, (u64)entries * NVME_SQE_SIZE);
	pair->cq_gpa = nvme_driver_alloc(drv, (u64)entries * NVME_CQE_SIZE);
	pair->lists_gpa = nvme_driver_alloc(drv, lists_bytes);
	pair->sq = nvme_driver_ptr(drv, pair->sq_gpa);
	pair->cq = nvme_driver_ptr(drv, pair->cq_gpa);
	pair->lists = nvme_driver_ptr(drv, pair->lists_gpa);
	pair->phase = true;
	pair->sq_doorbell = drv->bar0 + NVME_DOORBELL_SQ(qid, drv->stride);
	pair->cq_doorbell = drv->bar0 + NVME_DOORBELL_CQ(qid, drv->stride);
	return pair;
}

/**
 * nvme_driver_set_admin_queue() - make an admin queue pair and program it
 * @drv: the driver; the controller is disabled
 * @entries: slots of both
 */
void nvme_driver_set_admin_queue(struct nvme_driver *drv, u32 entries)
{
	struct nvme_pair *pair = pair_init(drv, NVME_QUEUE_ADMIN, entries);

	nvme_driver_write32(drv, NVME_REG_AQA,
			    nvme_put(NVME_AQA_ASQS, entries - 1) |
			    nvme_put(NVME_AQA_ACQS, entries - 1));
	nvme_driver_write64(drv, NVME_REG_ASQ, pair->sq_gpa);
	nvme_driver_write64(drv, NVME_REG_ACQ, pair->cq_gpa);
}

/**
 * nvme_driver_enable() - reset the controller and enable it as drivers do
 * @drv: the driver
 * @admin_entries: slots of the admin queues
 */
void nvme_driver_enable(struct nvme_driver *drv, u32 admin_entries)
{
	nvme_driver_disable(drv);
	nvme_driver_set_admin_queue(drv, admin_entries);
	nvme_driver_write32(drv, NVME_REG_CC, NVME_CC_EN |
			    nvme_put(NVME_CC_MPS,
				     __builtin_ctz(drv->page) - 12) |
			    nvme_put(NVME_CC_IOSQES, NVME_SQE_SHIFT) |
			    nvme_put(NVME_CC_IOCQES, NVME_CQE_SHIFT));
	if (!nvme_driver_wait_csts(drv, NVME_CSTS_RDY, NVME_CSTS_RDY))
		die("the controller does not become ready");
}

/**
 * nvme_driver_queue() - put a command into a submission queue, do not ring
 * @pair: the queue; it has room
 * @cmd: the command; its identifier is filled in
 *
 * Return: the command's identifier
 */
u16 nvme_driver_queue(struct nvme_pair *pair, const struct nvme_sqe *cmd)
{
	struct nvme_sqe *slot = &pair->sq[pair->tail];
	u16 cid = pair->cid;

	*slot = *cmd;
	slot->cid = cpu_to_le16(cid);
	pair->cid = cid == 0xfffe ? 0 : cid + 1;
	pair->tail = pair->tail + 1 == pair->entries ? 0 : pair->tail + 1;
	return cid;
}

/**
 * nvme_driver_ring() - tell the controller of new commands
 * @drv: the driver
 * @pair: the queue
 */
void nvme_driver_ring(struct nvme_driver *drv, struct nvme_pair *pair)
{
	__le32 tail = cpu_to_le32(pair->tail);

	bus_write(&drv->vm->mmio, pair->sq_doorbell, &tail, sizeof(tail));
}

/**
 * nvme_driver_reap() - take a completion when there is one
 * @pair: the queue
 * @cqe: gets a copy
 *
 * The slot is not given back; see nvme_driver_ack().
 *
 * Return: whether there was one
 */
bool nvme_driver_reap(struct nvme_pair *pair, struct nvme_cqe *cqe)
{
	const u64 *slot = (const u64 *)(const void *)&pair->cq[pair->head];
	u64 half[2];

	/* The controller stores the half with the phase tag last, as we read. */
	half[1] = __atomic_load_n(&slot[1], __ATOMIC_ACQUIRE);
	if ((le64_to_cpu((__force __le64)half[1]) >> 48 & NVME_CQE_PHASE) !=
	    pair->phase)
		return false;
	half[0] = slot[0];
	memcpy(cqe, half, sizeof(*cqe));
	pair->sq_head = le16_to_cpu(cqe->sq_head);
	if (++pair->head == pair->entries) {
		pair->head = 0;
		pair->phase = !pair->phase;
	}
	return true;
}

/**
 * nvme_driver_ack() - give the slots of reaped completions back
 * @drv: the driver
 * @pair: the queue
 */
void nvme_driver_ack(struct nvme_driver *drv, struct nvme_pair *pair)
{
	__le32 head = cpu_to_le32(pair->head);

	bus_write(&drv->vm->mmio, pair->cq_doorbell, &head, sizeof(head));
}

/**
 * nvme_driver_wait() - wait for a completion and give its slot back
 * @drv: the driver
 * @pair: the queue
 * @cqe: gets a copy
 *
 * Return: whether one came in time
 */
bool nvme_driver_wait(struct nvme_driver *drv, struct nvme_pair *pair,
		      struct nvme_cqe *cqe)
{
	u64 end = now_ms() + drv->timeout_ms;

	while (!nvme_driver_reap(pair, cqe)) {
		if (now_ms() > end)
			return false;
		testvm_poll(drv->vm);
	}
	nvme_driver_ack(drv, pair);
	return true;
}

/**
 * nvme_driver_quiet() - see that nothing completes for a while
 * @drv: the driver
 * @pair: the queue
 * @ms: how long to look
 *
 * Return: nothing came
 */
bool nvme_driver_quiet(struct nvme_driver *drv, struct nvme_pair *pair, u32 ms)
{
	u64 end = now_ms() + ms;
	struct nvme_cqe cqe;

	do {
		testvm_poll(drv->vm);
		if (nvme_driver_reap(pair, &cqe))
			return false;
	} while (now_ms() < end);
	return true;
}

/**
 * nvme_driver_status() - status code type and status code of a completion
 * @cqe: the completion
 *
 * Return: type in bits 10:8, code in 7:0, comparable with nvme_status_raw()
 */
u16 nvme_driver_status(const struct nvme_cqe *cqe)
{
	return (le16_to_cpu(cqe->status) >> 1) &
	       (NVME_STATUS_SCT | NVME_STATUS_SC);
}

/* ---- one command at a time -------------------------------------------------------- */

/**
 * nvme_driver_cmd() - a command with an opcode and nothing else
 * @opcode: the opcode
 * @nsid: the namespace
 *
 * Return: the command
 */
struct nvme_sqe nvme_driver_cmd(u8 opcode, u32 nsid)
{
	struct nvme_sqe cmd = {
		.opcode = opcode,
		.nsid = cpu_to_le32(nsid),
	};

	return cmd;
}

/**
 * nvme_driver_exec() - run a command alone in its queue
 * @drv: the driver; &nvme_driver.cqe gets the completion
 * @qid: the queue
 * @cmd: the command
 *
 * Return: its status
 */
u16 nvme_driver_exec(struct nvme_driver *drv, u16 qid,
		     const struct nvme_sqe *cmd)
{
	struct nvme_pair *pair = &drv->pair[qid];
	u16 cid = nvme_driver_queue(pair, cmd);

	nvme_driver_ring(drv, pair);
	if (!nvme_driver_wait(drv, pair, &drv->cqe))
		die("queue %u: opcode 0x%02x does not complete", qid,
		    cmd->opcode);
	if (le16_to_cpu(drv->cqe.cid) != cid ||
	    le16_to_cpu(drv->cqe.sqid) != qid)
		die("queue %u: opcode 0x%02x: the completion is of another command",
		    qid, cmd->opcode);
	return nvme_driver_status(&drv->cqe);
}

/**
 * nvme_driver_admin() - run an admin command
 * @drv: the driver
 * @cmd: the command
 *
 * Return: its status
 */
u16 nvme_driver_admin(struct nvme_driver *drv, const struct nvme_sqe *cmd)
{
	return nvme_driver_exec(drv, NVME_QUEUE_ADMIN, cmd);
}

/**
 * nvme_driver_identify() - Identify
 * @drv: the driver
 * @cns: what
 * @nsid: of which namespace
 * @addr: page-aligned buffer of a page
 *
 * Return: status
 */
u16 nvme_driver_identify(struct nvme_driver *drv, u8 cns, u32 nsid, u64 addr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_IDENTIFY, nsid);

	cmd.cdw10 = cpu_to_le32(cns);
	cmd.prp.prp1 = cpu_to_le64(addr);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_get_log() - Get Log Page of the controller, events cleared
 * @drv: the driver
 * @lid: which page
 * @offset: from where
 * @bytes: how much, a multiple of 4
 * @addr: page-aligned buffer
 *
 * Return: status
 */
u16 nvme_driver_get_log(struct nvme_driver *drv, u8 lid, u64 offset, u32 bytes,
			u64 addr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_LOG_PAGE,
					      NVME_NSID_ALL);
	u32 numd = bytes / 4 - 1;

	cmd.cdw10 = cpu_to_le32(lid |
				nvme_put(NVME_LOG_CDW10_NUMDL, numd & 0xffff));
	cmd.cdw11 = cpu_to_le32(numd >> 16);
	cmd.cdw12 = cpu_to_le32((u32)offset);
	cmd.cdw13 = cpu_to_le32((u32)(offset >> 32));
	nvme_driver_set_prps(drv, &drv->pair[NVME_QUEUE_ADMIN], &cmd, addr,
			     bytes);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_get_feature() - Get Features of one without data
 * @drv: the driver; the value is dword 0 of &nvme_driver.cqe
 * @fid: which
 * @sel: current, default, saved or capabilities
 * @cdw11: the feature's own
 *
 * Return: status
 */
u16 nvme_driver_get_feature(struct nvme_driver *drv, u8 fid, u8 sel, u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_GET_FEATURES, 0);

	cmd.cdw10 = cpu_to_le32(fid | nvme_put(NVME_FEATURE_CDW10_SEL, sel));
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_set_feature() - Set Features of one without data, not saved
 * @drv: the driver
 * @fid: which
 * @cdw11: the value
 *
 * Return: status
 */
u16 nvme_driver_set_feature(struct nvme_driver *drv, u8 fid, u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_SET_FEATURES, 0);

	cmd.cdw10 = cpu_to_le32(fid);
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_create_cq() - make a pair's memory, create its completion queue
 * @drv: the driver
 * @qid: which
 * @entries: slots
 * @cdw11: NVME_CREATE_CDW11_PC and so on
 *
 * Return: status
 */
u16 nvme_driver_create_cq(struct nvme_driver *drv, u16 qid, u32 entries,
			  u32 cdw11)
{
	struct nvme_pair *pair = pair_init(drv, qid, entries);
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_CREATE_CQ, 0);

	cmd.prp.prp1 = cpu_to_le64(pair->cq_gpa);
	cmd.cdw10 = cpu_to_le32(qid | nvme_put(NVME_CQUEUE_CDW10_QSIZE,
					       entries - 1));
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_create_sq() - create a pair's submission queue
 * @drv: the driver
 * @qid: which; nvme_driver_create_cq() has made its memory
 * @entries: slots
 * @cdw11: NVME_CREATE_CDW11_PC, the completion queue and so on
 *
 * Return: status
 */
u16 nvme_driver_create_sq(struct nvme_driver *drv, u16 qid, u32 entries,
			  u32 cdw11)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_CREATE_SQ, 0);

	cmd.prp.prp1 = cpu_to_le64(drv->pair[qid].sq_gpa);
	cmd.cdw10 = cpu_to_le32(qid | nvme_put(NVME_CQUEUE_CDW10_QSIZE,
					       entries - 1));
	cmd.cdw11 = cpu_to_le32(cdw11);
	return nvme_driver_admin(drv, &cmd);
}

/**
 * nvme_driver_create_pair() - create an I/O queue pair with interrupts
 * @drv: the driver
 * @qid: which
 * @entries: slots
 * @vector: interrupt vector
 */
void nvme_driver_create_pair(struct nvme_driver *drv, u16 qid, u32 entries,
			     u32 vector)
{
	u16 status;

	status = nvme_driver_create_cq(drv, qid, entries, NVME_CREATE_CDW11_PC |
				       NVME_CCQ_CDW11_IEN |
				       nvme_put(NVME_CCQ_CDW11_IV, vector));
	if (status)
		die("completion queue %u: status 0x%x", qid, status);
	status = nvme_driver_create_sq(drv, qid, entries, NVME_CREATE_CDW11_PC |
				       nvme_put(NVME_CSQ_CDW11_CQID, qid));
	if (status)
		die("submission queue %u: status 0x%x", qid, status);
}

/**
 * nvme_driver_delete_queue() - delete an I/O queue
 * @drv: the driver
 * @opcode: NVME_ADM_DELETE_SQ or NVME_ADM_DELETE_CQ
 * @qid: which
 *
 * Return: status
 */
u16 nvme_driver_delete_queue(struct nvme_driver *drv, u8 opcode, u16 qid)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, 0);

	cmd.cdw10 = cpu_to_le32(qid);
	return nvme_driver_admin(drv, &cmd);
}

/* ---- data pointers ------------------------------------------------------------------ */

/**
 * nvme_driver_set_rw() - the blocks that a command is about
 * @cmd: Read, Write, Compare and the like
 * @lba: the first
 * @blocks: how many, at least 1
 */
void nvme_driver_set_rw(struct nvme_sqe *cmd, u64 lba, u32 blocks)
{
	cmd->cdw10 = cpu_to_le32((u32)lba);
	cmd->cdw11 = cpu_to_le32((u32)(lba >> 32));
	cmd->cdw12 = cpu_to_le32((le32_to_cpu(cmd->cdw12) &
				  ~NVME_RW_CDW12_NLB) | (blocks - 1));
}

/* The page for lists that belongs to the slot that is filled next. */
static u64 next_list(const struct nvme_pair *pair, void **ptr)
{
	u64 offset = (u64)pair->tail * NVME_DRIVER_PAGE;

	*ptr = pair->lists + offset;
	return pair->lists_gpa + offset;
}

/**
 * nvme_driver_set_prps() - describe contiguous data by PRPs
 * @drv: the driver
 * @pair: the queue that the command goes to next
 * @cmd: the command
 * @addr: the data, dword aligned
 * @bytes: its length; a list holds 512 pages
 */
void nvme_driver_set_prps(struct nvme_driver *drv, struct nvme_pair *pair,
			  struct nvme_sqe *cmd, u64 addr, u64 bytes)
{
	u64 first = drv->page - (addr & (drv->page - 1));
	u64 page, n, pages;
	__le64 *list;

	cmd->prp.prp1 = cpu_to_le64(addr);
	cmd->prp.prp2 = cpu_to_le64(0);
	if (bytes <= first)
		return;
	page = addr + first;
	pages = div_round_up(bytes - first, drv->page);
	if (pages == 1) {
		cmd->prp.prp2 = cpu_to_le64(page);
		return;
	}
	if (pages > PRPS_PER_PAGE)
		die("%llu bytes need more than one PRP list", bytes);
	cmd->prp.prp2 = cpu_to_le64(next_list(pair, (void **)&list));
	for (n = 0; n < pages; n++)
		list[n] = cpu_to_le64(page + n * drv->page);
}

static struct nvme_sgl sgl_desc(u64 addr, u64 bytes, u32 type)
{
	struct nvme_sgl sgl = {
		.addr = cpu_to_le64(addr),
		.length = cpu_to_le32((u32)bytes),
		.id = (u8)nvme_put(NVME_SGL_TYPE, type),
	};

	return sgl;
}

/**
 * nvme_driver_set_sgl() - describe contiguous data by an SGL
 * @drv: the driver
 * @pair: the queue that the command goes to next
 * @cmd: the command
 * @addr: the data
 * @bytes: its length
 * @pieces: data block descriptors to make of it; 1 to 256. One stands in the
 *          command, more in a last segment
 */
void nvme_driver_set_sgl(struct nvme_driver *drv, struct nvme_pair *pair,
			 struct nvme_sqe *cmd, u64 addr, u64 bytes, u32 pieces)
{
	struct nvme_sgl *list;
	u64 list_gpa, piece;
	u32 n;

	cmd->flags |= nvme_put(NVME_SQE_PSDT, NVME_PSDT_SGL_MPTR);
	if (pieces == 1) {
		cmd->sgl = sgl_desc(addr, bytes, NVME_SGL_DATA);
		return;
	}
	if (pieces > NVME_DRIVER_PAGE / sizeof(*list))
		die("%u pieces need more than one segment", pieces);
	list_gpa = next_list(pair, (void **)&list);
	piece = round_down_to(bytes / pieces, 4);
	for (n = 0; n < pieces; n++)
		list[n] = sgl_desc(addr + n * piece, n + 1 < pieces ?
				   piece : bytes - n * piece, NVME_SGL_DATA);
	cmd->sgl = sgl_desc(list_gpa, pieces * sizeof(*list),
			    NVME_SGL_LAST_SEGMENT);
}

/**
 * nvme_driver_rw() - run a Read, Write or Compare with PRPs
 * @drv: the driver
 * @qid: the queue
 * @opcode: which
 * @nsid: the namespace, of blocks of &nvme_driver.block bytes
 * @lba: first block
 * @blocks: how many
 * @addr: data
 *
 * Return: status
 */
u16 nvme_driver_rw(struct nvme_driver *drv, u16 qid, u8 opcode, u32 nsid,
		   u64 lba, u32 blocks, u64 addr)
{
	struct nvme_sqe cmd = nvme_driver_cmd(opcode, nsid);

	nvme_driver_set_rw(&cmd, lba, blocks);
	nvme_driver_set_prps(drv, &drv->pair[qid], &cmd, addr,
			     (u64)blocks * drv->block);
	return nvme_driver_exec(drv, qid, &cmd);
}
