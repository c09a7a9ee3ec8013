/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MIGRATE_H
#define LKVM_MIGRATE_H

#include <pthread.h>

#include "migration/findings.h"
#include "migration/hello.h"
#include "migration/image.h"
#include "migration/rounds.h"
#include "vmm/iothread.h"

struct vm;

/**
 * enum migrate_step - how far it is
 * @MIGRATE_CONNECT: the peers get to know each other
 * @MIGRATE_BUILD: the destination makes the machine
 * @MIGRATE_ROUNDS: memory goes while the guest runs
 * @MIGRATE_STOPPED: the guest is stopped, what is left goes
 * @MIGRATE_LOADED: the destination has everything
 * @MIGRATE_TAKE: the locks of the disks were given up
 * @MIGRATE_GO: the word was given: whoever has the locks runs
 * @MIGRATE_DONE: the machine runs at the destination
 */
enum migrate_step {
	MIGRATE_CONNECT,
	MIGRATE_BUILD,
	MIGRATE_ROUNDS,
	MIGRATE_STOPPED,
	MIGRATE_LOADED,
	MIGRATE_TAKE,
	MIGRATE_GO,
	MIGRATE_DONE,
};

/**
 * struct migrate_request - what is wanted
 * @links: connections to the destination, the migration's from now on, also
 *         after a failure
 * @links_nr: how many, 1 to HELLO_LINKS_MAX
 * @peer: the destination, for texts
 * @downtime_ms: how long the guest may be stopped
 * @timeout_ms: give up after so long, 0 for never
 * @silence_ms: give up when the other side is silent for so long, 0 for two
 *              minutes, and less while the guest is stopped
 * @decide_ms: how long the other side may have the locks, after the word and
 *             without an answer, before it is taken to run; 0 for 90 seconds,
 *             longer than one without the word would keep them
 * @rate: bytes a second at most while the guest runs, 0 for no limit
 * @check_only: have the destination say what would stop the machine, and no
 *              more: see &migrate.findings
 * @on_done: called on the main loop when all has ended: without an error when
 *           the machine is the destination's, or when it has answered with
 *           @check_only; else the guest is as it was
 * @arg: for @on_done
 */
struct migrate_request {
	struct channel **links;
	u32 links_nr;
	const char *peer;
	u64 downtime_ms;
	u64 timeout_ms;
	u64 silence_ms;
	u64 decide_ms;
	u64 rate;
	bool check_only;
	void (*on_done)(void *arg, const struct error *err);
	void *arg;
};

/**
 * struct migrate_stats - how it went
 * @downtime_ns: how long the guest was stopped, until the other side ran
 * @total_ns: from the start to the end
 */
struct migrate_stats {
	u64 downtime_ns;
	u64 total_ns;
};

/**
 * struct migrate - a machine on its way
 * @vm: the machine
 * @control: cancels the work
 * @links: the connections
 * @links_nr: how many
 * @peer: the channel to the destination's image
 * @image: what is written to it
 * @rounds: the memory
 * @request: as given, but for its connections
 * @step: see enum migrate_step
 * @was_running: the guest ran when it was stopped
 * @stopped: it was stopped by us
 * @given: the locks of the disks were given up
 * @disks_mark: disks_mark() at the word
 * @thread: does the work
 * @done_call: posted by the thread at its end
 * @ended: @done_call has run
 * @can: what the destination can do, a set of enum hello_can
 * @findings: what the destination has said would stop the machine
 * @err: why it failed
 * @stats: how it went
 * @start_ns: CLOCK_MONOTONIC at the start
 * @stop_ns: CLOCK_MONOTONIC when the guest was stopped
 */
struct migrate {
	struct vm *vm;
	struct channel_control control;
	struct frame_link links[HELLO_LINKS_MAX];
	u32 links_nr;
	struct channel *_Atomic peer;
	struct image *image;
	struct rounds rounds;
	struct migrate_request request;
	_Atomic u32 step;
	bool was_running;
	bool stopped;
	bool given;
	u64 disks_mark;
	pthread_t thread;
	struct loop_call done_call;
	bool ended;
	u32 can;
	struct findings findings;
	struct error err;
	struct migrate_stats stats;
	u64 start_ns;
	u64 stop_ns;
};

int migrate_start(struct vm *vm, const struct migrate_request *req,
		  struct migrate **out, struct error *err) __must_check;
int migrate_cancel(struct migrate *m, struct error *err);
bool migrate_too_late(const struct migrate *m);
void migrate_destroy(struct migrate *m);

#endif /* LKVM_MIGRATE_H */
