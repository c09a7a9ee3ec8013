/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_SNAPSHOT_H
#define LKVM_SNAPSHOT_H

#include <pthread.h>
#include <semaphore.h>

#include "migration/core_notes.h"
#include "migration/disks.h"
#include "migration/image.h"
#include "migration/memory_save.h"
#include "migration/snapshot_file.h"
#include "vmm/dirty.h"
#include "vmm/iothread.h"

struct vm;

/**
 * enum snapshot_mode - what the guest does meanwhile
 * @SNAPSHOT_LIVE: it runs, but for a short stop at the end
 * @SNAPSHOT_PAUSED: it is paused all the while, then runs on
 * @SNAPSHOT_STOP: as SNAPSHOT_LIVE, and it stays paused
 */
enum snapshot_mode {
	SNAPSHOT_LIVE,
	SNAPSHOT_PAUSED,
	SNAPSHOT_STOP,
};

/**
 * enum snapshot_step - how far a snapshot is
 * @SNAPSHOT_STEP_MEMORY: memory is written, while the guest runs if it may
 * @SNAPSHOT_STEP_STOPPED: the guest stands still, for the last pages and state
 * @SNAPSHOT_STEP_COMMIT: the file is being brought to stable storage
 * @SNAPSHOT_STEPS: how many there are
 */
enum snapshot_step {
	SNAPSHOT_STEP_MEMORY,
	SNAPSHOT_STEP_STOPPED,
	SNAPSHOT_STEP_COMMIT,
	SNAPSHOT_STEPS,
};

/**
 * struct snapshot_progress - how far a snapshot is, at one moment
 * @step: see enum snapshot_step
 * @round: of the rounds over memory, from 1 on
 * @done: bytes of memory put, over all rounds, and of disks copied
 * @total: what @done will be when this round has ended
 * @pause_ns: how long the guest has been stopped so far
 * @elapsed_ns: since the start
 */
struct snapshot_progress {
	enum snapshot_step step;
	u32 round;
	u64 done;
	u64 total;
	u64 pause_ns;
	u64 elapsed_ns;
};

/**
 * struct snapshot_stats - how a snapshot went
 * @rounds: rounds over guest memory, the last one included
 * @bytes: memory put, over all rounds
 * @pause_ns: how long the guest was stopped, up to its resume
 * @total_ns: from the start to the file's name
 */
struct snapshot_stats {
	_Atomic u32 rounds;
	u64 bytes;
	u64 pause_ns;
	u64 total_ns;
};

/**
 * struct snapshot_request - what is wanted
 * @path: the file
 * @mode: see enum snapshot_mode
 * @force: replace also a file that is no snapshot
 * @disks: whether disks are copied beside the file, and how
 * @threads: how many write, 0 for a good number
 * @on_done: called on the main loop when all has ended
 * @arg: for @on_done
 */
struct snapshot_request {
	const char *path;
	enum snapshot_mode mode;
	bool force;
	enum disk_copying disks;
	u32 threads;
	void (*on_done)(void *arg, const struct error *err);
	void *arg;
};

/**
 * struct snapshot - a snapshot being taken
 * @vm: the machine
 * @mode: see enum snapshot_mode
 * @on_done: see struct snapshot_request
 * @arg: for @on_done
 * @control: cancels the work
 * @file: where it goes
 * @image: what is written
 * @disks: the disks
 * @ms: the memory
 * @log: what the guest writes meanwhile
 * @core: what is there for debuggers
 * @thread: does the writing
 * @last_call: posted by the thread when the guest is to stop
 * @last_done: posted by the main loop when it has run
 * @last_ret: how the last, stopped part went
 * @done_call: posted by the thread at its end
 * @ended: @done_call has run
 * @err: why it failed
 * @step: an enum snapshot_step
 * @stats: how it went
 * @start_ns: CLOCK_MONOTONIC at the start
 * @pause_start_ns: CLOCK_MONOTONIC when the guest stopped
 * @stopped: we keep the guest stopped
 * @was_running: the guest ran when it was stopped
 */
struct snapshot {
	struct vm *vm;
	enum snapshot_mode mode;
	void (*on_done)(void *arg, const struct error *err);
	void *arg;
	struct channel_control control;
	struct snapshot_file file;
	struct image *image;
	struct disk_save disks;
	struct memory_save ms;
	struct dirty_log log;
	struct core_notes core;
	pthread_t thread;
	struct loop_call last_call;
	sem_t last_done;
	int last_ret;
	struct loop_call done_call;
	bool ended;
	struct error err;
	_Atomic u32 step;
	struct snapshot_stats stats;
	u64 start_ns;
	u64 pause_start_ns;
	bool stopped;
	bool was_running;
};

int snapshot_start(struct vm *vm, const struct snapshot_request *req,
		   struct snapshot **out, struct error *err) __must_check;
void snapshot_cancel(struct snapshot *s);
void snapshot_progress(const struct snapshot *s, struct snapshot_progress *p);
void snapshot_destroy(struct snapshot *s);

#endif /* LKVM_SNAPSHOT_H */
