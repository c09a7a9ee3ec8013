// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the control socket: its answers, and clients that do not behave
 *
 * The machine has no vCPUs and so needs no KVM. The test is the main loop and
 * all clients, on one thread.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"
#include "vmm/cli/control.h"
#include "vmm/vm.h"

FIXTURE(control)
{
	struct vm *vm;
	struct control *control;
	struct sockaddr_un addr;
	struct error err;
	char dir[32];
};

FIXTURE_SETUP(control)
{
	struct vm_config config = {
		.name = "box", .memory_bytes = 16 * MIB, .kvm_path = "",
	};

	strcpy(self->dir, "/tmp/lkvm-test-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	self->addr.sun_family = AF_UNIX;
	snprintf(self->addr.sun_path, sizeof(self->addr.sun_path), "%s/s",
		 self->dir);
	ASSERT_EQ(0, vm_create(&config, &self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, control_create(self->vm, &self->addr, &self->control,
				    &self->err))
		TH_LOG("%s", self->err.text);
}

FIXTURE_TEARDOWN(control)
{
	control_destroy(self->control);
	vm_destroy(self->vm);
	unlink(self->addr.sun_path);
	rmdir(self->dir);
}

static void run_loop(struct vm *vm)
{
	int i;

	for (i = 0; i < 20; i++)
		iothread_run_once(&vm->loop, false);
}

static int new_client(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return -errno;
	return fd;
}

/* What has come until a newline, or NULL; the caller frees it. */
static char *read_line(struct vm *vm, int fd)
{
	char *line = calloc(1, 65536);
	size_t len = 0;
	ssize_t n;
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		run_loop(vm);
		n = recv(fd, line + len, 1, 0);
		if (n == 0)
			break;
		if (n < 0)
			continue;
		if (line[len++] == '\n')
			return line;
	}
	free(line);
	return NULL;
}

static struct json_object *ask(struct vm *vm, int fd, const char *line)
{
	struct json_object *obj;
	char *answer;

	if (send(fd, line, strlen(line), MSG_NOSIGNAL) !=
	    (ssize_t)strlen(line))
		return NULL;
	answer = read_line(vm, fd);
	obj = answer ? json_tokener_parse(answer) : NULL;
	free(answer);
	return obj;
}

/* The text at a path such as "error.code"; "" when there is none. */
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

TEST_F(control, socket_is_the_owners)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->addr.sun_path, &st));
	EXPECT_EQ(S_IFSOCK | 0600, st.st_mode);
}

TEST_F(control, status_and_stat)
{
	int fd = new_client(&self->addr);
	struct json_object *obj;

	ASSERT_GE(fd, 0);
	obj = ask(self->vm, fd, "{\"id\":[1,\"x\"],\"command\":\"status\"}\n");
	EXPECT_STREQ("[ 1, \"x\" ]", at(obj, "id", NULL));
	EXPECT_STREQ("box", at(obj, "result", "name"));
	EXPECT_STREQ("building", at(obj, "result", "state"));
	EXPECT_STREQ("16777216", at(obj, "result", "memory-bytes"));
	EXPECT_STREQ("0", at(obj, "result", "cpus"));
	json_object_put(obj);
	obj = ask(self->vm, fd, "{\"command\":\"stat\"}\n");
	EXPECT_STREQ("null", at(obj, "id", NULL));
	EXPECT_STREQ("[ ]", at(obj, "result", "vcpus"));
	EXPECT_STREQ("{ }", at(obj, "result", "devices"));
	json_object_put(obj);
	close(fd);
}

TEST_F(control, bad_requests_are_refused_and_the_next_is_served)
{
	static const struct {
		const char *line;
		const char *code;
	} bad[] = {
		{ "\n", "bad-request" },
		{ "x\n", "bad-request" },
		{ "{\n", "bad-request" },
		{ "[]\n", "bad-request" },
		{ "17\n", "bad-request" },
		{ "null\n", "bad-request" },
		{ "{}\n", "bad-request" },
		{ "{} {}\n", "bad-request" },
		{ "{\"command\":\"status\"}x\n", "bad-request" },
		{ "{'command':'status'}\n", "bad-request" },
		{ "{\"command\":7}\n", "bad-request" },
		{ "{\"command\":null}\n", "bad-request" },
		{ "{\"command\":\"status\",\"more\":1}\n", "bad-request" },
		{ "{\"command\":\"status\",\"arguments\":[]}\n", "bad-request" },
		{ "{\"command\":\"status\",\"arguments\":null}\n", "bad-request" },
		{ "{\"id\":[[[[[[[[[[1]]]]]]]]]],\"command\":\"status\"}\n", "bad-request" },
		{ "{\"id\":\"\xff\xfe\",\"command\":\"status\"}\n", "bad-request" },
		{ "{\"command\":\"\"}\n", "unknown-command" },
		{ "{\"command\":\"Status\"}\n", "unknown-command" },
		{ "{\"command\":\"status\\u0000\"}\n", "unknown-command" },
		{ "{\"command\":\"status\",\"arguments\":{\"vcpu\":0}}\n", "bad-argument" },
		{ "{\"command\":\"nmi\",\"arguments\":{\"vcpu\":-1}}\n", "bad-argument" },
		{ "{\"command\":\"nmi\",\"arguments\":{\"vcpu\":\"0\"}}\n", "bad-argument" },
		{ "{\"command\":\"nmi\",\"arguments\":{\"vcpu\":0}}\n", "bad-argument" },
		{ "{\"command\":\"dump\",\"arguments\":{\"vcpu\":18446744073709551615}}\n",
		  "bad-argument" },
		{ "{\"command\":\"nmi\",\"arguments\":{\"cpu\":0}}\n", "bad-argument" },
		{ "{\"command\":\"pause\"}\n", "wrong-state" },
		{ "{\"command\":\"resume\"}\n", "wrong-state" },
		{ "{\"command\":\"stop\"}\n", "not-supported" },
	};
	int fd = new_client(&self->addr);
	struct json_object *obj;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		obj = ask(self->vm, fd, bad[i].line);
		EXPECT_STREQ(bad[i].code, at(obj, "error", "code"))
			TH_LOG("request: %s", bad[i].line);
		EXPECT_NE(0, strlen(at(obj, "error", "message")));
		EXPECT_STREQ("", at(obj, "result", NULL));
		json_object_put(obj);
		obj = ask(self->vm, fd, "{\"id\":5,\"command\":\"status\"}\n");
		EXPECT_STREQ("5", at(obj, "id", NULL));
		EXPECT_STREQ("box", at(obj, "result", "name"));
		json_object_put(obj);
	}
	close(fd);
}

TEST_F(control, a_line_in_pieces_and_two_lines_in_one)
{
	static const char two[] =
		"{\"id\":1,\"command\":\"status\"} \r\n{\"id\":2,\"command\":\"status\"}\n";
	int fd = new_client(&self->addr);
	struct json_object *obj;
	char *line;
	size_t i;

	for (i = 0; i + 1 < sizeof(two); i++) {
		ASSERT_EQ(1, send(fd, two + i, 1, 0));
		run_loop(self->vm);
	}
	ASSERT_EQ(sizeof(two) - 1, send(fd, two, sizeof(two) - 1, 0));
	for (i = 0; i < 4; i++) {
		line = read_line(self->vm, fd);
		ASSERT_NE(NULL, line);
		obj = json_tokener_parse(line);
		EXPECT_STREQ(i % 2 ? "2" : "1", at(obj, "id", NULL));
		json_object_put(obj);
		free(line);
	}
	close(fd);
}

TEST_F(control, a_line_too_long_ends_the_connection)
{
	int fd = new_client(&self->addr), other = new_client(&self->addr);
	static char text[4 * CONTROL_LINE_MAX];
	struct json_object *obj;
	char *line;

	memset(text, ' ', sizeof(text));
	EXPECT_LT(0, send(fd, text, sizeof(text), 0));
	line = read_line(self->vm, fd);
	ASSERT_NE(NULL, line);
	obj = json_tokener_parse(line);
	EXPECT_STREQ("bad-request", at(obj, "error", "code"));
	EXPECT_NE(NULL, strstr(at(obj, "error", "message"), "too long"));
	json_object_put(obj);
	free(line);
	EXPECT_EQ(NULL, read_line(self->vm, fd));
	EXPECT_EQ(1, self->control->clients_nr);
	obj = ask(self->vm, other, "{\"command\":\"status\"}\n");
	EXPECT_STREQ("box", at(obj, "result", "name"));
	json_object_put(obj);
	close(fd);
	close(other);
}

TEST_F(control, who_does_not_read_is_not_read_from)
{
	int fd = new_client(&self->addr), other = new_client(&self->addr);
	struct json_object *obj;
	char line[64], *answer;
	u32 sent = 0, got = 0;
	ssize_t n;

	/* Until the machine does not take more. */
	for (;;) {
		n = snprintf(line, sizeof(line),
			     "{\"id\":%7u,\"command\":\"status\"}\n", sent);
		if (send(fd, line, (size_t)n, 0) != n) {
			run_loop(self->vm);
			if (send(fd, line, (size_t)n, 0) != n)
				break;
		}
		sent++;
		ASSERT_LT(sent, 1000000);
	}
	obj = ask(self->vm, other, "{\"command\":\"status\"}\n");
	EXPECT_STREQ("box", at(obj, "result", "name"));
	json_object_put(obj);
	while (got < sent) {
		answer = read_line(self->vm, fd);
		ASSERT_NE(NULL, answer)
			TH_LOG("answer %u of %u", got, sent);
		obj = json_tokener_parse(answer);
		EXPECT_EQ(got, (u32)atoi(at(obj, "id", NULL)));
		json_object_put(obj);
		free(answer);
		got++;
	}
	close(fd);
	close(other);
}

TEST_F(control, more_clients_than_places_wait_for_theirs)
{
	int fd[CONTROL_CLIENTS_MAX + 4];
	struct json_object *obj;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = new_client(&self->addr);
		ASSERT_GE(fd[i], 0);
		run_loop(self->vm);
	}
	for (i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		obj = ask(self->vm, fd[i], "{\"command\":\"status\"}\n");
		EXPECT_STREQ("box", at(obj, "result", "name"));
		json_object_put(obj);
	}
	EXPECT_EQ(CONTROL_CLIENTS_MAX, self->control->clients_nr);
	for (i = 0; i < 4; i++)
		close(fd[i]);
	for (i = CONTROL_CLIENTS_MAX; i < ARRAY_SIZE(fd); i++) {
		obj = ask(self->vm, fd[i], "{\"command\":\"status\"}\n");
		EXPECT_STREQ("box", at(obj, "result", "name"));
		json_object_put(obj);
	}
	for (i = 4; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	run_loop(self->vm);
	EXPECT_EQ(0, self->control->clients_nr);
}

static void time_is_up(struct io_timer *timer)
{
	/* Only there to end the loop's sleep. */
}

/* A guest's sockets, say, are all that this process may have open. */
TEST_F(control, no_descriptor_for_a_client)
{
	const struct sockaddr *addr = (const struct sockaddr *)&self->addr;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct iothread *loop = &self->vm->loop;
	struct rlimit old, low;
	struct json_object *obj;
	struct io_timer timer;
	u32 rounds = 0;

	io_timer_init(&timer, loop, time_is_up);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	low = old;
	low.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &low));
	ASSERT_EQ(0, connect(fd, addr, sizeof(self->addr)));
	io_timer_set(&timer, 300000000);
	while (timer.active) {
		iothread_run_once(loop, true);
		rounds++;
	}
	EXPECT_GT(100, rounds);
	EXPECT_EQ(0, self->control->clients_nr);
	/* It is let in as soon as there is one. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	while (!self->control->clients_nr)
		iothread_run_once(loop, true);
	obj = ask(self->vm, fd, "{\"command\":\"status\"}\n");
	EXPECT_STREQ("box", at(obj, "result", "name"));
	json_object_put(obj);
	io_timer_destroy(&timer);
	close(fd);
}

TEST_F(control, kill_is_answered_before_the_end)
{
	int fd = new_client(&self->addr);
	char answer[64] = "";

	ASSERT_LT(0, send(fd, "{\"id\":3,\"command\":\"kill\"}\n", 26, 0));
	EXPECT_EQ(VM_END_KILLED, vm_run(self->vm));
	EXPECT_LT(0, recv(fd, answer, sizeof(answer) - 1, 0));
	EXPECT_STREQ("{\"id\":3,\"result\":{}}\n", answer);
	close(fd);
}

TEST_F(control, random_bytes_do_no_harm)
{
	static const char words[] =
		"{}[]\":,\\u0idcomandstuvpleg019-.e+ \t\xff\0";
	struct test_random rnd;
	struct json_object *obj;
	char text[200];
	int fd, round;
	u64 len, i;

	test_random_init(&rnd);
	for (round = 0; round < 300; round++) {
		fd = new_client(&self->addr);
		ASSERT_GE(fd, 0);
		len = 1 + test_random_below(&rnd, sizeof(text));
		for (i = 0; i < len; i++)
			text[i] = test_random_below(&rnd, 30) ?
				words[test_random_below(&rnd, sizeof(words))] :
				'\n';
		EXPECT_EQ((ssize_t)len, send(fd, text, len, 0));
		run_loop(self->vm);
		close(fd);
		run_loop(self->vm);
	}
	fd = new_client(&self->addr);
	obj = ask(self->vm, fd, "{\"command\":\"status\"}\n");
	EXPECT_STREQ("box", at(obj, "result", "name"));
	json_object_put(obj);
	close(fd);
}

TEST_HARNESS_MAIN
