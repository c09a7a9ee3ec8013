// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the virtio entropy device by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/virtio_fuzz.h for its steps.
 */
#include "tests/lib/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const struct virtio_buf probe[] = {
		{ 0, 16, true },
	};
	static const struct virtio_fuzz_target target = {
		.class = "rng",
		.queues = 1,
		.probe = probe,
		.probe_nr = ARRAY_SIZE(probe),
	};

	virtio_fuzz_run(data, size, &target);
	return 0;
}
