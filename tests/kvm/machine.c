// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a machine under test
 *
 * See machine.h. All waiting is with a deadline, and ends of processes are
 * told by pid. The process dies with the test (PR_SET_PDEATHSIG), which the
 * harness kills when it takes too long.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kvm/machine.h"
#include "tests/kvm/machine_priv.h"

/* Exit codes of lkvm, as lkvm(1) has them. */
#define LKVM_OFF		0
#define LKVM_PANIC		3
#define LKVM_TRIPLE_FAULT	4
#define LKVM_KILLED		5
#define LKVM_DEBUG_FIRST	64
#define LKVM_DEBUG_LAST		125
#define LKVM_SIGNAL		128

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* A file by its path from the folder "kvm" in which the test program is. */
static void beside(const char *rest, char path[PATH_MAX])
{
	char self[PATH_MAX];
	const char *dir;
	ssize_t n;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = '\0';
	dir = dirname(self);
	if (!strrchr(dir, '/') || strcmp(strrchr(dir, '/'), "/kvm"))
		dir = dirname(self);
	snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 64, dir, rest);
}

/**
 * machine_lkvm() - the program under test
 *
 * Return: its path.
 */
const char *machine_lkvm(void)
{
	static char path[PATH_MAX];

	if (getenv("LKVM"))
		return getenv("LKVM");
	beside("../../lkvm", path);
	return path;
}

/**
 * machine_guest() - the guest
 * @s:    which
 * @path: set to its path
 */
void machine_guest(const struct machine_setup *s, char path[PATH_MAX])
{
	beside(s->guest ? s->guest : GUEST_FILE, path);
}

/**
 * machine_is_qemu() - is another VMM tried with the same guest
 *
 * Return: true if LKVM_TEST_VMM says so.
 */
bool machine_is_qemu(void)
{
	const char *vmm = getenv("LKVM_TEST_VMM");

	return vmm && !strcmp(vmm, "qemu");
}

/**
 * machine_unavailable() - can machines run here
 *
 * Return: NULL, or why not.
 */
const char *machine_unavailable(void)
{
	if (machine_is_qemu())
		return NULL;
	if (access("/dev/kvm", F_OK))
		return "there is no /dev/kvm";
	if (access("/dev/kvm", R_OK | W_OK))
		return "/dev/kvm may not be opened (group kvm may)";
	return NULL;
}

/**
 * words_add() - add a word
 * @w:   command line
 * @fmt: printf format
 *
 * Ends the process when there is no room: a test asked for too much.
 */
void words_add(struct words *w, const char *fmt, ...)
{
	const size_t room = sizeof(w->text) - w->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->text + w->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || w->n >= WORDS_MAX - 1)
		abort();
	w->word[w->n++] = w->text + w->used;
	w->word[w->n] = NULL;
	w->used += (size_t)n + 1;
}

/**
 * machine_disk_path() - the file of a namespace
 * @m:    machine
 * @disk: number of the controller
 * @ns:   number of the namespace in it, from 0
 * @path: set to the path
 * @cap:  size of @path
 */
void machine_disk_path(const struct machine *m, unsigned int disk,
		       unsigned int ns, char *path, size_t cap)
{
	snprintf(path, cap, "%s/disk%u.%u", m->folder, disk, ns);
}

/**
 * machine_path() - a file in the machine's folder
 * @m:    machine
 * @file: its name
 * @path: set to the path
 * @cap:  size of @path
 */
void machine_path(const struct machine *m, const char *file, char *path,
		  size_t cap)
{
	snprintf(path, cap, "%s/%s", m->folder, file);
}

/* Disks begin as zeros. */
static int disks_make(const struct machine *m, const struct machine_setup *s)
{
	char path[128];
	unsigned int i, k;
	int fd;

	for (i = 0; i < MACHINE_DISKS; i++) {
		for (k = 0; k < MACHINE_NAMESPACES && s->disk[i].mib[k]; k++) {
			machine_disk_path(m, i, k, path, sizeof(path));
			fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
				  0600);
			if (fd < 0)
				return -errno;
			if (ftruncate(fd, (off_t)s->disk[i].mib[k] << 20)) {
				close(fd);
				return -errno;
			}
			close(fd);
		}
	}
	return 0;
}

static void words_disk(struct words *w, const struct machine *m,
		       const struct machine_disk *d, unsigned int number)
{
	char path[128], word[1024];
	unsigned int k;
	size_t n;

	machine_disk_path(m, number, 0, path, sizeof(path));
	n = (size_t)snprintf(word, sizeof(word), "%s%s", path,
			     d->options ? d->options : "");
	for (k = 1; k < MACHINE_NAMESPACES && d->mib[k]; k++) {
		machine_disk_path(m, number, k, path, sizeof(path));
		n += (size_t)snprintf(word + n, sizeof(word) - n, ",ns=%s",
				      path);
	}
	words_add(w, "--nvme");
	words_add(w, "%s", word);
}

static void words_lkvm(struct words *w, const struct machine *m,
		       const struct machine_setup *s)
{
	char guest[PATH_MAX];
	unsigned int i;

	machine_guest(s, guest);
	words_add(w, "%s", machine_lkvm());
	words_add(w, "run");
	words_add(w, "--nodefaults");
	words_add(w, "--debug-exit");
	words_add(w, "--name");
	words_add(w, "%s", m->name);
	words_add(w, "-k");
	words_add(w, "%s", guest);
	words_add(w, "-c");
	words_add(w, "%u", s->cpus ? s->cpus : 1);
	words_add(w, "-m");
	words_add(w, "%u", s->mib ? s->mib : 64);
	words_add(w, "-p");
	words_add(w, "%s", s->params);
	for (i = 0; i < MACHINE_DISKS; i++)
		if (s->disk[i].mib[0])
			words_disk(w, m, &s->disk[i], i);
	for (i = 0; s->more[i]; i++)
		words_add(w, "%s", s->more[i]);
}

/* The child's side: standard files, and a runtime folder of its own. */
static void child_run(const struct machine *m, char *const *words, int in,
		      int out, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setenv("XDG_RUNTIME_DIR", m->folder, 1);
	signal(SIGPIPE, SIG_DFL);
	execvp(words[0], words);
	dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

static int process_start(struct machine *m, char *const *words)
{
	const pid_t parent = getpid();
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return -errno;
	}
	/* A machine that has ended must not end the test. */
	signal(SIGPIPE, SIG_IGN);
	fflush(NULL);
	m->pid = fork();
	if (!m->pid)
		child_run(m, words, in[0], out[1], parent);
	close(in[0]);
	close(out[1]);
	m->in = in[1];
	m->out = out[0];
	fcntl(m->in, F_SETFL, O_NONBLOCK);
	return m->pid < 0 ? -errno : 0;
}

/**
 * machine_start() - start a machine
 * @m: set up here; machine_destroy() is called however this ends
 * @s: what it shall be
 *
 * Return: 0, or a negative errno.
 */
int machine_start(struct machine *m, const struct machine_setup *s)
{
	const char *tmp = getenv("TMPDIR");
	struct words w = { .n = 0 };
	int ret;

	*m = (struct machine){ .in = -1, .out = -1 };
	m->console = calloc(1, 1);
	snprintf(m->folder, sizeof(m->folder), "%.40s/lkvm-kvm.XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!m->console || !mkdtemp(m->folder)) {
		m->folder[0] = '\0';
		return -errno;
	}
	snprintf(m->name, sizeof(m->name), "kvm-%d", getpid());
	ret = disks_make(m, s);
	if (ret)
		return ret;
	if (machine_is_qemu())
		machine_words_qemu(&w, m, s);
	else
		words_lkvm(&w, m, s);
	return process_start(m, w.word);
}

/* A machine that goes on from somewhere: @command is restore or receive. */
static int again_start(struct machine *m, const char *command,
		       const char *const *words)
{
	struct words w = { .n = 0 };

	words_add(&w, "%s", machine_lkvm());
	words_add(&w, "%s", command);
	words_add(&w, "--name");
	words_add(&w, "%s", m->name);
	while (*words)
		words_add(&w, "%s", *words++);
	return process_start(m, w.word);
}

static void machine_forget(struct machine *m)
{
	close(m->in);
	close(m->out);
	m->in = -1;
	m->out = -1;
	m->taken = m->len;
}

static int machine_share(struct machine *m, const struct machine *from,
			 const char *command, const char *const *words)
{
	*m = (struct machine){ .in = -1, .out = -1, .borrowed = true };
	m->console = calloc(1, 1);
	if (!m->console)
		return -ENOMEM;
	memcpy(m->folder, from->folder, sizeof(m->folder));
	snprintf(m->name, sizeof(m->name), "kvm-%d-%p", getpid(), (void *)m);
	return again_start(m, command, words);
}

/**
 * machine_restore() - start a machine from an image
 * @m: set up here; machine_destroy() is called however this ends
 * @from: the machine whose folder it shares; must be destroyed after it
 * @words: words for lkvm restore, ended by NULL
 *
 * Return: 0, or a negative errno.
 */
int machine_restore(struct machine *m, const struct machine *from,
		    const char *const *words)
{
	return machine_share(m, from, "restore", words);
}

/**
 * machine_receive() - wait for a machine that another one becomes
 * @m: set up here; machine_destroy() is called however this ends
 * @from: the machine whose folder it shares; must be destroyed after it
 * @words: words for lkvm receive, ended by NULL
 *
 * Return: 0, or a negative errno.
 */
int machine_receive(struct machine *m, const struct machine *from,
		    const char *const *words)
{
	return machine_share(m, from, "receive", words);
}

/**
 * machine_receive_again() - wait for a machine, once more
 * @m: the machine, which has ended; keeps its name and its folder
 * @words: words for lkvm receive, ended by NULL
 *
 * Return: 0, or a negative errno.
 */
int machine_receive_again(struct machine *m, const char *const *words)
{
	machine_forget(m);
	return again_start(m, "receive", words);
}

/**
 * machine_restore_again() - start a machine that has ended from an image
 * @m: the machine; keeps its name, its folder and what it has printed
 * @words: words for lkvm restore, ended by NULL
 *
 * Return: 0, or a negative errno.
 */
int machine_restore_again(struct machine *m, const char *const *words)
{
	machine_forget(m);
	return again_start(m, "restore", words);
}

/* Takes what the machine has printed. 1 for something, 0 for the end. */
static int console_take(struct machine *m)
{
	char buf[4096];
	const ssize_t n = read(m->out, buf, sizeof(buf));
	char *more;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	more = realloc(m->console, m->len + (size_t)n + 1);
	if (!more)
		abort();
	memcpy(more + m->len, buf, (size_t)n);
	m->console = more;
	m->len += (size_t)n;
	m->console[m->len] = '\0';
	return 1;
}

/* Waits for output. False at the end of it, or of time. */
static bool console_wait(struct machine *m, int64_t deadline)
{
	struct pollfd p = { .fd = m->out, .events = POLLIN };
	const int64_t left = deadline - now_ms();
	int ret;

	if (m->out < 0 || left <= 0)
		return false;
	ret = poll(&p, 1, (int)left);
	if (ret < 0)
		return errno == EINTR;
	return ret && console_take(m);
}

/**
 * machine_expect() - wait for a text on the console
 * @m:          machine
 * @text:       what to wait for, with the whole line it is in
 * @timeout_ms: how long
 *
 * The search goes on behind the line that was found last.
 *
 * Return: the text's place in the console's output, good until the next call;
 * or NULL if it does not come.
 */
const char *machine_expect(struct machine *m, const char *text, int timeout_ms)
{
	const int64_t deadline = now_ms() + timeout_ms;
	const char *found, *end;

	for (;;) {
		found = strstr(m->console + m->taken, text);
		end = found ? strchr(found, '\n') : NULL;
		if (end) {
			m->taken = (size_t)(end - m->console) + 1;
			return found;
		}
		if (!console_wait(m, deadline))
			return NULL;
	}
}

/**
 * machine_send() - type into the machine's console
 * @m:          machine
 * @data:       bytes
 * @len:        how many
 * @timeout_ms: how long it may take, as the guest may be slow
 *
 * Takes what the machine prints meanwhile.
 *
 * Return: true if all of it went in.
 */
bool machine_send(struct machine *m, const void *data, size_t len,
		  int timeout_ms)
{
	const int64_t deadline = now_ms() + timeout_ms;
	const char *p = data;
	ssize_t n;

	while (len && now_ms() < deadline) {
		struct pollfd fds[2] = {
			{ .fd = m->in, .events = POLLOUT },
			{ .fd = m->out, .events = POLLIN },
		};

		if (poll(fds, 2, 100) < 0 && errno != EINTR)
			return false;
		if ((fds[1].revents & (POLLIN | POLLHUP)) && !console_take(m))
			return false;
		if (!fds[0].revents)
			continue;
		n = write(m->in, p, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return !len;
}

static int end_of_lkvm(int code)
{
	switch (code) {
	case LKVM_OFF:
		return MACHINE_OFF;
	case LKVM_PANIC:
		return MACHINE_PANIC;
	case LKVM_TRIPLE_FAULT:
		return MACHINE_TRIPLE_FAULT;
	case LKVM_KILLED:
		return MACHINE_KILLED;
	}
	if (code >= LKVM_DEBUG_FIRST && code <= LKVM_DEBUG_LAST)
		return code - LKVM_DEBUG_FIRST;
	if (code > LKVM_SIGNAL)
		return MACHINE_SIGNAL + code - LKVM_SIGNAL;
	return MACHINE_OTHER;
}

/* Sets @status if the process ends before the deadline. */
static bool process_wait(pid_t pid, int64_t deadline, int *status)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	pid_t got;

	for (;;) {
		got = waitpid(pid, status, WNOHANG);
		if (got == pid)
			return true;
		if (now_ms() >= deadline || (got < 0 && errno != EINTR))
			return false;
		nanosleep(&nap, NULL);
	}
}

/**
 * machine_wait() - wait until the machine ends by itself
 * @m:          machine
 * @timeout_ms: how long
 *
 * Return: the value that the guest gave to the debug-exit port, a MACHINE_*
 * for another end, or -1 if it does not end.
 */
int machine_wait(struct machine *m, int timeout_ms)
{
	const int64_t deadline = now_ms() + timeout_ms;
	int status;

	while (console_wait(m, deadline))
		;
	if (!process_wait(m->pid, deadline, &status))
		return -1;
	m->pid = 0;
	if (!WIFEXITED(status)) {
		printf("# the machine's process ended by signal %d\n",
		       WTERMSIG(status));
		return MACHINE_OTHER;
	}
	status = WEXITSTATUS(status);
	return machine_is_qemu() ? machine_end_qemu(status) :
				   end_of_lkvm(status);
}

/**
 * machine_ends() - run a machine that needs nothing from outside to its end
 * @m:          set up here; machine_destroy() is called however this ends
 * @s:          what it shall be
 * @want:       how it shall end, see machine_wait()
 * @timeout_ms: how long
 *
 * Return: whether it did; if not, what it said has been shown.
 */
bool machine_ends(struct machine *m, const struct machine_setup *s, int want,
		  int timeout_ms)
{
	int end;

	if (machine_start(m, s))
		return false;
	end = machine_wait(m, timeout_ms);
	if (end == want)
		return true;
	machine_show(m);
	printf("# ended with %d instead of %d\n", end, want);
	return false;
}

/* Runs lkvm with these words; what it prints is in @m->said. */
static int tool_run(struct machine *m, const struct words *w, int timeout_ms)
{
	const int64_t deadline = now_ms() + timeout_ms;
	const pid_t parent = getpid();
	int status, fd;
	ssize_t n;
	pid_t pid;

	fd = open(m->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid)
		child_run(m, w->word, fd, fd, parent);
	if (pid > 0 && !process_wait(pid, deadline, &status)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	n = pread(fd, m->said, sizeof(m->said) - 1, 0);
	m->said[n < 0 ? 0 : n] = '\0';
	close(fd);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/**
 * machine_command() - run another command of lkvm for this machine
 * @m:          machine; "-n NAME" is put behind the words
 * @words:      the command and its options, ended by NULL
 * @timeout_ms: how long it may take; then it is killed
 *
 * What it prints, up to a limit, is in @m->said.
 *
 * Return: its exit code, or -1 if it did not end by itself in time.
 */
int machine_command(struct machine *m, const char *const *words,
		    int timeout_ms)
{
	struct words w = { .n = 0 };

	words_add(&w, "%s", machine_lkvm());
	while (*words)
		words_add(&w, "%s", *words++);
	words_add(&w, "-n");
	words_add(&w, "%s", m->name);
	return tool_run(m, &w, timeout_ms);
}

/**
 * machine_run() - run a command of lkvm that is not about one machine
 * @m:          machine, whose runtime folder it has, and for @m->said
 * @words:      the command and its options, ended by NULL
 * @timeout_ms: how long it may take; then it is killed
 *
 * Return: its exit code, or -1 if it did not end by itself in time.
 */
int machine_run(struct machine *m, const char *const *words, int timeout_ms)
{
	struct words w = { .n = 0 };

	words_add(&w, "%s", machine_lkvm());
	while (*words)
		words_add(&w, "%s", *words++);
	return tool_run(m, &w, timeout_ms);
}

/**
 * machine_verify() - is a snapshot whole?
 * @m:          machine, for @m->said
 * @path:       the file
 * @timeout_ms: how long that may take
 *
 * Return: the exit code of "lkvm snapshot verify".
 */
int machine_verify(struct machine *m, const char *path, int timeout_ms)
{
	struct words w = { .n = 0 };

	words_add(&w, "%s", machine_lkvm());
	words_add(&w, "snapshot");
	words_add(&w, "verify");
	words_add(&w, "%s", path);
	return tool_run(m, &w, timeout_ms);
}

/**
 * machine_begin() - start another command of lkvm, and do not wait
 * @m:     machine; "-n NAME" is put behind the words
 * @words: the command and its options, ended by NULL
 *
 * Return: its process, which the caller waits for; or a negative errno.
 */
pid_t machine_begin(struct machine *m, const char *const *words)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const pid_t parent = getpid();
	struct words w = { .n = 0 };
	pid_t pid;

	words_add(&w, "%s", machine_lkvm());
	while (*words)
		words_add(&w, "%s", *words++);
	words_add(&w, "-n");
	words_add(&w, "%s", m->name);
	fflush(NULL);
	pid = fork();
	if (!pid)
		child_run(m, w.word, null, null, parent);
	close(null);
	return pid < 0 ? -errno : pid;
}

/**
 * machine_show() - print the console as comments, after a failure
 * @m: machine
 */
void machine_show(const struct machine *m)
{
	const char *p = m->console;

	while (p && *p) {
		const size_t n = strcspn(p, "\n");

		printf("# console: %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
	/* The harness ends a failed test without that. */
	fflush(stdout);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/**
 * machine_destroy() - end the machine if it still runs, and remove its folder
 * @m: machine, from machine_start() whatever that returned
 */
void machine_destroy(struct machine *m)
{
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
	}
	if (m->in >= 0)
		close(m->in);
	if (m->out >= 0)
		close(m->out);
	if (m->folder[0] && !m->borrowed)
		nftw(m->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(m->console);
}
