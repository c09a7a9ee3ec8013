// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network back ends: opening one, and the one that is nothing
 *
 * mode=none is a card whose cable is not plugged in: what is sent is gone, and
 * nothing comes. A machine gets it from `lkvm run` by having no card at all,
 * and by an option when it comes from elsewhere and this host has no network
 * for it.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/net_backend_priv.h"

/**
 * net_mac_parse() - read the address of a card
 * @text: "02:15:15:15:15:15"
 * @mac: filled
 * @err: what is wrong with it
 *
 * Return: 0, or -EINVAL: not six bytes, a group's address, or that of nobody.
 */
int net_mac_parse(const char *text, u8 mac[ETH_ADDRESS], struct error *err)
{
	static const u8 nobody[ETH_ADDRESS];
	unsigned int b[ETH_ADDRESS];
	int end = 0, i;

	if (strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2],
		   &b[3], &b[4], &b[5], &end) != ETH_ADDRESS || text[end])
		return error_set(err, -EINVAL,
				 "\"%.32s\" is no MAC address: write 02:15:15:15:15:15, say",
				 text);
	for (i = 0; i < ETH_ADDRESS; i++)
		mac[i] = (u8)b[i];
	if (mac[0] & 1)
		return error_set(err, -EINVAL,
				 "MAC address %s is that of a group: its first byte must be even",
				 text);
	if (!memcmp(mac, nobody, ETH_ADDRESS))
		return error_set(err, -EINVAL,
				 "MAC address %s is that of nobody", text);
	return 0;
}

/**
 * net_backend_init() - the common part of a new back end
 * @backend: zeroed
 * @ops: what kind
 * @lanes: how many
 */
void net_backend_init(struct net_backend *backend,
		      const struct net_backend_ops *ops, u32 lanes)
{
	u32 i;

	backend->ops = ops;
	backend->lanes_nr = lanes;
	for (i = 0; i < lanes; i++) {
		backend->lanes[i].backend = backend;
		backend->lanes[i].index = i;
	}
}

/**
 * net_backend_set_link() - the network has come or gone
 * @backend: the back end
 * @up: it is there
 *
 * Context: any thread, without a lock.
 */
void net_backend_set_link(struct net_backend *backend, bool up)
{
	if (atomic_exchange(&backend->link, up) != up && backend->link_changed)
		backend->link_changed(backend->link_arg);
}

/* ---- nothing ------------------------------------------------------------ */

static void none_start(struct net_lane *lane)
{
}

static int none_recv(struct net_lane *lane, struct net_rx *rx)
{
	return 0;
}

static u32 none_send(struct net_lane *lane, const struct net_tx *tx, u32 nr)
{
	return nr;
}

static void none_offload(struct net_backend *backend, u64 features)
{
}

static void none_close(struct net_backend *backend)
{
	free(backend);
}

static const struct net_backend_ops none_ops = {
	.start		= none_start,
	.stop		= none_start,
	.recv		= none_recv,
	.send		= none_send,
	.offload	= none_offload,
	.close		= none_close,
};

/*
 * A guest that uses offloads is none the worse off here, so that any machine
 * can be brought up without its network.
 */
static int none_open(const struct net_config *config, struct net_backend **out,
		     struct error *err)
{
	struct net_backend *backend = calloc(1, sizeof(*backend));

	if (!backend)
		return error_set(err, -ENOMEM, "out of memory");
	net_backend_init(backend, &none_ops, config->mq);
	backend->info = (struct net_info){
		.offloads = NET_OFFLOADS_ALL, .name = "none",
	};
	*out = backend;
	return 0;
}

/* ---- any ---------------------------------------------------------------- */

static int check_mode(const struct net_config *config, struct error *err)
{
	static const char of_tap[] =
		"fd=, tapif=, script=, downscript= and mq= belong to mode=tap";
	bool tap = config->fd != NET_NO_FD || config->tapif ||
		   config->script || config->downscript || config->mq > 1;

	if (config->vhost)
		return error_set(err, -EOPNOTSUPP,
				 "vhost=1: frames do not go through the host's vhost-net in this version");
	if (config->mode == NET_MODE_USER && tap)
		return error_set(err, -EINVAL, "mode=user: %s", of_tap);
	if (config->mode == NET_MODE_TAP &&
	    (config->hostfwd.nr || config->guest_ip))
		return error_set(err, -EINVAL,
				 "mode=tap: hostfwd= and guest_ip= belong to mode=user");
	if (config->mode == NET_MODE_TAP && config->fd != NET_NO_FD &&
	    (config->tapif || config->script || config->mq > 1))
		return error_set(err, -EINVAL,
				 "fd=%u: is one open interface, so without tapif=, script= and mq=",
				 config->fd);
	return 0;
}

static int check_mac(const char *key, const char *text, struct error *err)
{
	u8 mac[ETH_ADDRESS];

	if (!text || !net_mac_parse(text, mac, err))
		return 0;
	return error_prefix(err, "%s", key);
}

static int check_ip(const char *key, const char *text, struct error *err)
{
	struct in_addr addr;

	if (!text || inet_pton(AF_INET, text, &addr) == 1)
		return 0;
	return error_set(err, -EINVAL, "%s=%.64s: is no IPv4 address", key,
			 text);
}

static int check_forwards(const struct net_config *config, struct error *err)
{
	struct net_forward fwd;
	u32 i;
	int ret = 0;

	if (config->hostfwd.nr > NET_FORWARDS_MAX)
		return error_set(err, -EINVAL,
				 "more than %u ports are forwarded",
				 NET_FORWARDS_MAX);
	for (i = 0; i < config->hostfwd.nr && !ret; i++)
		ret = net_forward_parse(config->hostfwd.v[i], false, &fwd,
					err);
	return ret;
}

/**
 * net_config_check() - do the options of a card make sense?
 * @opaque: struct net_config
 * @err: which does not
 *
 * Return: 0, or -EINVAL, or -EOPNOTSUPP.
 */
int net_config_check(const void *opaque, struct error *err)
{
	const struct net_config *config = opaque;
	int ret = check_mode(config, err);

	if (!ret)
		ret = check_mac("guest_mac", config->guest_mac, err);
	if (!ret)
		ret = check_mac("host_mac", config->host_mac, err);
	if (!ret)
		ret = check_ip("guest_ip", config->guest_ip, err);
	if (!ret)
		ret = check_ip("host_ip", config->host_ip, err);
	if (!ret)
		ret = check_forwards(config, err);
	if (!ret && config->tapif && strlen(config->tapif) >= IFNAMSIZ)
		ret = error_set(err, -EINVAL,
				"tapif=%.64s: a name has at most %u bytes",
				config->tapif, IFNAMSIZ - 1);
	if (!ret && config->mtu && config->mtu < NET_MTU_MIN)
		ret = error_set(err, -EINVAL, "mtu=%u: is below %u",
				config->mtu, NET_MTU_MIN);
	return ret;
}

/**
 * net_backend_open() - plug a card in
 * @config: how
 * @card: its name
 * @arriving: the machine comes from elsewhere, maybe from this very host, where
 *            it still has its ports
 * @out: the back end
 * @err: why not
 *
 * With &net_config.optional, what cannot be had is nothing instead, and one
 * warning says why.
 *
 * Context: main loop.
 * Return: 0 or a negative errno.
 */
int net_backend_open(const struct net_config *config, const char *card,
		     bool arriving, struct net_backend **out,
		     struct error *err)
{
	/* Once more: a restore replaces options one by one. */
	int ret = net_config_check(config, err);

	if (ret)
		return ret;
	if (config->mode == NET_MODE_TAP)
		ret = net_tap_open(config, out, err);
	else if (config->mode == NET_MODE_USER)
		ret = net_passt_open(config, card, arriving, out, err);
	else
		return none_open(config, out, err);
	if (!ret || !config->optional)
		return ret;
	log_warning("%s: %s; the guest has no network", card, err->text);
	*err = (struct error)ERROR_INIT;
	return none_open(config, out, err);
}

/**
 * net_backend_close() - unplug the card
 * @backend: all of its lanes are stopped
 *
 * Context: main loop.
 */
void net_backend_close(struct net_backend *backend)
{
	backend->ops->close(backend);
}

/**
 * net_backend_offload() - what the guest can take
 * @backend: the back end
 * @features: NET_F_GUEST bits, of those that &net_info.offloads has
 *
 * Context: any thread; no lane is inside net_lane_recv().
 */
void net_backend_offload(struct net_backend *backend, u64 features)
{
	backend->ops->offload(backend, features);
}

/**
 * net_lane_start() - begin to work on a lane
 * @lane: the lane, with its callbacks
 * @loop: the loop that it belongs to from now on
 *
 * Context: the loop's thread.
 */
void net_lane_start(struct net_lane *lane, struct iothread *loop)
{
	lane->loop = loop;
	lane->backend->ops->start(lane);
}

/**
 * net_lane_stop() - the lane is done with
 * @lane: the lane
 *
 * Context: the lane's loop.
 */
void net_lane_stop(struct net_lane *lane)
{
	lane->backend->ops->stop(lane);
}

/**
 * net_lane_recv() - take a frame
 * @lane: the lane
 * @rx: filled; stays until the next call
 *
 * Context: the lane's loop.
 * Return: 1; 0: there is none now, and &net_lane.rx_ready is called once there
 * is.
 */
int net_lane_recv(struct net_lane *lane, struct net_rx *rx)
{
	return lane->backend->ops->recv(lane, rx);
}

/**
 * net_lane_send() - send frames
 * @lane: the lane
 * @tx: the frames; together they have at most NET_IOV_MAX - @nr vectors
 * @nr: how many
 *
 * A frame that the other side refuses is gone as one that is lost on a wire is.
 *
 * Context: the lane's loop.
 * Return: how many were taken; less than @nr: there is no room, and
 * &net_lane.tx_ready is called once there is.
 */
u32 net_lane_send(struct net_lane *lane, const struct net_tx *tx, u32 nr)
{
	return lane->backend->ops->send(lane, tx, nr);
}

/**
 * net_lane_attach() - let frames come to a lane, or not
 * @lane: the lane; each is attached in the beginning
 * @on: frames may come
 *
 * Context: the lane's loop.
 */
void net_lane_attach(struct net_lane *lane, bool on)
{
	if (lane->backend->ops->attach)
		lane->backend->ops->attach(lane, on);
}
