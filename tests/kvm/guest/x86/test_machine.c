// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: tests of the machine around the CPU and of what it shows
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/clock.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/smp.h"

#define MSR_TSC_DEADLINE	0x6e0
#define MSR_MTRR_DEFAULT	0x2ff
#define CPUID_TSC_DEADLINE	(1u << 24)
#define CPUID_HYPERVISOR_BIT	(1u << 31)

static int test_hello(void)
{
	const struct mem_range *r;
	unsigned int i, n = mem_ranges(&r);

	for (i = 0; i < n; i++)
		print("guest: memory %lx-%lx type %u\n", r[i].addr,
		      r[i].addr + r[i].size - 1, r[i].type);
	print("guest: %lu KiB available, tsc %lu kHz by %s, lapic id %u%s\n",
	      mem_available() / 1024, clock_tsc_khz(), clock_source(),
	      lapic_own_id(), lapic_x2apic ? " x2apic" : "");
	return 0;
}

/* No entry overlaps another; ECAM and the local APIC are not in RAM. */
static int test_memory(void)
{
	const struct mem_range *r;
	unsigned int i, k, n = mem_ranges(&r);
	uint64_t *p;

	CHECK(n, "no memory map");
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			CHECK(r[i].addr + r[i].size <= r[k].addr ||
			      r[k].addr + r[k].size <= r[i].addr,
			      "entries %u and %u overlap", k, i);
	CHECK(!mem_is_ram(0xfee00000, 1) && !mem_is_ram(0xfec00000, 1),
	      "an APIC is in RAM");
	CHECK(!acpi_ecam_address() || !mem_is_ram(acpi_ecam_address(), 1),
	      "ECAM is in RAM");
	/* The first and last bytes of each entry of RAM are there. */
	for (i = 0; i < n; i++) {
		if (r[i].type != MEM_RAM || r[i].addr < MIB(1))
			continue;
		p = (uint64_t *)(r[i].addr + r[i].size - 8);
		*(volatile uint64_t *)p = 0x1122334455667788;
		CHECK(*(volatile uint64_t *)p == 0x1122334455667788,
		      "RAM at %lx does not hold", (uint64_t)p);
		*p = 0;
	}
	return 0;
}

static int test_acpi(void)
{
	uint8_t type;

	if (acpi_check_all())
		return -1;
	CHECK(!acpi_s5_type(&type), "no _S5_ in the DSDT");
	print("guest: acpi: _S5_ type %u, FADT flags %x\n", type,
	      acpi_fadt_u32(FADT_FLAGS));
	return 0;
}

/* The ids of this CPU in CPUID are the one of its local APIC. */
static int cpuid_check(unsigned int cpu, void *arg)
{
	const uint32_t id = lapic_own_id();
	struct cpuid r = cpuid(1, 0);
	unsigned int i;

	(void)arg;
	CHECK(id == cpu_get(cpu)->apic_id, "APIC id %u, MADT %u", id,
	      cpu_get(cpu)->apic_id);
	CHECK(r.b >> 24 == (id & 0xff), "leaf 1: APIC id %u, not %u",
	      r.b >> 24, id);
	CHECK(r.c & CPUID_HYPERVISOR_BIT, "leaf 1: no hypervisor bit");
	for (i = 0; cpuid(0, 0).a >= 0xb && i < 3; i++) {
		r = cpuid(0xb, i);
		CHECK(r.d == id || (!i && !r.b),
		      "leaf b.%u: x2APIC id %u, not %u", i, r.d, id);
		if (!(r.c >> 8 & 0xff))
			break;
	}
	r = cpuid(0, 0);
	if (r.b == 0x68747541 && cpuid(0x80000000, 0).a >= 0x8000001e &&
	    (cpuid(0x80000001, 0).c >> 22 & 1))
		CHECK(cpuid(0x8000001e, 0).a == id,
		      "leaf 8000001e: APIC id %u, not %u",
		      cpuid(0x8000001e, 0).a, id);
	return 0;
}

static int test_cpuid(void)
{
	const uint32_t leaf = kvm_leaf();
	struct cpuid r;

	if (cpus_start((unsigned int)arg_number("cpus", 0)))
		return -1;
	r = cpuid(1, 0);
	print("guest: cpuid: family %x features %x %x, %u cpus, kvm leaf %x features %x\n",
	      r.a, r.c, r.d, cpu_count(), leaf,
	      leaf ? cpuid(leaf + 1, 0).a : 0);
	CHECK(leaf || !arg_number("kvm", 0), "no KVM leaves");
	return cpus_run(cpuid_check, NULL);
}

/* KVM's clock goes forward, and its wall clock is the RTC's time. */
static int test_kvmclock(void)
{
	struct kvm_clock *c = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	volatile uint32_t *wall = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	uint64_t start, last, now, i;
	int64_t apart;

	CHECK(kvm_clock_present(), "CPUID has no KVM clock");
	CHECK(!msr_write(KVM_CLOCK_TIME, (uint64_t)c | 1), "MSR refused");
	CHECK(!(c->version & 1) && c->mul, "version %u mul %u", c->version,
	      c->mul);
	start = kvm_clock_read(c);
	last = start;
	for (i = 0; i < 10000; i++) {
		now = kvm_clock_read(c);
		CHECK(now >= last, "%lu after %lu ns", now, last);
		last = now;
	}
	/* An interval within an interval, whenever the guest does not run. */
	i = now_ns();
	last = kvm_clock_read(c);
	delay_us(20000);
	now = kvm_clock_read(c) - last;
	i = now_ns() - i;
	CHECK(now > 19000000 && now < i + i / 16,
	      "%lu ns pass in 20 ms and %lu ns of TSC", now, i);
	CHECK(!msr_write(KVM_CLOCK_WALL, (uint64_t)wall), "MSR refused");
	/* version, seconds, nanoseconds: the time at which the clock was 0 */
	apart = (int64_t)(wall[1] + kvm_clock_read(c) / 1000000000) -
		(int64_t)rtc_seconds();
	print("guest: kvmclock: up %lu ms, flags %x, wall clock and RTC %ld s apart\n",
	      start / 1000000, c->flags, apart);
	CHECK(apart >= -2 && apart <= 2, "wall clock and RTC differ");
	return msr_write(KVM_CLOCK_TIME, 0);
}

static int test_deadline(void)
{
	const int irq = irq_alloc(NULL);
	uint64_t start, ns;
	uint32_t seen;

	if (!(cpuid(1, 0).c & CPUID_TSC_DEADLINE)) {
		print("guest: timer: CPUID has no TSC deadline\n");
		return 0;
	}
	CHECK(irq >= 0, "no vector");
	lapic_write(LAPIC_LVT_TIMER, (uint32_t)irq | LVT_TIMER_DEADLINE);
	memory_barrier();
	seen = irq_seen((unsigned int)irq);
	start = now_ns();
	CHECK(!msr_write(MSR_TSC_DEADLINE, rdtsc() + clock_tsc_khz() * 10),
	      "MSR refused");
	while (irq_seen((unsigned int)irq) == seen &&
	       now_ns() - start < 30000000000ull)
		cpu_relax();
	ns = now_ns() - start;
	CHECK(irq_seen((unsigned int)irq) == seen + 1, "no interrupt");
	CHECK(ns >= 9900000, "10 ms deadline after %lu ns", ns);
	print("guest: timer: deadline of 10000 us after %lu us\n", ns / 1000);
	lapic_tick(true);
	return 0;
}

static int test_msr(void)
{
	uint64_t v = 0;

	CHECK(!msr_read(MSR_MTRR_DEFAULT, &v), "no MTRRs");
	CHECK((v & 0x8ff) == 0x806, "MTRR default type %lx: not on, write-back",
	      v);
	CHECK(msr_read(0xdeadbeef, &v), "MSR deadbeef can be read");
	return 0;
}

const struct test machine_tests[] = {
	{ "hello", test_hello, "show the memory map and the clock" },
	{ "memory", test_memory, "the memory map makes sense" },
	{ "acpi", test_acpi, "all tables, lengths and checksums" },
	{ "cpuid", test_cpuid, "ids of all CPUs (cpus, kvm=1: demand KVM)" },
	{ "msr", test_msr, "MTRR default, a refused MSR" },
	{ "kvmclock", test_kvmclock, "KVM's clock and wall clock" },
	{ "deadline", test_deadline, "the timer's TSC deadline" },
	{ 0 },
};
