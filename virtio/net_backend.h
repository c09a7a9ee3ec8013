/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what a network card is plugged into
 *
 * A card reaches the network through a back end: passt (net_passt.c), a tap
 * interface (net_tap.c), or nothing at all. It has a lane for each pair of
 * queues, and each lane belongs to one loop: what is called on a lane is called
 * on that loop's thread, and no lane knows of another.
 *
 * Frames are moved by calls that never block and that leave nothing under way
 * behind them: a frame was moved when the call returns, or it was not. So
 * guest memory is in nobody's hands between two calls, and a pause or a reset
 * of the card has nothing to wait for.
 */
#ifndef LKVM_NET_BACKEND_H
#define LKVM_NET_BACKEND_H

#include <sys/uio.h>

#include "virtio/net_spec.h"
#include "vmm/iothread.h"
#include "vmm/option.h"

struct net_backend;

#define NET_PAIRS_MAX	8	/* kvmtool's */
#define NET_IOV_MAX	1024	/* of one frame, and of a batch: IOV_MAX */
#define NET_NO_FD	UINT32_MAX

/**
 * enum net_mode - what a card is plugged into
 * @NET_MODE_TAP: a tap interface
 * @NET_MODE_USER: passt
 * @NET_MODE_NONE: nothing
 */
enum net_mode {
	NET_MODE_TAP,
	NET_MODE_USER,
	NET_MODE_NONE,
};

/**
 * struct net_config - options of a card
 * @mode: an enum net_mode
 * @guest_mac: the card's address; NULL: made from the machine's name
 * @mtu: that the guest is told, 0 for none
 * @mq: pairs of queues
 * @host_mac: address of the other end; NULL: the back end's own
 * @host_ip: IPv4 address of the other end; NULL: the back end's own
 * @guest_ip: IPv4 address that the guest is offered; NULL: the back end's own
 * @hostfwd: ports of the host that lead into the guest
 * @tapif: tap interface that is there already; NULL: one is made
 * @script: program that sets the interface up; NULL: none
 * @downscript: program that is called at the end; NULL: none
 * @fd: an open tap interface that was inherited, NET_NO_FD for none
 * @vhost: kvmtool's; must be off
 * @trans: kvmtool's; PCI is all there is
 * @optional: the machine goes on without a network if there is none to be had
 */
struct net_config {
	u32 mode;
	char *guest_mac;
	u32 mtu;
	u32 mq;
	char *host_mac;
	char *host_ip;
	char *guest_ip;
	struct option_list hostfwd;
	char *tapif;
	char *script;
	char *downscript;
	u32 fd;
	bool vhost;
	u32 trans;
	bool optional;
};

/**
 * struct net_info - what a back end can do
 * @offloads: features that it has a use for (bits of VIRTIO-1.2 5.1.3):
 *            checksums and segmentation that are left to the other side
 * @name: for messages ("tap0", "passt")
 */
struct net_info {
	u64 offloads;
	const char *name;
};

/**
 * struct net_tx - a frame on its way out
 * @hdr: checked; of interest only with offloads
 * @iov: the frame; not changed
 * @iov_nr: how many, at most NET_IOV_MAX - 1
 * @len: bytes of the frame
 */
struct net_tx {
	struct net_hdr hdr;
	const struct iovec *iov;
	u32 iov_nr;
	u32 len;
};

/**
 * struct net_rx - a frame that has come in
 * @hdr: its header, as the back end gives it; num_buffers is 0
 * @data: the frame, until the next call on the lane
 * @len: bytes of it
 */
struct net_rx {
	struct net_hdr hdr;
	const u8 *data;
	u32 len;
};

/**
 * struct net_lane - a pair of queues' way into a back end
 * @backend: the back end
 * @index: number of the pair
 * @loop: the loop that it belongs to
 * @rx_ready: set by the card: frames can be had, after net_lane_recv() had none
 * @tx_ready: set by the card: there is room, after net_lane_send() took less
 *            than all
 * @in: looks out for frames
 * @out: looks out for room
 */
struct net_lane {
	struct net_backend *backend;
	u32 index;
	struct iothread *loop;
	void (*rx_ready)(struct net_lane *lane);
	void (*tx_ready)(struct net_lane *lane);
	struct io_poll in;
	struct io_poll out;
};

/**
 * struct net_backend_ops - a kind of back end
 * @start: begin to work on a lane
 * @stop: the lane is done with; undoes @start
 * @recv: see net_lane_recv()
 * @send: see net_lane_send()
 * @offload: see net_backend_offload()
 * @attach: see net_lane_attach(); NULL: nothing to do
 * @close: free all
 *
 * The lane's @start to @send are called on its loop.
 */
struct net_backend_ops {
	void (*start)(struct net_lane *lane);
	void (*stop)(struct net_lane *lane);
	int (*recv)(struct net_lane *lane, struct net_rx *rx);
	u32 (*send)(struct net_lane *lane, const struct net_tx *tx, u32 nr);
	void (*offload)(struct net_backend *backend, u64 features);
	void (*attach)(struct net_lane *lane, bool on);
	void (*close)(struct net_backend *backend);
};

/**
 * struct net_backend - an open back end
 * @ops: what kind
 * @info: what it can do
 * @lanes: its lanes
 * @lanes_nr: how many
 * @link: the network is there; read by any thread
 * @link_changed: set by the card, called on any thread without a lock when
 *                @link has changed
 * @link_arg: for @link_changed
 */
struct net_backend {
	const struct net_backend_ops *ops;
	struct net_info info;
	struct net_lane lanes[NET_PAIRS_MAX];
	u32 lanes_nr;
	_Atomic bool link;
	void (*link_changed)(void *arg);
	void *link_arg;
};

int net_backend_open(const struct net_config *config, const char *card,
		     bool arriving, struct net_backend **out,
		     struct error *err) __must_check;
void net_backend_close(struct net_backend *backend);
void net_backend_offload(struct net_backend *backend, u64 features);
void net_lane_start(struct net_lane *lane, struct iothread *loop);
void net_lane_stop(struct net_lane *lane);
int net_lane_recv(struct net_lane *lane, struct net_rx *rx) __must_check;
u32 net_lane_send(struct net_lane *lane, const struct net_tx *tx, u32 nr)
	__must_check;
void net_lane_attach(struct net_lane *lane, bool on);

int net_config_check(const void *opaque, struct error *err) __must_check;
int net_mac_parse(const char *text, u8 mac[ETH_ADDRESS], struct error *err)
	__must_check;
int net_user_missing(struct error *err);

#endif /* LKVM_NET_BACKEND_H */
