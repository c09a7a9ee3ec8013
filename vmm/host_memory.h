/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_HOST_MEMORY_H
#define LKVM_HOST_MEMORY_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

int host_memory_check(const char *root, u64 bytes, struct error *err)
	__must_check;

#endif /* LKVM_HOST_MEMORY_H */
