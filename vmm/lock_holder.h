/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_LOCK_HOLDER_H
#define LKVM_LOCK_HOLDER_H

#include <stddef.h>

#define LOCK_HOLDER_MAX	128

void lock_holder(int fd, char *buf, size_t len);

#endif /* LKVM_LOCK_HOLDER_H */
