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
#include "vmm/cli/replace.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/cli/snapshot.h"
#include "vmm/description.h"
#include "vmm/device.h"

/**
 * struct restore_options - options of `lkvm restore`
 * @replace: what of the host it gets
 * @paused: do not run it yet
 * @verify: check all checksums before
 * @eager: read all memory before
 * @force: use also disks that were written since
 * @disk_mode: enum disk_mode
 * @clock: enum vm_clock
 * @loglevel: an enum log_level
 * @json: events as JSON on standard error
 */
struct restore_options {
	struct replace_options replace;
	bool paused;
	bool verify;
	bool eager;
	bool force;
	u32 disk_mode;
	u32 clock;
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
	REPLACE_NAME(struct restore_options),
	REPLACE_TTY(struct restore_options),
	REPLACE_HUGETLBFS(struct restore_options),
	REPLACE_DEV(struct restore_options),
	{
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
	if (restore_mark_disks(r, &err) ||
	    replace_description(r->description, &opts->replace, args, &err))
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
		.eager = opts->eager, .paused = opts->paused, .tty = opts->replace.tty,
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
	.absent = replace_absent,
	.replaces_devices = true,
	.fn = restore,
};
