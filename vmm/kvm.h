/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_KVM_H
#define LKVM_KVM_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * struct kvm_need - an extension that a machine cannot do without
 * @cap: KVM_CAP_*
 * @name: its name
 */
struct kvm_need {
	unsigned long cap;
	const char *name;
};

/* A row of a table of them. */
#define KVM_NEED(_cap)	{ .cap = (_cap), .name = #_cap }

u32 kvm_extension(int fd, unsigned long cap);
int kvm_check_needs(int fd, const struct kvm_need *needs, size_t nr,
		    const char *linux_version, struct error *err) __must_check;

#endif /* LKVM_KVM_H */
