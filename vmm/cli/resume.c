// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm resume
 */
#include <stdio.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

static const struct option_desc resume_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
};

static const struct option_table resume_table = {
	.name = "resume", .config_size = sizeof(struct target),
	.dashes = true, .opts = resume_opts, .nr = ARRAY_SIZE(resume_opts),
};

static const struct cli_letter resume_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 0 },
};

static int resume_one(const struct target_call *call, struct error *err)
{
	int ret = control_call(call->fd, "resume", NULL, NULL, err);

	if (!ret)
		printf("Guest %s resumed\n", call->name);
	return ret;
}

static int resume_machines(const struct cli *cli, const struct cli_args *args)
{
	return target_each(args->config, resume_one, NULL);
}

const struct cli_command cli_resume = {
	.name = "resume",
	.summary = "let a paused machine go on",
	.options = &resume_table,
	.letters = resume_letters,
	.fn = resume_machines,
};
