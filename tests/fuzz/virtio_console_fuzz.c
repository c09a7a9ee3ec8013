// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the console device by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/virtio_fuzz.h for its steps. At the host a program is connected to
 * each port, has said something and does not read; another one waits. They go
 * when the program is over, so the next one begins with their hang-ups.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/virtio_fuzz.h"
#include "virtio/console_spec.h"

#define PORTS	2
#define CALLERS	2	/* of each port */
#define QUEUES	(2 + 2 * (1 + PORTS))

/**
 * struct places - where the sockets are
 * @dir: a folder of their own
 * @options: of the device
 */
struct places {
	char dir[64];
	char options[256];
};

static struct places places;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void clean(void)
{
	char path[108];
	int i;

	for (i = 0; i < PORTS; i++) {
		snprintf(path, sizeof(path), "%s/%d", places.dir, i);
		unlink(path);
	}
	rmdir(places.dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	snprintf(places.dir, sizeof(places.dir), "/tmp/console-fuzz-XXXXXX");
	if (!mkdtemp(places.dir))
		abort();
	atexit(clean);
	snprintf(places.options, sizeof(places.options),
		 "a,path=%s/0,port=b,path=%s/1,console=on", places.dir,
		 places.dir);
	return 0;
}

/* Before the first input there is no device yet. */
static int call(int port)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%d", places.dir,
		 port);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    send(fd, places.options, sizeof(places.options), MSG_NOSIGNAL) >= 0)
		return fd;
	close(fd);
	return -1;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* A character for the console. */
	static const struct virtio_buf probe[] = { { 0, 1, false } };
	static const struct virtio_fuzz_target target = {
		.class = "virtio-console",
		.options = places.options,
		.queues = QUEUES,
		.probe = probe,
		.probe_nr = ARRAY_SIZE(probe),
		.probe_queue = VCON_QUEUE_TX,
	};
	int fd[PORTS * CALLERS], i;

	for (i = 0; i < PORTS * CALLERS; i++)
		fd[i] = call(i % PORTS);
	virtio_fuzz_run(data, size, &target);
	for (i = 0; i < PORTS * CALLERS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return 0;
}
