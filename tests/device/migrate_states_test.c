// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Documentation/migration-protocol.rst says what happens
 *
 * Each row of its table, between ".. begin states" and ".. end", names a frame
 * that does not arrive any more. A migration is cut there, and what the two
 * sides do must be what the row says. Each type of frame must have a row.
 */
#include "tests/device/test_migrate.h"

#define PAGE	"Documentation/migration-protocol.rst"
#define ROWS	40

/**
 * struct row - a row of the table
 * @frame: its name
 * @guest: "head", "runs" or "stopped"
 * @locks: who has them
 * @source: what the source does
 * @target: what the destination does
 */
struct row {
	char frame[16];
	char guest[16];
	char locks[16];
	char source;
	char target;
};

static u32 read_rows(struct row *rows)
{
	FILE *in = fopen(PAGE, "re");
	bool inside = false;
	char line[256];
	u32 nr = 0;

	while (in && fgets(line, sizeof(line), in)) {
		struct row *r = &rows[nr];

		if (!strcmp(line, ".. begin states\n"))
			inside = true;
		else if (!strncmp(line, ".. end", 6))
			inside = false;
		else if (inside && nr < ROWS &&
			 sscanf(line, "``%15[a-z-]`` %15s %15s %c %c", r->frame,
				r->guest, r->locks, &r->source,
				&r->target) == 5)
			nr++;
	}
	if (in)
		fclose(in);
	return nr;
}

/**
 * struct cut - where the connection breaks
 * @self: the test
 * @row: the frame and when
 * @built: the machine exists at the destination
 * @done: it has broken
 * @locked: somebody had the disk locked then
 */
struct cut {
	FIXTURE_DATA(migrate) *self;
	const struct row *row;
	bool built;
	_Atomic bool done;
	_Atomic bool locked;
};

static bool is_locked(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock))
		abort();
	close(fd);
	return lock.l_type != F_UNLCK;
}

/* Is it so far? */
static bool fits(const struct cut *c, u32 type)
{
	if (strcmp(frame_name(type), c->row->frame))
		return false;
	if (!strcmp(c->row->guest, "head"))
		return !c->built;
	if (!strcmp(c->row->guest, "stopped"))
		return c->self->stopped;
	return type != FRAME_WRITE || c->built;
}

/* What the other side has, so that it is told of the zeros. */
static void clear_pages(struct vm *vm)
{
	memset(testvm_ram(vm, TESTVM_RAM + MIB, 64 * KIB), 0, 64 * KIB);
	guest_memory_mark_dirty(&vm->memory, gpa(TESTVM_RAM + MIB), 64 * KIB);
}

static enum carriage cut_here(void *arg, struct carrier *carrier,
			      struct carried *f)
{
	struct cut *c = arg;

	c->built |= f->type == FRAME_BUILT;
	if (f->type == FRAME_ROUND_DONE && !c->self->stopped)
		clear_pages(c->self->vm);
	if (!fits(c, f->type))
		return CARRY;
	c->done = true;
	c->locked = is_locked(c->self->image);
	return CUT;
}

static char what_source_did(FIXTURE_DATA(migrate) *self)
{
	bool stopped = self->runs_again_ns;

	if (!runs_here(self))
		return self->result.code ? '?' : 'E';
	if (!self->result.code)
		return '?';
	return stopped ? 'B' : 'A';
}

/* Seen from outside C and D are B: only the locks tell. */
static char as_seen(char source)
{
	return source == 'C' || source == 'D' ? 'B' : source;
}

static char what_target_did(const struct target *t)
{
	if (t->runs)
		return t->err.code ? '?' : 'd';
	if (!t->err.code)
		return '?';
	return t->vm ? 'b' : 'a';
}

static void check_row(struct __test_metadata *_metadata,
		      FIXTURE_DATA(migrate) *self, const struct row *row)
{
	struct cut cut = { .self = self, .row = row };
	char target = row->target == 'c' ? 'b' : row->target;

	test_random_fill(&self->rnd, testvm_ram(self->vm, TESTVM_RAM + MIB, 64 * KIB),
			 64 * KIB);
	self->carrier_setup.see = cut_here;
	self->carrier_setup.arg = &cut;
	migrate(_metadata, self, NEVER);
	EXPECT_TRUE(cut.done) TH_LOG("%s, %s", row->frame, row->guest);
	EXPECT_EQ(as_seen(row->source), what_source_did(self))
		TH_LOG("%s, %s: %s", row->frame, row->guest,
		       self->result.text);
	EXPECT_EQ(target, what_target_did(&self->target))
		TH_LOG("%s, %s: %s", row->frame, row->guest,
		       self->target.err.text);
	EXPECT_EQ(!!strcmp(row->locks, "nobody"), cut.locked)
		TH_LOG("%s, %s", row->frame, row->guest);
	/* Who runs has the disk. */
	EXPECT_EQ(row->source == 'E' ? -EBUSY : 0,
		  device_disks_take(self->vm, &self->err));
	end_target(self);
}

TEST_F(migrate, each_row_is_true)
{
	struct row rows[ROWS];
	u32 i, nr = read_rows(rows);

	ASSERT_LT(15, nr);
	for (i = 0; i < nr; i++) {
		printf("# %s, %s\n", rows[i].frame, rows[i].guest);
		check_row(_metadata, self, &rows[i]);
		/* After this one the machine is not here any more. */
		ASSERT_EQ(i < nr - 1, runs_here(self));
	}
}

TEST_F(migrate, each_frame_has_a_row)
{
	static const u32 others[] = { FRAME_ERROR, FRAME_CHECK, FRAME_CHECKED };
	struct row rows[ROWS];
	u32 type, i, nr = read_rows(rows);
	bool found;

	for (type = FRAME_HELLO; type < FRAME_TYPES; type++) {
		found = false;
		for (i = 0; i < ARRAY_SIZE(others); i++)
			found |= type == others[i];
		for (i = 0; i < nr; i++)
			found |= !strcmp(rows[i].frame, frame_name(type));
		EXPECT_TRUE(found) TH_LOG("%s", frame_name(type));
	}
}

TEST_HARNESS_MAIN
