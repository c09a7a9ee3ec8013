/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_RECEIVE_H
#define LKVM_RECEIVE_H

#include "migration/hello.h"
#include "migration/image.h"
#include "migration/incoming.h"
#include "vmm/iothread.h"

struct description;
struct findings;
struct vm;

/**
 * enum receive_step - how far the hand-over is
 * @RECEIVE_MEMORY: memory arrives, round after round
 * @RECEIVE_LOADED: the state was loaded; the source may still take it back
 * @RECEIVE_READY: this side has the locks of the disks and waits for the word
 * @RECEIVE_RUNNING: the machine is ours
 */
enum receive_step {
	RECEIVE_MEMORY,
	RECEIVE_LOADED,
	RECEIVE_READY,
	RECEIVE_RUNNING,
};

/**
 * struct receive_link - one of the connections and the thread that reads it
 * @r: whose
 * @link: the connection
 * @thread: reads it
 * @started: there is @thread
 * @round: the round whose end it has reported, 0 for none
 */
struct receive_link {
	struct receive *r;
	struct frame_link link;
	pthread_t thread;
	bool started;
	u64 round;
};

/**
 * struct receive - a machine that arrives
 * @control: ends all waits
 * @links: the connections; the first one is that of the control frames
 * @links_nr: how many there are
 * @links_wanted: how many the source makes
 * @hello_ms: see receive_create()
 * @patience_ms: how long the source may be silent
 * @job: as in the source's hello
 * @in: what has arrived
 * @image: head and description, then head and state
 * @description: of the machine; the caller may replace what belongs to the host
 * @vm: the machine, once it was built
 * @check: the source only asks whether the machine could come
 * @paused: the machine stays paused when it is ours
 * @step: how far it is; the first link's thread writes it
 * @lock: protects &receive_link.round, @failed and @err
 * @round_end: a connection has come to a round's end, or all is over
 * @failed: it has failed; then &step stays below RECEIVE_RUNNING
 * @err: why
 * @end_call: posted when the first link's thread ends
 * @on_end: told how it ended
 * @arg: for @on_end
 * @ended: @end_call has run, or no thread was started
 */
struct receive {
	struct channel_control control;
	struct receive_link links[HELLO_LINKS_MAX];
	u32 links_nr;
	u32 links_wanted;
	u64 hello_ms;
	u64 patience_ms;
	u8 job[16];
	struct incoming in;
	struct image *image;
	struct description *description;
	struct vm *vm;
	bool check;
	bool paused;
	_Atomic u32 step;
	pthread_mutex_t lock;
	pthread_cond_t round_end;
	bool failed;
	struct error err;
	struct loop_call end_call;
	void (*on_end)(void *arg, const struct error *err);
	void *arg;
	bool ended;
};

int receive_create(struct channel *ch, u32 links_max, u64 hello_ms,
		   struct receive **out, struct error *err) __must_check;
void receive_patience(struct receive *r, u64 ms);
int receive_add(struct receive *r, struct channel *ch, struct error *err)
	__must_check;
int receive_machine(struct receive *r, struct error *err) __must_check;
int receive_answer(struct receive *r, const struct findings *f,
		   struct error *err) __must_check;
void receive_refuse(struct receive *r, const struct error *why);
int receive_start(struct receive *r, struct vm *vm,
		  void (*on_end)(void *arg, const struct error *err),
		  void *arg, struct error *err) __must_check;
void receive_stop(struct receive *r);
void receive_destroy(struct receive *r);

#endif /* LKVM_RECEIVE_H */
