// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: CPUs: exceptions, PSCI, start the others and give them work
 *
 * A started CPU sleeps until it finds work in its struct cpu; an interrupt that
 * another CPU sends wakes it.
 *
 * Arm DEN0022 (PSCI 1.1), 5; Arm ARM (DDI 0487) D1.
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/gic.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/proto.h"

#define STACK_SIZE		KIB(32)
#define START_TIMEOUT_NS	30000000000ull

static uint8_t boot_stack[32768] __attribute__((aligned(16)));

struct cpu boot_cpu = {
	.stack = (uint64_t)boot_stack + sizeof(boot_stack),
	.online = true,
};

static uint64_t listed_mpidr[CPUS_MAX];
static unsigned int listed;
static struct cpu *cpus[CPUS_MAX] = { &boot_cpu };
static unsigned int cpus_running = 1;

/**
 * cpus_add - the device tree lists a CPU
 * @mpidr: its affinity
 */
void cpus_add(uint64_t mpidr)
{
	if (listed < CPUS_MAX)
		listed_mpidr[listed++] = mpidr;
}

/**
 * cpus_listed - how many CPUs the device tree lists
 *
 * Return: the number.
 */
unsigned int cpus_listed(void)
{
	return listed;
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
 * cpu_self - the CPU that runs this
 *
 * Return: its struct.
 */
struct cpu *cpu_self(void)
{
	return (struct cpu *)sysreg_read("tpidr_el1");
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
 * cpu_relax - a pause in a loop that waits
 */
void cpu_relax(void)
{
	asm volatile("yield" : : : "memory");
}

/**
 * cpu_sleep_while - sleep until an interrupt, unless a counter has moved
 * @counter: changed by interrupts or by other CPUs before they send one
 * @value:   its value when there was nothing to do
 */
void cpu_sleep_while(const uint32_t *counter, uint32_t value)
{
	asm volatile("msr daifset, #2" : : : "memory");
	/* A masked interrupt ends the sleep, too. */
	if (*(const volatile uint32_t *)counter == value)
		asm volatile("dsb sy; wfi" : : : "memory");
	irqs_on();
}

/**
 * irqs_on - let interrupts come from now on
 */
void irqs_on(void)
{
	asm volatile("msr daifclr, #2; isb" : : : "memory");
}

/**
 * psci - call the machine's firmware, which is KVM
 * @function: PSCI_*
 * @a:        first argument
 * @b:        second argument
 * @c:        third argument
 *
 * Return: what it says, negative for an error.
 */
int64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 asm("x0") = function;
	register uint64_t x1 asm("x1") = a;
	register uint64_t x2 asm("x2") = b;
	register uint64_t x3 asm("x3") = c;

	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
		     : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
		     "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	return (int32_t)x0;
}

/**
 * exception_handle - an exception that nobody wants: report and end
 * @f:    the registers
 * @kind: which vector, in the order of the table
 *
 * Context: called by trap.S.
 */
void exception_handle(const struct trap_frame *f, uint64_t kind)
{
	unsigned int i;

	print("\nguest: FAILED exception kind %lu esr %lx at %lx far %lx\n",
	      kind, sysreg_read("esr_el1"), f->elr, sysreg_read("far_el1"));
	print("guest:   cpu %u sp %lx spsr %lx\n", cpu_index(), f->sp, f->spsr);
	for (i = 0; i < 30; i += 3)
		print("guest:   x%u %lx %lx %lx\n", i, f->x[i], f->x[i + 1],
		      f->x[i + 2]);
	print("guest:   x30 %lx\n", f->x[30]);
	machine_exit(GUEST_EXIT_TRAP);
}

/**
 * ap_main - the body of a CPU that is not the boot CPU
 *
 * Context: entered from start.S.
 */
noreturn void ap_main(void);
void ap_main(void)
{
	struct cpu *c = cpu_self();

	gic_cpu_init();
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

static int cpu_start(uint64_t mpidr)
{
	struct cpu *c = mem_alloc(sizeof(*c), 64);
	uint64_t end;
	int64_t ret;

	c->index = cpus_running;
	c->mpidr = mpidr;
	c->stack = (uint64_t)mem_alloc(STACK_SIZE, PAGE_SIZE) + STACK_SIZE;
	CHECK(!gic_cpu_memory(c), "CPU %lx has no redistributor", mpidr);
	memory_barrier();
	ret = psci(PSCI_CPU_ON, mpidr, (uint64_t)ap_start, (uint64_t)c);
	CHECK(!ret, "CPU_ON of %lx says %ld", mpidr, ret);
	end = now_ns() + START_TIMEOUT_NS;
	while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE)) {
		CHECK(now_ns() < end, "CPU %lx does not start", mpidr);
		cpu_relax();
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
	CHECK(wanted <= listed, "%u CPUs wanted, the tree has %u", wanted,
	      listed);
	for (i = 0; i < listed && cpus_running < wanted; i++)
		if (listed_mpidr[i] != boot_cpu.mpidr &&
		    cpu_start(listed_mpidr[i]))
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
		gic_ipi(cpus[i]->mpidr);
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
