// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices/block: opening disks, sizes, locks, and the null disk
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"

#include "tests/lib/block_disk.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

static char last_warning[512];

static void keep_warning(enum log_level level, const char *line)
{
	if (level == LOG_WARNING)
		snprintf(last_warning, sizeof(last_warning), "%s", line);
}

FIXTURE(open) {
	struct test_dir dir;
	struct block_config config;
	struct error err;
	struct block *blk;
	char path[200];
};

FIXTURE_SETUP(open)
{
	memset(&self->err, 0, sizeof(self->err));
	memset(&self->config, 0, sizeof(self->config));
	self->blk = NULL;
	ASSERT_EQ(0, test_dir_make(&self->dir));
	test_dir_file(&self->dir, "disk", self->path, sizeof(self->path));
	ASSERT_EQ(0, test_image_make(self->path, MIB));
	self->config.path = self->path;
	log_set_sink(keep_warning, LOG_WARNING);
	last_warning[0] = 0;
}

FIXTURE_TEARDOWN(open)
{
	block_close(self->blk);
	test_dir_remove(&self->dir);
}

#define EXPECT_REFUSED(code, word) do {					\
	EXPECT_EQ(code, block_open(&self->config, &self->blk, &self->err)); \
	EXPECT_NE(NULL, strstr(self->err.text, self->config.path));	\
	EXPECT_NE(NULL, strstr(self->err.text, word)) {			\
		TH_LOG("%s", self->err.text);				\
	}								\
	EXPECT_EQ(NULL, strchr(self->err.text, '\n'));			\
} while (0)

TEST_F(open, a_missing_disk)
{
	char path[250];

	self->config.path = test_dir_file(&self->dir, "none", path,
					  sizeof(path));
	EXPECT_REFUSED(-ENOENT, "No such file");
	EXPECT_NE(NULL, strstr(self->err.text, "truncate"));
}

TEST_F(open, a_directory)
{
	self->config.path = self->dir.path;
	EXPECT_REFUSED(-EISDIR, "directory");
	self->config.readonly = true;
	EXPECT_REFUSED(-EISDIR, "directory");
}

TEST_F(open, a_fifo_does_not_hang)
{
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_REFUSED(-EINVAL, "neither a file nor a block device");
}

TEST_F(open, a_character_device)
{
	self->config.path = "/dev/zero";
	EXPECT_REFUSED(-EINVAL, "neither a file nor a block device");
}

TEST_F(open, an_empty_file)
{
	ASSERT_EQ(0, truncate(self->path, 0));
	EXPECT_REFUSED(-EINVAL, "empty");
}

TEST_F(open, less_than_a_block)
{
	ASSERT_EQ(0, truncate(self->path, 511));
	EXPECT_REFUSED(-EINVAL, "less than a block");
}

TEST_F(open, no_permission)
{
	pid_t child;
	int status;

	ASSERT_EQ(0, chmod(self->path, 0444));
	ASSERT_EQ(0, chmod(self->dir.path, 0755));
	child = fork();
	if (!child) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(3);
		if (block_open(&self->config, &self->blk, &self->err) !=
		    -EACCES || !strstr(self->err.text, ",ro"))
			_exit(1);
		self->config.readonly = true;
		_exit(block_open(&self->config, &self->blk, &self->err) ? 2 : 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(open, an_odd_size_is_rounded_down_and_said)
{
	self->config.cache = BLOCK_CACHE_WRITEBACK;
	ASSERT_EQ(0, truncate(self->path, 10000));
	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	EXPECT_EQ(9728, block_info(self->blk)->size);
	EXPECT_NE(NULL, strstr(last_warning, "272 bytes"));
}

TEST_F(open, a_readonly_disk_is_never_written)
{
	struct iothread t;
	struct test_io io;
	u8 *buf = aligned_alloc(4096, 4096);
	struct iovec iov = { buf, 4096 };

	self->config.readonly = true;
	self->config.discard = true;
	ASSERT_EQ(0, iothread_init(&t, "test", 8, &self->err));
	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	EXPECT_TRUE(block_info(self->blk)->readonly);
	test_io_init(&io);
	block_write(self->blk, &t, &io.req, &iov, 1, 0, 0);
	EXPECT_EQ(-EROFS, test_io_wait(&t, &io));
	test_io_init(&io);
	block_write_zeroes(self->blk, &t, &io.req, 0, 4096, 0);
	EXPECT_EQ(-EROFS, test_io_wait(&t, &io));
	test_io_init(&io);
	block_discard(self->blk, &t, &io.req, 0, 4096);
	EXPECT_EQ(-EROFS, test_io_wait(&t, &io));
	test_io_init(&io);
	block_flush(self->blk, &t, &io.req);
	EXPECT_EQ(0, test_io_wait(&t, &io));
	test_io_init(&io);
	block_read(self->blk, &t, &io.req, &iov, 1, 0);
	EXPECT_EQ(0, test_io_wait(&t, &io));
	iothread_destroy(&t);
	free(buf);
}

TEST_F(open, discards_that_are_off_do_nothing)
{
	struct iothread t;
	struct test_io io;
	int fd = open(self->path, O_RDWR | O_CLOEXEC);
	struct stat before, after;

	ASSERT_EQ(0, posix_fallocate(fd, 0, MIB));
	ASSERT_EQ(0, fstat(fd, &before));
	ASSERT_EQ(0, iothread_init(&t, "test", 8, &self->err));
	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	EXPECT_EQ(0, block_info(self->blk)->discard_granularity);
	test_io_init(&io);
	block_discard(self->blk, &t, &io.req, 0, MIB);
	EXPECT_EQ(0, test_io_wait(&t, &io));
	test_io_init(&io);
	block_write_zeroes(self->blk, &t, &io.req, 0, MIB, BLOCK_MAY_DISCARD);
	EXPECT_EQ(0, test_io_wait(&t, &io));
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_EQ(before.st_blocks, after.st_blocks);
	iothread_destroy(&t);
	close(fd);
}

/* ---- locks ---- */

#define HOLD_ENV	"LKVM_TEST_HOLD"

/*
 * Started anew with HOLD_ENV set, this program is somebody else who uses the
 * disk: it opens it, says so on standard output, and waits for its end.
 */
static void __attribute__((constructor)) hold_if_asked(void)
{
	struct block_config config = { .path = getenv(HOLD_ENV) };
	struct error err = ERROR_INIT;
	struct block *blk;

	if (!config.path)
		return;
	config.readonly = !!getenv("LKVM_TEST_HOLD_RO");
	prctl(PR_SET_NAME, "lkvm");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (block_open(&config, &blk, &err) < 0 || write(1, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_holder(const char *path, bool readonly, const char *name)
{
	int pipe_fds[2];
	pid_t child;
	char x;

	if (pipe(pipe_fds) < 0)
		return -1;
	child = fork();
	if (!child) {
		dup2(pipe_fds[1], 1);
		setenv(HOLD_ENV, path, 1);
		if (readonly)
			setenv("LKVM_TEST_HOLD_RO", "1", 1);
		execl("/proc/self/exe", "lkvm", "run", "--nvme", path,
		      name ? "--name" : NULL, name, NULL);
		_exit(1);
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &x, 1) != 1)
		child = -1;
	close(pipe_fds[0]);
	return child;
}

static void end_holder(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_F(open, a_disk_in_use_is_refused_with_the_name_of_the_machine)
{
	pid_t child = start_holder(self->path, false, "web1");
	char pid[32];

	ASSERT_LT(0, child);
	snprintf(pid, sizeof(pid), "pid %d", child);
	EXPECT_REFUSED(-EBUSY, "\"web1\"");
	EXPECT_NE(NULL, strstr(self->err.text, pid));
	self->config.readonly = true;
	EXPECT_REFUSED(-EBUSY, "writes to it");
	end_holder(child);
	EXPECT_EQ(0, block_open(&self->config, &self->blk, &self->err));
}

TEST_F(open, a_holder_without_a_name_is_told_by_its_pid)
{
	pid_t child = start_holder(self->path, false, NULL);
	char pid[32];

	ASSERT_LT(0, child);
	snprintf(pid, sizeof(pid), "lkvm (pid %d)", child);
	EXPECT_REFUSED(-EBUSY, pid);
	end_holder(child);
}

TEST_F(open, names_of_others_do_not_reach_the_terminal_raw)
{
	pid_t child = start_holder(self->path, false, "a\033[2Jb\nc");

	ASSERT_LT(0, child);
	EXPECT_REFUSED(-EBUSY, "a?[2Jb?c");
	end_holder(child);
}

TEST_F(open, readers_share_and_keep_writers_out)
{
	pid_t child = start_holder(self->path, true, "reader");

	ASSERT_LT(0, child);
	EXPECT_REFUSED(-EBUSY, "\"reader\"");
	self->config.readonly = true;
	EXPECT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	end_holder(child);
}

TEST_F(open, one_process_cannot_use_a_disk_twice_either)
{
	struct block *second;

	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	EXPECT_EQ(-EBUSY, block_open(&self->config, &second, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "in use by"));
}

TEST_F(open, the_lock_can_be_given_away_and_taken)
{
	struct block *second;

	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	self->config.no_lock = true;
	ASSERT_EQ(0, block_open(&self->config, &second, &self->err));
	EXPECT_EQ(-EBUSY, block_lock(second, &self->err));
	EXPECT_EQ(0, block_lock(self->blk, &self->err));
	block_unlock(self->blk);
	EXPECT_EQ(0, block_lock(second, &self->err));
	EXPECT_EQ(-EBUSY, block_lock(self->blk, &self->err));
	block_close(second);
	EXPECT_EQ(0, block_lock(self->blk, &self->err));
}

/* ---- the null disk ---- */

TEST_F(open, null_sizes)
{
	static const struct {
		const char *path;
		u64 size;
	} cases[] = {
		{ "null:512", 512 },
		{ "null:8G", 8 * GIB },
		{ "null:1000", 512 },
		{ "null:", 0 },
		{ "null:0", 0 },
		{ "null:511", 0 },
		{ "null:x", 0 },
		{ "null:8G8", 0 },
		{ "null:99999999999T", 0 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		self->config.path = cases[i].path;
		if (!cases[i].size) {
			EXPECT_REFUSED(-EINVAL, "null:");
			continue;
		}
		ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
		EXPECT_EQ(cases[i].size, block_info(self->blk)->size);
		block_close(self->blk);
		self->blk = NULL;
	}
}

TEST_F(open, the_null_disk_reads_zeros_in_the_loops_next_turn)
{
	enum { NR = 500 };
	struct test_io *ios = calloc(NR, sizeof(*ios));
	struct iothread t;
	struct iovec iov[NR];
	u8 buf[4096];
	u32 i, done = 0;

	self->config.path = "null:1M";
	ASSERT_EQ(0, iothread_init(&t, "test", 8, &self->err));
	ASSERT_EQ(0, block_open(&self->config, &self->blk, &self->err));
	memset(buf, 1, sizeof(buf));
	for (i = 0; i < NR; i++) {
		test_io_init(&ios[i]);
		iov[i] = (struct iovec){ buf, sizeof(buf) };
		block_read(self->blk, &t, &ios[i].req, &iov[i], 1, 4096);
		EXPECT_EQ(0, ios[i].calls);
	}
	EXPECT_EQ(NR, block_in_flight(self->blk));
	iothread_run_once(&t, true);
	for (i = 0; i < NR; i++)
		done += ios[i].calls == 1 && !ios[i].res;
	EXPECT_EQ(NR, done);
	for (i = 0; i < sizeof(buf); i++)
		ASSERT_EQ(0, buf[i]);
	EXPECT_FALSE(block_cancel(&ios[0].req));
	EXPECT_EQ(0, block_in_flight(self->blk));
	iothread_destroy(&t);
	free(ios);
}

TEST_HARNESS_MAIN
