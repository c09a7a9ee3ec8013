// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm debug
 */
#include <json-c/json.h>
#include <stdio.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

#define NO_VCPU	UINT32_MAX

/**
 * struct debug_options - options of `lkvm debug`
 * @target: which machines
 * @dump: show the registers
 * @nmi: interrupt this vCPU, NO_VCPU for none
 */
struct debug_options {
	struct target target;
	bool dump;
	u32 nmi;
};

static const struct option_desc debug_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
	{
		.name = "dump", .help = "show registers, stack and code of all vCPUs",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct debug_options, dump),
	}, {
		.name = "nmi", .arg = "VCPU",
		.help = "send a vCPU a non-maskable interrupt",
		.type = OPTION_U32, .scope = OPTION_HOST,
		.offset = offsetof(struct debug_options, nmi),
		.def = NO_VCPU,
	},
};

static const struct option_table debug_table = {
	.name = "debug", .config_size = sizeof(struct debug_options),
	.dashes = true, .opts = debug_opts, .nr = ARRAY_SIZE(debug_opts),
};

static const struct cli_letter debug_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 'd', "dump" }, { 'm', "nmi" }, { 0 },
};

static const struct cli_absent debug_absent[] = {
	{
		"sysrq", 's',
		"not available in this version; write to the guest's /proc/sysrq-trigger",
	},
	{ 0 },
};

static int dump(const struct target_call *call, struct error *err)
{
	struct json_object *result = NULL, *vcpus = NULL;
	int ret = control_call(call->fd, "dump", NULL, &result, err);
	struct json_object *text;
	size_t i;

	if (!ret && json_object_object_get_ex(result, "vcpus", &vcpus) &&
	    json_object_is_type(vcpus, json_type_array))
		for (i = 0; i < json_object_array_length(vcpus); i++) {
			text = json_object_array_get_idx(vcpus, i);
			printf("%s vcpu %zu:\n%s\n", call->name, i,
			       json_object_get_string(text));
		}
	json_object_put(result);
	return ret;
}

static int nmi(const struct target_call *call, u32 vcpu, struct error *err)
{
	struct json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "vcpu",
			       json_object_new_int64(vcpu));
	return control_call(call->fd, "nmi", arguments, NULL, err);
}

static int debug_one(const struct target_call *call, struct error *err)
{
	const struct debug_options *opts = call->arg;
	int ret = 0;

	if (opts->dump)
		ret = dump(call, err);
	if (!ret && opts->nmi != NO_VCPU)
		ret = nmi(call, opts->nmi, err);
	return ret;
}

static int debug_machines(const struct cli *cli, const struct cli_args *args)
{
	const struct debug_options *opts = args->config;
	struct error err = ERROR_INIT;

	if (!opts->dump && opts->nmi == NO_VCPU) {
		error_set(&err, -EINVAL, "nothing to do; give --dump or --nmi");
		return cli_fail(EXIT_USAGE, &err);
	}
	return target_each(&opts->target, debug_one, args->config);
}

const struct cli_command cli_debug = {
	.name = "debug",
	.summary = "look into a machine, or interrupt it",
	.options = &debug_table,
	.letters = debug_letters,
	.absent = debug_absent,
	.fn = debug_machines,
};
