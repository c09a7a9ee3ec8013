// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: on which CPUs of the host vCPUs may run
 *
 * --vcpu-affinity has a list as the kernel writes them: ``0-3,8``. All vCPUs
 * get all of it, since they share one kind of performance counters, which on
 * hosts with several kinds of CPUs not all CPUs have (pmu.c).
 *
 * Context: the main loop's thread.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/affinity.h"
#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

static bool parse_cpu(const char **text, unsigned int *cpu)
{
	const char *c = *text;

	for (*cpu = 0; isdigit((unsigned char)*c) && *cpu < CPU_SETSIZE; c++)
		*cpu = *cpu * 10 + (unsigned int)(*c - '0');
	if (c == *text || *cpu >= CPU_SETSIZE)
		return false;
	*text = c;
	return true;
}

/**
 * cpu_list_parse() - a list of CPUs
 * @text: numbers and ranges with commas between
 * @cpus: out
 *
 * Return: true when it is one, and not empty.
 */
bool cpu_list_parse(const char *text, cpu_set_t *cpus)
{
	unsigned int first, last;

	CPU_ZERO(cpus);
	for (;;) {
		if (!parse_cpu(&text, &first))
			return false;
		last = first;
		if (*text == '-') {
			text++;
			if (!parse_cpu(&text, &last) || last < first)
				return false;
		}
		for (; first <= last; first++)
			CPU_SET(first, cpus);
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
}

/**
 * affinity_get() - where vCPUs may run
 * @vm: the machine
 * @cpus: out: those of --vcpu-affinity, or of this process
 * @err: filled on failure
 *
 * Return: 0; -EINVAL when the list is none, or has a CPU that this process may
 * not use.
 */
int affinity_get(const struct vm *vm, cpu_set_t *cpus, struct error *err)
{
	const char *list = vm->arch->options->vcpu_affinity;
	cpu_set_t here, both;

	if (sched_getaffinity(0, sizeof(here), &here))
		return error_set(err, -errno, "sched_getaffinity: %m");
	*cpus = here;
	if (!list)
		return 0;
	if (!cpu_list_parse(list, cpus))
		return error_set(err, -EINVAL,
				 "--vcpu-affinity %.64s: not a list of CPUs, give one such as 0-3,8",
				 list);
	CPU_AND(&both, cpus, &here);
	if (!CPU_EQUAL(&both, cpus))
		return error_set(err, -EINVAL,
				 "--vcpu-affinity %.64s: has a CPU that this host does not have or that lkvm may not use",
				 list);
	return 0;
}

/**
 * arch_vcpu_started() - a vCPU has got its thread
 * @vcpu: the vCPU, parked
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_started(struct vcpu *vcpu, struct error *err)
{
	cpu_set_t cpus;
	int ret;

	if (!vcpu->vm->arch->options->vcpu_affinity)
		return 0;
	ret = affinity_get(vcpu->vm, &cpus, err);
	if (ret)
		return ret;
	ret = -pthread_setaffinity_np(vcpu->thread, sizeof(cpus), &cpus);
	return ret ? error_set(err, ret, "--vcpu-affinity %.64s: %s",
			       vcpu->vm->arch->options->vcpu_affinity,
			       strerror(-ret)) : 0;
}
