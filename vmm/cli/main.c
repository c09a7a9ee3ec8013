// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm: a table of subcommands
 *
 * Everything that prints, parses arguments or ends the process is in this
 * folder; the rest of lkvm returns errors.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/output.h"

#define DESCRIPTORS	((rlim_t)65536)

static const struct cli_command *const commands[] = {
	&cli_run,
	&cli_list,
	&cli_stop,
	&cli_pause,
	&cli_resume,
	&cli_snapshot,
	&cli_restore,
	&cli_receive,
	&cli_migrate,
	&cli_stat,
	&cli_balloon,
	&cli_debug,
	&cli_state_schema,
	&cli_version,
	&cli_help,
};

static const struct cli_command *find_command(const char *name)
{
	u32 i;

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		return &cli_help;
	if (!strcmp(name, "--version"))
		return &cli_version;
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* What was printed has arrived: a full disk is an error, too. */
static int finish(int code)
{
	struct error err = ERROR_INIT;

	if (!fflush(stdout) && !ferror(stdout))
		return code;
	error_set(&err, -EIO, "standard output: %m");
	return code ? code : cli_fail(EXIT_ERROR, &err);
}

/*
 * Some are the guest's to use up (each of its sockets takes one), and the usual
 * limit is that of programs which call select(). Not as many as we may have:
 * the programs that we start inherit the limit, and some of those close every
 * number below it.
 */
static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur >= DESCRIPTORS)
		return;
	limit.rlim_cur = min_of(limit.rlim_max, DESCRIPTORS);
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.commands = commands, .commands_nr = ARRAY_SIZE(commands),
	};
	struct error err = ERROR_INIT;
	struct cli_args args;
	int code;

	output_init(LOG_WARNING, false);
	more_descriptors();
	if (argc < 2) {
		cli_print_help(&cli, NULL);
		return finish(EXIT_USAGE);
	}
	cli.command = find_command(argv[1]);
	if (!cli.command) {
		error_set(&err, -EINVAL, "no command %.64s; see 'lkvm help'",
			  argv[1]);
		return cli_fail(EXIT_USAGE, &err);
	}
	if (cli_wants_help(cli.command, argc - 2, argv + 2)) {
		cli_print_help(&cli, cli.command);
		return finish(EXIT_OK);
	}
	if (cli_args_parse(cli.command, argc - 2, argv + 2, &args, &err))
		return cli_fail(EXIT_USAGE, &err);
	code = cli.command->fn(&cli, &args);
	cli_args_free(cli.command, &args);
	return finish(code);
}
