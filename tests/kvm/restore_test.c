// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a guest that is saved into a file and goes on from it
 *
 * The stamping guest checks all of its memory and of its disks, again and
 * again; whatever is lost or mixed up on the way ends it. At its end the disks
 * are checked from outside, too.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/rounds.h"
#include "tests/lib/harness.h"
#include "vmm/base/types.h"

#define LIMIT_S		500
#define WAIT_MS		100000
#define SEED		5
#define ROUNDS		100
#define ROUNDS_S	10	/* on a slow machine */
#define CLONES		8

FIXTURE(restore)
{
	struct machine m;
	struct machine clone[CLONES];
	char image[128];
};

FIXTURE_SETUP(restore)
{
	unsigned int i;

	self->m = (struct machine){ .in = -1, .out = -1 };
	for (i = 0; i < CLONES; i++)
		self->clone[i] = self->m;
}

FIXTURE_TEARDOWN(restore)
{
	unsigned int i;

	for (i = 0; i < CLONES; i++)
		machine_destroy(&self->clone[i]);
	machine_destroy(&self->m);
}

static const char *unavailable(void)
{
	return machine_is_qemu() ? "this is about lkvm" : machine_unavailable();
}

static bool start(FIXTURE_DATA(restore) *self, const struct machine_setup *s)
{
	if (machine_start(&self->m, s))
		return false;
	machine_path(&self->m, "vm.snap", self->image, sizeof(self->image));
	if (machine_expect(&self->m, "guest: beat", WAIT_MS))
		return true;
	machine_show(&self->m);
	return false;
}

/* Into a file, and the machine ends. */
static bool save(FIXTURE_DATA(restore) *self)
{
	const char *const words[] = { "snapshot", self->image, "--stop", NULL };
	int code;

	code = machine_command(&self->m, words, WAIT_MS);
	if (!code)
		code = machine_wait(&self->m, WAIT_MS);
	if (code == MACHINE_OFF)
		return true;
	printf("# snapshot: %d: %s\n", code, self->m.said);
	machine_show(&self->m);
	return false;
}

static bool again(FIXTURE_DATA(restore) *self, const char *option)
{
	const char *const words[] = { self->image, option, NULL };

	if (!machine_restore_again(&self->m, words) &&
	    machine_expect(&self->m, "guest: beat", WAIT_MS))
		return true;
	machine_show(&self->m);
	return false;
}

/* Ends a stamping guest, and looks whether all is as it shall be. */
static bool ends_well(struct machine *m)
{
	const char end = GUEST_INPUT_END;
	int code = -1;

	if (machine_send(m, &end, 1, WAIT_MS))
		code = machine_wait(m, WAIT_MS);
	if (code == GUEST_EXIT_PASS)
		return true;
	printf("# end: %d\n", code);
	machine_show(m);
	return false;
}

TEST_F_TIMEOUT(restore, hundred_times_under_io, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=2 beat=20 seed=5",
		.cpus = 2, .mib = 32,
		.disk[0].mib[0] = 16,
	};
	/* Now and then otherwise. */
	static const char *const options[] = {
		"--loglevel=info", "--eager", "--verify", "--clock=saved",
		"--loglevel=info",
	};
	struct rounds r = rounds_begin(ARRAY_SIZE(options), ROUNDS, ROUNDS_S);
	unsigned int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, &s));
	for (i = 0; rounds_next(&r); i++) {
		ASSERT_TRUE(save(self)) TH_LOG("round %u", i);
		ASSERT_TRUE(again(self, options[i % ARRAY_SIZE(options)]))
			TH_LOG("round %u", i);
	}
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_EQ(1, disks_check(&self->m, SEED));
}

/* With a virtio disk beside, which always has something to do. */
TEST_F_TIMEOUT(restore, virtio_disk_under_io, LIMIT_S)
{
	char path[] = "/tmp/lkvm-virtio-XXXXXX", option[64];
	const struct machine_setup s = {
		.params = "test=stamp beat=20 seed=6", .mib = 32,
		.disk[0].mib[0] = 4,
		.more = { "--disk", option, NULL },
	};
	struct rounds r = rounds_begin(3, 10, ROUNDS_S);
	struct stat st;
	bool good = true;
	int fd;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	fd = mkstemp(path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 4 << 20));
	snprintf(option, sizeof(option), "%s", path);
	EXPECT_TRUE(start(self, &s));
	EXPECT_NE(NULL, strstr(self->m.console, ", a virtio disk"));
	while (good && rounds_next(&r))
		good = save(self) && again(self, "--loglevel=info");
	EXPECT_TRUE(good) TH_LOG("round %u", r.done);
	EXPECT_TRUE(ends_well(&self->m));
	/* The guest has written at least some of it. */
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_LT(0, st.st_blocks);
	close(fd);
	unlink(path);
}

TEST_F_TIMEOUT(restore, several_controllers_and_namespaces, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=4 beat=20 seed=5",
		.cpus = 4,
		.disk = {
			{ .mib = { 8, 4, 2 }, .options = ",queues=5" },
			{ .mib = { 8 }, .options = ",bs=4096,mdts=5" },
			{ .mib = { 4, 4 }, .options = ",iothreads=2" },
		},
	};
	struct rounds r = rounds_begin(2, 5, ROUNDS_S);

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, &s));
	while (rounds_next(&r)) {
		ASSERT_TRUE(save(self)) TH_LOG("round %u", r.done);
		ASSERT_TRUE(again(self, NULL)) TH_LOG("round %u", r.done);
	}
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_EQ(6, disks_check(&self->m, SEED));
}

/* Not its blocks: to read a hole of a tmpfs through a mapping fills it. */
static bool same_file(const struct stat *a, const char *path)
{
	struct stat b;

	return !stat(path, &b) && a->st_ino == b.st_ino &&
	       a->st_size == b.st_size &&
	       a->st_mtim.tv_sec == b.st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

TEST_F_TIMEOUT(restore, eight_machines_from_one_image, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=1 beat=50 seed=5", .mib = 32,
	};
	const char *const words[] = { self->image, NULL };
	struct stat image;
	int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, &s));
	ASSERT_TRUE(save(self));
	ASSERT_EQ(0, stat(self->image, &image));
	for (i = 0; i < CLONES; i++)
		ASSERT_EQ(0, machine_restore(&self->clone[i], &self->m, words));
	for (i = 0; i < CLONES; i++)
		EXPECT_NE(NULL, machine_expect(&self->clone[i], "guest: beat",
					       WAIT_MS));
	for (i = 0; i < CLONES; i++)
		EXPECT_TRUE(ends_well(&self->clone[i])) TH_LOG("clone %d", i);
	EXPECT_TRUE(same_file(&image, self->image));
	/* And once more from the same. */
	EXPECT_TRUE(again(self, "--verify"));
	EXPECT_TRUE(ends_well(&self->m));
}

TEST_F_TIMEOUT(restore, paused_machine_waits_to_be_resumed, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=2 beat=20 seed=5", .cpus = 2,
		.disk[0].mib[0] = 16,
	};
	const char *const words[] = { self->image, "--paused", NULL };
	const char *const resume[] = { "resume", NULL };
	const char *const list[] = { "stat", NULL };
	const struct timespec nap = { .tv_nsec = 20000000 };
	int i, code = -1;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, &s));
	ASSERT_TRUE(save(self));
	ASSERT_EQ(0, machine_restore_again(&self->m, words));
	/* Until it answers. */
	for (i = 0; code && i < WAIT_MS / 20; i++) {
		code = machine_command(&self->m, list, WAIT_MS);
		nanosleep(&nap, NULL);
	}
	ASSERT_EQ(0, code) TH_LOG("%s", self->m.said);
	EXPECT_EQ(NULL, machine_expect(&self->m, "guest: beat", 300));
	/* A machine that has not run can be saved, too. */
	ASSERT_TRUE(save(self));
	ASSERT_EQ(0, machine_restore_again(&self->m, words));
	for (i = 0, code = -1; code && i < WAIT_MS / 20; i++) {
		code = machine_command(&self->m, resume, WAIT_MS);
		nanosleep(&nap, NULL);
	}
	ASSERT_EQ(0, code) TH_LOG("%s", self->m.said);
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat", WAIT_MS));
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_EQ(1, disks_check(&self->m, SEED));
}

TEST_HARNESS_MAIN
