/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CLI_SNAPSHOT_H
#define LKVM_CLI_SNAPSHOT_H

#include "migration/image.h"
#include "vmm/cli/target.h"

struct json_object;

/**
 * struct snapshot_options - options of `lkvm snapshot`
 * @target: the machine
 * @stop: end it with the snapshot
 * @pause: pause it meanwhile
 * @force: replace a file that is no snapshot
 * @disks: enum disk_copying: copy the disks beside it
 * @json: for a program
 * @dts: show: the trees as source text
 */
struct snapshot_options {
	struct target target;
	bool stop;
	bool pause;
	bool force;
	u32 disks;
	bool json;
	bool dts;
};

/* snapshot.c */
int snapshot_image_open(const char *path, struct channel_control *control,
			struct image **out, struct error *err) __must_check;
void snapshot_image_close(struct image *image);
void snapshot_event(struct json_object *event);
u64 snapshot_number(struct json_object *obj, const char *key);
struct json_object *snapshot_new_event(const char *name,
				       struct json_object *body);
int snapshot_take(const struct snapshot_options *opts, const char *path);

/**
 * struct verify_request - an image that is to be verified
 * @image: the image
 * @control: of its channel
 * @json: tell @on_event how far it is, instead of a bar on the terminal
 * @on_event: gets an owned object
 */
struct verify_request {
	struct image *image;
	struct channel_control *control;
	bool json;
	void (*on_event)(struct json_object *event);
};

/**
 * struct verify_result - what became of it
 * @signal: the signal that ended it, 0 for none
 * @bytes: memory of the image
 * @elapsed_ms: how long it took
 */
struct verify_result {
	int signal;
	u64 bytes;
	u64 elapsed_ms;
};

int verify_image(const struct verify_request *req,
		 struct verify_result *result, struct error *err) __must_check;

/* snapshot_show.c, snapshot_verify.c */
int snapshot_show(const struct snapshot_options *opts, const char *path);
int snapshot_verify(const struct snapshot_options *opts, const char *path);

#endif /* LKVM_CLI_SNAPSHOT_H */
