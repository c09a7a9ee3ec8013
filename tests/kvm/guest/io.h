/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: verified disk I/O
 *
 * A job does random reads and writes through one queue, on its own part of
 * each namespace, so jobs do not disturb each other. It knows the generation
 * of every block it may touch, and checks every byte that it reads.
 */
#ifndef TESTS_KVM_GUEST_IO_H
#define TESTS_KVM_GUEST_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/nvme.h"

/* In the generation table: the block reads as zeros, the number counts on. */
#define GEN_ZEROED	0x80000000u

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_ZEROES,
	IO_FLUSH,
};

/**
 * struct io_options - what a job does
 * @seed:	of the stamps and the choices
 * @depth:	commands outstanding at once
 * @max_bytes:	of one command
 * @span:	blocks of each namespace that are used, 0 for all
 * @pointer:	kind of data pointers
 * @zeroes:	use Write Zeroes too
 */
struct io_options {
	uint64_t seed;
	unsigned int depth;
	uint32_t max_bytes;
	uint64_t span;
	enum nvme_pointer pointer;
	bool zeroes;
};

/**
 * struct io_area - a job's part of a namespace
 * @ns:    namespace
 * @first: first block
 * @count: blocks
 * @gen:   generation of each block
 * @busy:  by block: a command is under way
 */
struct io_area {
	const struct nvme_ns *ns;
	uint64_t first;
	uint32_t count;
	uint32_t *gen;
	uint8_t *busy;
};

/**
 * struct io_slot - a command under way
 * @data:   its memory
 * @area:   where
 * @block:  first block, counted from the area's first
 * @blocks: how many, 0 for a flush
 * @op:     what
 * @active: it has not completed
 */
struct io_slot {
	struct nvme_data data;
	struct io_area *area;
	uint32_t block;
	uint32_t blocks;
	enum io_op op;
	bool active;
};

/**
 * struct io_job - verified I/O through one queue
 * @queue:	the queue
 * @options:	what to do
 * @rng:	the job's choices
 * @area:	parts of the namespaces
 * @areas:	how many
 * @slot:	commands under way, @options.depth of them
 * @by_cid:	the slot of each command identifier
 * @bounce:	one command's data in a row
 * @scan_area:	sequential check: where it is
 * @scan_block:	sequential check: where it is
 * @reads:	completed
 * @writes:	completed
 * @flushes:	completed
 * @bytes:	read and written
 */
struct io_job {
	struct nvme_queue *queue;
	struct io_options options;
	struct rng rng;
	struct io_area area[NVME_NAMESPACES_MAX];
	unsigned int areas;
	struct io_slot *slot;
	struct io_slot **by_cid;
	uint8_t *bounce;
	unsigned int scan_area;
	uint32_t scan_block;
	uint64_t reads;
	uint64_t writes;
	uint64_t flushes;
	uint64_t bytes;
};

void io_options_read(struct io_options *o);
int io_setup_read(struct nvme_setup *s);
void io_job_init(struct io_job *j, struct nvme_queue *q,
		 const struct io_options *o);
int io_run(struct io_job *j, uint64_t completions);
int io_fill(struct io_job *j);
int io_drain(struct io_job *j);
int io_check_all(struct io_job *j);
int io_settle(struct io_job *j);
void io_report_disks(const struct io_job *const *jobs, unsigned int n);

#endif
