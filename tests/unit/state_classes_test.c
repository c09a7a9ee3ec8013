// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the state tables of all registered device classes and the architecture
 *
 * Nothing here knows a device: a new class is tested because it is registered.
 * What a table promises is also kept as text in tests/golden and compared, so
 * that a change of the format is seen by whoever reviews it. After a change
 * that is meant, LKVM_UPDATE_GOLDEN=1 writes the text anew.
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>

#include "migration/state_tables.h"
#include "migration/state_tree.h"
#include "tests/lib/random.h"
#include "tests/lib/state_rules.h"
#include "vmm/arch.h"
#include "vmm/base/clock.h"
#include "vmm/device.h"

#define TEXT_MAX	(1 << 20)
#define LICENCE		"# SPDX-License-Identifier: GPL-2.0-only\n"

FIXTURE(classes) {
	struct state_table tables[STATE_TABLES_MAX];
	u32 nr;
	struct error err;
};

FIXTURE_SETUP(classes)
{
	memset(&self->err, 0, sizeof(self->err));
	self->nr = state_tables(self->tables);
}

FIXTURE_TEARDOWN(classes)
{
}

#define FOR_EACH_TABLE(rule) do {					\
	u32 __i;							\
									\
	for (__i = 0; __i < self->nr; __i++) {				\
		EXPECT_EQ(0, rule(self->tables[__i].desc, &self->err)) { \
			TH_LOG("%s: %s", self->tables[__i].name,	\
			       self->err.text);				\
		}							\
	}								\
} while (0)

TEST_F(classes, there_are_some)
{
	EXPECT_LT(2, self->nr);
}

TEST_F(classes, tables_keep_the_rules)
{
	FOR_EACH_TABLE(state_rules_table);
}

TEST_F(classes, every_byte_belongs_to_a_field)
{
	FOR_EACH_TABLE(state_rules_coverage);
}

TEST_F(classes, values_next_to_their_range_are_refused)
{
	FOR_EACH_TABLE(state_rules_ranges);
}

TEST_F(classes, unknown_missing_and_doubled_properties_are_refused)
{
	FOR_EACH_TABLE(state_rules_properties);
}

/* An emulated processor does not get through all rounds: one of each, then. */
TEST_F_TIMEOUT(classes, random_states_survive, 240)
{
	const u64 enough = now_ms() + 15000;
	struct test_random rnd;
	u32 i, round;

	test_random_init(&rnd);
	for (i = 0; i < self->nr; i++) {
		for (round = 0; round < 20; round++) {
			if (round && now_ms() > enough)
				break;
			ASSERT_EQ(0, state_rules_survive(self->tables[i].desc,
							 &rnd, &self->err)) {
				TH_LOG("%s: %s", self->tables[i].name,
				       self->err.text);
			}
		}
	}
}

/* A class that keeps state has to be able to save and load it. */
TEST_F(classes, operations_suit_the_table)
{
	const struct device_class *const *classes;
	u32 i, nr;

	classes = device_classes(&nr);
	for (i = 0; i < nr; i++) {
		const struct device_ops *ops = classes[i]->ops;

		EXPECT_TRUE(!!ops->realize) {
			TH_LOG("%s", classes[i]->name);
		}
		EXPECT_EQ(!!classes[i]->state, ops->save && ops->load) {
			TH_LOG("%s", classes[i]->name);
		}
	}
}

static char *schema_text(const struct state_desc *desc)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(LICENCE, out);
	state_schema_write(desc, out);
	fclose(out);
	return text;
}

static char *file_text(const char *path)
{
	char *text = calloc(1, TEXT_MAX);
	FILE *in = fopen(path, "re");

	if (in) {
		text[fread(text, 1, TEXT_MAX - 1, in)] = 0;
		fclose(in);
	}
	return text;
}

static void first_difference(const char *now, const char *golden, char *line,
			     size_t len)
{
	const char *start = now;

	for (; *now && *now == *golden; now++, golden++)
		if (*now == '\n')
			start = now + 1;
	snprintf(line, len, "%.*s", (int)strcspn(start, "\n"), start);
}

/* The agreed text; none is an empty one. */
static char *golden_text(const char *name, const char *now)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "tests/golden/state-%s/%s.txt", arch_name,
		 name);
	out = getenv("LKVM_UPDATE_GOLDEN") ? fopen(path, "we") : NULL;
	if (out) {
		fputs(now, out);
		fclose(out);
	}
	return file_text(path);
}

TEST_F(classes, the_schema_is_the_one_that_was_agreed)
{
	char line[128];
	u32 i;

	for (i = 0; i < self->nr; i++) {
		const struct state_table *table = &self->tables[i];
		char *now = schema_text(table->desc);
		char *golden = golden_text(table->name, now);

		first_difference(now, golden, line, sizeof(line));
		EXPECT_EQ(0, strcmp(golden, now)) {
			TH_LOG("tests/golden/state-%s/%s.txt ends or differs here: %s",
			       arch_name, table->name, line);
			TH_LOG("if that is meant, run this with LKVM_UPDATE_GOLDEN=1");
		}
		free(golden);
		free(now);
	}
}

TEST_HARNESS_MAIN
