// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: who has a file locked?
 *
 * The kernel does not say who holds the lock of an open file description.
 * /proc/PID/fdinfo lists the locks that a process holds through each of its
 * descriptors, so we look there for the file; processes of other users, and of
 * other hosts, stay unseen.
 *
 * Threads: any; no state of its own.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/types.h"
#include "vmm/lock_holder.h"

static size_t slurp(const char *path, char *buf, size_t len)
{
	size_t n = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		while (n < len - 1 && (got = read(fd, buf + n, len - 1 - n)) > 0)
			n += (size_t)got;
		close(fd);
	}
	buf[n] = 0;
	return n;
}

/* Does the process hold a lock on the file through this descriptor? */
static bool fd_has_lock(const char *pid, const char *fd, const struct stat *st)
{
	char path[300], info[2048];
	struct stat other;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	if (stat(path, &other) < 0 || other.st_ino != st->st_ino ||
	    other.st_dev != st->st_dev)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	slurp(path, info, sizeof(info));
	return !!strstr(info, "\nlock:");
}

static bool pid_has_lock(const char *pid, const struct stat *st)
{
	struct dirent *entry;
	char path[300];
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = isdigit((u8)entry->d_name[0]) &&
			fd_has_lock(pid, entry->d_name, st);
	closedir(dir);
	return found;
}

/* The value of --name or -n among the words of a command line. */
static const char *name_option(const char *words, size_t len)
{
	const char *word, *end = words + len;

	for (word = words; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;

		if (!strncmp(word, "--name=", 7))
			return word + 7;
		if ((!strcmp(word, "--name") || !strcmp(word, "-n")) &&
		    next < end)
			return next;
	}
	return NULL;
}

/* Other people's words go into our message: keep it one clean line. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isprint((u8)*text))
			*text = '?';
}

static void describe_pid(const char *pid, char *buf, size_t len)
{
	char path[300], comm[64], words[4096];
	const char *name = NULL;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	n = slurp(path, comm, sizeof(comm));
	if (n && comm[n - 1] == '\n')
		comm[n - 1] = 0;
	if (!strncmp(comm, "lkvm", 4)) {
		snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
		n = slurp(path, words, sizeof(words));
		name = name_option(words, n);
	}
	if (name)
		snprintf(buf, len, "machine \"%.64s\" (%.16s, pid %.16s)", name,
			 comm, pid);
	else
		snprintf(buf, len, "%.16s (pid %.16s)", comm[0] ? comm : "a process",
			 pid);
	make_printable(buf);
}

/**
 * lock_holder() - who keeps a file locked, in words
 * @fd: the file, through a descriptor that has no lock
 * @buf: out: "machine \"NAME\" (lkvm, pid PID)", or as much as can be known
 * @len: its room, LOCK_HOLDER_MAX bytes or more
 */
void lock_holder(int fd, char *buf, size_t len)
{
	struct dirent *entry;
	struct stat st;
	DIR *proc;

	snprintf(buf, len, "another process (which one cannot be seen)");
	proc = opendir("/proc");
	if (!proc)
		return;
	if (fstat(fd, &st) == 0) {
		while ((entry = readdir(proc))) {
			if (!isdigit((u8)entry->d_name[0]) ||
			    !pid_has_lock(entry->d_name, &st))
				continue;
			describe_pid(entry->d_name, buf, len);
			break;
		}
	}
	closedir(proc);
}
