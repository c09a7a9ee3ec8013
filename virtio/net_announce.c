// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network card: telling the network where it is
 *
 * A machine that goes on elsewhere has its address behind another port of the
 * switches between. They learn that from the first frame it sends, so one is
 * sent at once, and a few more in case it is lost: a reverse ARP request
 * (RFC 903), which says who is there and asks nobody for anything. The guest is
 * told as well (VIRTIO-1.2 5.1.6.5.4): it knows its IP addresses and announces
 * those.
 *
 * Threads: the first pair's loop, but for what says otherwise.
 */
#include <string.h>

#include "virtio/net_priv.h"
#include "vmm/base/log.h"

#define ROUNDS		5
#define FIRST_NS	50000000ULL	/* and 100 ms more for each other */
#define STEP_NS		100000000ULL

/* Ethernet and ARP, big-endian; what is not named is 0. */
static void make_frame(u8 frame[ETH_LEAST], const u8 *mac)
{
	static const u8 head[] = {
		0x80, 0x35,		/* RARP */
		0x00, 0x01,		/* Ethernet */
		0x08, 0x00,		/* IPv4 */
		6, 4,
		0x00, 0x03,		/* request */
	};

	memset(frame, 0, ETH_LEAST);
	memset(frame, 0xff, ETH_ADDRESS);
	memcpy(frame + 6, mac, ETH_ADDRESS);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac, ETH_ADDRESS);
	memcpy(frame + 32, mac, ETH_ADDRESS);
}

static void announce(struct net_pair *pair)
{
	u8 frame[ETH_LEAST];
	const struct iovec iov = { frame, sizeof(frame) };
	const struct net_tx tx = {
		.iov = &iov, .iov_nr = 1, .len = sizeof(frame),
	};

	make_frame(frame, pair->filter.mac);
	if (pair->plugged && net_lane_send(pair->lane, &tx, 1) != 1)
		log_debug("%s: there was no room for an announcement",
			  pair->card->v.pci.dev.name);
}

static void again(struct io_timer *timer)
{
	struct net_card *card = container_of(timer, struct net_card,
					     announce.timer);
	struct net_announce *a = &card->announce;

	announce(&card->pairs[0]);
	if (--a->left)
		io_timer_set(&a->timer, FIRST_NS + STEP_NS *
			     (ROUNDS - 1 - a->left));
}

static void begin(void *arg)
{
	struct net_card *card = arg;

	card->announce.left = ROUNDS;
	again(&card->announce.timer);
}

static void stop(void *arg)
{
	struct net_card *card = arg;

	io_timer_destroy(&card->announce.timer);
}

/**
 * net_announce_init() - make the announcements ready
 * @card: the card, with its loops
 */
void net_announce_init(struct net_card *card)
{
	io_timer_init(&card->announce.timer, card->v.loops[0].thread, again);
}

/**
 * net_announce_begin() - announce the card now and a few times more
 * @card: the card
 *
 * Context: main loop.
 */
void net_announce_begin(struct net_card *card)
{
	iothread_call(card->v.loops[0].thread, begin, card);
}

/**
 * net_announce_stop() - no more of them
 * @card: the card
 *
 * Context: main loop.
 */
void net_announce_stop(struct net_card *card)
{
	iothread_call(card->v.loops[0].thread, stop, card);
}
