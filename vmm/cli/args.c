// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the command line, parsed by tables
 *
 * ``--name VALUE``, ``--name=VALUE``, ``-c VALUE``, ``-cVALUE``; a bool takes
 * no value, or ``--name=on|off``. Options and operands may be mixed; ``--``
 * ends the options. All of it comes from the option table of the subcommand
 * and, for those that take devices, from the tables of the architecture and of
 * the device classes.
 *
 * Threads: the first one, before any other is there.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch.h"
#include "vmm/cli/cli.h"
#include "vmm/device.h"

/**
 * struct words - where we are on the command line
 * @cmd: the subcommand
 * @v: the words behind it
 * @nr: how many
 * @at: the next one
 * @args: what has been found
 * @err: what is wrong
 */
struct words {
	const struct cli_command *cmd;
	char **v;
	int nr;
	int at;
	struct cli_args *args;
	struct error *err;
};

static const char *name_of_letter(const struct cli_command *cmd, char letter)
{
	const struct cli_letter *l = cmd->letters;

	for (; l && l->letter; l++)
		if (l->letter == letter)
			return l->name;
	return NULL;
}

/**
 * cli_letter_of() - the one-letter form of an option
 * @cmd: the subcommand
 * @name: of the option
 *
 * Return: the letter, 0 for none.
 */
char cli_letter_of(const struct cli_command *cmd, const char *name)
{
	const struct cli_letter *l = cmd->letters;

	for (; l && l->letter; l++)
		if (!strcmp(l->name, name))
			return l->letter;
	return 0;
}

/**
 * cli_arch_option() - an option that is the architecture's
 * @cmd: the subcommand
 * @name: of the option
 *
 * Return: the option, NULL when there is none that the subcommand takes.
 */
const struct option_desc *cli_arch_option(const struct cli_command *cmd,
					  const char *name)
{
	const struct option_desc *opt = option_find(&arch_options, name);

	if (!opt || cmd->takes_devices)
		return opt;
	return cmd->replaces_devices && opt->scope == OPTION_HOST ? opt : NULL;
}

static const struct device_class *device_option(const struct cli_command *cmd,
						const char *name)
{
	const struct device_class *class;

	if (!cmd->takes_devices && !cmd->replaces_devices)
		return NULL;
	class = device_class_find(name);
	if (!class || class->hidden)
		return NULL;
	return cmd->takes_devices || class->options ? class : NULL;
}

static int no_such_option(const struct words *w, const char *name, char letter)
{
	const struct cli_absent *a = w->cmd->absent;

	for (; a && a->name; a++)
		if (letter ? a->letter == letter : !strcmp(a->name, name))
			return error_set(w->err, -EOPNOTSUPP, "--%s: %s",
					 a->name, a->why);
	if (name && w->cmd->replaces_devices &&
	    option_find(&arch_options, name))
		return error_set(w->err, -EOPNOTSUPP,
				 "--%s: is part of the saved machine and cannot change",
				 name);
	if (letter)
		return error_set(w->err, -EINVAL,
				 "no option -%c; see 'lkvm help %s'",
				 isprint((unsigned char)letter) ? letter : '?',
				 w->cmd->name);
	return error_set(w->err, -EINVAL,
			 "no option --%.64s; see 'lkvm help %s'", name,
			 w->cmd->name);
}

static struct cli_device *append_device(struct words *w,
					const struct device_class *class,
					const char *text)
{
	struct cli_args *args = w->args;
	struct cli_device *dev;

	dev = reallocarray(args->devices, args->devices_nr + 1, sizeof(*dev));
	if (!dev) {
		error_set(w->err, -ENOMEM, "no memory");
		return NULL;
	}
	args->devices = dev;
	dev += args->devices_nr++;
	*dev = (struct cli_device){ .class = class, .text = text };
	return dev;
}

/* The first option that may be new, as it is written behind "0=". */
static int need_replacement(struct words *w, const struct device_class *class)
{
	const struct option_table *table = class->options;
	const struct option_desc *opt = table->opts;
	bool first;

	while (opt + 1 < table->opts + table->nr && opt->scope == OPTION_GUEST)
		opt++;
	first = table->positional && !strcmp(table->positional, opt->name);
	return error_set(w->err, -EINVAL,
			 "--%s: needs the number of a device and what is new, as in --%s 0=%s%s%s",
			 class->name, class->name, first ? "" : opt->name,
			 first ? "" : "=", opt->arg ? opt->arg : "VALUE");
}

/* ``N=OPTIONS``; what the device makes of them shows when it is known. */
static int replace_device(struct words *w, const struct device_class *class,
			  const char *text)
{
	struct cli_device *dev;
	char *end = NULL;
	unsigned long index = 0;

	if (text && isdigit((unsigned char)*text))
		index = strtoul(text, &end, 10);
	if (!end || *end != '=' || !end[1])
		return need_replacement(w, class);
	if (index >= class->max)
		return error_set(w->err, -EINVAL,
				 "--%s: a machine has at most %u of them",
				 class->name, class->max);
	dev = append_device(w, class, end + 1);
	if (!dev)
		return -ENOMEM;
	dev->index = (u32)index;
	return 0;
}

static int add_device(struct words *w, const struct device_class *class,
		      const char *text)
{
	struct cli_args *args = w->args;
	struct cli_device *dev;
	u32 i, nr = 0;
	int ret;

	for (i = 0; i < args->devices_nr; i++)
		nr += args->devices[i].class == class;
	if (nr >= class->max)
		return error_set(w->err, -EINVAL,
				 "--%s: a machine has at most %u of them",
				 class->name, class->max);
	dev = append_device(w, class, text);
	if (!dev)
		return -ENOMEM;
	if (class->options) {
		dev->config = option_config_new(class->options);
		if (!dev->config)
			return error_set(w->err, -ENOMEM, "no memory");
	}
	if (!class->options)
		return *text ? error_set(w->err, -EINVAL,
					 "--%s: has no options", class->name) : 0;
	ret = option_parse(class->options, dev->config, text, w->err);
	return ret ? ret : option_check(class->options, dev->config, w->err);
}

/* The word behind an option, when it needs one and has none with it. */
static const char *next_word(struct words *w)
{
	return w->at < w->nr ? w->v[w->at++] : NULL;
}

static int set_device(struct words *w, const struct device_class *class,
		      const char *value)
{
	bool needs = w->cmd->replaces_devices ||
		     (class->options && class->options->positional);

	if (!value && needs)
		value = next_word(w);
	if (w->cmd->replaces_devices)
		return replace_device(w, class, value);
	if (!value && needs)
		return error_set(w->err, -EINVAL,
				 "--%s: needs a value; see 'lkvm help %s'",
				 class->name, w->cmd->name);
	return add_device(w, class, value ? value : "");
}

static int set_arch_option(struct words *w, const struct option_desc *opt,
			   const char *value)
{
	struct cli_args *args = w->args;
	struct cli_setting *all;

	if (!value && opt->type != OPTION_BOOL && !opt->bare)
		value = next_word(w);
	all = reallocarray(args->settings, args->settings_nr + 1,
			   sizeof(*all));
	if (!all)
		return error_set(w->err, -ENOMEM, "no memory");
	args->settings = all;
	all[args->settings_nr++] = (struct cli_setting){ opt->name, value };
	return option_set(&arch_options, args->arch, opt->name, value, w->err);
}

static int set_option(struct words *w, const char *name, const char *value)
{
	const struct option_table *table = w->cmd->options;
	const struct device_class *class = device_option(w->cmd, name);
	const struct option_desc *opt = table ? option_find(table, name) : NULL;
	const struct option_desc *arch = cli_arch_option(w->cmd, name);

	if (class)
		return set_device(w, class, value);
	if (arch)
		return set_arch_option(w, arch, value);
	if (!opt)
		return no_such_option(w, name, 0);
	if (!value && opt->type != OPTION_BOOL && !opt->bare)
		value = next_word(w);
	return option_set(table, w->args->config, name, value, w->err);
}

static int long_option(struct words *w, const char *word)
{
	const char *equals = strchr(word, '=');
	char name[64];
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	if (len >= sizeof(name))
		return no_such_option(w, word, 0);
	memcpy(name, word, len);
	name[len] = 0;
	return set_option(w, name, equals ? equals + 1 : NULL);
}

/* ``-c4``, ``-c 4``, and bools in a row: ``-ab``. */
static int short_options(struct words *w, const char *letters)
{
	const struct option_desc *opt;
	const char *name;
	int ret = 0;

	for (; *letters && !ret; letters++) {
		name = name_of_letter(w->cmd, *letters);
		if (!name)
			return no_such_option(w, NULL, *letters);
		opt = option_find(w->cmd->options, name);
		/* A device, or an option that has a value. */
		if (!opt || opt->type != OPTION_BOOL)
			return set_option(w, name,
					  letters[1] ? letters + 1 : NULL);
		ret = set_option(w, name, NULL);
	}
	return ret;
}

static int operand(struct words *w, char *word)
{
	struct cli_args *args = w->args;

	if (args->operands_nr == w->cmd->operands_max)
		return error_set(w->err, -EINVAL,
				 "%.64s: one word too many; see 'lkvm help %s'",
				 word, w->cmd->name);
	args->operands[args->operands_nr++] = word;
	return 0;
}

static int parse_words(struct words *w)
{
	bool options = true;
	char *word;
	int ret = 0;

	while (!ret && w->at < w->nr) {
		word = w->v[w->at++];
		if (!options || word[0] != '-' || !word[1])
			ret = operand(w, word);
		else if (!strcmp(word, "--"))
			options = false;
		else if (word[1] == '-')
			ret = long_option(w, word + 2);
		else
			ret = short_options(w, word + 1);
	}
	return ret;
}

/**
 * cli_args_parse() - parse what stands behind a subcommand
 * @cmd: the subcommand
 * @argc: how many words
 * @argv: the words, which outlive @args
 * @args: out, to be freed with cli_args_free(); nothing to free on failure
 * @err: what cannot be understood
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP for what lkvm does not have, -ENOMEM.
 */
int cli_args_parse(const struct cli_command *cmd, int argc, char **argv,
		   struct cli_args *args, struct error *err)
{
	struct words w = {
		.cmd = cmd, .v = argv, .nr = argc, .args = args, .err = err,
	};
	int ret = -ENOMEM;

	memset(args, 0, sizeof(*args));
	args->operands = calloc(cmd->operands_max + 1,
				sizeof(*args->operands));
	if (!args->operands)
		goto no_memory;
	if (cmd->options) {
		args->config = option_config_new(cmd->options);
		if (!args->config)
			goto no_memory;
	}
	if (cmd->takes_devices || cmd->replaces_devices) {
		args->arch = option_config_new(&arch_options);
		if (!args->arch)
			goto no_memory;
	}
	ret = parse_words(&w);
	if (!ret && cmd->options)
		ret = option_check(cmd->options, args->config, err);
	if (ret)
		cli_args_free(cmd, args);
	return ret;
no_memory:
	cli_args_free(cmd, args);
	return error_set(err, ret, "no memory");
}

/**
 * cli_args_free() - free a parsed command line
 * @cmd: the subcommand
 * @args: what cli_args_parse() has made
 */
void cli_args_free(const struct cli_command *cmd, struct cli_args *args)
{
	u32 i;

	for (i = 0; i < args->devices_nr; i++)
		if (args->devices[i].config)
			option_config_free(args->devices[i].class->options,
					   args->devices[i].config);
	free(args->devices);
	option_config_free(&arch_options, args->arch);
	free(args->settings);
	if (cmd->options)
		option_config_free(cmd->options, args->config);
	free(args->operands);
	memset(args, 0, sizeof(*args));
}

/**
 * cli_wants_help() - is there a --help or -h among the words?
 * @cmd: the subcommand
 * @argc: how many words
 * @argv: the words behind the subcommand
 *
 * A word that is the value of another option does not count.
 *
 * Return: true when the user wants the usage text.
 */
bool cli_wants_help(const struct cli_command *cmd, int argc, char **argv)
{
	const struct option_desc *opt;
	const char *name;
	int i;

	for (i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
		if (argv[i][0] != '-' || strchr(argv[i], '='))
			continue;
		name = argv[i][1] == '-' ? argv[i] + 2 :
			argv[i][1] && !argv[i][2] ?
			name_of_letter(cmd, argv[i][1]) : NULL;
		opt = name && cmd->options ?
			option_find(cmd->options, name) : NULL;
		if (name && !opt)
			opt = cli_arch_option(cmd, name);
		if ((opt && opt->type != OPTION_BOOL && !opt->bare) ||
		    (name && device_option(cmd, name)))
			i++;
	}
	return false;
}
