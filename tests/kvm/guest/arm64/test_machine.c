// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: tests of the machine around the CPU and of what it shows
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"

static int test_hello(void)
{
	const struct mem_range *r;
	unsigned int i, n = mem_ranges(&r);

	for (i = 0; i < n; i++)
		print("guest: memory %lx-%lx type %u\n", r[i].addr,
		      r[i].addr + r[i].size - 1, r[i].type);
	print("guest: %lu KiB available, %lu Hz, CPU %lx, PSCI %lx\n",
	      mem_available() / 1024, sysreg_read("cntfrq_el0"), boot_cpu.mpidr,
	      psci(PSCI_VERSION, 0, 0, 0));
	return 0;
}

/* No entry overlaps another, and what is a device's is not in RAM. */
static int test_memory(void)
{
	static const char *const devices[] = {
		"arm,gic-v3", "ns16550a", "pci-host-ecam-generic", "arm,pl031",
	};
	const struct mem_range *r;
	unsigned int i, k, n = mem_ranges(&r);
	volatile uint64_t *p;

	CHECK(n, "no memory map");
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			CHECK(r[i].addr + r[i].size <= r[k].addr ||
			      r[k].addr + r[k].size <= r[i].addr,
			      "entries %u and %u overlap", k, i);
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		CHECK(!mem_is_ram(fdt_address(devices[i], 0), 1), "%s in RAM",
		      devices[i]);
	/* The last bytes of each entry of RAM are there. */
	for (i = 0; i < n; i++) {
		if (r[i].type != MEM_RAM)
			continue;
		p = (volatile uint64_t *)(r[i].addr + r[i].size - 8);
		*p = 0x1122334455667788;
		CHECK(*p == 0x1122334455667788, "RAM at %lx does not hold",
		      (uint64_t)p);
		*p = 0;
	}
	return 0;
}

/* What a kernel would look for is there, and says where it is. */
static int test_tree(void)
{
	static const char *const devices[] = {
		"arm,gic-v3", "arm,gic-v3-its", "ns16550a",
		"pci-host-ecam-generic", "arm,pl031", "arm,pl061",
	};
	struct fdt_node n = { .props = NULL };
	unsigned int i, nodes = 0;

	while (fdt_next(&n))
		nodes++;
	print("guest: tree: %u bytes, %u nodes\n", fdt_size(), nodes);
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		CHECK(fdt_address(devices[i], 0), "no %s", devices[i]);
	CHECK(fdt_find(&n, "arm,psci-0.2", 0) && fdt_property(&n, "method", NULL),
	      "no PSCI");
	CHECK(fdt_find(&n, "arm,armv8-timer", 0) &&
	      fdt_cells(&n, "interrupts", 7, 1) == 11, "no virtual timer");
	CHECK(cpus_listed(), "no CPUs");
	return 0;
}

/* Each CPU is the one that the tree lists, and has its own redistributor. */
static int cpu_check(unsigned int cpu, void *arg)
{
	const uint64_t id = sysreg_read("mpidr_el1") & MPIDR_AFFINITY;

	(void)arg;
	CHECK(id == cpu_get(cpu)->mpidr, "CPU %u is %lx, not %lx", cpu, id,
	      cpu_get(cpu)->mpidr);
	CHECK(!(sysreg_read("CurrentEL") >> 2 & 2), "not at EL1");
	return 0;
}

static int test_cpus(void)
{
	if (cpus_start((unsigned int)arg_number("cpus", 0)))
		return -1;
	return cpus_run(cpu_check, NULL);
}

const struct test machine_tests[] = {
	{ "hello", test_hello, "show the memory map and the clock" },
	{ "memory", test_memory, "the memory map makes sense" },
	{ "tree", test_tree, "the device tree has what a kernel wants" },
	{ "cpus", test_cpus, "ids of all CPUs (cpus)" },
	{ 0 },
};
