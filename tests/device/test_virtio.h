/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the tests of virtio devices have in common
 *
 * Each test of a device runs with four kinds of rings.
 */
#ifndef TESTS_DEVICE_TEST_VIRTIO_H
#define TESTS_DEVICE_TEST_VIRTIO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"

#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/virtio.h"
#include "vmm/base/math.h"

#define TEST_SLOT	4

#define RING_EXTRAS	(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | \
			 VIRTIO_F_RING_RESET)

/* The kinds of rings that a test of a device has variants for. */
#define RING_SPLIT		VIRTIO_F_VERSION_1
#define RING_SPLIT_EVENT	(VIRTIO_F_VERSION_1 | RING_EXTRAS)
#define RING_PACKED		(VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED)
#define RING_PACKED_EVENT	(RING_PACKED | RING_EXTRAS)

/* Bytes that are all the same. */
static inline bool test_all(const void *buf, u8 byte, size_t len)
{
	const u8 *p = buf;

	while (len--)
		if (*p++ != byte)
			return false;
	return true;
}

static inline int test_quiesce(struct device *dev)
{
	struct error err = ERROR_INIT;

	return dev->class->ops->quiesce(dev, &err);
}

/* Out to a table and in again, as a snapshot and a restore do it. */
static inline int test_save_load(struct device *dev)
{
	struct error err = ERROR_INIT;
	void *state = testvm_save(dev);
	int ret = testvm_load(dev, state, &err);

	if (ret)
		printf("# %s\n", err.text);
	free(state);
	return ret;
}

#endif /* TESTS_DEVICE_TEST_VIRTIO_H */
