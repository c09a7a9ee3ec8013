/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_REPLACE_H
#define LKVM_REPLACE_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/cli/cli.h"

struct description;

/**
 * struct replace_options - what of the host a saved machine gets here
 * @name: the machine's name, NULL for that of its description
 * @hugetlbfs: a mounted hugetlbfs or "none", NULL for what its description has
 * @dev: path of KVM's device, NULL for what its description has
 * @tty: serial port on a pseudo terminal, TTY_NONE for none
 */
struct replace_options {
	char *name;
	char *hugetlbfs;
	char *dev;
	u32 tty;
};

/*
 * The same options for every command whose struct @holder has a member
 * "replace".
 */
#define REPLACE_OPTION(holder, field, ...)				\
	{								\
		.name = #field, .scope = OPTION_HOST,			\
		.offset = offsetof(holder, replace.field), __VA_ARGS__	\
	}
#define REPLACE_NAME(holder)						\
	REPLACE_OPTION(holder, name, .arg = "NAME",			\
		       .type = OPTION_STRING, .min = 1,			\
		       .help = "name of the machine (that of the one that was saved)")
#define REPLACE_TTY(holder)						\
	REPLACE_OPTION(holder, tty, .arg = "N", .type = OPTION_U32,	\
		       .max = VM_CONSOLES - 1, .def = TTY_NONE,		\
		       .help = "connect the guest's ttySN to a pseudo terminal")
#define REPLACE_HUGETLBFS(holder)					\
	REPLACE_OPTION(holder, hugetlbfs, .arg = "DIR",			\
		       .type = OPTION_STRING, .min = 1,			\
		       .help = "a mounted hugetlbfs that its memory comes from, or \"none\"")
#define REPLACE_DEV(holder)						\
	REPLACE_OPTION(holder, dev, .arg = "FILE",			\
		       .type = OPTION_STRING, .min = 1,			\
		       .help = "KVM's device (that of the machine that was saved)")

extern const struct cli_absent replace_absent[];

int replace_description(struct description *d,
			const struct replace_options *opts,
			const struct cli_args *args, struct error *err)
	__must_check;

#endif /* LKVM_REPLACE_H */
