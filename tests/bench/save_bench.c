// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how fast a machine's memory goes into a file
 *
 *	save_bench FOLDER MIB [FILE]
 *
 * A machine with MIB mebibytes of RAM, full of what FILE begins with or else
 * nearly empty, is saved into FOLDER while it runs; it has no vCPU. Prints
 * microseconds from the start to the file's name, MiB of memory that were put
 * over all rounds, and microseconds that a guest would have stood still.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migration/snapshot.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"

#define SPARSE		(64 * MIB)	/* between pages of a nearly empty one */

static __noreturn void die(const char *what)
{
	fprintf(stderr, "save_bench: %s\n", what);
	exit(1);
}

static void fill_block(const struct memory_block *b, int fd)
{
	u64 at;
	ssize_t n;

	for (at = 0; at < b->size; at += (u64)n) {
		n = fd >= 0 ? read(fd, b->host + at, b->size - at) :
			      (ssize_t)SPARSE;
		if (n <= 0)
			die("the file is too short");
		if (fd < 0)
			memset(b->host + at, 1, 100);
	}
}

static void on_done(void *arg, const struct error *err)
{
	if (err)
		die(err->text);
	*(bool *)arg = true;
}

static void save(struct vm *vm, const char *path)
{
	bool done = false;
	struct snapshot_request req = {
		.path = path, .on_done = on_done, .arg = &done,
	};
	struct error err = ERROR_INIT;
	struct snapshot *s;

	if (snapshot_start(vm, &req, &s, &err))
		die(err.text);
	while (!done)
		iothread_run_once(&vm->loop, true);
	printf("%llu\t%llu\t%llu\n", s->stats.total_ns / 1000,
	       s->stats.bytes / MIB, s->stats.pause_ns / 1000);
	snapshot_destroy(s);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	char path[4096];
	struct vm *vm;
	int fd = -1;
	u32 i;

	if (argc != 3 && argc != 4)
		die("save_bench FOLDER MIB [FILE]");
	if (argc == 4) {
		fd = open(argv[3], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(argv[3]);
	}
	vm = testvm_create(strtoull(argv[2], NULL, 10) * MIB);
	vm->description = strdup("description");
	vm->description_len = 12;
	for (i = 0; i < vm->memory.nr; i++)
		fill_block(&vm->memory.blocks[i], fd);
	if (vm_start(vm, &err) || vm_resume(vm, &err))
		die(err.text);
	snprintf(path, sizeof(path), "%s/saved", argv[1]);
	save(vm, path);
	unlink(path);
	testvm_destroy(vm);
	return 0;
}
