// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how a machine ends, and that lkvm's exit code tells
 */
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"

#define LIMIT_S		150
#define WAIT_MS		140000

FIXTURE(end)
{
	struct machine m;
};

FIXTURE_VARIANT(end)
{
	const char *params;
	int end;
	const char *says;
};

FIXTURE_VARIANT_ADD(end, poweroff) {
	.params = "test=poweroff",
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(end, reset) {
	.params = "test=reset",
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(end, panic) {
	.params = "test=panic",
	.end = MACHINE_PANIC,
};

FIXTURE_VARIANT_ADD(end, debug_exit) {
	.params = "test=hello",
	.end = GUEST_EXIT_PASS,
	.says = "guest: pass hello",
};

FIXTURE_VARIANT_ADD(end, guest_fault) {
	.params = "test=trap",
	.end = GUEST_EXIT_TRAP,
	.says = "guest: FAILED exception",
};

FIXTURE_VARIANT_ADD(end, unknown_test) {
	.params = "test=no-such",
	.end = GUEST_EXIT_USAGE,
	.says = "guest: no test \"no-such\"",
};

FIXTURE_SETUP(end)
{
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(end)
{
	machine_destroy(&self->m);
}

TEST_F_TIMEOUT(end, has_its_code, LIMIT_S)
{
	const struct machine_setup s = { .params = variant->params };

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	EXPECT_TRUE(machine_ends(&self->m, &s, variant->end, WAIT_MS));
	if (variant->says)
		EXPECT_NE(NULL, strstr(self->m.console, variant->says));
}

TEST_HARNESS_MAIN
