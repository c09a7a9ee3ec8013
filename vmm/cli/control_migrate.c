// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the commands migrate and migrate-cancel
 *
 * The connections to the destination come as descriptors with the request:
 * the client makes them, with the user's own network, keys and terminal. While
 * the machine moves the client is told how far it is.
 *
 * When it is over the machine is at the destination and this process ends, or
 * the guest runs on here as if nothing had happened.
 *
 * Threads: the main loop.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migration/migrate.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/cli/control_priv.h"
#include "vmm/vm.h"

#define EVENT_NS		200000000ULL
#define DOWNTIME_DEFAULT_MS	300
#define DOWNTIME_MAX_MS		(60 * 1000)

/**
 * struct migrate_arguments - what is wanted
 * @peer: the destination, for texts
 * @downtime_ms: how long the guest may stand still
 * @timeout_s: give up after so long, 0 for never
 * @bandwidth: bytes a second, 0 for no limit
 * @check_only: only ask the destination what would stop it
 */
struct migrate_arguments {
	char *peer;
	u32 downtime_ms;
	u32 timeout_s;
	u64 bandwidth;
	bool check_only;
};

static const char *const step_words[] = {
	[MIGRATE_CONNECT]	= "connect",
	[MIGRATE_BUILD]		= "build",
	[MIGRATE_ROUNDS]	= "memory",
	[MIGRATE_STOPPED]	= "stopped",
	[MIGRATE_LOADED]	= "loaded",
	[MIGRATE_TAKE]		= "hand-over",
	[MIGRATE_GO]		= "hand-over",
	[MIGRATE_DONE]		= "done",
};

#define FIELD(_field)	.offset = offsetof(struct migrate_arguments, _field)

static const struct option_desc migrate_opts[] = {
	{
		.name = "peer", .type = OPTION_STRING, FIELD(peer), .min = 1,
		.required = true,
	}, {
		.name = "downtime-ms", .type = OPTION_U32, FIELD(downtime_ms),
		.min = 1, .max = DOWNTIME_MAX_MS, .def = DOWNTIME_DEFAULT_MS,
	}, {
		.name = "timeout-s", .type = OPTION_U32, FIELD(timeout_s),
		.max = UINT32_MAX / 1000,
	}, {
		.name = "bandwidth", .type = OPTION_SIZE, FIELD(bandwidth),
	}, {
		.name = "check-only", .type = OPTION_BOOL, FIELD(check_only),
	},
};

static const struct option_table migrate_table = {
	.name = "migrate", .config_size = sizeof(struct migrate_arguments),
	.opts = migrate_opts, .nr = ARRAY_SIZE(migrate_opts),
};

/**
 * struct migrate_job - a migration that a client has asked for
 * @job: for the control socket
 * @vm: the machine
 * @migrate: the work
 * @timer: when to tell how far it is
 * @check_only: the machine stays here
 * @peer: the destination; owned
 * @what: for messages
 */
struct migrate_job {
	struct control_job job;
	struct vm *vm;
	struct migrate *migrate;
	struct io_timer timer;
	bool check_only;
	char *peer;
	char what[256];
};

/**
 * struct counter - a member of events and result
 * @name: the member
 * @offset: of the u64 in struct rounds_report
 * @result: also of the result
 */
struct counter {
	const char *name;
	size_t offset;
	bool result;
};

#define COUNTER(_name, _field, _result) \
	{ _name, offsetof(struct rounds_report, _field), _result }

static const struct counter counters[] = {
	COUNTER("done-bytes", done, false),
	COUNTER("total-bytes", total, false),
	COUNTER("left-ms", left_ms, false),
	COUNTER("sent-bytes", sent, true),
	COUNTER("zero-copy-bytes", lent, true),
	COUNTER("bytes-per-second", rate, true),
	COUNTER("dirty-bytes", dirty_bytes, true),
	COUNTER("dirty-bytes-per-second", dirty_rate, true),
	COUNTER("expected-downtime-ms", downtime_ms, true),
	COUNTER("zero-pages", pages_zero, true),
	COUNTER("sent-pages", pages_sent, true),
	COUNTER("resent-pages", pages_again, true),
};

static void add_counters(const struct migrate *m, struct json_object *to,
			 bool result)
{
	struct rounds_report report;
	u32 i;

	rounds_report(&m->rounds, &report);
	control_add_int(to, "rounds", report.rounds);
	control_add_int(to, "throttle-percent", report.throttle);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		if (!result || counters[i].result)
			control_add_int(to, counters[i].name,
					*(u64 *)((u8 *)&report +
						 counters[i].offset));
}

static void tell_progress(struct io_timer *timer)
{
	struct migrate_job *mj = container_of(timer, struct migrate_job,
					      timer);
	struct json_object *body = json_object_new_object();

	control_add_text(body, "phase",
			 step_words[atomic_load(&mj->migrate->step)]);
	add_counters(mj->migrate, body, false);
	control_job_event(&mj->job, body);
	io_timer_set(timer, EVENT_NS);
}

static struct json_object *make_result(const struct migrate_job *mj)
{
	const struct migrate *m = mj->migrate;
	struct json_object *result = json_object_new_object();

	control_add_text(result, "peer", mj->peer);
	control_add_int(result, "memory-bytes",
			guest_memory_size(&mj->vm->memory));
	add_counters(m, result, true);
	control_add_int(result, "downtime-us", m->stats.downtime_ns / 1000);
	control_add_int(result, "elapsed-ms", m->stats.total_ns / 1000000);
	return result;
}

static struct json_object *make_findings(const struct migrate_job *mj)
{
	const struct findings *f = &mj->migrate->findings;
	struct json_object *result = json_object_new_object();
	struct json_object *list = json_object_new_array();
	u32 i;

	for (i = 0; i < f->nr; i++) {
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "stops",
				       json_object_new_boolean(f->v[i].stops));
		control_add_text(one, "what", f->v[i].what);
		control_add_text(one, "text", f->v[i].text);
		json_object_array_add(list, one);
	}
	control_add_text(result, "peer", mj->peer);
	json_object_object_add(result, "findings", list);
	control_add_int(result, "stops", f->stops);
	control_add_int(result, "downtime-us",
			mj->migrate->stats.downtime_ns / 1000);
	return result;
}

/* It stays here in any case. */
static void tell_check(const struct migrate_job *mj)
{
	const struct findings *f = &mj->migrate->findings;
	u32 i;

	for (i = 0; i < f->nr; i++)
		log_info("%s: %s says: %s", mj->vm->name, mj->peer,
			 f->v[i].text);
	log_info("%s: reasons not to move to %s: %u", mj->vm->name, mj->peer,
		 f->stops);
}

static void tell_moved(const struct migrate_job *mj)
{
	log_info("%s runs at %s now", mj->vm->name, mj->peer);
	vm_request_end(mj->vm, VM_END_MOVED, 0);
}

static void migrate_done(void *arg, const struct error *err)
{
	struct json_object *result = NULL;
	struct migrate_job *mj = arg;
	struct error why = ERROR_INIT;

	io_timer_destroy(&mj->timer);
	if (err)
		why = *err;
	else
		result = mj->check_only ? make_findings(mj) : make_result(mj);
	if (err && err->code == -ECANCELED && mj->job.cancelled)
		error_set(&why, -ECANCELED, "the migration was given up: %s",
			  mj->job.cancelled);
	if (err)
		log_warning("%s: stays here: %s", mj->vm->name, why.text);
	else if (mj->check_only)
		tell_check(mj);
	else
		tell_moved(mj);
	migrate_destroy(mj->migrate);
	control_job_end(&mj->job, result, &why);
	free(mj->peer);
	free(mj);
}

static void give_up(struct control_job *job)
{
	struct migrate_job *mj = container_of(job, struct migrate_job, job);
	struct error err = ERROR_INIT;

	if (migrate_cancel(mj->migrate, &err)) {
		log_info("%s: %s", mj->vm->name, err.text);
		job->cancelled = NULL;
	}
}

/* The descriptors are ours from here on, whatever comes. */
static int open_links(const struct migrate_job *mj, struct control_fds *fds,
		      struct channel **links, u32 *nr, struct error *err)
{
	int ret = 0;
	u32 i;

	*nr = 0;
	for (i = 0; i < fds->nr; i++) {
		if (!ret)
			ret = channel_stream_open(fds->fd[i], fds->fd[i],
						  mj->peer, &links[*nr], err);
		if (!ret)
			channel_stream_lend(links[(*nr)++], false);
		else
			close(fds->fd[i]);
	}
	fds->nr = 0;
	while (ret && *nr)
		channel_close(links[--*nr]);
	return ret;
}

static int start_migrate(struct migrate_job *mj, struct control_call *call,
			 struct error *err)
{
	const struct migrate_arguments *args = call->arguments;
	struct channel *links[CONTROL_FDS_MAX];
	struct migrate_request req = {
		.links = links,
		.downtime_ms = args->downtime_ms,
		.timeout_ms = args->timeout_s * 1000ULL,
		.rate = args->bandwidth,
		.check_only = args->check_only,
		.on_done = migrate_done,
		.arg = mj,
	};
	int ret;

	snprintf(mj->what, sizeof(mj->what), "a migration to %s", args->peer);
	mj->check_only = args->check_only;
	mj->peer = strdup(args->peer);
	if (!mj->peer)
		return error_set(err, -ENOMEM, "no memory");
	req.peer = mj->peer;
	ret = open_links(mj, call->fds, links, &req.links_nr, err);
	return ret ? ret : migrate_start(mj->vm, &req, &mj->migrate, err);
}

static int migrate(struct control_call *call, struct error *err)
{
	struct migrate_job *mj;
	int ret;

	if (!call->fds->nr || call->fds->nr > HELLO_LINKS_MAX)
		return error_set(err, -EINVAL,
				 "send 1 to %u connected sockets with the request",
				 HELLO_LINKS_MAX);
	ret = control_job_check(call, err);
	if (ret)
		return ret;
	mj = calloc(1, sizeof(*mj));
	if (!mj)
		return error_set(err, -ENOMEM, "no memory");
	mj->vm = call->vm;
	io_timer_init(&mj->timer, &call->vm->loop, tell_progress);
	ret = start_migrate(mj, call, err);
	if (ret) {
		free(mj->peer);
		free(mj);
		return ret == -EINVAL ? -EIO : ret;
	}
	control_job_begin(call, &mj->job, mj->what, give_up);
	io_timer_set(&mj->timer, EVENT_NS);
	return 0;
}

static int cancel_migrate(struct control_call *call, struct error *err)
{
	struct migrate_job *mj;
	struct control_job *job;

	list_for_each_entry(job, &call->control->jobs, link) {
		if (job->cancel != give_up)
			continue;
		mj = container_of(job, struct migrate_job, job);
		if (migrate_too_late(mj->migrate))
			return error_set(err, -EBUSY,
					 "%s is being handed over to %s",
					 mj->vm->name, mj->peer);
		control_job_cancel(job, "by 'lkvm migrate --cancel'");
		return 0;
	}
	return error_set(err, -EBUSY, "no migration of %s is under way",
			 call->vm->name);
}

const struct control_command control_migrate = {
	.name = "migrate",
	.arguments = &migrate_table,
	.fn = migrate,
};

const struct control_command control_migrate_cancel = {
	.name = "migrate-cancel",
	.fn = cancel_migrate,
};
