// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: start the other CPUs and give them work
 *
 * The CPUs are started one after the other by INIT and STARTUP, as the
 * specification has it. A started CPU sleeps until it finds work in its
 * struct cpu; an IPI wakes it.
 *
 * Intel SDM volume 3, 9.4.4.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/smp.h"

#define STACK_SIZE	KIB(16)
#define IRQ_STACK_SIZE	KIB(4)
#define START_TIMEOUT_MS 30000

static uint32_t listed_ids[CPUS_MAX];
static unsigned int listed;
static struct cpu *cpus[CPUS_MAX] = { &boot_cpu };
static unsigned int cpus_running = 1;

/**
 * cpus_add - the MADT lists a CPU
 * @apic_id: its id
 */
void cpus_add(uint32_t apic_id)
{
	if (listed < CPUS_MAX)
		listed_ids[listed++] = apic_id;
}

/**
 * cpus_highest_id - the highest local APIC id of all CPUs
 *
 * Return: the id.
 */
uint32_t cpus_highest_id(void)
{
	uint32_t max = 0;
	unsigned int i;

	for (i = 0; i < listed; i++)
		max = MAX(max, listed_ids[i]);
	return max;
}

/**
 * cpu_get - a CPU that has been started
 * @index: below cpu_count()
 *
 * Return: its struct.
 */
struct cpu *cpu_get(unsigned int index)
{
	return cpus[index];
}

/**
 * cpu_count - how many CPUs run
 *
 * Return: the number, at least 1.
 */
unsigned int cpu_count(void)
{
	return cpus_running;
}

/**
 * cpu_index - which CPU runs this
 *
 * Return: its number, 0 for the boot CPU.
 */
unsigned int cpu_index(void)
{
	return cpu_self()->index;
}

/**
 * ap_main - the body of a CPU that is not the boot CPU
 *
 * Context: user mode, entered from start.S.
 */
noreturn void ap_main(void);
void ap_main(void)
{
	struct cpu *c = cpu_self();

	lapic_init();
	irqs_on();
	/* Release: the starter sees a CPU that can take interrupts. */
	__atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
	for (;;) {
		cpu_sleep_while(&c->has_work, 0);
		/* Acquire: pairs with the release in cpus_run(). */
		if (!__atomic_load_n(&c->has_work, __ATOMIC_ACQUIRE))
			continue;
		c->result = c->work(c->index, c->arg);
		/* Release: pairs with the acquire in cpus_run(). */
		__atomic_store_n(&c->has_work, 0, __ATOMIC_RELEASE);
	}
}

static bool wait_online(const struct cpu *c, unsigned int ms)
{
	const uint64_t end = now_ns() + ms * 1000000ull;

	while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE)) {
		if (now_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static int cpu_start(uint32_t apic_id)
{
	struct cpu *c = mem_alloc(sizeof(*c), 64);

	c->self = c;
	c->index = cpus_running;
	c->apic_id = apic_id;
	c->stack = (uint64_t)mem_alloc(STACK_SIZE, PAGE_SIZE) + STACK_SIZE;
	c->irq_stack = (uint64_t)mem_alloc(IRQ_STACK_SIZE, PAGE_SIZE) +
		       IRQ_STACK_SIZE;
	ap_cpu = c;
	memory_barrier();
	lapic_ipi(apic_id, ICR_INIT);
	delay_us(200);
	lapic_ipi(apic_id, ICR_STARTUP | AP_START >> 12);
	if (!wait_online(c, 100)) {
		lapic_ipi(apic_id, ICR_STARTUP | AP_START >> 12);
		CHECK(wait_online(c, START_TIMEOUT_MS),
		      "CPU with APIC id %u does not start", apic_id);
	}
	cpus[cpus_running++] = c;
	return 0;
}

/**
 * cpus_start - start CPUs
 * @wanted: how many shall run in all; 0 for all there are
 *
 * Return: 0, or -1 if there are not so many or one does not start.
 */
int cpus_start(unsigned int wanted)
{
	unsigned int i;

	if (!wanted)
		wanted = listed;
	CHECK(wanted <= listed, "%u CPUs wanted, MADT has %u", wanted, listed);
	bytes_copy((void *)AP_START, ap_start, (size_t)(ap_end - ap_start));
	for (i = 0; i < listed && cpus_running < wanted; i++)
		if (listed_ids[i] != boot_cpu.apic_id &&
		    cpu_start(listed_ids[i]))
			return -1;
	return 0;
}

/**
 * cpus_run - run a function on all started CPUs at the same time
 * @fn:  called with the CPU's number and @arg
 * @arg: for @fn
 *
 * Return: 0 if all returned 0, else -1.
 */
int cpus_run(int (*fn)(unsigned int cpu, void *arg), void *arg)
{
	unsigned int i;
	int ret;

	for (i = 1; i < cpus_running; i++) {
		cpus[i]->work = fn;
		cpus[i]->arg = arg;
		/* Release: pairs with the acquire in ap_main(). */
		__atomic_store_n(&cpus[i]->has_work, 1, __ATOMIC_RELEASE);
		lapic_ipi(cpus[i]->apic_id, ICR_FIXED | VECTOR_IPI);
	}
	ret = fn(0, arg);
	for (i = 1; i < cpus_running; i++) {
		/* Acquire: pairs with the release in ap_main(). */
		while (__atomic_load_n(&cpus[i]->has_work, __ATOMIC_ACQUIRE))
			cpu_relax();
		if (cpus[i]->result)
			ret = -1;
	}
	return ret ? -1 : 0;
}
