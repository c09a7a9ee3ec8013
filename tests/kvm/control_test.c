// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the other commands of lkvm on a machine that runs
 */
#include <signal.h>
#include <time.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/rounds.h"
#include "tests/lib/harness.h"

#define LIMIT_S		300
#define WAIT_MS		100000
#define SEED		3

FIXTURE(control)
{
	struct machine m;
};

FIXTURE_SETUP(control)
{
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(control)
{
	machine_destroy(&self->m);
}

static const char *unavailable(void)
{
	return machine_is_qemu() ? "these are commands of lkvm" :
				   machine_unavailable();
}

static int command(struct machine *m, const char *word, const char *option)
{
	const char *const words[] = { word, option, NULL };
	const int code = machine_command(m, words, WAIT_MS);

	if (code)
		printf("# lkvm %s: exit code %d: %s\n", word, code, m->said);
	return code;
}

static const struct machine_setup stamping = {
	.params = "test=stamp cpus=2 beat=20 seed=3",
	.cpus = 2,
	.disk[0].mib[0] = 16,
};

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

TEST_F_TIMEOUT(control, paused_guest_stands_still, LIMIT_S)
{
	const struct timespec while_paused = { .tv_nsec = 300000000 };
	int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &stamping));
	for (i = 0; i < 5; i++) {
		EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat",
					       WAIT_MS));
		EXPECT_EQ(0, command(&self->m, "pause", NULL));
		/* Whatever is on its way out still comes. */
		while (machine_expect(&self->m, "guest: beat", 100))
			;
		nanosleep(&while_paused, NULL);
		EXPECT_EQ(NULL, machine_expect(&self->m, "guest: beat", 1));
		EXPECT_EQ(0, command(&self->m, "resume", NULL));
	}
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat", WAIT_MS));
	EXPECT_TRUE(stamp_ends_well(&self->m));
}

/* The shorter the pauses, the more often one falls into a command's way. */
TEST_F_TIMEOUT(control, many_short_pauses, LIMIT_S)
{
	struct rounds r = rounds_begin(10, 50, 5);

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &stamping));
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat", WAIT_MS));
	while (rounds_next(&r)) {
		ASSERT_EQ(0, command(&self->m, "pause", NULL));
		ASSERT_EQ(0, command(&self->m, "resume", NULL));
	}
	EXPECT_TRUE(stamp_ends_well(&self->m));
}

static void force(struct __test_metadata *_metadata, struct machine *m,
		  const char *params, const char *says)
{
	const struct machine_setup s = { .params = params, .cpus = 2 };

	ASSERT_EQ(0, machine_start(m, &s));
	EXPECT_NE(NULL, machine_expect(m, says, WAIT_MS));
	EXPECT_EQ(0, command(m, "stop", "--force"));
	EXPECT_EQ(MACHINE_KILLED, machine_wait(m, WAIT_MS));
}

TEST_F_TIMEOUT(control, sleeping_guest_is_stopped_by_force, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	force(_metadata, &self->m, "test=idle", "guest: idle");
}

TEST_F_TIMEOUT(control, busy_guest_is_stopped_by_force, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	force(_metadata, &self->m, "test=spin", "guest: spin");
}

TEST_F_TIMEOUT(control, guest_with_io_is_stopped_by_force, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &stamping));
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat 3", WAIT_MS));
	EXPECT_EQ(0, command(&self->m, "stop", "--force"));
	EXPECT_EQ(MACHINE_KILLED, machine_wait(&self->m, WAIT_MS));
}

TEST_F_TIMEOUT(control, deaf_guest_is_stopped_after_a_time, LIMIT_S)
{
	const struct machine_setup s = { .params = "test=spin" };

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &s));
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: spin", WAIT_MS));
	EXPECT_EQ(0, command(&self->m, "stop", "--timeout=1"));
	EXPECT_EQ(MACHINE_KILLED, machine_wait(&self->m, WAIT_MS));
}

TEST_F_TIMEOUT(control, signal_ends_it, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &stamping));
	EXPECT_NE(NULL, machine_expect(&self->m, "guest: beat", WAIT_MS));
	kill(self->m.pid, SIGTERM);
	EXPECT_EQ(MACHINE_SIGNAL + SIGTERM, machine_wait(&self->m, WAIT_MS));
}

/* Each start finds devices as at power-on. */
TEST_F_TIMEOUT(control, reset_with_restart, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=nvme-kinds,nvme-event,reset",
		.disk[0].mib[0] = 1,
		.more = { "--reboot", "restart" },
	};
	int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &s));
	for (i = 0; i < 4; i++) {
		if (!machine_expect(&self->m, "guest: start reset", WAIT_MS)) {
			machine_show(&self->m);
			ASSERT_EQ(4, i);
		}
	}
	EXPECT_EQ(0, command(&self->m, "stop", "--force"));
	EXPECT_EQ(MACHINE_KILLED, machine_wait(&self->m, WAIT_MS));
}

TEST_HARNESS_MAIN
