/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_KERNEL_H
#define LKVM_KERNEL_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * struct kernel_search - where to look for a kernel
 * @root: in front of /boot; "" but for tests
 * @release: of the running kernel, as uname(2) gives it
 */
struct kernel_search {
	const char *root;
	const char *release;
};

int kernel_find(const struct kernel_search *where, char **path,
		struct error *err) __must_check;
int kernel_find_default(char **path, struct error *err) __must_check;

/**
 * struct root_choice - what to mount as root
 * @found: a root was recognised; else the disk as a whole is a guess
 * @partition: its number, 0 for the whole disk
 */
struct root_choice {
	bool found;
	u32 partition;
};

int root_choose(const char *image, struct root_choice *root, struct error *err)
	__must_check;

#endif /* LKVM_KERNEL_H */
