/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VMCOREINFO_H
#define LKVM_VMCOREINFO_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/guest_memory.h"

#define VMCOREINFO_MAX	4096	/* the kernel has a page for it */

/**
 * struct vmcoreinfo - what a Linux kernel tells debuggers about itself
 * @text: lines KEY=VALUE, with a NUL behind
 * @len: bytes without that
 */
struct vmcoreinfo {
	char text[VMCOREINFO_MAX + 1];
	u32 len;
};

u32 vmcoreinfo_scan(struct guest_memory *memory, gpa_t *found, u32 max);
int vmcoreinfo_read(struct guest_memory *memory, gpa_t at,
		    struct vmcoreinfo *info) __must_check;
int vmcoreinfo_number(const struct vmcoreinfo *info, const char *key,
		      int base, u64 *value) __must_check;

#endif /* LKVM_VMCOREINFO_H */
