/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ARM64_OPTIONS_H
#define LKVM_ARM64_OPTIONS_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/* Bits of the longest SVE vector that there can be, and of the shortest. */
#define ARM64_SVE_BITS_MAX	2048
#define ARM64_SVE_BITS_MIN	128

/**
 * enum arm64_choice - is there a feature?
 * @CHOICE_AUTO: where the host has it; not for long, see option_decide()
 * @CHOICE_ON: yes, and a host without it will not do
 * @CHOICE_OFF: no
 */
enum arm64_choice {
	CHOICE_AUTO,
	CHOICE_ON,
	CHOICE_OFF,
};

/**
 * struct arm64_options - what a machine may be told on arm64 only
 * @irqchip: enum gic_kind
 * @dump_dtb: a file that gets the device tree; NULL for none
 * @vcpu_affinity: CPUs of the host for the vCPUs, a list; NULL for any
 * @kaslr_seed: what the guest's kernel chooses its place by; 0 for at random
 * @pmu: performance counters
 * @sve: enum arm64_choice: scalable vectors
 * @sve_max_vl: bits of the longest of them
 * @pauth: enum arm64_choice: pointer authentication
 * @pvtime: enum arm64_choice: stolen time
 * @no_pvtime: as @pvtime CHOICE_OFF
 * @disable_mte: no memory tags, which there are none of anyway
 */
struct arm64_options {
	u32 irqchip;
	char *dump_dtb;
	char *vcpu_affinity;
	u64 kaslr_seed;
	bool pmu;
	u32 sve;
	u32 sve_max_vl;
	u32 pauth;
	u32 pvtime;
	bool no_pvtime;
	bool disable_mte;
};

int option_decide(u32 *choice, bool here, const char *option, const char *what,
		  struct error *err) __must_check;

#endif /* LKVM_ARM64_OPTIONS_H */
