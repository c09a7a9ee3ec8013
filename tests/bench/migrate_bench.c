// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how fast a machine's memory goes to another process over TCP
 *
 *	migrate_bench ROUNDS MIB
 *
 * A machine without vCPUs and with MIB mebibytes of random bytes moves to
 * another process over loopback, over one connection and over four; in between
 * the same bytes are copied from the memory of a machine here to that of one
 * there by bare send() and recv(), over as many connections. Each line is one
 * of these, tab-separated: what and how many connections, who, MiB,
 * microseconds, microseconds of CPU time of both processes, microseconds that a
 * guest would have stood still or "-".
 *
 * Memory at the destination is untouched before, for both. A copy that is not
 * told comes first: where this machine's own memory is another's, its first use
 * takes its time.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "migration/migrate.h"
#include "migration/receive.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"
#include "vmm/description.h"
#include "vmm/vm.h"

#define LINKS_MAX	4
#define COPY_BUF	(256 << 10)	/* as a frame of lkvm */
#define LISTEN_FD	3

/**
 * struct part - what one connection copies
 * @fd: the connection
 * @vm: the machine
 * @index: which of the connections
 * @nr: how many there are
 */
struct part {
	int fd;
	struct vm *vm;
	u32 index;
	u32 nr;
};

static __noreturn void die(const char *what)
{
	fprintf(stderr, "migrate_bench: %s\n", what);
	exit(1);
}

static u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000ULL + (u64)ts.tv_nsec / 1000;
}

static u64 cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u64)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ULL +
	       (u64)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* ---- machines ----------------------------------------------------------- */

static void *describe(u64 bytes)
{
	struct machine_config machine = {
		.cpus = 1, .memory = bytes, .name = (char *)"bench",
	};
	struct error err = ERROR_INIT;
	void *fdt;

	if (description_write(&machine, NULL, 0, &fdt, &err))
		die(err.text);
	return fdt;
}

/* Without vCPUs, whatever the description says. */
static struct vm *build(struct description *d)
{
	struct error err = ERROR_INIT;
	struct vm_config config;
	struct vm *vm;

	description_vm_config(d, &config);
	config.cpus = 0;
	config.disks_elsewhere = true;
	if (vm_create(&config, &vm, &err) || description_build(d, vm, &err) ||
	    vm_start(vm, &err))
		die(err.text);
	return vm;
}

static struct vm *machine(u64 bytes)
{
	struct error err = ERROR_INIT;
	void *fdt = describe(bytes);
	struct description *d;
	struct vm *vm;

	if (description_read(fdt, DESCRIPTION_MAX, &d, &err))
		die(err.text);
	vm = build(d);
	description_free(d);
	free(fdt);
	return vm;
}

static struct vm *random_machine(u64 bytes)
{
	struct error err = ERROR_INIT;
	struct vm *vm = machine(bytes);
	struct test_random rnd;
	u32 i;

	test_random_seed(&rnd, 1);
	for (i = 0; i < vm->memory.nr; i++)
		test_random_fill(&rnd, vm->memory.blocks[i].host,
				 vm->memory.blocks[i].size);
	if (vm_resume(vm, &err))
		die(err.text);
	return vm;
}

/* ---- connections -------------------------------------------------------- */

static int listen_somewhere(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) ||
	    listen(fd, LINKS_MAX) ||
	    getsockname(fd, (struct sockaddr *)addr, &len))
		die("no socket");
	return fd;
}

static int connect_to(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		die("cannot connect");
	return fd;
}

/* ---- the bare copy ------------------------------------------------------ */

static bool move_all(int fd, u8 *at, u64 len, bool out)
{
	while (len) {
		size_t want = min_of(len, (u64)COPY_BUF);
		ssize_t n = out ? send(fd, at, want, 0) :
				  recv(fd, at, want, 0);

		if (n <= 0)
			return false;
		at += n;
		len -= (u64)n;
	}
	return true;
}

static void copy_part(const struct part *p, bool out)
{
	u32 i;

	for (i = 0; i < p->vm->memory.nr; i++) {
		const struct memory_block *b = &p->vm->memory.blocks[i];
		u64 share = b->size / p->nr;

		if (!move_all(p->fd, b->host + p->index * share, share, out))
			die("the copy failed");
	}
}

static void *send_thread(void *arg)
{
	copy_part(arg, true);
	return NULL;
}

static void *recv_thread(void *arg)
{
	copy_part(arg, false);
	return NULL;
}

static void copy_all(struct vm *vm, const int *fds, u32 nr, bool out)
{
	struct part parts[LINKS_MAX];
	pthread_t threads[LINKS_MAX];
	u32 i;

	for (i = 0; i < nr; i++) {
		parts[i] = (struct part){
			.fd = fds[i], .vm = vm, .index = i, .nr = nr,
		};
		if (pthread_create(&threads[i], NULL,
				   out ? send_thread : recv_thread, &parts[i]))
			die("no thread");
	}
	while (i--)
		pthread_join(threads[i], NULL);
}

/* ---- the destination ---------------------------------------------------- */

static void tell_cpu(void)
{
	printf("%llu\n", cpu_us());
	fflush(stdout);
	/* What the end of a process costs is not of interest. */
	_exit(0);
}

static void copy_there(u64 bytes, u32 nr)
{
	struct vm *vm = machine(bytes);
	int fds[LINKS_MAX];
	u32 i;

	for (i = 0; i < nr; i++)
		fds[i] = accept(LISTEN_FD, NULL, NULL);
	copy_all(vm, fds, nr, false);
	if (send(fds[0], "", 1, 0) != 1)
		die("nobody listens");
	tell_cpu();
}

static void received(void *arg, const struct error *err)
{
	if (err)
		die(err->text);
	*(bool *)arg = true;
}

static struct channel *accept_link(void)
{
	struct error err = ERROR_INIT;
	int fd = accept(LISTEN_FD, NULL, NULL);
	struct channel *ch;

	if (fd < 0 || channel_stream_open(fd, fd, "source", &ch, &err))
		die(err.text);
	return ch;
}

static void receive_there(void)
{
	struct error err = ERROR_INIT;
	struct receive *r;
	bool done = false;
	struct vm *vm;

	if (receive_create(accept_link(), LINKS_MAX, 0, &r, &err))
		die(err.text);
	while (r->links_nr < r->links_wanted)
		if (receive_add(r, accept_link(), &err))
			die(err.text);
	if (receive_machine(r, &err))
		die(err.text);
	vm = build(r->description);
	if (receive_start(r, vm, received, &done, &err))
		die(err.text);
	while (!done)
		iothread_run_once(&vm->loop, true);
	tell_cpu();
}

/* ---- the source --------------------------------------------------------- */

/* Starts this program again, with the socket and a pipe for what it says. */
static pid_t start_there(const char *what, u64 bytes, u32 nr, int listener,
			 int *out)
{
	char mib[24], links[12];
	int fds[2];
	pid_t pid;

	snprintf(mib, sizeof(mib), "%llu", bytes / MIB);
	snprintf(links, sizeof(links), "%u", nr);
	if (pipe2(fds, O_CLOEXEC))
		die("no pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(listener, LISTEN_FD) < 0 || dup2(fds[1], 1) < 0)
			_exit(1);
		if (listener == LISTEN_FD)
			fcntl(LISTEN_FD, F_SETFD, 0);
		execl("/proc/self/exe", "migrate_bench", what, mib, links,
		      NULL);
		_exit(127);
	}
	close(fds[1]);
	*out = fds[0];
	return pid;
}

static u64 end_there(pid_t pid, int out)
{
	char text[32] = "";
	ssize_t n = read(out, text, sizeof(text) - 1);

	close(out);
	waitpid(pid, NULL, 0);
	if (n <= 0)
		die("the destination has failed");
	return strtoull(text, NULL, 10);
}

static void on_done(void *arg, const struct error *err)
{
	if (err)
		die(err->text);
	*(bool *)arg = true;
}

static u64 migrate_here(struct vm *vm, const int *fds, u32 nr)
{
	struct channel *links[LINKS_MAX];
	bool done = false;
	struct migrate_request req = {
		.links = links, .links_nr = nr, .peer = "there",
		.downtime_ms = 300, .on_done = on_done, .arg = &done,
	};
	struct error err = ERROR_INIT;
	struct migrate *m;
	u64 downtime;
	u32 i;

	for (i = 0; i < nr; i++)
		if (channel_stream_open(fds[i], fds[i], "there", &links[i],
					&err))
			die(err.text);
	if (migrate_start(vm, &req, &m, &err))
		die(err.text);
	while (!done)
		iothread_run_once(&vm->loop, true);
	downtime = m->stats.downtime_ns / 1000;
	migrate_destroy(m);
	/* The other one is thrown away: this one goes on. */
	if (vm_resume(vm, &err))
		die(err.text);
	return downtime;
}

static u64 copy_here(struct vm *vm, const int *fds, u32 nr)
{
	char byte;
	u32 i;

	copy_all(vm, fds, nr, true);
	if (recv(fds[0], &byte, 1, 0) != 1)
		die("the destination has failed");
	for (i = 0; i < nr; i++)
		close(fds[i]);
	return 0;
}

static void measure(struct vm *vm, u64 bytes, u32 nr, bool copy, bool told)
{
	struct sockaddr_in addr;
	int listener = listen_somewhere(&addr), out, fds[LINKS_MAX];
	u64 start, us, cpu, downtime;
	pid_t pid;
	u32 i;

	pid = start_there(copy ? "copy" : "receive", bytes, nr, listener, &out);
	for (i = 0; i < nr; i++)
		fds[i] = connect_to(&addr);
	/* It shall wait for us, and not we for it. */
	usleep(200000);
	start = now_us();
	cpu = cpu_us();
	downtime = copy ? copy_here(vm, fds, nr) : migrate_here(vm, fds, nr);
	us = now_us() - start;
	cpu = cpu_us() - cpu + end_there(pid, out);
	close(listener);
	if (!told)
		return;
	printf("memory:%u\t%s\t%llu\t%llu\t%llu\t", nr, copy ? "copy" : "lkvm",
	       bytes / MIB, us, cpu);
	if (copy)
		printf("-\n");
	else
		printf("%llu\n", downtime);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long rounds;
	struct vm *vm;
	u64 bytes;

	if (argc == 4 && !strcmp(argv[1], "copy"))
		copy_there(strtoull(argv[2], NULL, 10) * MIB,
			   (u32)strtoul(argv[3], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "receive"))
		receive_there();
	if (argc != 3)
		die("migrate_bench ROUNDS MIB");
	signal(SIGPIPE, SIG_IGN);
	bytes = strtoull(argv[2], NULL, 10) * MIB;
	vm = random_machine(bytes);
	measure(vm, bytes, 1, true, false);
	for (rounds = strtoul(argv[1], NULL, 10); rounds; rounds--) {
		measure(vm, bytes, 1, false, true);
		measure(vm, bytes, 1, true, true);
		measure(vm, bytes, LINKS_MAX, false, true);
		measure(vm, bytes, LINKS_MAX, true, true);
	}
	vm_destroy(vm);
	return 0;
}
