// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the virtio block device by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/virtio_fuzz.h for its steps. The disk stores nothing.
 */
#include "tests/lib/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* Reads a sector: the zeroed head says so. */
	static const struct virtio_buf probe[] = {
		{ 0, 16, false }, { 4096, 513, true },
	};
	static const struct virtio_fuzz_target target = {
		.class = "disk",
		.options = "null:1M,queues=2,iothreads=2",
		.queues = 2,
		.probe = probe,
		.probe_nr = ARRAY_SIZE(probe),
	};

	virtio_fuzz_run(data, size, &target);
	return 0;
}
