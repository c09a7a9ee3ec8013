// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a stand-in for passt
 *
 * See tests/lib/fake_passt.h. The part that runs as passt is a constructor, so
 * that every test program can be it.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/fake_passt.h"
#include "tests/lib/testvm.h"

#define SOCKET_VARIABLE	"LKVM_TEST_PASST"
#define WIRE_FD		3
#define WAIT_MS		10000

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(1);
}

static void address(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	check(strlen(path) < sizeof(sa->sun_path), "fake passt: long path");
	memcpy(sa->sun_path, path, strlen(path));
}

/* ---- as passt ----------------------------------------------------------- */

static void hand_over(int control, int wire)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &wire, sizeof(wire));
	check(sendmsg(control, &msg, 0) == 1, "fake passt: sendmsg");
}

static void misbehave(int control, u8 how)
{
	struct pollfd told = { .fd = control, .events = POLLIN };
	static const char lines[4096] = { [0 ... 4095] = '\n' };
	ssize_t n;

	if (how == FAKE_PASST_SILENT) {
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		return;
	}
	/* Until the test has something else to say. */
	while (!poll(&told, 1, 0)) {
		n = write(STDERR_FILENO, lines, sizeof(lines));
		(void)n;
	}
}

__attribute__((constructor))
static void maybe_be_passt(void)
{
	const char *path = getenv(SOCKET_VARIABLE);
	struct sockaddr_un sa;
	u8 code = 0;
	int fd;

	if (!path || strcmp(program_invocation_short_name, "passt"))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	address(&sa, path);
	check(!connect(fd, (struct sockaddr *)&sa, sizeof(sa)),
	      "fake passt: connect");
	hand_over(fd, WIRE_FD);
	close(WIRE_FD);
	while (read(fd, &code, 1) == 1 && code >= FAKE_PASST_SILENT)
		misbehave(fd, code);
	if (code)
		fprintf(stderr, "told to end\n");
	_exit(code);
}

/* ---- for the test ------------------------------------------------------- */

/**
 * fake_passt_init() - have cards find the stand-in
 * @p: filled
 *
 * Changes the environment of this process.
 */
void fake_passt_init(struct fake_passt *p)
{
	char self[512], path[600], *vars;
	struct sockaddr_un sa;
	ssize_t n;

	*p = (struct fake_passt){ .control = -1, .wire = -1 };
	snprintf(p->dir, sizeof(p->dir), "/tmp/lkvm-passt.XXXXXX");
	check(mkdtemp(p->dir), "mkdtemp");
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	check(n > 0, "readlink");
	self[n] = 0;
	snprintf(path, sizeof(path), "%s/passt", p->dir);
	check(!symlink(self, path), "symlink");
	check(asprintf(&vars, "%s:%s", p->dir, getenv("PATH")) > 0, "PATH");
	setenv("PATH", vars, 1);
	free(vars);
	snprintf(path, sizeof(path), "%s/socket", p->dir);
	setenv(SOCKET_VARIABLE, path, 1);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address(&sa, path);
	check(!bind(p->listener, (struct sockaddr *)&sa, sizeof(sa)) &&
	      !listen(p->listener, 4), "bind");
}

/**
 * fake_passt_accept() - wait for a card to start its passt
 * @p: the stand-in
 * @vm: the machine, whose main loop runs meanwhile
 */
void fake_passt_accept(struct fake_passt *p, struct vm *vm)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	struct pollfd ready = { .fd = p->listener, .events = POLLIN };
	int i;

	for (i = 0; i < WAIT_MS && poll(&ready, 1, 1) <= 0; i++)
		testvm_poll(vm);
	p->control = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	check(p->control >= 0, "accept");
	check(recvmsg(p->control, &msg, MSG_CMSG_CLOEXEC) == 1 &&
	      CMSG_FIRSTHDR(&msg), "recvmsg");
	memcpy(&p->wire, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(p->wire));
}

/**
 * fake_passt_tell() - have the stand-in misbehave
 * @p: the stand-in
 * @what: how
 */
void fake_passt_tell(struct fake_passt *p, u8 what)
{
	check(send(p->control, &what, 1, MSG_NOSIGNAL) == 1, "tell");
}

/**
 * fake_passt_end() - have the stand-in end
 * @p: the stand-in
 * @code: its exit code
 */
void fake_passt_end(struct fake_passt *p, u8 code)
{
	ssize_t n;

	if (p->control < 0)
		return;
	n = send(p->control, &code, 1, MSG_NOSIGNAL);
	(void)n;
	close(p->control);
	close(p->wire);
	p->control = -1;
	p->wire = -1;
}

/**
 * fake_passt_destroy() - clean up
 * @p: the stand-in
 */
void fake_passt_destroy(struct fake_passt *p)
{
	char path[128];

	fake_passt_end(p, 0);
	close(p->listener);
	snprintf(path, sizeof(path), "%s/socket", p->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/passt", p->dir);
	unlink(path);
	rmdir(p->dir);
}

/**
 * fake_passt_send() - send a frame to the card
 * @p: the stand-in
 * @frame: the frame
 * @len: bytes
 */
void fake_passt_send(struct fake_passt *p, const void *frame, u32 len)
{
	u32 be = htonl(len);

	check(send(p->wire, &be, 4, MSG_NOSIGNAL) == 4 &&
	      send(p->wire, frame, len, MSG_NOSIGNAL) == (ssize_t)len, "send");
}

/* As many bytes as that; false: they do not come in time. */
static bool read_all(struct fake_passt *p, struct vm *vm, void *buf, u32 len)
{
	struct pollfd ready = { .fd = p->wire, .events = POLLIN };
	u32 at = 0;
	int i;
	ssize_t n;

	for (i = 0; at < len && i < 300; i++) {
		testvm_poll(vm);
		if (poll(&ready, 1, 1) <= 0)
			continue;
		n = recv(p->wire, (u8 *)buf + at, len - at, 0);
		if (n <= 0)
			return false;
		at += (u32)n;
		i = 0;
	}
	return at == len;
}

/**
 * fake_passt_recv() - a frame that the card has sent
 * @p: the stand-in
 * @vm: the machine, whose main loop runs meanwhile
 * @frame: filled
 * @max: room in it; a longer frame ends the test
 * @len: bytes of the frame
 *
 * Return: false when none comes within 300 ms.
 */
bool fake_passt_recv(struct fake_passt *p, struct vm *vm, void *frame,
		     u32 max, u32 *len)
{
	u32 be;

	if (!read_all(p, vm, &be, 4))
		return false;
	*len = ntohl(be);
	check(*len <= max, "fake passt: frame too long");
	return read_all(p, vm, frame, *len);
}
