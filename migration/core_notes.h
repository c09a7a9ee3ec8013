/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CORE_NOTES_H
#define LKVM_CORE_NOTES_H

#include "migration/image.h"
#include "vmm/guest_memory.h"

struct vm;

#define CORE_NOTES_FOUND_MAX	16

/**
 * struct core_notes - notes of an image that are for debuggers
 * @found: where in guest memory there may be a kernel's VMCOREINFO
 * @nr: how many places
 */
struct core_notes {
	gpa_t found[CORE_NOTES_FOUND_MAX];
	u32 nr;
};

void core_notes_scan(struct core_notes *notes, struct vm *vm);
int core_notes_add(const struct core_notes *notes, struct vm *vm,
		   struct image *image, struct error *err) __must_check;

#endif /* LKVM_CORE_NOTES_H */
