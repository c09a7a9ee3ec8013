// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/check.c and disk_arrive.c: what would stop a machine
 *
 * A source asks a target beforehand, or comes for real, and something is wrong:
 * with the disks, the memory, the version of the other side. The source hears
 * what it is, and its guest goes on.
 */
#include "tests/device/test_migrate.h"

#include <fcntl.h>
#include <xxhash.h>

#include "migration/disks.h"
#include "migration/hello.h"

static void ask(struct __test_metadata *_metadata, FIXTURE_DATA(migrate) *self,
		u32 cut_after)
{
	self->check_only = true;
	migrate(_metadata, self, cut_after);
	EXPECT_EQ(NULL, self->target.vm);
}

/* The guest is as it was, with its disk. */
static void goes_on(struct __test_metadata *_metadata,
		    FIXTURE_DATA(migrate) *self)
{
	EXPECT_TRUE(runs_here(self));
	EXPECT_EQ(NULL, self->vm->paused_for);
	EXPECT_EQ(0, device_disks_take(self->vm, &self->err));
}

static bool has(const struct findings *f, bool stops, const char *what,
		const char *text)
{
	u32 i;

	for (i = 0; i < f->nr; i++)
		if (f->v[i].stops == stops && !strcmp(f->v[i].what, what) &&
		    strstr(f->v[i].text, text))
			return true;
	for (i = 0; i < f->nr; i++)
		printf("# %s: %s\n", f->v[i].what, f->v[i].text);
	return false;
}

TEST_F(migrate, nothing_in_the_way)
{
	ask(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(0, self->m->findings.nr)
		TH_LOG("%s", self->m->findings.v[0].text);
	EXPECT_LT(0, self->m->stats.downtime_ns);
	goes_on(_metadata, self);
	end_target(self);
	/* And it can come. */
	self->check_only = false;
	migrate(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_TRUE(self->target.runs);
	end_target(self);
}

TEST_F(migrate, a_paused_machine_stays_paused)
{
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ask(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(0, self->m->findings.nr);
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	EXPECT_EQ(NULL, self->vm->paused_for);
	end_target(self);
}

static void use_other_hugetlbfs(struct target *t, struct receive *r)
{
	r->description->machine->hugetlbfs = strdup("/nowhere/hugetlbfs");
}

TEST_F(migrate, all_that_is_wrong_is_said)
{
	char moved[300];

	snprintf(moved, sizeof(moved), "%s.moved", self->image);
	ASSERT_EQ(0, rename(self->image, moved));
	self->target_setup.prepare = use_other_hugetlbfs;
	ask(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(2, self->m->findings.nr);
	EXPECT_EQ(2, self->m->findings.stops);
	EXPECT_TRUE(has(&self->m->findings, true, "memory",
			"/nowhere/hugetlbfs"));
	EXPECT_TRUE(has(&self->m->findings, true, "disk", "disk.img"));
	EXPECT_TRUE(has(&self->m->findings, true, "disk", "--nvme 0=FILE"));
	/* What was said arrived as it was. */
	EXPECT_EQ(0, memcmp(&self->m->findings.v, &self->target.findings.v,
			    2 * sizeof(struct finding)));
	goes_on(_metadata, self);
	ASSERT_EQ(0, rename(moved, self->image));
	end_target(self);
}

/* ---- other disks ---------------------------------------------------------- */

static void use_other_disk(struct target *t, struct receive *r)
{
	struct description_device *dev =
		disk_find_device(r->description, "nvme0");
	struct error err = ERROR_INIT;
	const struct { char from[256], to[256]; } *paths = t->arg;

	if (option_swap_text(dev->class->options, dev->config, paths->from,
			     paths->to, &err) != 1)
		abort();
}

/* Another file, which is so large, and who has it. */
static void with_disk(struct __test_metadata *_metadata,
		      FIXTURE_DATA(migrate) *self, u64 size, bool locked,
		      bool check)
{
	struct { char from[256], to[256]; } paths;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	snprintf(paths.from, sizeof(paths.from), "%s", self->image);
	test_dir_file(&self->dir, "other.img", paths.to, sizeof(paths.to));
	ASSERT_EQ(0, test_image_make(paths.to, size));
	fd = open(paths.to, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	if (locked)
		ASSERT_EQ(0, fcntl(fd, F_OFD_SETLK, &lock));
	self->target_setup.prepare = use_other_disk;
	self->target_setup.arg = &paths;
	self->check_only = check;
	migrate(_metadata, self, NEVER);
	goes_on(_metadata, self);
	end_target(self);
	close(fd);
}

TEST_F(migrate, disk_of_another_size)
{
	self->check_only = true;
	with_disk(_metadata, self, 2 * MIB, false, true);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(1, self->target.findings.nr);
	EXPECT_TRUE(has(&self->target.findings, true, "disk",
			"has 2097152 bytes, and the source's disk 1048576"));
	with_disk(_metadata, self, 2 * MIB, false, false);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text,
			       "nvme0n1: ")) TH_LOG("%s", self->result.text);
	EXPECT_NE(NULL, strstr(self->result.text, "has 2097152 bytes"))
		TH_LOG("%s", self->result.text);
}

TEST_F(migrate, another_disk_of_the_same_size)
{
	with_disk(_metadata, self, MIB, false, true);
	EXPECT_EQ(1, self->target.findings.nr);
	EXPECT_TRUE(has(&self->target.findings, true, "disk",
			"is not the disk that the source has"));
	with_disk(_metadata, self, MIB, false, false);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "is not the disk that"))
		TH_LOG("%s", self->result.text);
}

TEST_F(migrate, a_disk_that_somebody_else_has)
{
	with_disk(_metadata, self, MIB, true, true);
	EXPECT_EQ(2, self->target.findings.nr);
	EXPECT_TRUE(has(&self->target.findings, true, "disk",
			"is in use by"));
	with_disk(_metadata, self, MIB, true, false);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "1 more"))
		TH_LOG("%s", self->result.text);
}

/* The same disk, as if the source were another host. */
static void from_another_host(struct __test_metadata *_metadata,
			      FIXTURE_DATA(migrate) *self, struct findings *f)
{
	struct description *d;
	struct disk_list list;
	struct vm *there;

	ASSERT_EQ(0, disk_list_collect(&list, self->vm, &self->err));
	ASSERT_EQ(0, disk_list_identify(&list, &self->err));
	ASSERT_EQ(1, list.nr);
	EXPECT_EQ(DISK_FILE, list.v[0].state.kind);
	list.v[0].state.boot_id[3]++;
	list.v[0].state.inode++;
	ASSERT_EQ(0, description_read(self->vm->description,
				      self->vm->description_len, &d,
				      &self->err));
	ASSERT_EQ(0, build(d, true, &there, &self->err));
	findings_init(f);
	ASSERT_EQ(0, disk_list_same(&list, there, f, &self->err));
	vm_destroy(there);
	description_free(d);
	disk_list_free(&list);
}

TEST_F(migrate, numbers_of_another_host_say_nothing)
{
	struct findings f;

	/* Somebody has it, the source one hopes. */
	from_another_host(_metadata, self, &f);
	EXPECT_EQ(0, f.nr) TH_LOG("%s", f.v[0].text);
	/* Nobody has it as far as can be seen. */
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, device_disks_give(self->vm, &self->err));
	from_another_host(_metadata, self, &f);
	EXPECT_EQ(1, f.nr);
	EXPECT_EQ(0, f.stops);
	EXPECT_TRUE(has(&f, false, "disk", "is not locked as seen from here"));
}

/* ---- peers of other kinds --------------------------------------------------- */

/**
 * struct forgery - a frame that is changed on its way
 * @type: which
 * @change: what is done to its payload
 */
struct forgery {
	u32 type;
	void (*change)(u8 *data);
};

static enum carriage forge(void *arg, struct carrier *c, struct carried *f)
{
	const struct forgery *forgery = arg;

	if (f->type != forgery->type)
		return CARRY;
	forgery->change(f->data);
	f->h->sum = cpu_to_le64(XXH3_64bits(f->data, f->len));
	f->h->head_sum = cpu_to_le64(XXH3_64bits(f->h,
			offsetof(struct frame_header, head_sum)));
	return CARRY;
}

static void with_forgery(struct __test_metadata *_metadata,
			 FIXTURE_DATA(migrate) *self, u32 type,
			 void (*change)(u8 *data))
{
	struct forgery forgery = { .type = type, .change = change };

	self->carrier_setup.see = forge;
	self->carrier_setup.arg = &forgery;
	/* It goes on waiting until the source is gone. */
	self->leave_target = true;
	migrate(_metadata, self, NEVER);
	EXPECT_NE(0, self->result.code);
	goes_on(_metadata, self);
	end_target(self);
}

static void forget_abilities(u8 *data)
{
	memset(data + offsetof(struct hello, can), 0, sizeof(__le32));
}

TEST_F(migrate, an_older_target_cannot_be_asked)
{
	self->check_only = true;
	with_forgery(_metadata, self, FRAME_WELCOME, forget_abilities);
	EXPECT_EQ(-ENOTSUP, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text,
			       "target: has an older lkvm"))
		TH_LOG("%s", self->result.text);
}

static void newer_version(u8 *data)
{
	data[offsetof(struct hello, version)]++;
}

static void older_version(u8 *data)
{
	data[offsetof(struct hello, version)]--;
}

static void other_architecture(u8 *data)
{
	data[offsetof(struct hello, elf_machine)] ^= 0xff;
}

TEST_F(migrate, another_version_is_said_by_whoever_sees_it)
{
	with_forgery(_metadata, self, FRAME_WELCOME, newer_version);
	EXPECT_NE(NULL, strstr(self->result.text, "speaks version 2"))
		TH_LOG("%s", self->result.text);
	with_forgery(_metadata, self, FRAME_HELLO, newer_version);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "speaks version 2"))
		TH_LOG("%s", self->result.text);
	with_forgery(_metadata, self, FRAME_HELLO, older_version);
	EXPECT_NE(NULL, strstr(self->result.text, "speaks version 0"))
		TH_LOG("%s", self->result.text);
}

TEST_F(migrate, another_architecture_is_said)
{
	with_forgery(_metadata, self, FRAME_HELLO, other_architecture);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "another architecture"))
		TH_LOG("%s", self->result.text);
}

static void nonsense(u8 *data)
{
	data[0] = 'x';
}

TEST_F(migrate, findings_that_are_none_are_refused)
{
	char moved[300];

	snprintf(moved, sizeof(moved), "%s.moved", self->image);
	ASSERT_EQ(0, rename(self->image, moved));
	self->check_only = true;
	with_forgery(_metadata, self, FRAME_CHECKED, nonsense);
	EXPECT_EQ(-EPROTO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "cannot be read"));
}

/* Every frame in turn is the one that does not arrive any more. */
TEST_F(migrate, a_question_that_is_cut_off_changes_nothing)
{
	u32 cut, total = 0;

	for (cut = 0; !total && cut < 100; cut++) {
		ask(_metadata, self, cut);
		EXPECT_EQ(0, self->m->findings.nr);
		if (!self->result.code)
			total = cut;
		goes_on(_metadata, self);
		end_target(self);
	}
	EXPECT_LT(5, total);
}

TEST_HARNESS_MAIN
