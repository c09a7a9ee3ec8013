// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: do the rules about state tables find a table that breaks them?
 *
 * Each test breaks one thing in a good table, as a forgetful developer would.
 */
#include "tests/lib/harness.h"

#include <string.h>

#include "tests/lib/state_rules.h"

struct small_state {
	u16 id;
	u8 tail[2];
};

struct good_state {
	u32 number;
	u32 list_nr;
	u16 list[4];
	u8 bytes[8];
	u32 smalls_nr;
	struct small_state smalls[3];
};

static const struct state_field small_fields[] = {
	STATE_U16(struct small_state, id, "id", 1, 100),
	STATE_BYTES(struct small_state, tail, "tail"),
};

static const struct state_desc small_desc =
	STATE_DESC("lkvm,small-v1", struct small_state, small_fields);

static const struct state_field good_fields[] = {
	STATE_U32(struct good_state, number, "number", 5, 10),
	STATE_INTS_COUNTED(STATE_KIND_U16, struct good_state, list, list_nr,
			   "list", 0, 1000),
	STATE_BYTES(struct good_state, bytes, "bytes"),
	STATE_STRUCTS(struct good_state, smalls, smalls_nr, "small",
		      &small_desc),
};

FIXTURE(rules) {
	struct state_field fields[ARRAY_SIZE(good_fields)];
	struct state_field small[ARRAY_SIZE(small_fields)];
	struct state_desc desc;
	struct state_desc small_desc;
	struct test_random rnd;
	struct error err;
};

FIXTURE_SETUP(rules)
{
	memset(&self->err, 0, sizeof(self->err));
	memcpy(self->fields, good_fields, sizeof(good_fields));
	memcpy(self->small, small_fields, sizeof(small_fields));
	self->small_desc = small_desc;
	self->small_desc.fields = self->small;
	self->fields[3].nested = &self->small_desc;
	self->desc = (struct state_desc)
		STATE_DESC("lkvm,good-v1", struct good_state, self->fields);
	test_random_init(&self->rnd);
}

FIXTURE_TEARDOWN(rules)
{
}

#define EXPECT_FOUND(rule, word) do {					\
	EXPECT_GT(0, rule(&self->desc, &self->err));			\
	EXPECT_NE(NULL, strstr(self->err.text, word)) {			\
		TH_LOG("%s", self->err.text);				\
	}								\
} while (0)

TEST_F(rules, a_good_table_passes)
{
	int i;

	EXPECT_EQ(0, state_rules_table(&self->desc, &self->err));
	EXPECT_EQ(0, state_rules_coverage(&self->desc, &self->err));
	EXPECT_EQ(0, state_rules_ranges(&self->desc, &self->err));
	EXPECT_EQ(0, state_rules_properties(&self->desc, &self->err));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(0, state_rules_survive(&self->desc, &self->rnd,
						 &self->err));
}

TEST_F(rules, a_forgotten_field_is_named_by_its_neighbour)
{
	self->desc.nr = 2;
	EXPECT_FOUND(state_rules_coverage, "bytes 16 to 39");
	EXPECT_NE(NULL, strstr(self->err.text, "behind \"list\""));
}

TEST_F(rules, a_forgotten_count)
{
	self->fields[1].count_offset = STATE_NO_COUNT;
	EXPECT_FOUND(state_rules_coverage, "bytes 4 to 7");
}

TEST_F(rules, a_forgotten_field_in_a_nested_table)
{
	self->small_desc.nr = 1;
	EXPECT_FOUND(state_rules_coverage, "lkvm,small-v1: bytes 2 to 3");
}

TEST_F(rules, a_field_over_another)
{
	self->fields[2].offset -= 4;
	EXPECT_FOUND(state_rules_coverage, "byte 12");
	EXPECT_NE(NULL, strstr(self->err.text, "\"bytes\""));
}

TEST_F(rules, a_field_beyond_the_struct)
{
	self->fields[2].capacity = 80;
	EXPECT_FOUND(state_rules_table, "\"bytes\" ends beyond");
}

TEST_F(rules, names)
{
	static const char *const bad[] = {
		"", "Number", "a_b", "9lives", "-a", "a@1", "compatible",
		"a-name-that-is-longer-than-thirty-one",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->fields[0].name = bad[i];
		EXPECT_FOUND(state_rules_table, "the name");
	}
	self->fields[0].name = "list";
	EXPECT_FOUND(state_rules_table, "\"list\" is there twice");
}

TEST_F(rules, compatibles)
{
	static const char *const bad[] = {
		"good", "lkvm,good", "lkvm,good-v", "lkvm,good-v0",
		"lkvm,good-1", "qemu,good-v1", "lkvm,-v1", "lkvm,good-v1a",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->desc.compatible = bad[i];
		EXPECT_FOUND(state_rules_table, "is not \"lkvm,NAME-vN\"");
	}
}

TEST_F(rules, ranges)
{
	self->fields[0].min = 11;
	EXPECT_FOUND(state_rules_table, "\"number\": its range");
	self->fields[0].min = 5;
	self->fields[1].max = 65536;
	EXPECT_FOUND(state_rules_table, "\"list\": its range");
	self->fields[1].max = 65535;
	self->fields[0].optional = true;
	self->fields[0].def = 4;
	EXPECT_FOUND(state_rules_table, "\"number\": the default");
}

TEST_F(rules, nesting_without_end)
{
	self->small[1] = (struct state_field){
		.name = "again", .kind = STATE_KIND_STRUCT, .capacity = 1,
		.count_offset = STATE_NO_COUNT, .nested = &self->small_desc,
	};
	EXPECT_FOUND(state_rules_table, "nested too deeply");
}

TEST_HARNESS_MAIN
