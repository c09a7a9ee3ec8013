// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tests of time and of several CPUs
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"

#define PATIENCE_NS	30000000000ull

static int test_rtc(void)
{
	const uint64_t first = rtc_seconds();
	const uint64_t start = now_ns();
	uint64_t second;

	CHECK(first > 1700000000 && first < 4102444800, "%lu s since 1970",
	      first);
	do
		second = rtc_seconds();
	while (second == first && now_ns() - start < PATIENCE_NS);
	/* The guest may not have run for a while. */
	CHECK(second > first &&
	      second - first <= (now_ns() - start) / 1000000000 + 1,
	      "%lu s after %lu s", second, first);
	print("guest: rtc: %lu s since 1970\n", second);
	return 0;
}

static int tick_check(unsigned int cpu, void *arg)
{
	const uint64_t start = now_ns();
	uint32_t seen = irq_seen(irq_tick);
	uint64_t ns;
	unsigned int i;

	(void)arg;
	/* Several CPUs share the counter; each sees at least its own. */
	for (i = 0; i < 5 && now_ns() - start < PATIENCE_NS;) {
		irq_wait(irq_tick, seen);
		if (irq_seen(irq_tick) != seen)
			i++;
		seen = irq_seen(irq_tick);
	}
	ns = now_ns() - start;
	CHECK(i == 5, "cpu %u: %u ticks in %lu ns", cpu, i, ns);
	if (cpu_count() == 1)
		CHECK(ns > 4 * 1000000000ull / TICK_HZ * 8 / 10,
		      "5 ticks of 1/%u s in %lu ns", TICK_HZ, ns);
	return 0;
}

static int test_timer(void)
{
	if (cpus_start((unsigned int)arg_number("cpus", 0)))
		return -1;
	return cpus_run(tick_check, NULL);
}

/**
 * struct smp_state - what the CPUs do together in the SMP test
 * @counter: counted up under a lock
 * @lock:    the lock
 * @last:    the last time that any CPU saw
 * @back:    how far behind it a CPU was at most
 */
struct smp_state {
	uint64_t counter;
	struct lock lock;
	uint64_t last;
	uint64_t back;
};

#define SMP_ROUNDS	100

static int smp_worker(unsigned int cpu, void *arg)
{
	struct smp_state *s = arg;
	uint32_t r;

	(void)cpu;
	for (r = 0; r < SMP_ROUNDS; r++) {
		uint64_t now;

		lock_take(&s->lock);
		s->counter++;
		now = now_ns();
		if (now < s->last)
			s->back = MAX(s->back, s->last - now);
		s->last = MAX(s->last, now);
		lock_release(&s->lock);
	}
	return 0;
}

static int test_smp(void)
{
	struct smp_state *s = mem_alloc(sizeof(*s), 64);
	const uint64_t start = now_ns();

	if (cpus_start((unsigned int)arg_number("cpus", 0)) ||
	    cpus_run(smp_worker, s))
		return -1;
	CHECK(s->counter == (uint64_t)cpu_count() * SMP_ROUNDS,
	      "%lu of %u", s->counter, cpu_count() * SMP_ROUNDS);
	print("guest: smp: %u cpus in %lu us, time at most %lu ns behind\n",
	      cpu_count(), (now_ns() - start) / 1000, s->back);
	CHECK(s->back < 1000000, "the CPUs' times are a millisecond apart");
	return 0;
}

const struct test time_tests[] = {
	{ "rtc", test_rtc, "the real-time clock goes" },
	{ "timer", test_timer, "the regular tick of each CPU (cpus)" },
	{ "smp", test_smp, "all CPUs start and work (cpus)" },
	{ 0 },
};
