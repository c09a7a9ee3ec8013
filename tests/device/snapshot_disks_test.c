// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the disks in a snapshot of a machine without vCPUs, and failures
 */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "migration/snapshot.h"
#include "tests/lib/block_disk.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"

#define RAM	(8 * MIB)
#define SIZE	(6 * MIB)

FIXTURE(disks) {
	struct vm *vm;
	struct error err;
	struct test_random rnd;
	struct test_dir dir;
	struct test_dir to;
	char disk[256];
	char path[256];
	u8 *data;
	int done;
	struct error result;
};

static void on_done(void *arg, const struct error *err)
{
	FIXTURE_DATA(disks) *self = arg;

	self->done++;
	memset(&self->result, 0, sizeof(self->result));
	if (err)
		self->result = *err;
}

FIXTURE_SETUP(disks)
{
	char options[600], second[256];
	int fd;

	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	ASSERT_EQ(0, test_dir_make(&self->dir));
	ASSERT_EQ(0, test_dir_make(&self->to));
	test_dir_file(&self->dir, "disk", self->disk, sizeof(self->disk));
	test_dir_file(&self->dir, "second", second, sizeof(second));
	test_dir_file(&self->to, "vm.snap", self->path, sizeof(self->path));
	self->data = malloc(SIZE);
	test_random_fill(&self->rnd, self->data, SIZE);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(SIZE, pwrite(fd, self->data, SIZE, 0));
	close(fd);
	ASSERT_EQ(0, test_image_make(second, 3 * MIB));
	self->vm = testvm_create(RAM);
	self->vm->description = strdup("description");
	self->vm->description_len = 12;
	snprintf(options, sizeof(options), "%s,ns=%s,ns=null:64M", self->disk,
		 second);
	testvm_add_pci(self->vm, "nvme", 0, 3, options);
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
}

FIXTURE_TEARDOWN(disks)
{
	testvm_destroy(self->vm);
	free(self->data);
	test_dir_remove(&self->dir);
	test_dir_remove(&self->to);
}

static int start(FIXTURE_DATA(disks) *self, enum disk_copying copying,
		 struct snapshot **out)
{
	struct snapshot_request req = {
		.path = self->path, .disks = copying, .on_done = on_done,
		.arg = self,
	};

	self->done = 0;
	return snapshot_start(self->vm, &req, out, &self->err);
}

static int take(FIXTURE_DATA(disks) *self, enum disk_copying copying)
{
	struct snapshot *s;
	int ret = start(self, copying, &s);

	if (ret)
		return ret;
	while (!self->done)
		iothread_run_once(&self->vm->loop, true);
	snapshot_destroy(s);
	return self->result.code;
}

static u32 files_in(const char *path)
{
	struct dirent *e;
	u32 n = 0;
	DIR *dir;

	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(dir);
	return n;
}

/* The note of the image that is there. */
static int read_note(FIXTURE_DATA(disks) *self, struct disk_list *list)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = self->path,
	};
	const struct image_note *note;
	struct image *image;
	struct channel *ch;
	int ret;

	ret = channel_file_open(&config, &ch, &self->err);
	if (!ret)
		ret = image_open(ch, &image, &self->err);
	if (ret)
		return ret;
	note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_DISKS);
	ret = note ? disk_list_decode(list, note->data, note->len,
				      &self->err) : -ENOENT;
	image_free(image);
	channel_close(ch);
	return ret;
}

TEST_F(disks, are_noted)
{
	struct disk_list list;
	u32 i;

	ASSERT_EQ(0, take(self, DISK_COPY_NONE));
	ASSERT_EQ(0, read_note(self, &list));
	ASSERT_EQ(3, list.nr);
	for (i = 0; i < 3; i++) {
		EXPECT_STREQ("nvme0", list.v[i].device);
		EXPECT_EQ(i + 1, list.v[i].number);
		EXPECT_EQ(NULL, list.v[i].copy);
	}
	EXPECT_STREQ(self->disk, list.v[0].path);
	EXPECT_EQ(SIZE, list.v[0].state.size);
	EXPECT_EQ(DISK_FILE, list.v[1].state.kind);
	EXPECT_EQ(DISK_NOTHING, list.v[2].state.kind);
	EXPECT_EQ(0, disk_list_check(&list, self->vm, false, &self->err));
	list.v[0].state.mtime_ns--;
	EXPECT_EQ(-ESTALE, disk_list_check(&list, self->vm, false,
					   &self->err));
	EXPECT_EQ(0, disk_list_check(&list, self->vm, true, &self->err));
	list.v[1].number = 9;
	EXPECT_EQ(-EINVAL, disk_list_check(&list, self->vm, true,
					   &self->err));
	disk_list_free(&list);
	EXPECT_EQ(1, files_in(self->to.path));
}

TEST_F(disks, are_copied)
{
	struct disk_list list;
	char path[600];
	u8 *copy = malloc(SIZE);
	int fd;

	ASSERT_EQ(0, take(self, DISK_COPY_AUTO));
	EXPECT_EQ(3, files_in(self->to.path));
	ASSERT_EQ(0, read_note(self, &list));
	ASSERT_NE(NULL, list.v[0].copy);
	EXPECT_EQ(0, strncmp(list.v[0].copy, "vm.snap.nvme0n1-", 16));
	EXPECT_EQ(NULL, list.v[2].copy);
	snprintf(path, sizeof(path), "%s/%s", self->to.path, list.v[0].copy);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(SIZE, read(fd, copy, SIZE));
	EXPECT_EQ(0, memcmp(copy, self->data, SIZE));
	close(fd);
	disk_list_free(&list);
	free(copy);
	/* The next one takes them with it. */
	ASSERT_EQ(0, take(self, DISK_COPY_FULL));
	EXPECT_EQ(3, files_in(self->to.path));
	EXPECT_NE(0, access(path, F_OK));
	ASSERT_EQ(0, take(self, DISK_COPY_NONE));
	EXPECT_EQ(1, files_in(self->to.path));
}

/* The copies have their names when the image's own cannot be had. */
TEST_F(disks, go_away_when_the_image_cannot_get_its_name)
{
	struct snapshot *s;

	ASSERT_EQ(0, start(self, DISK_COPY_AUTO, &s));
	ASSERT_EQ(0, mkdir(self->path, 0700));
	while (!self->done)
		iothread_run_once(&self->vm->loop, true);
	snapshot_destroy(s);
	EXPECT_EQ(-EISDIR, self->result.code);
	EXPECT_EQ(1, files_in(self->to.path));
	EXPECT_EQ(0, rmdir(self->path));
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
}

TEST_F(disks, cancelled_at_any_time_nothing_is_left)
{
	u32 i, cancelled = 0;

	for (i = 0; i < 40; i++) {
		u64 turns = test_random_below(&self->rnd, 6);
		struct snapshot *s;

		ASSERT_EQ(0, start(self, DISK_COPY_FULL, &s));
		while (!self->done && turns--) {
			usleep((useconds_t)test_random_below(&self->rnd,
							     2000));
			iothread_run_once(&self->vm->loop, false);
		}
		snapshot_cancel(s);
		while (!self->done)
			iothread_run_once(&self->vm->loop, true);
		snapshot_destroy(s);
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		if (!self->result.code) {
			ASSERT_EQ(3, files_in(self->to.path));
			ASSERT_EQ(0, take(self, DISK_COPY_NONE));
			unlink(self->path);
		} else {
			EXPECT_EQ(-ECANCELED, self->result.code);
			cancelled++;
		}
		ASSERT_EQ(0, files_in(self->to.path));
	}
	EXPECT_LE(5, cancelled);
}

TEST_F(disks, one_that_was_removed_must_be_copied)
{
	ASSERT_EQ(0, unlink(self->disk));
	EXPECT_EQ(-EINVAL, take(self, DISK_COPY_NONE));
	EXPECT_NE(NULL, strstr(self->err.text, "use --with-disks"));
	EXPECT_EQ(0, take(self, DISK_COPY_AUTO));
	EXPECT_EQ(3, files_in(self->to.path));
}

TEST_HARNESS_MAIN
