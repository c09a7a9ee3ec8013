// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm run: from options to a machine description
 *
 * Everything that the user left open is decided here, once: the number of
 * vCPUs, the memory, the kernel, the root.
 *
 * Threads: the first one, before any other is there.
 */
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/kernel.h"
#include "vmm/cli/run.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define MEM_PER_CPU	(64 * MIB)

static u32 default_cpus(void)
{
	cpu_set_t set;
	long n;

	n = sched_getaffinity(0, sizeof(set), &set) ?
		sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
	return n < 1 ? 1 : n > VM_CPUS_MAX ? VM_CPUS_MAX : (u32)n;
}

static u64 host_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);

	return pages > 0 && size > 0 ? (u64)pages * (u64)size : 0;
}

/* kvmtool's: 64 MiB for each CPU and three more, at most 80 % of the host's. */
static u64 default_memory(u32 cpus)
{
	u64 bytes = MEM_PER_CPU * (cpus + 3), limit = host_memory() / 10 * 8;

	if (limit && bytes > limit)
		bytes = max_of(limit, (u64)MEM_PER_CPU);
	return round_down_to(bytes, MIB);
}

/**
 * struct text - a growing text
 * @s: the text, NULL when it is empty or there was no memory
 * @failed: there was no memory
 */
struct text {
	char *s;
	bool failed;
};

/* Appends a word, with a space between. */
__printf(2, 3)
static void add_word(struct text *text, const char *fmt, ...)
{
	char *word = NULL, *joined = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (n > 0 && asprintf(&joined, "%s%s%s", text->s ? text->s : "",
			      text->s ? " " : "", word) >= 0) {
		free(text->s);
		text->s = joined;
	} else if (n) {
		text->failed = true;
	}
	if (n >= 0)
		free(word);
}

/* Is there a word that begins so? */
static bool has_word(const char *words, const char *start)
{
	const char *at = words;

	while (at && (at = strstr(at, start))) {
		if (at == words || at[-1] == ' ')
			return true;
		at++;
	}
	return false;
}

/*
 * With an initrd, only what is known to be a root: one that is made to mount a
 * root wants to know which, and one that is a whole system does not care. A
 * guess would send the former after a disk that is for data only.
 */
static int add_root(struct text *cmdline, const struct cli_device *dev,
		    bool initrd, struct error *err)
{
	const struct device_class *class = dev->class;
	const char *file = option_get_string(class->options, dev->config,
					     "file");
	const char *mode = option_get_bool(class->options, dev->config, "ro") ?
		"ro" : "rw";
	struct root_choice root;

	/* What is no file, the device will say. */
	if (access(file, R_OK))
		return 0;
	if (root_choose(file, &root, err))
		return error_prefix(err, "%s", class->name);
	if (initrd && !root.found)
		return 0;
	if (root.partition)
		add_word(cmdline, "root=%s%s%u %s rootwait", class->guest_disk,
			 class->guest_partition, root.partition, mode);
	else
		add_word(cmdline, "root=%s %s rootwait", class->guest_disk,
			 mode);
	return 0;
}

static bool has_hvc(const struct cli_args *args)
{
	u32 i;

	for (i = 0; i < args->devices_nr; i++)
		if (run_has_hvc(args->devices[i].class,
				args->devices[i].config))
			return true;
	return false;
}

static int make_cmdline(const struct run_options *opts,
			const struct cli_args *args, char **out,
			struct error *err)
{
	struct text text = { 0 };
	u32 i;
	int ret = 0;

	if (!opts->nodefaults) {
		add_word(&text, "%s", arch_default_cmdline());
		if (!has_word(opts->params, "console="))
			add_word(&text, "console=%s",
				 has_hvc(args) ? "hvc0" : "ttyS0");
	}
	for (i = 0; !opts->nodefaults && !has_word(opts->params, "root=") &&
	     i < args->devices_nr; i++) {
		if (!args->devices[i].class->guest_disk)
			continue;
		ret = add_root(&text, &args->devices[i], opts->initrd, err);
		break;
	}
	if (opts->params)
		add_word(&text, "%s", opts->params);
	if (!ret && text.failed)
		ret = error_set(err, -ENOMEM, "no memory");
	if (ret)
		free(text.s);
	else
		*out = text.s;
	return ret;
}

/* The devices of the command line, and the serial ports up to --tty's. */
static struct description_request *make_requests(const struct run_options *opts,
						 const struct cli_args *args,
						 u32 *nr)
{
	const struct device_class *serial = device_class_find("serial");
	u32 ports = opts->tty != TTY_NONE && serial ? opts->tty + 1 : 0;
	struct description_request *reqs;
	u32 i;

	reqs = calloc(args->devices_nr + ports + 1, sizeof(*reqs));
	if (!reqs)
		return NULL;
	*nr = 0;
	for (i = 0; i < args->devices_nr; i++) {
		const struct cli_device *dev = &args->devices[i];

		if (dev->class->is_none && dev->class->is_none(dev->config))
			continue;
		reqs[(*nr)++] = (struct description_request){
			.class = dev->class, .config = dev->config,
		};
	}
	for (i = 0; i < ports; i++)
		reqs[(*nr)++].class = serial;
	return reqs;
}

static int describe(const struct run_options *opts, const struct cli_args *args,
		    const struct machine_config *machine, void **fdt,
		    struct error *err)
{
	struct description_request *reqs;
	u32 nr;
	int ret;

	reqs = make_requests(opts, args, &nr);
	if (!reqs)
		return error_set(err, -ENOMEM, "no memory");
	ret = description_write(machine, reqs, nr, fdt, err);
	free(reqs);
	return ret;
}

static int find_kernel(const struct run_options *opts,
		       const struct cli_args *args, char **path,
		       struct error *err)
{
	const char *given = opts->kernel ? opts->kernel :
		args->operands_nr ? args->operands[0] : NULL;

	if (!given)
		return kernel_find_default(path, err);
	if (access(given, R_OK))
		return error_set(err, -errno,
				 "kernel %s: %m; name a readable image with --kernel",
				 given);
	*path = strdup(given);
	return *path ? 0 : error_set(err, -ENOMEM, "no memory");
}

/**
 * run_describe() - make the machine description
 * @opts: the options
 * @args: the command line, for devices and operands
 * @fdt: out: the description, to be freed
 * @err: set on failure
 *
 * Return: 0 or a negative errno.
 */
int run_describe(const struct run_options *opts, const struct cli_args *args,
		 void **fdt, struct error *err)
{
	struct machine_config machine = {
		.cpus = opts->cpus ? opts->cpus : default_cpus(),
		.memory = opts->mem,
		.initrd = opts->initrd,
		.reboot = opts->reboot,
		.hugetlbfs = opts->hugetlbfs,
		.kvm = opts->dev,
		.arch = args->arch,
	};
	char name[32];
	int ret;

	if (opts->initrd && access(opts->initrd, R_OK))
		return error_set(err, -errno,
				 "initrd %s: %m; name a readable file with --initrd",
				 opts->initrd);
	snprintf(name, sizeof(name), "guest-%d", getpid());
	machine.name = opts->name ? opts->name : name;
	if (!machine.memory)
		machine.memory = default_memory(machine.cpus);
	if (host_memory() && machine.memory > host_memory())
		log_warning("%llu MiB of memory are more than the %llu MiB of this host",
			    machine.memory / MIB, host_memory() / MIB);
	ret = find_kernel(opts, args, &machine.kernel, err);
	if (ret)
		return ret;
	ret = make_cmdline(opts, args, &machine.cmdline, err);
	if (!ret)
		ret = describe(opts, args, &machine, fdt, err);
	free(machine.cmdline);
	free(machine.kernel);
	return ret;
}

/* ---- the line to paste -------------------------------------------------- */

/* As the shell wants it. */
static void add_quoted(struct text *text, const char *option, const char *value)
{
	const char *c = value;
	char *quoted, *at;

	while (isalnum((unsigned char)*c) || (*c && strchr("_@%+=:,./-", *c)))
		c++;
	if (!*c && *value) {
		add_word(text, "%s %s", option, value);
		return;
	}
	quoted = malloc(4 * strlen(value) + 3);
	if (!quoted) {
		text->failed = true;
		return;
	}
	at = quoted;
	*at++ = '\'';
	for (; *value; value++)
		if (*value == '\'')
			at = stpcpy(at, "'\\''");
		else
			*at++ = *value;
	strcpy(at, "'");
	add_word(text, "%s %s", option, quoted);
	free(quoted);
}

static void add_setting(struct text *text, const struct cli_setting *s)
{
	const struct option_desc *opt = option_find(&arch_options, s->name);
	char option[64];

	snprintf(option, sizeof(option), "--%s", s->name);
	if (!s->value)
		add_word(text, "%s", option);
	else if (opt->type == OPTION_BOOL)
		add_word(text, "%s=%s", option, s->value);
	else
		add_quoted(text, option, s->value);
}

/**
 * run_command_line() - the command that starts this very machine again
 * @d: the machine
 * @args: the command line, for the devices
 *
 * What was decided for the user stands in it, too.
 *
 * Return: the line, to be freed; NULL when there is no memory.
 */
char *run_command_line(const struct description *d, const struct cli_args *args)
{
	const struct run_options *opts = args->config;
	const struct machine_config *m = d->machine;
	struct text text = { 0 };
	char option[64];
	u32 i;

	add_quoted(&text, "lkvm run -k", m->kernel);
	add_word(&text, "-m %llu%s", m->memory % MIB ? m->memory / KIB :
		 m->memory / MIB, m->memory % MIB ? "K" : "");
	add_word(&text, "-c %u", m->cpus);
	add_quoted(&text, "--name", m->name);
	if (m->initrd)
		add_quoted(&text, "-i", m->initrd);
	for (i = 0; i < args->devices_nr; i++) {
		snprintf(option, sizeof(option), "--%s",
			 args->devices[i].class->name);
		if (*args->devices[i].text)
			add_quoted(&text, option, args->devices[i].text);
		else
			add_word(&text, "%s", option);
	}
	for (i = 0; i < args->settings_nr; i++)
		add_setting(&text, &args->settings[i]);
	if (m->hugetlbfs)
		add_quoted(&text, "--hugetlbfs", m->hugetlbfs);
	if (opts->tty != TTY_NONE)
		add_word(&text, "--tty %u", opts->tty);
	if (m->reboot == REBOOT_RESTART)
		add_word(&text, "--reboot restart");
	if (opts->nodefaults)
		add_word(&text, "--nodefaults");
	if (opts->params)
		add_quoted(&text, "-p", opts->params);
	return text.failed ? free(text.s), NULL : text.s;
}
