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
	int end_qemu;	/* 0: as for lkvm */
	const char *says;
};

FIXTURE_VARIANT_ADD(end, poweroff) {
	.params = "test=poweroff",
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(end, reset_register) {
	.params = "test=reset",
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(end, keyboard_reset) {
	.params = "test=reset-kbd",
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(end, triple_fault) {
	.params = "test=triple-fault",
	.end = MACHINE_TRIPLE_FAULT,
	.end_qemu = MACHINE_OFF,
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
	.says = "guest: FAILED exception 14",
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
	const int want = machine_is_qemu() && variant->end_qemu ?
			 variant->end_qemu : variant->end;
	int end;

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	ASSERT_EQ(0, machine_start(&self->m, &s));
	end = machine_wait(&self->m, WAIT_MS);
	if (end != want)
		machine_show(&self->m);
	EXPECT_EQ(want, end);
	if (variant->says)
		EXPECT_NE(NULL, strstr(self->m.console, variant->says));
}

TEST_HARNESS_MAIN
