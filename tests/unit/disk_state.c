// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: was a disk written since? And the note that says how it was
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "migration/disks.h"
#include "tests/lib/block_disk.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define SIZE	(8 * MIB)

FIXTURE(disk) {
	struct error err;
	struct test_random rnd;
	struct test_dir dir;
	char path[256];
	int fd;
	struct disk_state then;
};

FIXTURE_SETUP(disk)
{
	u8 *data = malloc(SIZE);

	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	test_random_fill(&self->rnd, data, SIZE);
	ASSERT_EQ(0, test_dir_make(&self->dir));
	test_dir_file(&self->dir, "disk.img", self->path, sizeof(self->path));
	self->fd = open(self->path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(SIZE, pwrite(self->fd, data, SIZE, 0));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, disk_state_look(self->fd, "disk", NULL, &self->then,
				     &self->err));
	free(data);
}

FIXTURE_TEARDOWN(disk)
{
	close(self->fd);
	test_dir_remove(&self->dir);
}

static int compare(FIXTURE_DATA(disk) *self, bool force)
{
	struct disk_state now = { 0 };
	int ret;

	close(self->fd);
	self->fd = open(self->path, O_RDWR);
	ret = disk_state_look(self->fd, "disk", &self->then, &now,
			      &self->err);
	return ret ? ret : disk_state_compare(&self->then, &now, "disk", force,
					      &self->err);
}

TEST_F(disk, looks_twice_the_same)
{
	EXPECT_EQ(DISK_FILE, self->then.kind);
	EXPECT_EQ(SIZE, self->then.size);
	EXPECT_EQ(0, compare(self, false));
}

/* At once: the tick in which it was written is over. */
TEST_F(disk, a_byte_written_at_any_place_is_noticed)
{
	u32 i;

	for (i = 0; i < 30; i++) {
		u64 at = test_random_below(&self->rnd, SIZE);

		ASSERT_EQ(1, pwrite(self->fd, "x", 1, (off_t)at));
		ASSERT_EQ(-ESTALE, compare(self, false));
		ASSERT_NE(NULL, strstr(self->err.text, "was written since"));
		ASSERT_NE(NULL, strstr(self->err.text, "--force"));
		ASSERT_EQ(0, compare(self, true));
		ASSERT_EQ(0, disk_state_look(self->fd, "disk", NULL, &self->then,
					     &self->err));
		ASSERT_EQ(0, compare(self, false));
	}
}

TEST_F(disk, another_size_is_never_right)
{
	ASSERT_EQ(0, ftruncate(self->fd, SIZE + 4096));
	EXPECT_EQ(-EINVAL, compare(self, false));
	EXPECT_EQ(-EINVAL, compare(self, true));
	EXPECT_NE(NULL, strstr(self->err.text,
			       "disk has 8392704 bytes, and had 8388608 when"));
}

static void rename_to(FIXTURE_DATA(disk) *self, const char *name)
{
	char path[256];

	test_dir_file(&self->dir, name, path, sizeof(path));
	rename(self->path, path);
	strcpy(self->path, path);
}

TEST_F(disk, a_renamed_one_is_the_same)
{
	rename_to(self, "other.img");
	ASSERT_EQ(0, chmod(self->path, 0640));
	EXPECT_EQ(0, compare(self, false));
}

/* As cp --preserve does it. */
static void copy_with_times(FIXTURE_DATA(disk) *self)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	char path[256];
	off_t at = 0;
	int fd;

	test_dir_file(&self->dir, "copy.img", path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT, 0600);
	while (sendfile(fd, self->fd, &at, SIZE) > 0)
		;
	times[1].tv_sec = (time_t)(self->then.mtime_ns / 1000000000);
	times[1].tv_nsec = (long)(self->then.mtime_ns % 1000000000);
	futimens(fd, times);
	close(fd);
	strcpy(self->path, path);
}

TEST_F(disk, a_faithful_copy_is_the_same)
{
	copy_with_times(self);
	EXPECT_EQ(0, compare(self, false));
}

TEST_F(disk, a_copy_with_a_time_of_its_own_is_not)
{
	copy_with_times(self);
	ASSERT_EQ(0, utimensat(AT_FDCWD, self->path, NULL, 0));
	EXPECT_EQ(-ESTALE, compare(self, false));
}

/* Times put back do not hide what every file system writes. */
TEST_F(disk, times_put_back_do_not_hide_a_mount)
{
	copy_with_times(self);
	close(self->fd);
	self->fd = open(self->path, O_RDWR);
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 1024 + 44));
	copy_with_times(self);
	EXPECT_EQ(-ESTALE, compare(self, false));
	EXPECT_NE(NULL, strstr(self->err.text, "other contents"));
}

TEST_F(disk, a_block_device_is_known_as_long_as_the_host_runs)
{
	struct disk_state then = {
		.kind = DISK_DEVICE, .size = SIZE, .sequence = 7,
		.written_sectors = 100, .inode = 259, .boot_id = { 1, 2 },
	}, now = then;
	struct error *err = &self->err;

	EXPECT_EQ(0, disk_state_compare(&then, &now, "d", false, err));
	now.written_sectors++;
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &now, "d", false, err));
	EXPECT_EQ(0, disk_state_compare(&then, &now, "d", true, err));
	now = then;
	now.sequence++;
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &now, "d", false, err));
	now = then;
	now.boot_id[15]++;
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &now, "d", false, err));
	EXPECT_NE(NULL, strstr(err->text, "may have been written"));
	now = then;
	now.fingerprint++;
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &now, "d", false, err));
	memset(then.boot_id, 0, sizeof(then.boot_id));
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &then, "d", false, err));
	now.kind = DISK_FILE;
	EXPECT_EQ(-ESTALE, disk_state_compare(&then, &now, "d", false, err));
}

TEST_F(disk, one_that_stores_nothing_has_a_size)
{
	struct disk_state then = { .size = 5 }, now;

	ASSERT_EQ(0, disk_state_look(-1, "null", NULL, &then, &self->err));
	now = then;
	EXPECT_EQ(DISK_NOTHING, then.kind);
	EXPECT_EQ(0, disk_state_compare(&then, &now, "d", false, &self->err));
	now.size++;
	EXPECT_EQ(-EINVAL, disk_state_compare(&then, &now, "d", true,
					      &self->err));
}

TEST_F(disk, tiny_and_odd_sizes)
{
	static const u64 sizes[] = {
		512, 4095, MIB, 2 * MIB + 128 * KIB, 2 * MIB + 128 * KIB + 1,
		3 * MIB - 1,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, ftruncate(self->fd, (off_t)sizes[i]));
		ASSERT_EQ(0, disk_state_look(self->fd, "disk", NULL, &self->then,
					     &self->err));
		ASSERT_EQ(0, compare(self, false));
	}
}

/* ---- the note ------------------------------------------------------------- */

static void make_list(FIXTURE_DATA(disk) *self, struct disk_list *list)
{
	struct disk *v = calloc(2, sizeof(*v));

	v[0] = (struct disk){
		.device = "nvme0", .number = 1, .name = "nvme0n1",
		.given = strdup("/a/disk.img"), .path = strdup("/a/disk.img"),
		.copy = strdup("vm.snap.nvme0n1-01020304.img"), .fd = -1,
		.state = self->then,
	};
	v[1] = (struct disk){
		.device = "nvme0", .number = 4711, .name = "nvme0n4711",
		.given = strdup("null:1G"), .path = strdup("null:1G"),
		.fd = -1, .state = { .size = GIB },
	};
	*list = (struct disk_list){ .v = v, .nr = 2 };
}

TEST_F(disk, the_note_says_it_all)
{
	struct disk_list list, copy;
	void *blob;
	u32 len, i;

	make_list(self, &list);
	ASSERT_EQ(0, disk_list_encode(&list, &blob, &len, &self->err));
	ASSERT_EQ(0, disk_list_decode(&copy, blob, len, &self->err));
	ASSERT_EQ(2, copy.nr);
	for (i = 0; i < 2; i++) {
		EXPECT_STREQ(list.v[i].device, copy.v[i].device);
		EXPECT_STREQ(list.v[i].name, copy.v[i].name);
		EXPECT_STREQ(list.v[i].given, copy.v[i].given);
		EXPECT_STREQ(list.v[i].path, copy.v[i].path);
		EXPECT_EQ(list.v[i].number, copy.v[i].number);
		EXPECT_EQ(0, memcmp(&list.v[i].state, &copy.v[i].state,
				    sizeof(copy.v[i].state)));
	}
	EXPECT_STREQ(list.v[0].copy, copy.v[0].copy);
	EXPECT_EQ(NULL, copy.v[1].copy);
	disk_list_free(&copy);
	disk_list_free(&list);
	free(blob);
}

/* What is there is still a tree, or it is refused; nothing else happens. */
TEST_F(disk, no_bit_of_the_note_does_harm)
{
	struct disk_list list, copy;
	u8 *blob, *bent;
	u32 len, bit, refused = 0;

	make_list(self, &list);
	ASSERT_EQ(0, disk_list_encode(&list, (void **)&blob, &len,
				      &self->err));
	bent = aligned_alloc(8, round_up_to(len, 8));
	for (bit = 0; bit < len * 8; bit++) {
		memcpy(bent, blob, len);
		bent[bit / 8] ^= (u8)(1 << bit % 8);
		refused += disk_list_decode(&copy, bent, len,
					    &self->err) != 0;
		disk_list_free(&copy);
	}
	EXPECT_LT(len, refused);
	for (bit = 0; bit < len; bit++) {
		memcpy(bent, blob, bit);
		ASSERT_NE(0, disk_list_decode(&copy, bent, bit, &self->err));
		disk_list_free(&copy);
	}
	disk_list_free(&list);
	free(bent);
	free(blob);
}

TEST_F(disk, a_copy_lies_beside_its_image_and_nowhere_else)
{
	static const char *const bad[] = { "../x", "/etc/x", ".x", "a/b" };
	struct disk_list list, copy;
	void *blob;
	u32 len, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		make_list(self, &list);
		free(list.v[0].copy);
		list.v[0].copy = strdup(bad[i]);
		ASSERT_EQ(0, disk_list_encode(&list, &blob, &len,
					      &self->err));
		EXPECT_EQ(-EINVAL, disk_list_decode(&copy, blob, len,
						    &self->err));
		EXPECT_NE(NULL, strstr(self->err.text, "disk@0: copy"));
		disk_list_free(&copy);
		disk_list_free(&list);
		free(blob);
	}
}

TEST_HARNESS_MAIN
