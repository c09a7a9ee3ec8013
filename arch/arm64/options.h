/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ARM64_OPTIONS_H
#define LKVM_ARM64_OPTIONS_H

#include "vmm/base/types.h"

/**
 * struct arm64_options - what a machine may be told on arm64 only
 * @dump_dtb: a file that gets the device tree; NULL for none
 */
struct arm64_options {
	char *dump_dtb;
};

#endif /* LKVM_ARM64_OPTIONS_H */
