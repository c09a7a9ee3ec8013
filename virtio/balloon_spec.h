/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of VIRTIO 1.2 5.5, the memory balloon device
 *
 * Names follow the specification; all fields are little-endian.
 */
#ifndef LKVM_VIRTIO_BALLOON_SPEC_H
#define LKVM_VIRTIO_BALLOON_SPEC_H

#include "vmm/base/types.h"

/* VIRTIO-1.2 5.5.3: feature bits */
#define BALLOON_F_STATS_VQ		BIT_ULL(1)
#define BALLOON_F_DEFLATE_ON_OOM	BIT_ULL(2)
#define BALLOON_F_PAGE_POISON		BIT_ULL(4)
#define BALLOON_F_REPORTING		BIT_ULL(5)

/* VIRTIO-1.2 5.5.2: queues */
#define BALLOON_QUEUE_INFLATE	0
#define BALLOON_QUEUE_DEFLATE	1
#define BALLOON_QUEUE_STATS	2
#define BALLOON_QUEUE_HINT	3
#define BALLOON_QUEUE_REPORTING	4
#define BALLOON_QUEUES		5

/* VIRTIO-1.2 5.5.6: the unit of page numbers, whatever pages the guest has */
#define BALLOON_PAGE_SHIFT	12

/**
 * struct balloon_config - device configuration
 * @num_pages: pages that the device wants
 * @actual: pages that the driver has given; written by the driver
 * @free_page_hint_cmd_id: of BALLOON_QUEUE_HINT, which is not here: 0
 * @poison_val: what the driver fills free pages with; written by the driver
 *
 * VIRTIO-1.2 5.5.4.
 */
struct balloon_config {
	__le32 num_pages;
	__le32 actual;
	__le32 free_page_hint_cmd_id;
	__le32 poison_val;
};
static_assert(sizeof(struct balloon_config) == 16, "VIRTIO-1.2 5.5.4");
static_assert(offsetof(struct balloon_config, poison_val) == 12,
	      "VIRTIO-1.2 5.5.4");

/**
 * struct balloon_stat - a statistic
 * @tag: which
 * @val: its value
 *
 * VIRTIO-1.2 5.5.6.3.
 */
struct balloon_stat {
	__le16 tag;
	__le64 val;
} __attribute__((packed));
static_assert(sizeof(struct balloon_stat) == 10, "VIRTIO-1.2 5.5.6.3");

#endif /* LKVM_VIRTIO_BALLOON_SPEC_H */
