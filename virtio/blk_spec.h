/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of the virtio block device
 *
 * VIRTIO-1.2 5.2.
 */
#ifndef LKVM_VIRTIO_BLK_SPEC_H
#define LKVM_VIRTIO_BLK_SPEC_H

#include "vmm/base/types.h"

#define VIRTIO_BLK_SECTOR	512	/* unit of positions, whatever blk_size */
#define VIRTIO_BLK_SECTOR_SHIFT	9

/* 5.2.3: features */
#define VIRTIO_BLK_F_SEG_MAX		BIT_ULL(2)
#define VIRTIO_BLK_F_RO			BIT_ULL(5)
#define VIRTIO_BLK_F_BLK_SIZE		BIT_ULL(6)
#define VIRTIO_BLK_F_FLUSH		BIT_ULL(9)
#define VIRTIO_BLK_F_CONFIG_WCE		BIT_ULL(11)
#define VIRTIO_BLK_F_MQ			BIT_ULL(12)
#define VIRTIO_BLK_F_DISCARD		BIT_ULL(13)
#define VIRTIO_BLK_F_WRITE_ZEROES	BIT_ULL(14)

/* 5.2.6: types of requests */
#define VIRTIO_BLK_T_IN			0
#define VIRTIO_BLK_T_OUT		1
#define VIRTIO_BLK_T_FLUSH		4
#define VIRTIO_BLK_T_GET_ID		8
#define VIRTIO_BLK_T_DISCARD		11
#define VIRTIO_BLK_T_WRITE_ZEROES	13

#define VIRTIO_BLK_S_OK			0
#define VIRTIO_BLK_S_IOERR		1
#define VIRTIO_BLK_S_UNSUPP		2

#define VIRTIO_BLK_ID_BYTES		20

/* 5.2.6: flags of a segment */
#define VIRTIO_BLK_SEG_UNMAP		1U

/**
 * struct virtio_blk_config - the device configuration
 * @capacity: sectors
 * @size_max: greatest segment; not offered
 * @seg_max: most segments of a request
 * @cylinders: geometry; not offered
 * @heads: likewise
 * @sectors: likewise
 * @blk_size: bytes of a block
 * @physical_block_exp: topology; not offered
 * @alignment_offset: likewise
 * @min_io_size: likewise
 * @opt_io_size: likewise
 * @writeback: 1: there is a volatile cache
 * @unused0: 0
 * @num_queues: request queues
 * @max_discard_sectors: most sectors of a discard segment
 * @max_discard_seg: most segments of a discard
 * @discard_sector_alignment: sectors
 * @max_write_zeroes_sectors: most sectors of a write zeroes segment
 * @max_write_zeroes_seg: most segments of a write zeroes
 * @write_zeroes_may_unmap: it may give space back
 * @unused1: 0
 *
 * VIRTIO-1.2 5.2.4, up to where the zoned part begins.
 */
struct virtio_blk_config {
	__le64 capacity;
	__le32 size_max;
	__le32 seg_max;
	__le16 cylinders;
	u8 heads;
	u8 sectors;
	__le32 blk_size;
	u8 physical_block_exp;
	u8 alignment_offset;
	__le16 min_io_size;
	__le32 opt_io_size;
	u8 writeback;
	u8 unused0;
	__le16 num_queues;
	__le32 max_discard_sectors;
	__le32 max_discard_seg;
	__le32 discard_sector_alignment;
	__le32 max_write_zeroes_sectors;
	__le32 max_write_zeroes_seg;
	u8 write_zeroes_may_unmap;
	u8 unused1[3];
} __attribute__((packed));
static_assert(sizeof(struct virtio_blk_config) == 60, "VIRTIO-1.2 5.2.4");
static_assert(offsetof(struct virtio_blk_config, writeback) == 32,
	      "VIRTIO-1.2 5.2.4");

/**
 * struct virtio_blk_head - how a request begins
 * @type: VIRTIO_BLK_T
 * @reserved: 0
 * @sector: the first sector
 *
 * VIRTIO-1.2 5.2.6. Data follows, then one byte for VIRTIO_BLK_S.
 */
struct virtio_blk_head {
	__le32 type;
	__le32 reserved;
	__le64 sector;
};
static_assert(sizeof(struct virtio_blk_head) == 16, "VIRTIO-1.2 5.2.6");

/**
 * struct virtio_blk_seg - a range to be discarded or zeroed
 * @sector: the first sector
 * @sectors: how many
 * @flags: VIRTIO_BLK_SEG
 *
 * VIRTIO-1.2 5.2.6.
 */
struct virtio_blk_seg {
	__le64 sector;
	__le32 sectors;
	__le32 flags;
};
static_assert(sizeof(struct virtio_blk_seg) == 16, "VIRTIO-1.2 5.2.6");

#endif /* LKVM_VIRTIO_BLK_SPEC_H */
