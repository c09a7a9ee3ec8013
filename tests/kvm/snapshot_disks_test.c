// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: snapshots and the disks that belong to them
 *
 * The stamping guest writes its disks all the time and checks what it reads
 * against its memory, so a disk of another moment than the memory is found out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"

#define LIMIT_S		300
#define WAIT_MS		100000
#define SEED		7
#define CLONES		4

FIXTURE(disks)
{
	struct machine m;
	struct machine clone[CLONES];
	char image[128];
	char disk[128];
};

FIXTURE_SETUP(disks)
{
	unsigned int i;

	self->m = (struct machine){ .in = -1, .out = -1 };
	for (i = 0; i < CLONES; i++)
		self->clone[i] = self->m;
}

FIXTURE_TEARDOWN(disks)
{
	unsigned int i;

	for (i = 0; i < CLONES; i++)
		machine_destroy(&self->clone[i]);
	machine_destroy(&self->m);
}

static const struct machine_setup stamping = {
	.params = "test=stamp cpus=2 beat=20 seed=7",
	.cpus = 2, .mib = 32,
	.disk = {
		{ .mib = { 16, 4 } },
		{ .mib = { 4 }, .options = ",bs=4096" },
	},
};

#define DISKS	3

static const char *unavailable(void)
{
	return machine_is_qemu() ? "this is about lkvm" : machine_unavailable();
}

static bool begin(FIXTURE_DATA(disks) *self)
{
	if (machine_start(&self->m, &stamping))
		return false;
	machine_path(&self->m, "vm.snap", self->image, sizeof(self->image));
	machine_disk_path(&self->m, 0, 0, self->disk, sizeof(self->disk));
	if (machine_expect(&self->m, "guest: beat", WAIT_MS))
		return true;
	machine_show(&self->m);
	return false;
}

static int take(FIXTURE_DATA(disks) *self, const char *option,
		const char *more)
{
	const char *const words[] = {
		"snapshot", self->image, option, more, NULL,
	};

	return machine_command(&self->m, words, WAIT_MS);
}

static bool goes_on(struct machine *m)
{
	/* From here on: a beat that was printed before does not count. */
	m->taken = m->len;
	return machine_expect(m, "guest: beat", WAIT_MS) &&
	       machine_expect(m, "guest: beat", WAIT_MS);
}

static bool ends_well(struct machine *m)
{
	const char end = GUEST_INPUT_END;
	int code = -1;

	if (machine_send(m, &end, 1, WAIT_MS))
		code = machine_wait(m, WAIT_MS);
	if (code == GUEST_EXIT_PASS)
		return true;
	printf("# end: %d\n", code);
	machine_show(m);
	return false;
}

/* A restore that shall fail, with these words in what it says. */
static bool refused(FIXTURE_DATA(disks) *self, const char *why,
		    const char *option)
{
	const char *const words[] = { self->image, option, NULL };
	bool ok;

	if (machine_restore(&self->clone[0], &self->m, words))
		return false;
	ok = machine_wait(&self->clone[0], WAIT_MS) == MACHINE_OTHER &&
	     strstr(self->clone[0].console, why);
	if (!ok)
		machine_show(&self->clone[0]);
	machine_destroy(&self->clone[0]);
	self->clone[0] = (struct machine){ .in = -1, .out = -1 };
	return ok;
}

/* Copies of disks beside the image. */
static int copies(const FIXTURE_DATA(disks) *self)
{
	DIR *dir = opendir(self->m.folder);
	const struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		n += !strncmp(e->d_name, "vm.snap.", 8);
	if (dir)
		closedir(dir);
	return n;
}

static unsigned long long bytes_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (unsigned long long)st.st_blocks * 512;
}

/* The machine runs on and writes its disks; the copies are of the moment. */
static void clones_of_a_running_machine(struct __test_metadata *_metadata,
					FIXTURE_DATA(disks) *self,
					const char *how)
{
	const char *const words[] = { self->image, NULL };
	int i;

	ASSERT_EQ(0, take(self, how, NULL)) TH_LOG("%s", self->m.said);
	EXPECT_EQ(DISKS, copies(self));
	for (i = 0; i < CLONES; i++)
		ASSERT_EQ(0, machine_restore(&self->clone[i], &self->m,
					     words));
	for (i = 0; i < CLONES; i++)
		ASSERT_TRUE(goes_on(&self->clone[i])) {
			machine_show(&self->clone[i]);
		}
	for (i = 0; i < CLONES; i++) {
		EXPECT_TRUE(ends_well(&self->clone[i])) TH_LOG("clone %d", i);
		machine_destroy(&self->clone[i]);
		self->clone[i] = (struct machine){ .in = -1, .out = -1 };
	}
	EXPECT_TRUE(goes_on(&self->m));
}

TEST_F_TIMEOUT(disks, many_machines_from_one_image, LIMIT_S)
{
	int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	for (i = 0; i < 3; i++)
		clones_of_a_running_machine(_metadata, self,
					    i == 1 ? "--with-disks=copy" :
					    "--with-disks");
	/* Those of the images that were replaced are gone. */
	EXPECT_EQ(DISKS, copies(self));
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_EQ(DISKS, disks_check(&self->m, SEED));
}

TEST_F_TIMEOUT(disks, the_copies_themselves_once, LIMIT_S)
{
	const char *const words[] = {
		self->image, "--disk-mode=shared", NULL,
	};

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(0, take(self, "--with-disks", NULL));
	ASSERT_EQ(0, machine_restore(&self->clone[1], &self->m, words));
	ASSERT_TRUE(goes_on(&self->clone[1]));
	EXPECT_TRUE(refused(self, "in use", "--disk-mode=shared"));
	EXPECT_TRUE(refused(self, "was written since", NULL));
	EXPECT_TRUE(ends_well(&self->clone[1]));
	EXPECT_TRUE(refused(self, "was written since", "--disk-mode=shared"));
	EXPECT_TRUE(ends_well(&self->m));
}

/* A machine that works on private copies is saved with them or not at all. */
TEST_F_TIMEOUT(disks, private_copies_are_saved_too, LIMIT_S)
{
	const char *const words[] = { self->image, NULL };
	const char *bare[] = { "snapshot", self->image, NULL };
	const char *whole[] = {
		"snapshot", self->image, "--with-disks", "--stop", NULL,
	};

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(0, take(self, "--with-disks", "--stop"));
	ASSERT_EQ(MACHINE_OFF, machine_wait(&self->m, WAIT_MS));
	ASSERT_EQ(0, machine_restore(&self->clone[1], &self->m, words));
	ASSERT_TRUE(goes_on(&self->clone[1]));
	EXPECT_NE(0, machine_command(&self->clone[1], bare, WAIT_MS));
	EXPECT_NE(NULL, strstr(self->clone[1].said, "use --with-disks"));
	ASSERT_EQ(0, machine_command(&self->clone[1], whole, WAIT_MS)) {
		TH_LOG("%s", self->clone[1].said);
	}
	ASSERT_EQ(MACHINE_OFF, machine_wait(&self->clone[1], WAIT_MS));
	ASSERT_EQ(0, machine_restore(&self->clone[2], &self->m, words));
	ASSERT_TRUE(goes_on(&self->clone[2]));
	EXPECT_TRUE(ends_well(&self->clone[2]));
}

TEST_F_TIMEOUT(disks, what_does_not_fit_is_refused, LIMIT_S)
{
	char gone[140];
	int fd;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(0, take(self, "--stop", NULL));
	ASSERT_EQ(MACHINE_OFF, machine_wait(&self->m, WAIT_MS));
	snprintf(gone, sizeof(gone), "%s.gone", self->disk);

	ASSERT_EQ(0, rename(self->disk, gone));
	EXPECT_TRUE(refused(self, "is not there", NULL));
	EXPECT_TRUE(refused(self, "--nvme 0=FILE", "--force"));
	ASSERT_EQ(0, rename(gone, self->disk));

	ASSERT_EQ(0, truncate(self->disk, 17 << 20));
	EXPECT_TRUE(refused(self, "another disk is needed", NULL));
	EXPECT_TRUE(refused(self, "another disk is needed", "--force"));
	ASSERT_EQ(0, truncate(self->disk, 16 << 20));
	EXPECT_TRUE(refused(self, "was written since", NULL));
	EXPECT_TRUE(refused(self, "was written since", "--disk-mode=cow"));

	/* Nothing has changed really, and the user knows. */
	fd = open(self->disk, O_RDWR);
	ASSERT_LE(0, fd);
	close(fd);
	{
		const char *const words[] = { self->image, "--force", NULL };

		ASSERT_EQ(0, machine_restore(&self->clone[1], &self->m,
					     words));
		EXPECT_TRUE(goes_on(&self->clone[1]));
		EXPECT_TRUE(ends_well(&self->clone[1]));
	}
	EXPECT_EQ(DISKS, disks_check(&self->clone[1], SEED));
}

/* It ran on, so its disks are of a later moment than the image. */
TEST_F_TIMEOUT(disks, an_image_from_before_is_refused, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(0, take(self, NULL, NULL));
	ASSERT_TRUE(goes_on(&self->m));
	EXPECT_TRUE(refused(self, "in use", NULL));
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_TRUE(refused(self, "was written since", NULL));
}

/* What is mounted from here on goes away with this process. */
static bool own_mounts(void)
{
	return !unshare(CLONE_NEWNS) &&
	       !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Sharing contents where the file system cannot, and a copy that has no room. */
TEST_F_TIMEOUT(disks, failures_leave_nothing, LIMIT_S)
{
	char small[128], path[140], fs[64];
	const char *const words[] = {
		"snapshot", path, "--with-disks", NULL,
	};
	struct stat before, after;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	/* Before: the machine has to see what is mounted. */
	if (!own_mounts())
		SKIP(return, "no mounts of our own: %s", strerror(errno));
	ASSERT_TRUE(begin(self));
	machine_path(&self->m, "small", small, sizeof(small));
	ASSERT_EQ(0, mkdir(small, 0700));
	/* Memory fits, the disks do not; other file systems share nothing. */
	ASSERT_EQ(0, take(self, NULL, NULL));
	snprintf(fs, sizeof(fs), "size=%llu", bytes_of(self->image) +
		 bytes_of(self->disk) / 2);
	if (mount("small", small, "tmpfs", 0, fs))
		SKIP(return, "a tmpfs cannot be mounted: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/vm", small);
	stat(small, &before);
	EXPECT_NE(0, machine_command(&self->m, words, WAIT_MS));
	EXPECT_NE(NULL, strstr(self->m.said, "No space left")) {
		TH_LOG("%s", self->m.said);
	}
	EXPECT_TRUE(goes_on(&self->m));
	ASSERT_EQ(0, mount(NULL, small, NULL, MS_REMOUNT, "size=256m"));
	EXPECT_NE(0, machine_command(&self->m, (const char *const []){
		"snapshot", path, "--with-disks=reflink", NULL }, WAIT_MS));
	EXPECT_NE(NULL, strstr(self->m.said, "--with-disks=copy")) {
		TH_LOG("%s", self->m.said);
	}
	EXPECT_TRUE(goes_on(&self->m));
	stat(small, &after);
	EXPECT_EQ(before.st_nlink, after.st_nlink);
	EXPECT_NE(0, access(path, F_OK));
	/* Not even a file without a name: all the room is there again. */
	EXPECT_EQ(0, umount2(small, 0));
	ASSERT_TRUE(ends_well(&self->m));
	EXPECT_EQ(DISKS, disks_check(&self->m, SEED));
}

/* An XFS in a file, mounted on the folder; false when that cannot be. */
static bool mount_xfs(const char *folder)
{
	char line[600];

	snprintf(line, sizeof(line),
		 "exec >/dev/null 2>&1; truncate -s 400M %s.xfs && mkfs.xfs -q -m reflink=1 %s.xfs && mount -o loop %s.xfs %s",
		 folder, folder, folder, folder);
	return system(line) == 0;
}

TEST_F_TIMEOUT(disks, contents_are_shared_where_the_file_system_can, LIMIT_S)
{
	char folder[] = "/var/tmp/lkvm-xfs-XXXXXX", file[40];
	bool mounted;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_NE(NULL, mkdtemp(folder));
	snprintf(file, sizeof(file), "%s.xfs", folder);
	mounted = own_mounts() && mount_xfs(folder);
	unlink(file);
	if (mounted) {
		setenv("TMPDIR", folder, 1);
		EXPECT_TRUE(begin(self));
		clones_of_a_running_machine(_metadata, self,
					    "--with-disks=reflink");
		EXPECT_TRUE(ends_well(&self->m));
		EXPECT_EQ(DISKS, disks_check(&self->m, SEED));
		machine_destroy(&self->m);
		self->m = (struct machine){ .in = -1, .out = -1 };
		EXPECT_EQ(0, umount2(folder, 0));
	}
	rmdir(folder);
	if (!mounted)
		SKIP(return, "no XFS can be made and mounted here");
}

TEST_HARNESS_MAIN
