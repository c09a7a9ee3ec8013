// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm list
 */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/output.h"
#include "vmm/cli/target.h"

/**
 * struct list_options - options of `lkvm list`
 * @json: as JSON
 * @run: running machines: all that there are, as kvmtool has it
 */
struct list_options {
	bool json;
	bool run;
};

static const struct option_desc list_opts[] = {
	{
		.name = "json", .help = "as a JSON array",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct list_options, json),
	}, {
		.name = "run", .help = "running machines (always)",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct list_options, run),
	},
};

static const struct option_table list_table = {
	.name = "list", .config_size = sizeof(struct list_options),
	.dashes = true, .opts = list_opts, .nr = ARRAY_SIZE(list_opts),
};

static const struct cli_letter list_letters[] = { { 'i', "run" }, { 0 } };

static const struct cli_absent list_absent[] = {
	{ "rootfs", 'r', "lkvm keeps no root file systems in this version" },
	{ 0 },
};

/*
 * A machine that does not answer is in the list, too; but not one that was
 * killed just now, whose socket the kernel has not taken apart yet.
 */
static int list_one(const struct target_call *call, struct error *err)
{
	struct json_object *status = NULL;

	if (control_call(call->fd, "status", NULL, &status, err)) {
		if (runtime_remove_stale(call->rt, call->name))
			return 0;
		status = json_object_new_object();
		json_object_object_add(status, "name",
				       json_object_new_string(call->name));
		json_object_object_add(status, "state",
				       json_object_new_string("not-responding"));
	}
	json_object_array_add(call->arg, status);
	return 0;
}

static const char *text_of(struct json_object *status, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(status, key, &value) ?
		json_object_get_string(value) : "-";
}

static void print_table(struct json_object *all)
{
	size_t i, nr = json_object_array_length(all);

	printf("%6s %-20s %s\n", "PID", "NAME", "STATE");
	for (i = 0; i < nr; i++) {
		struct json_object *status = json_object_array_get_idx(all, i);

		printf("%6s %-20s %s\n", text_of(status, "pid"),
		       text_of(status, "name"), text_of(status, "state"));
	}
}

static int list_machines(const struct cli *cli, const struct cli_args *args)
{
	const struct list_options *opts = args->config;
	const struct target everything = { .all = true };
	struct json_object *all = json_object_new_array();
	int code = target_each(&everything, list_one, all);

	if (opts->json)
		output_print_json(all);
	else
		print_table(all);
	json_object_put(all);
	return code;
}

const struct cli_command cli_list = {
	.name = "list",
	.summary = "show the machines that run",
	.options = &list_table,
	.letters = list_letters,
	.absent = list_absent,
	.fn = list_machines,
};
