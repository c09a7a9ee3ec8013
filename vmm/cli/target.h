/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TARGET_H
#define LKVM_TARGET_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/cli/runtime.h"
#include "vmm/option.h"

/**
 * struct target - which machines a command is about
 * @name: this one
 * @all: all that run
 *
 * First member of the options of each command that has TARGET_NAME and
 * TARGET_ALL.
 */
struct target {
	char *name;
	bool all;
};

#define TARGET_NAME							\
	{								\
		.name = "name", .arg = "NAME",				\
		.help = "the machine of this name",			\
		.type = OPTION_STRING, .scope = OPTION_HOST,		\
		.offset = offsetof(struct target, name), .min = 1,	\
	}
#define TARGET_ALL							\
	{								\
		.name = "all", .help = "all machines that run",		\
		.type = OPTION_BOOL, .scope = OPTION_HOST,		\
		.offset = offsetof(struct target, all),			\
	}

/**
 * struct target_call - a machine that a command talks to
 * @rt: the folder of running machines
 * @name: the machine
 * @fd: connection to it
 * @arg: the command's own
 */
struct target_call {
	struct runtime *rt;
	const char *name;
	int fd;
	void *arg;
};

/* Seconds from the end of a guest to that of its lkvm, at most. */
#define TARGET_END_S	30

int target_wait_gone(const struct target_call *call, u64 timeout_s)
	__must_check;
int target_each(const struct target *target,
		int (*fn)(const struct target_call *call, struct error *err),
		void *arg);

#endif /* LKVM_TARGET_H */
