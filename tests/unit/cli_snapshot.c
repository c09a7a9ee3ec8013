// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: commands of the control socket that take their time, by the one there is
 *
 * A machine without vCPUs, whose memory is full of random data so that a
 * snapshot of it takes a while. The test is the main loop and all clients, on
 * one thread; a snapshot cannot end unless the test runs the loop.
 */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "migration/image.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"
#include "vmm/cli/control.h"
#include "vmm/vm.h"

#define RAM		(96 * MIB)
#define PATIENCE	60000	/* rounds of a millisecond */

FIXTURE(snapshot)
{
	struct vm *vm;
	struct control *control;
	struct sockaddr_un addr;
	struct error err;
	struct test_random rnd;
	char dir[64];
	char path[96];
	u32 events;
};

FIXTURE_SETUP(snapshot)
{
	test_random_init(&self->rnd);
	strcpy(self->dir, "/var/tmp/lkvm-control-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	self->addr.sun_family = AF_UNIX;
	snprintf(self->addr.sun_path, sizeof(self->addr.sun_path), "%s/s",
		 self->dir);
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", self->dir);
	self->vm = testvm_create(RAM);
	self->vm->description = strdup("description");
	self->vm->description_len = 12;
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	test_random_fill(&self->rnd, testvm_ram(self->vm, TESTVM_RAM, RAM), RAM);
	ASSERT_EQ(0, control_create(self->vm, &self->addr, &self->control,
				    &self->err))
		TH_LOG("%s", self->err.text);
}

FIXTURE_TEARDOWN(snapshot)
{
	control_destroy(self->control);
	testvm_destroy(self->vm);
	unlink(self->addr.sun_path);
	unlink(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

static int new_client(FIXTURE_DATA(snapshot) *self)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (const struct sockaddr *)&self->addr,
		    sizeof(self->addr)))
		return -errno;
	return fd;
}

/* The next line as an object, NULL when none comes or the connection ends. */
static struct json_object *next_line(FIXTURE_DATA(snapshot) *self, int fd)
{
	static char line[CONTROL_LINE_MAX];
	size_t len = 0;
	u32 rounds = 0;
	ssize_t n;

	while (rounds < PATIENCE && len < sizeof(line) - 1) {
		n = recv(fd, line + len, 1, 0);
		if (!n)
			return NULL;
		if (n < 0) {
			iothread_run_once(&self->vm->loop, false);
			usleep(1000);
			rounds++;
			continue;
		}
		len += (size_t)n;
		if (line[len - 1] == '\n') {
			line[len] = 0;
			return json_tokener_parse(line);
		}
	}
	return NULL;
}

/* The answer; events before it are counted and looked at. */
static struct json_object *answer(struct __test_metadata *_metadata,
				  FIXTURE_DATA(snapshot) *self, int fd)
{
	struct json_object *obj, *event, *v;
	s64 before = 0;

	self->events = 0;
	while ((obj = next_line(self, fd))) {
		if (!json_object_object_get_ex(obj, "event", &event))
			return obj;
		self->events++;
		EXPECT_TRUE(json_object_object_get_ex(obj, "id", &v));
		EXPECT_TRUE(json_object_object_get_ex(event, "phase", &v));
		EXPECT_TRUE(json_object_object_get_ex(event, "total-bytes",
						      &v));
		EXPECT_LE(1, json_object_get_int64(v));
		EXPECT_TRUE(json_object_object_get_ex(event, "done-bytes",
						      &v));
		EXPECT_LE(before, json_object_get_int64(v));
		before = json_object_get_int64(v);
		json_object_put(obj);
	}
	return NULL;
}

static bool say(int fd, const char *line)
{
	return send(fd, line, strlen(line), MSG_NOSIGNAL) ==
		(ssize_t)strlen(line);
}

static bool ask_snapshot(FIXTURE_DATA(snapshot) *self, int fd, const char *mode)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "{\"id\":\"x\",\"command\":\"snapshot\",\"arguments\":{\"path\":\"%s\",\"mode\":\"%s\",\"threads\":1}}\n",
		 self->path, mode);
	return say(fd, line);
}

/* Asks for one, and returns when it is under way. */
static bool begin(FIXTURE_DATA(snapshot) *self, int fd, const char *mode)
{
	u32 rounds;

	if (!ask_snapshot(self, fd, mode))
		return false;
	for (rounds = 0; rounds < PATIENCE; rounds++) {
		iothread_run_once(&self->vm->loop, false);
		if (!list_is_empty(&self->control->jobs))
			return true;
		usleep(1000);
	}
	return false;
}

static const char *at(struct json_object *obj, const char *first,
		      const char *second)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(obj, first, &v))
		return "";
	if (second && !json_object_object_get_ex(v, second, &v))
		return "";
	return v ? json_object_get_string(v) : "null";
}

#define EXPECT_ANSWER(fd, first, second, want) do {			\
	struct json_object *__obj = answer(_metadata, self, fd);	\
									\
	EXPECT_STREQ(want, at(__obj, first, second))			\
		TH_LOG("answer: %s", json_object_to_json_string(__obj)); \
	json_object_put(__obj);						\
} while (0)

/* Files but for the socket: 0 is none, 1 the snapshot alone. */
static u32 files(FIXTURE_DATA(snapshot) *self)
{
	struct dirent *e;
	u32 n = 0;
	DIR *dir;

	dir = opendir(self->dir);
	while (dir && (e = readdir(dir)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
			strcmp(e->d_name, "s");
	closedir(dir);
	return n;
}

static void run_until_idle(FIXTURE_DATA(snapshot) *self)
{
	u32 rounds;

	for (rounds = 0; rounds < PATIENCE &&
	     !list_is_empty(&self->control->jobs); rounds++) {
		iothread_run_once(&self->vm->loop, false);
		usleep(1000);
	}
}

static bool is_whole(FIXTURE_DATA(snapshot) *self)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = self->path,
	};
	struct channel *ch;
	struct image *image;
	bool whole;

	if (channel_file_open(&config, &ch, &self->err))
		return false;
	whole = !image_open(ch, &image, &self->err);
	if (whole) {
		whole = !image_verify(image, 2, NULL, &self->err);
		image_free(image);
	}
	channel_close(ch);
	return whole;
}

TEST_F(snapshot, answers_when_the_file_is_there)
{
	int fd = new_client(self);
	struct json_object *obj;
	char bytes[24];
	s64 ms;

	snprintf(bytes, sizeof(bytes), "%llu", RAM);
	ASSERT_TRUE(ask_snapshot(self, fd, "live"));
	obj = answer(_metadata, self, fd);
	EXPECT_STREQ("x", at(obj, "id", NULL));
	EXPECT_STREQ(self->path, at(obj, "result", "path"));
	EXPECT_STREQ(bytes, at(obj, "result", "memory-bytes"));
	/* Pages that nobody writes are put once. */
	EXPECT_STREQ(bytes, at(obj, "result", "done-bytes"));
	EXPECT_LT(0, atoi(at(obj, "result", "pause-us")));
	ms = atoi(at(obj, "result", "elapsed-ms"));
	/* Five a second. */
	EXPECT_LE(ms / 400, self->events);
	json_object_put(obj);
	EXPECT_TRUE(is_whole(self)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(1, files(self));
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
	/* The connection serves on. */
	ASSERT_TRUE(say(fd, "{\"id\":2,\"command\":\"status\"}\n"));
	EXPECT_ANSWER(fd, "result", "state", "running");
	close(fd);
}

TEST_F(snapshot, requests_behind_it_wait_and_other_clients_do_not)
{
	int fd = new_client(self), other = new_client(self);

	ASSERT_TRUE(begin(self, fd, "live"));
	ASSERT_TRUE(say(fd, "{\"id\":2,\"command\":\"status\"}\n"));
	ASSERT_TRUE(say(other, "{\"id\":3,\"command\":\"status\"}\n"));
	EXPECT_ANSWER(other, "id", NULL, "3");
	EXPECT_ANSWER(fd, "id", NULL, "x");
	EXPECT_ANSWER(fd, "id", NULL, "2");
	close(fd);
	close(other);
}

TEST_F(snapshot, one_at_a_time_and_the_one_is_named)
{
	int fd = new_client(self), other = new_client(self);
	struct json_object *obj;

	ASSERT_TRUE(begin(self, fd, "live"));
	ASSERT_TRUE(ask_snapshot(self, other, "live"));
	obj = answer(_metadata, self, other);
	EXPECT_STREQ("wrong-state", at(obj, "error", "code"));
	EXPECT_NE(NULL, strstr(at(obj, "error", "message"), self->path));
	json_object_put(obj);
	EXPECT_ANSWER(fd, "result", "path", self->path);
	/* And then there is room for another one. */
	ASSERT_TRUE(ask_snapshot(self, other, "pause"));
	EXPECT_ANSWER(other, "result", "path", self->path);
	EXPECT_TRUE(is_whole(self));
	close(fd);
	close(other);
}

TEST_F(snapshot, cancelled_by_another_client)
{
	static const char *const modes[] = { "live", "pause", "stop" };
	int fd = new_client(self), other = new_client(self);
	unsigned int i;

	ASSERT_TRUE(say(other, "{\"command\":\"snapshot-cancel\"}\n"));
	EXPECT_ANSWER(other, "error", "code", "wrong-state");
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_TRUE(begin(self, fd, modes[i]));
		ASSERT_TRUE(say(other, "{\"command\":\"snapshot-cancel\"}\n"));
		EXPECT_ANSWER(other, "result", NULL, "{ }");
		EXPECT_ANSWER(fd, "error", "code", "cancelled");
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		EXPECT_EQ(NULL, self->vm->paused_for);
		EXPECT_FALSE(atomic_load(&self->vm->memory.tracking));
		EXPECT_EQ(0, files(self));
	}
	EXPECT_EQ(VM_END_NONE, atomic_load(&self->vm->end));
	close(fd);
	close(other);
}

TEST_F(snapshot, a_client_that_hangs_up_cancels)
{
	static const char *const modes[] = { "live", "pause", "stop" };
	unsigned int i;
	int fd;

	for (i = 0; i < 2 * ARRAY_SIZE(modes); i++) {
		fd = new_client(self);
		ASSERT_TRUE(begin(self, fd, modes[i / 2]));
		if (i % 2)
			shutdown(fd, SHUT_WR);
		else
			close(fd);
		run_until_idle(self);
		EXPECT_TRUE(list_is_empty(&self->control->jobs));
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		EXPECT_EQ(0, files(self));
		if (i % 2)
			close(fd);
	}
	EXPECT_EQ(VM_END_NONE, atomic_load(&self->vm->end));
}

TEST_F(snapshot, an_older_one_stays_when_it_is_cancelled)
{
	int fd = new_client(self);
	struct stat before, after;

	ASSERT_TRUE(ask_snapshot(self, fd, "live"));
	EXPECT_ANSWER(fd, "result", "path", self->path);
	ASSERT_EQ(0, stat(self->path, &before));
	ASSERT_TRUE(begin(self, fd, "live"));
	close(fd);
	run_until_idle(self);
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(1, files(self));
	EXPECT_TRUE(is_whole(self));
}

TEST_F(snapshot, paused_it_cannot_be_resumed_meanwhile)
{
	static const char *const lines[] = {
		"{\"command\":\"resume\"}\n", "{\"command\":\"pause\"}\n",
	};
	unsigned int i;
	int fd = new_client(self), other = new_client(self);
	struct json_object *obj;

	ASSERT_TRUE(begin(self, fd, "pause"));
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		ASSERT_TRUE(say(other, lines[i]));
		obj = answer(_metadata, self, other);
		EXPECT_STREQ("wrong-state", at(obj, "error", "code"));
		EXPECT_NE(NULL, strstr(at(obj, "error", "message"),
				       "a snapshot"));
		json_object_put(obj);
	}
	EXPECT_ANSWER(fd, "result", "rounds", "1");
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
	close(fd);
	close(other);
}

TEST_F(snapshot, a_paused_machine_stays_paused)
{
	int fd = new_client(self);

	ASSERT_TRUE(say(fd, "{\"command\":\"pause\"}\n"));
	EXPECT_ANSWER(fd, "result", NULL, "{ }");
	ASSERT_TRUE(ask_snapshot(self, fd, "live"));
	EXPECT_ANSWER(fd, "result", "pause-us", "0");
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	ASSERT_TRUE(say(fd, "{\"command\":\"resume\"}\n"));
	EXPECT_ANSWER(fd, "result", NULL, "{ }");
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
	close(fd);
}

/* What the main loop does; the clients hear about it when it is over. */
TEST_F(snapshot, the_end_of_the_machine_ends_it)
{
	int fd = new_client(self), other = new_client(self);

	ASSERT_TRUE(begin(self, fd, "live"));
	ASSERT_TRUE(say(other, "{\"command\":\"kill\"}\n"));
	EXPECT_EQ(VM_END_KILLED, vm_run(self->vm));
	control_destroy(self->control);
	self->control = NULL;
	EXPECT_ANSWER(fd, "error", "code", "cancelled");
	EXPECT_EQ(0, files(self));
	close(fd);
	close(other);
}

TEST_F(snapshot, saved_and_ended)
{
	int fd = new_client(self);

	ASSERT_TRUE(ask_snapshot(self, fd, "stop"));
	EXPECT_EQ(VM_END_SAVED, vm_run(self->vm));
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->vm));
	control_destroy(self->control);
	self->control = NULL;
	EXPECT_ANSWER(fd, "result", "path", self->path);
	EXPECT_TRUE(is_whole(self)) TH_LOG("%s", self->err.text);
	close(fd);
}

TEST_F(snapshot, one_to_be_ended_runs_on_when_the_file_fails)
{
	int fd = new_client(self);

	/* The name is taken by a folder while the file is written. */
	ASSERT_TRUE(begin(self, fd, "stop"));
	ASSERT_EQ(0, mkdir(self->path, 0700));
	EXPECT_ANSWER(fd, "error", "code", "failed");
	EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
	EXPECT_EQ(VM_END_NONE, atomic_load(&self->vm->end));
	EXPECT_EQ(NULL, self->vm->paused_for);
	EXPECT_EQ(1, files(self));
	EXPECT_EQ(0, rmdir(self->path));
	close(fd);
}

TEST_F(snapshot, a_file_that_is_none_is_replaced_by_force_only)
{
	int fd = new_client(self), out;
	struct json_object *obj;
	struct stat st;
	char line[256];

	out = open(self->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ASSERT_EQ(5, write(out, "a disk", 5));
	close(out);
	ASSERT_TRUE(ask_snapshot(self, fd, "live"));
	obj = answer(_metadata, self, fd);
	EXPECT_STREQ("failed", at(obj, "error", "code"));
	EXPECT_NE(NULL, strstr(at(obj, "error", "message"), "--force"));
	json_object_put(obj);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(5, st.st_size);
	snprintf(line, sizeof(line),
		 "{\"command\":\"snapshot\",\"arguments\":{\"path\":\"%s\",\"force\":true}}\n",
		 self->path);
	ASSERT_TRUE(say(fd, line));
	EXPECT_ANSWER(fd, "result", "path", self->path);
	EXPECT_TRUE(is_whole(self));
	close(fd);
}

TEST_F(snapshot, bad_arguments_are_named)
{
	static const struct {
		const char *arguments;
		const char *says;
	} bad[] = {
		{ "{}", "path: missing" },
		{ "{\"path\":\"vm.snap\"}", "from / on" },
		{ "{\"path\":\"\"}", "too short" },
		{ "{\"path\":7}", "not a string" },
		{ "{\"path\":null}", "not a string" },
		{ "{\"path\":\"/x\\u0000y\"}", "not a string" },
		{ "{\"path\":\"/x\\ny\"}", "control character" },
		{ "{\"path\":\"/x\",\"mode\":\"fast\"}", "live, pause or stop" },
		{ "{\"path\":\"/x\",\"force\":1}", "not true or false" },
		{ "{\"path\":\"/x\",\"threads\":\"2\"}", "not a number" },
		{ "{\"path\":\"/x\",\"threads\":17}", "out of range" },
		{ "{\"path\":\"/x\",\"threads\":-1}", "not a number" },
		{ "{\"path\":\"/x\",\"speed\":1}", "none of that name" },
	};
	int fd = new_client(self);
	struct json_object *obj;
	char line[256];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line),
			 "{\"command\":\"snapshot\",\"arguments\":%s}\n",
			 bad[i].arguments);
		ASSERT_TRUE(say(fd, line));
		obj = answer(_metadata, self, fd);
		EXPECT_STREQ("bad-argument", at(obj, "error", "code"))
			TH_LOG("%s", bad[i].arguments);
		EXPECT_NE(NULL, strstr(at(obj, "error", "message"),
				       bad[i].says))
			TH_LOG("%s: %s", bad[i].arguments,
			       at(obj, "error", "message"));
		json_object_put(obj);
	}
	EXPECT_TRUE(list_is_empty(&self->control->jobs));
	close(fd);
}

/* Random moments of all that can happen; what is left is always in order. */
TEST_F(snapshot, ended_at_random_moments)
{
	static const char *const modes[] = { "live", "pause" };
	struct json_object *obj;
	int fd, other, round;
	u64 how;

	other = new_client(self);
	for (round = 0; round < 30; round++) {
		fd = new_client(self);
		ASSERT_TRUE(begin(self, fd,
				  modes[test_random_below(&self->rnd, 2)]));
		usleep((useconds_t)test_random_below(&self->rnd, 150000));
		how = test_random_below(&self->rnd, 3);
		if (how == 1) {
			ASSERT_TRUE(say(other,
					"{\"command\":\"snapshot-cancel\"}\n"));
			obj = next_line(self, other);
			EXPECT_NE(NULL, obj);
			json_object_put(obj);
		}
		if (how) {
			obj = answer(_metadata, self, fd);
			EXPECT_NE(NULL, obj);
			json_object_put(obj);
		}
		close(fd);
		run_until_idle(self);
		EXPECT_TRUE(list_is_empty(&self->control->jobs));
		EXPECT_EQ(VM_RUNNING, vm_phase_get(self->vm));
		if (files(self))
			EXPECT_TRUE(is_whole(self));
	}
	close(other);
}

TEST_HARNESS_MAIN
