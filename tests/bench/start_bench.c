// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how long a monitor takes to its guest's first instruction
 *
 *	start_bench [-r ROUNDS] [-m MIB] NAME COMMAND...
 *
 * Runs COMMAND, a monitor with the guest tests/bench/x86/first.S and its serial
 * port on standard output, and waits for the guest's byte (1). Prints one line
 * a round, tab-separated: NAME, microseconds from exec() to the byte, and KiB of
 * memory that the monitor has resident at that moment beyond its guest's RAM of
 * MIB mebibytes: mappings of just that size, or of a memfd, do not count.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/types.h"

#define GUEST_BYTE	1
#define LIMIT_S		20

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

static __noreturn void die(const char *what)
{
	fprintf(stderr, "start_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Runs in the child: @started is shared with the parent. */
static __noreturn void run(char **argv, int out, u64 *started)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(out, 1);
	dup2(null, 2);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	*started = now_ns();
	execvp(argv[0], argv);
	_exit(127);
}

static bool wait_for_byte(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (memchr(buf, GUEST_BYTE, (size_t)n))
			return true;
	return false;
}

/* The line that begins a mapping ends with its name, if it has one. */
static u64 resident_kib(pid_t pid, u64 ram_kib)
{
	char path[64], line[512];
	unsigned long long size = 0, rss, sum = 0;
	bool memfd = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %llu kB", &size) == 1)
			continue;
		if (sscanf(line, "Rss: %llu kB", &rss) == 1)
			sum += memfd || size == ram_kib ? 0 : rss;
		else if (strchr("0123456789abcdef", line[0]))
			memfd = strstr(line, "/memfd:");
	}
	fclose(f);
	return sum;
}

static void measure(const char *name, char **argv, u64 ram_kib)
{
	u64 *started = mmap(NULL, sizeof(*started), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2];
	u64 seen;
	pid_t pid;

	if (started == MAP_FAILED || pipe2(fds, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		run(argv, fds[1], started);
	close(fds[1]);
	alarm(LIMIT_S);
	if (!wait_for_byte(fds[0])) {
		fprintf(stderr, "start_bench: %s: the guest said nothing\n",
			name);
		exit(1);
	}
	seen = now_ns();
	alarm(0);
	printf("%s\t%llu\t%llu\n", name,
	       (unsigned long long)(seen - *started) / 1000,
	       (unsigned long long)resident_kib(pid, ram_kib));
	fflush(stdout);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	munmap(started, sizeof(*started));
}

int main(int argc, char **argv)
{
	u32 rounds = 20, mib = 256;
	int opt;

	while ((opt = getopt(argc, argv, "+r:m:")) != -1) {
		if (opt == 'r')
			rounds = (u32)strtoul(optarg, NULL, 0);
		else if (opt == 'm')
			mib = (u32)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind + 2 > argc)
		return 2;
	while (rounds--)
		measure(argv[optind], argv + optind + 1, mib * 1024ULL);
	return 0;
}
