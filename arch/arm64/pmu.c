// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: performance counters of vCPUs
 *
 * KVM takes counters of the host's CPUs (KVM-API, "vcpu" device, group
 * KVM_ARM_VCPU_PMU_V3_CTRL). Where CPUs are of several kinds, each kind has
 * counters of its own, and a machine has to keep to one: that which has all
 * CPUs that the vCPUs may run on. Their registers are among those that regs.c
 * saves.
 *
 * Context: the main loop's thread, with the interrupt controller complete and
 * before any vCPU has run.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/affinity.h"
#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/options.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define PMUS		"/sys/bus/event_source/devices"
#define PMU_ANY		(-1)
#define PPI_FIRST	16	/* interrupt id of the first private one */

/* The first line of a file; false when there is none. */
static bool read_line(const char *folder, const char *name, const char *file,
		      char *line, size_t len)
{
	char path[512];
	FILE *f;
	bool ok;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", folder, name,
			     file) >= sizeof(path))
		return false;
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, (int)len, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static bool is_subset(const cpu_set_t *part, const cpu_set_t *whole)
{
	cpu_set_t both;

	CPU_AND(&both, part, whole);
	return CPU_EQUAL(&both, part);
}

/**
 * pmu_find() - which of the host's counters a machine can have
 * @folder: where the kernel lists them
 * @cpus: CPUs that its vCPUs may run on
 * @id: out: which; below 0 when there is no choice
 * @err: filled on failure
 *
 * Return: 0; -EINVAL when none are those of all @cpus.
 */
int pmu_find(const char *folder, const cpu_set_t *cpus, int *id,
	     struct error *err)
{
	char list[1024], type[32];
	bool found = false;
	struct dirent *entry;
	cpu_set_t theirs;
	u32 nr = 0;
	DIR *dir;

	*id = PMU_ANY;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		/* Those of CPUs say of which; others have no such file. */
		if (!read_line(folder, entry->d_name, "cpus", list,
			       sizeof(list)) ||
		    !read_line(folder, entry->d_name, "type", type,
			       sizeof(type)) ||
		    !cpu_list_parse(list, &theirs))
			continue;
		nr++;
		if (!is_subset(cpus, &theirs))
			continue;
		found = true;
		*id = atoi(type);
	}
	if (dir)
		closedir(dir);
	if (nr > 1 && !found)
		return error_set(err, -EINVAL,
				 "--pmu: this host's CPUs are of %u kinds with counters of their own; name CPUs of one kind by --vcpu-affinity",
				 nr);
	if (nr < 2)
		*id = PMU_ANY;
	return 0;
}

static int set_attr(struct vcpu *vcpu, u64 what, int *value, const char *name,
		    struct error *err)
{
	struct kvm_device_attr attr = {
		.group = KVM_ARM_VCPU_PMU_V3_CTRL, .attr = what,
		.addr = (uintptr_t)value,
	};

	return arm64_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr, name, err);
}

static int init_vcpu(struct vcpu *vcpu, int id, struct error *err)
{
	int irq = PPI_FIRST + ARM64_PMU_PPI;
	int ret;

	ret = set_attr(vcpu, KVM_ARM_VCPU_PMU_V3_IRQ, &irq,
		       "--pmu: KVM_ARM_VCPU_PMU_V3_IRQ", err);
	if (!ret && id != PMU_ANY)
		ret = set_attr(vcpu, KVM_ARM_VCPU_PMU_V3_SET_PMU, &id,
			       "--pmu: KVM_ARM_VCPU_PMU_V3_SET_PMU", err);
	if (!ret)
		ret = set_attr(vcpu, KVM_ARM_VCPU_PMU_V3_INIT, NULL,
			       "--pmu: KVM_ARM_VCPU_PMU_V3_INIT", err);
	return ret;
}

/**
 * pmu_init() - give all vCPUs their counters
 * @vm: the machine
 * @err: filled on failure
 *
 * Return: 0, also when it has none, or a negative errno.
 */
int pmu_init(struct vm *vm, struct error *err)
{
	cpu_set_t cpus;
	u32 i;
	int id, ret;

	if (!vm->arch->options->pmu)
		return 0;
	ret = affinity_get(vm, &cpus, err);
	if (!ret)
		ret = pmu_find(PMUS, &cpus, &id, err);
	for (i = 0; !ret && i < vm->cpus_nr; i++)
		ret = init_vcpu(&vm->vcpus[i], id, err);
	return ret;
}
