// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: interrupts that the guest cannot mask, by lkvm debug
 */
#include <string.h>

#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"

#define LIMIT_S		300
#define WAIT_MS		100000

FIXTURE(nmi)
{
	struct machine m;
};

FIXTURE_SETUP(nmi)
{
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(nmi)
{
	machine_destroy(&self->m);
}

static const char *unavailable(void)
{
	return machine_is_qemu() ? "this is a command of lkvm" :
				   machine_unavailable();
}

/* The guest takes it for a fault, and reports the vector and the CPU. */
static void interrupt(struct __test_metadata *_metadata, struct machine *m,
		      const struct machine_setup *s, const char *says,
		      const char *option)
{
	const char *const words[] = { "debug", option, NULL };
	const char *line;

	ASSERT_EQ(0, machine_start(m, s));
	EXPECT_NE(NULL, machine_expect(m, says, WAIT_MS));
	ASSERT_EQ(0, machine_command(m, words, WAIT_MS)) TH_LOG("%s", m->said);
	EXPECT_NE(NULL, machine_expect(m, "FAILED exception 2 ", WAIT_MS));
	line = machine_expect(m, "guest:   cpu ", WAIT_MS);
	ASSERT_NE(NULL, line);
	EXPECT_EQ(option[strlen(option) - 1], line[strlen("guest:   cpu ")]);
	EXPECT_EQ(GUEST_EXIT_TRAP, machine_wait(m, WAIT_MS));
}

TEST_F_TIMEOUT(nmi, wakes_a_sleeping_guest, LIMIT_S)
{
	const struct machine_setup s = { .params = "test=idle", .cpus = 2 };

	if (unavailable())
		SKIP(return, "%s", unavailable());
	interrupt(_metadata, &self->m, &s, "guest: idle", "--nmi=0");
}

TEST_F_TIMEOUT(nmi, interrupts_a_busy_guest, LIMIT_S)
{
	const struct machine_setup s = { .params = "test=spin", .cpus = 1 };

	if (unavailable())
		SKIP(return, "%s", unavailable());
	interrupt(_metadata, &self->m, &s, "guest: spin", "--nmi=0");
}

TEST_F_TIMEOUT(nmi, reaches_the_second_vcpu, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=2 beat=20 seed=3",
		.cpus = 2,
		.disk[0].mib[0] = 16,
	};

	if (unavailable())
		SKIP(return, "%s", unavailable());
	interrupt(_metadata, &self->m, &s, "guest: beat", "--nmi=1");
}

TEST_HARNESS_MAIN
