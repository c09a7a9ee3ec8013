// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a guest that moves between two processes while it does I/O
 *
 * The stamping guest checks all of its memory and of its disks, again and
 * again; whatever is lost or mixed up on the way ends it. At its end the disks
 * are checked from outside, too.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/proxy.h"
#include "tests/kvm/rounds.h"
#include "tests/lib/harness.h"
#include "vmm/base/types.h"

#define LIMIT_S		900
#define WAIT_MS		100000
#define SEED		5
#define ROUNDS		100
#define WRITES_MS	1000	/* for so long the guest's writes are counted */
#define MOST_KIB	(24u * 1024)
#define LEAST_KIB	2048u
#define ROUNDS_LEAST	4
#define ROUNDS_S	15	/* on a slow machine */

FIXTURE(migrate)
{
	struct machine m[2];
	char address[160];
};

FIXTURE_SETUP(migrate)
{
	self->m[0] = (struct machine){ .in = -1, .out = -1 };
	self->m[1] = self->m[0];
}

FIXTURE_TEARDOWN(migrate)
{
	machine_destroy(&self->m[1]);
	machine_destroy(&self->m[0]);
}

static const char *unavailable(void)
{
	return machine_is_qemu() ? "this is about lkvm" : machine_unavailable();
}

static const char usual[] = "test=stamp cpus=2 beat=20 seed=5";
static const char small[] = "test=stamp cpus=2 beat=20 seed=5 mem=1";

static bool start(FIXTURE_DATA(migrate) *self, const char *params)
{
	const struct machine_setup s = {
		.params = params,
		.cpus = 2, .mib = 32,
		.disk[0].mib[0] = 16,
	};
	char socket[128];

	if (machine_start(&self->m[0], &s))
		return false;
	machine_path(&self->m[0], "s", socket, sizeof(socket));
	snprintf(self->address, sizeof(self->address), "unix:%s", socket);
	return machine_expect(&self->m[0], "guest: beat", WAIT_MS);
}

static bool receive(FIXTURE_DATA(migrate) *self, unsigned int to, bool first)
{
	const char *const words[] = { "--listen", self->address, NULL };
	struct machine *m = &self->m[to];
	int ret;

	ret = first ? machine_receive(m, &self->m[0], words) :
		      machine_receive_again(m, words);
	return !ret && machine_expect(m, "waiting for a machine", WAIT_MS);
}

static bool show(const FIXTURE_DATA(migrate) *self)
{
	machine_show(&self->m[0]);
	machine_show(&self->m[1]);
	return false;
}

static bool receive_tcp(FIXTURE_DATA(migrate) *self, unsigned int to,
			bool first)
{
	snprintf(self->address, sizeof(self->address), "127.0.0.1:%u",
		 proxy_free_port());
	return receive(self, to, first);
}

/* To the other process; this one ends. */
static bool move(FIXTURE_DATA(migrate) *self, unsigned int from,
		 const char *channels)
{
	const char *const words[] = {
		"migrate", "--to", self->address, "--channels", channels, NULL,
	};
	int code;

	code = machine_command(&self->m[from], words, WAIT_MS);
	if (!code)
		code = machine_wait(&self->m[from], WAIT_MS);
	if (code == MACHINE_OFF &&
	    machine_expect(&self->m[!from], "guest: beat", WAIT_MS))
		return true;
	printf("# migrate: %d: %s\n", code, self->m[from].said);
	return show(self);
}

/* Has the guest check all of its memory and disk, and go on. */
static bool is_right(struct machine *m)
{
	const char check = GUEST_INPUT_CHECK;

	if (machine_send(m, &check, 1, WAIT_MS) &&
	    machine_expect(m, "guest: everything is right", WAIT_MS))
		return true;
	machine_show(m);
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

TEST_F_TIMEOUT(migrate, hundred_times_under_io, LIMIT_S)
{
	static const char *const channels[] = { "1", "2", "4" };
	struct rounds r = rounds_begin(ROUNDS_LEAST, ROUNDS, ROUNDS_S);
	unsigned int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, usual));
	for (i = 0; rounds_next(&r); i++) {
		ASSERT_TRUE(receive_tcp(self, (i + 1) % 2, !i))
			TH_LOG("round %u", i);
		ASSERT_TRUE(move(self, i % 2, channels[i % 3]))
			TH_LOG("round %u", i);
		ASSERT_TRUE(is_right(&self->m[(i + 1) % 2]))
			TH_LOG("round %u", i);
	}
	ASSERT_TRUE(ends_well(&self->m[i % 2]));
	EXPECT_EQ(1, disks_check(&self->m[i % 2], SEED));
}

/* The guest is stopped for each question, in the middle of its I/O. */
TEST_F_TIMEOUT(migrate, asked_again_and_again_under_io, LIMIT_S)
{
	const char *const words[] = {
		"migrate", "--to", self->address, "--dry-run", NULL,
	};
	struct rounds r = rounds_begin(3, 10, 5);

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, usual));
	ASSERT_TRUE(receive_tcp(self, 1, true));
	while (rounds_next(&r)) {
		ASSERT_EQ(0, machine_command(&self->m[0], words, WAIT_MS))
			TH_LOG("%s", self->m[0].said);
		EXPECT_NE(NULL, strstr(self->m[0].said, "nothing would stop"));
	}
	ASSERT_TRUE(is_right(&self->m[0]));
	/* The one that has answered takes it, too. */
	ASSERT_TRUE(move(self, 0, "2"));
	ASSERT_TRUE(is_right(&self->m[1]));
	ASSERT_TRUE(ends_well(&self->m[1]));
	EXPECT_EQ(1, disks_check(&self->m[1], SEED));
}

/* When a beat was, and how many pages had been written by then. */
static bool beat_read(struct machine *m, unsigned long *ms,
		      unsigned long *pages)
{
	const char *beat = machine_expect(m, "guest: beat", WAIT_MS);

	return beat && sscanf(beat, "guest: beat %*u t=%lu mem=%*u/%lu", ms,
			      pages) == 2;
}

/* Half of what the guest writes in a second, in KiB; 0 if it does not tell. */
static unsigned long half_of_writes(struct machine *m)
{
	unsigned long since, before, now, pages;

	if (!beat_read(m, &since, &before))
		return 0;
	do {
		if (!beat_read(m, &now, &pages))
			return 0;
	} while (now - since < WRITES_MS);
	return (pages - before) * 4 / 2 * 1000 / (now - since);
}

/*
 * The guest writes more than can be sent, until it is slowed down. It has little
 * memory to do so, which has been sent soon where that is not much a second; an
 * emulated guest's is not enough.
 */
TEST_F_TIMEOUT(migrate, guest_that_writes_too_much_is_slowed_down, LIMIT_S)
{
	char bandwidth[24];
	const char *const words[] = {
		"migrate", "--to", self->address, "--bandwidth", bandwidth,
		"--downtime", "10", "--json", NULL,
	};
	unsigned long kib;
	const char *last;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, small));
	kib = half_of_writes(&self->m[0]);
	ASSERT_LT(0, kib);
	if (kib < LEAST_KIB)
		SKIP(return, "at %lu KiB a second it would take minutes", kib);
	snprintf(bandwidth, sizeof(bandwidth), "%luK",
		 kib < MOST_KIB ? kib : MOST_KIB);
	printf("# %s bytes a second\n", bandwidth);
	ASSERT_TRUE(receive(self, 1, true));
	ASSERT_EQ(0, machine_command(&self->m[0], words, WAIT_MS))
		TH_LOG("%s", self->m[0].said);
	EXPECT_EQ(MACHINE_OFF, machine_wait(&self->m[0], WAIT_MS));
	EXPECT_NE(NULL, machine_expect(&self->m[0], "writes faster than can be sent",
				       WAIT_MS));
	ASSERT_NE(NULL, machine_expect(&self->m[1], "guest: beat", WAIT_MS));
	last = strstr(self->m[0].said, "\"event\":\"end\"");
	EXPECT_TRUE(!last || !strstr(last, "\"throttle-percent\":0"));
	/* It runs at full speed again. */
	ASSERT_TRUE(ends_well(&self->m[1]));
	EXPECT_EQ(1, disks_check(&self->m[1], SEED));
}

/* At this rate a round takes as long as a second. */
static bool there_and_back(FIXTURE_DATA(migrate) *self, const char *ring)
{
	const char *const words[] = {
		"migrate", "--to", self->address, "--bandwidth", "24M", NULL,
	};
	bool good;
	u32 i;

	setenv("LKVM_DIRTY_RING", ring, 1);
	good = start(self, usual);
	for (i = 0; good && i < 4; i++)
		good = receive(self, (i + 1) % 2, !i) &&
		       !machine_command(&self->m[i % 2], words, WAIT_MS) &&
		       machine_wait(&self->m[i % 2], WAIT_MS) == MACHINE_OFF &&
		       machine_expect(&self->m[(i + 1) % 2], "guest: beat",
				      WAIT_MS);
	unsetenv("LKVM_DIRTY_RING");
	return good ? ends_well(&self->m[0]) : show(self);
}

TEST_F_TIMEOUT(migrate, nothing_is_lost_with_a_dirty_log, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(there_and_back(self, "0"));
	EXPECT_EQ(1, disks_check(&self->m[0], SEED));
}

#define OVERFLOW	"KVM has let a dirty ring overflow"

/* The guest writes to more pages in a round than the ring has entries. */
TEST_F_TIMEOUT(migrate, nothing_is_lost_when_dirty_rings_are_full, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	if (!there_and_back(self, "256")) {
		/* Then nothing is lost either: that migration has failed. */
		ASSERT_TRUE(machine_expect(&self->m[0], OVERFLOW, 0) ||
			    machine_expect(&self->m[1], OVERFLOW, 0));
		SKIP(return, "%s", OVERFLOW);
	}
	EXPECT_EQ(1, disks_check(&self->m[0], SEED));
}

/* Whoever is killed, the guest goes on where it was. */
TEST_F_TIMEOUT(migrate, killed_receivers_change_nothing, LIMIT_S)
{
	const char *const words[] = {
		"migrate", "--to", self->address, "--bandwidth", "8M", NULL,
	};
	struct timespec wait = { 0 };
	unsigned int i;
	pid_t client;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self, usual));
	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(receive(self, 1, !i)) TH_LOG("round %u", i);
		client = machine_begin(&self->m[0], words);
		ASSERT_LT(0, client);
		wait.tv_nsec = 100000000L * (i + 1);
		nanosleep(&wait, NULL);
		kill(self->m[1].pid, SIGKILL);
		machine_wait(&self->m[1], WAIT_MS);
		waitpid(client, NULL, 0);
		ASSERT_NE(NULL, machine_expect(&self->m[0], "guest: beat", WAIT_MS))
			TH_LOG("round %u", i);
		unlink(self->address + strlen("unix:"));
	}
	ASSERT_TRUE(ends_well(&self->m[0]));
	EXPECT_EQ(1, disks_check(&self->m[0], SEED));
}

TEST_HARNESS_MAIN
