// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: images of earlier versions are still read
 *
 * tests/golden/image-ARCH-N.gz are images as they were written when the format
 * had version N. Each must be opened, be whole, describe a machine that can be
 * built, and have a state that all tables of today take. They never change; a
 * new version of the format adds one.
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/restore.h"
#include "migration/state_tables.h"
#include "migration/state_tree.h"
#include "vmm/arch.h"
#include "vmm/description.h"
#include "vmm/device.h"

FIXTURE(golden) {
	char path[64];
	struct restore *r;
	struct error err;
};

FIXTURE_SETUP(golden)
{
	char command[256];
	int fd;

	memset(self, 0, sizeof(*self));
	strcpy(self->path, "/var/tmp/lkvm-golden-XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
	snprintf(command, sizeof(command),
		 "gzip -dc tests/golden/image-%s-%u.gz >%s", arch_name,
		 IMAGE_VERSION, self->path);
	ASSERT_EQ(0, system(command));
	ASSERT_EQ(0, restore_open(self->path, &self->r, &self->err))
		TH_LOG("%s", self->err.text);
}

FIXTURE_TEARDOWN(golden)
{
	restore_close(self->r);
	unlink(self->path);
}

TEST_F(golden, is_whole)
{
	EXPECT_EQ(0, image_verify(self->r->image, 2, NULL, &self->err))
		TH_LOG("%s", self->err.text);
}

TEST_F(golden, describes_the_machine)
{
	const struct machine_config *m = self->r->description->machine;

	EXPECT_EQ(2, m->cpus);
	EXPECT_EQ(6 * MIB, m->memory);
	EXPECT_STREQ("golden", m->name);
	EXPECT_EQ(1, self->r->disks.nr);
}

static const struct state_desc *table_of(const char *name)
{
	struct state_table tables[STATE_TABLES_MAX];
	u32 i, nr = state_tables(tables);
	size_t len = strcspn(name, "@0123456789");

	/* "nvme0", "cpu@1"; the i8042 is the only name with digits. */
	if (!strncmp(name, "i8042", 5))
		len = 5;
	for (i = 0; i < nr; i++)
		if (strlen(tables[i].name) == len &&
		    !strncmp(tables[i].name, name, len))
			return tables[i].desc;
	return NULL;
}

static int decode(const void *fdt, int node, const char *name,
		  struct error *err)
{
	const struct state_desc *desc = table_of(name);
	void *state = NULL;
	int ret;

	if (!desc)
		return error_set(err, -ENOENT, "no table for %s", name);
	ret = state_decode_new(desc, fdt, node, &state, err);
	free(state);
	return ret;
}

TEST_F(golden, state_is_taken_by_all_tables)
{
	const struct image_note *note;
	int group, node;
	u32 nr = 0;

	note = image_find_note(self->r->image, IMAGE_OWNER, IMAGE_NOTE_STATE);
	ASSERT_NE(NULL, note);
	ASSERT_EQ(0, state_tree_check(note->data, note->len, &self->err));
	fdt_for_each_subnode(group, note->data, 0) {
		const char *of = fdt_get_name(note->data, group, NULL);

		fdt_for_each_subnode(node, note->data, group) {
			const char *name = fdt_get_name(note->data, node, NULL);

			if (!strcmp(of, "machine"))
				name = of;
			EXPECT_EQ(0, decode(note->data, node, name, &self->err))
				TH_LOG("%s: %s", name, self->err.text);
			nr++;
		}
	}
	/* The machine, two CPUs, and the devices. */
	EXPECT_LE(10, nr);
}

TEST_HARNESS_MAIN
