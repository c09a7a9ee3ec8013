// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm migrate
 *
 * Makes the connections to the destination and gives them to the machine, which
 * does the rest (control_migrate.c); shows how far it is; Ctrl-C has it given
 * up, after which the guest runs on. A dry run only has the destination say what
 * would stop it.
 *
 * Threads: the first one.
 */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migration/hello.h"
#include "vmm/base/math.h"
#include "vmm/cli/address.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/migrate_show.h"
#include "vmm/cli/output.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/snapshot.h"
#include "vmm/cli/target.h"

/**
 * struct migrate_options - options of `lkvm migrate`
 * @target: the machine
 * @to: the destination
 * @downtime: milliseconds
 * @bandwidth: bytes a second, 0 for no limit
 * @channels: connections
 * @timeout: seconds, 0 for never
 * @cancel: give up the migration that is under way
 * @dry_run: only have the destination say what would stop it
 * @json: events and result as JSON
 */
struct migrate_options {
	struct target target;
	char *to;
	u32 downtime;
	u64 bandwidth;
	u32 channels;
	u32 timeout;
	bool cancel;
	bool dry_run;
	bool json;
};

#define FIELD(_field)	.offset = offsetof(struct migrate_options, _field)

static const struct option_desc migrate_opts[] = {
	TARGET_NAME,
	{
		.name = "to", .arg = "ADDRESS", .type = OPTION_STRING,
		.scope = OPTION_HOST, FIELD(to), .min = 1,
		.help = "HOST:PORT, unix:PATH, exec:COMMAND or file:PATH",
	}, {
		.name = "downtime", .arg = "MS", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(downtime), .min = 1,
		.max = 60000, .def = 300,
		.help = "how long the guest may stand still (300 ms)",
	}, {
		.name = "bandwidth", .arg = "BYTES", .type = OPTION_SIZE,
		.scope = OPTION_HOST, FIELD(bandwidth),
		.help = "send no more than this in a second while the guest runs",
	}, {
		.name = "channels", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(channels), .min = 1,
		.max = HELLO_LINKS_MAX, .def = 2,
		.help = "so many connections (2; 1 for exec)",
	}, {
		.name = "timeout", .arg = "S", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(timeout), .max = 1000000,
		.help = "give up after so many seconds",
	}, {
		.name = "cancel", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(cancel),
		.help = "give up the migration that is under way",
	}, {
		.name = "dry-run", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(dry_run),
		.help = "do not move it, say what would stop it",
	}, {
		.name = "json", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(json), .help = "print JSON objects, events and the result",
	},
};

static const struct option_table migrate_table = {
	.name = "migrate", .config_size = sizeof(struct migrate_options),
	.dashes = true, .opts = migrate_opts, .nr = ARRAY_SIZE(migrate_opts),
};

static const struct cli_letter migrate_letters[] = {
	{ 'n', "name" }, { 0 },
};

/**
 * struct moving - a machine that is on its way
 * @opts: the options
 * @to: the destination
 * @call: the machine
 * @fds: the connections
 * @nr: how many
 * @child: the command of an exec address, 0 for none
 * @progress: the bar
 * @key: Ctrl-C
 * @refused: a dry run has found something that would stop it
 */
struct moving {
	const struct migrate_options *opts;
	struct address to;
	const struct target_call *call;
	int fds[HELLO_LINKS_MAX];
	u32 nr;
	pid_t child;
	struct progress progress;
	struct cancel_key key;
	bool refused;
};

static void event_came(void *arg, struct json_object *event)
{
	struct moving *m = arg;
	char line[256];

	if (m->opts->dry_run)
		return;
	if (m->opts->json)
		snapshot_event(snapshot_new_event("progress", event));
	migrate_show_progress(event, line, sizeof(line));
	progress_line(&m->progress, snapshot_number(event, "done-bytes"),
		      snapshot_number(event, "total-bytes"), line);
}

static int ask_to_cancel(const struct target_call *call, struct error *err)
{
	int fd, ret;

	ret = control_connect(call->rt, call->name, &fd, err);
	if (ret)
		return ret;
	ret = control_call(fd, "migrate-cancel", NULL, NULL, err);
	close(fd);
	return ret;
}

/* Once, and it is waited for; what is too late to be given up goes on. */
static int key_pressed(void *arg, struct error *err)
{
	struct error why = ERROR_INIT;
	struct moving *m = arg;

	if (cancel_key_take(&m->key) && ask_to_cancel(m->call, &why))
		fprintf(stderr, "\n%s\n", why.text);
	return 0;
}

static void tell_result(const struct moving *m, struct json_object *result)
{
	char text[512];

	if (m->opts->json) {
		snapshot_event(snapshot_new_event("end", result));
		return;
	}
	migrate_show_result(result, m->call->name, text, sizeof(text));
	fputs(text, stdout);
}

static const char *text_of(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(obj, key, &value);
	return value ? json_object_get_string(value) : "";
}

static void tell_finding(const struct moving *m, struct json_object *finding)
{
	struct json_object *stops = NULL;

	if (m->opts->json) {
		snapshot_event(snapshot_new_event("finding", finding));
		return;
	}
	json_object_object_get_ex(finding, "stops", &stops);
	printf("%s%s: %s\n", json_object_get_boolean(stops) ? "" : "note: ",
	       text_of(finding, "what"), text_of(finding, "text"));
}

/* A line for each finding, or an object, and what comes of them. */
static void tell_check(struct moving *m, struct json_object *result)
{
	u64 us = snapshot_number(result, "downtime-us");
	u64 stops = snapshot_number(result, "stops");
	struct json_object *list = NULL;
	size_t i, nr;

	m->refused = stops;
	json_object_object_get_ex(result, "findings", &list);
	nr = list ? json_object_array_length(list) : 0;
	for (i = 0; i < nr; i++)
		tell_finding(m, json_object_array_get_idx(list, i));
	if (m->opts->json) {
		json_object_object_del(result, "findings");
		snapshot_event(snapshot_new_event("end", result));
	} else if (stops) {
		printf("%s cannot move to %s: %llu reason%s\n", m->call->name,
		       m->to.text, stops, stops == 1 ? "" : "s");
	} else {
		printf("%s can move to %s: nothing would stop it (stopped for %llu.%llu ms)\n",
		       m->call->name, m->to.text, us / 1000, us / 100 % 10);
	}
}

static struct json_object *make_arguments(const struct moving *m)
{
	const struct migrate_options *opts = m->opts;
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "peer", json_object_new_string(m->to.text));
	json_object_object_add(args, "downtime-ms",
			       json_object_new_int64(opts->downtime));
	json_object_object_add(args, "timeout-s",
			       json_object_new_int64(opts->timeout));
	if (opts->dry_run)
		json_object_object_add(args, "check-only",
				       json_object_new_boolean(true));
	if (opts->bandwidth)
		json_object_object_add(args, "bandwidth",
				       json_object_new_uint64(opts->bandwidth));
	return args;
}

static int connect_all(struct moving *m, struct error *err)
{
	bool one = m->to.kind == ADDRESS_EXEC || m->opts->dry_run;
	u32 wanted = one ? 1 : m->opts->channels;
	int ret = 0;

	while (!ret && m->nr < wanted) {
		if (m->to.kind == ADDRESS_EXEC)
			ret = address_run(&m->to, &m->fds[m->nr], &m->child,
					  err);
		else
			ret = address_connect(&m->to, &m->fds[m->nr], err);
		m->nr += !ret;
	}
	return ret;
}

static void close_all(struct moving *m)
{
	while (m->nr)
		close(m->fds[--m->nr]);
}

static int move(const struct target_call *call, struct error *err)
{
	struct moving *m = call->arg;
	struct json_object *result = NULL;
	struct control_listener listener = {
		.event = event_came, .fd = m->key.fd, .ready = key_pressed,
		.arg = m, .fds = m->fds,
	};
	int ret;

	m->call = call;
	ret = connect_all(m, err);
	listener.fds_nr = m->nr;
	if (!ret) {
		progress_begin(&m->progress, m->opts->json);
		ret = control_call_job(call->fd, "migrate", make_arguments(m),
				       &listener, &result, err);
		progress_end(&m->progress);
	}
	close_all(m);
	/* It ends with its connection. */
	if (m->child)
		waitpid(m->child, NULL, 0);
	if (!ret && m->opts->dry_run)
		tell_check(m, result);
	else if (!ret)
		tell_result(m, result);
	json_object_put(result);
	return ret;
}

/* ---- to a file ---------------------------------------------------------- */

/* A file is a snapshot that is taken while the guest runs. */
static int to_file(const struct migrate_options *opts, const char *path)
{
	const struct snapshot_options as = {
		.target = opts->target, .json = opts->json,
	};

	return snapshot_take(&as, path);
}

/* ---- the command -------------------------------------------------------- */

static int usage(const char *what)
{
	struct error err = ERROR_INIT;

	error_set(&err, -EINVAL, "%s", what);
	return cli_fail(EXIT_USAGE, &err);
}

static int cancel(const struct target_call *call, struct error *err)
{
	return control_call(call->fd, "migrate-cancel", NULL, NULL, err);
}

static int migrate_to(const struct migrate_options *opts)
{
	struct moving m = { .opts = opts };
	struct error err = ERROR_INIT;
	int code;

	if (address_parse(opts->to, &m.to, &err))
		return cli_fail(EXIT_USAGE, &err);
	if (m.to.kind == ADDRESS_FILE && opts->dry_run) {
		address_free(&m.to);
		return usage("--dry-run asks another host: there is none behind file:PATH");
	}
	if (m.to.kind == ADDRESS_FILE)
		return to_file(opts, m.to.rest);
	if (m.to.kind == ADDRESS_STDIO || (m.to.host && !*m.to.host)) {
		address_free(&m.to);
		return usage("--to: say where to: HOST:PORT, unix:PATH, exec:COMMAND or file:PATH");
	}
	signal(SIGPIPE, SIG_IGN);
	if (cancel_key_open(&m.key, &err)) {
		address_free(&m.to);
		return cli_fail(EXIT_ERROR, &err);
	}
	code = target_each(&opts->target, move, &m);
	if (!code && m.refused)
		code = EXIT_ERROR;
	if (code && m.key.signal)
		code = EXIT_SIGNAL + m.key.signal;
	cancel_key_close(&m.key);
	address_free(&m.to);
	return code;
}

static int migrate(const struct cli *cli, const struct cli_args *args)
{
	const struct migrate_options *opts = args->config;

	if (!opts->target.name)
		return usage("which machine? give --name NAME; see 'lkvm list'");
	if (opts->cancel && opts->dry_run)
		return usage("--cancel and --dry-run: give one of the two");
	if (opts->cancel)
		return opts->to ? usage("--cancel and --to: give one of the two") :
				  target_each(&opts->target, cancel, NULL);
	return opts->to ? migrate_to(opts) :
			  usage("where to? give --to ADDRESS");
}

const struct cli_command cli_migrate = {
	.name = "migrate",
	.summary = "move a running machine to another host",
	.options = &migrate_table,
	.letters = migrate_letters,
	.fn = migrate,
};
