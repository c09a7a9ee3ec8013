// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a snapshot on a disk that was altered: cut, bits flipped
 *
 * The file is what snapshot_start() has written of a machine with the devices
 * that every machine has and a disk; it is looked at as a restore does. What
 * tests/unit/image.c does in memory with each bit of a small image is done
 * here with a real one, on a real file system.
 */
#include "tests/lib/harness.h"

#include <elf.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "migration/restore.h"
#include "migration/snapshot.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "vmm/description.h"

#define RAM		(16 * MIB)
#define CUT_FIRST	(1 * MIB)
#define CUTS_BEHIND	300
#define MEMORY_BITS	200

FIXTURE(file) {
	struct vm *vm;
	struct error err;
	struct test_random rnd;
	char dir[64];
	char path[96];
	char disk[96];
	int fd;
	u64 size;
	u64 tail;
	bool ended;
};

static void on_done(void *arg, const struct error *err)
{
	FIXTURE_DATA(file) *self = arg;

	self->ended = true;
	if (err)
		self->err = *err;
}

static int build(FIXTURE_DATA(file) *self)
{
	const struct device_class *nvme = device_class_find("nvme");
	struct machine_config machine = {
		.cpus = 1, .memory = RAM, .cmdline = (char[]){ "quiet" },
	};
	struct description_request req = { .class = nvme };
	struct description *d = NULL;
	void *config, *fdt = NULL;
	int ret;

	config = option_config_new(nvme->options);
	ret = option_set(nvme->options, config, "file", self->disk,
			 &self->err);
	req.config = config;
	if (!ret)
		ret = description_write(&machine, &req, 1, &fdt, &self->err);
	if (!ret)
		ret = description_read(fdt, fdt_totalsize(fdt), &d,
				       &self->err);
	if (!ret)
		ret = description_build(d, self->vm, &self->err);
	description_free(d);
	free(fdt);
	option_config_free(nvme->options, config);
	return ret;
}

static int take(FIXTURE_DATA(file) *self)
{
	struct snapshot_request req = {
		.path = self->path, .on_done = on_done, .arg = self,
	};
	struct snapshot *s;
	int ret = snapshot_start(self->vm, &req, &s, &self->err);

	if (ret)
		return ret;
	while (!self->ended)
		iothread_run_once(&self->vm->loop, true);
	snapshot_destroy(s);
	return self->err.code;
}

FIXTURE_SETUP(file)
{
	const struct vm_config config = {
		.name = "saved", .memory_bytes = RAM, .kvm_path = "",
	};
	Elf64_Phdr note;
	struct stat st;
	int fd;

	test_random_init(&self->rnd);
	strcpy(self->dir, "/var/tmp/lkvm-image-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", self->dir);
	snprintf(self->disk, sizeof(self->disk), "%s/disk", self->dir);
	fd = open(self->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, MIB));
	close(fd);
	ASSERT_EQ(0, vm_create(&config, &self->vm, &self->err));
	ASSERT_EQ(0, build(self)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	test_random_fill(&self->rnd, testvm_ram(self->vm, TESTVM_RAM, RAM), 5 * MIB);
	ASSERT_EQ(0, take(self)) TH_LOG("%s", self->err.text);
	self->fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, fstat(self->fd, &st));
	self->size = (u64)st.st_size;
	ASSERT_EQ(sizeof(note), pread(self->fd, &note, sizeof(note),
				      sizeof(Elf64_Ehdr)));
	self->tail = note.p_offset;
	ASSERT_LT(self->tail, self->size);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
	vm_destroy(self->vm);
	unlink(self->path);
	unlink(self->disk);
	EXPECT_EQ(0, rmdir(self->dir));
}

/* As a restore looks at it; 0 when it would be taken. */
static int look(FIXTURE_DATA(file) *self)
{
	struct error err = ERROR_INIT;
	struct restore *r;
	int ret = restore_open(self->path, &r, &err);

	if (!ret)
		restore_close(r);
	self->err = err;
	return ret;
}

static int look_at_memory(FIXTURE_DATA(file) *self)
{
	struct error err = ERROR_INIT;
	struct restore *r;
	int ret = restore_open(self->path, &r, &err);

	if (!ret) {
		ret = image_verify(r->image, 2, NULL, &err);
		restore_close(r);
	}
	self->err = err;
	return ret;
}

/* Refused with one line that names the file. */
static bool is_refused(FIXTURE_DATA(file) *self, int ret)
{
	return ret < 0 && strstr(self->err.text, "vm.snap") &&
		!strchr(self->err.text, '\n');
}

static bool flip(FIXTURE_DATA(file) *self, u64 at, u32 bit)
{
	u8 byte;

	if (pread(self->fd, &byte, 1, (off_t)at) != 1)
		return false;
	byte ^= (u8)(1 << bit);
	return pwrite(self->fd, &byte, 1, (off_t)at) == 1;
}

TEST_F(file, as_it_was_written_it_is_taken)
{
	EXPECT_EQ(0, look_at_memory(self)) TH_LOG("%s", self->err.text);
}

/* What was cut off is put back: from a copy of the file's end. */
TEST_F(file, cut_anywhere_it_is_refused)
{
	u64 size, from = 0;
	u8 *copy = malloc(self->size);
	u32 i;

	ASSERT_EQ((ssize_t)self->size, pread(self->fd, copy, self->size, 0));
	for (i = 0; i < CUT_FIRST / 4096 + CUTS_BEHIND; i++) {
		size = i < CUT_FIRST / 4096 ? i * 4096ULL :
		       CUT_FIRST + test_random_below(&self->rnd, self->size -
						     CUT_FIRST);
		/* The last bytes, one after the other. */
		if (i % 8 == 7 && i >= CUT_FIRST / 4096)
			size = self->size - ++from;
		ASSERT_EQ(0, ftruncate(self->fd, (off_t)size));
		EXPECT_TRUE(is_refused(self, look(self)))
			TH_LOG("cut to %llu of %llu bytes: %s", size,
			       self->size, self->err.text);
		ASSERT_EQ((ssize_t)(self->size - size),
			  pwrite(self->fd, copy + size, self->size - size,
				 (off_t)size));
	}
	EXPECT_EQ(0, look_at_memory(self)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(1, pwrite(self->fd, "", 1, (off_t)self->size));
	EXPECT_TRUE(is_refused(self, look(self)));
	free(copy);
}

static void flip_and_look(struct __test_metadata *_metadata,
			  FIXTURE_DATA(file) *self, u64 at, u32 bit)
{
	const u64 pages = RAM / IMAGE_PAGE * sizeof(u64);
	const u64 sums_end = self->size - 68, sums = sums_end - pages;
	int ret;

	ASSERT_TRUE(flip(self, at, bit));
	/* Those of the pages are read by who reads the pages. */
	ret = at >= sums - 20 && at < sums_end ? look_at_memory(self) :
						 look(self);
	EXPECT_TRUE(is_refused(self, ret))
		TH_LOG("bit %u of byte %llu: %s", bit, at, self->err.text);
	ASSERT_TRUE(flip(self, at, bit));
}

TEST_F(file, a_flipped_bit_of_headers_is_found)
{
	u64 head = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), at;
	u32 bit;

	for (at = 0; at < head; at++)
		for (bit = 0; bit < 8; bit++)
			flip_and_look(_metadata, self, at, bit);
	/* The commit record, the last 68 bytes, with its note's header. */
	for (at = self->size - 68; at < self->size; at++)
		for (bit = 0; bit < 8; bit++)
			flip_and_look(_metadata, self, at, bit);
	EXPECT_EQ(0, look_at_memory(self)) TH_LOG("%s", self->err.text);
}

/* One bit of each byte; those of the checksums now and then only. */
TEST_F(file, a_flipped_bit_of_notes_is_found)
{
	const u64 pages = RAM / IMAGE_PAGE * sizeof(u64);
	const u64 sums = self->size - 68 - pages;
	u64 at;

	for (at = self->tail; at < self->size - 68;
	     at += at < sums - 20 ? 1 : 97)
		flip_and_look(_metadata, self, at,
			      (u32)test_random_below(&self->rnd, 8));
	EXPECT_EQ(0, look_at_memory(self)) TH_LOG("%s", self->err.text);
}

TEST_F(file, a_flipped_bit_of_memory_is_found_by_verify)
{
	char where[64];
	u64 at;
	u32 i;

	for (i = 0; i < MEMORY_BITS; i++) {
		at = test_random_below(&self->rnd, RAM);
		ASSERT_TRUE(flip(self, IMAGE_ALIGN + at, i % 8));
		EXPECT_EQ(0, look(self)) TH_LOG("%s", self->err.text);
		EXPECT_EQ(-EBADMSG, look_at_memory(self));
		snprintf(where, sizeof(where), "ram-low at guest address 0x%llx",
			 TESTVM_RAM + (at & ~(IMAGE_PAGE - 1)));
		EXPECT_NE(NULL, strstr(self->err.text, where))
			TH_LOG("%s instead of %s", self->err.text, where);
		ASSERT_TRUE(flip(self, IMAGE_ALIGN + at, i % 8));
	}
	EXPECT_EQ(0, look_at_memory(self)) TH_LOG("%s", self->err.text);
}

TEST_HARNESS_MAIN
