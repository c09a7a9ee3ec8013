/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_SNAPSHOT_FILE_H
#define LKVM_SNAPSHOT_FILE_H

#include "migration/channel.h"
#include "vmm/base/error.h"

/**
 * struct snapshot_file - a file that is whole or not there
 * @ch: what is written
 * @path: where it will be; owned
 * @dirfd: the folder
 * @name: the last part of @path
 * @temp: its name meanwhile, "" while it has none
 */
struct snapshot_file {
	struct channel *ch;
	char *path;
	int dirfd;
	const char *name;
	char temp[64];
};

int snapshot_file_create(struct snapshot_file *f, const char *path,
			 bool force, struct error *err) __must_check;
int snapshot_file_commit(struct snapshot_file *f, struct error *err)
	__must_check;
void snapshot_file_abort(struct snapshot_file *f);

#endif /* LKVM_SNAPSHOT_FILE_H */
