// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Documentation/nvme.rst says what the tables say
 *
 * Each list of the page stands between ".. begin NAME" and ".. end"; its rows
 * begin with a code ("0Ah") and a name. Every row of a table in the source must
 * be there, and no other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"

#include "devices/nvme/admin_priv.h"

#define PAGE	"Documentation/nvme.rst"
#define ROWS	256

/**
 * struct rows - the rows of one list, by code
 * @name: what the page calls it; empty: no such row
 * @nr: rows on the page
 */
struct rows {
	char name[ROWS][80];
	u32 nr;
};

/* "0Ah   Get Features    see below": code and name, which two spaces end. */
static void take_row(struct rows *rows, char *line)
{
	char *end, *name;
	unsigned long code = strtoul(line, &end, 16);

	if (end != line + 2 || *end != 'h' || code >= ROWS)
		return;
	name = end + 1 + strspn(end + 1, " ");
	name[strcspn(name, "\n")] = 0;
	end = strstr(name, "  ");
	if (end)
		*end = 0;
	snprintf(rows->name[code], sizeof(rows->name[code]), "%s", name);
	rows->nr++;
}

static struct rows *read_rows(const char *list)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	char begin[64], line[256];
	FILE *in = fopen(PAGE, "re");
	bool inside = false;

	snprintf(begin, sizeof(begin), ".. begin %s\n", list);
	while (in && fgets(line, sizeof(line), in)) {
		if (!strcmp(line, begin))
			inside = true;
		else if (!strncmp(line, ".. end", 6))
			inside = false;
		else if (inside)
			take_row(rows, line);
	}
	if (in)
		fclose(in);
	return rows;
}

TEST(admin_commands)
{
	struct rows *rows = read_rows("admin commands");
	u32 i, nr = 0;

	for (i = 0; i < nvme_admin_cmds_nr; i++) {
		if (!nvme_admin_cmds[i].run)
			continue;
		EXPECT_STREQ(nvme_admin_cmds[i].name, rows->name[i]);
		nr++;
	}
	EXPECT_EQ(nr, rows->nr);
	free(rows);
}

TEST(io_commands)
{
	struct rows *rows = read_rows("I/O commands");
	u32 i, nr = 0;

	for (i = 0; i < nvme_io_cmds_nr; i++) {
		if (!nvme_io_cmds[i].run)
			continue;
		EXPECT_STREQ(nvme_io_cmds[i].name, rows->name[i]);
		nr++;
	}
	EXPECT_EQ(nr, rows->nr);
	free(rows);
}

TEST(identify)
{
	struct rows *rows = read_rows("Identify");
	u32 i;

	for (i = 0; i < nvme_cns_table_nr; i++)
		EXPECT_STREQ(nvme_cns_table[i].name,
			     rows->name[nvme_cns_table[i].cns]);
	EXPECT_EQ(nvme_cns_table_nr, rows->nr);
	free(rows);
}

TEST(features)
{
	struct rows *rows = read_rows("features");
	u32 i;

	for (i = 0; i < nvme_feature_table_nr; i++)
		EXPECT_STREQ(nvme_feature_table[i].name,
			     rows->name[nvme_feature_table[i].fid]);
	EXPECT_EQ(nvme_feature_table_nr, rows->nr);
	free(rows);
}

TEST(log_pages)
{
	struct rows *rows = read_rows("log pages");
	u32 i;

	for (i = 0; i < nvme_log_table_nr; i++)
		EXPECT_STREQ(nvme_log_table[i].name,
			     rows->name[nvme_log_table[i].lid]);
	EXPECT_EQ(nvme_log_table_nr, rows->nr);
	free(rows);
}

TEST_HARNESS_MAIN
