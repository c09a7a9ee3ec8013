/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of the network card share
 *
 * net.c has the card's making and its configuration, net_queue.c frames,
 * net_ctrl.c the control queue, net_filter.c which frames the guest wants,
 * net_state.c what is saved, net_announce.c how the network learns where the
 * card is. What the card is plugged into is behind net_backend.h.
 */
#ifndef LKVM_NET_PRIV_H
#define LKVM_NET_PRIV_H

#include "virtio/net_backend.h"
#include "virtio/virtio.h"

#define NET_QUEUE_SIZE	256
#define NET_BATCH	64	/* frames sent by one call */
#define NET_ADDRESSES	64	/* in each of the filter's tables */

/* Room for one chain of any length, whatever came before it. */
#define NET_CHAIN_IOV	(VIRTIO_CHAIN_MAX + 8)
#define NET_VECTORS	(2 * NET_CHAIN_IOV)

struct net_card;

/**
 * struct net_addresses - a table of the filter
 * @nr: how many addresses
 * @overflow: there were more than fit: all pass
 * @mac: the addresses
 */
struct net_addresses {
	u32 nr;
	bool overflow;
	u8 mac[NET_ADDRESSES][ETH_ADDRESS];
};

/**
 * struct net_filter - which frames the guest wants, VIRTIO-1.2 5.1.6.5.1
 * @mac: the card's address
 * @promisc: all
 * @allmulti: all for groups
 * @alluni: all for one
 * @nomulti: none for groups
 * @nouni: none for one
 * @nobcast: none for everybody
 * @uni: more addresses
 * @multi: groups
 */
struct net_filter {
	u8 mac[ETH_ADDRESS];
	bool promisc;
	bool allmulti;
	bool alluni;
	bool nomulti;
	bool nouni;
	bool nobcast;
	struct net_addresses uni;
	struct net_addresses multi;
};

/**
 * struct net_counters - of a pair of queues; written by its loop alone
 * @rx_frames: given to the guest
 * @rx_bytes: of those
 * @rx_filtered: the guest did not want them
 * @rx_dropped: its buffers were too small, or it takes no such frames
 * @tx_frames: sent
 * @tx_bytes: of those
 * @tx_bad: no frames, or with headers that cannot be
 */
struct net_counters {
	_Atomic u64 rx_frames;
	_Atomic u64 rx_bytes;
	_Atomic u64 rx_filtered;
	_Atomic u64 rx_dropped;
	_Atomic u64 tx_frames;
	_Atomic u64 tx_bytes;
	_Atomic u64 tx_bad;
};

/**
 * struct net_pair - a pair of queues and its lane
 * @card: whose
 * @lane: its way to the network
 * @rxq: the queue for frames that come in
 * @txq: the queue for frames that go out
 * @plug: posted to start @lane
 * @plugged: @lane is started; the loop's, as is what follows
 * @active: the driver uses the pair
 * @filter: the loop's copy
 * @offloads: &net_card.offloads
 * @mergeable: a frame may be put into several buffers
 * @rx: a frame that waits for buffers
 * @rx_waits: there is one
 * @rx_nr: buffers taken for it
 * @rx_room: bytes that they hold
 * @rx_iov_nr: vectors of @rx_iov that they have
 * @rx_chains: the buffers
 * @rx_iov: their vectors
 * @tx: frames to be sent by one call
 * @tx_chains: the buffers they are in
 * @tx_iov: their vectors
 * @tx_frame: the same without the headers
 * @count: counters
 */
struct net_pair {
	struct net_card *card;
	struct net_lane *lane;
	struct virtio_queue *rxq;
	struct virtio_queue *txq;
	struct loop_call plug;
	bool plugged;
	bool active;
	struct net_filter filter;
	u64 offloads;
	bool mergeable;
	struct net_rx rx;
	bool rx_waits;
	u32 rx_nr;
	u64 rx_room;
	u32 rx_iov_nr;
	struct virtio_chain rx_chains[NET_QUEUE_SIZE];
	struct iovec rx_iov[NET_VECTORS];
	struct net_tx tx[NET_BATCH];
	struct virtio_chain tx_chains[NET_BATCH];
	struct iovec tx_iov[NET_VECTORS];
	struct iovec tx_frame[NET_IOV_MAX];
	struct net_counters count;
};

/**
 * struct net_ctrl - the command in work
 * @busy: there is one; the control queue's loop
 * @chain: its buffers
 * @iov: their vectors
 * @work: posted to the main loop, which carries it out
 * @done: posted back to the queue's loop
 */
struct net_ctrl {
	bool busy;
	struct virtio_chain chain;
	struct iovec iov[NET_CHAIN_IOV];
	struct loop_call work;
	struct loop_call done;
};

/**
 * struct net_announce - telling the network where the card is
 * @due: the machine has come from elsewhere; main loop
 * @left: how often it is still told; the loop's, as is what follows
 * @timer: when
 */
struct net_announce {
	bool due;
	u32 left;
	struct io_timer timer;
};

/**
 * struct net_card - a network card
 * @v: the virtio part
 * @config: its options
 * @backend: what it is plugged into
 * @plugged: the lanes are started, or about to be; main loop
 * @space: configuration that the driver reads; device's lock, as what follows
 * @mac: the card's address at power-on
 * @filter: which frames the guest wants
 * @active: pairs that the driver uses
 * @offloads: NET_F_GUEST bits that it wants at present
 * @link: posted when the link has come or gone
 * @ctrl: the control queue
 * @announce: see struct net_announce
 * @pairs: &net_config.mq of them
 */
struct net_card {
	struct virtio_device v;
	const struct net_config *config;
	struct net_backend *backend;
	bool plugged;
	struct net_config_space space;
	u8 mac[ETH_ADDRESS];
	struct net_filter filter;
	u32 active;
	u64 offloads;
	struct loop_call link;
	struct net_ctrl ctrl;
	struct net_announce announce;
	struct net_pair *pairs;
};

static inline struct net_card *net_card_of(struct device *dev)
{
	return container_of(dev, struct net_card, v.pci.dev);
}

static inline struct net_card *net_card_of_virtio(struct virtio_device *v)
{
	return container_of(v, struct net_card, v);
}

/* net.c: device's lock held */
bool net_offloads_ok(const struct virtio_device *v, u64 features, u64 offloads);
void net_card_apply(struct net_card *card);
void net_card_reset(struct net_card *card);

/* net_queue.c: on a pair's loop */
enum virtio_next net_handle_rx(struct net_pair *pair);
enum virtio_next net_handle_tx(struct net_pair *pair);
void net_stop_rx(struct net_pair *pair);

/* net_filter.c */
void net_filter_reset(struct net_filter *filter, const u8 mac[ETH_ADDRESS]);
bool net_filter_pass(const struct net_filter *filter, const u8 *frame);

/* net_ctrl.c */
void net_ctrl_init(struct net_card *card);
enum virtio_next net_handle_ctrl(struct virtio_queue *q);

/* net_announce.c */
void net_announce_init(struct net_card *card);
void net_announce_begin(struct net_card *card);
void net_announce_stop(struct net_card *card);

/* net_state.c */
extern const struct state_desc net_state_desc;
void net_save(const struct device *dev, void *state);
int net_check(const struct device *dev, const void *state, struct error *err);
void net_load(struct device *dev, const void *state);

#endif /* LKVM_NET_PRIV_H */
