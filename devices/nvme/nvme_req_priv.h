/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: limits, options, commands and requests of the NVMe controller
 *
 * nvme_priv.h tells how all belongs together.
 */
#ifndef LKVM_NVME_REQ_PRIV_H
#define LKVM_NVME_REQ_PRIV_H

#include <sys/uio.h>

#include "devices/block/block.h"
#include "devices/nvme/nvme_spec.h"
#include "vmm/base/list.h"
#include "vmm/iothread.h"
#include "vmm/option.h"

struct nvme_ctrl;
struct nvme_loop;
struct nvme_ns;
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

#endif /* LKVM_NVME_REQ_PRIV_H */
