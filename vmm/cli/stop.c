// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm stop
 *
 * Presses the power button and waits until the guest has switched itself off;
 * a guest that does not is ended by force if the user said when.
 */
#include <stdio.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

#define PATIENCE_S	90	/* without --timeout */

/**
 * struct stop_options - options of `lkvm stop`
 * @target: which machines
 * @force: do not ask the guest
 * @timeout_s: end it after that many seconds, 0: never
 */
struct stop_options {
	struct target target;
	bool force;
	u32 timeout_s;
};

static const struct option_desc stop_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
	{
		.name = "force", .help = "end it at once, do not ask the guest",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct stop_options, force),
	}, {
		.name = "timeout", .arg = "SECONDS",
		.help = "end it by force when it has not switched itself off by then",
		.type = OPTION_U32, .scope = OPTION_HOST,
		.offset = offsetof(struct stop_options, timeout_s),
		.max = 1000000,
	},
};

static const struct option_table stop_table = {
	.name = "stop", .config_size = sizeof(struct stop_options),
	.dashes = true, .opts = stop_opts, .nr = ARRAY_SIZE(stop_opts),
};

static const struct cli_letter stop_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 0 },
};

static int force_one(const struct target_call *call, struct error *err)
{
	int ret = control_call(call->fd, "kill", NULL, NULL, err);

	if (!ret && target_wait_gone(call, TARGET_END_S))
		ret = error_set(err, -ETIMEDOUT,
				"has not ended within %u s; 'kill -KILL' its process, see 'lkvm list'",
				TARGET_END_S);
	return ret;
}

static int stop_one(const struct target_call *call, struct error *err)
{
	const struct stop_options *opts = call->arg;
	int ret;

	if (opts->force)
		return force_one(call, err);
	ret = control_call(call->fd, "stop", NULL, NULL, err);
	if (ret && opts->timeout_s)
		return force_one(call, err);
	if (ret)
		return ret;
	if (!target_wait_gone(call, opts->timeout_s ? opts->timeout_s : PATIENCE_S))
		return 0;
	if (opts->timeout_s)
		return force_one(call, err);
	return error_set(err, -ETIMEDOUT,
			 "the guest has not switched itself off within %u s; use --timeout or --force",
			 PATIENCE_S);
}

static int stop_machines(const struct cli *cli, const struct cli_args *args)
{
	const struct stop_options *opts = args->config;

	return target_each(&opts->target, stop_one, args->config);
}

const struct cli_command cli_stop = {
	.name = "stop",
	.summary = "ask a machine to switch itself off, or end it",
	.options = &stop_table,
	.letters = stop_letters,
	.fn = stop_machines,
};
