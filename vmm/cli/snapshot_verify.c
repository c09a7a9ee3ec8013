// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm snapshot verify: every byte of an image against its checksums
 *
 * Threads read and check; the first thread shows how far they are and waits
 * for Ctrl-C.
 */
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/snapshot.h"

#define TICK_MS		100
#define THREADS_MAX	16

/**
 * struct verifying - an image that is being verified
 * @opts: the options
 * @path: the file
 * @image: the image
 * @control: ends the reading early
 * @counted: how far it is
 * @done_fd: readable when the threads have ended
 * @err: what they have found
 */
struct verifying {
	const struct snapshot_options *opts;
	const char *path;
	struct image *image;
	struct channel_control control;
	struct image_progress counted;
	int done_fd;
	struct error err;
};

static void *verify_thread(void *arg)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct verifying *v = arg;

	if (image_verify(v->image, (u32)min_of(max_of(cpus, 1L),
					       (long)THREADS_MAX),
			 &v->counted, &v->err) && !v->err.code)
		v->err.code = -EIO;
	eventfd_write(v->done_fd, 1);
	return NULL;
}

static void show(const struct verifying *v, struct progress *p)
{
	u64 done = atomic_load(&v->counted.done);
	struct json_object *event;

	progress_show(p, done, v->counted.total, "");
	if (!v->opts->json)
		return;
	event = json_object_new_object();
	json_object_object_add(event, "event",
			       json_object_new_string("progress"));
	json_object_object_add(event, "done-bytes",
			       json_object_new_uint64(done));
	json_object_object_add(event, "total-bytes",
			       json_object_new_uint64(v->counted.total));
	json_object_object_add(event, "elapsed-ms",
			       json_object_new_uint64(progress_elapsed_ms(p)));
	snapshot_event(event);
}

/* Until the threads have ended, which Ctrl-C makes them do. */
static void wait_for_end(struct verifying *v, struct progress *p,
			 struct cancel_key *key)
{
	struct pollfd fds[] = {
		{ .fd = v->done_fd, .events = POLLIN },
		{ .fd = key->fd, .events = POLLIN },
	};

	for (;;) {
		poll(fds, ARRAY_SIZE(fds), TICK_MS);
		if (fds[1].revents && cancel_key_take(key))
			channel_control_cancel(&v->control);
		if (fds[0].revents)
			return;
		show(v, p);
	}
}

static int tell(const struct verifying *v, const struct progress *p,
		const struct cancel_key *key)
{
	u64 ms = progress_elapsed_ms(p);
	struct json_object *event;
	char bytes[32];

	if (v->err.code)
		return cli_fail(key->signal ? EXIT_SIGNAL + key->signal :
					      EXIT_ERROR, &v->err);
	progress_bytes(v->counted.total, bytes, sizeof(bytes));
	if (!v->opts->json) {
		printf("%s: all checksums of %s of memory are right (%llu.%03llu s)\n",
		       v->path, bytes, ms / 1000, ms % 1000);
		return EXIT_OK;
	}
	event = json_object_new_object();
	json_object_object_add(event, "event", json_object_new_string("end"));
	json_object_object_add(event, "memory-bytes",
			       json_object_new_uint64(v->counted.total));
	json_object_object_add(event, "elapsed-ms", json_object_new_uint64(ms));
	snapshot_event(event);
	return EXIT_OK;
}

static int verify_open(struct verifying *v, struct cancel_key *key)
{
	struct progress p;
	pthread_t thread;
	int ret;
	u32 i;

	for (i = 0; i < v->image->blocks_nr; i++)
		v->counted.total += v->image->blocks[i].size;
	progress_begin(&p, v->opts->json);
	ret = -pthread_create(&thread, NULL, verify_thread, v);
	if (ret) {
		error_set(&v->err, ret, "no thread: %s", strerror(-ret));
		return cli_fail(EXIT_ERROR, &v->err);
	}
	wait_for_end(v, &p, key);
	pthread_join(thread, NULL);
	progress_end(&p);
	return tell(v, &p, key);
}

/**
 * snapshot_verify() - lkvm snapshot verify
 * @opts: the options
 * @path: the file
 *
 * Return: an exit code.
 */
int snapshot_verify(const struct snapshot_options *opts, const char *path)
{
	struct verifying v = { .opts = opts, .path = path };
	struct cancel_key key;
	int code;

	if (channel_control_init(&v.control, &v.err))
		return cli_fail(EXIT_ERROR, &v.err);
	v.done_fd = eventfd(0, EFD_CLOEXEC);
	if (v.done_fd < 0) {
		error_set(&v.err, -errno, "eventfd: %m");
		code = cli_fail(EXIT_ERROR, &v.err);
		goto destroy_control;
	}
	if (cancel_key_open(&key, &v.err)) {
		code = cli_fail(EXIT_ERROR, &v.err);
		goto close_done;
	}
	if (snapshot_image_open(path, &v.control, &v.image, &v.err)) {
		code = cli_fail(EXIT_ERROR, &v.err);
	} else {
		code = verify_open(&v, &key);
		snapshot_image_close(v.image);
	}
	cancel_key_close(&key);
close_done:
	close(v.done_fd);
destroy_control:
	channel_control_destroy(&v.control);
	return code;
}
