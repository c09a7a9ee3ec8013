/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of VIRTIO 1.2 that all devices share
 *
 * Names follow the specification; a device's own numbers are in its file. All
 * that is in guest memory or in a register is little-endian (VIRTIO-1.2 1.4).
 */
#ifndef LKVM_VIRTIO_SPEC_H
#define LKVM_VIRTIO_SPEC_H

#include "vmm/base/types.h"

/* VIRTIO-1.2 5: device types */
#define VIRTIO_ID_NET			1
#define VIRTIO_ID_BLOCK			2
#define VIRTIO_ID_CONSOLE		3
#define VIRTIO_ID_ENTROPY		4
#define VIRTIO_ID_BALLOON		5
#define VIRTIO_ID_SOCKET		19

/* VIRTIO-1.2 2.1: device status */
#define VIRTIO_STATUS_ACKNOWLEDGE	0x01
#define VIRTIO_STATUS_DRIVER		0x02
#define VIRTIO_STATUS_DRIVER_OK		0x04
#define VIRTIO_STATUS_FEATURES_OK	0x08
#define VIRTIO_STATUS_NEEDS_RESET	0x40
#define VIRTIO_STATUS_FAILED		0x80
#define VIRTIO_STATUS_ALL		0xcf

/* VIRTIO-1.2 6: reserved feature bits */
#define VIRTIO_F_INDIRECT_DESC		BIT_ULL(28)
#define VIRTIO_F_EVENT_IDX		BIT_ULL(29)
#define VIRTIO_F_VERSION_1		BIT_ULL(32)
#define VIRTIO_F_RING_PACKED		BIT_ULL(34)
#define VIRTIO_F_RING_RESET		BIT_ULL(40)

/* VIRTIO-1.2 2.7.5, 2.8.1: flags of a descriptor */
#define VIRTQ_DESC_F_NEXT		0x0001
#define VIRTQ_DESC_F_WRITE		0x0002
#define VIRTQ_DESC_F_INDIRECT		0x0004
#define VIRTQ_DESC_F_AVAIL		0x0080
#define VIRTQ_DESC_F_USED		0x8000

/* VIRTIO-1.2 2.7.6, 2.7.8: split rings */
#define VIRTQ_AVAIL_F_NO_INTERRUPT	1
#define VIRTQ_USED_F_NO_NOTIFY		1

/* VIRTIO-1.2 2.8.10: event suppression of packed rings */
#define VIRTQ_EVENT_ENABLE		0
#define VIRTQ_EVENT_DISABLE		1
#define VIRTQ_EVENT_DESC		2
#define VIRTQ_EVENT_WRAP		0x8000

/* VIRTIO-1.2 2.7: the longest ring */
#define VIRTQ_SIZE_MAX			32768

/**
 * struct virtq_desc - a descriptor of a split ring or of any indirect table
 * @addr: guest physical address
 * @len: bytes
 * @flags: VIRTQ_DESC_F
 * @next: the next one's index, with VIRTQ_DESC_F_NEXT
 *
 * VIRTIO-1.2 2.7.5.
 */
struct virtq_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};
static_assert(sizeof(struct virtq_desc) == 16, "VIRTIO-1.2 2.7.5");

/**
 * struct virtq_packed_desc - a descriptor of a packed ring
 * @addr: guest physical address
 * @len: bytes
 * @id: buffer identifier
 * @flags: VIRTQ_DESC_F
 *
 * VIRTIO-1.2 2.8.13.
 */
struct virtq_packed_desc {
	__le64 addr;
	__le32 len;
	__le16 id;
	__le16 flags;
};
static_assert(sizeof(struct virtq_packed_desc) == 16, "VIRTIO-1.2 2.8.13");

/**
 * struct virtq_used_elem - an entry of the used ring
 * @id: index of the first descriptor of the chain
 * @len: bytes that the device has written
 *
 * VIRTIO-1.2 2.7.8.
 */
struct virtq_used_elem {
	__le32 id;
	__le32 len;
};
static_assert(sizeof(struct virtq_used_elem) == 8, "VIRTIO-1.2 2.7.8");

/* VIRTIO-1.2 4.1.4.3: registers of the common configuration */
#define VIRTIO_REG_DEVICE_FEATURE_SELECT	0x00
#define VIRTIO_REG_DEVICE_FEATURE		0x04
#define VIRTIO_REG_DRIVER_FEATURE_SELECT	0x08
#define VIRTIO_REG_DRIVER_FEATURE		0x0c
#define VIRTIO_REG_CONFIG_VECTOR		0x10
#define VIRTIO_REG_NUM_QUEUES			0x12
#define VIRTIO_REG_DEVICE_STATUS		0x14
#define VIRTIO_REG_CONFIG_GENERATION		0x15
#define VIRTIO_REG_QUEUE_SELECT			0x16
#define VIRTIO_REG_QUEUE_SIZE			0x18
#define VIRTIO_REG_QUEUE_VECTOR			0x1a
#define VIRTIO_REG_QUEUE_ENABLE			0x1c
#define VIRTIO_REG_QUEUE_NOTIFY_OFF		0x1e
#define VIRTIO_REG_QUEUE_DESC			0x20
#define VIRTIO_REG_QUEUE_DRIVER			0x28
#define VIRTIO_REG_QUEUE_DEVICE			0x30
#define VIRTIO_REG_QUEUE_NOTIFY_DATA		0x38
#define VIRTIO_REG_QUEUE_RESET			0x3a
#define VIRTIO_REG_COMMON_SIZE			0x3c

#define VIRTIO_NO_VECTOR		0xffff

/* VIRTIO-1.2 4.1.4.5: ISR status */
#define VIRTIO_ISR_QUEUE		1
#define VIRTIO_ISR_CONFIG		2

/* VIRTIO-1.2 4.1.4: cfg_type of the vendor-specific capabilities */
#define VIRTIO_CAP_COMMON		1
#define VIRTIO_CAP_NOTIFY		2
#define VIRTIO_CAP_ISR			3
#define VIRTIO_CAP_DEVICE		4
#define VIRTIO_CAP_PCI			5

/* VIRTIO-1.2 4.1.2 */
#define VIRTIO_PCI_VENDOR		0x1af4
#define VIRTIO_PCI_DEVICE_BASE		0x1040

#endif /* LKVM_VIRTIO_SPEC_H */
