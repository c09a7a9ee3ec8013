// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the options that machines have on arm64 only
 *
 * One table (vmm/option.h), from which the command line, the help texts and the
 * machine description come. What the guest can see is part of the machine and
 * goes where it goes; where a choice was left open (auto), arch_vm_init() puts
 * what the first host has into the machine's configuration, so that every later
 * host is asked for just that.
 *
 * Data only.
 */
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/option.h"

#define FIELD(_field)	.offset = offsetof(struct arm64_options, _field)

static const struct option_desc options[] = {
	{
		.name = "dump-dtb", .arg = "FILE", FIELD(dump_dtb),
		.help = "write the device tree to a file, too, when the kernel is loaded",
		.type = OPTION_STRING, .scope = OPTION_HOST,
		.min = 1, .path = true, .fresh = true,
	},
};

const struct option_table arch_options = {
	.name = arch_name, .config_size = sizeof(struct arm64_options),
	.dashes = true, .opts = options, .nr = ARRAY_SIZE(options),
};
