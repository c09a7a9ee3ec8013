// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the commands snapshot and snapshot-cancel
 *
 * The machine's own process opens the file, with its own rights and in its own
 * view of the file system, so the name is absolute. While the snapshot is
 * taken the client is told how far it is, EVENT_NS apart; what it was told
 * last is never older than that, however slowly it reads.
 *
 * Threads: the main loop.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/snapshot.h"
#include "vmm/base/log.h"
#include "vmm/cli/control_priv.h"
#include "vmm/vm.h"

#define EVENT_NS	200000000ULL

/**
 * struct snapshot_arguments - what is wanted
 * @path: the file
 * @mode: an enum snapshot_mode
 * @force: replace a file that is no snapshot
 * @disks: an enum disk_copying
 * @threads: how many write, 0 for a good number
 */
struct snapshot_arguments {
	char *path;
	u32 mode;
	bool force;
	u32 disks;
	u32 threads;
};

static const char *const mode_words[] = {
	[SNAPSHOT_LIVE]		= "live",
	[SNAPSHOT_PAUSED]	= "pause",
	[SNAPSHOT_STOP]		= "stop",
	[SNAPSHOT_STOP + 1]	= NULL,
};

static const char *const disk_words[] = {
	[DISK_COPY_NONE]	= "none",
	[DISK_COPY_AUTO]	= "auto",
	[DISK_COPY_REFLINK]	= "reflink",
	[DISK_COPY_FULL]	= "copy",
	[DISK_COPY_FULL + 1]	= NULL,
};

static const char *const step_words[SNAPSHOT_STEPS] = {
	[SNAPSHOT_STEP_MEMORY]	= "memory",
	[SNAPSHOT_STEP_STOPPED]	= "stopped",
	[SNAPSHOT_STEP_COMMIT]	= "commit",
};

#define FIELD(_field)	.offset = offsetof(struct snapshot_arguments, _field)

static const struct option_desc snapshot_opts[] = {
	{
		.name = "path", .arg = "FILE", .type = OPTION_STRING,
		FIELD(path), .min = 1, .required = true,
	}, {
		.name = "mode", .type = OPTION_ENUM, FIELD(mode),
		.words = mode_words,
	}, {
		.name = "force", .type = OPTION_BOOL, FIELD(force),
	}, {
		.name = "disks", .type = OPTION_ENUM, FIELD(disks),
		.words = disk_words,
	}, {
		.name = "threads", .type = OPTION_U32, FIELD(threads),
		.max = MEMORY_SAVE_THREADS_MAX,
	},
};

static const struct option_table snapshot_table = {
	.name = "snapshot", .config_size = sizeof(struct snapshot_arguments),
	.opts = snapshot_opts, .nr = ARRAY_SIZE(snapshot_opts),
};

/**
 * struct snapshot_job - a snapshot that a client has asked for
 * @job: for the control socket
 * @vm: the machine
 * @snapshot: the work
 * @timer: when to tell how far it is
 * @path: where it goes; owned
 * @what: for messages
 * @mode: see enum snapshot_mode
 */
struct snapshot_job {
	struct control_job job;
	struct vm *vm;
	struct snapshot *snapshot;
	struct io_timer timer;
	char *path;
	char what[256];
	enum snapshot_mode mode;
};

static void tell_progress(struct io_timer *timer)
{
	struct snapshot_job *sj = container_of(timer, struct snapshot_job,
					       timer);
	struct json_object *body = json_object_new_object();
	struct snapshot_progress p;

	snapshot_progress(sj->snapshot, &p);
	control_add_text(body, "phase", step_words[p.step]);
	control_add_int(body, "round", p.round);
	control_add_int(body, "done-bytes", p.done);
	control_add_int(body, "total-bytes", p.total);
	control_add_int(body, "bytes-per-second",
			p.elapsed_ns < 1000000 ? 0 :
			p.done * 1000 / (p.elapsed_ns / 1000000));
	control_add_int(body, "pause-us", p.pause_ns / 1000);
	control_add_int(body, "elapsed-ms", p.elapsed_ns / 1000000);
	control_job_event(&sj->job, body);
	io_timer_set(timer, EVENT_NS);
}

static struct json_object *make_result(const struct snapshot_job *sj)
{
	const struct snapshot_stats *stats = &sj->snapshot->stats;
	struct json_object *result = json_object_new_object();

	control_add_text(result, "path", sj->path);
	control_add_int(result, "memory-bytes",
			guest_memory_size(&sj->vm->memory));
	control_add_int(result, "done-bytes", stats->bytes);
	control_add_int(result, "rounds", atomic_load(&stats->rounds));
	control_add_int(result, "pause-us", stats->pause_ns / 1000);
	control_add_int(result, "elapsed-ms", stats->total_ns / 1000000);
	return result;
}

static void snapshot_done(void *arg, const struct error *err)
{
	struct json_object *result = NULL;
	struct error why = ERROR_INIT;
	struct snapshot_job *sj = arg;

	io_timer_destroy(&sj->timer);
	if (err)
		why = *err;
	else
		result = make_result(sj);
	if (err && err->code == -ECANCELED && sj->job.cancelled)
		error_set(&why, -ECANCELED, "the snapshot was given up: %s",
			  sj->job.cancelled);
	snapshot_destroy(sj->snapshot);
	control_job_end(&sj->job, result, &why);
	if (!err && sj->mode == SNAPSHOT_STOP) {
		log_info("%s was saved to %s", sj->vm->name, sj->path);
		vm_request_end(sj->vm, VM_END_SAVED, 0);
	}
	free(sj->path);
	free(sj);
}

static void give_up(struct control_job *job)
{
	struct snapshot_job *sj = container_of(job, struct snapshot_job, job);

	snapshot_cancel(sj->snapshot);
}

static int start_snapshot(struct snapshot_job *sj,
			  const struct snapshot_arguments *args,
			  struct error *err)
{
	struct snapshot_request req = {
		.path = args->path,
		.mode = (enum snapshot_mode)args->mode,
		.force = args->force,
		.disks = (enum disk_copying)args->disks,
		.threads = args->threads,
		.on_done = snapshot_done,
		.arg = sj,
	};

	sj->mode = req.mode;
	snprintf(sj->what, sizeof(sj->what), "a snapshot to %s", args->path);
	sj->path = strdup(args->path);
	if (!sj->path)
		return error_set(err, -ENOMEM, "no memory");
	return snapshot_start(sj->vm, &req, &sj->snapshot, err);
}

static int take_snapshot(struct control_call *call, struct error *err)
{
	const struct snapshot_arguments *args = call->arguments;
	struct snapshot_job *sj;
	int ret;

	if (args->path[0] != '/')
		return error_set(err, -EINVAL,
				 "path=%s: give the name from / on", args->path);
	ret = control_job_check(call, err);
	if (ret)
		return ret;
	sj = calloc(1, sizeof(*sj));
	if (!sj)
		return error_set(err, -ENOMEM, "no memory");
	sj->vm = call->vm;
	io_timer_init(&sj->timer, &call->vm->loop, tell_progress);
	ret = start_snapshot(sj, args, err);
	if (ret) {
		free(sj->path);
		free(sj);
		/* What is wrong with a file is not the request's fault. */
		return ret == -EINVAL ? -EIO : ret;
	}
	control_job_begin(call, &sj->job, sj->what, give_up);
	io_timer_set(&sj->timer, EVENT_NS);
	return 0;
}

static int cancel_snapshot(struct control_call *call, struct error *err)
{
	struct control_job *job;

	list_for_each_entry(job, &call->control->jobs, link) {
		if (job->cancel != give_up)
			continue;
		control_job_cancel(job, "by 'snapshot-cancel'");
		return 0;
	}
	return error_set(err, -EBUSY, "no snapshot of %s is being taken",
			 call->vm->name);
}

const struct control_command control_snapshot = {
	.name = "snapshot",
	.arguments = &snapshot_table,
	.fn = take_snapshot,
};

const struct control_command control_snapshot_cancel = {
	.name = "snapshot-cancel",
	.fn = cancel_snapshot,
};
