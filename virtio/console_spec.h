/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of VIRTIO 1.2 5.3, the console device
 *
 * Names follow the specification; all fields are little-endian.
 */
#ifndef LKVM_VIRTIO_CONSOLE_SPEC_H
#define LKVM_VIRTIO_CONSOLE_SPEC_H

#include "vmm/base/types.h"

/* VIRTIO-1.2 5.3.2: queues; those of port N above 0 begin at 2 * N + 2 */
#define VCON_QUEUE_RX		0
#define VCON_QUEUE_TX		1
#define VCON_QUEUE_CTRL_RX	2
#define VCON_QUEUE_CTRL_TX	3

/* VIRTIO-1.2 5.3.3: feature bits */
#define VCON_F_SIZE		BIT_ULL(0)
#define VCON_F_MULTIPORT	BIT_ULL(1)
#define VCON_F_EMERG_WRITE	BIT_ULL(2)

/* VIRTIO-1.2 5.3.6.2: events of control messages */
#define VCON_DEVICE_READY	0
#define VCON_PORT_ADD		1
#define VCON_PORT_REMOVE	2
#define VCON_PORT_READY		3
#define VCON_CONSOLE_PORT	4
#define VCON_RESIZE		5
#define VCON_PORT_OPEN		6
#define VCON_PORT_NAME		7

/**
 * struct vcon_config - device configuration
 * @cols: width of the console in characters, with VCON_F_SIZE
 * @rows: height
 * @max_nr_ports: most ports, with VCON_F_MULTIPORT
 * @emerg_wr: a character that is written here goes out at once, with
 *            VCON_F_EMERG_WRITE
 *
 * VIRTIO-1.2 5.3.4.
 */
struct vcon_config {
	__le16 cols;
	__le16 rows;
	__le32 max_nr_ports;
	__le32 emerg_wr;
};
static_assert(sizeof(struct vcon_config) == 12, "VIRTIO-1.2 5.3.4");
static_assert(offsetof(struct vcon_config, emerg_wr) == 8, "VIRTIO-1.2 5.3.4");

/**
 * struct vcon_control - a control message
 * @id: the port it is about
 * @event: what it is
 * @value: further to that
 *
 * VIRTIO-1.2 5.3.6.2.
 */
struct vcon_control {
	__le32 id;
	__le16 event;
	__le16 value;
};
static_assert(sizeof(struct vcon_control) == 8, "VIRTIO-1.2 5.3.6.2");

/**
 * struct vcon_resize - what follows the message VCON_RESIZE
 * @cols: width of the console in characters
 * @rows: height
 *
 * VIRTIO-1.2 5.3.6.2.
 */
struct vcon_resize {
	__le16 cols;
	__le16 rows;
};
static_assert(sizeof(struct vcon_resize) == 4, "VIRTIO-1.2 5.3.6.2");

#endif /* LKVM_VIRTIO_CONSOLE_SPEC_H */
