// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: the ways in which a machine ends
 *
 * Each of these tests ends the machine; if it goes on, the test has failed.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/cpu.h"

#define SLEEP_ENABLE_HW_REDUCED	0x20u
#define SLEEP_ENABLE_PM1	0x2000u
#define PVPANIC_PORT		0x505
#define PVPANIC_PANICKED	0x01

static int still_here(const char *what)
{
	delay_us(20000000);
	CHECK(false, "the machine goes on after %s", what);
}

static int test_poweroff(void)
{
	struct acpi_address a = acpi_fadt_address(FADT_SLEEP_CONTROL);
	uint8_t type;

	CHECK(!acpi_s5_type(&type), "no _S5_ in the DSDT");
	if (acpi_fadt_u32(FADT_FLAGS) & FADT_FLAG_HW_REDUCED) {
		CHECK(a.addr, "no sleep control register");
		acpi_write(&a, (uint32_t)type << 2 | SLEEP_ENABLE_HW_REDUCED);
	} else {
		a.space = ACPI_SPACE_IO;
		a.bits = 16;
		a.addr = acpi_fadt_u32(FADT_PM1A_CNT_BLK) & 0xffff;
		acpi_write(&a, (uint32_t)type << 10 | SLEEP_ENABLE_PM1);
	}
	return still_here("power-off");
}

static int test_reset(void)
{
	const struct acpi_address a = acpi_fadt_address(FADT_RESET_REG);

	CHECK(acpi_fadt_u32(FADT_FLAGS) & FADT_FLAG_RESET_REG,
	      "no reset register");
	acpi_write(&a, acpi_fadt_u32(FADT_RESET_VALUE) & 0xff);
	return still_here("the reset register");
}

static int test_reset_kbd(void)
{
	outb(0x64, 0xfe);
	return still_here("i8042 reset");
}

static int test_triple_fault(void)
{
	cpu_triple_fault();
	return still_here("a triple fault");
}

static int test_panic(void)
{
	CHECK(inb(PVPANIC_PORT) & PVPANIC_PANICKED, "pvpanic events %x",
	      inb(PVPANIC_PORT));
	outb(PVPANIC_PORT, PVPANIC_PANICKED);
	return still_here("pvpanic");
}

/* Sleeps for ever; somebody else ends the machine. */
static int test_idle(void)
{
	lapic_tick(false);
	print("guest: idle\n");
	irq_wait(VECTOR_TICK, irq_seen(VECTOR_TICK));
	return still_here("sleeping");
}

/* Runs without an exit for longer than anybody waits. */
static int test_spin(void)
{
	lapic_tick(false);
	print("guest: spin\n");
	delay_us(24 * 3600 * 1000000ull);
	return still_here("a day");
}

/* A fault of the guest: shows its report. */
static int test_trap(void)
{
	*(volatile uint64_t *)(1ull << 46) = 1;
	return still_here("a page fault");
}

const struct test end_tests[] = {
	{ "poweroff", test_poweroff, "ACPI sleep state 5" },
	{ "reset", test_reset, "the FADT's reset register" },
	{ "reset-kbd", test_reset_kbd, "reset by the keyboard controller" },
	{ "triple-fault", test_triple_fault, "shutdown of the CPU" },
	{ "panic", test_panic, "tell pvpanic" },
	{ "idle", test_idle, "sleep for ever" },
	{ "spin", test_spin, "run for ever" },
	{ "trap", test_trap, "a page fault in the guest" },
	{ 0 },
};
