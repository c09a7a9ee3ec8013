/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BOOT_FILE_H
#define LKVM_BOOT_FILE_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct guest_gate;

/**
 * struct boot_file - a file to be loaded
 * @what: "kernel" or "initrd", for messages
 * @path: for messages
 * @fd: the file
 * @size: its size when it was opened
 */
struct boot_file {
	const char *what;
	const char *path;
	int fd;
	u64 size;
};

int boot_file_open(struct boot_file *file, const char *what, const char *path,
		   struct error *err) __must_check;
void boot_file_close(struct boot_file *file);
int boot_file_check(const struct boot_file *file, u64 offset, u64 len,
		    struct error *err) __must_check;
int boot_file_read(const struct boot_file *file, u64 offset, void *buf,
		   size_t len, struct error *err) __must_check;
int boot_file_place(const struct boot_file *file, u64 offset,
		    struct guest_gate *gate, u64 addr, u64 len,
		    struct error *err) __must_check;

#endif /* LKVM_BOOT_FILE_H */
