// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what lkvm says: errors and log lines, on standard error
 *
 * Standard output belongs to what was asked for: the guest's console, a list,
 * figures. Everything that is about lkvm itself goes to standard error, one
 * write per line, so that lines of several threads do not mix. While the
 * terminal is raw a line ends with a carriage return too.
 *
 * With `run --json` each line is a JSON object instead:
 * ``{"event":"log","level":"warning","text":"..."}``.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/output.h"
#include "vmm/cli/terminal.h"

/* Set before any other thread is there; log lines come from all of them. */
static bool output_json;

static const char *const level_names[] = {
	[LOG_ERROR]	= "error",
	[LOG_WARNING]	= "warning",
	[LOG_INFO]	= "info",
	[LOG_DEBUG]	= "debug",
};

static void put_line(const char *start, const char *text)
{
	const char *end = terminal_is_raw() ? "\r\n" : "\n";
	struct iovec line[] = {
		{ (char *)start, strlen(start) },
		{ (char *)text, strlen(text) },
		{ (char *)end, strlen(end) },
	};

	/* Nobody is left to be told when standard error cannot be written. */
	if (writev(STDERR_FILENO, line, ARRAY_SIZE(line)) < 0)
		return;
}

static void put_json(struct json_object *obj)
{
	put_line("", json_object_to_json_string_ext(obj,
						    JSON_C_TO_STRING_PLAIN |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(obj);
}

static void say(enum log_level level, const char *text)
{
	static const char *const starts[] = {
		[LOG_ERROR]	= "lkvm: ",
		[LOG_WARNING]	= "lkvm: warning: ",
		[LOG_INFO]	= "  # ",
		[LOG_DEBUG]	= "lkvm: debug: ",
	};
	struct json_object *obj;

	if (output_json) {
		obj = json_object_new_object();
		json_object_object_add(obj, "event",
				       json_object_new_string("log"));
		json_object_object_add(obj, "level",
				       json_object_new_string(level_names[level]));
		json_object_object_add(obj, "text",
				       json_object_new_string(text));
		put_json(obj);
		return;
	}
	put_line(starts[level], text);
}

/**
 * output_init() - begin to show log lines
 * @max: the least important level that is shown
 * @json: as JSON objects
 *
 * Context: before any other thread is there.
 */
void output_init(enum log_level max, bool json)
{
	output_json = json;
	log_set_sink(say, max);
}

/**
 * output_info() - say something of the level LOG_INFO, however long
 * @text: one line; log_info() has a limit
 */
void output_info(const char *text)
{
	if (log_enabled(LOG_INFO))
		say(LOG_INFO, text);
}

/**
 * output_event() - tell something about the machine to a program that listens
 * @obj: the event, which gets an owner here; its "event" names it
 *
 * Nothing is said unless the user asked for JSON.
 */
void output_event(struct json_object *obj)
{
	if (output_json)
		put_json(obj);
	else
		json_object_put(obj);
}

/**
 * output_print_json() - print what was asked for, for a program
 * @obj: what
 */
void output_print_json(struct json_object *obj)
{
	printf("%s\n", json_object_to_json_string_ext(obj,
						      JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
}

/**
 * cli_fail() - tell the user why something cannot be done
 * @code: the exit code
 * @err: the reason
 *
 * Return: @code.
 */
int cli_fail(int code, const struct error *err)
{
	say(LOG_ERROR, err->text);
	return code;
}
