// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/state_tree.c: trees that are right, and all ways to be wrong
 */
#include "tests/lib/harness.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/state_tree.h"
#include "tests/lib/state_random.h"

struct inner_state {
	u16 id;
	u16 words[3];
	u32 depth;
	u32 pad;
};

struct outer_state {
	u64 big;
	u32 number;
	u8 mode;
	u8 bytes[7];
	u32 list_nr;
	u32 list[4];
	u32 blob_nr;
	u8 blob[16];
	u32 late;
	u32 inners_nr;
	struct inner_state inners[20];
	struct inner_state single;
	u64 even_later[2];
};

static const struct state_field inner_fields[] = {
	STATE_U16(struct inner_state, id, "id", 1, 100),
	STATE_INTS(STATE_KIND_U16, struct inner_state, words, "words", 0, 9),
	STATE_U32(struct inner_state, depth, "depth", 0, UINT32_MAX),
	STATE_U32(struct inner_state, pad, "pad", 0, 0),
};

static const struct state_desc inner_desc =
	STATE_DESC("lkvm,inner-v1", struct inner_state, inner_fields);

static const struct state_field outer_fields[] = {
	STATE_U64(struct outer_state, big, "big", 0, UINT64_MAX),
	STATE_U32(struct outer_state, number, "number", 5, 10),
	STATE_U8(struct outer_state, mode, "mode", 0, 2),
	STATE_BYTES(struct outer_state, bytes, "bytes"),
	STATE_INTS_COUNTED(STATE_KIND_U32, struct outer_state, list, list_nr,
			   "list", 0, 1000),
	STATE_BYTES_COUNTED(struct outer_state, blob, blob_nr, "blob"),
	{
		.name = "late", .kind = STATE_KIND_U32,
		.offset = offsetof(struct outer_state, late), .capacity = 1,
		.count_offset = STATE_NO_COUNT, .max = 100, .optional = true,
		.def = 42,
	},
	STATE_STRUCTS(struct outer_state, inners, inners_nr, "inner",
		      &inner_desc),
	STATE_STRUCT(struct outer_state, single, "single", &inner_desc),
	{
		.name = "even-later", .kind = STATE_KIND_U64,
		.offset = offsetof(struct outer_state, even_later),
		.capacity = 2, .count_offset = STATE_NO_COUNT, .max = 100,
		.optional = true, .def = 7,
	},
};

static const struct state_desc outer_desc =
	STATE_DESC("lkvm,outer-v1", struct outer_state, outer_fields);

FIXTURE(tree) {
	struct outer_state s;
	struct outer_state back;
	struct tree_writer w;
	struct error err;
	void *blob;
	void *edit;
	u32 len;
	u32 edit_len;
	int node;
};

FIXTURE_SETUP(tree)
{
	memset(&self->err, 0, sizeof(self->err));
	memset(&self->s, 0, sizeof(self->s));
	self->blob = NULL;
	self->s.big = 0x1122334455667788;
	self->s.number = 7;
	self->s.mode = 1;
	memcpy(self->s.bytes, "abcdefg", 7);
	self->s.list_nr = 2;
	self->s.list[0] = 1000;
	self->s.list[1] = 1;
	self->s.blob_nr = 3;
	memcpy(self->s.blob, "xyz", 3);
	self->s.late = 1;
	self->s.inners_nr = 18;
	for (self->len = 0; self->len < 18; self->len++)
		self->s.inners[self->len].id = (u16)(self->len + 1);
	self->s.single.id = 100;
	tree_begin(&self->w);
	ASSERT_EQ(0, state_encode(&outer_desc, &self->s, &self->w, "dev0",
				  &self->err));
	ASSERT_EQ(0, tree_finish(&self->w, &self->blob, &self->len,
				 &self->err));
	self->edit_len = self->len + 4096;
	self->edit = malloc(self->edit_len);
	ASSERT_EQ(0, fdt_open_into(self->blob, self->edit,
				   (int)self->edit_len));
	self->node = fdt_path_offset(self->edit, "/dev0");
	ASSERT_LE(0, self->node);
}

FIXTURE_TEARDOWN(tree)
{
	free(self->blob);
	free(self->edit);
}

#define DECODE() ({							\
	int __ret = state_tree_check(self->edit, self->edit_len,	\
				     &self->err);			\
	self->node = fdt_path_offset(self->edit, "/dev0");		\
	if (!__ret)							\
		__ret = state_decode(&outer_desc, self->edit, self->node, \
				     &self->back, &self->err);		\
	__ret; })

/* Refused, and the text has both words: the place and the reason. */
#define EXPECT_REFUSED(where, why) do {					\
	EXPECT_GT(0, DECODE());						\
	EXPECT_NE(NULL, strstr(self->err.text, where)) {		\
		TH_LOG("%s", self->err.text);				\
	}								\
	EXPECT_NE(NULL, strstr(self->err.text, why)) {			\
		TH_LOG("%s", self->err.text);				\
	}								\
} while (0)

TEST_F(tree, what_is_written_is_read)
{
	ASSERT_EQ(0, DECODE()) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_EQ(0, memcmp(&self->s, &self->back, sizeof(self->s)));
}

TEST_F(tree, cells_are_big_endian)
{
	static const u8 big[] = { 0x11, 0x22, 0x33, 0x44,
				  0x55, 0x66, 0x77, 0x88 };
	int len;
	const void *at = fdt_getprop(self->edit, self->node, "big", &len);

	ASSERT_EQ(8, len);
	EXPECT_EQ(0, memcmp(at, big, 8));
	at = fdt_getprop(self->edit, self->node, "list", &len);
	ASSERT_EQ(8, len);
	EXPECT_EQ(0, memcmp(at, "\0\0\x03\xe8\0\0\0\x01", 8));
	EXPECT_LE(0, fdt_path_offset(self->edit, "/dev0/inner@11"));
}

TEST_F(tree, random_states_survive)
{
	struct test_random rnd;
	int i;

	test_random_init(&rnd);
	for (i = 0; i < 200; i++) {
		void *blob, *back;
		u32 len;
		int node;

		test_state_random(&rnd, &outer_desc, &self->s);
		tree_begin(&self->w);
		ASSERT_EQ(0, state_encode(&outer_desc, &self->s, &self->w, "d",
					  &self->err));
		ASSERT_EQ(0, tree_finish(&self->w, &blob, &len, &self->err));
		ASSERT_EQ(0, state_tree_check(blob, len, &self->err));
		node = fdt_path_offset(blob, "/d");
		ASSERT_EQ(0, state_decode_new(&outer_desc, blob, node, &back,
					      &self->err));
		ASSERT_EQ(0, memcmp(&self->s, back, sizeof(self->s)));
		free(back);
		free(blob);
	}
}

TEST_F(tree, a_missing_property)
{
	ASSERT_EQ(0, fdt_delprop(self->edit, self->node, "number"));
	EXPECT_REFUSED("/dev0:", "property \"number\" is missing");
}

TEST_F(tree, missing_optional_properties_get_their_defaults)
{
	ASSERT_EQ(0, fdt_delprop(self->edit, self->node, "late"));
	ASSERT_EQ(0, fdt_delprop(self->edit, self->node, "even-later"));
	ASSERT_EQ(0, DECODE());
	EXPECT_EQ(42, self->back.late);
	EXPECT_EQ(7, self->back.even_later[0]);
	EXPECT_EQ(7, self->back.even_later[1]);
}

TEST_F(tree, an_unknown_property)
{
	fdt_setprop_u32(self->edit, self->node, "extra", 1);
	EXPECT_REFUSED("/dev0:", "property \"extra\" is not known");
}

TEST_F(tree, a_property_named_like_a_node)
{
	fdt_setprop_u32(self->edit, self->node, "inner", 1);
	EXPECT_REFUSED("/dev0:", "property \"inner\" is not known");
}

TEST_F(tree, a_doubled_property)
{
	free(self->edit);
	tree_begin(&self->w);
	tree_node_begin(&self->w, "dev0");
	tree_property_string(&self->w, "compatible", "lkvm,outer-v1");
	tree_property_u64(&self->w, "big", 1);
	tree_property_u64(&self->w, "big", 1);
	tree_node_end(&self->w);
	ASSERT_EQ(0, tree_finish(&self->w, &self->edit, &self->edit_len,
				 &self->err));
	EXPECT_REFUSED("/dev0:", "property \"big\" is there twice");
}

TEST_F(tree, a_doubled_compatible)
{
	free(self->edit);
	tree_begin(&self->w);
	tree_node_begin(&self->w, "dev0");
	tree_property_string(&self->w, "compatible", "lkvm,outer-v1");
	tree_property_string(&self->w, "compatible", "lkvm,outer-v1");
	tree_node_end(&self->w);
	ASSERT_EQ(0, tree_finish(&self->w, &self->edit, &self->edit_len,
				 &self->err));
	EXPECT_REFUSED("/dev0:", "property \"compatible\" is there twice");
}

TEST_F(tree, another_compatible)
{
	fdt_setprop_string(self->edit, self->node, "compatible",
			   "lkvm,outer-v2");
	EXPECT_REFUSED("\"lkvm,outer-v2\"", "is not \"lkvm,outer-v1\"");
	fdt_setprop(self->edit, self->node, "compatible", "lkvm,outer-v1", 13);
	EXPECT_REFUSED("/dev0:", "compatible");
	fdt_setprop(self->edit, self->node, "compatible",
		    "lkvm,outer-v1\0x", 16);
	EXPECT_REFUSED("/dev0:", "compatible");
	fdt_setprop(self->edit, self->node, "compatible", NULL, 0);
	EXPECT_REFUSED("/dev0:", "compatible");
	fdt_delprop(self->edit, self->node, "compatible");
	EXPECT_REFUSED("/dev0:", "\"compatible\" is missing");
}

TEST_F(tree, wrong_lengths)
{
	fdt_setprop(self->edit, self->node, "number", "\0\0\7", 3);
	EXPECT_REFUSED("\"number\"", "not a multiple of 4");
	fdt_setprop_u64(self->edit, self->node, "number", 7);
	EXPECT_REFUSED("\"number\"", "has 2 elements, must have 1");
	fdt_setprop(self->edit, self->node, "number", NULL, 0);
	EXPECT_REFUSED("\"number\"", "has 0 elements, must have 1");
	fdt_setprop_u32(self->edit, self->node, "number", 7);
	fdt_setprop(self->edit, self->node, "bytes", "123456", 6);
	EXPECT_REFUSED("\"bytes\"", "has 6 elements, must have 7");
}

TEST_F(tree, too_many_elements)
{
	static const u8 zeros[32];

	fdt_setprop(self->edit, self->node, "list", zeros, 20);
	EXPECT_REFUSED("\"list\"", "has 5 elements, can have 4");
	fdt_setprop(self->edit, self->node, "list", zeros, 16);
	fdt_setprop(self->edit, self->node, "blob", zeros, 17);
	EXPECT_REFUSED("\"blob\"", "has 17 elements, can have 16");
	fdt_setprop(self->edit, self->node, "blob", zeros, 0);
	fdt_setprop(self->edit, self->node, "list", zeros, 0);
	EXPECT_EQ(0, DECODE());
	EXPECT_EQ(0, self->back.list_nr);
	EXPECT_EQ(0, self->back.blob_nr);
}

TEST_F(tree, values_out_of_range)
{
	fdt_setprop_u32(self->edit, self->node, "number", 4);
	EXPECT_REFUSED("\"number\"", "0x4 is below 0x5");
	fdt_setprop_u32(self->edit, self->node, "number", 11);
	EXPECT_REFUSED("\"number\"", "0xb is above 0xa");
	fdt_setprop_u32(self->edit, self->node, "number", 10);
	fdt_setprop(self->edit, self->node, "list", "\0\0\0\0\0\0\3\xe9", 8);
	EXPECT_REFUSED("\"list\"", "element 1: 0x3e9 is above 0x3e8");
}

TEST_F(tree, values_out_of_range_in_a_nested_node)
{
	int inner = fdt_path_offset(self->edit, "/dev0/inner@b");

	fdt_setprop(self->edit, inner, "id", "\0\0", 2);
	EXPECT_REFUSED("/dev0/inner@b:", "\"id\": 0 is below 0x1");
}

static void rename_node(void *fdt, const char *path, const char *name)
{
	int node = fdt_path_offset(fdt, path);

	fdt_set_name(fdt, node, name);
}

TEST_F(tree, sub_node_indexes)
{
	static const struct {
		const char *name;
		const char *why;
	} cases[] = {
		{ "inner@14", "not a number below 0x14" },
		{ "inner@ffffffff", "not a number below 0x14" },
		{ "inner@100000000", "not a number below 0x14" },
		{ "inner@", "not a number below 0x14" },
		{ "inner@-1", "not a number below 0x14" },
		{ "inner@05", "not a number below 0x14" },
		{ "inner@0x5", "not a number below 0x14" },
		{ "inner@B", "not a number below 0x14" },
		{ "inner@5,1", "not a number below 0x14" },
		{ "inner@4", "is there twice" },
		{ "inner@6", "those before it are missing" },
		{ "inner", "is not known" },
		{ "inners@5", "is not known" },
		{ "inne@5", "is not known" },
		{ "number@5", "is not known" },
		{ "x", "is not known" },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		rename_node(self->edit, "/dev0/inner@5", cases[i].name);
		EXPECT_REFUSED("/dev0", cases[i].why);
		free(self->edit);
		self->edit = malloc(self->edit_len);
		fdt_open_into(self->blob, self->edit, (int)self->edit_len);
	}
	EXPECT_EQ(0, DECODE());
}

TEST_F(tree, a_missing_single_node)
{
	fdt_del_node(self->edit, fdt_path_offset(self->edit, "/dev0/single@0"));
	EXPECT_REFUSED("/dev0:", "node \"single\" is missing");
}

TEST_F(tree, fewer_nodes_is_a_smaller_count)
{
	fdt_del_node(self->edit, fdt_path_offset(self->edit, "/dev0/inner@11"));
	EXPECT_EQ(0, DECODE());
	EXPECT_EQ(17, self->back.inners_nr);
}

TEST_F(tree, a_nested_node_with_a_sub_node)
{
	fdt_add_subnode(self->edit,
			fdt_path_offset(self->edit, "/dev0/single@0"), "x");
	EXPECT_REFUSED("/dev0/single@0:", "node \"x\" is not known");
}

TEST_F(tree, names_of_hostile_trees_do_not_reach_the_terminal_raw)
{
	fdt_setprop_u32(self->edit, self->node, "a\033[2Jb", 1);
	EXPECT_REFUSED("a?[2Jb", "is not known");
}

TEST_F(tree, a_property_after_a_sub_node)
{
	u32 *words;
	int off;

	free(self->edit);
	tree_begin(&self->w);
	tree_node_begin(&self->w, "dev0");
	tree_property_u32(&self->w, "p", 1);
	tree_node_begin(&self->w, "x");
	tree_node_end(&self->w);
	tree_node_begin(&self->w, "yyy");
	tree_node_end(&self->w);
	tree_node_end(&self->w);
	ASSERT_EQ(0, tree_finish(&self->w, &self->edit, &self->edit_len,
				 &self->err));
	ASSERT_EQ(0, state_tree_check(self->edit, self->edit_len, &self->err));
	/* The three words of node "yyy" become a "p" without value. */
	off = fdt_path_offset(self->edit, "/dev0/yyy");
	words = (u32 *)((u8 *)self->edit + fdt_off_dt_struct(self->edit) + off);
	words[0] = cpu_to_fdt32(FDT_PROP);
	words[1] = 0;
	words[2] = 0;
	EXPECT_REFUSED("device tree", "follows a sub-node");
}

TEST_F(tree, truncated_and_altered_trees_never_harm)
{
	struct test_random rnd;
	u8 *bad = malloc(self->len);
	u32 cut, i;

	test_random_init(&rnd);
	for (cut = 0; cut < self->len; cut++) {
		u8 *part = malloc(cut ? cut : 1);

		memcpy(part, self->blob, cut);
		EXPECT_GT(0, state_tree_check(part, cut, &self->err));
		free(part);
	}
	for (i = 0; i < 20000; i++) {
		u32 flips = (u32)test_random_below(&rnd, 4) + 1;
		int node;

		memcpy(bad, self->blob, self->len);
		while (flips--)
			bad[test_random_below(&rnd, self->len)] ^=
				(u8)(1 << test_random_below(&rnd, 8));
		if (state_tree_check(bad, self->len, &self->err) < 0)
			continue;
		node = fdt_path_offset(bad, "/dev0");
		if (node >= 0 && !state_decode(&outer_desc, bad, node,
					       &self->back, &self->err))
			EXPECT_EQ(0, state_check(&outer_desc, &self->back, "d",
						 &self->err));
	}
	free(bad);
}

TEST_F(tree, deep_trees_are_refused)
{
	int i;

	free(self->edit);
	tree_begin(&self->w);
	for (i = 0; i < 20; i++)
		tree_node_begin(&self->w, "n");
	for (i = 0; i < 20; i++)
		tree_node_end(&self->w);
	ASSERT_EQ(0, tree_finish(&self->w, &self->edit, &self->edit_len,
				 &self->err));
	EXPECT_EQ(-EINVAL, state_tree_check(self->edit, self->edit_len,
					    &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "levels"));
}

TEST_F(tree, a_state_that_could_not_be_loaded_is_not_saved)
{
	tree_begin(&self->w);
	self->s.number = 4;
	EXPECT_EQ(-ERANGE, state_encode(&outer_desc, &self->s, &self->w,
					"dev0", &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "dev0: property \"number\""));
	self->s.number = 5;
	self->s.list_nr = 5;
	EXPECT_EQ(-ERANGE, state_encode(&outer_desc, &self->s, &self->w,
					"dev0", &self->err));
	self->s.list_nr = 2;
	self->s.list[2] = 1;
	EXPECT_EQ(-EINVAL, state_encode(&outer_desc, &self->s, &self->w,
					"dev0", &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "beyond its 2 elements"));
	self->s.list[2] = 0;
	self->s.inners[17].words[2] = 10;
	EXPECT_EQ(-ERANGE, state_encode(&outer_desc, &self->s, &self->w,
					"dev0", &self->err));
	EXPECT_NE(NULL, strstr(self->err.text,
			       "dev0/inner@11: property \"words\": element 2"));
	tree_abandon(&self->w);
}

TEST_F(tree, large_trees_grow)
{
	u32 len, i;
	void *blob;
	u8 *at;

	tree_begin(&self->w);
	for (i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "node@%x", i);
		tree_node_begin(&self->w, name);
		at = tree_property(&self->w, "data", 100000);
		ASSERT_NE(NULL, at);
		memset(at, (int)i, 100000);
		tree_node_end(&self->w);
	}
	ASSERT_EQ(0, tree_finish(&self->w, &blob, &len, &self->err));
	EXPECT_LT(5000000, len);
	ASSERT_EQ(0, state_tree_check(blob, len, &self->err));
	at = (u8 *)(uintptr_t)fdt_getprop(blob,
					  fdt_path_offset(blob, "/node@31"),
					  "data", NULL);
	ASSERT_NE(NULL, at);
	EXPECT_EQ(49, at[99999]);
	free(blob);
	tree_begin(&self->w);
	EXPECT_EQ(NULL, tree_property(&self->w, "data", 1 << 30));
	EXPECT_EQ(-E2BIG, tree_finish(&self->w, &blob, &len, &self->err));
}

TEST_F(tree, the_schema_as_text)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	state_schema_write(&outer_desc, out);
	fclose(out);
	EXPECT_STREQ("compatible \"lkvm,outer-v1\"\n"
		     "big u64 0..0xffffffffffffffff\n"
		     "number u32 0x5..0xa\n"
		     "mode u8 0..0x2\n"
		     "bytes bytes[7]\n"
		     "list u32[0..4] 0..0x3e8\n"
		     "blob bytes[0..16]\n"
		     "late u32 0..0x64 default 0x2a\n"
		     "inner node[0..20]\n"
		     "    compatible \"lkvm,inner-v1\"\n"
		     "    id u16 0x1..0x64\n"
		     "    words u16[3] 0..0x9\n"
		     "    depth u32 0..0xffffffff\n"
		     "    pad u32 0..0\n"
		     "single node\n"
		     "    compatible \"lkvm,inner-v1\"\n"
		     "    id u16 0x1..0x64\n"
		     "    words u16[3] 0..0x9\n"
		     "    depth u32 0..0xffffffff\n"
		     "    pad u32 0..0\n"
		     "even-later u64[2] 0..0x64 default 0x7\n", text);
	free(text);
}

TEST_HARNESS_MAIN
