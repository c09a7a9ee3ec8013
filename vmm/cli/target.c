// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: which machines a command is about: one by name, or all
 *
 * Threads: the first one of a short-lived process.
 */
#include <unistd.h>

#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/target.h"

/**
 * target_wait_gone() - wait until a machine has ended and given its name back
 * @call: the machine; nothing is awaited on its connection
 * @timeout_s: how long until it ends
 *
 * The connection ends a moment before the process gives the name back.
 *
 * Return: 0 or -ETIMEDOUT.
 */
int target_wait_gone(const struct target_call *call, u64 timeout_s)
{
	u32 i;

	if (control_wait_end(call->fd, timeout_s * 1000))
		return -ETIMEDOUT;
	for (i = 0; i < TARGET_END_S * 100; i++) {
		if (runtime_remove_stale(call->rt, call->name))
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

/* A machine that ends while we go through all of them is no failure. */
static int one(struct target_call *call, bool among_all,
	       int (*fn)(const struct target_call *call, struct error *err),
	       struct error *err)
{
	int ret = control_connect(call->rt, call->name, &call->fd, err);

	if (ret)
		return ret == -ENOENT && among_all ? 0 : ret;
	ret = fn(call, err);
	close(call->fd);
	return ret ? error_prefix(err, "%s", call->name) : 0;
}

static int every(struct target_call *call,
		 int (*fn)(const struct target_call *call, struct error *err),
		 struct error *err)
{
	char **names;
	u32 nr, i;
	int ret, first = 0;

	ret = runtime_names(call->rt, &names, &nr, err);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		struct error why = ERROR_INIT;

		call->name = names[i];
		ret = one(call, true, fn, &why);
		if (ret && first)
			cli_fail(EXIT_ERROR, &why);
		else if (ret)
			first = error_copy(err, &why);
	}
	runtime_names_free(names, nr);
	return first;
}

/**
 * target_each() - talk to each machine that the user means
 * @target: which
 * @fn: called for each, connected; what it fails with gets the machine's name
 *      in front
 * @arg: for @fn
 *
 * With several machines, one that fails does not keep the others from being
 * asked.
 *
 * Return: an exit code; failures have been told.
 */
int target_each(const struct target *target,
		int (*fn)(const struct target_call *call, struct error *err),
		void *arg)
{
	struct target_call call = { .name = target->name, .arg = arg };
	struct error err = ERROR_INIT;
	struct runtime rt;
	int ret;

	if (!target->name == !target->all) {
		error_set(&err, -EINVAL,
			  "which machine? give either --name NAME or --all");
		return cli_fail(EXIT_USAGE, &err);
	}
	if (target->name && runtime_check_name(target->name, &err))
		return cli_fail(EXIT_USAGE, &err);
	ret = runtime_open(&rt, &err);
	if (ret)
		return cli_fail(EXIT_ERROR, &err);
	call.rt = &rt;
	ret = target->all ? every(&call, fn, &err) :
			    one(&call, false, fn, &err);
	runtime_close(&rt);
	return ret ? cli_fail(EXIT_ERROR, &err) : EXIT_OK;
}
