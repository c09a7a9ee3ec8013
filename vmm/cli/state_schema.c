// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm state-schema
 */
#include <stdio.h>
#include <string.h>

#include "migration/state_tables.h"
#include "migration/state_tree.h"
#include "vmm/cli/cli.h"

static int no_such_table(const struct state_table *tables, u32 nr,
			 const char *name)
{
	struct error err = ERROR_INIT;
	char all[320] = "";
	size_t n = 0;
	u32 i;

	for (i = 0; i < nr && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
				      i ? ", " : "", tables[i].name);
	error_set(&err, -EINVAL, "no state table %.64s; there is: %s", name,
		  all);
	return cli_fail(EXIT_USAGE, &err);
}

static int state_schema(const struct cli *cli, const struct cli_args *args)
{
	const char *only = args->operands_nr ? args->operands[0] : NULL;
	struct state_table tables[STATE_TABLES_MAX];
	u32 nr = state_tables(tables), i, shown = 0;

	for (i = 0; i < nr; i++) {
		if (only && strcmp(only, tables[i].name))
			continue;
		printf("%s# %s\n", shown++ ? "\n" : "", tables[i].name);
		state_schema_write(tables[i].desc, stdout);
	}
	return shown ? EXIT_OK : no_such_table(tables, nr, only);
}

const struct cli_command cli_state_schema = {
	.name = "state-schema",
	.summary = "print the tables of what a saved machine consists of",
	.operands = "[TABLE]",
	.operands_max = 1,
	.fn = state_schema,
};
