// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the user's terminal is raw while a guest runs, and in order afterwards
 *
 * lkvm runs on a pseudo terminal whose settings the test compares: before,
 * while the guest runs, and after each way in which lkvm can end.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "tests/kvm/machine.h"
#include "tests/kvm/machine_priv.h"
#include "tests/lib/harness.h"

#define LIMIT_S		180
#define WAIT_MS		60000

/**
 * struct terminal - lkvm on a pseudo terminal
 * @user: the user's end
 * @tty: the program's end
 * @pid: lkvm
 * @folder: its runtime folder
 * @shown: all that was on the screen
 * @len: bytes of it
 * @before: settings at the start
 */
struct terminal {
	int user;
	int tty;
	pid_t pid;
	char folder[32];
	char shown[16384];
	size_t len;
	struct termios before;
};

FIXTURE(terminal)
{
	struct terminal t;
};

static bool same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

static bool is_raw(const struct terminal *t)
{
	struct termios now;

	return !tcgetattr(t->tty, &now) && !(now.c_lflag & (ICANON | ECHO)) &&
	       !(now.c_lflag & ISIG);
}

static bool is_restored(const struct terminal *t)
{
	struct termios now;

	return !tcgetattr(t->tty, &now) && same_settings(&now, &t->before);
}

static void child(const struct terminal *t, const char *params)
{
	const struct machine_setup setup = { .params = params };
	const struct rlimit no_core = { 0, 0 };
	char guest[PATH_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	setsid();
	ioctl(t->tty, TIOCSCTTY, 0);
	dup2(t->tty, STDIN_FILENO);
	dup2(t->tty, STDOUT_FILENO);
	dup2(t->tty, STDERR_FILENO);
	setenv("XDG_RUNTIME_DIR", t->folder, 1);
	machine_guest(&setup, guest);
	execl(machine_lkvm(), "lkvm", "run", "--nodefaults", "--debug-exit",
	      "-k", guest, "-m", "64", "-c", "1", "--name", "tty", "-p", params,
	      NULL);
	_exit(127);
}

static bool start(struct terminal *t, const char *params)
{
	memset(t, 0, sizeof(*t));
	t->user = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->user < 0 || grantpt(t->user) || unlockpt(t->user))
		return false;
	t->tty = open(ptsname(t->user), O_RDWR | O_NOCTTY | O_CLOEXEC);
	strcpy(t->folder, "/tmp/lkvm-tty-XXXXXX");
	if (t->tty < 0 || tcgetattr(t->tty, &t->before) || !mkdtemp(t->folder))
		return false;
	t->pid = fork();
	if (!t->pid)
		child(t, params);
	return t->pid > 0;
}

/* True when @text was shown. */
static bool expect(struct terminal *t, const char *text)
{
	struct pollfd p = { .fd = t->user, .events = POLLIN };
	int waited;
	ssize_t n;

	for (waited = 0; waited < WAIT_MS && !strstr(t->shown, text);) {
		if (poll(&p, 1, 100) <= 0) {
			waited += 100;
			continue;
		}
		n = read(t->user, t->shown + t->len,
			 sizeof(t->shown) - 1 - t->len);
		if (n <= 0)
			break;
		t->len += (size_t)n;
	}
	return strstr(t->shown, text);
}

/* The exit code, or 1000 plus the signal. */
static int end_of(struct terminal *t)
{
	int status, waited;

	for (waited = 0; waited < WAIT_MS; waited += 10) {
		if (waitpid(t->pid, &status, WNOHANG) == t->pid) {
			t->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   1000 + WTERMSIG(status);
		}
		usleep(10000);
	}
	return -1;
}

static char state_of(pid_t pid)
{
	char path[64], text[512] = "", *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	at = strrchr(text, ')');
	return at && at[1] ? at[2] : '?';
}

static bool wait_state(const struct terminal *t, bool stopped)
{
	int waited;

	for (waited = 0; waited < WAIT_MS; waited += 10) {
		if ((state_of(t->pid) == 'T') == stopped)
			return true;
		usleep(10000);
	}
	return false;
}

static bool wait_raw(const struct terminal *t)
{
	int waited;

	for (waited = 0; waited < WAIT_MS && !is_raw(t); waited += 10)
		usleep(10000);
	return is_raw(t);
}

FIXTURE_VARIANT(terminal)
{
	const char *params;
	const char *says;
	const char *keys;
	int sig;
	int end;
	bool stop;	/* and let it go on, first */
};

FIXTURE_VARIANT_ADD(terminal, ctrl_a_x) {
	.params = "test=idle",
	.says = "guest: idle",
	.keys = "\001x",
	.end = 5,
};

FIXTURE_VARIANT_ADD(terminal, keys_before_it) {
	.params = "test=idle",
	.says = "guest: idle",
	.keys = "x\001a\001\001ab\003\032\034\001x",
	.end = 5,
};

FIXTURE_VARIANT_ADD(terminal, stopped_meanwhile) {
	.params = "test=idle",
	.says = "guest: idle",
	.keys = "\001x",
	.end = 5,
	.stop = true,
};

FIXTURE_VARIANT_ADD(terminal, guest_ends) {
	.params = "test=hello",
	.says = "guest: pass hello",
	.end = 80,
};

FIXTURE_VARIANT_ADD(terminal, guest_powers_off) {
	.params = "test=poweroff",
	.says = "guest: start",
	.end = 0,
};

FIXTURE_VARIANT_ADD(terminal, guest_faults) {
	.params = "test=triple-fault",
	.says = "guest: start",
	.end = 4,
};

FIXTURE_VARIANT_ADD(terminal, sigterm) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGTERM,
	.end = 128 + SIGTERM,
};

FIXTURE_VARIANT_ADD(terminal, sigint) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGINT,
	.end = 128 + SIGINT,
};

FIXTURE_VARIANT_ADD(terminal, sighup) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGHUP,
	.end = 128 + SIGHUP,
};

FIXTURE_VARIANT_ADD(terminal, sigquit) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGQUIT,
	.end = 128 + SIGQUIT,
};

FIXTURE_VARIANT_ADD(terminal, sigsegv) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGSEGV,
	.end = 1000 + SIGSEGV,
};

FIXTURE_VARIANT_ADD(terminal, sigabrt) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGABRT,
	.end = 1000 + SIGABRT,
};

FIXTURE_VARIANT_ADD(terminal, sigbus) {
	.params = "test=idle",
	.says = "guest: idle",
	.sig = SIGBUS,
	.end = 1000 + SIGBUS,
};

FIXTURE_SETUP(terminal)
{
}

FIXTURE_TEARDOWN(terminal)
{
	struct terminal *t = &self->t;
	char path[64];

	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	/* A crash leaves them, for the next lkvm to find. */
	snprintf(path, sizeof(path), "%s/lkvm/tty.sock", t->folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lkvm/tty.lock", t->folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lkvm", t->folder);
	rmdir(path);
	rmdir(t->folder);
}

TEST_F_TIMEOUT(terminal, is_restored, LIMIT_S)
{
	struct terminal *t = &self->t;
	int end;

	if (machine_unavailable() || machine_is_qemu())
		SKIP(return, "%s", machine_is_qemu() ? "this is about lkvm" :
		     machine_unavailable());
	ASSERT_TRUE(start(t, variant->params));
	EXPECT_TRUE(expect(t, variant->says))
		TH_LOG("shown: %s", t->shown);
	if (variant->keys || variant->sig)
		EXPECT_TRUE(is_raw(t));
	if (variant->stop) {
		EXPECT_EQ(0, kill(t->pid, SIGTSTP));
		EXPECT_TRUE(wait_state(t, true));
		EXPECT_TRUE(is_restored(t));
		EXPECT_EQ(0, kill(t->pid, SIGCONT));
		EXPECT_TRUE(wait_raw(t));
	}
	if (variant->keys)
		EXPECT_LT(0, write(t->user, variant->keys,
				   strlen(variant->keys)));
	if (variant->sig)
		EXPECT_EQ(0, kill(t->pid, variant->sig));
	end = end_of(t);
	EXPECT_EQ(variant->end, end)
		TH_LOG("shown: %s", t->shown);
	EXPECT_TRUE(is_restored(t));
}

TEST_HARNESS_MAIN
