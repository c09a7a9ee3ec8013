// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm help: usage texts from the tables
 *
 * With --words it prints what a shell completion and the test of the man
 * pages want, one option a line, separated by tabs: the option with its
 * dashes, its letter, what stands for its value, its help. Options of a
 * device are shown as ``--nvme:queues``.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/device.h"

#define COLUMN	28

/**
 * struct help_options - options of `lkvm help`
 * @words: for programs
 */
struct help_options {
	bool words;
};

static const struct option_desc help_opts[] = {
	{
		.name = "words", .help = "as tab-separated words, for programs",
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.offset = offsetof(struct help_options, words),
	},
};

static const struct option_table help_table = {
	.name = "help", .config_size = sizeof(struct help_options),
	.dashes = true, .opts = help_opts, .nr = ARRAY_SIZE(help_opts),
};

static const char *value_name(const struct option_desc *opt, char *buf,
			      size_t len)
{
	size_t n = 0;
	u32 i;

	if (opt->type != OPTION_ENUM)
		return opt->type == OPTION_BOOL ? "" :
			opt->arg ? opt->arg : "VALUE";
	for (i = 0; opt->words[i] && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", i ? "|" : "",
				      opt->words[i]);
	return buf;
}

static void print_line(const char *left, const char *help)
{
	if (strlen(left) < COLUMN)
		printf("%-*s%s\n", COLUMN, left, help);
	else
		printf("%s\n%-*s%s\n", left, COLUMN, "", help);
}

/* "-k, ", or nothing. */
static const char *letter_text(const struct cli_command *cmd, const char *name,
			       char *buf, size_t len)
{
	char letter = cli_letter_of(cmd, name);

	if (letter)
		snprintf(buf, len, "-%c, ", letter);
	else
		*buf = 0;
	return buf;
}

static void print_option(const struct cli_command *cmd,
			 const struct option_desc *opt)
{
	char left[128], words[96], buf[8];
	const char *value = value_name(opt, words, sizeof(words));

	snprintf(left, sizeof(left), "  %s--%s%s%s",
		 letter_text(cmd, opt->name, buf, sizeof(buf)), opt->name,
		 *value ? " " : "", value);
	print_line(left, opt->help);
}

/* Of a device that is there only what belongs to the host can be given. */
static bool is_shown(const struct cli_command *cmd,
		     const struct option_desc *opt)
{
	return cmd->takes_devices || opt->scope == OPTION_HOST;
}

static void print_device_options(const struct cli_command *cmd,
				 const struct device_class *class)
{
	const struct option_table *table = class->options;
	const char *first = table ? table->positional : NULL;
	const struct option_desc *opt = first ? option_find(table, first) : NULL;
	char left[128], words[96], buf[8];
	const char *value;
	u32 i;

	value = opt && opt->arg ? opt->arg : "";
	/* What comes first may be one of those that cannot be given. */
	if (cmd->replaces_devices && (!*value || !is_shown(cmd, opt)))
		value = "OPTION";
	snprintf(left, sizeof(left), "  %s--%s %s%s%s",
		 letter_text(cmd, class->name, buf, sizeof(buf)), class->name,
		 cmd->replaces_devices ? "N=" : "", value,
		 table && table->nr > 1 ? "[,OPTION...]" : "");
	print_line(left, class->summary);
	for (i = 0; table && i < table->nr; i++) {
		opt = &table->opts[i];
		if (!is_shown(cmd, opt))
			continue;
		value = value_name(opt, words, sizeof(words));
		snprintf(left, sizeof(left), "      %s%s%s", opt->name,
			 *value ? "=" : "", value);
		print_line(left, opt->help);
	}
}

/* Classes by name: their order in the program means nothing. */
static const struct device_class *next_class(const struct cli_command *cmd,
					     const struct device_class *last)
{
	const struct device_class *const *all, *next = NULL;
	u32 i, nr;

	all = device_classes(&nr);
	for (i = 0; i < nr; i++)
		if (!all[i]->hidden &&
		    (cmd->takes_devices || all[i]->options) &&
		    (!last || strcmp(all[i]->name, last->name) > 0) &&
		    (!next || strcmp(all[i]->name, next->name) < 0))
			next = all[i];
	return next;
}

static void print_arch_options(const struct cli_command *cmd)
{
	bool any = false;
	u32 i;

	for (i = 0; i < arch_options.nr; i++) {
		if (!cli_arch_option(cmd, arch_options.opts[i].name))
			continue;
		if (!any)
			printf("\noptions on %s:\n", arch_name);
		any = true;
		print_option(cmd, &arch_options.opts[i]);
	}
}

static void print_command(const struct cli_command *cmd)
{
	const struct device_class *class = NULL;
	u32 i;

	printf("usage: lkvm %s%s%s%s\n\n%s\n", cmd->name,
	       cmd->options ? " [OPTION...]" : "", cmd->operands ? " " : "",
	       cmd->operands ? cmd->operands : "", cmd->summary);
	for (i = 0; cmd->options && i < cmd->options->nr; i++) {
		if (!i)
			printf("\noptions:\n");
		print_option(cmd, &cmd->options->opts[i]);
	}
	print_arch_options(cmd);
	if (!cmd->takes_devices && !cmd->replaces_devices)
		return;
	printf(cmd->takes_devices ?
	       "\ndevices, each may be given more than once:\n" :
	       "\nwhat is new about device N:\n");
	while ((class = next_class(cmd, class)))
		print_device_options(cmd, class);
	printf("\nA comma within a value is written twice. See lkvm-%s(1).\n",
	       cmd->name);
}

static void print_commands(const struct cli *cli)
{
	u32 i;

	printf("usage: lkvm COMMAND [OPTION...]\n\ncommands:\n");
	for (i = 0; i < cli->commands_nr; i++)
		printf("  %-10s%s\n", cli->commands[i]->name,
		       cli->commands[i]->summary);
	printf("\nSee 'lkvm help COMMAND' for one of them, lkvm(1) for all.\n");
}

/**
 * cli_print_help() - show a usage text
 * @cli: this run of the program
 * @cmd: the subcommand, NULL for the list of all
 */
void cli_print_help(const struct cli *cli, const struct cli_command *cmd)
{
	if (cmd)
		print_command(cmd);
	else
		print_commands(cli);
}

static void print_option_words(const struct cli_command *cmd,
			       const struct option_desc *opt)
{
	char words[96], letter[2] = "";

	letter[0] = cli_letter_of(cmd, opt->name);
	printf("--%s\t%s\t%s\t%s\n", opt->name, letter,
	       value_name(opt, words, sizeof(words)), opt->help);
}

static void print_words(const struct cli_command *cmd)
{
	const struct device_class *class = NULL;
	char words[96], letter[2] = "";
	u32 i;

	for (i = 0; cmd->options && i < cmd->options->nr; i++)
		print_option_words(cmd, &cmd->options->opts[i]);
	for (i = 0; i < arch_options.nr; i++)
		if (cli_arch_option(cmd, arch_options.opts[i].name))
			print_option_words(cmd, &arch_options.opts[i]);
	while ((cmd->takes_devices || cmd->replaces_devices) &&
	       (class = next_class(cmd, class))) {
		letter[0] = cli_letter_of(cmd, class->name);
		printf("--%s\t%s\t%s\t%s\n", class->name, letter,
		       class->options && class->options->positional ?
		       "DEVICE" : "", class->summary);
		for (i = 0; class->options && i < class->options->nr; i++) {
			if (!is_shown(cmd, &class->options->opts[i]))
				continue;
			printf("--%s:%s\t\t%s\t%s\n", class->name,
			       class->options->opts[i].name,
			       value_name(&class->options->opts[i], words,
					  sizeof(words)),
			       class->options->opts[i].help);
		}
	}
}

static int help(const struct cli *cli, const struct cli_args *args)
{
	const struct help_options *opts = args->config;
	const struct cli_command *cmd = NULL;
	struct error err = ERROR_INIT;
	u32 i;

	for (i = 0; args->operands_nr && i < cli->commands_nr; i++)
		if (!strcmp(cli->commands[i]->name, args->operands[0]))
			cmd = cli->commands[i];
	if (args->operands_nr && !cmd) {
		error_set(&err, -EINVAL, "no command %.64s; see 'lkvm help'",
			  args->operands[0]);
		return cli_fail(EXIT_USAGE, &err);
	}
	if (!opts->words)
		cli_print_help(cli, cmd);
	else if (cmd)
		print_words(cmd);
	else
		for (i = 0; i < cli->commands_nr; i++)
			printf("%s\t%s\n", cli->commands[i]->name,
			       cli->commands[i]->summary);
	return EXIT_OK;
}

const struct cli_command cli_help = {
	.name = "help",
	.summary = "show how lkvm or one of its commands is used",
	.operands = "[COMMAND]",
	.operands_max = 1,
	.options = &help_table,
	.fn = help,
};
