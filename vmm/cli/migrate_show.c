// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what lkvm migrate says of a migration, for a person
 *
 * Threads: any; nothing is kept.
 */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

#include "vmm/base/math.h"
#include "vmm/cli/migrate_show.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/snapshot.h"

/**
 * struct text - a text that grows
 * @buf: room for it
 * @len: of @buf
 * @at: where it ends
 */
struct text {
	char *buf;
	size_t len;
	size_t at;
};

static __printf(2, 3) void add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->buf + t->at, t->len - t->at, fmt, args);
	va_end(args);
	if (n > 0)
		t->at = min_of(t->at + (size_t)n, t->len - 1);
}

static void add_bytes(struct text *t, const char *before, u64 bytes,
		      const char *behind)
{
	char text[32];

	add(t, "%s%s%s", before, progress_bytes(bytes, text, sizeof(text)),
	    behind);
}

static const char *word(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(obj, key, &value);
	return value ? json_object_get_string(value) : "";
}

/**
 * migrate_show_progress() - how far it is, on one line
 * @event: what the machine has told
 * @buf: for the text, the most important first
 * @len: bytes of it
 */
void migrate_show_progress(struct json_object *event, char *buf, size_t len)
{
	u64 done = snapshot_number(event, "done-bytes");
	u64 total = snapshot_number(event, "total-bytes");
	u64 rate = snapshot_number(event, "bytes-per-second");
	u64 rounds = snapshot_number(event, "rounds");
	u64 s = div_round_up(snapshot_number(event, "left-ms"), (u64)1000);
	u64 rest = snapshot_number(event, "throttle-percent");
	struct text t = { .buf = buf, .len = len };

	add(&t, " %3llu %%  %.32s", total ? min_of(done, total) * 100 / total :
	    0, word(event, "phase"));
	if (!total)
		return;
	add(&t, ", round %llu: ", rounds + 1);
	add_bytes(&t, "", snapshot_number(event, "sent-bytes"), " sent, ");
	add_bytes(&t, "", total - min_of(done, total), " left");
	if (rate) {
		add_bytes(&t, " at ", rate, "/s");
		add(&t, ", %llu:%02llu", s / 60, s % 60);
	}
	if (rounds)
		add(&t, ", to stand still %llu ms",
		    snapshot_number(event, "expected-downtime-ms"));
	if (rounds)
		add_bytes(&t, ", guest writes ",
			  snapshot_number(event, "dirty-bytes-per-second"),
			  "/s");
	if (rest)
		add(&t, ", its CPUs rest %llu %%", rest);
}

/**
 * migrate_show_result() - how it went, on two lines
 * @result: what the machine has told
 * @name: the machine
 * @buf: for the text
 * @len: bytes of it
 */
void migrate_show_result(struct json_object *result, const char *name,
			 char *buf, size_t len)
{
	u64 ms = snapshot_number(result, "elapsed-ms");
	u64 us = snapshot_number(result, "downtime-us");
	u64 rest = snapshot_number(result, "throttle-percent");
	struct text t = { .buf = buf, .len = len };

	add(&t, "%s runs at %s: ", name, word(result, "peer"));
	add_bytes(&t, "", snapshot_number(result, "memory-bytes"),
		  " of memory, ");
	add_bytes(&t, "", snapshot_number(result, "sent-bytes"), " sent");
	add(&t, " in %llu rounds, %llu.%03llu s, the guest stood still for %llu.%llu ms\n",
	    snapshot_number(result, "rounds") + 1, ms / 1000, ms % 1000,
	    us / 1000, us / 100 % 10);
	add(&t, "pages: %llu zero, %llu sent, %llu of them again",
	    snapshot_number(result, "zero-pages"),
	    snapshot_number(result, "sent-pages"),
	    snapshot_number(result, "resent-pages"));
	add_bytes(&t, "; ", snapshot_number(result, "bytes-per-second"), "/s");
	if (snapshot_number(result, "zero-copy-bytes"))
		add_bytes(&t, ", ", snapshot_number(result, "zero-copy-bytes"),
			  " without copying");
	add_bytes(&t, ", the guest wrote ",
		  snapshot_number(result, "dirty-bytes-per-second"), "/s");
	if (rest)
		add(&t, ", its CPUs had to rest %llu %% of the time", rest);
	add(&t, "\n");
}
