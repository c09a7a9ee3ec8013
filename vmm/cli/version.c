// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm version
 */
#include <stdio.h>

#include "vmm/cli/cli.h"

static int version(const struct cli *cli, const struct cli_args *args)
{
	printf("lkvm %s\n", LKVM_VERSION);
	return EXIT_OK;
}

const struct cli_command cli_version = {
	.name = "version",
	.summary = "show the version",
	.fn = version,
};
