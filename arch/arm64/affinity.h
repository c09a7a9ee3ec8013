/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ARM64_AFFINITY_H
#define LKVM_ARM64_AFFINITY_H

#include <sched.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct vm;

bool cpu_list_parse(const char *text, cpu_set_t *cpus);
int affinity_get(const struct vm *vm, cpu_set_t *cpus, struct error *err)
	__must_check;

/* pmu.c */
int pmu_find(const char *folder, const cpu_set_t *cpus, int *id,
	     struct error *err) __must_check;

#endif /* LKVM_ARM64_AFFINITY_H */
