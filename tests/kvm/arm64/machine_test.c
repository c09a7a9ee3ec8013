// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: what the guest finds that only such a machine has
 */
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"

#define LIMIT_S		300
#define WAIT_MS		280000

FIXTURE(arm64)
{
	struct machine m;
};

FIXTURE_VARIANT(arm64)
{
	struct machine_setup setup;
	int end;
};

FIXTURE_VARIANT_ADD(arm64, device_tree) {
	.setup = { .params = "test=tree" },
	.end = GUEST_EXIT_PASS,
};

FIXTURE_VARIANT_ADD(arm64, cpus) {
	.setup = { .params = "test=cpus", .cpus = 4 },
	.end = GUEST_EXIT_PASS,
};

/* More than the sixteen of one cluster. */
FIXTURE_VARIANT_ADD(arm64, two_clusters) {
	.setup = { .params = "test=cpus", .cpus = 17 },
	.end = GUEST_EXIT_PASS,
};

FIXTURE_SETUP(arm64)
{
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(arm64)
{
	machine_destroy(&self->m);
}

TEST_F_TIMEOUT(arm64, ends_as_it_shall, LIMIT_S)
{
	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	EXPECT_TRUE(machine_ends(&self->m, &variant->setup, variant->end,
				 WAIT_MS));
}

TEST_HARNESS_MAIN
