// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: receiving a machine
 *
 * First, on the caller's thread: the connections, then head and description of
 * the machine, from which the caller builds it, paused and without the locks of
 * its disks. Then each connection has a thread that puts memory where it
 * belongs. The first connection's thread also answers the source: it has the
 * main loop load the state, take the locks and, at the source's word, run.
 *
 * Exactly one machine runs. Before *ready* the source can take everything back
 * by closing the connections. After it this side has the locks, and without
 * *go* it gives them back and ends; the source takes them again. With *go* the
 * machine is ours, whatever becomes of the connections.
 *
 * Rounds: a thread that comes to the end of a round waits until all have; then
 * the source is told. So a page that comes again over another connection comes
 * after the first one.
 *
 * Threads: creating, starting and destroying are the main loop's thread's.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/check.h"
#include "migration/machine_state.h"
#include "migration/receive.h"
#include "vmm/arch.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/description.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define LAST_WORDS_MS	1000
/* A source that says nothing for so long is given up. */
#define SILENCE_MS	120000
/* With the locks and without the word, less: the source waits for them. */
#define WORD_MS		30000

/* ---- connections -------------------------------------------------------- */

static int welcome(struct receive *r, struct frame_link *link, u32 index,
		   struct error *err)
{
	struct hello h = {
		.links = cpu_to_le32(r->links_wanted),
		.index = cpu_to_le32(index),
	};

	memcpy(h.job, r->job, sizeof(h.job));
	return hello_send(link, FRAME_WELCOME, &h, err);
}

static void end_call_run(struct loop_call *call);

static struct receive *receive_alloc(struct error *err)
{
	struct receive *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	if (channel_control_init(&r->control, err)) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->round_end, NULL);
	loop_call_init(&r->end_call, end_call_run);
	r->patience_ms = SILENCE_MS;
	r->ended = true;
	return r;
}

static struct receive_link *add_link(struct receive *r, struct channel *ch)
{
	struct receive_link *l = &r->links[r->links_nr++];

	l->r = r;
	ch->control = &r->control;
	frame_link_init(&l->link, ch);
	return l;
}

/**
 * receive_create() - begin with the first connection
 * @ch: the connection; closed by receive_destroy(), also after a failure here
 * @links_max: most connections that there can be
 * @hello_ms: so long may each connection take to say what it is; 0 for ever
 * @out: the machine that arrives
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0, or a negative errno for a peer that cannot be worked with.
 */
int receive_create(struct channel *ch, u32 links_max, u64 hello_ms,
		   struct receive **out, struct error *err)
{
	struct receive *r = receive_alloc(err);
	struct receive_link *first;
	struct hello h;
	int ret;

	if (!r) {
		channel_close(ch);
		return -ENOMEM;
	}
	ret = incoming_init(&r->in, ch->name, err);
	if (ret) {
		channel_close(ch);
		channel_control_destroy(&r->control);
		free(r);
		return ret;
	}
	first = add_link(r, ch);
	r->hello_ms = hello_ms;
	channel_control_deadline(&r->control, hello_ms);
	ret = hello_receive(&first->link, FRAME_HELLO, &h, err);
	if (!ret && le32_to_cpu(h.index))
		ret = error_set(err, -EPROTO,
				"%s: its first connection is number %u",
				ch->name, le32_to_cpu(h.index));
	if (ret) {
		receive_refuse(r, err);
		receive_destroy(r);
		return ret;
	}
	r->links_wanted = le32_to_cpu(h.links);
	if (r->links_wanted > links_max)
		r->links_wanted = links_max;
	memcpy(r->job, h.job, sizeof(r->job));
	ret = welcome(r, &first->link, 0, err);
	if (ret)
		receive_destroy(r);
	else
		*out = r;
	return ret;
}

/**
 * receive_patience() - set how long the source may be silent
 * @r: the machine, of which nothing has come yet
 * @ms: milliseconds; two minutes without this call
 *
 * Context: before receive_machine().
 */
void receive_patience(struct receive *r, u64 ms)
{
	r->patience_ms = ms;
}

/**
 * receive_add() - another connection
 * @r: the machine; &receive.links_nr is below &receive.links_wanted
 * @ch: the connection; closed here when it is not one of this migration
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0; -EPROTO for a connection that is not the next one of this
 * migration: the caller may wait for another one.
 */
int receive_add(struct receive *r, struct channel *ch, struct error *err)
{
	struct receive_link *l = add_link(r, ch);
	struct hello h;
	int ret;

	channel_control_deadline(&r->control, r->hello_ms);
	ret = hello_receive(&l->link, FRAME_HELLO, &h, err);
	if (!ret && (memcmp(h.job, r->job, sizeof(h.job)) ||
		     le32_to_cpu(h.index) != r->links_nr - 1))
		ret = error_set(err, -EPROTO,
				"%s: is not part of this migration", ch->name);
	if (!ret)
		ret = welcome(r, &l->link, r->links_nr - 1, err);
	if (ret) {
		frame_link_close(&l->link);
		r->links_nr--;
	}
	return ret;
}

/**
 * receive_refuse() - tell the source why there will be no machine here
 * @r: the machine
 * @why: the reason
 */
void receive_refuse(struct receive *r, const struct error *why)
{
	struct error ignored = ERROR_INIT;

	/* It may be gone, or not listen. */
	channel_control_again(&r->control, LAST_WORDS_MS);
	if (frame_send_error(&r->links[0].link, why, &ignored))
		log_debug("%s", ignored.text);
}

/* ---- the machine -------------------------------------------------------- */

static int open_image(struct receive *r, struct error *err)
{
	image_free(r->image);
	r->image = NULL;
	return image_open_transit(&r->in.ch, &r->image, err);
}

static int read_description(struct receive *r, struct error *err)
{
	const struct image_note *note;
	int ret;

	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_MACHINE);
	if (!note)
		return error_set(err, -EINVAL, "%s: has sent no machine description",
				 r->in.ch.name);
	ret = description_read(note->data, note->len, &r->description, err);
	return ret ? error_prefix(err, "%s", r->in.ch.name) : 0;
}

/**
 * receive_machine() - receive what the machine is
 * @r: with all its connections
 * @err: filled on failure
 *
 * Afterwards &receive.description is there. With &receive.check set the source
 * wants nothing but receive_answer().
 *
 * Context: may block.
 * Return: 0 or a negative errno; the source was told.
 */
int receive_machine(struct receive *r, struct error *err)
{
	struct frame_link *link = &r->links[0].link;
	struct frame f;
	int ret;

	channel_control_deadline(&r->control, 0);
	channel_control_silence(&r->control, r->patience_ms);
	for (;;) {
		ret = frame_receive(link, &f, err);
		if (!ret)
			ret = error_set(err, -ENOTCONN,
					"%s: has closed the connection",
					link->ch->name);
		if (ret < 0 || f.type != FRAME_WRITE)
			break;
		ret = incoming_frame(&r->in, link, &f, err);
		if (ret)
			break;
	}
	r->check = ret > 0 && f.type == FRAME_CHECK;
	if (ret > 0)
		ret = f.type == FRAME_BUILD || f.type == FRAME_CHECK ? 0 :
			error_set(err, -EPROTO, "%s: %s frame before build",
				  link->ch->name, frame_name(f.type));
	if (!ret)
		ret = open_image(r, err);
	if (!ret)
		ret = read_description(r, err);
	if (ret)
		receive_refuse(r, err);
	return ret;
}

/**
 * receive_answer() - tell the source what would stop the machine
 * @r: received with &receive.check; of no use afterwards but for
 *     receive_destroy()
 * @f: what would
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0 or a negative errno.
 */
int receive_answer(struct receive *r, const struct findings *f,
		   struct error *err)
{
	char *text;
	u32 len;
	int ret;

	ret = findings_encode(f, &text, &len, err);
	if (ret)
		return ret;
	ret = frame_send(&r->links[0].link, FRAME_CHECKED, 0, text, len, err);
	free(text);
	return ret;
}

/* ---- on the main loop --------------------------------------------------- */

static int load_state(void *arg, struct error *err)
{
	struct receive *r = arg;
	const struct image_note *note;
	int ret;

	ret = open_image(r, err);
	if (ret)
		return ret;
	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_STATE);
	if (!note)
		return error_set(err, -EINVAL, "%s: has sent no machine state",
				 r->in.ch.name);
	r->vm->clock = VM_CLOCK_HOST;
	ret = machine_state_load(r->vm, note->data, note->len, err);
	/* Else it is this host that cannot. */
	if (ret == -EINVAL || ret == -ERANGE)
		return error_prefix(err, "%s", r->in.ch.name);
	return ret;
}

static int take_disks(void *arg, struct error *err)
{
	struct receive *r = arg;
	int ret = device_disks_take(r->vm, err);

	if (!ret)
		r->vm->config.disks_elsewhere = false;
	return ret;
}

static int give_disks(void *arg, struct error *err)
{
	struct receive *r = arg;

	r->vm->config.disks_elsewhere = true;
	return device_disks_give(r->vm, err);
}

static int run(void *arg, struct error *err)
{
	struct receive *r = arg;

	return r->paused ? 0 : vm_resume(r->vm, err);
}

static int on_main_loop(struct receive *r,
			int (*fn)(void *arg, struct error *err),
			struct error *err)
{
	return iothread_try(&r->vm->loop, fn, r, err);
}

/* ---- connections' threads ----------------------------------------------- */

/* Nobody waits any more, neither for bytes nor for other connections. */
static void end_waits(struct receive *r)
{
	channel_control_cancel(&r->control);
	pthread_mutex_lock(&r->lock);
	pthread_cond_broadcast(&r->round_end);
	pthread_mutex_unlock(&r->lock);
}

static void fail(struct receive *r, const struct error *err)
{
	pthread_mutex_lock(&r->lock);
	/* What is ours stays ours, whatever becomes of a connection. */
	if (!r->failed && atomic_load(&r->step) != RECEIVE_RUNNING) {
		r->failed = true;
		r->err = *err;
	}
	pthread_mutex_unlock(&r->lock);
	end_waits(r);
}

static bool all_have_ended(const struct receive *r, u64 round)
{
	u32 i;

	for (i = 0; i < r->links_nr; i++)
		if (r->links[i].round < round)
			return false;
	return true;
}

/* Wait until every connection has come to the end of this round. */
static int end_round(struct receive_link *l, const struct frame *f,
		     struct error *err)
{
	struct receive *r = l->r;
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	if (f->pos != l->round + 1)
		ret = error_set(err, -EPROTO,
				"%s: round %llu has ended after round %llu",
				l->link.ch->name, f->pos, l->round);
	else
		l->round = f->pos;
	pthread_cond_broadcast(&r->round_end);
	while (!ret && !all_have_ended(r, f->pos)) {
		if (atomic_load(&r->control.cancelled))
			ret = error_set(err, -ECANCELED,
					"the other connections have ended");
		else
			pthread_cond_wait(&r->round_end, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int bad_order(const struct receive_link *l, const struct frame *f,
		     struct error *err)
{
	return error_set(err, -EPROTO, "%s: a %s frame does not belong here",
			 l->link.ch->name, frame_name(f->type));
}

/* Frames that any connection may bring; 1: it is none of them. */
static int memory_frame(struct receive_link *l, const struct frame *f,
			struct error *err)
{
	if (f->type != FRAME_WRITE && f->type != FRAME_ZERO &&
	    f->type != FRAME_ROUND)
		return 1;
	if (atomic_load(&l->r->step) != RECEIVE_MEMORY)
		return bad_order(l, f, err);
	if (f->type != FRAME_ROUND)
		return incoming_frame(&l->r->in, &l->link, f, err);
	return end_round(l, f, err);
}

/**
 * struct order - what the first connection may ask for, in this order
 * @type: the frame
 * @at: the step that it belongs to
 * @next: the step that comes of it
 * @fn: what the main loop does
 * @answer: what the source is told
 */
struct order {
	enum frame_type type;
	enum receive_step at;
	enum receive_step next;
	int (*fn)(void *arg, struct error *err);
	enum frame_type answer;
};

static const struct order orders[] = {
	{ FRAME_LOAD, RECEIVE_MEMORY, RECEIVE_LOADED, load_state,
	  FRAME_LOADED },
	{ FRAME_TAKE, RECEIVE_LOADED, RECEIVE_READY, take_disks, FRAME_READY },
	{ FRAME_GO, RECEIVE_READY, RECEIVE_RUNNING, run, FRAME_RUNNING },
};

/*
 * The word has come. Either a connection has failed before, or none that fails
 * from now on changes anything.
 */
static int take_word(struct receive *r, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	if (r->failed)
		ret = error_set(err, -ECANCELED, "another connection failed");
	else
		atomic_store(&r->step, RECEIVE_RUNNING);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int check_order(struct receive_link *l, const struct frame *f,
		       const struct order *o, struct error *err)
{
	if (o == orders + ARRAY_SIZE(orders) ||
	    o->at != atomic_load(&l->r->step))
		return bad_order(l, f, err);
	if (f->type == FRAME_GO && f->pos > FRAME_GO_PAUSED)
		return error_set(err, -EPROTO, "%s: malformed %s frame",
				 l->link.ch->name, frame_name(f->type));
	return 0;
}

static int carry_out(struct receive *r, const struct order *o,
		     struct error *err)
{
	int ret = 0;

	channel_control_deadline(&r->control, o->next == RECEIVE_READY ?
				 min_of(r->patience_ms, (u64)WORD_MS) : 0);
	if (o->next == RECEIVE_RUNNING)
		ret = take_word(r, err);
	if (ret)
		return ret;
	ret = on_main_loop(r, o->fn, err);
	/* A machine that could not run is not ours. */
	atomic_store(&r->step, ret ? o->at : o->next);
	return ret;
}

static int follow_order(struct receive_link *l, const struct frame *f,
			struct error *err)
{
	struct receive *r = l->r;
	struct error ignored = ERROR_INIT;
	const struct order *o = orders;
	int ret;

	while (o < orders + ARRAY_SIZE(orders) && o->type != f->type)
		o++;
	ret = check_order(l, f, o, err);
	if (ret)
		return ret;
	r->paused = f->type == FRAME_GO && f->pos == FRAME_GO_PAUSED;
	ret = carry_out(r, o, err);
	if (ret)
		return ret;
	ret = frame_send(&l->link, o->answer, 0, NULL, 0, &ignored);
	/* From then on it is ours, whether the source hears of it or not. */
	if (o->next == RECEIVE_RUNNING)
		return 0;
	return ret ? error_copy(err, &ignored) : 0;
}

static int first_frame(struct receive_link *l, const struct frame *f,
		       struct error *err)
{
	int ret = memory_frame(l, f, err);

	if (!ret && f->type == FRAME_ROUND)
		return frame_send(&l->link, FRAME_ROUND_DONE, f->pos, NULL, 0,
				  err);
	return ret == 1 ? follow_order(l, f, err) : ret;
}

static int other_frame(struct receive_link *l, const struct frame *f,
		       struct error *err)
{
	int ret = memory_frame(l, f, err);

	return ret == 1 ? bad_order(l, f, err) : ret;
}

static int read_frames(struct receive_link *l, struct error *err)
{
	struct receive *r = l->r;
	bool first = l == &r->links[0];
	struct frame f;
	int ret;

	while (atomic_load(&r->step) != RECEIVE_RUNNING) {
		ret = frame_receive(&l->link, &f, err);
		if (!ret)
			ret = error_set(err, -ENOTCONN,
					"%s: has closed the connection before the machine was handed over",
					l->link.ch->name);
		if (ret > 0)
			ret = first ? first_frame(l, &f, err) :
				      other_frame(l, &f, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Once the machine is ours, or is not, nobody waits for the others. */
static void *other_thread(void *arg)
{
	struct receive_link *l = arg;
	struct error err = ERROR_INIT;

	if (read_frames(l, &err) &&
	    atomic_load(&l->r->step) != RECEIVE_RUNNING &&
	    !atomic_load(&l->r->control.cancelled))
		fail(l->r, &err);
	return NULL;
}

static void *first_thread(void *arg)
{
	struct receive_link *l = arg;
	struct receive *r = l->r;
	struct error err = ERROR_INIT;

	pthread_setname_np(pthread_self(), "receive");
	if (read_frames(l, &err))
		fail(r, &err);
	end_waits(r);
	iothread_post(&r->vm->loop, &r->end_call);
	return NULL;
}

static void join_all(struct receive *r)
{
	u32 i;

	for (i = 0; i < r->links_nr; i++)
		if (r->links[i].started)
			pthread_join(r->links[i].thread, NULL);
}

static void end_call_run(struct loop_call *call)
{
	struct receive *r = container_of(call, struct receive, end_call);
	struct error err = ERROR_INIT;

	join_all(r);
	r->ended = true;
	/* The source may be waiting for the locks. */
	if (atomic_load(&r->step) == RECEIVE_READY && give_disks(r, &err))
		log_warning("%s", err.text);
	if (r->failed)
		receive_refuse(r, &r->err);
	if (r->on_end)
		r->on_end(r->arg, r->failed ? &r->err : NULL);
}

/* Other disks than the source's would be destroyed by what is in memory. */
static int compare_disks(struct receive *r, struct error *err)
{
	struct findings f;
	u32 i;

	findings_init(&f);
	check_disks(r, r->vm, &f);
	for (i = 0; i < f.nr; i++)
		if (!f.v[i].stops)
			log_warning("%s", f.v[i].text);
	return findings_error(&f, err);
}

static int start_threads(struct receive *r, struct error *err)
{
	u32 i = r->links_nr;
	int ret;

	/* The first one last: it is the one that tells the end. */
	while (i--) {
		struct receive_link *l = &r->links[i];

		ret = -pthread_create(&l->thread, NULL,
				      i ? other_thread : first_thread, l);
		if (ret)
			return error_set(err, ret, "receive: thread: %s",
					 strerror(-ret));
		l->started = true;
	}
	return 0;
}

/**
 * receive_start() - let memory arrive, and then the rest
 * @r: with a description from which the machine was built
 * @vm: the machine: paused, &vm_config.disks_elsewhere, memory all zeros
 * @on_end: called on the main loop: without an error when the machine runs
 *          here; else it must be thrown away
 * @arg: for @on_end
 * @err: filled on failure
 *
 * Context: main loop's thread.
 * Return: 0 when @on_end will be called; else a negative errno, and the source
 * was told.
 */
int receive_start(struct receive *r, struct vm *vm,
		  void (*on_end)(void *arg, const struct error *err),
		  void *arg, struct error *err)
{
	int ret;

	r->vm = vm;
	r->on_end = on_end;
	r->arg = arg;
	ret = compare_disks(r, err);
	if (!ret)
		ret = incoming_attach(&r->in, r->image, &vm->memory, err);
	if (!ret)
		ret = frame_send(&r->links[0].link, FRAME_BUILT, 0, NULL, 0,
				 err);
	if (!ret)
		ret = start_threads(r, err);
	if (!ret) {
		r->ended = false;
		return 0;
	}
	end_waits(r);
	join_all(r);
	receive_refuse(r, err);
	return ret;
}

/**
 * receive_stop() - wait until nothing of it is under way
 * @r: the machine; a hand-over that has not happened will not; NULL for none
 *
 * Context: main loop's thread; runs the loop while it waits.
 */
void receive_stop(struct receive *r)
{
	if (!r || r->ended)
		return;
	end_waits(r);
	while (!r->ended)
		iothread_run_once(&r->vm->loop, true);
}

/**
 * receive_destroy() - close the connections and free all but the machine
 * @r: the machine that arrived or did not; NULL for none
 *
 * Context: main loop's thread; runs the loop while it waits.
 */
void receive_destroy(struct receive *r)
{
	u32 i;

	if (!r)
		return;
	receive_stop(r);
	for (i = 0; i < r->links_nr; i++)
		frame_link_close(&r->links[i].link);
	description_free(r->description);
	image_free(r->image);
	incoming_destroy(&r->in);
	pthread_cond_destroy(&r->round_end);
	pthread_mutex_destroy(&r->lock);
	channel_control_destroy(&r->control);
	free(r);
}
