// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: options: parsing, ranges, messages, and the way through a tree
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"
#include "vmm/base/tree_writer.h"
#include "vmm/option.h"

#define TREE_SIZE	65536

struct thing {
	char *file;
	char *serial;
	bool ro;
	bool sync;
	u32 queues;
	u32 bs;
	u64 size;
	u32 cache;
	struct option_list ns;
};

static const char *const cache_words[] = { "none", "writeback", "unsafe", NULL };

static const struct option_desc thing_opts[] = {
	{
		.name = "file", .arg = "FILE", .help = "image",
		.type = OPTION_STRING, .scope = OPTION_HOST,
		.offset = offsetof(struct thing, file), .min = 1,
		.required = true,
	}, {
		.name = "serial", .arg = "S", .help = "serial number",
		.type = OPTION_STRING, .scope = OPTION_GUEST,
		.offset = offsetof(struct thing, serial), .min = 1, .max = 20,
		.def_str = "0001",
	}, {
		.name = "ro", .help = "read-only",
		.type = OPTION_BOOL, .scope = OPTION_GUEST,
		.offset = offsetof(struct thing, ro),
	}, {
		.name = "sync", .help = "synchronous",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct thing, sync), .def = 1,
	}, {
		.name = "queues", .arg = "N", .help = "queue pairs",
		.type = OPTION_U32, .scope = OPTION_GUEST,
		.offset = offsetof(struct thing, queues),
		.min = 1, .max = 4096, .def = 64,
	}, {
		.name = "any", .arg = "N", .help = "any number",
		.type = OPTION_U32, .scope = OPTION_HOST,
		.offset = offsetof(struct thing, bs),
	}, {
		.name = "size", .arg = "SIZE", .help = "how big",
		.type = OPTION_SIZE, .scope = OPTION_GUEST,
		.offset = offsetof(struct thing, size), .unit = MIB,
		.min = 4096, .max = 4 * GIB, .def = 64 * MIB,
	}, {
		.name = "cache", .arg = "MODE", .help = "who caches",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.offset = offsetof(struct thing, cache), .words = cache_words,
		.def = 1,
	}, {
		.name = "ns", .arg = "FILE", .help = "more",
		.type = OPTION_LIST, .scope = OPTION_HOST,
		.offset = offsetof(struct thing, ns), .min = 1, .max = 100,
	},
};

static const struct option_table thing_table = {
	.name = "thing", .config_size = sizeof(struct thing),
	.positional = "file", .opts = thing_opts, .nr = ARRAY_SIZE(thing_opts),
};

FIXTURE(option)
{
	struct thing *c;
	struct error err;
};

FIXTURE_SETUP(option)
{
	self->c = option_config_new(&thing_table);
	ASSERT_NE(NULL, self->c);
}

FIXTURE_TEARDOWN(option)
{
	option_config_free(&thing_table, self->c);
}

#define PARSE(text) option_parse(&thing_table, self->c, text, &self->err)

/* The message has this in it, and is one line. */
#define EXPECT_SAYS(what)						\
	do {								\
		EXPECT_NE(NULL, strstr(self->err.text, what))		\
			TH_LOG("message: %s", self->err.text);		\
		EXPECT_EQ(NULL, strchr(self->err.text, '\n'));		\
	} while (0)

TEST_F(option, defaults)
{
	EXPECT_EQ(NULL, self->c->file);
	EXPECT_STREQ("0001", self->c->serial);
	EXPECT_FALSE(self->c->ro);
	EXPECT_TRUE(self->c->sync);
	EXPECT_EQ(64, self->c->queues);
	EXPECT_EQ(64 * MIB, self->c->size);
	EXPECT_EQ(1, self->c->cache);
	EXPECT_EQ(0, self->c->ns.nr);
}

TEST_F(option, positional_word_and_keys)
{
	ASSERT_EQ(0, PARSE("disk.img,ro,serial=abc,queues=0x10,size=2G"));
	ASSERT_EQ(0, PARSE("cache=none,sync=off,ns=a,ns=b"));
	EXPECT_STREQ("disk.img", self->c->file);
	EXPECT_STREQ("abc", self->c->serial);
	EXPECT_TRUE(self->c->ro);
	EXPECT_FALSE(self->c->sync);
	EXPECT_EQ(16, self->c->queues);
	EXPECT_EQ(2 * GIB, self->c->size);
	EXPECT_EQ(0, self->c->cache);
	ASSERT_EQ(2, self->c->ns.nr);
	EXPECT_STREQ("a", self->c->ns.v[0]);
	EXPECT_STREQ("b", self->c->ns.v[1]);
	EXPECT_EQ(0, option_check(&thing_table, self->c, &self->err));
}

TEST_F(option, positional_word_only_in_front)
{
	EXPECT_EQ(-EINVAL, PARSE("ro=on,disk.img"));
	EXPECT_SAYS("thing: disk.img: no such option");
}

TEST_F(option, doubled_comma_is_a_comma)
{
	ASSERT_EQ(0, PARSE("a,,b,,,serial=x,,y"));
	EXPECT_STREQ("a,b,", self->c->file);
	EXPECT_STREQ("x,y", self->c->serial);
}

TEST_F(option, last_value_counts)
{
	ASSERT_EQ(0, PARSE("a,file=b,queues=1,queues=2,ro,ro=no"));
	EXPECT_STREQ("b", self->c->file);
	EXPECT_EQ(2, self->c->queues);
	EXPECT_FALSE(self->c->ro);
}

TEST_F(option, empty_text_sets_nothing)
{
	EXPECT_EQ(0, PARSE(""));
	EXPECT_EQ(-EINVAL, option_check(&thing_table, self->c, &self->err));
	EXPECT_SAYS("thing: file: missing, give file=FILE");
}

TEST_F(option, empty_items_are_refused)
{
	EXPECT_EQ(-EINVAL, PARSE("a,"));
	EXPECT_SAYS("an option is empty");
	EXPECT_EQ(-EINVAL, PARSE(",ro"));
	EXPECT_EQ(-EINVAL, PARSE(","));
}

TEST_F(option, file_name_with_equals)
{
	EXPECT_EQ(-EINVAL, PARSE("a=b.img"));
	EXPECT_SAYS("give file=a=");
	EXPECT_EQ(0, PARSE("file=a=b.img"));
	EXPECT_STREQ("a=b.img", self->c->file);
}

TEST_F(option, every_refusal_names_option_value_and_remedy)
{
	static const struct {
		const char *text;
		const char *says[3];
	} bad[] = {
		{ "x,queues=0", { "thing: queues=0:", "1 to 4096" } },
		{ "x,queues=4097", { "queues=4097", "1 to 4096" } },
		{ "x,queues=-1", { "queues=-1", "not a number" } },
		{ "x,queues=", { "queues=", "not a number" } },
		{ "x,queues=1k", { "queues=1k", "not a number" } },
		{ "x,queues=0x", { "queues=0x", "not a number" } },
		{ "x,queues= 1", { "queues= 1", "not a number" } },
		{ "x,queues", { "thing: queues", "needs a value, give queues=N" } },
		{ "x,any=4294967296", { "any=4294967296", "0 to 4294967295" } },
		{ "x,any=18446744073709551616",
		  { "any=18446744073709551616", "out of range" } },
		{ "x,size=4095B", { "size=4095B", "4K to 4G" } },
		{ "x,size=5G", { "size=5G", "4K to 4G" } },
		{ "x,size=1KB", { "size=1KB", "not a size" } },
		{ "x,size=20000000000000T", { "out of range" } },
		{ "x,ro=maybe", { "ro=maybe", "give on or off" } },
		{ "x,cache=wb", { "cache=wb", "none, writeback or unsafe" } },
		{ "x,serial=", { "serial=", "at least 1 character" } },
		{ "x,serial=123456789012345678901",
		  { "21 characters are too many", "at most 20" } },
		{ "x,serial=a\nb", { "serial=a?b", "control character" } },
		{ "x,ns=", { "ns=", "at least 1 character" } },
		{ "x,color=red", { "color: no such option", "serial, ro" } },
		{ "x,\033[2J=1", { "?[2J: no such option" } },
	};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, PARSE(bad[i].text))
			TH_LOG("text: %s", bad[i].text);
		for (k = 0; k < 3 && bad[i].says[k]; k++)
			EXPECT_SAYS(bad[i].says[k]);
	}
}

TEST_F(option, list_is_bounded)
{
	int i;

	for (i = 0; i < OPTION_LIST_MAX; i++)
		ASSERT_EQ(0, PARSE("ns=a"));
	EXPECT_EQ(-EINVAL, PARSE("ns=a"));
	EXPECT_SAYS("more than 256 times");
}

TEST_F(option, long_value_is_cut_in_message)
{
	char text[9000] = "queues=";

	memset(text + 7, '9', 8000);
	EXPECT_EQ(-EINVAL, PARSE(text));
	EXPECT_SAYS("out of range");
	memset(text, 'k', 8000);
	EXPECT_EQ(-EINVAL, PARSE(text));
	memcpy(text, "ns=", 3);
	EXPECT_EQ(-EINVAL, PARSE(text));
	EXPECT_SAYS("too many");
}

TEST_F(option, command_line_tables_say_dashes)
{
	struct option_table table = thing_table;

	table.dashes = true;
	EXPECT_EQ(-EINVAL, option_set(&table, self->c, "queues", "0",
				      &self->err));
	EXPECT_SAYS("--queues=0");
	EXPECT_EQ(-EINVAL, option_check(&table, self->c, &self->err));
	EXPECT_SAYS("give --file=FILE");
}

TEST_F(option, string_by_name)
{
	ASSERT_EQ(0, PARSE("disk.img"));
	EXPECT_STREQ("disk.img",
		     option_get_string(&thing_table, self->c, "file"));
	EXPECT_EQ(NULL, option_get_string(&thing_table, self->c, "queues"));
	EXPECT_EQ(NULL, option_get_string(&thing_table, self->c, "nothing"));
}

TEST(sizes)
{
	static const struct {
		const char *text;
		u64 unit;
		int ret;
		u64 bytes;
	} sizes[] = {
		{ "0", 0, 0, 0 },
		{ "1", 0, 0, 1 },
		{ "512", MIB, 0, 512 * MIB },
		{ "512b", MIB, 0, 512 },
		{ "1k", MIB, 0, KIB },
		{ "3M", 0, 0, 3 * MIB },
		{ "2g", 0, 0, 2 * GIB },
		{ "1T", 0, 0, 1024 * GIB },
		{ "1P", 0, 0, 1024 * 1024 * GIB },
		{ "0x10", MIB, 0, 16 * MIB },
		{ "0x10k", MIB, 0, 16 * KIB },
		{ "010", 0, 0, 10 },
		{ "18446744073709551615", 0, 0, UINT64_MAX },
		{ "18446744073709551616", 0, -ERANGE, 0 },
		{ "16384P", 0, -ERANGE, 0 },
		{ "17592186044416", MIB, -ERANGE, 0 },
		{ "", 0, -EINVAL, 0 },
		{ "M", 0, -EINVAL, 0 },
		{ "1Q", 0, -EINVAL, 0 },
		{ "1MB", 0, -EINVAL, 0 },
		{ "1.5G", 0, -EINVAL, 0 },
		{ "-1", 0, -EINVAL, 0 },
		{ "+1", 0, -EINVAL, 0 },
		{ " 1", 0, -EINVAL, 0 },
		{ "1 ", 0, -EINVAL, 0 },
		{ "0x", 0, -EINVAL, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 bytes = 0;
		int ret = option_parse_size(sizes[i].text, sizes[i].unit, &bytes);

		EXPECT_EQ(sizes[i].ret, ret)
			TH_LOG("text: \"%s\"", sizes[i].text);
		if (!ret)
			EXPECT_EQ(sizes[i].bytes, bytes)
				TH_LOG("text: \"%s\"", sizes[i].text);
	}
}

/* A tree with one node "n" that holds the options of one scope. */
static void save(const struct thing *c, enum option_scope scope, void *tree)
{
	struct error err = ERROR_INIT;
	struct tree_writer w;
	void *blob;
	u32 len;
	int ret;

	tree_begin(&w);
	tree_node_begin(&w, "n");
	option_save_node(&thing_table, c, scope, &w);
	tree_node_end(&w);
	ret = tree_finish(&w, &blob, &len, &err);
	assert(!ret && len <= TREE_SIZE);
	memcpy(tree, blob, len);
	free(blob);
	assert(!fdt_check_full(tree, TREE_SIZE));
}

static int load(struct thing *c, enum option_scope scope, const void *tree,
		struct error *err)
{
	return option_load_node(&thing_table, c, scope, tree,
				fdt_path_offset(tree, "/n"), err);
}

static void draw_text(struct test_random *rnd, char *text, u64 max)
{
	u64 len = 1 + test_random_below(rnd, max), i;

	for (i = 0; i < len; i++)
		text[i] = (char)(' ' + test_random_below(rnd, 95));
	text[len] = 0;
}

TEST_F(option, random_configurations_survive_a_tree)
{
	static u8 guest[TREE_SIZE], host[TREE_SIZE], again[TREE_SIZE];
	struct test_random rnd;
	char text[101];
	int round;
	u64 n;

	test_random_init(&rnd);
	for (round = 0; round < 200; round++) {
		struct thing *c = option_config_new(&thing_table);
		struct thing *d = option_config_new(&thing_table);

		ASSERT_TRUE(c && d);
		draw_text(&rnd, text, 100);
		ASSERT_EQ(0, option_set(&thing_table, c, "file", text, NULL));
		draw_text(&rnd, text, 20);
		ASSERT_EQ(0, option_set(&thing_table, c, "serial", text, NULL));
		c->ro = test_random_below(&rnd, 2);
		c->sync = test_random_below(&rnd, 2);
		c->queues = 1 + (u32)test_random_below(&rnd, 4096);
		c->bs = (u32)test_random_u64(&rnd);
		c->size = 4096 + test_random_below(&rnd, 4 * GIB - 4095);
		c->cache = (u32)test_random_below(&rnd, 3);
		for (n = test_random_below(&rnd, 5); n; n--) {
			draw_text(&rnd, text, 100);
			ASSERT_EQ(0, option_set(&thing_table, c, "ns", text,
						NULL));
		}
		save(c, OPTION_GUEST, guest);
		save(c, OPTION_HOST, host);
		ASSERT_EQ(0, load(d, OPTION_GUEST, guest, &self->err));
		ASSERT_EQ(0, load(d, OPTION_HOST, host, &self->err));
		EXPECT_STREQ(c->file, d->file);
		EXPECT_EQ(c->size, d->size);
		save(d, OPTION_GUEST, again);
		EXPECT_EQ(0, memcmp(guest, again, fdt_totalsize(guest)));
		save(d, OPTION_HOST, again);
		EXPECT_EQ(0, memcmp(host, again, fdt_totalsize(host)));
		option_config_free(&thing_table, c);
		option_config_free(&thing_table, d);
	}
}

#define REPLACE(text)							\
	option_replace(&thing_table, self->c, text, &self->err)

TEST_F(option, host_options_are_replaced)
{
	ASSERT_EQ(0, PARSE("disk.img,serial=S1,queues=8,ns=a,ns=b,any=7"));
	ASSERT_EQ(0, REPLACE("file=other.img,sync=off,ns=c"));
	EXPECT_STREQ("other.img", self->c->file);
	EXPECT_FALSE(self->c->sync);
	EXPECT_EQ(1, self->c->ns.nr);
	EXPECT_STREQ("c", self->c->ns.v[0]);
	EXPECT_EQ(7, self->c->bs);
	EXPECT_EQ(8, self->c->queues);
	ASSERT_EQ(0, REPLACE("third.img,ns=d,ns=e"));
	EXPECT_STREQ("third.img", self->c->file);
	EXPECT_EQ(2, self->c->ns.nr);
	EXPECT_STREQ("e", self->c->ns.v[1]);
	EXPECT_STREQ("S1", self->c->serial);
}

TEST_F(option, guest_options_are_not_replaced)
{
	ASSERT_EQ(0, PARSE("disk.img,serial=S1,queues=8"));
	EXPECT_EQ(-EINVAL, REPLACE("other.img,serial=S2"));
	EXPECT_SAYS("serial");
	EXPECT_SAYS("the guest has seen it");
	EXPECT_EQ(-EINVAL, REPLACE("queues=9"));
	EXPECT_SAYS("queues");
	EXPECT_EQ(-EINVAL, REPLACE("sync,ro"));
	EXPECT_SAYS("ro: the guest has seen it");
	EXPECT_EQ(-EINVAL, REPLACE("sync,serialx=1"));
	EXPECT_SAYS("no such option");
	EXPECT_EQ(-EINVAL, REPLACE("a,"));
	EXPECT_SAYS("an option is empty");
	EXPECT_STREQ("S1", self->c->serial);
	EXPECT_EQ(8, self->c->queues);
}

TEST_F(option, absent_properties_leave_defaults)
{
	static u8 tree[TREE_SIZE];

	ASSERT_EQ(0, fdt_create_empty_tree(tree, sizeof(tree)));
	ASSERT_LT(0, fdt_add_subnode(tree, 0, "n"));
	EXPECT_EQ(0, load(self->c, OPTION_GUEST, tree, &self->err));
	EXPECT_EQ(64, self->c->queues);
	EXPECT_STREQ("0001", self->c->serial);
}

struct bad_property {
	const char *name;
	const char *value;
	int len;
	enum option_scope scope;
	const char *says;
};

#define BAD(name, bytes, scope, says) { name, bytes, sizeof(bytes) - 1, scope, says }

TEST_F(option, bad_properties_are_refused_by_name)
{
	static const struct bad_property bad[] = {
		BAD("queues", "\0\0\0\0", OPTION_GUEST, "queues=0"),
		BAD("queues", "\0\0\x10\x01", OPTION_GUEST, "queues=4097"),
		BAD("queues", "\0\0\1", OPTION_GUEST, "queues: property has 3 bytes"),
		BAD("queues", "\0\0\0\0\0\0\0\1", OPTION_GUEST, "8 bytes"),
		BAD("queues", "", OPTION_GUEST, "0 bytes"),
		BAD("queues", "\0\0\0\1", OPTION_HOST, "queues: unknown property"),
		BAD("ro", "\0\0\0\2", OPTION_GUEST, "ro=2"),
		BAD("size", "\0\0\0\0\0\0\0\1", OPTION_GUEST, "size=1"),
		BAD("size", "\0\0\0\1", OPTION_GUEST, "size: property has 4"),
		BAD("serial", "abc", OPTION_GUEST, "serial: property is not a string"),
		BAD("serial", "", OPTION_GUEST, "not a string"),
		BAD("serial", "a\0b\0", OPTION_GUEST, "more than one string"),
		BAD("serial", "\0", OPTION_GUEST, "too short"),
		BAD("serial", "123456789012345678901\0", OPTION_GUEST, "too many"),
		BAD("serial", "a\nb\0", OPTION_GUEST, "control character"),
		BAD("cache", "fast\0", OPTION_HOST, "cache=fast"),
		BAD("cache", "none\0none\0", OPTION_HOST, "more than one"),
		BAD("ns", "a\0b", OPTION_HOST, "ns: property is not a string"),
		BAD("ns", "a\0\0", OPTION_HOST, "too short"),
		BAD("other", "", OPTION_GUEST, "other: unknown property"),
	};
	static u8 tree[TREE_SIZE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct bad_property *b = &bad[i];
		int node;

		ASSERT_EQ(0, fdt_create_empty_tree(tree, sizeof(tree)));
		node = fdt_add_subnode(tree, 0, "n");
		ASSERT_LT(0, node);
		ASSERT_EQ(0, fdt_setprop(tree, node, b->name, b->value, b->len));
		EXPECT_EQ(-EINVAL, load(self->c, b->scope, tree, &self->err))
			TH_LOG("case %u", i);
		EXPECT_SAYS(b->says);
	}
}

TEST_F(option, doubled_property_is_refused)
{
	static u8 tree[TREE_SIZE];

	ASSERT_EQ(0, fdt_create(tree, sizeof(tree)));
	ASSERT_EQ(0, fdt_finish_reservemap(tree));
	ASSERT_EQ(0, fdt_begin_node(tree, ""));
	ASSERT_EQ(0, fdt_begin_node(tree, "n"));
	ASSERT_EQ(0, fdt_property_u32(tree, "queues", 1));
	ASSERT_EQ(0, fdt_property_u32(tree, "ro", 1));
	ASSERT_EQ(0, fdt_property_u32(tree, "queues", 2));
	ASSERT_EQ(0, fdt_end_node(tree));
	ASSERT_EQ(0, fdt_end_node(tree));
	ASSERT_EQ(0, fdt_finish(tree));
	EXPECT_EQ(-EINVAL, load(self->c, OPTION_GUEST, tree, &self->err));
	EXPECT_SAYS("queues: property comes twice");
}

TEST_HARNESS_MAIN
