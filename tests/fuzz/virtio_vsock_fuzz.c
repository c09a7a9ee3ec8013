// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the socket device by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/virtio_fuzz.h for its steps. At the host sockets listen at some
 * ports, so that connections come about; what they are sent stays there. What
 * is said on connections is the business of vsock_conn_fuzz.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/virtio_fuzz.h"
#include "virtio/vsock_spec.h"

#define PORTS	4

/**
 * struct places - where the sockets are
 * @dir: a folder of their own
 * @options: of the device
 * @listener: at ports 0 to 3
 */
struct places {
	char dir[64];
	char options[128];
	int listener[PORTS];
};

static struct places places;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void clean(void)
{
	char path[108];
	int i;

	for (i = 0; i < PORTS; i++) {
		snprintf(path, sizeof(path), "%s/v_%d", places.dir, i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/v", places.dir);
	unlink(path);
	rmdir(places.dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int i, fd;

	snprintf(places.dir, sizeof(places.dir), "/tmp/vsock-fuzz-XXXXXX");
	if (!mkdtemp(places.dir))
		abort();
	atexit(clean);
	snprintf(places.options, sizeof(places.options), "3,path=%s/v",
		 places.dir);
	for (i = 0; i < PORTS; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/v_%d",
			 places.dir, i);
		if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		    listen(fd, 64))
			abort();
		places.listener[i] = fd;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* A packet from nobody. */
	static const struct virtio_buf probe[] = {
		{ 0, sizeof(struct vsock_hdr), false },
	};
	static const struct virtio_fuzz_target target = {
		.class = "vsock",
		.options = places.options,
		.queues = VSOCK_QUEUES,
		.probe = probe,
		.probe_nr = ARRAY_SIZE(probe),
		.probe_queue = VSOCK_QUEUE_TX,
	};
	int i, fd;

	virtio_fuzz_run(data, size, &target);
	for (i = 0; i < PORTS; i++)
		while ((fd = accept(places.listener[i], NULL, NULL)) >= 0)
			close(fd);
	return 0;
}
