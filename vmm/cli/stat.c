// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm stat
 */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/output.h"
#include "vmm/cli/target.h"

/* A guest answers within milliseconds, if at all. */
#define FRESH_MS	500
#define FRESH_TRIES	20
#define FRESH_PAUSE_US	50000

/**
 * struct stat_options - options of `lkvm stat`
 * @target: which machines
 * @json: as JSON
 * @memory: of the guest's memory, by its balloon
 */
struct stat_options {
	struct target target;
	bool json;
	bool memory;
};

static const struct option_desc stat_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
	{
		.name = "json", .help = "as a JSON array",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct stat_options, json),
	}, {
		.name = "memory",
		.help = "what the guest says of its memory; needs --balloon",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct stat_options, memory),
	},
};

static const struct option_table stat_table = {
	.name = "stat", .config_size = sizeof(struct stat_options),
	.dashes = true, .opts = stat_opts, .nr = ARRAY_SIZE(stat_opts),
};

static const struct cli_letter stat_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 'm', "memory" }, { 0 },
};

/**
 * struct stat_run - what is being asked
 * @memory: see struct stat_options
 * @all: an object for each machine
 */
struct stat_run {
	bool memory;
	struct json_object *all;
};

/* The answer is what was known; old news make the machine ask the guest. */
static int ask_memory(const struct target_call *call,
		      struct json_object **result, struct error *err)
{
	struct json_object *age = NULL;
	u32 tries;
	int ret;

	for (tries = 0;; tries++) {
		ret = control_call(call->fd, "memory-stat", NULL, result, err);
		if (ret)
			return ret;
		json_object_object_get_ex(*result, "age-ms", &age);
		if (json_object_get_int64(age) <= FRESH_MS ||
		    tries == FRESH_TRIES)
			return 0;
		json_object_put(*result);
		usleep(FRESH_PAUSE_US);
	}
}

static int stat_one(const struct target_call *call, struct error *err)
{
	struct json_object *result = NULL;
	struct stat_run *run = call->arg;
	int ret;

	ret = run->memory ? ask_memory(call, &result, err) :
		control_call(call->fd, "stat", NULL, &result, err);
	if (ret)
		return ret;
	json_object_object_add(result, "name",
			       json_object_new_string(call->name));
	json_object_array_add(run->all, result);
	return 0;
}

static void print_counters(const char *name, struct json_object *counters)
{
	printf("  %-8s", name);
	json_object_object_foreach(counters, key, value)
		printf(" %s %s", key, json_object_get_string(value));
	printf("\n");
}

static void print_machine(struct json_object *stat)
{
	struct json_object *name = NULL, *up = NULL, *vcpus = NULL;
	struct json_object *devices = NULL;
	char vcpu[32];
	size_t i;
	s64 ms;

	json_object_object_get_ex(stat, "name", &name);
	json_object_object_get_ex(stat, "up-ms", &up);
	ms = json_object_get_int64(up);
	printf("%s up %lld.%03lld s\n", json_object_get_string(name),
	       (long long)ms / 1000, (long long)ms % 1000);
	if (json_object_object_get_ex(stat, "vcpus", &vcpus) &&
	    json_object_is_type(vcpus, json_type_array))
		for (i = 0; i < json_object_array_length(vcpus); i++) {
			snprintf(vcpu, sizeof(vcpu), "vcpu%zu", i);
			print_counters(vcpu,
				       json_object_array_get_idx(vcpus, i));
		}
	if (json_object_object_get_ex(stat, "devices", &devices) &&
	    json_object_is_type(devices, json_type_object)) {
		json_object_object_foreach(devices, key, value)
			print_counters(key, value);
	}
}

static void print_memory(struct json_object *stat)
{
	struct json_object *name = NULL;

	json_object_object_get_ex(stat, "name", &name);
	printf("%s\n", json_object_get_string(name));
	json_object_object_foreach(stat, key, value)
		if (json_object_is_type(value, json_type_int))
			printf("  %-20s %s\n", key,
			       json_object_get_string(value));
}

static int stat_machines(const struct cli *cli, const struct cli_args *args)
{
	const struct stat_options *opts = args->config;
	struct json_object *all = json_object_new_array();
	struct stat_run run = { .memory = opts->memory, .all = all };
	int code = target_each(&opts->target, stat_one, &run);
	struct json_object *one;
	size_t i;

	if (opts->json)
		output_print_json(all);
	for (i = 0; !opts->json && i < json_object_array_length(all); i++) {
		one = json_object_array_get_idx(all, i);
		if (opts->memory)
			print_memory(one);
		else
			print_machine(one);
	}
	json_object_put(all);
	return code;
}

const struct cli_command cli_stat = {
	.name = "stat",
	.summary = "show what the vCPUs and devices of a machine have done",
	.options = &stat_table,
	.letters = stat_letters,
	.fn = stat_machines,
};
