// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: time by the TSC; its frequency from KVM's clock, the timing
 * leaf of CPUID, the ACPI PM timer, or the RTC, whichever is there first
 *
 * Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst; ACPI 6.4 4.8.2.1
 * (PM timer, 3.579545 MHz); MC146818 data sheet (RTC).
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/clock.h"
#include "tests/kvm/guest/x86/cpu.h"

#define CPUID_HYPERVISOR	0x40000000
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define PM_TIMER_HZ		3579545u
#define PM_TIMER_MASK		0xffffffu
#define PM_TIMER_SPAN		(PM_TIMER_HZ / 50)

#define RTC_INDEX		0x70
#define RTC_DATA		0x71
#define RTC_STATUS_A		0x0a
#define RTC_STATUS_B		0x0b
#define RTC_UPDATING		0x80
#define RTC_BINARY		0x04
#define RTC_24H			0x02
#define RTC_CENTURY		0x32

static uint64_t tsc_start;
static uint64_t tsc_khz;
static uint64_t ns_per_tick;	/* 32-bit fraction */
static const char *source;
static struct kvm_clock boot_clock __attribute__((aligned(64)));

/**
 * kvm_leaf - the first of KVM's CPUID leaves
 *
 * Return: the leaf, or 0 if this is not KVM.
 */
uint32_t kvm_leaf(void)
{
	const struct cpuid r = cpuid(CPUID_HYPERVISOR, 0);

	if (!(cpuid(1, 0).c >> 31))
		return 0;
	/* "KVMK" "VMKV" "M\0\0\0" */
	return r.b == 0x4b4d564b && r.c == 0x564b4d56 && r.d == 0x4d ?
	       CPUID_HYPERVISOR : 0;
}

/**
 * kvm_clock_present - does CPUID announce KVM's clock
 *
 * Return: true if it does.
 */
bool kvm_clock_present(void)
{
	const uint32_t leaf = kvm_leaf();

	return leaf && (cpuid(leaf + 1, 0).a & KVM_FEATURE_CLOCKSOURCE2);
}

/**
 * kvm_clock_read - KVM's time on this CPU
 * @c: the area that this CPU has registered
 *
 * Return: nanoseconds since the machine was made.
 */
uint64_t kvm_clock_read(const struct kvm_clock *c)
{
	const volatile struct kvm_clock *v = c;
	uint64_t delta, time;
	uint32_t version;

	do {
		version = v->version;
		memory_barrier();
		delta = rdtsc() - v->tsc;
		delta = v->shift < 0 ? delta >> -v->shift : delta << v->shift;
		time = v->time +
		       (uint64_t)(((__uint128_t)delta * v->mul) >> 32);
		memory_barrier();
	} while ((version & 1) || version != v->version);
	return time;
}

static uint64_t khz_from_kvm_clock(void)
{
	uint64_t khz;

	if (!kvm_clock_present() ||
	    msr_write(KVM_CLOCK_TIME, (uint64_t)&boot_clock | 1) ||
	    !boot_clock.mul)
		return 0;
	khz = (1000000ull << 32) / boot_clock.mul;
	khz = boot_clock.shift < 0 ? khz << -boot_clock.shift :
				     khz >> boot_clock.shift;
	/* No host write may go on into memory that is stamped later. */
	msr_write(KVM_CLOCK_TIME, 0);
	return khz;
}

static uint64_t khz_from_cpuid(void)
{
	const uint32_t leaf = kvm_leaf();

	if (!leaf || cpuid(leaf, 0).a < leaf + 0x10)
		return 0;
	return cpuid(leaf + 0x10, 0).a;
}

static uint64_t khz_from_pm_timer(void)
{
	const uint16_t port = (uint16_t)acpi_fadt_u32(FADT_PM_TMR_BLK);
	uint32_t start, ticks;
	uint64_t tsc;

	if (!port)
		return 0;
	start = inl(port);
	tsc = rdtsc();
	do
		ticks = (inl(port) - start) & PM_TIMER_MASK;
	while (ticks < PM_TIMER_SPAN);
	return (rdtsc() - tsc) * PM_TIMER_HZ / ticks / 1000;
}

static uint64_t khz_from_rtc(void)
{
	const uint8_t first = rtc_register(0);
	uint8_t second;
	uint64_t tsc;

	while ((second = rtc_register(0)) == first)
		cpu_relax();
	tsc = rdtsc();
	while (rtc_register(0) == second)
		cpu_relax();
	return (rdtsc() - tsc) / 1000;
}

/**
 * clock_init - find the TSC's frequency
 *
 * Context: boot CPU, after acpi_init().
 */
void clock_init(void)
{
	static const struct {
		const char *name;
		uint64_t (*khz)(void);
	} sources[] = {
		{ "kvm-clock", khz_from_kvm_clock },
		{ "cpuid", khz_from_cpuid },
		{ "pm-timer", khz_from_pm_timer },
		{ "rtc", khz_from_rtc },
	};
	unsigned int i;

	tsc_start = rdtsc();
	for (i = 0; i < ARRAY_SIZE(sources) && !tsc_khz; i++) {
		tsc_khz = sources[i].khz();
		source = sources[i].name;
	}
	ns_per_tick = (1000000ull << 32) / tsc_khz;
}

/**
 * clock_tsc_khz - the TSC's frequency
 *
 * Return: kHz.
 */
uint64_t clock_tsc_khz(void)
{
	return tsc_khz;
}

/**
 * clock_source - where the frequency is from
 *
 * Return: a name.
 */
const char *clock_source(void)
{
	return source;
}

/**
 * now_ns - time since the guest's start
 *
 * Return: nanoseconds.
 */
uint64_t now_ns(void)
{
	const uint64_t ticks = rdtsc() - tsc_start;

	return (uint64_t)(((__uint128_t)ticks * ns_per_tick) >> 32);
}

/**
 * delay_us - wait
 * @us: at least so long
 */
void delay_us(uint64_t us)
{
	const uint64_t end = now_ns() + us * 1000;

	while (now_ns() < end)
		cpu_relax();
}

/**
 * rtc_register - read a register of the real-time clock
 * @reg: number
 *
 * Return: its value.
 */
uint8_t rtc_register(uint8_t reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

static unsigned int rtc_number(uint8_t reg, bool binary)
{
	const uint8_t v = rtc_register(reg);

	return binary ? v : (v >> 4) * 10u + (v & 15);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static uint64_t days_since_1970(unsigned int y, unsigned int m, unsigned int d)
{
	/* March-based year: the leap day is the last one. */
	const unsigned int year = m > 2 ? y : y - 1;
	const unsigned int month = m > 2 ? m - 3 : m + 9;

	return 365ull * year + year / 4 - year / 100 + year / 400 +
	       (153 * month + 2) / 5 + d - 1 - 719468;
}

/**
 * rtc_seconds - the date and time of the real-time clock
 *
 * Return: seconds since 1970, UTC.
 */
uint64_t rtc_seconds(void)
{
	unsigned int v[6], again, century, hour;
	bool binary, pm;

	do {
		while (rtc_register(RTC_STATUS_A) & RTC_UPDATING)
			cpu_relax();
		binary = rtc_register(RTC_STATUS_B) & RTC_BINARY;
		v[0] = rtc_number(0, binary);
		v[1] = rtc_number(2, binary);
		hour = rtc_register(4);
		v[3] = rtc_number(7, binary);
		v[4] = rtc_number(8, binary);
		v[5] = rtc_number(9, binary);
		century = rtc_number(RTC_CENTURY, binary);
		again = rtc_number(0, binary);
	} while (again != v[0]);
	pm = !(rtc_register(RTC_STATUS_B) & RTC_24H) && (hour & 0x80);
	hour &= 0x7f;
	v[2] = binary ? hour : (hour >> 4) * 10 + (hour & 15);
	if (pm)
		v[2] = v[2] % 12 + 12;
	v[5] += century >= 19 && century < 30 ? century * 100 : 2000;
	return days_since_1970(v[5], v[4], v[3]) * 86400 + v[2] * 3600 +
	       v[1] * 60 + v[0];
}
