// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: trees as source text and as JSON, hostile ones among them
 */
#include "tests/lib/harness.h"

#include <json-c/json.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/random.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/tree_print.h"

#define SIZE	8192

FIXTURE(tree)
{
	u64 buf[SIZE / 8];
	struct error err;
	char *text;
	size_t len;
	FILE *out;
};

FIXTURE_SETUP(tree)
{
	fdt_create(self->buf, SIZE);
	fdt_finish_reservemap(self->buf);
	fdt_begin_node(self->buf, "");
	self->out = open_memstream(&self->text, &self->len);
}

FIXTURE_TEARDOWN(tree)
{
	fclose(self->out);
	free(self->text);
}

static int finish(FIXTURE_DATA(tree) *self)
{
	fdt_end_node(self->buf);
	fdt_finish(self->buf);
	return tree_check(self->buf, fdt_totalsize(self->buf), &self->err);
}

static void add_kinds(void *fdt)
{
	fdt_property(fdt, "empty", NULL, 0);
	fdt_property_string(fdt, "one", "a \"b\" \\c");
	fdt_property(fdt, "two", "ab\0c", 5);
	fdt_property_u32(fdt, "cell", 7);
	fdt_property_u64(fdt, "wide", 1ULL << 40);
	fdt_property_string(fdt, "no-text", "");
	fdt_property(fdt, "bytes", "\0\1\2", 3);
	fdt_property(fdt, "not-text", "a\nb", 4);
	fdt_property(fdt, "no-strings", "\0a\0", 3);
	fdt_begin_node(fdt, "sub@1");
	fdt_property_u32(fdt, "x", 0xffffffff);
	fdt_end_node(fdt);
}

TEST_F(tree, each_kind_of_property_as_source)
{
	add_kinds(self->buf);
	ASSERT_EQ(0, finish(self)) TH_LOG("%s", self->err.text);
	tree_print_dts(self->buf, "top", self->out);
	fflush(self->out);
	EXPECT_STREQ("\ttop {\n"
		     "\t\tempty;\n"
		     "\t\tone = \"a \\\"b\\\" \\\\c\";\n"
		     "\t\ttwo = \"ab\", \"c\";\n"
		     "\t\tcell = <0x07>;\n"
		     "\t\twide = <0x100 0x00>;\n"
		     "\t\tno-text = [00];\n"
		     "\t\tbytes = [00 01 02];\n"
		     "\t\tnot-text = <0x610a6200>;\n"
		     "\t\tno-strings = [00 61 00];\n"
		     "\t\tsub@1 {\n"
		     "\t\t\tx = <0xffffffff>;\n"
		     "\t\t};\n"
		     "\t};\n", self->text);
}

TEST_F(tree, each_kind_of_property_as_json)
{
	struct json_object *obj, *want;

	add_kinds(self->buf);
	ASSERT_EQ(0, finish(self));
	obj = tree_to_json(self->buf, 0);
	want = json_tokener_parse("{\"empty\":\"\",\n"
				  "\"one\":\"a \\\"b\\\" \\\\c\",\n"
				  "\"two\":[\"ab\",\"c\"],\"cell\":7,\n"
				  "\"wide\":1099511627776,\n"
				  "\"no-text\":\"\",\"bytes\":\"000102\",\n"
				  "\"not-text\":1628070400,\n"
				  "\"no-strings\":\"006100\",\n"
				  "\"sub@1\":{\"x\":4294967295}}\n");
	ASSERT_NE(NULL, want);
	/* In the tree's order, too. */
	EXPECT_STREQ(json_object_to_json_string(want),
		     json_object_to_json_string(obj));
	json_object_put(want);
	json_object_put(obj);
}

TEST_F(tree, a_line_of_text)
{
	static const char *const want[] = {
		"empty=", "one=a \"b\" \\c", "two=ab,c", "cell=7",
		"wide=1099511627776", "no-text=", "bytes=000102", "not-text=1628070400",
		"no-strings=006100",
	};
	int prop;
	u32 i = 0;

	add_kinds(self->buf);
	ASSERT_EQ(0, finish(self));
	fdt_for_each_property_offset(prop, self->buf, 0) {
		rewind(self->out);
		tree_print_property(self->buf, prop, self->out);
		fflush(self->out);
		self->text[self->len] = 0;
		ASSERT_LT(i, ARRAY_SIZE(want));
		EXPECT_STREQ(want[i++], self->text);
	}
}

TEST_F(tree, texts_of_a_tree)
{
	fdt_property_string(self->buf, "good", "text");
	fdt_property(self->buf, "bell", "a\7", 3);
	fdt_property(self->buf, "open", "abc", 3);
	fdt_property(self->buf, "none", NULL, 0);
	ASSERT_EQ(0, finish(self));
	EXPECT_STREQ("text", tree_text(self->buf, "/", "good"));
	EXPECT_STREQ("?", tree_text(self->buf, "/", "bell"));
	EXPECT_STREQ("?", tree_text(self->buf, "/", "open"));
	EXPECT_STREQ("?", tree_text(self->buf, "/", "none"));
	EXPECT_STREQ("?", tree_text(self->buf, "/", "absent"));
	EXPECT_STREQ("?", tree_text(self->buf, "/absent", "good"));
}

TEST_F(tree, names_that_are_no_text_are_refused)
{
	fdt_begin_node(self->buf, "a\33[2J");
	fdt_end_node(self->buf);
	EXPECT_EQ(-EINVAL, finish(self));
	EXPECT_NE('\0', self->err.text[0]);
}

TEST_F(tree, properties_whose_names_are_no_text_are_refused)
{
	fdt_property_u32(self->buf, "a\r", 1);
	EXPECT_EQ(-EINVAL, finish(self));
}

TEST_F(tree, a_tree_that_is_too_deep_is_refused)
{
	u32 depth;

	for (depth = 0; depth < 40; depth++)
		fdt_begin_node(self->buf, "n");
	for (depth = 0; depth < 40; depth++)
		fdt_end_node(self->buf);
	EXPECT_EQ(-EINVAL, finish(self));
}

/* Whatever passes the check can be shown. */
TEST_F(tree, damaged_trees_are_refused_or_shown)
{
	struct test_random rnd;
	u64 copy[SIZE / 8];
	u32 round, size, shown = 0;

	test_random_init(&rnd);
	add_kinds(self->buf);
	ASSERT_EQ(0, finish(self));
	size = fdt_totalsize(self->buf);
	for (round = 0; round < 20000; round++) {
		memcpy(copy, self->buf, size);
		((u8 *)copy)[test_random_below(&rnd, size)] ^=
			(u8)(1 << test_random_below(&rnd, 8));
		if (tree_check(copy, size, &self->err)) {
			ASSERT_NE('\0', self->err.text[0]);
			continue;
		}
		shown++;
		rewind(self->out);
		tree_print_dts(copy, "top", self->out);
		json_object_put(tree_to_json(copy, 0));
	}
	EXPECT_LT(100, shown);
	EXPECT_NE(0, tree_check(copy, 8, &self->err));
	EXPECT_NE(0, tree_check(copy, 0, &self->err));
}

TEST(bytes_for_a_person)
{
	char buf[32];

	EXPECT_STREQ("0 B", progress_bytes(0, buf, sizeof(buf)));
	EXPECT_STREQ("1023 B", progress_bytes(1023, buf, sizeof(buf)));
	EXPECT_STREQ("1.0 KiB", progress_bytes(1024, buf, sizeof(buf)));
	EXPECT_STREQ("1.5 MiB", progress_bytes(3 << 19, buf, sizeof(buf)));
	EXPECT_STREQ("1023.9 GiB", progress_bytes((1ULL << 40) - 1, buf,
						  sizeof(buf)));
	EXPECT_STREQ("15.9 EiB", progress_bytes(UINT64_MAX, buf, sizeof(buf)));
}

TEST_HARNESS_MAIN
