// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what can be asked of a machine's memory balloon
 *
 * Threads: the main loop.
 */
#include <json-c/json.h>

#include "virtio/balloon.h"
#include "vmm/base/math.h"
#include "vmm/cli/control_priv.h"
#include "vmm/vm.h"

/* An argument that was not given; a machine has not that much memory. */
#define NO_SIZE		UINT64_MAX
#define SIZE_MAX_BYTES	(8ULL << 40)

/**
 * struct balloon_arguments - what the balloon is to do
 * @size: take so many bytes in all, NO_SIZE when that was not said
 * @inflate: take so many more
 * @deflate: give so many back
 */
struct balloon_arguments {
	u64 size;
	u64 inflate;
	u64 deflate;
};

#define BYTES(_name)							\
	{								\
		.name = #_name, .type = OPTION_SIZE,			\
		.offset = offsetof(struct balloon_arguments, _name),	\
		.max = SIZE_MAX_BYTES, .def = NO_SIZE,			\
	}

static const struct option_desc balloon_opts[] = {
	BYTES(size),
	BYTES(inflate),
	BYTES(deflate),
};

static const struct option_table balloon_arguments = {
	.name = "balloon", .config_size = sizeof(struct balloon_arguments),
	.opts = balloon_opts, .nr = ARRAY_SIZE(balloon_opts),
};

static int balloon(struct control_call *call, struct error *err)
{
	const struct balloon_arguments *arg = call->arguments;
	struct balloon_info info;
	u64 size;
	int ret;

	if ((arg->size != NO_SIZE) + (arg->inflate != NO_SIZE) +
	    (arg->deflate != NO_SIZE) > 1)
		return error_set(err, -EINVAL,
				 "give one of size, inflate and deflate");
	ret = balloon_get(call->vm, &info, err);
	if (ret)
		return ret;
	size = info.target;
	if (arg->size != NO_SIZE)
		size = arg->size;
	else if (arg->inflate != NO_SIZE)
		size += arg->inflate;
	else if (arg->deflate != NO_SIZE)
		size -= min_of(size, arg->deflate);
	if (size != info.target)
		ret = balloon_set(call->vm, size, err);
	if (!ret)
		ret = balloon_get(call->vm, &info, err);
	if (ret)
		return ret;
	control_add_int(call->result, "target-bytes", info.target);
	control_add_int(call->result, "actual-bytes", info.actual);
	control_add_int(call->result, "memory-bytes",
			guest_memory_size(&call->vm->memory));
	return 0;
}

static int memory_stat(struct control_call *call, struct error *err)
{
	struct balloon_stats stats;
	u32 i;
	int ret;

	ret = balloon_stats(call->vm, &stats, err);
	if (ret)
		return ret;
	for (i = 0; i < BALLOON_STATS; i++)
		if (stats.known & BIT(i))
			control_add_int(call->result, balloon_stat_names[i],
					stats.value[i]);
	control_add_int(call->result, "age-ms", stats.age_ms);
	return 0;
}

const struct control_command control_balloon = {
	.name = "balloon", .arguments = &balloon_arguments, .fn = balloon,
};

const struct control_command control_memory_stat = {
	.name = "memory-stat", .fn = memory_stat,
};
