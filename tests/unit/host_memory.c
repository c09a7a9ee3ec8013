// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: imaginary hosts with little memory
 */
#include "tests/lib/harness.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/block_disk.h"
#include "vmm/host_memory.h"

FIXTURE(host_memory) {
	struct test_dir dir;
	struct error err;
};

/* A file of the imaginary host, and the folders that it is in. */
static void put(FIXTURE_DATA(host_memory) *self, const char *name,
		const char *text)
{
	char path[400];
	char *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", self->dir.path, name);
	for (slash = path + strlen(self->dir.path) + 1;
	     (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

FIXTURE_SETUP(host_memory)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, test_dir_make(&self->dir));
	put(self, "/proc/sys/vm/overcommit_memory", "0\n");
	put(self, "/proc/meminfo",
	    "MemTotal:        8388608 kB\n"
	    "MemFree:          102400 kB\n"
	    "MemAvailable:    2097152 kB\n"
	    "SwapTotal:       1048576 kB\n"
	    "SwapFree:        1048576 kB\n"
	    "CommitLimit:     4194304 kB\n"
	    "Committed_AS:    3145728 kB\n");
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

FIXTURE_TEARDOWN(host_memory)
{
	nftw(self->dir.path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int check(FIXTURE_DATA(host_memory) *self, u64 bytes)
{
	return host_memory_check(self->dir.path, bytes, &self->err);
}

TEST_F(host_memory, what_is_available_and_swap)
{
	EXPECT_EQ(0, check(self, 3072 * MIB));
	EXPECT_EQ(-ENOMEM, check(self, 3072 * MIB + 1));
	EXPECT_NE(NULL, strstr(self->err.text, "3072 MiB to give"))
		TH_LOG("%s", self->err.text);
	EXPECT_NE(NULL, strstr(self->err.text, "vm.overcommit_memory=1"));
}

TEST_F(host_memory, who_promises_all_is_believed)
{
	put(self, "/proc/sys/vm/overcommit_memory", "1\n");
	EXPECT_EQ(0, check(self, 1ULL << 50));
}

TEST_F(host_memory, strict_accounting)
{
	put(self, "/proc/sys/vm/overcommit_memory", "2\n");
	EXPECT_EQ(0, check(self, 1024 * MIB));
	EXPECT_EQ(-ENOMEM, check(self, 1025 * MIB));
	EXPECT_NE(NULL, strstr(self->err.text, "1024 MiB to give"));
	put(self, "/proc/meminfo", "CommitLimit: 100 kB\nCommitted_AS: 200 kB\n");
	EXPECT_EQ(-ENOMEM, check(self, 1));
}

TEST_F(host_memory, control_group_and_its_parents)
{
	put(self, "/proc/self/cgroup", "1:cpu:/other\n0::/a/b\n");
	put(self, "/sys/fs/cgroup/a/b/memory.max", "max\n");
	put(self, "/sys/fs/cgroup/a/memory.max", "1073741824\n");
	put(self, "/sys/fs/cgroup/a/memory.current", "268435456\n");
	EXPECT_EQ(0, check(self, 768 * MIB));
	EXPECT_EQ(-ENOMEM, check(self, 769 * MIB));
	EXPECT_NE(NULL, strstr(self->err.text, "room for 768 MiB"))
		TH_LOG("%s", self->err.text);
	/* File cache gives way. */
	put(self, "/sys/fs/cgroup/a/memory.stat",
	    "anon 5\ninactive_file 134217728\nactive_file 67108864\n");
	EXPECT_EQ(0, check(self, 960 * MIB));
	EXPECT_EQ(-ENOMEM, check(self, 961 * MIB));
	put(self, "/sys/fs/cgroup/a/b/memory.max", "1048576\n");
	put(self, "/sys/fs/cgroup/a/b/memory.current", "2097152\n");
	EXPECT_EQ(-ENOMEM, check(self, MIB));
	EXPECT_NE(NULL, strstr(self->err.text, "room for 0 MiB"));
}

TEST_F(host_memory, a_host_that_says_nothing_has_enough)
{
	struct error err = ERROR_INIT;

	EXPECT_EQ(0, host_memory_check("/nowhere", 1ULL << 60, &err));
}

TEST_HARNESS_MAIN
