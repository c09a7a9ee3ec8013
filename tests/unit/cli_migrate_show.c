// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/cli/migrate_show.c: what a person is told of a migration
 */
#include "tests/lib/harness.h"

#include <json-c/json.h>
#include <stdarg.h>

#include "vmm/base/math.h"
#include "vmm/cli/migrate_show.h"

/* Names and numbers by turns, then NULL. */
static struct json_object *members(const char *word, const char *value,
				   const char *name, va_list args)
{
	struct json_object *obj = json_object_new_object();

	json_object_object_add(obj, word, json_object_new_string(value));
	for (; name; name = va_arg(args, const char *))
		json_object_object_add(obj, name,
				       json_object_new_int64(va_arg(args,
								    s64)));
	return obj;
}

/* What lkvm says of what a machine has told. */
static const char *progress(const char *phase, const char *name, ...)
{
	static char text[256];
	struct json_object *event;
	va_list args;

	va_start(args, name);
	event = members("phase", phase, name, args);
	va_end(args);
	migrate_show_progress(event, text, sizeof(text));
	json_object_put(event);
	return text;
}

static const char *result(const char *peer, const char *name, ...)
{
	static char text[512];
	struct json_object *obj;
	va_list args;

	va_start(args, name);
	obj = members("peer", peer, name, args);
	va_end(args);
	migrate_show_result(obj, "box", text, sizeof(text));
	json_object_put(obj);
	return text;
}

TEST(before_memory_there_are_no_numbers)
{
	EXPECT_STREQ("   0 %  connect", progress("connect", NULL));
}

TEST(first_round)
{
	EXPECT_STREQ("  25 %  memory, round 1: 200.0 MiB sent, 768.0 MiB left at 100.0 MiB/s, 0:08",
		     progress("memory", "rounds", 0ULL, "done-bytes", 256 * MIB,
			      "total-bytes", GIB, "sent-bytes", 200 * MIB,
			      "left-ms", 7680ULL,
			      "bytes-per-second", 100 * MIB, NULL));
}

TEST(rate_that_nobody_knows_is_not_told)
{
	EXPECT_STREQ("   0 %  memory, round 1: 0 B sent, 1.0 GiB left",
		     progress("memory", "rounds", 0ULL, "done-bytes", 0ULL,
			      "total-bytes", GIB, NULL));
}

TEST(later_rounds_tell_of_the_guest)
{
	const char *text = progress("stopped", "rounds", 2ULL,
				    "done-bytes", 99ULL, "total-bytes", 98ULL,
				    "sent-bytes", GIB, "bytes-per-second", GIB,
				    "dirty-bytes-per-second", 64 * MIB,
				    "expected-downtime-ms", 12ULL,
				    "throttle-percent", 30ULL, NULL);
	static const char first[] =
		" 100 %  stopped, round 3: 1.0 GiB sent, 0 B left at 1.0 GiB/s, 0:00";

	EXPECT_EQ(0, strncmp(first, text, strlen(first))) TH_LOG("%s", text);
	EXPECT_STREQ(", to stand still 12 ms, guest writes 64.0 MiB/s, its CPUs rest 30 %",
		     text + strlen(first));
}

TEST(line_that_is_too_long_is_cut)
{
	struct json_object *event = json_object_new_object();
	char text[20];

	json_object_object_add(event, "phase",
			       json_object_new_string("memory"));
	json_object_object_add(event, "total-bytes",
			       json_object_new_int64(1));
	memset(text, 'x', sizeof(text));
	migrate_show_progress(event, text, sizeof(text));
	json_object_put(event);
	EXPECT_STREQ("   0 %  memory, rou", text);
}

TEST(result_tells_all)
{
	const char *text = result("host:4444", "rounds", 2ULL,
				  "memory-bytes", GIB, "sent-bytes", 600 * MIB,
				  "elapsed-ms", 2050ULL, "downtime-us", 7399ULL,
				  "zero-pages", 110000ULL,
				  "sent-pages", 153600ULL,
				  "resent-pages", 1500ULL,
				  "bytes-per-second", 512 * MIB,
				  "dirty-bytes-per-second", 10 * MIB,
				  "throttle-percent", 0ULL, NULL);
	static const char first[] =
		"box runs at host:4444: 1.0 GiB of memory, 600.0 MiB sent in 3 rounds, 2.050 s, ";
	static const char second[] =
		"the guest stood still for 7.3 ms\n"
		"pages: 110000 zero, 153600 sent, 1500 of them again; ";

	EXPECT_EQ(0, strncmp(first, text, strlen(first))) TH_LOG("%s", text);
	text += strlen(first);
	EXPECT_EQ(0, strncmp(second, text, strlen(second))) TH_LOG("%s", text);
	EXPECT_STREQ("512.0 MiB/s, the guest wrote 10.0 MiB/s\n",
		     text + strlen(second));
}

TEST(result_tells_what_was_special)
{
	EXPECT_NE(NULL, strstr(result("x", "throttle-percent", 40ULL, NULL),
			       ", its CPUs had to rest 40 % of the time\n"));
	EXPECT_NE(NULL, strstr(result("x", "zero-copy-bytes", GIB, NULL),
			       ", 1.0 GiB without copying,"));
	EXPECT_EQ(NULL, strstr(result("x", "zero-copy-bytes", 0ULL, NULL),
			       "without copying"));
}

TEST_HARNESS_MAIN
