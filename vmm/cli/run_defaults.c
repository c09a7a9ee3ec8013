// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm run: devices that a machine gets without being asked
 *
 * Some classes name one that is useful to most (&device_class.default_options):
 * it is as if the user had written it last, behind all others, so it moves
 * none of them. Where the host cannot have it, one line says why. Whoever names
 * one of the class, or wants no defaults, does not get it.
 *
 * A console that is a device is added in the same way, before those: it is what
 * --console virtio stands for.
 *
 * What every machine has, whatever the user says, is added by the description
 * (&device_class.by_default).
 *
 * Threads: the first one, before any other is there.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/log.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/run.h"
#include "vmm/device.h"

/* The option that makes a device the console. */
#define HVC_CLASS	"virtio-console"
#define HVC_OPTION	"console"

static bool is_named(const struct cli_args *args,
		     const struct device_class *class)
{
	u32 i;

	for (i = 0; i < args->devices_nr; i++)
		if (args->devices[i].class == class)
			return true;
	return false;
}

static bool can_be_had(const struct device_class *class)
{
	struct error err = ERROR_INIT;

	if (!class->default_missing || !class->default_missing(&err))
		return true;
	log_info("no %s: %s", class->name, err.text);
	return false;
}

static int add(struct cli_args *all, const struct device_class *class,
	       const char *text, struct error *err)
{
	struct cli_device *dev = &all->devices[all->devices_nr];

	*dev = (struct cli_device){
		.class = class, .text = text,
	};
	if (class->options) {
		dev->config = option_config_new(class->options);
		if (!dev->config)
			return error_set(err, -ENOMEM, "no memory");
	}
	all->devices_nr++;
	return class->options ? option_parse(class->options, dev->config,
					     dev->text, err) : 0;
}

/**
 * run_has_hvc() - is this device the guest's console?
 * @class: its class
 * @config: its options
 *
 * Return: true for a virtio console; the terminal is connected to it then.
 */
bool run_has_hvc(const struct device_class *class, const void *config)
{
	return !strcmp(class->name, HVC_CLASS) &&
	       option_get_bool(class->options, config, HVC_OPTION);
}

/* Unless one of the devices that the user has named is it already. */
static int add_hvc(const struct cli_args *args, struct cli_args *all,
		   struct error *err)
{
	u32 i;

	for (i = 0; i < args->devices_nr; i++)
		if (run_has_hvc(args->devices[i].class,
				args->devices[i].config))
			return 0;
	return add(all, device_class_find(HVC_CLASS), HVC_OPTION "=on", err);
}

/* By name: the order of classes in the program means nothing. */
static int by_name(const void *a, const void *b)
{
	const struct cli_device *x = a, *y = b;

	return strcmp(x->class->name, y->class->name);
}

/**
 * run_defaults_add() - the command line with what belongs to it by default
 * @args: what the user has written
 * @opts: its options: what the console is, and whether anything is added
 * @all: out: the same and more, to be freed with run_defaults_free()
 * @err: set on failure
 *
 * Return: 0 or a negative errno.
 */
int run_defaults_add(const struct cli_args *args,
		     const struct run_options *opts, struct cli_args *all,
		     struct error *err)
{
	const struct device_class *const *classes;
	u32 i, nr, asked;
	int ret = 0;

	classes = device_classes(&nr);
	*all = *args;
	all->devices = calloc(args->devices_nr + nr + 1,
			      sizeof(*all->devices));
	if (!all->devices)
		return error_set(err, -ENOMEM, "no memory");
	if (args->devices_nr)
		memcpy(all->devices, args->devices,
		       args->devices_nr * sizeof(*all->devices));
	if (opts->console != RUN_CONSOLE_SERIAL)
		ret = add_hvc(args, all, err);
	asked = all->devices_nr;
	for (i = 0; !opts->nodefaults && !ret && i < nr; i++)
		if (classes[i]->default_options && !is_named(args, classes[i]) &&
		    can_be_had(classes[i]))
			ret = add(all, classes[i], classes[i]->default_options,
				  err);
	qsort(all->devices + asked, all->devices_nr - asked,
	      sizeof(*all->devices), by_name);
	if (ret)
		run_defaults_free(args, all);
	return ret;
}

/**
 * run_defaults_free() - free what run_defaults_add() has made
 * @args: what the user has written
 * @all: that and more
 */
void run_defaults_free(const struct cli_args *args, struct cli_args *all)
{
	u32 i;

	for (i = args->devices_nr; i < all->devices_nr; i++)
		if (all->devices[i].class->options)
			option_config_free(all->devices[i].class->options,
					   all->devices[i].config);
	free(all->devices);
}
