// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm restore: a machine from an image
 *
 * The machine is built from the description in the image, so no option is
 * needed. Those that are given replace what belongs to the host: names, paths,
 * terminals. What the guest can see stays as it is.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migration/restore.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/output.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/cli/snapshot.h"
#include "vmm/description.h"
#include "vmm/device.h"

/* Instead of a path: the machine's memory is ordinary memory. */
#define NO_HUGETLBFS	"none"

/**
 * struct restore_options - options of `lkvm restore`
 * @name: the machine's name, NULL for that in the image
 * @paused: do not run it yet
 * @verify: check all checksums before
 * @eager: read all memory before
 * @force: use also disks that were written since
 * @disk_mode: enum disk_mode
 * @clock: enum vm_clock
 * @tty: serial port on a pseudo terminal, TTY_NONE for none
 * @hugetlbfs: NULL for what is in the image
 * @dev: path of KVM's device, NULL for what is in the image
 * @loglevel: an enum log_level
 * @json: events as JSON on standard error
 */
struct restore_options {
	char *name;
	bool paused;
	bool verify;
	bool eager;
	bool force;
	u32 disk_mode;
	u32 clock;
	u32 tty;
	char *hugetlbfs;
	char *dev;
	u32 loglevel;
	bool json;
};

static const char *const disk_mode_words[] = {
	[DISK_MODE_AUTO]	= "auto",
	[DISK_MODE_SHARED]	= "shared",
	[DISK_MODE_COW]		= "cow",
	[DISK_MODE_COW + 1]	= NULL,
};

static const char *const clock_words[] = { "host", "saved", NULL };
static const char *const loglevel_words[] = {
	"error", "warning", "info", "debug", NULL,
};

#define FIELD(_field)	.offset = offsetof(struct restore_options, _field)
#define TEXT		.type = OPTION_STRING, .scope = OPTION_HOST, .min = 1
#define FLAG		.type = OPTION_BOOL, .scope = OPTION_HOST

static const struct option_desc restore_opts[] = {
	{
		.name = "name", .arg = "NAME", TEXT, FIELD(name),
		.help = "name of the machine (that of the one that was saved)",
	}, {
		.name = "paused", FLAG, FIELD(paused),
		.help = "do not run it; 'lkvm resume' does",
	}, {
		.name = "verify", FLAG, FIELD(verify),
		.help = "check every checksum before it runs",
	}, {
		.name = "eager", FLAG, FIELD(eager),
		.help = "read all memory before it runs, not when it is needed",
	}, {
		.name = "force", FLAG, FIELD(force),
		.help = "use the disks even if they were written since",
	}, {
		.name = "disk-mode", FIELD(disk_mode),
		.help = "work on the disks, or on private copies that end with the machine",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = disk_mode_words,
	}, {
		.name = "clock", FIELD(clock),
		.help = "whether the guest's clocks go on at the host's time (host)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = clock_words,
	}, {
		.name = "tty", .arg = "N", FIELD(tty),
		.help = "connect the guest's ttySN to a pseudo terminal",
		.type = OPTION_U32, .scope = OPTION_HOST,
		.max = VM_CONSOLES - 1, .def = TTY_NONE,
	}, {
		.name = "hugetlbfs", .arg = "DIR", TEXT, FIELD(hugetlbfs),
		.help = "a mounted hugetlbfs that the guest's memory comes from, or \"none\"",
	}, {
		.name = "dev", .arg = "FILE", TEXT, FIELD(dev),
		.help = "KVM's device (that of the machine that was saved)",
	}, {
		.name = "loglevel", FIELD(loglevel),
		.help = "how much lkvm says about itself (info)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = loglevel_words, .def = LOG_INFO,
	}, {
		.name = "json", FLAG, FIELD(json),
		.help = "events and messages as JSON objects on standard error",
	},
};

static const struct option_table restore_table = {
	.name = "restore", .config_size = sizeof(struct restore_options),
	.dashes = true, .opts = restore_opts, .nr = ARRAY_SIZE(restore_opts),
};

#define FIXED(what)	what " is part of the saved machine and cannot change"

static const struct cli_absent restore_absent[] = {
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
			   const struct restore_options *opts,
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

static int replace(struct restore *r, const struct restore_options *opts,
		   const struct cli_args *args, struct error *err)
{
	u32 i;
	int ret;

	ret = replace_machine(r->description->machine, opts, err);
	if (!ret)
		ret = check_tty(r->description, opts->tty, err);
	for (i = 0; !ret && i < args->devices_nr; i++)
		ret = replace_device(r->description, &args->devices[i], err);
	return ret;
}

/* Returns an exit code, EXIT_OK to go on. */
static int verify(struct restore *r, bool json)
{
	struct verify_request req = {
		.image = r->image, .control = &r->control, .json = json,
		.on_event = output_event,
	};
	struct verify_result result;
	struct error err = ERROR_INIT;

	if (!verify_image(&req, &result, &err))
		return EXIT_OK;
	return cli_fail(result.signal ? EXIT_SIGNAL + result.signal :
			EXIT_ERROR, &err);
}

/* Options first, which take no time, disks last, which may have to be copied. */
static int prepare(struct restore *r, const struct restore_options *opts,
		   const struct cli_args *args)
{
	struct error err = ERROR_INIT;
	int code = EXIT_OK;

	r->clock = (enum vm_clock)opts->clock;
	r->force_disks = opts->force;
	if (restore_mark_disks(r, &err) || replace(r, opts, args, &err))
		return cli_fail(EXIT_ERROR, &err);
	if (opts->verify)
		code = verify(r, opts->json);
	if (code == EXIT_OK &&
	    restore_find_disks(r, (enum disk_mode)opts->disk_mode, &err))
		code = cli_fail(EXIT_ERROR, &err);
	return code;
}

static int restore(const struct cli *cli, const struct cli_args *args)
{
	const struct restore_options *opts = args->config;
	struct machine_job job = {
		.eager = opts->eager, .paused = opts->paused, .tty = opts->tty,
	};
	struct error err = ERROR_INIT;
	int code;

	output_init((enum log_level)opts->loglevel, opts->json);
	if (!args->operands_nr) {
		error_set(&err, -EINVAL,
			  "name the image: lkvm restore FILE");
		return cli_fail(EXIT_USAGE, &err);
	}
	job.image_path = args->operands[0];
	if (restore_open(job.image_path, &job.image, &err))
		return cli_fail(EXIT_ERROR, &err);
	job.d = job.image->description;
	code = prepare(job.image, opts, args);
	if (code == EXIT_OK)
		code = run_machine(&job);
	restore_close(job.image);
	return code;
}

const struct cli_command cli_restore = {
	.name = "restore",
	.summary = "go on with a machine from a file",
	.operands = "FILE",
	.operands_max = 1,
	.options = &restore_table,
	.absent = restore_absent,
	.replaces_devices = true,
	.fn = restore,
};
