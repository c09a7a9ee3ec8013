// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/cli/migrate_show.c: what a person is told of a migration
 */
#include "tests/lib/harness.h"

#include <json-c/json.h>

#include "vmm/cli/migrate_show.h"

/* What lkvm says of what a machine has told. */
static const char *progress(const char *json)
{
	static char text[256];
	struct json_object *event = json_tokener_parse(json);

	migrate_show_progress(event, text, sizeof(text));
	json_object_put(event);
	return text;
}

static const char *result(const char *json)
{
	static char text[512];
	struct json_object *obj = json_tokener_parse(json);

	migrate_show_result(obj, "box", text, sizeof(text));
	json_object_put(obj);
	return text;
}

TEST(before_memory_there_are_no_numbers)
{
	EXPECT_STREQ("   0 %  connect", progress("{\"phase\":\"connect\"}"));
}

TEST(first_round)
{
	EXPECT_STREQ("  25 %  memory, round 1: 200.0 MiB sent, 768.0 MiB left at 100.0 MiB/s, 0:08",
		     progress("{\"phase\":\"memory\",\"rounds\":0,"
			      "\"done-bytes\":268435456,"
			      "\"total-bytes\":1073741824,"
			      "\"sent-bytes\":209715200,\"left-ms\":7680,"
			      "\"bytes-per-second\":104857600}"));
}

TEST(rate_that_nobody_knows_is_not_told)
{
	EXPECT_STREQ("   0 %  memory, round 1: 0 B sent, 1.0 GiB left",
		     progress("{\"phase\":\"memory\",\"rounds\":0,"
			      "\"done-bytes\":0,\"total-bytes\":1073741824}"));
}

TEST(later_rounds_tell_of_the_guest)
{
	EXPECT_STREQ(" 100 %  stopped, round 3: 1.0 GiB sent, 0 B left at 1.0 GiB/s, 0:00, to stand still 12 ms, guest writes 64.0 MiB/s, its CPUs rest 30 %",
		     progress("{\"phase\":\"stopped\",\"rounds\":2,"
			      "\"done-bytes\":99,\"total-bytes\":98,"
			      "\"sent-bytes\":1073741824,"
			      "\"bytes-per-second\":1073741824,"
			      "\"dirty-bytes-per-second\":67108864,"
			      "\"expected-downtime-ms\":12,"
			      "\"throttle-percent\":30}"));
}

TEST(line_that_is_too_long_is_cut)
{
	char text[20];
	struct json_object *event = json_tokener_parse(
		"{\"phase\":\"memory\",\"total-bytes\":1073741824,"
		"\"sent-bytes\":1073741824}");

	memset(text, 'x', sizeof(text));
	migrate_show_progress(event, text, sizeof(text));
	json_object_put(event);
	EXPECT_STREQ("   0 %  memory, rou", text);
}

TEST(result_tells_all)
{
	EXPECT_STREQ("box runs at host:4444: 1.0 GiB of memory, 600.0 MiB sent in 3 rounds, 2.050 s, the guest stood still for 7.3 ms\n"
		     "pages: 110000 zero, 153600 sent, 1500 of them again; 512.0 MiB/s, the guest wrote 10.0 MiB/s\n",
		     result("{\"peer\":\"host:4444\",\"rounds\":2,"
			    "\"memory-bytes\":1073741824,"
			    "\"sent-bytes\":629145600,\"elapsed-ms\":2050,"
			    "\"downtime-us\":7399,\"zero-pages\":110000,"
			    "\"sent-pages\":153600,\"resent-pages\":1500,"
			    "\"bytes-per-second\":536870912,"
			    "\"dirty-bytes-per-second\":10485760,"
			    "\"throttle-percent\":0}"));
}

TEST(result_tells_that_the_guest_was_slowed_down)
{
	EXPECT_NE(NULL, strstr(result("{\"throttle-percent\":40}"),
			       ", its CPUs had to rest 40 % of the time\n"));
}

TEST_HARNESS_MAIN
