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
 * @req: what is wanted
 * @counted: how far it is
 * @done_fd: readable when the threads have ended
 * @key: Ctrl-C
 * @err: what they have found
 */
struct verifying {
	const struct verify_request *req;
	struct image_progress counted;
	int done_fd;
	struct cancel_key key;
	struct error err;
};

static void *verify_thread(void *arg)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct verifying *v = arg;

	if (image_verify(v->req->image, (u32)min_of(max_of(cpus, 1L),
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
	if (!v->req->json)
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
	v->req->on_event(event);
}

/* Until the threads have ended, which Ctrl-C makes them do. */
static void wait_for_end(struct verifying *v, struct progress *p)
{
	struct pollfd fds[] = {
		{ .fd = v->done_fd, .events = POLLIN },
		{ .fd = v->key.fd, .events = POLLIN },
	};

	show(v, p);
	for (;;) {
		poll(fds, ARRAY_SIZE(fds), TICK_MS);
		if (fds[1].revents && cancel_key_take(&v->key))
			channel_control_cancel(v->req->control);
		if (fds[0].revents)
			return;
		show(v, p);
	}
}

static int verify_all(struct verifying *v, struct verify_result *result)
{
	const struct image *image = v->req->image;
	struct progress p;
	pthread_t thread;
	int ret;
	u32 i;

	for (i = 0; i < image->blocks_nr; i++)
		v->counted.total += image->blocks[i].size;
	progress_begin(&p, v->req->json);
	ret = -pthread_create(&thread, NULL, verify_thread, v);
	if (ret)
		return error_set(&v->err, ret, "no thread: %s", strerror(-ret));
	wait_for_end(v, &p);
	pthread_join(thread, NULL);
	progress_end(&p);
	result->signal = v->key.signal;
	result->bytes = v->counted.total;
	result->elapsed_ms = progress_elapsed_ms(&p);
	return v->err.code;
}

/**
 * verify_image() - check every page of an image, and show how far it is
 * @req: what is wanted
 * @result: filled, also on failure
 * @err: what is wrong
 *
 * Ctrl-C ends it; see &verify_result.signal.
 *
 * Context: the first thread, before the machine has any other.
 * Return: 0 or a negative errno.
 */
int verify_image(const struct verify_request *req,
		 struct verify_result *result, struct error *err)
{
	struct verifying v = { .req = req };
	int ret;

	*result = (struct verify_result){ .signal = 0 };
	v.done_fd = eventfd(0, EFD_CLOEXEC);
	if (v.done_fd < 0)
		return error_set(err, -errno, "eventfd: %m");
	ret = cancel_key_open(&v.key, err);
	if (!ret) {
		ret = verify_all(&v, result);
		cancel_key_close(&v.key);
		if (ret)
			error_copy(err, &v.err);
	}
	close(v.done_fd);
	return ret;
}

static void tell(const struct snapshot_options *opts, const char *path,
		 const struct verify_result *result)
{
	u64 ms = result->elapsed_ms;
	struct json_object *event;
	char bytes[32];

	progress_bytes(result->bytes, bytes, sizeof(bytes));
	if (!opts->json) {
		printf("%s: all checksums of %s of memory are right (%llu.%03llu s)\n",
		       path, bytes, ms / 1000, ms % 1000);
		return;
	}
	event = json_object_new_object();
	json_object_object_add(event, "event", json_object_new_string("end"));
	json_object_object_add(event, "memory-bytes",
			       json_object_new_uint64(result->bytes));
	json_object_object_add(event, "elapsed-ms", json_object_new_uint64(ms));
	snapshot_event(event);
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
	struct verify_result result = { .signal = 0 };
	struct channel_control control;
	struct verify_request req = {
		.control = &control, .json = opts->json,
		.on_event = snapshot_event,
	};
	struct error err = ERROR_INIT;
	int ret;

	if (channel_control_init(&control, &err))
		return cli_fail(EXIT_ERROR, &err);
	ret = snapshot_image_open(path, &control, &req.image, &err);
	if (!ret) {
		ret = verify_image(&req, &result, &err);
		snapshot_image_close(req.image);
	}
	channel_control_destroy(&control);
	if (ret)
		return cli_fail(result.signal ? EXIT_SIGNAL + result.signal :
				EXIT_ERROR, &err);
	tell(opts, path, &result);
	return EXIT_OK;
}
