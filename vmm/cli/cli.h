/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the command line: subcommands, their arguments, exit codes
 */
#ifndef LKVM_CLI_H
#define LKVM_CLI_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/option.h"

struct cli;
struct device_class;

/**
 * enum cli_exit - exit codes of lkvm, documented in lkvm(1)
 * @EXIT_OK: done; `run`: the guest switched itself off or rebooted
 * @EXIT_ERROR: lkvm, KVM or the host failed
 * @EXIT_USAGE: the command line cannot be understood
 * @EXIT_GUEST_PANIC: the guest's kernel panicked
 * @EXIT_TRIPLE_FAULT: a CPU of the guest gave up
 * @EXIT_KILLED: the guest was ended by `stop --force` or Ctrl-a x
 * @EXIT_DEBUG: plus the value that the guest wrote to its debug-exit port,
 *              which counts as EXIT_DEBUG_MAX when it is greater
 * @EXIT_SIGNAL: plus the number of the signal that ended it
 */
enum cli_exit {
	EXIT_OK			= 0,
	EXIT_ERROR		= 1,
	EXIT_USAGE		= 2,
	EXIT_GUEST_PANIC	= 3,
	EXIT_TRIPLE_FAULT	= 4,
	EXIT_KILLED		= 5,
	EXIT_DEBUG		= 64,
	EXIT_SIGNAL		= 128,
};

#define EXIT_DEBUG_MAX	61

/**
 * struct cli_letter - the one-letter form of an option
 * @letter: "c" of ``-c``
 * @name: "cpus" of ``--cpus``
 */
struct cli_letter {
	char letter;
	const char *name;
};

/**
 * struct cli_absent - a word that users know from kvmtool and that is not here
 * @name: long option
 * @letter: its letter, 0 for none
 * @why: what to say: what is missing, and what to use instead
 */
struct cli_absent {
	const char *name;
	char letter;
	const char *why;
};

/**
 * struct cli_device - a device asked for on the command line
 * @class: what kind
 * @index: which of them; with &cli_command.replaces_devices only
 * @text: its options as they were written
 * @config: its options, a struct of the class's table; owned; NULL with
 *          &cli_command.replaces_devices
 */
struct cli_device {
	const struct device_class *class;
	u32 index;
	const char *text;
	void *config;
};

/**
 * struct cli_setting - an option of the architecture that was given
 * @name: of the option
 * @value: as it was written; NULL for a switch without one
 */
struct cli_setting {
	const char *name;
	const char *value;
};

/**
 * struct cli_args - a command line, parsed
 * @config: a struct of the command's option table; owned
 * @arch: a struct of &arch_options; owned; NULL for commands without devices
 * @settings: what was set in @arch; owned
 * @settings_nr: how many
 * @operands: words that are not options
 * @operands_nr: how many
 * @devices: devices asked for, in the order in which they were written; owned
 * @devices_nr: how many
 */
struct cli_args {
	void *config;
	void *arch;
	struct cli_setting *settings;
	u32 settings_nr;
	char **operands;
	u32 operands_nr;
	struct cli_device *devices;
	u32 devices_nr;
};

/**
 * struct cli_command - a subcommand
 * @name: "run"
 * @summary: one line
 * @operands: how its operands are shown, NULL for none
 * @operands_max: most of them
 * @options: its options, NULL for none
 * @letters: one-letter forms, ended by an empty one; or NULL
 * @absent: options that it does not have and that users may look for, ended
 *          by an empty one; or NULL
 * @takes_devices: each class of devices is an option, too, and so are the
 *                 architecture's
 * @replaces_devices: likewise, of devices that are there: N=OPTIONS; and of the
 *                    architecture's those that belong to the host
 * @fn: does it. Returns an exit code; has said by cli_fail() what went wrong.
 */
struct cli_command {
	const char *name;
	const char *summary;
	const char *operands;
	u32 operands_max;
	const struct option_table *options;
	const struct cli_letter *letters;
	const struct cli_absent *absent;
	bool takes_devices;
	bool replaces_devices;
	int (*fn)(const struct cli *cli, const struct cli_args *args);
};

/**
 * struct cli - this run of the program
 * @commands: all subcommands
 * @commands_nr: how many
 * @command: the one that was asked for
 */
struct cli {
	const struct cli_command *const *commands;
	u32 commands_nr;
	const struct cli_command *command;
};

extern const struct cli_command cli_balloon;
extern const struct cli_command cli_debug;
extern const struct cli_command cli_help;
extern const struct cli_command cli_list;
extern const struct cli_command cli_pause;
extern const struct cli_command cli_migrate;
extern const struct cli_command cli_receive;
extern const struct cli_command cli_restore;
extern const struct cli_command cli_resume;
extern const struct cli_command cli_run;
extern const struct cli_command cli_snapshot;
extern const struct cli_command cli_stat;
extern const struct cli_command cli_state_schema;
extern const struct cli_command cli_stop;
extern const struct cli_command cli_version;

/* args.c */
int cli_args_parse(const struct cli_command *cmd, int argc, char **argv,
		   struct cli_args *args, struct error *err) __must_check;
void cli_args_free(const struct cli_command *cmd, struct cli_args *args);
bool cli_wants_help(const struct cli_command *cmd, int argc, char **argv);
const struct option_desc *cli_arch_option(const struct cli_command *cmd,
					  const char *name);
char cli_letter_of(const struct cli_command *cmd, const char *name);

/* help.c */
void cli_print_help(const struct cli *cli, const struct cli_command *cmd);

/* output.c */
int cli_fail(int code, const struct error *err);

#endif /* LKVM_CLI_H */
