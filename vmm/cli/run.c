// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm run: the options
 *
 * The words are kvmtool's. From them a machine description is made
 * (run_config.c), and from that the machine (run_machine.c).
 */
#include <libfdt.h>
#include <stdlib.h>

#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/output.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/vm.h"

static const char *const console_words[] = { "serial", "virtio", "hv", NULL };
static const char *const transport_words[] = { "pci", NULL };
static const char *const reboot_words[] = { "exit", "restart", NULL };
static const char *const loglevel_words[] = {
	"error", "warning", "info", "debug", NULL,
};

#define FIELD(_field)	.offset = offsetof(struct run_options, _field)
#define TEXT		.type = OPTION_STRING, .scope = OPTION_HOST, .min = 1
#define FLAG		.type = OPTION_BOOL, .scope = OPTION_HOST

static const struct option_desc run_opts[] = {
	{
		.name = "name", .arg = "NAME", TEXT, FIELD(name),
		.help = "name of the machine (guest-PID)",
	}, {
		.name = "cpus", .arg = "N", FIELD(cpus),
		.help = "virtual CPUs (as many as the host has)",
		.type = OPTION_U32, .scope = OPTION_GUEST,
		.min = 1, .max = VM_CPUS_MAX,
	}, {
		.name = "mem", .arg = "SIZE", FIELD(mem),
		.help = "memory in MiB, or with a suffix K, M, G, T (64M a CPU and 192M)",
		.type = OPTION_SIZE, .scope = OPTION_GUEST,
		.unit = MIB, .min = 2 * MIB, .max = 8192 * GIB,
	}, {
		.name = "kernel", .arg = "FILE", TEXT, FIELD(kernel),
		.help = "kernel image (the tree one is in, the host's, the newest in /boot)",
	}, {
		.name = "initrd", .arg = "FILE", TEXT, FIELD(initrd),
		.help = "initial RAM disk",
	}, {
		.name = "params", .arg = "WORDS", TEXT, FIELD(params),
		.help = "words for the kernel's command line",
	}, {
		.name = "console", FIELD(console),
		.help = "device that is the guest's console (serial)",
		.type = OPTION_ENUM, .scope = OPTION_GUEST,
		.words = console_words,
	}, {
		.name = "virtio-transport", FIELD(transport),
		.help = "how virtio devices are reached (pci)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = transport_words,
	}, {
		.name = "tty", .arg = "N", FIELD(tty),
		.help = "connect the guest's ttySN to a pseudo terminal",
		.type = OPTION_U32, .scope = OPTION_GUEST,
		.max = VM_CONSOLES - 1, .def = TTY_NONE,
	}, {
		.name = "nodefaults", FLAG, FIELD(nodefaults),
		.help = "add no devices and nothing to the kernel's command line",
	}, {
		.name = "reboot", FIELD(reboot),
		.help = "what a reboot of the guest does (exit)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = reboot_words,
	}, {
		.name = "hugetlbfs", .arg = "DIR", TEXT, FIELD(hugetlbfs),
		.help = "a mounted hugetlbfs that the guest's memory comes from",
	}, {
		.name = "dev", .arg = "FILE", TEXT, FIELD(dev),
		.help = "KVM's device (/dev/kvm)", .def_str = "/dev/kvm",
	}, {
		.name = "loglevel", FIELD(loglevel),
		.help = "how much lkvm says about itself (info)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = loglevel_words, .def = LOG_INFO,
	}, {
		.name = "debug", FLAG, FIELD(debug),
		.help = "the same as --loglevel debug",
	}, {
		.name = "json", FLAG, FIELD(json),
		.help = "events and messages as JSON objects on standard error",
	},
};

static const struct option_table run_table = {
	.name = "run", .config_size = sizeof(struct run_options),
	.dashes = true, .opts = run_opts, .nr = ARRAY_SIZE(run_opts),
};

static const struct cli_letter run_letters[] = {
	{ 'c', "cpus" }, { 'm', "mem" }, { 'k', "kernel" }, { 'i', "initrd" },
	{ 'p', "params" }, { 'n', "network" }, { 'd', "disk" }, { 0 },
};

#define NO_DEVICE(what)	"there is no " what " in this version"

static const struct cli_absent run_absent[] = {
	{ "9p", 0, NO_DEVICE("9p file system") },
	{ "vfio-pci", 0, NO_DEVICE("device assignment") },
	{ "vnc", 0, NO_DEVICE("graphics") },
	{ "gtk", 0, NO_DEVICE("graphics") },
	{ "sdl", 0, NO_DEVICE("graphics") },
	{ "vidmode", 0, NO_DEVICE("graphics") },
	{ "virtio-legacy", 0, NO_DEVICE("legacy virtio device") },
	{ "firmware", 'f', NO_DEVICE("firmware loader") "; use --kernel FILE" },
	{ "flash", 'F', NO_DEVICE("flash device") },
	{ "sandbox", 0, NO_DEVICE("sandbox") },
	{ "no-dhcp", 0, "there is no root file system that the kernel would ask DHCP for" },
	{ "aarch32", 0, NO_DEVICE("guest of 32 bits") },
	{ "override-bad-firmware-cntfrq", 0, "the counter's frequency is the host's" },
	{ "force-pci", 0, "virtio devices are on the PCI bus" },
	{ "debug-single-step", 0, NO_DEVICE("single stepping") },
	{ "debug-ioport", 0, "use --loglevel debug" },
	{ "debug-mmio", 0, "use --loglevel debug" },
	{ "debug-iodelay", 0, NO_DEVICE("I/O delay") },
	{ 0 },
};

static int check_options(const struct run_options *opts,
			 const struct cli_args *args, struct error *err)
{
	if (opts->kernel && args->operands_nr)
		return error_set(err, -EINVAL,
				 "%.64s: the kernel was named by --kernel; give one of the two",
				 args->operands[0]);
	return opts->name ? runtime_check_name(opts->name, err) : 0;
}

static int run_with(const struct cli_args *args)
{
	const struct run_options *opts = args->config;
	struct machine_job job = { .tty = opts->tty };
	struct error err = ERROR_INIT;
	char *line;
	void *fdt;
	int ret;

	if (run_describe(opts, args, &fdt, &err))
		return cli_fail(EXIT_ERROR, &err);
	ret = description_read(fdt, fdt_totalsize(fdt), &job.d, &err);
	free(fdt);
	if (ret)
		return cli_fail(EXIT_ERROR, &err);
	line = run_command_line(job.d, args);
	job.line = line;
	ret = run_machine(&job);
	free(line);
	description_free(job.d);
	return ret;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	const struct run_options *opts = args->config;
	struct error err = ERROR_INIT;
	struct cli_args all;
	int ret;

	output_init(opts->debug ? LOG_DEBUG : (enum log_level)opts->loglevel,
		    opts->json);
	if (check_options(opts, args, &err))
		return cli_fail(EXIT_USAGE, &err);
	if (run_defaults_add(args, opts, &all, &err))
		return cli_fail(EXIT_ERROR, &err);
	ret = run_with(&all);
	run_defaults_free(args, &all);
	return ret;
}

const struct cli_command cli_run = {
	.name = "run",
	.summary = "start a machine",
	.operands = "[KERNEL]",
	.operands_max = 1,
	.options = &run_table,
	.letters = run_letters,
	.absent = run_absent,
	.takes_devices = true,
	.fn = run,
};
