// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: which kernel is booted, and which part of a disk is its root
 *
 * The folders and images are made by hand, byte by byte, so that no tool is
 * needed: an ext2 superblock is its magic, a partition table is what its
 * specification says (UEFI-2.10 5.3).
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/arch.h"
#include "vmm/cli/kernel.h"

FIXTURE(kernel)
{
	char root[32];
	char old[4096];
	struct kernel_search where;
	struct error err;
	char *path;
};

FIXTURE_SETUP(kernel)
{
	strcpy(self->root, "/tmp/lkvm-test-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	ASSERT_NE(NULL, getcwd(self->old, sizeof(self->old)));
	ASSERT_EQ(0, chdir(self->root));
	ASSERT_EQ(0, mkdir("boot", 0700));
	ASSERT_EQ(0, mkdir("top", 0700));
	ASSERT_EQ(0, mkdir("top/tools", 0700));
	ASSERT_EQ(0, mkdir("top/tools/kvm", 0700));
	ASSERT_EQ(0, chdir("top/tools/kvm"));
	self->where.root = self->root;
	self->where.release = "6.1.0-9-x";
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

FIXTURE_TEARDOWN(kernel)
{
	free(self->path);
	EXPECT_EQ(0, chdir(self->old));
	EXPECT_EQ(0, nftw(self->root, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

/* An empty file, with the folders in front of it. */
__printf(1, 2)
static void make_file(const char *fmt, ...)
{
	char path[256], *slash;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	for (slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

#define EXPECT_FINDS(what)						\
	do {								\
		free(self->path);					\
		self->path = NULL;					\
		ASSERT_EQ(0, kernel_find(&self->where, &self->path,	\
					 &self->err))			\
			TH_LOG("%s", self->err.text);			\
		EXPECT_STREQ(what, self->path);				\
	} while (0)

/* Each that is made goes before all that were made before it. */
TEST_F(kernel, order_is_kvmtools)
{
	char want[300];

	make_file("../../../boot/vmlinuz-6.1.0-8-x");
	snprintf(want, sizeof(want), "%s/boot/vmlinuz-6.1.0-8-x", self->root);
	EXPECT_FINDS(want);
	make_file("../../../boot/vmlinuz-6.1.0-10-x");
	snprintf(want, sizeof(want), "%s/boot/vmlinuz-6.1.0-10-x", self->root);
	EXPECT_FINDS(want);
	make_file("../../../boot/%s-6.1.0-9-x", arch_kernel_image);
	snprintf(want, sizeof(want), "%s/boot/%s-6.1.0-9-x", self->root,
		 arch_kernel_image);
	EXPECT_FINDS(want);
	make_file("../../../boot/vmlinuz-6.1.0-9-x");
	snprintf(want, sizeof(want), "%s/boot/vmlinuz-6.1.0-9-x", self->root);
	EXPECT_FINDS(want);
	make_file("../../%s", arch_kernel_in_tree);
	snprintf(want, sizeof(want), "../../%s", arch_kernel_in_tree);
	EXPECT_FINDS(want);
	make_file("./%s", arch_kernel_in_tree);
	snprintf(want, sizeof(want), "./%s", arch_kernel_in_tree);
	EXPECT_FINDS(want);
	make_file("./%s", arch_kernel_image);
	snprintf(want, sizeof(want), "./%s", arch_kernel_image);
	EXPECT_FINDS(want);
}

TEST_F(kernel, error_names_every_place)
{
	char place[300];

	EXPECT_EQ(-ENOENT, kernel_find(&self->where, &self->path, &self->err));
	snprintf(place, sizeof(place), "./%s, ./%s, ../../%s, ",
		 arch_kernel_image, arch_kernel_in_tree, arch_kernel_in_tree);
	EXPECT_NE(NULL, strstr(self->err.text, place));
	snprintf(place, sizeof(place), "%s/boot/vmlinuz-6.1.0-9-x",
		 self->root);
	EXPECT_NE(NULL, strstr(self->err.text, place));
	snprintf(place, sizeof(place), "%s/boot/%s-6.1.0-9-x", self->root,
		 arch_kernel_image);
	EXPECT_NE(NULL, strstr(self->err.text, place));
	snprintf(place, sizeof(place), "%s/boot/vmlinuz-*", self->root);
	EXPECT_NE(NULL, strstr(self->err.text, place));
	EXPECT_NE(NULL, strstr(self->err.text, "--kernel"));
}

TEST_F(kernel, folders_and_dangling_links_are_no_kernels)
{
	mkdir("../../../boot/vmlinuz-9", 0700);
	ASSERT_EQ(0, symlink("nowhere", "../../../boot/vmlinuz-8"));
	EXPECT_EQ(-ENOENT, kernel_find(&self->where, &self->path, &self->err));
}

/* ---- disks -------------------------------------------------------------- */

#define DISK_SIZE	(8U << 20)
#define SECTORS		(DISK_SIZE / 512)

FIXTURE(disk)
{
	char path[40];
	u8 *bytes;
	struct error err;
	struct root_choice root;
};

FIXTURE_SETUP(disk)
{
	int fd;

	strcpy(self->path, "/tmp/lkvm-test-disk-XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_GE(fd, 0);
	close(fd);
	self->bytes = calloc(1, DISK_SIZE);
	ASSERT_NE(NULL, self->bytes);
}

FIXTURE_TEARDOWN(disk)
{
	unlink(self->path);
	free(self->bytes);
}

static int choose(const char *path, const u8 *bytes, struct root_choice *root,
		  struct error *err)
{
	FILE *f = fopen(path, "w");

	assert(f && fwrite(bytes, DISK_SIZE, 1, f) == 1);
	assert(!fclose(f));
	return root_choose(path, root, err);
}

#define EXPECT_PARTITION(n)						\
	do {								\
		EXPECT_EQ(0, choose(self->path, self->bytes,		\
				    &self->root, &self->err));		\
		EXPECT_EQ(n, self->root.partition);			\
		EXPECT_TRUE(self->root.found);				\
	} while (0)

#define EXPECT_NO_ROOT()						\
	do {								\
		EXPECT_EQ(0, choose(self->path, self->bytes,		\
				    &self->root, &self->err));		\
		EXPECT_EQ(0, self->root.partition);			\
		EXPECT_FALSE(self->root.found);				\
	} while (0)

static void put32(u8 *at, u32 v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void put64(u8 *at, u64 v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

static void put_ext2(u8 *fs)
{
	fs[1024 + 56] = 0x53;
	fs[1024 + 57] = 0xef;
	put32(fs + 1024 + 4, 1024);	/* blocks */
}

static void put_swap(u8 *area)
{
	memcpy(area + 4096 - 10, "SWAPSPACE2", 10);
	put32(area + 1024, 1);
	put32(area + 1028, 100);
}

static void put_mbr(u8 *disk, u32 index, u8 type, u32 start, u32 sectors)
{
	u8 *entry = disk + 446 + 16 * index;

	entry[4] = type;
	put32(entry + 8, start);
	put32(entry + 12, sectors);
	disk[510] = 0x55;
	disk[511] = 0xaa;
}

static u32 crc32(const u8 *p, size_t len)
{
	u32 crc = ~0U;
	int i;

	while (len--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Text of a GUID into its mixed-endian bytes. */
static void put_guid(u8 *at, const char *text)
{
	static const u8 place[] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15,
	};
	unsigned int i, v;

	for (i = 0; i < 16; i++, text += 2) {
		if (*text == '-')
			text++;
		if (sscanf(text, "%2x", &v) != 1)
			abort();
		at[place[i]] = (u8)v;
	}
}

struct gpt_part {
	const char *type;
	u64 first;	/* in blocks */
	u64 last;
};

#define GPT_LINUX	"0fc63daf-8483-4772-8e79-3d69d8477de4"
#define GPT_ESP		"c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

static void put_gpt_header(u8 *disk, u32 bs, u64 lba, u64 other, u64 entries)
{
	u8 *h = disk + lba * bs;
	u64 blocks = DISK_SIZE / bs;

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, lba);
	put64(h + 32, other);
	put64(h + 40, 2 + 16384 / bs);
	put64(h + 48, blocks - 2 - 16384 / bs);
	put_guid(h + 56, "11111111-2222-3333-4444-555555555555");
	put64(h + 72, entries);
	put32(h + 80, 128);
	put32(h + 84, 128);
	put32(h + 88, crc32(disk + entries * bs, 16384));
	put32(h + 16, 0);
	put32(h + 16, crc32(h, 92));
}

static void put_gpt(u8 *disk, u32 bs, const struct gpt_part *parts, u32 nr)
{
	u64 blocks = DISK_SIZE / bs, backup = blocks - 1 - 16384 / bs;
	u32 i;

	put_mbr(disk, 0, 0xee, 1, (u32)blocks - 1);
	for (i = 0; i < nr; i++) {
		u8 *e = disk + 2 * bs + 128 * i;

		put_guid(e, parts[i].type);
		put_guid(e + 16, "99999999-8888-7777-6666-555555555555");
		e[16] = (u8)i;
		put64(e + 32, parts[i].first);
		put64(e + 40, parts[i].last);
	}
	memcpy(disk + backup * bs, disk + 2 * bs, 16384);
	put_gpt_header(disk, bs, 1, blocks - 1, 2);
	put_gpt_header(disk, bs, blocks - 1, 1, backup);
}

TEST_F(disk, file_system_on_the_whole_disk)
{
	put_ext2(self->bytes);
	EXPECT_PARTITION(0);
}

TEST_F(disk, empty_disk_has_no_root)
{
	EXPECT_NO_ROOT();
}

TEST_F(disk, missing_disk_is_an_error)
{
	EXPECT_EQ(-ENOENT, root_choose("/nowhere/disk", &self->root,
				       &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "/nowhere/disk"));
}

TEST_F(disk, mbr_first_with_a_file_system)
{
	put_mbr(self->bytes, 0, 0x82, 2048, 2048);
	put_mbr(self->bytes, 1, 0x83, 4096, 2048);
	put_mbr(self->bytes, 2, 0x83, 8192, 2048);
	put_swap(self->bytes + 2048 * 512);
	EXPECT_NO_ROOT();
	put_ext2(self->bytes + 8192 * 512);
	EXPECT_PARTITION(3);
	put_ext2(self->bytes + 4096 * 512);
	EXPECT_PARTITION(2);
}

TEST_F(disk, gpt_type_goes_before_order)
{
	const struct gpt_part parts[] = {
		{ GPT_ESP, 2048, 4095 },
		{ GPT_LINUX, 4096, 6143 },
		{ arch_root_partition_type, 8192, 10239 },
	};

	put_gpt(self->bytes, 512, parts, 3);
	put_ext2(self->bytes + 4096 * 512);
	EXPECT_PARTITION(3);
}

TEST_F(disk, gpt_first_with_a_file_system)
{
	const struct gpt_part parts[] = {
		{ GPT_ESP, 2048, 4095 },
		{ GPT_LINUX, 4096, 6143 },
		{ GPT_LINUX, 8192, 10239 },
	};

	put_gpt(self->bytes, 512, parts, 3);
	put_ext2(self->bytes + 8192 * 512);
	EXPECT_PARTITION(3);
}

TEST_F(disk, gpt_of_blocks_of_4096_bytes)
{
	const struct gpt_part parts[] = {
		{ GPT_ESP, 256, 511 },
		{ arch_root_partition_type, 512, 1023 },
	};

	put_gpt(self->bytes, 4096, parts, 2);
	EXPECT_PARTITION(2);
}

TEST_F(disk, random_tables_do_no_harm)
{
	const struct gpt_part parts[] = {
		{ GPT_LINUX, 4096, 6143 }, { GPT_LINUX, 8192, 10239 },
	};
	struct test_random rnd;
	int round, i;

	test_random_init(&rnd);
	put_gpt(self->bytes, 512, parts, 2);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < 8; i++)
			self->bytes[test_random_below(&rnd, 3 * 512)] =
				(u8)test_random_u64(&rnd);
		/* The entries are looked at only if their sum is right. */
		put_gpt_header(self->bytes, 512, 1, SECTORS - 1, 2);
		EXPECT_EQ(0, choose(self->path, self->bytes, &self->root,
				    &self->err));
		EXPECT_LE(self->root.partition, 128);
	}
}

TEST_HARNESS_MAIN
