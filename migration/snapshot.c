// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: taking a snapshot of a machine
 *
 * A thread writes guest memory round after round while the guest runs, until
 * what is left is little, or does not get less. Then the main loop stops the
 * guest, puts the last pages and gathers the state, and lets the guest go on;
 * the thread commits the image, syncs it and gives the file its name.
 *
 * Whatever fails, and whenever it is cancelled: the guest runs on if it ran,
 * and no file is left.
 *
 * Threads: start, stop and end are the main loop's; the thread owns image and
 * memory_save but for the time of the last call, when it waits.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/machine_state.h"
#include "migration/snapshot.h"
#include "vmm/arch.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define DEFAULT_THREADS	4
#define ROUNDS_MAX	30
#define PAUSE_GOAL_NS	20000000ULL	/* for the last pages */
#define PAGES_LEAST	256		/* not worth another round */

/* Rounds over memory while the guest runs; ends with a taken dirty log. */
static int live_rounds(struct snapshot *s, struct error *err)
{
	u64 pages = 0, before, start, done, limit;
	int ret;

	/* At first the log may have all pages: those are put anyway. */
	ret = memory_save_take(&s->ms, &s->log, &pages, err);
	if (ret)
		return ret;
	for (;;) {
		start = now_ns();
		done = atomic_load(&s->ms.progress.done);
		ret = memory_save_round(&s->ms, err);
		if (ret)
			return ret;
		s->stats.rounds++;
		done = atomic_load(&s->ms.progress.done) - done;
		limit = done / MEMORY_PAGE_SIZE * PAUSE_GOAL_NS /
			max_of(now_ns() - start, (u64)1);
		before = pages;
		ret = memory_save_take(&s->ms, &s->log, &pages, err);
		if (ret)
			return ret;
		if (pages <= max_of(limit, (u64)PAGES_LEAST) ||
		    s->stats.rounds == ROUNDS_MAX ||
		    (s->stats.rounds > 3 && pages >= before))
			return 0;
	}
}

static int add_state(struct snapshot *s, struct error *err)
{
	void *blob;
	u32 len;
	int ret;

	ret = machine_state_save(s->vm, &blob, &len, err);
	if (ret)
		return ret;
	ret = image_add_note(s->image, IMAGE_OWNER, IMAGE_NOTE_STATE, blob,
			     len, err);
	free(blob);
	return ret;
}

/* The guest is stopped: what is left of its memory, and its state. */
static int last_part(struct snapshot *s, struct error *err)
{
	u64 pages;
	int ret = 0;

	if (s->log.active)
		ret = memory_save_take(&s->ms, &s->log, &pages, err);
	if (!ret)
		ret = memory_save_round(&s->ms, err);
	if (!ret)
		ret = core_notes_add(&s->core, s->vm, s->image, err);
	if (!ret)
		ret = add_state(s, err);
	if (!ret)
		ret = disk_save_moment(&s->disks, s->image, err);
	s->stats.rounds++;
	return ret;
}

static int stop_guest(struct snapshot *s, struct error *err)
{
	int ret = 0;

	s->was_running = vm_phase_get(s->vm) == VM_RUNNING;
	s->pause_start_ns = now_ns();
	if (atomic_load(&s->vm->end) == VM_END_NONE)
		ret = vm_pause(s->vm, err);
	if (ret)
		return ret;
	/*
	 * It may have ended while it was being stopped, and may begin anew; it
	 * must not find itself held then.
	 */
	if (atomic_load(&s->vm->end) != VM_END_NONE)
		return error_set(err, -ECANCELED, "the guest has just ended");
	s->stopped = true;
	s->vm->paused_for = "a snapshot";
	return 0;
}

static void let_go_on(struct snapshot *s)
{
	struct error err = ERROR_INIT;

	dirty_log_stop(&s->log);
	if (!s->stopped)
		return;
	s->stopped = false;
	s->vm->paused_for = NULL;
	if (!s->was_running || atomic_load(&s->vm->end) != VM_END_NONE)
		return;
	if (vm_resume(s->vm, &err))
		vm_request_error(s->vm, &err);
	s->stats.pause_ns = now_ns() - s->pause_start_ns;
}

static void last_call_run(struct loop_call *call)
{
	struct snapshot *s = container_of(call, struct snapshot, last_call);
	int ret = 0;

	atomic_store(&s->step, SNAPSHOT_STEP_STOPPED);
	if (s->mode != SNAPSHOT_PAUSED)
		ret = stop_guest(s, &s->err);
	if (!ret)
		ret = last_part(s, &s->err);
	/* To be ended it stays stopped, until the file is safe or has failed. */
	if (ret || s->mode != SNAPSHOT_STOP)
		let_go_on(s);
	else
		dirty_log_stop(&s->log);
	s->last_ret = ret;
	sem_post(&s->last_done);
}

static int save(struct snapshot *s, struct error *err)
{
	int ret = 0;

	if (s->mode != SNAPSHOT_PAUSED)
		ret = live_rounds(s, err);
	else
		ret = memory_save_round(&s->ms, err);
	if (!ret)
		ret = disk_save_flush(&s->disks, err);
	if (ret)
		return ret;
	core_notes_scan(&s->core, s->vm);
	iothread_post(&s->vm->loop, &s->last_call);
	while (sem_wait(&s->last_done) < 0)
		;
	if (s->last_ret)
		return s->last_ret;
	atomic_store(&s->step, SNAPSHOT_STEP_COMMIT);
	ret = image_commit(s->image, err);
	if (!ret)
		ret = disk_save_commit(&s->disks, err);
	return ret ? ret : snapshot_file_commit(&s->file, err);
}

static void *snapshot_thread(void *arg)
{
	struct snapshot *s = arg;

	pthread_setname_np(pthread_self(), "snapshot");
	if (save(s, &s->err)) {
		snapshot_file_abort(&s->file);
		disk_save_abort(&s->disks);
	} else {
		disk_save_finish(&s->disks);
	}
	s->stats.bytes = atomic_load(&s->ms.progress.done);
	s->stats.total_ns = now_ns() - s->start_ns;
	iothread_post(&s->vm->loop, &s->done_call);
	return NULL;
}

static void done_call_run(struct loop_call *call)
{
	struct snapshot *s = container_of(call, struct snapshot, done_call);

	pthread_join(s->thread, NULL);
	/* A failure leaves the guest as it was. */
	if (s->err.code)
		let_go_on(s);
	s->ended = true;
	if (s->on_done)
		s->on_done(s->arg, s->err.code ? &s->err : NULL);
}

static void snapshot_free(struct snapshot *s)
{
	/* After a snapshot that was to stop it, the guest is its caller's. */
	if (s->stopped)
		s->vm->paused_for = NULL;
	memory_save_destroy(&s->ms);
	image_free(s->image);
	snapshot_file_abort(&s->file);
	disk_save_abort(&s->disks);
	channel_control_destroy(&s->control);
	sem_destroy(&s->last_done);
	free(s);
}

static int begin_disks(struct snapshot *s, const struct snapshot_request *req,
		       struct error *err)
{
	const struct disk_save_request disks = {
		.path = req->path,
		.id = s->image->id,
		.copying = req->disks,
		.control = &s->control,
	};

	return disk_save_begin(&s->disks, s->vm, &disks, err);
}

static int prepare(struct snapshot *s, const struct snapshot_request *req,
		   struct error *err)
{
	int ret;

	ret = snapshot_file_create(&s->file, req->path, req->force, err);
	if (ret)
		return ret;
	s->file.ch->control = &s->control;
	ret = image_create(s->file.ch, arch_elf_machine, &s->image, err);
	if (!ret)
		ret = memory_save_init(&s->ms, s->image, &s->vm->memory,
				       req->threads ? req->threads :
				       DEFAULT_THREADS, err);
	if (!ret)
		ret = image_add_note(s->image, IMAGE_OWNER, IMAGE_NOTE_MACHINE,
				     s->vm->description,
				     s->vm->description_len, err);
	if (!ret)
		ret = begin_disks(s, req, err);
	if (ret)
		return ret;
	if (s->mode == SNAPSHOT_PAUSED)
		return stop_guest(s, err);
	return dirty_log_start(&s->log, &s->vm->memory, err);
}

/**
 * snapshot_start() - begin to take a snapshot
 * @vm: a machine that runs or is paused, and has a description
 * @req: what is wanted
 * @out: the snapshot; snapshot_destroy() after @on_done
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0 when @on_done will be called; else a negative errno, the guest is
 * as it was and no file is left.
 */
int snapshot_start(struct vm *vm, const struct snapshot_request *req,
		   struct snapshot **out, struct error *err)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	ret = channel_control_init(&s->control, err);
	if (ret) {
		free(s);
		return ret;
	}
	s->vm = vm;
	s->mode = req->mode;
	s->on_done = req->on_done;
	s->arg = req->arg;
	s->start_ns = now_ns();
	s->file.dirfd = -1;
	s->disks.folder = -1;
	sem_init(&s->last_done, 0, 0);
	loop_call_init(&s->last_call, last_call_run);
	loop_call_init(&s->done_call, done_call_run);
	ret = prepare(s, req, err);
	if (ret)
		goto err_free;
	ret = -pthread_create(&s->thread, NULL, snapshot_thread, s);
	if (ret) {
		error_set(err, ret, "snapshot: thread: %s", strerror(-ret));
		goto err_free;
	}
	*out = s;
	return 0;

err_free:
	let_go_on(s);
	snapshot_free(s);
	return ret;
}

/**
 * snapshot_cancel() - give a snapshot up
 * @s: the snapshot; &snapshot_request.on_done still comes
 *
 * Context: any thread.
 */
void snapshot_cancel(struct snapshot *s)
{
	channel_control_cancel(&s->control);
}

/**
 * snapshot_progress() - how far a snapshot is
 * @s: the snapshot
 * @p: out
 *
 * Context: main loop.
 */
void snapshot_progress(const struct snapshot *s, struct snapshot_progress *p)
{
	u64 now = now_ns();

	*p = (struct snapshot_progress) {
		.step = (enum snapshot_step)atomic_load(&s->step),
		.round = atomic_load(&s->stats.rounds) + 1,
		.total = atomic_load(&s->ms.progress.total) + s->disks.total,
		.pause_ns = s->stopped ? now - s->pause_start_ns :
					 s->stats.pause_ns,
		.elapsed_ns = now - s->start_ns,
	};
	p->done = min_of(atomic_load(&s->ms.progress.done) +
			 atomic_load(&s->disks.done), p->total);
}

/**
 * snapshot_destroy() - free a snapshot; one that has not ended is cancelled
 * @s: the snapshot, NULL for none
 *
 * Context: main loop's thread; runs the loop while it waits.
 */
void snapshot_destroy(struct snapshot *s)
{
	if (!s)
		return;
	if (!s->ended)
		snapshot_cancel(s);
	while (!s->ended)
		iothread_run_once(&s->vm->loop, true);
	snapshot_free(s);
}
