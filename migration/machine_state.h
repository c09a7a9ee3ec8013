/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MIGRATION_MACHINE_STATE_H
#define LKVM_MIGRATION_MACHINE_STATE_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct findings;
struct vm;

#define MACHINE_STATE_COMPATIBLE	"lkvm,state-v1"

int machine_state_save(struct vm *vm, void **blob, u32 *len,
		       struct error *err) __must_check;
int machine_state_load(struct vm *vm, const void *blob, size_t len,
		       struct error *err) __must_check;

int machine_state_check(struct vm *vm, const void *blob, size_t len,
			bool devices, struct findings *f, struct error *err)
	__must_check;

#endif /* LKVM_MIGRATION_MACHINE_STATE_H */
