// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the memory balloon by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/virtio_fuzz.h for its steps. It may give away the memory that its
 * own rings are in.
 */
#include "tests/lib/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* Gives page 0 away. */
	static const struct virtio_buf probe[] = {
		{ 0, 4, false },
	};
	static const struct virtio_fuzz_target target = {
		.class = "balloon",
		.queues = 5,
		.probe = probe,
		.probe_nr = ARRAY_SIZE(probe),
	};

	virtio_fuzz_run(data, size, &target);
	return 0;
}
