// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: names of machines: one owner at a time, nothing left behind
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"
#include "vmm/cli/control.h"
#include "vmm/cli/runtime.h"

#define RACERS	8
#define CLEANERS 2	/* of them */
#define ROUNDS	60

FIXTURE(runtime)
{
	char base[32];
	char dir[48];
	struct error err;
};

FIXTURE_SETUP(runtime)
{
	strcpy(self->base, "/tmp/lkvm-test-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->base));
	snprintf(self->dir, sizeof(self->dir), "%s/lkvm", self->base);
	ASSERT_EQ(0, setenv("XDG_RUNTIME_DIR", self->base, 1));
}

/* Fails when a test leaves anything behind. */
FIXTURE_TEARDOWN(runtime)
{
	EXPECT_TRUE(!rmdir(self->dir) || errno == ENOENT);
	EXPECT_EQ(0, rmdir(self->base));
}

TEST(names)
{
	static const char *const good[] = {
		"a", "guest-123", "A.b_c-d", "9",
		"123456789012345678901234567890123456789012345678",
	};
	static const char *const bad[] = {
		"", ".", "..", "-a", ".a", "_a", "a/b", "a b", "a\n", "\303\244",
		"1234567890123456789012345678901234567890123456789",
	};
	struct error err = ERROR_INIT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT_EQ(0, runtime_check_name(good[i], &err))
			TH_LOG("%s", good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, runtime_check_name(bad[i], &err))
			TH_LOG("%s", bad[i]);
}

TEST_F(runtime, folder_and_files_are_the_owners)
{
	struct runtime_claim claim;
	char lock[64];
	struct stat st;

	ASSERT_EQ(0, runtime_claim(&claim, "box", &self->err));
	ASSERT_EQ(0, stat(self->dir, &st));
	EXPECT_EQ(S_IFDIR | 0700, st.st_mode);
	snprintf(lock, sizeof(lock), "%s/box.lock", self->dir);
	ASSERT_EQ(0, stat(lock, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	runtime_release(&claim);
	EXPECT_NE(0, stat(lock, &st));
}

TEST_F(runtime, busy_name_is_refused_with_its_owner)
{
	struct runtime_claim claim, second;
	char pid[16];

	ASSERT_EQ(0, runtime_claim(&claim, "box", &self->err));
	EXPECT_EQ(-EBUSY, runtime_claim(&second, "box", &self->err));
	snprintf(pid, sizeof(pid), "PID %d", getpid());
	EXPECT_NE(NULL, strstr(self->err.text, pid));
	EXPECT_NE(NULL, strstr(self->err.text, "box"));
	EXPECT_NE(NULL, strstr(self->err.text, "--name"));
	ASSERT_EQ(0, runtime_claim(&second, "other", &self->err));
	runtime_release(&second);
	runtime_release(&claim);
	ASSERT_EQ(0, runtime_claim(&second, "box", &self->err));
	runtime_release(&second);
}

static void touch(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

TEST_F(runtime, foreign_folders_are_refused)
{
	struct runtime rt;

	ASSERT_EQ(0, mkdir(self->dir, 0755));
	EXPECT_EQ(-EPERM, runtime_open(&rt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "chmod 700"));
	if (!geteuid()) {
		ASSERT_EQ(0, chmod(self->dir, 0700));
		ASSERT_EQ(0, chown(self->dir, 1, 1));
		EXPECT_EQ(-EPERM, runtime_open(&rt, &self->err));
		EXPECT_NE(NULL, strstr(self->err.text, "user 1"));
	}
	ASSERT_EQ(0, rmdir(self->dir));
	ASSERT_EQ(0, symlink("/tmp", self->dir));
	EXPECT_GT(0, runtime_open(&rt, &self->err));
	ASSERT_EQ(0, unlink(self->dir));
	touch(self->dir);
	EXPECT_GT(0, runtime_open(&rt, &self->err));
	ASSERT_EQ(0, unlink(self->dir));
}

TEST_F(runtime, long_path_is_refused_with_the_remedy)
{
	struct runtime rt;
	char path[200];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	ASSERT_EQ(0, setenv("XDG_RUNTIME_DIR", path, 1));
	EXPECT_EQ(-ENAMETOOLONG, runtime_open(&rt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "XDG_RUNTIME_DIR"));
}

/* A machine that was killed: its lock file and a socket that nobody hears. */
static void leave_stale(const char *name)
{
	struct runtime_claim claim;
	struct sockaddr_un addr;
	int fd, status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (runtime_claim(&claim, name, NULL))
			_exit(1);
		runtime_socket(&claim.runtime, name, &addr);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		    listen(fd, 1))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert(WIFSIGNALED(status));
}

TEST_F(runtime, stale_machines_are_found_and_removed)
{
	struct runtime_claim claim;
	struct runtime rt;
	char **names;
	int fd;
	u32 nr;

	leave_stale("dead");
	leave_stale("gone");
	ASSERT_EQ(0, runtime_open(&rt, &self->err));
	ASSERT_EQ(0, runtime_names(&rt, &names, &nr, &self->err));
	ASSERT_EQ(2, nr);
	EXPECT_STREQ("dead", names[0]);
	EXPECT_STREQ("gone", names[1]);
	runtime_names_free(names, nr);
	/* Asking for it removes it, and so does taking its name. */
	EXPECT_EQ(-ENOENT, control_connect(&rt, "dead", &fd, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "lkvm list"));
	ASSERT_EQ(0, runtime_claim(&claim, "gone", &self->err));
	EXPECT_FALSE(runtime_remove_stale(&rt, "gone"));
	runtime_release(&claim);
	ASSERT_EQ(0, runtime_names(&rt, &names, &nr, &self->err));
	EXPECT_EQ(0, nr);
	runtime_names_free(names, nr);
	runtime_close(&rt);
}

TEST_F(runtime, one_that_starts_is_not_stale)
{
	struct runtime_claim claim;
	struct sockaddr_un addr;
	int fd, other;

	ASSERT_EQ(0, runtime_claim(&claim, "box", &self->err));
	runtime_socket(&claim.runtime, "box", &addr);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	/* Bound, not yet listening: connecting is refused. */
	EXPECT_EQ(-EAGAIN, control_connect(&claim.runtime, "box", &other,
					   &self->err));
	EXPECT_EQ(0, access(addr.sun_path, F_OK));
	close(fd);
	runtime_release(&claim);
}

/* Who looks for stale machines meanwhile never takes the name from anybody. */
static void clean_up(void)
{
	struct runtime rt;
	int i;

	if (runtime_open(&rt, NULL))
		_exit(9);
	for (i = 0; i < 50; i++)
		runtime_remove_stale(&rt, "box");
	_exit(1);
}

static pid_t start_racer(int go, int hold, bool cleaner)
{
	struct runtime_claim claim;
	pid_t pid = fork();
	char c;
	int ret;

	if (pid)
		return pid;
	if (read(go, &c, 1) < 0)
		_exit(9);
	if (cleaner)
		clean_up();
	ret = runtime_claim(&claim, "box", NULL);
	if (!ret) {
		/* Owns it until all have tried. */
		if (read(hold, &c, 1) < 0)
			_exit(9);
		runtime_release(&claim);
	}
	_exit(ret == -EBUSY ? 1 : ret ? 2 : 0);
}

/* Exactly one wins, with and without something stale in the way. */
TEST_F(runtime, race_for_a_name_has_one_winner)
{
	int round, i, status, won, lost, go[2], hold[2];
	pid_t who;

	for (round = 0; round < ROUNDS; round++) {
		if (round % 2)
			leave_stale("box");
		ASSERT_EQ(0, pipe(go));
		ASSERT_EQ(0, pipe(hold));
		for (i = 0; i < RACERS; i++)
			ASSERT_LT(0, start_racer(go[0], hold[0],
						 i < CLEANERS));
		ASSERT_EQ(RACERS, write(go[1], "gogogogogo", RACERS));
		for (i = 0, won = 0, lost = 0; i < RACERS; i++) {
			/* All but the winner end by themselves. */
			if (i == RACERS - 1)
				ASSERT_EQ(1, write(hold[1], "x", 1));
			who = waitpid(-1, &status, 0);
			ASSERT_LT(0, who);
			ASSERT_TRUE(WIFEXITED(status));
			won += WEXITSTATUS(status) == 0;
			lost += WEXITSTATUS(status) == 1;
		}
		EXPECT_EQ(1, won)
			TH_LOG("round %d", round);
		EXPECT_EQ(RACERS - 1, lost);
		close(go[0]);
		close(go[1]);
		close(hold[0]);
		close(hold[1]);
	}
	EXPECT_EQ(0, access(self->dir, F_OK));
}

TEST_HARNESS_MAIN
