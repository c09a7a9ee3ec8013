/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of VIRTIO 1.2 5.10, the socket device
 *
 * Names follow the specification; all fields are little-endian.
 */
#ifndef LKVM_VIRTIO_VSOCK_SPEC_H
#define LKVM_VIRTIO_VSOCK_SPEC_H

#include "vmm/base/types.h"

/* VIRTIO-1.2 5.10.2: queues */
#define VSOCK_QUEUE_RX		0
#define VSOCK_QUEUE_TX		1
#define VSOCK_QUEUE_EVENT	2
#define VSOCK_QUEUES		3

/* VIRTIO-1.2 5.10.4: context identifiers that are nobody's or somebody else's */
#define VSOCK_CID_HOST		2
#define VSOCK_CID_GUEST_MIN	3
#define VSOCK_CID_GUEST_MAX	0xfffffffeU

/* VIRTIO-1.2 5.10.6: operations */
#define VSOCK_OP_REQUEST	1
#define VSOCK_OP_RESPONSE	2
#define VSOCK_OP_RST		3
#define VSOCK_OP_SHUTDOWN	4
#define VSOCK_OP_RW		5
#define VSOCK_OP_CREDIT_UPDATE	6
#define VSOCK_OP_CREDIT_REQUEST	7

/* VIRTIO-1.2 5.10.6: types of a socket */
#define VSOCK_TYPE_STREAM	1

/* VIRTIO-1.2 5.10.6.6: flags of VSOCK_OP_SHUTDOWN */
#define VSOCK_SHUTDOWN_RECEIVE	0x1
#define VSOCK_SHUTDOWN_SEND	0x2
#define VSOCK_SHUTDOWN_BOTH	0x3

/* VIRTIO-1.2 5.10.6.7: events */
#define VSOCK_EVENT_TRANSPORT_RESET	0

/**
 * struct vsock_config - device configuration
 * @guest_cid: the guest's address
 *
 * VIRTIO-1.2 5.10.4.
 */
struct vsock_config {
	__le64 guest_cid;
};
static_assert(sizeof(struct vsock_config) == 8, "VIRTIO-1.2 5.10.4");

/**
 * struct vsock_hdr - what each packet begins with
 * @src_cid: the sender's address
 * @dst_cid: the receiver's address
 * @src_port: the sender's port
 * @dst_port: the receiver's port
 * @len: bytes of payload behind the header
 * @type: VSOCK_TYPE
 * @op: VSOCK_OP
 * @flags: of the operation
 * @buf_alloc: bytes that the sender of the packet has room for in all
 * @fwd_cnt: bytes that it has received and its user has consumed, modulo 2^32
 *
 * VIRTIO-1.2 5.10.6.
 */
struct vsock_hdr {
	__le64 src_cid;
	__le64 dst_cid;
	__le32 src_port;
	__le32 dst_port;
	__le32 len;
	__le16 type;
	__le16 op;
	__le32 flags;
	__le32 buf_alloc;
	__le32 fwd_cnt;
} __attribute__((packed));
static_assert(sizeof(struct vsock_hdr) == 44, "VIRTIO-1.2 5.10.6");
static_assert(offsetof(struct vsock_hdr, fwd_cnt) == 40, "VIRTIO-1.2 5.10.6");

/**
 * struct vsock_event - what the device puts into a buffer of the event queue
 * @id: VSOCK_EVENT
 *
 * VIRTIO-1.2 5.10.6.7.
 */
struct vsock_event {
	__le32 id;
};
static_assert(sizeof(struct vsock_event) == 4, "VIRTIO-1.2 5.10.6.7");

#endif /* LKVM_VIRTIO_VSOCK_SPEC_H */
