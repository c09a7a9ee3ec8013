/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHECKSUM_H
#define LKVM_CHECKSUM_H

#include "vmm/base/types.h"

u64 checksum(const void *data, u64 len);

#endif /* LKVM_CHECKSUM_H */
