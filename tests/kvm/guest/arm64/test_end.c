// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: the ways in which a machine ends
 *
 * Each of these tests ends the machine; if it goes on, the test has failed.
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/arm64/gic.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"

#define PVPANIC_PANICKED	0x01

static int still_here(const char *what)
{
	delay_us(20000000);
	CHECK(false, "the machine goes on after %s", what);
}

static int test_poweroff(void)
{
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	return still_here("power-off");
}

static int test_reset(void)
{
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	return still_here("a reset");
}

static int test_panic(void)
{
	volatile uint8_t *p;
	const uint64_t at = fdt_address("qemu,pvpanic-mmio", 0);

	CHECK(at, "the tree has no pvpanic");
	p = mmio_map(at, 2);
	CHECK(*p & PVPANIC_PANICKED, "pvpanic events %x", *p);
	*p = PVPANIC_PANICKED;
	return still_here("pvpanic");
}

/* Sleeps for ever; somebody else ends the machine. */
static int test_idle(void)
{
	tick_set(false);
	print("guest: idle\n");
	irq_wait(irq_tick, irq_seen(irq_tick));
	return still_here("sleeping");
}

/* Runs without an exit for longer than anybody waits. */
static int test_spin(void)
{
	tick_set(false);
	print("guest: spin\n");
	delay_us(24 * 3600 * 1000000ull);
	return still_here("a day");
}

/* A fault of the guest: shows its report. */
static int test_trap(void)
{
	*(volatile uint64_t *)(1ull << 46) = 1;
	return still_here("a fault");
}

const struct test end_tests[] = {
	{ "poweroff", test_poweroff, "PSCI's SYSTEM_OFF" },
	{ "reset", test_reset, "PSCI's SYSTEM_RESET" },
	{ "panic", test_panic, "tell pvpanic" },
	{ "idle", test_idle, "sleep for ever" },
	{ "spin", test_spin, "run for ever" },
	{ "trap", test_trap, "a translation fault in the guest" },
	{ 0 },
};
