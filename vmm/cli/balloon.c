// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm balloon
 */
#include <json-c/json.h>
#include <stdio.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

/* What was not said; no machine has that much memory. */
#define NO_SIZE		UINT64_MAX
#define SIZE_MAX_BYTES	(8ULL << 40)

/**
 * struct balloon_options - options of `lkvm balloon`
 * @target: which machines
 * @size: bytes that the balloon is to take, or NO_SIZE
 * @inflate: so many more, or NO_SIZE
 * @deflate: so many fewer, or NO_SIZE
 */
struct balloon_options {
	struct target target;
	u64 size;
	u64 inflate;
	u64 deflate;
};

#define SIZE(_name, _help)						\
	{								\
		.name = #_name, .arg = "SIZE", .help = _help,		\
		.type = OPTION_SIZE, .scope = OPTION_HOST,		\
		.offset = offsetof(struct balloon_options, _name),	\
		.unit = MIB, .max = SIZE_MAX_BYTES, .def = NO_SIZE,	\
	}

static const struct option_desc balloon_opts[] = {
	TARGET_NAME,
	TARGET_ALL,
	SIZE(inflate, "take so much more from the guest, in MiB or with a suffix"),
	SIZE(deflate, "give so much back to the guest, likewise"),
	SIZE(size, "take so much from the guest in all, likewise"),
};

static const struct option_table balloon_table = {
	.name = "balloon", .config_size = sizeof(struct balloon_options),
	.dashes = true, .opts = balloon_opts, .nr = ARRAY_SIZE(balloon_opts),
};

static const struct cli_letter balloon_letters[] = {
	{ 'n', "name" }, { 'a', "all" }, { 'i', "inflate" },
	{ 'd', "deflate" }, { 0 },
};

static void add_size(struct json_object *arguments, const char *name, u64 size)
{
	if (size != NO_SIZE)
		json_object_object_add(arguments, name,
				       json_object_new_uint64(size));
}

static u64 mebibytes(struct json_object *result, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(result, name, &value);
	return json_object_get_uint64(value) / MIB;
}

static int balloon_one(const struct target_call *call, struct error *err)
{
	struct json_object *arguments = json_object_new_object();
	const struct balloon_options *opts = call->arg;
	struct json_object *result = NULL;
	int ret;

	add_size(arguments, "size", opts->size);
	add_size(arguments, "inflate", opts->inflate);
	add_size(arguments, "deflate", opts->deflate);
	ret = control_call(call->fd, "balloon", arguments, &result, err);
	if (!ret)
		printf("%s: the balloon takes %llu MiB of %llu MiB, and is to take %llu MiB\n",
		       call->name, mebibytes(result, "actual-bytes"),
		       mebibytes(result, "memory-bytes"),
		       mebibytes(result, "target-bytes"));
	json_object_put(result);
	return ret;
}

static int balloon_machines(const struct cli *cli, const struct cli_args *args)
{
	const struct balloon_options *opts = args->config;
	struct error err = ERROR_INIT;

	if ((opts->size != NO_SIZE) + (opts->inflate != NO_SIZE) +
	    (opts->deflate != NO_SIZE) > 1) {
		error_set(&err, -EINVAL,
			  "give one of --inflate, --deflate and --size");
		return cli_fail(EXIT_USAGE, &err);
	}
	return target_each(&opts->target, balloon_one, args->config);
}

const struct cli_command cli_balloon = {
	.name = "balloon",
	.summary = "take memory from a guest, or give it back",
	.options = &balloon_table,
	.letters = balloon_letters,
	.fn = balloon_machines,
};
