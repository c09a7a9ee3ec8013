/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a hostile virtio driver that runs a program
 *
 * A program is a list of steps, each one byte for what to do and what follows
 * it:
 *
 *   chain      a chain of buffers, direct or by a table, as a driver offers it,
 *              beginning with bytes of the input
 *   memory     bytes into guest memory: heads, tables, data
 *   ring       bytes into one of the three areas of a queue
 *   notify     any queue
 *   register   any value to any register, or to the device configuration
 *   function   bus mastering off or on, a Function Level Reset, the window in
 *              configuration space
 *   begin      negotiate anew, with other features
 *   pause      quiesce, save, check and load the state, resume
 *   wait       let the device's threads catch up
 *
 * Addresses are bent into guest memory most of the time, because random ones
 * all end the same way. Whatever the program did, the device must be usable
 * after a reset; that is checked at the end.
 */
#ifndef TESTS_LIB_VIRTIO_FUZZ_H
#define TESTS_LIB_VIRTIO_FUZZ_H

#include <stddef.h>

#include "tests/lib/virtio_driver.h"

/**
 * struct virtio_fuzz_target - the device
 * @class: its class
 * @options: its options, or NULL
 * @queues: so many queues are set up
 * @probe: the last step: a request that a sound device answers
 * @probe_nr: buffers of it; addresses count from a zeroed page
 * @probe_queue: where it goes
 */
struct virtio_fuzz_target {
	const char *class;
	const char *options;
	u32 queues;
	const struct virtio_buf *probe;
	u32 probe_nr;
	u32 probe_queue;
};

void virtio_fuzz_run(const u8 *data, size_t size,
		     const struct virtio_fuzz_target *target);

#endif /* TESTS_LIB_VIRTIO_FUZZ_H */
