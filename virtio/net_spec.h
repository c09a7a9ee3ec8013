/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: numbers and layouts of the network device, VIRTIO-1.2 5.1
 *
 * Everything is little-endian: the legacy interface does not exist here.
 */
#ifndef LKVM_NET_SPEC_H
#define LKVM_NET_SPEC_H

#include "vmm/base/types.h"

#define NET_DEVICE_ID		1	/* VIRTIO-1.2 5.1.1 */

/* Feature bits, VIRTIO-1.2 5.1.3. */
#define NET_F_CSUM		0
#define NET_F_GUEST_CSUM	1
#define NET_F_CTRL_GUEST_OFFLOADS 2
#define NET_F_MTU		3
#define NET_F_MAC		5
#define NET_F_GUEST_TSO4	7
#define NET_F_GUEST_TSO6	8
#define NET_F_GUEST_ECN		9
#define NET_F_HOST_TSO4		11
#define NET_F_HOST_TSO6		12
#define NET_F_HOST_ECN		13
#define NET_F_MRG_RXBUF		15
#define NET_F_STATUS		16
#define NET_F_CTRL_VQ		17
#define NET_F_CTRL_RX		18
#define NET_F_CTRL_RX_EXTRA	20
#define NET_F_GUEST_ANNOUNCE	21
#define NET_F_MQ		22
#define NET_F_CTRL_MAC_ADDR	23
#define NET_F_GUEST_USO4	54
#define NET_F_GUEST_USO6	55
#define NET_F_HOST_USO		56

/* Everything that one side may leave to the other. */
#define NET_OFFLOADS_GUEST						\
	(BIT_ULL(NET_F_GUEST_CSUM) | BIT_ULL(NET_F_GUEST_TSO4) |	\
	 BIT_ULL(NET_F_GUEST_TSO6) | BIT_ULL(NET_F_GUEST_ECN) |		\
	 BIT_ULL(NET_F_GUEST_USO4) | BIT_ULL(NET_F_GUEST_USO6))
#define NET_OFFLOADS_HOST						\
	(BIT_ULL(NET_F_CSUM) | BIT_ULL(NET_F_HOST_TSO4) |		\
	 BIT_ULL(NET_F_HOST_TSO6) | BIT_ULL(NET_F_HOST_ECN) |		\
	 BIT_ULL(NET_F_HOST_USO))
#define NET_OFFLOADS_USO						\
	(BIT_ULL(NET_F_GUEST_USO4) | BIT_ULL(NET_F_GUEST_USO6) |	\
	 BIT_ULL(NET_F_HOST_USO))
#define NET_OFFLOADS_ALL	(NET_OFFLOADS_GUEST | NET_OFFLOADS_HOST)

/* &net_config_space.status */
#define NET_S_LINK_UP		1
#define NET_S_ANNOUNCE		2

#define NET_MTU_MIN		68	/* VIRTIO-1.2 5.1.4.1 */
#define NET_MTU_MAX		65535

/**
 * struct net_config_space - what the guest reads, VIRTIO-1.2 5.1.4
 * @mac: NET_F_MAC
 * @status: NET_F_STATUS
 * @max_virtqueue_pairs: NET_F_MQ
 * @mtu: NET_F_MTU
 */
struct net_config_space {
	u8 mac[6];
	__le16 status;
	__le16 max_virtqueue_pairs;
	__le16 mtu;
};

static_assert(sizeof(struct net_config_space) == 12, "VIRTIO-1.2 5.1.4");

/* &net_hdr.flags and &net_hdr.gso_type */
#define NET_HDR_F_NEEDS_CSUM	1
#define NET_HDR_F_DATA_VALID	2
#define NET_HDR_GSO_NONE	0
#define NET_HDR_GSO_TCPV4	1
#define NET_HDR_GSO_TCPV6	4
#define NET_HDR_GSO_UDP_L4	5
#define NET_HDR_GSO_ECN		0x80

/**
 * struct net_hdr - in front of each frame, VIRTIO-1.2 5.1.6
 * @flags: NET_HDR_F_*
 * @gso_type: NET_HDR_GSO_*
 * @hdr_len: bytes of the headers that each segment gets
 * @gso_size: payload of a segment, bytes
 * @csum_start: where the checksum begins to be computed
 * @csum_offset: where it is put, from there
 * @num_buffers: into how many buffers a received frame was put
 */
struct net_hdr {
	u8 flags;
	u8 gso_type;
	__le16 hdr_len;
	__le16 gso_size;
	__le16 csum_start;
	__le16 csum_offset;
	__le16 num_buffers;
};

static_assert(sizeof(struct net_hdr) == 12, "VIRTIO-1.2 5.1.6");

/* The control queue, VIRTIO-1.2 5.1.6.5: classes, commands, answers. */
#define NET_CTRL_OK		0
#define NET_CTRL_ERR		1
#define NET_CTRL_RX		0
#define NET_CTRL_RX_PROMISC	0
#define NET_CTRL_RX_ALLMULTI	1
#define NET_CTRL_RX_ALLUNI	2
#define NET_CTRL_RX_NOMULTI	3
#define NET_CTRL_RX_NOUNI	4
#define NET_CTRL_RX_NOBCAST	5
#define NET_CTRL_MAC		1
#define NET_CTRL_MAC_TABLE_SET	0
#define NET_CTRL_MAC_ADDR_SET	1
#define NET_CTRL_ANNOUNCE	3
#define NET_CTRL_ANNOUNCE_ACK	0
#define NET_CTRL_MQ		4
#define NET_CTRL_MQ_PAIRS_SET	0
#define NET_CTRL_OFFLOADS	5
#define NET_CTRL_OFFLOADS_SET	0

/**
 * struct net_ctrl_hdr - in front of each command
 * @class: NET_CTRL_*
 * @command: within the class
 */
struct net_ctrl_hdr {
	u8 class;
	u8 command;
};

static_assert(sizeof(struct net_ctrl_hdr) == 2, "VIRTIO-1.2 5.1.6.5");

/* An Ethernet frame: addresses and type, and the least that is legal. */
#define ETH_HEADER		14
#define ETH_ADDRESS		6
#define ETH_LEAST		60

/* The longest frame that a segment of 64 KiB makes, with a VLAN tag. */
#define NET_FRAME_MAX		(65535 + ETH_HEADER + 4)

#endif /* LKVM_NET_SPEC_H */
