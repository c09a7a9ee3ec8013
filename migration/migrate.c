// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: moving a machine away
 *
 * A thread leads the destination through the steps: hello, head and
 * description, memory round after round while the guest runs, then with the
 * guest stopped the rest and the state. Once the destination has loaded and
 * checked everything, the locks of the disks are given up, it takes them, and
 * gets the word to run.
 *
 * Exactly one machine runs. Until the word is given a failure ends with the
 * guest running on here: its locks are taken again, which may have to wait
 * until the destination notices and gives them back. After the word the locks
 * decide: who has them runs. If they can be had here, the destination does not
 * run; if they cannot for longer than any destination that waits for the word
 * would keep them, it does.
 *
 * The destination can also be asked beforehand what would stop the machine from
 * coming: it gets description and state and answers with all of it.
 *
 * Threads: starting and ending are the main loop's; the thread does the rest,
 * and has the main loop do what touches devices.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "migration/channel_peer.h"
#include "migration/disks.h"
#include "migration/machine_state.h"
#include "migration/migrate.h"
#include "vmm/arch.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define RETRY_SOON_MS	5		/* for locks that the other side has, ... */
#define SOON_NS		2000000000ULL
#define RETRY_MS	50		/* ... and later */
/* A destination that says nothing for so long is given up, ... */
#define SILENCE_MS	120000
/* ... and so one that takes so long over an answer while the guest waits. */
#define ANSWER_MS	30000
#define LAST_WORDS_MS	2000
/* A destination without a word notices a dead link and ends before that. */
#define DECIDE_MS	90000

/* ---- on the main loop --------------------------------------------------- */

static int on_main_loop(struct migrate *m,
			int (*fn)(void *arg, struct error *err),
			struct error *err)
{
	return iothread_try(&m->vm->loop, fn, m, err);
}

static int stop_guest(void *arg, struct error *err)
{
	struct migrate *m = arg;
	int ret;

	if (atomic_load(&m->vm->end) != VM_END_NONE)
		return error_set(err, -ECANCELED, "the guest has just ended");
	m->was_running = vm_phase_get(m->vm) == VM_RUNNING;
	m->stop_ns = now_ns();
	ret = vm_pause(m->vm, err);
	if (ret)
		return ret;
	rounds_full_speed(&m->rounds);
	m->stopped = true;
	m->vm->paused_for = "a migration";
	return 0;
}

static int add_state(void *arg, struct error *err)
{
	struct migrate *m = arg;
	void *blob;
	u32 len;
	int ret;

	ret = machine_state_save(m->vm, &blob, &len, err);
	if (ret)
		return ret;
	ret = image_add_note(m->image, IMAGE_OWNER, IMAGE_NOTE_STATE, blob,
			     len, err);
	free(blob);
	return ret;
}

/* Which disks they are, so that the destination does not take others. */
static int add_disks(void *arg, struct error *err)
{
	struct migrate *m = arg;
	struct disk_list list;
	void *blob = NULL;
	u32 len;
	int ret;

	ret = disk_list_collect(&list, m->vm, err);
	if (!ret)
		ret = disk_list_identify(&list, err);
	if (!ret)
		ret = disk_list_encode(&list, &blob, &len, err);
	if (!ret)
		ret = image_add_note(m->image, IMAGE_OWNER, IMAGE_NOTE_DISKS,
				     blob, len, err);
	free(blob);
	disk_list_free(&list);
	return ret;
}

static int give_disks(void *arg, struct error *err)
{
	struct migrate *m = arg;

	m->given = true;
	return device_disks_give(m->vm, err);
}

static int take_disks(void *arg, struct error *err)
{
	struct migrate *m = arg;
	int ret = device_disks_take(m->vm, err);

	if (!ret)
		m->given = false;
	return ret;
}

/* As if nothing had happened. */
static int let_go_on(void *arg, struct error *err)
{
	struct migrate *m = arg;

	rounds_unwatch(&m->rounds);
	rounds_full_speed(&m->rounds);
	if (!m->stopped)
		return 0;
	m->stopped = false;
	m->vm->paused_for = NULL;
	if (!m->was_running || atomic_load(&m->vm->end) != VM_END_NONE)
		return 0;
	return vm_resume(m->vm, err);
}

/*
 * A CPU's registers can be had only while it does not run: the guest stands
 * still for as long as that takes.
 */
static int look_at_state(void *arg, struct error *err)
{
	struct migrate *m = arg;
	int ret;

	ret = stop_guest(m, err);
	if (ret)
		return ret;
	ret = add_state(m, err);
	m->stats.downtime_ns = now_ns() - m->stop_ns;
	m->stop_ns = 0;
	return ret ? ret : let_go_on(m, err);
}

/* ---- steps -------------------------------------------------------------- */

static void set_step(struct migrate *m, enum migrate_step step)
{
	atomic_store(&m->step, step);
}

static int order(struct migrate *m, enum frame_type type, u64 pos,
		 enum frame_type answer, struct error *err)
{
	struct frame f;
	int ret;

	ret = frame_send(&m->links[0], type, pos, NULL, 0, err);
	return ret ? ret : frame_expect(&m->links[0], answer, &f, err);
}

static int say_hello(struct migrate *m, struct error *err)
{
	struct hello h, answer;
	int ret = 0;
	u32 i;

	memset(&h, 0, sizeof(h));
	if (getrandom(h.job, sizeof(h.job), 0) != sizeof(h.job))
		return error_set(err, -EIO, "no random numbers: %m");
	for (i = 0; !ret && i < m->links_nr; i++) {
		h.links = cpu_to_le32(m->links_nr);
		h.index = cpu_to_le32(i);
		ret = hello_send(&m->links[i], FRAME_HELLO, &h, err);
		if (!ret)
			ret = hello_receive(&m->links[i], FRAME_WELCOME,
					    &answer, err);
		/* The destination may want fewer. */
		if (!ret && !i) {
			m->links_nr = min_of(m->links_nr,
					     le32_to_cpu(answer.links));
			m->can = le32_to_cpu(answer.can);
		}
	}
	return ret;
}

static int open_peer(struct migrate *m, struct error *err)
{
	struct rounds_target to = {
		.links = m->links, .links_nr = m->links_nr,
		.name = m->request.peer, .downtime_ms = m->request.downtime_ms,
	};
	struct channel *peer;
	int ret;

	ret = channel_peer_open(m->links, m->links_nr, m->request.peer, &peer,
				err);
	if (ret)
		return ret;
	peer->control = &m->control;
	channel_peer_rate(peer, m->request.rate);
	atomic_store(&m->peer, peer);
	ret = image_create(peer, arch_elf_machine, &m->image, err);
	if (ret)
		return ret;
	image_set_transit(m->image);
	to.image = m->image;
	to.peer = peer;
	ret = rounds_aim(&m->rounds, &to, err);
	if (!ret)
		ret = image_add_note(m->image, IMAGE_OWNER, IMAGE_NOTE_MACHINE,
				     m->vm->description,
				     m->vm->description_len, err);
	return ret ? ret : on_main_loop(m, add_disks, err);
}

/* Head and description go over one connection, so that they are in order. */
static int send_head(struct migrate *m, struct error *err)
{
	struct channel *first;
	int ret;

	ret = channel_peer_open(m->links, 1, m->request.peer, &first, err);
	if (ret)
		return ret;
	first->control = &m->control;
	m->image->ch = first;
	ret = image_commit(m->image, err);
	m->image->ch = m->peer;
	channel_close(first);
	return ret;
}

static int build(struct migrate *m, struct error *err)
{
	int ret = send_head(m, err);

	return ret ? ret : order(m, FRAME_BUILD, 0, FRAME_BUILT, err);
}

static int receive_findings(struct migrate *m, struct error *err)
{
	char *text = malloc(FRAME_FINDINGS_MAX);
	struct frame f;
	int ret;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	ret = frame_expect(&m->links[0], FRAME_CHECKED, &f, err);
	if (!ret)
		ret = frame_receive_payload(&m->links[0], &f, text, err);
	if (!ret)
		ret = findings_decode(&m->findings, text, (u32)f.len,
				      m->request.peer, err);
	free(text);
	return ret;
}

static int ask(struct migrate *m, struct error *err)
{
	int ret;

	if (!(m->can & HELLO_CAN_CHECK))
		return error_set(err, -ENOTSUP,
				 "%s: has an older lkvm, which cannot check beforehand: without --dry-run it will say what it cannot do, and the guest runs on here",
				 m->request.peer);
	ret = on_main_loop(m, look_at_state, err);
	if (!ret)
		ret = send_head(m, err);
	if (!ret)
		ret = frame_send(&m->links[0], FRAME_CHECK, 0, NULL, 0, err);
	return ret ? ret : receive_findings(m, err);
}

/* Who trickles his answer is not waited for either while the guest stands. */
static int order_soon(struct migrate *m, enum frame_type type, u64 pos,
		      enum frame_type answer, struct error *err)
{
	u64 ms = min_of(m->request.silence_ms, (u64)ANSWER_MS);
	s64 left = channel_control_left_ns(&m->control);

	if (left < 0 || (u64)left > ms * 1000000)
		channel_control_deadline(&m->control, ms);
	return order(m, type, pos, answer, err);
}

static int send_rest(struct migrate *m, struct error *err)
{
	int ret = rounds_rest(&m->rounds, err);

	if (!ret)
		ret = on_main_loop(m, add_state, err);
	/* The notes replace those of before: first all else must be there. */
	if (!ret)
		ret = rounds_mark(&m->rounds, err);
	if (!ret)
		ret = image_commit(m->image, err);
	return ret ? ret : rounds_mark(&m->rounds, err);
}

static int hand_over(struct migrate *m, struct error *err)
{
	int ret;

	set_step(m, MIGRATE_STOPPED);
	channel_control_silence(&m->control, min_of(m->request.silence_ms,
						    (u64)ANSWER_MS));
	ret = on_main_loop(m, stop_guest, err);
	if (!ret)
		ret = send_rest(m, err);
	if (!ret)
		ret = order_soon(m, FRAME_LOAD, 0, FRAME_LOADED, err);
	if (ret)
		return ret;
	set_step(m, MIGRATE_LOADED);
	ret = on_main_loop(m, give_disks, err);
	if (ret)
		return ret;
	set_step(m, MIGRATE_TAKE);
	ret = order_soon(m, FRAME_TAKE, 0, FRAME_READY, err);
	if (ret)
		return ret;
	/* Whatever the other machine writes is different from now on. */
	m->disks_mark = disks_mark(m->vm, true);
	set_step(m, MIGRATE_GO);
	ret = order_soon(m, FRAME_GO, m->was_running ? FRAME_GO_RUN :
		    FRAME_GO_PAUSED, FRAME_RUNNING, err);
	if (!ret)
		set_step(m, MIGRATE_DONE);
	return ret;
}

static int move(struct migrate *m, struct error *err)
{
	int ret = say_hello(m, err);

	if (!ret)
		ret = open_peer(m, err);
	if (ret)
		return ret;
	set_step(m, MIGRATE_BUILD);
	if (m->request.check_only)
		return ask(m, err);
	ret = build(m, err);
	if (ret)
		return ret;
	set_step(m, MIGRATE_ROUNDS);
	ret = rounds_live(&m->rounds, err);
	return ret ? ret : hand_over(m, err);
}

/* ---- failure ------------------------------------------------------------ */

/* The destination may have said why, before it closed the connection. */
static void find_reason(struct migrate *m, u64 wait_ms)
{
	struct error why = ERROR_INIT;
	struct frame f;

	/* The first failure says more than those that come of it. */
	if (m->peer && channel_peer_failure(m->peer, &why))
		m->err = why;
	why = (struct error)ERROR_INIT;
	if (m->err.code != -EPIPE && m->err.code != -ECONNRESET)
		return;
	channel_control_again(&m->control, wait_ms);
	while (frame_receive(&m->links[0], &f, &why) > 0)
		;
	if (why.code == -EREMOTEIO)
		m->err = why;
}

static void wait_ms(u64 ms)
{
	poll(NULL, 0, (int)ms);
}

static bool has_ended(const struct migrate *m)
{
	return atomic_load(&m->vm->end) != VM_END_NONE;
}

/*
 * The locks were given up. Closing the connections makes a destination without
 * the word give them back. Who ends this machine need not wait for them.
 * Return: true when they are ours again, false when it runs there.
 */
static bool get_disks_back(struct migrate *m)
{
	u64 start = now_ns(), until = start + m->request.decide_ms * 1000000;
	bool word = atomic_load(&m->step) == MIGRATE_GO, told = false;
	struct error err = ERROR_INIT;
	u32 i;

	for (i = 0; i < HELLO_LINKS_MAX; i++)
		frame_link_close(&m->links[i]);
	while (!has_ended(m) && on_main_loop(m, take_disks, &err)) {
		if (!told)
			log_warning("%s: waiting for the disks: %s", m->vm->name,
				    err.text);
		told = true;
		/* Without the word the other side cannot run. */
		if (word && now_ns() > until)
			return false;
		/* It takes no longer when the other side is well. */
		wait_ms(now_ns() - start < SOON_NS ? RETRY_SOON_MS : RETRY_MS);
	}
	return !word || disks_mark(m->vm, false) == m->disks_mark;
}

static int find_lock(struct disk_sink *sink, const struct device *dev,
		     const struct device_disk *disk, struct error *err)
{
	/* Readers share theirs. */
	return disk->fd >= 0 && !disk->readonly ? -EEXIST : 0;
}

/* Is there a disk that only one machine can have? */
static bool has_lock(const struct migrate *m)
{
	struct disk_sink sink = { .disk = find_lock };
	struct error err = ERROR_INIT;
	const struct device *dev;

	list_for_each_entry(dev, &m->vm->devices, link)
		if (dev->class->ops->disks &&
		    dev->class->ops->disks(dev, &sink, &err))
			return true;
	return false;
}

/* Nobody can know: the user has to say. */
static void stay_stopped(struct migrate *m)
{
	m->stopped = false;
	m->vm->paused_for = NULL;
	error_set(&m->err, -EREMOTEIO,
		  "the connection to %s broke after the word, and no disk tells whether it runs there: if it does, 'lkvm stop --force -n %s', if not, 'lkvm resume -n %s'",
		  m->request.peer, m->vm->name, m->vm->name);
}

static void recover(struct migrate *m)
{
	struct error err = ERROR_INIT;
	bool given = m->given;

	/* Whatever it has to say, the guest does not wait for that. */
	if (given)
		find_reason(m, 1);
	if (atomic_load(&m->step) == MIGRATE_GO && !has_lock(m)) {
		stay_stopped(m);
		return;
	}
	if (given && !get_disks_back(m)) {
		log_warning("%s: the connection to %s broke after the word; %s",
			    m->vm->name, m->request.peer, m->given ?
			    "it has the disks, so it runs there" :
			    "the disks were written since, so it has run there");
		set_step(m, MIGRATE_DONE);
		m->err = (struct error)ERROR_INIT;
		return;
	}
	if (on_main_loop(m, let_go_on, &err))
		vm_request_error(m->vm, &err);
	if (!given)
		find_reason(m, LAST_WORDS_MS);
}

static void *migrate_thread(void *arg)
{
	struct migrate *m = arg;

	pthread_setname_np(pthread_self(), "migrate");
	if (move(m, &m->err))
		recover(m);
	if (m->stop_ns)
		m->stats.downtime_ns = now_ns() - m->stop_ns;
	m->stats.total_ns = now_ns() - m->start_ns;
	iothread_post(&m->vm->loop, &m->done_call);
	return NULL;
}

static void done_call_run(struct loop_call *call)
{
	struct migrate *m = container_of(call, struct migrate, done_call);

	pthread_join(m->thread, NULL);
	m->ended = true;
	if (m->request.on_done)
		m->request.on_done(m->request.arg,
				   m->err.code ? &m->err : NULL);
}

static void migrate_free(struct migrate *m)
{
	u32 i;

	/* A machine that is elsewhere stays stopped here. */
	if (m->stopped)
		m->vm->paused_for = NULL;
	rounds_destroy(&m->rounds);
	image_free(m->image);
	channel_close(m->peer);
	for (i = 0; i < HELLO_LINKS_MAX; i++)
		frame_link_close(&m->links[i]);
	channel_control_destroy(&m->control);
	free(m);
}

static struct migrate *migrate_alloc(struct vm *vm,
				     const struct migrate_request *req,
				     struct error *err)
{
	struct migrate *m = calloc(1, sizeof(*m));
	u32 i;

	if (m && channel_control_init(&m->control, err)) {
		free(m);
		m = NULL;
	} else if (!m) {
		error_set(err, -ENOMEM, "out of memory");
	}
	for (i = 0; !m && i < req->links_nr; i++)
		channel_close(req->links[i]);
	if (!m)
		return NULL;
	m->vm = vm;
	m->request = *req;
	if (!m->request.decide_ms)
		m->request.decide_ms = DECIDE_MS;
	if (!m->request.silence_ms)
		m->request.silence_ms = SILENCE_MS;
	m->start_ns = now_ns();
	m->links_nr = req->links_nr;
	for (i = 0; i < req->links_nr; i++) {
		frame_link_init(&m->links[i], req->links[i]);
		req->links[i]->control = &m->control;
	}
	channel_control_deadline(&m->control, req->timeout_ms);
	channel_control_silence(&m->control, m->request.silence_ms);
	loop_call_init(&m->done_call, done_call_run);
	rounds_init(&m->rounds, vm);
	return m;
}

/**
 * migrate_start() - begin to move a machine away
 * @vm: a machine that runs or is paused, and has a description
 * @req: what is wanted
 * @out: the migration; migrate_destroy() after @on_done
 * @err: filled on failure
 *
 * After a successful one the machine here stays stopped and must not run again;
 * with &migrate_request.check_only it goes on as it was.
 *
 * Context: main loop.
 * Return: 0 when @on_done will be called; else a negative errno, and the guest
 * is as it was.
 */
int migrate_start(struct vm *vm, const struct migrate_request *req,
		  struct migrate **out, struct error *err)
{
	struct migrate *m = migrate_alloc(vm, req, err);
	int ret;

	if (!m)
		return -ENOMEM;
	ret = req->check_only ? 0 : rounds_watch(&m->rounds, err);
	if (!ret)
		ret = -pthread_create(&m->thread, NULL, migrate_thread, m);
	if (ret) {
		if (!err->code)
			error_set(err, ret, "migration: thread: %s",
				  strerror(-ret));
		migrate_free(m);
		return ret;
	}
	*out = m;
	return 0;
}

/**
 * migrate_too_late() - can a migration not be cancelled any more?
 * @m: the migration
 *
 * Context: any thread.
 * Return: true once the machine is being handed over.
 */
bool migrate_too_late(const struct migrate *m)
{
	return atomic_load(&m->step) >= MIGRATE_TAKE;
}

/**
 * migrate_cancel() - give a migration up
 * @m: the migration; &migrate_request.on_done still comes
 * @err: filled when it is too late
 *
 * Context: any thread.
 * Return: 0; -EBUSY once the machine is being handed over.
 */
int migrate_cancel(struct migrate *m, struct error *err)
{
	if (migrate_too_late(m))
		return error_set(err, -EBUSY,
				 "the machine is being handed over to %s",
				 m->request.peer);
	channel_control_cancel(&m->control);
	return 0;
}

/**
 * migrate_destroy() - free a migration; one that has not ended is cancelled
 * @m: the migration, NULL for none
 *
 * Context: main loop's thread; runs the loop while it waits.
 */
void migrate_destroy(struct migrate *m)
{
	struct error err = ERROR_INIT;

	if (!m)
		return;
	if (!m->ended && migrate_cancel(m, &err))
		log_info("%s: %s", m->vm->name, err.text);
	while (!m->ended)
		iothread_run_once(&m->vm->loop, true);
	migrate_free(m);
}
