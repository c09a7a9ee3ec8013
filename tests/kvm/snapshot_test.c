// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: snapshots of a machine that stamps its memory and its disk
 *
 * The guest finds out by itself whether a request fails, an interrupt is lost,
 * or memory or disk are not what it has written. Here it is saved again and
 * again while it does that, in all modes, to places where there is no room, and
 * is killed in the middle.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/rounds.h"
#include "tests/lib/harness.h"
#include "tests/lib/random.h"

#define LIMIT_S		300
#define WAIT_MS		100000
#define SEED		3
#define ROUNDS_S	8	/* on a slow machine */

FIXTURE(snapshot)
{
	struct machine m;
	struct test_random rnd;
	char path[128];
};

FIXTURE_SETUP(snapshot)
{
	test_random_init(&self->rnd);
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(snapshot)
{
	machine_destroy(&self->m);
}

static const struct machine_setup stamping = {
	.params = "test=stamp cpus=2 beat=20 seed=3",
	.cpus = 2,
	.disk[0].mib[0] = 16,
};

static const char *unavailable(void)
{
	return machine_is_qemu() ? "these are commands of lkvm" :
				   machine_unavailable();
}

static bool begin(FIXTURE_DATA(snapshot) *self)
{
	if (machine_start(&self->m, &stamping))
		return false;
	snprintf(self->path, sizeof(self->path), "%s/vm.snap",
		 self->m.folder);
	return machine_expect(&self->m, "guest: beat", WAIT_MS);
}

static int take(FIXTURE_DATA(snapshot) *self, const char *option)
{
	const char *const words[] = { "snapshot", self->path, option, NULL };
	const int code = machine_command(&self->m, words, WAIT_MS);

	if (code)
		printf("# exit code %d: %s\n", code, self->m.said);
	return code;
}

/* Ends a stamping guest, and looks whether all is as it shall be. */
static bool stamp_ends_well(struct machine *m)
{
	const char end = GUEST_INPUT_END;
	int code;

	if (!machine_send(m, &end, 1, WAIT_MS))
		return false;
	code = machine_wait(m, WAIT_MS);
	if (code == GUEST_EXIT_PASS)
		return disks_check(m, SEED) == 1;
	machine_show(m);
	return false;
}

static void sleep_us(uint64_t us)
{
	const struct timespec t = {
		.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000,
	};

	nanosleep(&t, NULL);
}

/* Files in a folder whose name ends so, the one seen last in @path. */
static int files(const char *folder, const char *end, char *path, size_t cap)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir))) {
		const size_t len = strlen(e->d_name);

		if (len < strlen(end) ||
		    strcmp(e->d_name + len - strlen(end), end))
			continue;
		snprintf(path, cap, "%s/%s", folder, e->d_name);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* After each one the guest's I/O goes on: its beats tell. */
TEST_F_TIMEOUT(snapshot, the_guest_runs_on, LIMIT_S)
{
	static const char *const options[] = { NULL, "--pause", "--json" };
	struct rounds r = rounds_begin(4, 18, ROUNDS_S);
	unsigned int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	for (i = 0; rounds_next(&r); i++) {
		ASSERT_EQ(0, take(self, options[i % 3]));
		EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat",
					       WAIT_MS));
		if (i % 3)
			continue;
		EXPECT_EQ(0, machine_verify(&self->m, self->path, WAIT_MS))
			TH_LOG("%s", self->m.said);
	}
	EXPECT_TRUE(stamp_ends_well(&self->m));
}

TEST_F_TIMEOUT(snapshot, given_up_the_guest_runs_on, LIMIT_S)
{
	const char *const words[] = { "snapshot", self->path, NULL };
	struct rounds r = rounds_begin(6, 20, ROUNDS_S);
	char left[300];
	int i, status;
	pid_t pid;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	for (i = 0; rounds_next(&r); i++) {
		pid = machine_begin(&self->m, words);
		ASSERT_LT(0, pid);
		sleep_us(test_random_below(&self->rnd, 40000));
		kill(pid, i % 2 ? SIGINT : SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat",
					       WAIT_MS));
	}
	/* One that was begun last may still be given up. */
	for (i = 0; i < 100 && take(self, NULL); i++)
		sleep_us(10000);
	EXPECT_EQ(0, machine_verify(&self->m, self->path, WAIT_MS))
		TH_LOG("%s", self->m.said);
	EXPECT_EQ(0, files(self->m.folder, ".tmp", left, sizeof(left)));
	EXPECT_TRUE(stamp_ends_well(&self->m));
}

TEST_F_TIMEOUT(snapshot, saved_and_ended, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(0, take(self, "--stop"));
	EXPECT_EQ(MACHINE_OFF, machine_wait(&self->m, WAIT_MS));
	EXPECT_EQ(0, machine_verify(&self->m, self->path, WAIT_MS))
		TH_LOG("%s", self->m.said);
}

/* Each start of the guest writes its memory anew, behind its back. */
TEST_F_TIMEOUT(snapshot, a_guest_that_begins_anew_all_the_time, LIMIT_S)
{
	static const char *const options[] = { NULL, "--pause" };
	const struct machine_setup s = {
		.params = "test=reset",
		.disk[0].mib[0] = 1,
		.more = { "--reboot", "restart" },
	};
	const char *const force[] = { "stop", "--force", NULL };
	struct rounds r = rounds_begin(4, 20, ROUNDS_S);
	int i, whole = 0;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &s));
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", self->m.folder);
	for (i = 0; rounds_next(&r); i++) {
		ASSERT_NE(NULL, machine_expect(&self->m, "guest: start reset",
					       WAIT_MS));
		if (take(self, options[i % 2])) {
			EXPECT_NE(NULL, strstr(self->m.said,
					       "the guest has just ended"))
				TH_LOG("%s", self->m.said);
			continue;
		}
		whole++;
		EXPECT_EQ(0, machine_verify(&self->m, self->path, WAIT_MS))
			TH_LOG("%s", self->m.said);
	}
	EXPECT_LT(0, whole);
	EXPECT_EQ(0, machine_command(&self->m, force, WAIT_MS))
		TH_LOG("%s", self->m.said);
	EXPECT_EQ(MACHINE_KILLED, machine_wait(&self->m, WAIT_MS));
}

/* Its own end, in the middle: both end, and a file is whole or not there. */
TEST_F_TIMEOUT(snapshot, a_guest_that_ends_meanwhile, LIMIT_S)
{
	const char *const words[] = { "snapshot", self->path, NULL };
	struct rounds r = rounds_begin(2, 10, ROUNDS_S);
	int whole = 0, status;
	pid_t pid;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	while (rounds_next(&r)) {
		ASSERT_TRUE(begin(self));
		pid = machine_begin(&self->m, words);
		ASSERT_LT(0, pid);
		sleep_us(test_random_below(&self->rnd, 20000));
		EXPECT_TRUE(stamp_ends_well(&self->m));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(!access(self->path, F_OK), !WEXITSTATUS(status));
		if (!WEXITSTATUS(status)) {
			whole++;
			EXPECT_EQ(0, machine_verify(&self->m, self->path,
						    WAIT_MS));
		}
		machine_destroy(&self->m);
		self->m = (struct machine){ .in = -1, .out = -1 };
	}
	printf("# %d of %u were whole\n", whole, r.done);
}

/* Room for nothing, for a part, for nearly all. */
TEST_F_TIMEOUT(snapshot, without_room_the_guest_runs_on, LIMIT_S)
{
	static const char *const sizes[] = {
		"size=4k", "size=64k", "size=1m", NULL,
	};
	const char *const *size;
	char small[100], left[300];

	if (unavailable())
		SKIP(return, "%s", unavailable());
	strcpy(small, "/tmp/lkvm-small-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(small));
	/* The machine is to see it as well: it begins behind this. */
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", small, "tmpfs", 0, sizes[0])) {
		rmdir(small);
		SKIP(return, "mounting a small file system: %s",
		     strerror(errno));
	}
	ASSERT_TRUE(begin(self));
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", small);
	for (size = sizes; *size; size++) {
		ASSERT_EQ(0, mount("none", small, "tmpfs", MS_REMOUNT, *size));
		EXPECT_EQ(1, take(self, NULL));
		EXPECT_NE(NULL, strstr(self->m.said, "No space left"))
			TH_LOG("%s: %s", *size, self->m.said);
		EXPECT_EQ(1, take(self, "--stop"));
		EXPECT_EQ(0, files(small, "", left, sizeof(left)) - 2)
			TH_LOG("left: %s", left);
		EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat",
					       WAIT_MS));
	}
	/* And with room it works. */
	ASSERT_EQ(0, mount("none", small, "tmpfs", MS_REMOUNT, "size=200m"));
	EXPECT_EQ(0, take(self, NULL));
	EXPECT_EQ(0, machine_verify(&self->m, self->path, WAIT_MS));
	EXPECT_TRUE(stamp_ends_well(&self->m));
	umount(small);
	rmdir(small);
}

/*
 * A machine that is killed at any moment: what has the name is whole, and what
 * may be left beside it, in the moment in which one replaces another, as well.
 */
TEST_F_TIMEOUT(snapshot, killed_it_leaves_a_whole_file_or_none, LIMIT_S)
{
	const char *const words[] = { "snapshot", self->path, NULL };
	struct rounds r = rounds_begin(4, 30, ROUNDS_S);
	int i, whole = 0, left_over = 0, status;
	char left[300];
	pid_t pid;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	for (i = 0; rounds_next(&r); i++) {
		ASSERT_TRUE(begin(self));
		/* Every other one replaces an older one. */
		if (i % 2)
			ASSERT_EQ(0, take(self, NULL));
		pid = machine_begin(&self->m, words);
		ASSERT_LT(0, pid);
		sleep_us(test_random_below(&self->rnd, 50000));
		kill(self->m.pid, SIGKILL);
		EXPECT_EQ(MACHINE_OTHER, machine_wait(&self->m, WAIT_MS));
		waitpid(pid, &status, 0);
		if (!access(self->path, F_OK)) {
			whole++;
			EXPECT_EQ(0, machine_verify(&self->m, self->path,
						    WAIT_MS))
				TH_LOG("round %d: %s", i, self->m.said);
		} else {
			EXPECT_EQ(0, i % 2);
		}
		if (files(self->m.folder, ".tmp", left, sizeof(left))) {
			left_over++;
			EXPECT_EQ(1, i % 2);
			EXPECT_EQ(0, machine_verify(&self->m, left, WAIT_MS))
				TH_LOG("round %d: %s", i, self->m.said);
		}
		machine_destroy(&self->m);
		self->m = (struct machine){ .in = -1, .out = -1 };
	}
	printf("# %d times there was a file, %d times one beside it\n", whole,
	       left_over);
}

TEST_HARNESS_MAIN
