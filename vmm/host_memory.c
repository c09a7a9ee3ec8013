// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: has this host as much memory as a machine may take?
 *
 * Guest memory is committed when it is touched, so a host that has too little
 * fails late: the machine that has just been moved there is killed. Linux says
 * what could be had: MemAvailable and free swap; under strict accounting
 * (vm.overcommit_memory=2) what is left of the commit limit; in a control group
 * the room below its limit and those of its parents, its file cache counted as
 * room. An administrator who promises more than there is (1) is believed.
 *
 * Sources: Linux Documentation/filesystems/proc.rst, mm/overcommit-accounting,
 * admin-guide/cgroup-v2.rst. Memory of a hugetlbfs is reserved when it is
 * mapped and needs no such estimate; limits of version 1 of control groups are
 * not looked at.
 *
 * Threads: any; no state of its own.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/base/math.h"
#include "vmm/host_memory.h"

#define PATH_BYTES	768

/**
 * enum overcommit - vm.overcommit_memory
 * @OVERCOMMIT_GUESS: what is obviously too much is refused
 * @OVERCOMMIT_ALWAYS: nothing is refused
 * @OVERCOMMIT_NEVER: no more than the commit limit
 */
enum overcommit {
	OVERCOMMIT_GUESS,
	OVERCOMMIT_ALWAYS,
	OVERCOMMIT_NEVER,
};

/* The number behind a word at the beginning of a line; "" for the first one. */
static bool read_number(const char *path, const char *word, u64 *value)
{
	FILE *f = fopen(path, "re");
	size_t len = strlen(word);
	bool found = false;
	char line[256];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, word, len) &&
			sscanf(line + len, "%llu", value) == 1;
	fclose(f);
	return found;
}

static bool meminfo(const char *root, const char *word, u64 *bytes)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (!read_number(path, word, bytes))
		return false;
	*bytes *= KIB;
	return true;
}

static u64 left(u64 limit, u64 used)
{
	return limit > used ? limit - used : 0;
}

static u64 host_room(const char *root, u64 policy)
{
	u64 a, b;

	if (policy == OVERCOMMIT_NEVER)
		return meminfo(root, "CommitLimit:", &a) &&
		       meminfo(root, "Committed_AS:", &b) ? left(a, b) :
							    UINT64_MAX;
	return meminfo(root, "MemAvailable:", &a) &&
	       meminfo(root, "SwapFree:", &b) ? a + b : UINT64_MAX;
}

/* One control group; no file: it has no limit. */
static u64 group_room(const char *folder)
{
	u64 limit, used = 0, active = 0, inactive = 0;
	char path[PATH_BYTES + 32];

	snprintf(path, sizeof(path), "%s/memory.max", folder);
	if (!read_number(path, "", &limit))
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s/memory.current", folder);
	if (!read_number(path, "", &used))
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s/memory.stat", folder);
	if (!read_number(path, "active_file ", &active) ||
	    !read_number(path, "inactive_file ", &inactive))
		inactive = 0;
	return left(limit, left(used, active + inactive));
}

/* This process's group in the one hierarchy of version 2, and its parents. */
static u64 groups_room(const char *root)
{
	char path[PATH_BYTES], line[512], *end;
	u64 room = UINT64_MAX;
	size_t top;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	f = fopen(path, "re");
	if (!f)
		return room;
	*line = '\0';
	while (fgets(line, sizeof(line), f) && strncmp(line, "0::/", 4))
		*line = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	if (!*line)
		return room;
	top = (size_t)snprintf(path, sizeof(path), "%s/sys/fs/cgroup", root);
	if (top >= sizeof(path) - sizeof(line))
		return room;
	strcpy(path + top, line + 3);
	for (;;) {
		room = min_of(room, group_room(path));
		end = strrchr(path + top, '/');
		if (!end)
			return room;
		*end = '\0';
	}
}

/**
 * host_memory_check() - could so much memory be touched here?
 * @root: "" for this host; the folder in which a test has its own /proc and /sys
 * @bytes: how much
 * @err: how much there is, and what to do
 *
 * Return: 0 or -ENOMEM. A host that says nothing is taken to have enough.
 */
int host_memory_check(const char *root, u64 bytes, struct error *err)
{
	char path[PATH_BYTES];
	u64 policy = OVERCOMMIT_GUESS, room, group;

	snprintf(path, sizeof(path), "%s/proc/sys/vm/overcommit_memory", root);
	if (!read_number(path, "", &policy))
		return 0;
	if (policy == OVERCOMMIT_ALWAYS)
		return 0;
	room = host_room(root, policy);
	if (bytes > room)
		return error_set(err, -ENOMEM,
				 "the machine has %llu MiB of memory, and this host has %llu MiB to give: free some, or have it promise more than it has with sysctl vm.overcommit_memory=1",
				 bytes / MIB, room / MIB);
	group = groups_room(root);
	if (bytes > group)
		return error_set(err, -ENOMEM,
				 "the machine has %llu MiB of memory, and the control group of this lkvm has room for %llu MiB: raise its memory.max",
				 bytes / MIB, group / MIB);
	return 0;
}
