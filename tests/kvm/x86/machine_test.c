// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: what the guest finds that only such a machine has
 */
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"

#define LIMIT_S		300
#define WAIT_MS		280000

FIXTURE(x86)
{
	struct machine m;
};

/* QEMU has no such thing, or ends otherwise. */
FIXTURE_VARIANT(x86)
{
	struct machine_setup setup;
	int end;
	bool not_qemu;
};

FIXTURE_VARIANT_ADD(x86, acpi) {
	.setup = { .params = "test=acpi" },
	.end = GUEST_EXIT_PASS,
};

FIXTURE_VARIANT_ADD(x86, linux_entry) {
	.setup = {
		.params = "test=hello,memory,acpi",
		.guest = "guest-linux.elf",
	},
	.end = GUEST_EXIT_PASS,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(x86, cpuid) {
	.setup = { .params = "test=cpuid kvm=1", .cpus = 4 },
	.end = GUEST_EXIT_PASS,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(x86, sixteen_cpus) {
	.setup = { .params = "test=cpuid", .cpus = 16 },
	.end = GUEST_EXIT_PASS,
};

FIXTURE_VARIANT_ADD(x86, mtrr) {
	.setup = { .params = "test=msr" },
	.end = GUEST_EXIT_PASS,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(x86, kvmclock) {
	.setup = { .params = "test=kvmclock" },
	.end = GUEST_EXIT_PASS,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(x86, deadline) {
	.setup = { .params = "test=deadline" },
	.end = GUEST_EXIT_PASS,
};

FIXTURE_VARIANT_ADD(x86, x2apic) {
	.setup = {
		.params = "test=smp,timer,deadline,cpuid x2apic=1",
		.cpus = 2,
	},
	.end = GUEST_EXIT_PASS,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(x86, keyboard_reset) {
	.setup = { .params = "test=reset-kbd" },
	.end = MACHINE_OFF,
};

FIXTURE_VARIANT_ADD(x86, triple_fault) {
	.setup = { .params = "test=triple-fault" },
	.end = MACHINE_TRIPLE_FAULT,
	.not_qemu = true,
};

FIXTURE_SETUP(x86)
{
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(x86)
{
	machine_destroy(&self->m);
}

TEST_F_TIMEOUT(x86, ends_as_it_shall, LIMIT_S)
{
	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	if (variant->not_qemu && machine_is_qemu())
		SKIP(return, "not with QEMU");
	EXPECT_TRUE(machine_ends(&self->m, &variant->setup, variant->end,
				 WAIT_MS));
}

TEST_HARNESS_MAIN
