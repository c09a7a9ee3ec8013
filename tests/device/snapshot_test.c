// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/snapshot.c on a machine without vCPUs
 *
 * A device of the test writes guest memory all the time.
 */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "migration/snapshot.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"

#define RAM	(32 * MIB)

FIXTURE(snapshot) {
	struct vm *vm;
	struct error err;
	struct test_random rnd;
	char dir[64];
	char path[96];
	int done;
	struct error result;
};

static void on_done(void *arg, const struct error *err)
{
	FIXTURE_DATA(snapshot) *self = arg;

	self->done++;
	memset(&self->result, 0, sizeof(self->result));
	if (err)
		self->result = *err;
}

FIXTURE_SETUP(snapshot)
{
	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	self->vm = testvm_create(RAM);
	self->vm->description = strdup("description");
	self->vm->description_len = 12;
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	test_random_fill(&self->rnd, testvm_ram(self->vm, TESTVM_RAM, RAM), 9 * MIB);
	strcpy(self->dir, "/var/tmp/lkvm-snapshot-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", self->dir);
}

FIXTURE_TEARDOWN(snapshot)
{
	testvm_destroy(self->vm);
	unlink(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

static int take(FIXTURE_DATA(snapshot) *self, enum snapshot_mode mode,
		struct snapshot **out)
{
	struct snapshot_request req = {
		.path = self->path,
		.mode = mode,
		.on_done = on_done,
		.arg = self,
	};

	self->done = 0;
	return snapshot_start(self->vm, &req, out, &self->err);
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

static struct image *open_image(FIXTURE_DATA(snapshot) *self,
				struct channel **ch)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = self->path,
	};
	struct image *image;

	if (channel_file_open(&config, ch, &self->err) ||
	    image_open(*ch, &image, &self->err) ||
	    image_verify(image, 2, NULL, &self->err))
		return NULL;
	return image;
}

TEST_F(snapshot, holds_memory_as_it_is_when_the_guest_stops)
{
	struct guest_gate gate;
	struct snapshot *s;
	struct channel *ch;
	struct image *image;
	u8 buf[512], *copy;

	guest_gate_init(&gate, &self->vm->memory);
	ASSERT_EQ(0, take(self, SNAPSHOT_STOP, &s));
	while (!self->done) {
		if (vm_phase_get(self->vm) == VM_RUNNING) {
			test_random_fill(&self->rnd, buf, sizeof(buf));
			ASSERT_EQ(0, guest_write(&gate, gpa(TESTVM_RAM +
				test_random_below(&self->rnd, RAM - 512)), buf,
						 sizeof(buf)));
		}
		iothread_run_once(&self->vm->loop, false);
		/* Leave the processors to those who save, now and then. */
		usleep(20);
	}
	ASSERT_EQ(0, self->result.code);
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	EXPECT_LE(2, s->stats.rounds);
	snapshot_destroy(s);

	image = open_image(self, &ch);
	ASSERT_NE(NULL, image);
	copy = malloc(RAM);
	ASSERT_EQ(0, channel_pread_all(ch, copy, RAM, image->blocks[0].pos,
				       &self->err));
	EXPECT_EQ(0, memcmp(copy, testvm_ram(self->vm, TESTVM_RAM, RAM), RAM));
	EXPECT_NE(NULL, image_find_note(image, IMAGE_OWNER,
					IMAGE_NOTE_STATE));
	EXPECT_STREQ("description",
		     image_find_note(image, IMAGE_OWNER,
				     IMAGE_NOTE_MACHINE)->data);
	free(copy);
	image_free(image);
	channel_close(ch);
}

TEST_F(snapshot, the_guest_runs_on)
{
	enum snapshot_mode mode;
	struct snapshot *s;
	struct channel *ch;
	struct image *image;

	for (mode = SNAPSHOT_LIVE; mode <= SNAPSHOT_PAUSED; mode++) {
		ASSERT_EQ(0, take(self, mode, &s));
		while (!self->done)
			iothread_run_once(&self->vm->loop, true);
		ASSERT_EQ(0, self->result.code);
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		EXPECT_LT(0, s->stats.pause_ns);
		EXPECT_FALSE(atomic_load(&self->vm->memory.tracking));
		snapshot_destroy(s);
		/* The second one replaces the first. */
		EXPECT_EQ(1, files_in(self->dir));
		image = open_image(self, &ch);
		ASSERT_NE(NULL, image);
		image_free(image);
		channel_close(ch);
	}
}

TEST_F(snapshot, cancelled_it_leaves_nothing_and_the_guest_runs_on)
{
	enum snapshot_mode mode;
	struct snapshot *s;

	for (mode = SNAPSHOT_LIVE; mode <= SNAPSHOT_STOP; mode++) {
		ASSERT_EQ(0, take(self, mode, &s));
		snapshot_cancel(s);
		while (!self->done)
			iothread_run_once(&self->vm->loop, true);
		EXPECT_EQ(-ECANCELED, self->result.code);
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		EXPECT_EQ(0, files_in(self->dir));
		snapshot_destroy(s);
		/* Given up without waiting for it. */
		ASSERT_EQ(0, take(self, mode, &s));
		snapshot_destroy(s);
		EXPECT_EQ(1, self->done);
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		EXPECT_EQ(0, files_in(self->dir));
	}
}

TEST_F(snapshot, a_paused_guest_stays_paused)
{
	struct snapshot *s;

	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, take(self, SNAPSHOT_LIVE, &s));
	while (!self->done)
		iothread_run_once(&self->vm->loop, true);
	EXPECT_EQ(0, self->result.code);
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	snapshot_destroy(s);
}

TEST_F(snapshot, targets_that_cannot_be_are_refused_with_a_reason)
{
	struct snapshot *s;
	struct error *err = &self->err;
	char saved[96];

	strcpy(saved, self->path);
	strcpy(self->path, self->dir);
	EXPECT_EQ(-EISDIR, take(self, SNAPSHOT_LIVE, &s));
	EXPECT_NE(NULL, strstr(err->text, "not a regular file"));
	strcpy(self->path, "/var/tmp/");
	EXPECT_EQ(-EISDIR, take(self, SNAPSHOT_LIVE, &s));
	strcpy(self->path, "/no/such/folder/vm.snap");
	EXPECT_EQ(-ENOENT, take(self, SNAPSHOT_LIVE, &s));
	strcpy(self->path, saved);
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-EINVAL, take(self, SNAPSHOT_LIVE, &s));
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
	EXPECT_EQ(0, self->done);
}

TEST_HARNESS_MAIN
