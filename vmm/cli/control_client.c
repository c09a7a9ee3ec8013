// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: asking a running machine
 *
 * The other end of control.c: connect, send a line, read lines. A machine
 * answers in milliseconds; one that does not within CALL_MS is reported as
 * not responding. A command that takes its time is waited for until it answers
 * or the user has had enough.
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

/* Descriptors go with the first bytes. */
static ssize_t send_some(int fd, const char *data, size_t len,
			 const struct control_listener *with)
{
	char cmsg[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	size_t size;

	if (with && with->fds_nr) {
		size = with->fds_nr * sizeof(int);
		msg.msg_control = cmsg;
		msg.msg_controllen = CMSG_SPACE(size);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), with->fds, size);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static int send_line(int fd, struct json_object *request,
		     const struct control_listener *with)
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
		n = send_some(fd, line + sent, len - sent, sent ? NULL : with);
		sent += n > 0 ? (size_t)n : 0;
	}
	free(line);
	return sent < len ? -errno : 0;
}

/**
 * struct lines - what comes in
 * @fd: the connection
 * @buf: what has come and was not taken
 * @len: bytes of it
 * @cap: room in @buf
 */
struct lines {
	int fd;
	char *buf;
	size_t len;
	size_t cap;
};

/* Receives some bytes; there is always room for a NUL behind them. */
static int receive_more(struct lines *lines)
{
	size_t cap = lines->cap ? lines->cap * 2 : 4096;
	char *more;
	ssize_t n;

	if (lines->len + 1 >= lines->cap) {
		if (cap > ANSWER_MAX)
			return -EMSGSIZE;
		more = realloc(lines->buf, cap);
		if (!more)
			return -ENOMEM;
		lines->buf = more;
		lines->cap = cap;
	}
	n = recv(lines->fd, lines->buf + lines->len,
		 lines->cap - lines->len - 1, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	lines->len += (size_t)n;
	return n ? 0 : -ECONNRESET;
}

/* A line that is there already, to be freed; NULL when there is none. */
static char *take_line(struct lines *lines)
{
	char *end = lines->len ? memchr(lines->buf, '\n', lines->len) : NULL;
	size_t len;
	char *line;

	if (!end)
		return NULL;
	len = (size_t)(end - lines->buf) + 1;
	line = strndup(lines->buf, len);
	lines->len -= len;
	memmove(lines->buf, lines->buf + len, lines->len);
	return line;
}

static int receive_line(struct lines *lines, char **line)
{
	u64 end_ms = now_ms() + CALL_MS;
	int ret = 0;

	while (!ret) {
		*line = take_line(lines);
		if (*line)
			return 0;
		ret = wait_readable(lines->fd, end_ms);
		if (!ret)
			ret = receive_more(lines);
	}
	return ret;
}

static int take_answer(const char *line, struct json_object **result,
		       struct error *err)
{
	struct json_object *answer = json_tokener_parse(line), *body = NULL;
	struct json_object *message = NULL, *code = NULL;
	int ret = 0;

	if (json_object_object_get_ex(answer, "result", &body)) {
		if (result)
			*result = json_object_get(body);
	} else if (json_object_object_get_ex(answer, "error", &body) &&
		   json_object_object_get_ex(body, "message", &message)) {
		json_object_object_get_ex(body, "code", &code);
		ret = code && !strcmp(json_object_get_string(code),
				      "cancelled") ? -ECANCELED : -EREMOTEIO;
		error_set(err, ret, "%s", json_object_get_string(message));
	} else {
		ret = error_set(err, -EPROTO,
				"the machine's answer makes no sense");
	}
	json_object_put(answer);
	return ret;
}

static int send_request(int fd, const char *command,
			struct json_object *arguments,
			const struct control_listener *with)
{
	struct json_object *request = json_object_new_object();
	int ret;

	json_object_object_add(request, "id", json_object_new_int(1));
	json_object_object_add(request, "command",
			       json_object_new_string(command));
	if (arguments)
		json_object_object_add(request, "arguments", arguments);
	ret = send_line(fd, request, with);
	json_object_put(request);
	return ret;
}

static int broken(int ret, struct error *err)
{
	return error_set(err, ret, "the connection broke: %s", strerror(-ret));
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
	struct lines lines = { .fd = fd };
	char *line = NULL;
	int ret;

	ret = send_request(fd, command, arguments, NULL);
	if (!ret)
		ret = receive_line(&lines, &line);
	free(lines.buf);
	if (ret == -ETIMEDOUT)
		return error_set(err, ret, "no answer within %d s",
				 CALL_MS / 1000);
	if (ret)
		return broken(ret, err);
	ret = take_answer(line, result, err);
	free(line);
	return ret;
}

/* True when the line was an event. */
static bool is_event(const char *line, const struct control_listener *listener)
{
	struct json_object *obj = json_tokener_parse(line), *event = NULL;
	bool found = json_object_object_get_ex(obj, "event", &event);

	if (found)
		listener->event(listener->arg, event);
	json_object_put(obj);
	return found;
}

/* Waits for more to come, or for the user. */
static int wait_both(struct lines *lines,
		     const struct control_listener *listener,
		     struct error *err)
{
	struct pollfd p[] = {
		{ .fd = lines->fd, .events = POLLIN },
		{ .fd = listener->fd, .events = POLLIN },
	};
	int ret = 0;

	if (poll(p, 2, -1) < 0)
		return errno == EINTR ? 0 : broken(-errno, err);
	if (p[1].revents)
		ret = listener->ready(listener->arg, err);
	if (!ret && p[0].revents) {
		ret = receive_more(lines);
		if (ret)
			broken(ret, err);
	}
	return ret;
}

/**
 * control_call_job() - ask for something that takes its time
 * @fd: the connection
 * @command: what
 * @arguments: for it, or NULL; gets an owner here
 * @listener: who waits
 * @result: out: the caller owns it
 * @err: set on failure
 *
 * Return: 0; -ECANCELED when it was given up; -EREMOTEIO when the machine says
 * no; what &control_listener.ready said; another negative errno when the
 * connection broke.
 */
int control_call_job(int fd, const char *command,
		     struct json_object *arguments,
		     const struct control_listener *listener,
		     struct json_object **result, struct error *err)
{
	struct lines lines = { .fd = fd };
	char *line;
	int ret;

	ret = send_request(fd, command, arguments, listener);
	if (ret)
		return broken(ret, err);
	while (!ret) {
		line = take_line(&lines);
		if (!line) {
			ret = wait_both(&lines, listener, err);
			continue;
		}
		if (!is_event(line, listener)) {
			ret = take_answer(line, result, err);
			free(line);
			break;
		}
		free(line);
	}
	free(lines.buf);
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
