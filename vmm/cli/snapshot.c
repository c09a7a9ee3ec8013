// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm snapshot
 *
 * The machine takes the snapshot itself (control_snapshot.c); this asks for
 * it, shows how far it is, and has it given up when the user presses Ctrl-C:
 * once, and it is waited for until nothing is left of it; twice, and the
 * connection ends at once, which comes to the same a little later.
 *
 * "lkvm snapshot show" and "lkvm snapshot verify" look at a file and need no
 * machine.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/output.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/snapshot.h"

#define FLAG		.type = OPTION_BOOL, .scope = OPTION_HOST
#define FIELD(_field)	.offset = offsetof(struct snapshot_options, _field)

static const char *const disk_words[] = {
	"none", "auto", "reflink", "copy", NULL,
};

static const struct option_desc snapshot_opts[] = {
	TARGET_NAME,
	{
		.name = "stop", FLAG, FIELD(stop),
		.help = "end the machine when the file is safe",
	}, {
		.name = "pause", FLAG, FIELD(pause),
		.help = "keep the guest paused until its memory is written",
	}, {
		.name = "force", FLAG, FIELD(force),
		.help = "replace the file even if it is no snapshot",
	}, {
		.name = "with-disks", .arg = "HOW", FIELD(disks),
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = disk_words, .bare = "auto",
		.help = "copy the disks beside the file",
	}, {
		.name = "json", FLAG, FIELD(json),
		.help = "print JSON objects, events and the result",
	}, {
		.name = "dts", FLAG, FIELD(dts),
		.help = "with show: the notes as device tree source",
	},
};

static const struct option_table snapshot_table = {
	.name = "snapshot", .config_size = sizeof(struct snapshot_options),
	.dashes = true, .opts = snapshot_opts, .nr = ARRAY_SIZE(snapshot_opts),
};

static const struct cli_letter snapshot_letters[] = {
	{ 'n', "name" }, { 0 },
};

/**
 * struct taking - a snapshot that is being taken
 * @opts: the options
 * @path: where it goes, from / on
 * @call: the machine
 * @progress: the bar
 * @key: Ctrl-C
 */
struct taking {
	const struct snapshot_options *opts;
	char *path;
	const struct target_call *call;
	struct progress progress;
	struct cancel_key key;
};

/* ---- images ------------------------------------------------------------- */

/**
 * snapshot_image_open() - open an image that the user has named
 * @path: the file
 * @control: how reading is ended early, NULL: it is not
 * @out: the image
 * @err: set on failure
 *
 * Return: 0 or a negative errno.
 */
int snapshot_image_open(const char *path, struct channel_control *control,
			struct image **out, struct error *err)
{
	struct channel_file_config config = {
		.path = path, .dirfd = AT_FDCWD,
	};
	struct channel *ch;
	int ret;

	ret = channel_file_open(&config, &ch, err);
	if (ret)
		return ret;
	ch->control = control;
	ret = image_open(ch, out, err);
	if (ret)
		channel_close(ch);
	return ret;
}

/**
 * snapshot_image_close() - the end of an image and its channel
 * @image: the image
 */
void snapshot_image_close(struct image *image)
{
	struct channel *ch = image->ch;

	image_free(image);
	channel_close(ch);
}

/**
 * snapshot_event() - tell a program something, as a line of its own
 * @event: what; gets an owner here
 */
void snapshot_event(struct json_object *event)
{
	printf("%s\n", json_object_to_json_string_ext(event,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
	json_object_put(event);
}

/**
 * snapshot_number() - a number of an event or a result
 * @obj: the event
 * @key: which
 *
 * Return: the number, 0 when it is not there.
 */
u64 snapshot_number(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(obj, key, &value);
	return json_object_get_uint64(value);
}

/**
 * snapshot_new_event() - an event for a program from what the machine has told
 * @name: its name
 * @body: what the machine has told; stays the caller's
 *
 * Return: the event, for snapshot_event().
 */
struct json_object *snapshot_new_event(const char *name,
				       struct json_object *body)
{
	struct json_object *event = json_object_new_object();

	json_object_object_add(event, "event", json_object_new_string(name));
	json_object_object_foreach(body, key, value)
		json_object_object_add(event, key, json_object_get(value));
	return event;
}

/* ---- taking one --------------------------------------------------------- */

static void event_came(void *arg, struct json_object *event)
{
	struct taking *t = arg;
	struct json_object *phase = NULL;
	char what[64];

	if (t->opts->json)
		snapshot_event(snapshot_new_event("progress", event));
	json_object_object_get_ex(event, "phase", &phase);
	snprintf(what, sizeof(what), "%.32s, round %llu",
		 phase ? json_object_get_string(phase) : "",
		 snapshot_number(event, "round"));
	progress_show(&t->progress, snapshot_number(event, "done-bytes"),
		      snapshot_number(event, "total-bytes"), what);
}

/* Ctrl-C: on a connection of its own, since ours waits for the answer. */
static int key_pressed(void *arg, struct error *err)
{
	struct error why = ERROR_INIT;
	struct taking *t = arg;
	bool again = t->key.signal;
	int fd;

	if (!cancel_key_take(&t->key))
		return 0;
	if (again)
		return error_set(err, -ECANCELED, "given up");
	if (control_connect(t->call->rt, t->call->name, &fd, &why))
		return 0;
	/* It may have ended just now; then its answer is on its way. */
	if (control_call(fd, "snapshot-cancel", NULL, NULL, &why))
		t->progress.shown = false;
	close(fd);
	return 0;
}

static void tell_result(const struct taking *t, struct json_object *result)
{
	u64 ms = snapshot_number(result, "elapsed-ms"), us = snapshot_number(result, "pause-us");
	char bytes[32];

	if (t->opts->json) {
		snapshot_event(snapshot_new_event("end", result));
		return;
	}
	printf("%s: %s of memory in %llu.%03llu s, ", t->path,
	       progress_bytes(snapshot_number(result, "memory-bytes"), bytes,
			      sizeof(bytes)), ms / 1000, ms % 1000);
	if (t->opts->stop)
		printf("%s has ended\n", t->call->name);
	else if (us)
		printf("the guest stood still for %llu.%llu ms\n", us / 1000,
		       us / 100 % 10);
	else
		printf("%s stays paused\n", t->call->name);
}

static int take_from(const struct target_call *call, struct error *err)
{
	struct taking *t = call->arg;
	struct json_object *arguments = json_object_new_object();
	struct json_object *result = NULL;
	const struct control_listener listener = {
		.event = event_came, .fd = t->key.fd, .ready = key_pressed,
		.arg = t,
	};
	int ret;

	t->call = call;
	json_object_object_add(arguments, "path",
			       json_object_new_string(t->path));
	json_object_object_add(arguments, "mode", json_object_new_string(
			       t->opts->stop ? "stop" :
			       t->opts->pause ? "pause" : "live"));
	json_object_object_add(arguments, "disks",
			       json_object_new_string(disk_words[t->opts->disks]));
	json_object_object_add(arguments, "force",
			       json_object_new_boolean(t->opts->force));
	progress_begin(&t->progress, t->opts->json);
	ret = control_call_job(call->fd, "snapshot", arguments, &listener,
			       &result, err);
	progress_end(&t->progress);
	if (!ret && t->opts->stop && target_wait_gone(call, TARGET_END_S))
		ret = error_set(err, -ETIMEDOUT,
				"%s is written, but the machine has not ended within %u s",
				t->path, TARGET_END_S);
	if (!ret)
		tell_result(t, result);
	json_object_put(result);
	return ret;
}

static char *absolute_path(const char *path, struct error *err)
{
	char *cwd, *whole = NULL;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		error_set(err, -errno, "the working directory: %m");
	else if (asprintf(&whole, "%s/%s", cwd, path) < 0)
		whole = NULL;
	free(cwd);
	return whole;
}

/**
 * snapshot_take() - have a machine save itself to a file
 * @opts: the options
 * @path: the file
 *
 * Return: an exit code.
 */
int snapshot_take(const struct snapshot_options *opts, const char *path)
{
	struct taking t = { .opts = opts };
	struct error err = ERROR_INIT;
	int code;

	if (opts->stop && opts->pause) {
		error_set(&err, -EINVAL,
			  "--stop and --pause: give one of the two");
		return cli_fail(EXIT_USAGE, &err);
	}
	if (!opts->target.name) {
		error_set(&err, -EINVAL,
			  "which machine? give --name NAME; see 'lkvm list'");
		return cli_fail(EXIT_USAGE, &err);
	}
	error_set(&err, -ENOMEM, "no memory");
	t.path = absolute_path(path, &err);
	if (!t.path)
		return cli_fail(EXIT_ERROR, &err);
	if (cancel_key_open(&t.key, &err)) {
		free(t.path);
		return cli_fail(EXIT_ERROR, &err);
	}
	code = target_each(&opts->target, take_from, &t);
	if (code && t.key.signal)
		code = EXIT_SIGNAL + t.key.signal;
	cancel_key_close(&t.key);
	free(t.path);
	return code;
}

/* ---- the command -------------------------------------------------------- */

static int usage(const char *what)
{
	struct error err = ERROR_INIT;

	error_set(&err, -EINVAL, "%s", what);
	return cli_fail(EXIT_USAGE, &err);
}

static int snapshot(const struct cli *cli, const struct cli_args *args)
{
	const struct snapshot_options *opts = args->config;
	const char *verb = args->operands_nr == 2 ? args->operands[0] : NULL;
	bool shows = verb && !strcmp(verb, "show");
	const char *path;

	if (!args->operands_nr)
		return usage("which file? give its name");
	path = args->operands[args->operands_nr - 1];
	if (verb && !shows && strcmp(verb, "verify"))
		return usage("give one file, or 'show FILE' or 'verify FILE'");
	if (opts->dts && (!shows || opts->json))
		return usage("--dts: goes with show, and without --json");
	if (verb && (opts->target.name || opts->stop || opts->pause ||
		     opts->force || opts->disks))
		return usage("show and verify look at a file; only --json and --dts go with them");
	if (shows)
		return snapshot_show(opts, path);
	return verb ? snapshot_verify(opts, path) : snapshot_take(opts, path);
}

const struct cli_command cli_snapshot = {
	.name = "snapshot",
	.summary = "save a running machine to a file, show or verify such a file",
	.operands = "[show|verify] FILE",
	.operands_max = 2,
	.options = &snapshot_table,
	.letters = snapshot_letters,
	.fn = snapshot,
};
