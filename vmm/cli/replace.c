// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what belongs to the host in a machine that comes from elsewhere
 *
 * A machine from a snapshot or from another host is built from its description.
 * Options replace what belongs to the host in it: names, paths, terminals. What
 * the guest can see stays as it is.
 *
 * Threads: the first one.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/arch.h"
#include "vmm/cli/replace.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/description.h"
#include "vmm/device.h"

/* Instead of a path: the machine's memory is ordinary memory. */
#define NO_HUGETLBFS	"none"

#define FIXED(what)	what " is part of the saved machine and cannot change"

const struct cli_absent replace_absent[] = {
	{ "cpus", 'c', FIXED("the number of CPUs") },
	{ "mem", 'm', FIXED("the size of memory") },
	{ "kernel", 'k', FIXED("the kernel") },
	{ "initrd", 'i', FIXED("the initial RAM disk") },
	{ "params", 'p', FIXED("the kernel's command line") },
	{ "console", 0, FIXED("the console") },
	{ 0 },
};

static struct description_device *find_device(struct description *d,
					      const struct cli_device *dev)
{
	u32 i;

	for (i = 0; i < d->nr; i++)
		if (d->devices[i].class == dev->class &&
		    d->devices[i].index == dev->index)
			return &d->devices[i];
	return NULL;
}

static int replace_device(struct description *d, const struct cli_device *dev,
			  struct error *err)
{
	struct description_device *there = find_device(d, dev);
	int ret;

	if (!there)
		return error_set(err, -ENODEV,
				 "--%s: the saved machine has no %s%u",
				 dev->class->name, dev->class->name,
				 dev->index);
	ret = option_replace(dev->class->options, there->config, dev->text,
			     err);
	return ret ? error_prefix(err, "%s%u", dev->class->name, dev->index) :
		     0;
}

static int replace_text(char **to, const char *text, struct error *err)
{
	char *copy = NULL;

	if (text) {
		copy = strdup(text);
		if (!copy)
			return error_set(err, -ENOMEM, "no memory");
	}
	free(*to);
	*to = copy;
	return 0;
}

static int replace_machine(struct machine_config *m,
			   const struct replace_options *opts,
			   struct error *err)
{
	const char *dir = opts->hugetlbfs;
	int ret = 0;

	if (opts->name)
		ret = replace_text(&m->name, opts->name, err);
	if (!ret && dir)
		ret = replace_text(&m->hugetlbfs, strcmp(dir, NO_HUGETLBFS) ?
				   dir : NULL, err);
	if (!ret && opts->dev)
		ret = replace_text(&m->kvm, opts->dev, err);
	/* An image may come from anywhere. */
	if (!ret && !m->name)
		ret = error_set(err, -EINVAL,
				"the image has no name for the machine; give one with --name");
	return ret ? ret : runtime_check_name(m->name, err);
}

static int replace_arch(struct machine_config *m, const struct cli_args *args,
			struct error *err)
{
	u32 i;
	int ret = 0;

	for (i = 0; !ret && i < args->settings_nr; i++)
		ret = option_set(&arch_options, m->arch,
				 args->settings[i].name,
				 args->settings[i].value, err);
	return ret;
}

static int check_tty(const struct description *d, u32 tty, struct error *err)
{
	const struct cli_device port = {
		.class = device_class_find("serial"), .index = tty,
	};

	if (tty == TTY_NONE || find_device((struct description *)d, &port))
		return 0;
	return error_set(err, -ENODEV, "--tty %u: the saved machine has no ttyS%u",
			 tty, tty);
}

/**
 * replace_description() - put what belongs to this host into a description
 * @d: the description of a machine that was saved, or comes from elsewhere
 * @opts: the options
 * @args: the devices that were named
 * @err: what cannot be replaced
 *
 * Return: 0 or a negative errno.
 */
int replace_description(struct description *d,
			const struct replace_options *opts,
			const struct cli_args *args, struct error *err)
{
	u32 i;
	int ret;

	/* Programs that an image names are not run. */
	for (i = 0; i < d->nr; i++)
		if (d->devices[i].class->options)
			option_forget(d->devices[i].class->options,
				      d->devices[i].config);
	option_forget(&arch_options, d->machine->arch);
	ret = replace_machine(d->machine, opts, err);
	if (!ret)
		ret = replace_arch(d->machine, args, err);
	if (!ret)
		ret = check_tty(d, opts->tty, err);
	for (i = 0; !ret && i < args->devices_nr; i++)
		ret = replace_device(d, &args->devices[i], err);
	return ret;
}
