// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the control socket: lines in, lines out, and nobody can hold it up
 *
 * A machine listens on a UNIX stream socket, mode 0600 in a folder of mode
 * 0700. A request is a line with a JSON object, the answer another one;
 * Documentation/control-protocol.rst has the schema, control_request.c reads
 * requests, control_commands.c has the commands.
 *
 * Each client has one io_uring operation at a time: either its next bytes are
 * being received or its answer is being sent. So a client that sends without
 * reading is not read from any longer, memory per client is bounded, and the
 * order of answers is that of the requests. A line that is too long ends the
 * connection, after an answer that says so. Above CONTROL_CLIENTS_MAX clients
 * the next one waits in the socket's backlog.
 *
 * A command that takes its time is a job of the client that has asked for it.
 * Meanwhile nothing is received from that client, it is told about events as
 * far as it reads (one that it is too slow for is left out), and a second
 * operation waits for its hang-up, which cancels the job.
 *
 * Threads: the main loop.
 */
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/base/log.h"
#include "vmm/cli/control_priv.h"
#include "vmm/vm.h"

/* How long the last answers may take once the machine has ended. */
#define LINGER_ROUNDS	1000
/* Without descriptors, say, the next try would fail just as fast. */
#define REST_NS		100000000ULL

/**
 * struct control_client - a connection
 * @link: in &control.clients
 * @control: whose
 * @op: receiving or sending, see @answer
 * @hangup_op: waits for the other side to hang up, while there is a @job
 * @fd: the connection
 * @busy: @op is in the ring
 * @watching: @hangup_op is in the ring
 * @gone: freed as soon as nothing of it is in the ring
 * @last: end the connection after this answer
 * @job: what its last request has started
 * @fds: descriptors that came with what is in @in
 * @msg: of the receiving @op
 * @iov: likewise
 * @cmsg: likewise
 * @in_len: bytes in @in
 * @answer: what is being sent, NULL while receiving
 * @answer_len: bytes of it
 * @answer_sent: bytes of it that were sent
 * @next: a line to be sent after it, or NULL
 * @in: received and not looked at yet
 */
struct control_client {
	struct list link;
	struct control *control;
	struct io_op op;
	struct io_op hangup_op;
	int fd;
	bool busy;
	bool watching;
	bool gone;
	bool last;
	struct control_job *job;
	struct control_fds fds;
	struct msghdr msg;
	struct iovec iov;
	char cmsg[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
	size_t in_len;
	char *answer;
	size_t answer_len;
	size_t answer_sent;
	char *next;
	char in[CONTROL_LINE_MAX];
};

static void start_accept(struct control *control);
static void go_on(struct control_client *client);

static void drop_fds(struct control_fds *fds)
{
	while (fds->nr)
		close(fds->fd[--fds->nr]);
}

/* Frees a client that is gone, once the ring has let go of it. */
static void put_client(struct control_client *client)
{
	struct control *control = client->control;

	if (client->busy || client->watching)
		return;
	list_del(&client->link);
	control->clients_nr--;
	close(client->fd);
	drop_fds(&client->fds);
	free(client->answer);
	free(client->next);
	free(client);
	start_accept(control);
}

static void stop_watching(struct control_client *client)
{
	struct iothread *loop = &client->control->vm->loop;

	if (client->watching)
		io_uring_prep_cancel(iothread_sqe(loop, NULL),
				     &client->hangup_op, 0);
}

static void drop_client(struct control_client *client)
{
	struct control_job *job = client->job;

	client->gone = true;
	if (job) {
		client->job = NULL;
		job->client = NULL;
		stop_watching(client);
		control_job_cancel(job, "the client has hung up");
	}
	/* A line that is being sent to nobody. */
	if (client->busy)
		shutdown(client->fd, SHUT_RDWR);
	put_client(client);
}

/* ---- one client --------------------------------------------------------- */

static void start_receive(struct control_client *client)
{
	struct iothread *loop = &client->control->vm->loop;

	client->busy = true;
	client->iov = (struct iovec){
		.iov_base = client->in + client->in_len,
		.iov_len = sizeof(client->in) - client->in_len,
	};
	client->msg = (struct msghdr){
		.msg_iov = &client->iov, .msg_iovlen = 1,
		.msg_control = client->cmsg,
		.msg_controllen = sizeof(client->cmsg),
	};
	io_uring_prep_recvmsg(iothread_sqe(loop, &client->op), client->fd,
			      &client->msg, MSG_CMSG_CLOEXEC);
}

/* Descriptors are for the request that is being received. */
static void take_fds(struct control_client *client)
{
	struct control_fds *fds = &client->fds;
	struct cmsghdr *c;
	size_t n;
	int fd;

	for (c = CMSG_FIRSTHDR(&client->msg); c;
	     c = CMSG_NXTHDR(&client->msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (n = 0; n < (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd); n++) {
			memcpy(&fd, CMSG_DATA(c) + n * sizeof(fd), sizeof(fd));
			if (fds->nr < CONTROL_FDS_MAX)
				fds->fd[fds->nr++] = fd;
			else
				close(fd);
		}
	}
}

static void start_send(struct control_client *client)
{
	struct iothread *loop = &client->control->vm->loop;

	client->busy = true;
	io_uring_prep_send(iothread_sqe(loop, &client->op), client->fd,
			   client->answer + client->answer_sent,
			   client->answer_len - client->answer_sent,
			   MSG_NOSIGNAL);
}

static void start_watching(struct control_client *client)
{
	struct iothread *loop = &client->control->vm->loop;

	if (client->watching)
		return;
	client->watching = true;
	io_uring_prep_poll_add(iothread_sqe(loop, &client->hangup_op),
			       client->fd, POLLRDHUP);
}

static void hangup_done(struct io_op *op, s32 res, u32 flags)
{
	struct control_client *client =
		container_of(op, struct control_client, hangup_op);

	client->watching = false;
	if (client->gone)
		put_client(client);
	else if (client->job && res > 0)
		drop_client(client);
	else if (client->job)
		start_watching(client);
}

/* An object as a line; NULL when there is no memory for it. */
static char *make_line(struct json_object *obj)
{
	const char *text = json_object_to_json_string_ext(obj,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = strlen(text);
	char *line = malloc(len + 2);

	if (line)
		strcpy(stpcpy(line, text), "\n");
	json_object_put(obj);
	return line;
}

static void set_answer(struct control_client *client, char *line)
{
	client->answer = line;
	client->answer_len = line ? strlen(line) : 0;
	client->answer_sent = 0;
}

/*
 * The answer goes out at once where it can: the request may have ended the
 * machine, and with it the loop.
 */
static void try_send(struct control_client *client)
{
	ssize_t n = send(client->fd, client->answer, client->answer_len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		client->answer_sent = (size_t)n;
}

static void answer_done(struct control_client *client)
{
	free(client->answer);
	set_answer(client, client->next);
	client->next = NULL;
}

/* A line behind the one that is being sent, if there is one. */
static void queue_line(struct control_client *client, struct json_object *obj)
{
	char *line = make_line(obj);

	if (!line)
		client->last = true;
	else if (client->answer)
		client->next = line;
	else
		set_answer(client, line);
	if (line && client->answer == line && !client->busy) {
		try_send(client);
		if (client->answer_sent == client->answer_len)
			answer_done(client);
	}
}

/* Takes one line out of the buffer; false when there is none. */
static bool take_line(struct control_client *client)
{
	char *end = memchr(client->in, '\n', client->in_len);
	struct json_object *answer;
	size_t len;

	if (!end) {
		if (client->in_len < sizeof(client->in))
			return false;
		client->last = true;
		end = client->in + client->in_len - 1;
	}
	len = (size_t)(end - client->in);
	/* A line that is too long is no request: its answer says so. */
	answer = control_answer(client->control,
				client->last ? NULL : client->in, len,
				&client->fds, &client->job);
	drop_fds(&client->fds);
	client->in_len -= len + 1;
	memmove(client->in, end + 1, client->in_len);
	if (client->job) {
		client->job->client = client;
		start_watching(client);
	} else {
		queue_line(client, answer);
	}
	return true;
}

/* Nothing is in the ring for this client: find out what is next. */
static void go_on(struct control_client *client)
{
	while (!client->answer && !client->job && !client->last &&
	       take_line(client))
		;
	if (client->answer)
		start_send(client);
	else if (client->job)
		return;
	else if (client->last || client->control->closing)
		drop_client(client);
	else
		start_receive(client);
}

static void client_done(struct io_op *op, s32 res, u32 flags)
{
	struct control_client *client =
		container_of(op, struct control_client, op);

	client->busy = false;
	if (client->gone) {
		put_client(client);
		return;
	}
	if (res == -EINTR || res == -EAGAIN) {
		go_on(client);
		return;
	}
	if (res <= 0) {
		drop_client(client);
		return;
	}
	if (client->answer) {
		client->answer_sent += (size_t)res;
		if (client->answer_sent == client->answer_len)
			answer_done(client);
	} else {
		client->in_len += (size_t)res;
		take_fds(client);
	}
	go_on(client);
}

/* ---- jobs --------------------------------------------------------------- */

/**
 * control_job_check() - may a job begin?
 * @call: the request that wants one
 * @err: names the job that is under way
 *
 * One at a time: each of them wants to know what the guest writes.
 *
 * Return: 0 or -EBUSY.
 */
int control_job_check(const struct control_call *call, struct error *err)
{
	const struct list *jobs = &call->control->jobs;
	const struct control_job *job;

	if (list_is_empty(jobs))
		return 0;
	job = list_entry(jobs->next, struct control_job, link);
	return error_set(err, -EBUSY, "%s of %s is under way already",
			 job->what, call->vm->name);
}

/**
 * control_job_begin() - a command goes on after it has returned
 * @call: the request
 * @job: to be filled
 * @what: see struct control_job
 * @cancel: likewise
 */
void control_job_begin(struct control_call *call, struct control_job *job,
		       const char *what,
		       void (*cancel)(struct control_job *job))
{
	*job = (struct control_job) {
		.control = call->control, .what = what, .cancel = cancel,
	};
	list_add_tail(&call->control->jobs, &job->link);
	call->job = job;
}

/**
 * control_job_event() - tell the client how far a job is
 * @job: the job
 * @body: what to tell; gets an owner here
 *
 * An event that the client is too slow for, or that nobody waits for, is left
 * out.
 *
 * Context: main loop.
 */
void control_job_event(struct control_job *job, struct json_object *body)
{
	struct control_client *client = job->client;
	struct json_object *obj;

	if (!client || client->answer) {
		json_object_put(body);
		return;
	}
	obj = json_object_new_object();
	json_object_object_add(obj, "id", json_object_get(job->id));
	json_object_object_add(obj, "event", body);
	queue_line(client, obj);
	if (client->answer && !client->busy)
		start_send(client);
}

/**
 * control_job_cancel() - ask a job to give up
 * @job: the job; nothing happens when it has been asked before
 * @why: for whoever waits for it; a constant
 *
 * Context: main loop.
 */
void control_job_cancel(struct control_job *job, const char *why)
{
	if (job->cancelled)
		return;
	job->cancelled = why;
	job->cancel(job);
}

/**
 * control_job_end() - a job has ended
 * @job: the job; its memory is the caller's again
 * @result: what came of it; gets an owner here; NULL when @err tells
 * @err: why it failed
 *
 * Context: main loop, not from within the command that has started it, nor
 * from &control_job.cancel.
 */
void control_job_end(struct control_job *job, struct json_object *result,
		     const struct error *err)
{
	struct control_client *client = job->client;
	struct json_object *answer = control_reply(job->id, result, err);

	list_del(&job->link);
	json_object_put(job->id);
	if (!client) {
		json_object_put(answer);
		return;
	}
	client->job = NULL;
	stop_watching(client);
	queue_line(client, answer);
	if (!client->busy)
		go_on(client);
}

/* ---- the socket --------------------------------------------------------- */

/* The folder keeps others out; this does where the folder does not. */
static bool is_allowed(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
		(who.uid == geteuid() || !who.uid);
}

static void add_client(struct control *control, int fd)
{
	struct control_client *client;

	client = is_allowed(fd) ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		close(fd);
		return;
	}
	client->control = control;
	client->fd = fd;
	client->op.done = client_done;
	client->hangup_op.done = hangup_done;
	list_add_tail(&control->clients, &client->link);
	control->clients_nr++;
	start_receive(client);
}

static void accept_done(struct io_op *op, s32 res, u32 flags)
{
	struct control *control = container_of(op, struct control, accept_op);

	control->accepting = false;
	if (res >= 0 && control->closing) {
		close(res);
	} else if (res >= 0) {
		add_client(control, res);
		start_accept(control);
	} else if (!control->closing) {
		log_limited(LOG_WARNING, "control socket: accept: %s",
			    strerror(-res));
		io_timer_set(&control->rest, REST_NS);
	}
}

static void rested(struct io_timer *timer)
{
	start_accept(container_of(timer, struct control, rest));
}

static void start_accept(struct control *control)
{
	if (control->accepting || control->closing ||
	    control->clients_nr == CONTROL_CLIENTS_MAX)
		return;
	control->accepting = true;
	io_uring_prep_accept(iothread_sqe(&control->vm->loop,
					  &control->accept_op),
			     control->fd, NULL, NULL, SOCK_CLOEXEC);
}

static int listen_at(const struct sockaddr_un *addr, int *out,
		     struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t mask;
	int ret;

	if (fd < 0)
		return error_set(err, -errno, "control socket: %m");
	/* The socket has its mode from the first moment on. */
	mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ?
		-errno : 0;
	umask(mask);
	if (!ret && listen(fd, CONTROL_CLIENTS_MAX))
		ret = -errno;
	if (ret) {
		close(fd);
		return error_set(err, ret, "%s: %s", addr->sun_path,
				 strerror(-ret));
	}
	*out = fd;
	return 0;
}

/**
 * control_create() - open the control socket of a machine
 * @vm: the machine
 * @addr: where; nothing is there yet
 * @out: the socket
 * @err: set on failure
 *
 * Context: main loop's thread, before other threads exist (it sets the umask
 * for a moment).
 * Return: 0 or a negative errno.
 */
int control_create(struct vm *vm, const struct sockaddr_un *addr,
		   struct control **out, struct error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int ret;

	if (!control)
		return error_set(err, -ENOMEM, "control socket: no memory");
	ret = listen_at(addr, &control->fd, err);
	if (ret) {
		free(control);
		return ret;
	}
	control->vm = vm;
	control->accept_op.done = accept_done;
	io_timer_init(&control->rest, &vm->loop, rested);
	list_init(&control->clients);
	list_init(&control->jobs);
	start_accept(control);
	*out = control;
	return 0;
}

/* What is in the ring ends, or is made to end. */
static void end_operations(struct control *control)
{
	struct iothread *loop = &control->vm->loop;
	struct control_client *client;

	if (control->accepting)
		io_uring_prep_cancel(iothread_sqe(loop, NULL),
				     &control->accept_op, 0);
	list_for_each_entry(client, &control->clients, link)
		if (!client->answer && !client->job)
			shutdown(client->fd, SHUT_RD);
}

/* Commands that are under way end first; their clients hear about it. */
static void end_jobs(struct control *control)
{
	struct control_job *job;

	list_for_each_entry(job, &control->jobs, link)
		control_job_cancel(job, "the machine has ended");
	while (!list_is_empty(&control->jobs))
		iothread_run_once(&control->vm->loop, true);
}

/**
 * control_destroy() - close the socket and all connections
 * @control: the socket, or NULL
 *
 * Jobs are cancelled and end before. Answers that are on their way still
 * arrive, if the client takes them.
 *
 * Context: main loop's thread, outside of the loop.
 */
void control_destroy(struct control *control)
{
	struct control_client *client;
	u32 rounds;

	if (!control)
		return;
	control->closing = true;
	end_jobs(control);
	end_operations(control);
	for (rounds = 0; control->clients_nr && rounds < LINGER_ROUNDS;
	     rounds++) {
		iothread_run_once(&control->vm->loop, false);
		usleep(rounds ? 1000 : 0);
	}
	/* A client that does not take its answer. */
	list_for_each_entry(client, &control->clients, link)
		shutdown(client->fd, SHUT_RDWR);
	while (control->clients_nr || control->accepting)
		iothread_run_once(&control->vm->loop, true);
	io_timer_destroy(&control->rest);
	close(control->fd);
	free(control);
}
