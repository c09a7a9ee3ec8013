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

/* snapshot_show.c, snapshot_verify.c */
int snapshot_show(const struct snapshot_options *opts, const char *path);
int snapshot_verify(const struct snapshot_options *opts, const char *path);

#endif /* LKVM_CLI_SNAPSHOT_H */
