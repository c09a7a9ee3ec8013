// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm pause
 */
#include <stdio.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

static const struct option_desc pause_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
};

static const struct option_table pause_table = {
	.name = "pause", .config_size = sizeof(struct target),
	.dashes = true, .opts = pause_opts, .nr = ARRAY_SIZE(pause_opts),
};

static const struct cli_letter pause_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 0 },
};

static int pause_one(const struct target_call *call, struct error *err)
{
	int ret = control_call(call->fd, "pause", NULL, NULL, err);

	if (!ret)
		printf("Guest %s paused\n", call->name);
	return ret;
}

static int pause_machines(const struct cli *cli, const struct cli_args *args)
{
	return target_each(args->config, pause_one, NULL);
}

const struct cli_command cli_pause = {
	.name = "pause",
	.summary = "stop the vCPUs of a machine until it is resumed",
	.options = &pause_table,
	.letters = pause_letters,
	.fn = pause_machines,
};
