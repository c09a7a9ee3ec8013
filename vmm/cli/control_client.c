// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: asking a running machine
 *
 * The other end of control.c: connect, send a line, read a line. A machine
 * answers in milliseconds; one that does not within CALL_MS is reported as
 * not responding.
 *
 * Threads: the first one of a short-lived process.
 */
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cli/control.h"
#include "vmm/cli/runtime.h"

#define CALL_MS		10000
#define CONNECT_MS	2000
#define CONNECT_PAUSE_US 10000
#define ANSWER_MAX	(16U << 20)

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static int try_connect(const struct sockaddr_un *addr, int *fd)
{
	int ret;

	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	if (!connect(*fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return 0;
	ret = -errno;
	close(*fd);
	return ret;
}

/**
 * control_connect() - connect to a machine
 * @rt: the folder of running machines
 * @name: the machine, a checked name
 * @fd: out: the connection
 * @err: set on failure
 *
 * What a killed machine has left behind is removed on the way. One that starts
 * or ends just now is waited for, for a moment.
 *
 * Return: 0, -ENOENT when there is no such machine, another negative errno.
 */
int control_connect(struct runtime *rt, const char *name, int *fd,
		    struct error *err)
{
	u64 end_ms = now_ms() + CONNECT_MS;
	struct sockaddr_un addr;
	int ret;

	runtime_socket(rt, name, &addr);
	for (;;) {
		ret = try_connect(&addr, fd);
		if (!ret)
			return 0;
		if (ret != -ENOENT && ret != -ECONNREFUSED)
			return error_set(err, ret, "%s: %s", addr.sun_path,
					 strerror(-ret));
		if (runtime_remove_stale(rt, name))
			return error_set(err, -ENOENT,
					 "no machine called %s is running; see 'lkvm list'",
					 name);
		if (now_ms() >= end_ms)
			return error_set(err, -EAGAIN,
					 "%s is starting or ending; try again",
					 name);
		usleep(CONNECT_PAUSE_US);
	}
}

static int wait_readable(int fd, u64 end_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 now;
	int n;

	do {
		now = now_ms();
		if (now >= end_ms)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(end_ms - now > 60000 ? 60000 :
				      end_ms - now));
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int send_line(int fd, struct json_object *request)
{
	const char *text = json_object_to_json_string_ext(request,
							  JSON_C_TO_STRING_PLAIN);
	size_t len = strlen(text), sent = 0;
	char *line = malloc(len + 1);
	ssize_t n = 0;

	if (!line)
		return -ENOMEM;
	memcpy(line, text, len);
	line[len++] = '\n';
	while (sent < len && (n >= 0 || errno == EINTR)) {
		n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	free(line);
	return sent < len ? -errno : 0;
}

static int receive_line(int fd, char **line)
{
	u64 end_ms = now_ms() + CALL_MS;
	size_t len = 0, cap = 4096;
	char *buf = malloc(cap), *more;
	int ret = -ENOMEM;
	ssize_t n;

	while (buf && len < ANSWER_MAX) {
		ret = wait_readable(fd, end_ms);
		if (ret)
			break;
		n = recv(fd, buf + len, cap - len - 1, 0);
		ret = n < 0 ? -errno : -ECONNRESET;
		if (n <= 0)
			break;
		len += (size_t)n;
		buf[len] = 0;
		if (buf[len - 1] == '\n') {
			*line = buf;
			return 0;
		}
		if (len + 1 < cap)
			continue;
		cap *= 2;
		more = realloc(buf, cap);
		ret = -ENOMEM;
		if (!more)
			break;
		buf = more;
	}
	free(buf);
	return ret;
}

static int take_answer(const char *line, struct json_object **result,
		       struct error *err)
{
	struct json_object *answer = json_tokener_parse(line), *body = NULL;
	struct json_object *message = NULL;
	int ret = 0;

	if (json_object_object_get_ex(answer, "result", &body)) {
		if (result)
			*result = json_object_get(body);
	} else if (json_object_object_get_ex(answer, "error", &body) &&
		   json_object_object_get_ex(body, "message", &message)) {
		ret = error_set(err, -EREMOTEIO, "%s",
				json_object_get_string(message));
	} else {
		ret = error_set(err, -EPROTO,
				"the machine's answer makes no sense");
	}
	json_object_put(answer);
	return ret;
}

/**
 * control_call() - ask for something and wait for the answer
 * @fd: the connection
 * @command: what
 * @arguments: for it, or NULL; gets an owner here
 * @result: out: the caller owns it; or NULL
 * @err: set on failure
 *
 * Return: 0, -EREMOTEIO when the machine says no, another negative errno when
 * it says nothing.
 */
int control_call(int fd, const char *command, struct json_object *arguments,
		 struct json_object **result, struct error *err)
{
	struct json_object *request = json_object_new_object();
	char *line = NULL;
	int ret;

	json_object_object_add(request, "id", json_object_new_int(1));
	json_object_object_add(request, "command",
			       json_object_new_string(command));
	if (arguments)
		json_object_object_add(request, "arguments", arguments);
	ret = send_line(fd, request);
	json_object_put(request);
	if (!ret)
		ret = receive_line(fd, &line);
	if (ret == -ETIMEDOUT)
		return error_set(err, ret, "no answer within %d s",
				 CALL_MS / 1000);
	if (ret)
		return error_set(err, ret, "the connection broke: %s",
				 strerror(-ret));
	ret = take_answer(line, result, err);
	free(line);
	return ret;
}

/**
 * control_wait_end() - wait until the machine has ended
 * @fd: a connection to it, on which nothing is awaited
 * @timeout_ms: how long at most
 *
 * Return: 0, or -ETIMEDOUT when it still runs.
 */
int control_wait_end(int fd, u64 timeout_ms)
{
	u64 end_ms = now_ms() + timeout_ms;
	char byte;
	int ret;

	do {
		ret = wait_readable(fd, end_ms);
		if (ret == -ETIMEDOUT)
			return ret;
	} while (!ret && recv(fd, &byte, 1, 0) > 0);
	return 0;
}
