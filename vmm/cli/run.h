/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_RUN_H
#define LKVM_RUN_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/description.h"
#include "vmm/option.h"

struct cli_args;
struct device_class;
struct restore;

/**
 * enum run_console - which device is the guest's console
 * @RUN_CONSOLE_SERIAL: the first serial port
 * @RUN_CONSOLE_VIRTIO: a virtio console
 * @RUN_CONSOLE_HV: kvmtool's word for what the hypervisor has: likewise
 */
enum run_console {
	RUN_CONSOLE_SERIAL,
	RUN_CONSOLE_VIRTIO,
	RUN_CONSOLE_HV,
};

/**
 * struct run_options - options of `lkvm run`
 * @name: the machine's name, NULL for one that is made up
 * @cpus: vCPUs, 0 for as many as the host has
 * @mem: guest RAM in bytes, 0 for kvmtool's choice
 * @kernel: kernel image, NULL to search
 * @initrd: initial RAM disk
 * @params: words for the kernel's command line
 * @console: an enum run_console
 * @transport: index of the word: how virtio devices are reached
 * @dev: path of KVM's device
 * @tty: serial port on a pseudo terminal, TTY_NONE for none
 * @hugetlbfs: a mounted hugetlbfs that RAM comes from
 * @loglevel: an enum log_level
 * @debug: as @loglevel LOG_DEBUG
 * @nodefaults: nothing that the user has not asked for
 * @reboot: an enum machine_reboot
 * @json: events as JSON on standard error
 */
struct run_options {
	char *name;
	u32 cpus;
	u64 mem;
	char *kernel;
	char *initrd;
	char *params;
	u32 console;
	u32 transport;
	char *dev;
	u32 tty;
	char *hugetlbfs;
	u32 loglevel;
	bool debug;
	bool nodefaults;
	u32 reboot;
	bool json;
};

#define TTY_NONE	UINT32_MAX

/* run_config.c */
int run_describe(const struct run_options *opts, const struct cli_args *args,
		 void **fdt, struct error *err) __must_check;
char *run_command_line(const struct description *d,
		       const struct cli_args *args);

/* run_defaults.c */
bool run_has_hvc(const struct device_class *class, const void *config);
int run_defaults_add(const struct cli_args *args,
		     const struct run_options *opts, struct cli_args *all,
		     struct error *err) __must_check;
void run_defaults_free(const struct cli_args *args, struct cli_args *all);

/**
 * struct machine_job - a machine that this process is to run
 * @d: what it is
 * @image: what it goes on from; NULL: it begins with its kernel
 * @image_path: name of @image
 * @eager: all of its memory is read from @image before it runs
 * @paused: it does not run until it is resumed
 * @receive: it comes from another host; NULL: it does not
 * @arrived: called when it was handed over, NULL for none
 * @arrived_arg: for @arrived
 * @tty: serial port on a pseudo terminal, TTY_NONE for none
 * @line: the command that starts this very machine again, NULL for none
 */
struct machine_job {
	struct description *d;
	struct restore *image;
	const char *image_path;
	bool eager;
	bool paused;
	struct receive *receive;
	void (*arrived)(void *arg);
	void *arrived_arg;
	u32 tty;
	const char *line;
};

/* run_machine.c */
int run_machine(const struct machine_job *job);

#endif /* LKVM_RUN_H */
