// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a network card
 *
 * VIRTIO-1.2 5.1. Each pair of queues has a thread and a lane into the back end
 * of its own (net_backend.h), so pairs know nothing of each other; queue 2N
 * takes frames that come in on pair N, queue 2N + 1 those that go out, and the
 * last one is the control queue.
 *
 * What is offered is what the back end has a use for: checksums and
 * segmentation go through to a tap, and are not offered on passt.
 *
 * Threads: configuration and control on vCPUs' threads and the main loop, under
 * the device's lock; frames on the pairs' loops, each of which has a copy of
 * what it needs of the control's state.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "virtio/net_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define NET_PCI_CLASS	0x020000	/* Ethernet controller */
#define POLL_NS		50000ULL	/* looked around before a sleep */
#define MACHINE_ID	"/etc/machine-id"

/* What the card does itself, whatever it is plugged into. */
#define FEATURES							\
	(BIT_ULL(NET_F_MAC) | BIT_ULL(NET_F_MRG_RXBUF) |		\
	 BIT_ULL(NET_F_STATUS) | BIT_ULL(NET_F_CTRL_VQ) |		\
	 BIT_ULL(NET_F_CTRL_RX) | BIT_ULL(NET_F_CTRL_RX_EXTRA) |	\
	 BIT_ULL(NET_F_GUEST_ANNOUNCE) | BIT_ULL(NET_F_CTRL_MAC_ADDR))

static struct net_pair *pair_of(struct virtio_queue *q)
{
	return &net_card_of_virtio(q->v)->pairs[q->index / 2];
}

static bool is_ctrl(const struct virtio_queue *q)
{
	return q->index + 1U == q->v->queues_nr;
}

static struct iothread *loop_of(const struct net_pair *pair)
{
	return pair->rxq->loop->thread;
}

/* ---- what control decides, and loops know ------------------------------- */

static void apply(void *arg)
{
	struct net_pair *pair = arg;
	const struct net_card *card = pair->card;

	pair->filter = card->filter;
	pair->active = (u32)(pair - card->pairs) < card->active;
	pair->offloads = card->offloads;
	pair->mergeable = virtio_has(&card->v, BIT_ULL(NET_F_MRG_RXBUF));
	if (pair->plugged)
		net_lane_attach(pair->lane, pair->active);
}

/**
 * net_card_apply() - have all loops know what control has decided
 * @card: the card
 *
 * Context: any thread but the pairs' loops, device's lock held.
 */
void net_card_apply(struct net_card *card)
{
	u32 i;

	net_backend_offload(card->backend, card->offloads);
	for (i = 0; i < card->config->mq; i++)
		iothread_call(loop_of(&card->pairs[i]), apply,
			      &card->pairs[i]);
}

static void plug(struct loop_call *call)
{
	struct net_pair *pair = container_of(call, struct net_pair, plug);

	pair->plugged = true;
	net_lane_start(pair->lane, loop_of(pair));
	net_lane_attach(pair->lane, pair->active);
}

static void unplug(void *arg)
{
	struct net_pair *pair = arg;

	if (pair->plugged)
		net_lane_stop(pair->lane);
	pair->plugged = false;
}

static void rx_ready(struct net_lane *lane)
{
	struct net_card *card = lane->backend->link_arg;

	virtio_queue_wake(card->pairs[lane->index].rxq);
}

static void tx_ready(struct net_lane *lane)
{
	struct net_card *card = lane->backend->link_arg;

	virtio_queue_wake(card->pairs[lane->index].txq);
}

/* The back end's threads tell the main loop, which tells the driver. */
static void link_changed(void *arg)
{
	struct net_card *card = arg;

	iothread_post(&card->v.pci.dev.vm->loop, &card->link);
}

static void link_work(struct loop_call *call)
{
	struct net_card *card = container_of(call, struct net_card, link);
	u16 up = atomic_load(&card->backend->link) ? NET_S_LINK_UP : 0;
	u16 status;

	mutex_lock(&card->v.pci.dev.lock);
	status = le16_to_cpu(card->space.status);
	if ((status & NET_S_LINK_UP) != up) {
		status = (u16)((status & ~NET_S_LINK_UP) | up);
		card->space.status = cpu_to_le16(status);
		virtio_config_changed(&card->v);
	}
	mutex_unlock(&card->v.pci.dev.lock);
}

/* ---- virtio ------------------------------------------------------------- */

/* VIRTIO-1.2 5.1.3.1: what a feature does not make sense without. */
static bool features_ok(const struct virtio_device *v, u64 features)
{
	static const struct {
		u8 feature;
		u64 any_of;
	} needs[] = {
		{ NET_F_GUEST_TSO4, BIT_ULL(NET_F_GUEST_CSUM) },
		{ NET_F_GUEST_TSO6, BIT_ULL(NET_F_GUEST_CSUM) },
		{ NET_F_GUEST_USO4, BIT_ULL(NET_F_GUEST_CSUM) },
		{ NET_F_GUEST_USO6, BIT_ULL(NET_F_GUEST_CSUM) },
		{ NET_F_GUEST_ECN, BIT_ULL(NET_F_GUEST_TSO4) |
				   BIT_ULL(NET_F_GUEST_TSO6) },
		{ NET_F_HOST_TSO4, BIT_ULL(NET_F_CSUM) },
		{ NET_F_HOST_TSO6, BIT_ULL(NET_F_CSUM) },
		{ NET_F_HOST_USO, BIT_ULL(NET_F_CSUM) },
		{ NET_F_HOST_ECN, BIT_ULL(NET_F_HOST_TSO4) |
				  BIT_ULL(NET_F_HOST_TSO6) },
		{ NET_F_CTRL_RX, BIT_ULL(NET_F_CTRL_VQ) },
		{ NET_F_CTRL_RX_EXTRA, BIT_ULL(NET_F_CTRL_VQ) },
		{ NET_F_GUEST_ANNOUNCE, BIT_ULL(NET_F_CTRL_VQ) },
		{ NET_F_MQ, BIT_ULL(NET_F_CTRL_VQ) },
		{ NET_F_CTRL_MAC_ADDR, BIT_ULL(NET_F_CTRL_VQ) },
		{ NET_F_CTRL_GUEST_OFFLOADS, BIT_ULL(NET_F_CTRL_VQ) },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if ((features & BIT_ULL(needs[i].feature)) &&
		    !(features & needs[i].any_of))
			return false;
	return true;
}

static void features_set(struct virtio_device *v)
{
	struct net_card *card = net_card_of_virtio(v);

	card->offloads = v->features & NET_OFFLOADS_GUEST;
	net_card_apply(card);
}

/**
 * net_offloads_ok() - may a guest want these offloads?
 * @v: the card
 * @features: those that were negotiated
 * @offloads: NET_F_GUEST bits
 *
 * Return: false when some were not negotiated, or make no sense alone.
 */
bool net_offloads_ok(const struct virtio_device *v, u64 features, u64 offloads)
{
	return !(offloads & ~(features & NET_OFFLOADS_GUEST)) &&
	       features_ok(v, offloads);
}

static void virtio_part_reset(struct virtio_device *v)
{
	net_card_reset(net_card_of_virtio(v));
}

/**
 * net_card_reset() - the card's own part at power-on
 * @card: the card
 *
 * Context: device's lock held.
 */
void net_card_reset(struct net_card *card)
{
	net_filter_reset(&card->filter, card->mac);
	memcpy(card->space.mac, card->mac, ETH_ADDRESS);
	card->space.status = cpu_to_le16(atomic_load(&card->backend->link) ?
					 NET_S_LINK_UP : 0);
	card->active = 1;
	card->offloads = 0;
	net_card_apply(card);
}

static enum virtio_next handle(struct virtio_queue *q)
{
	if (is_ctrl(q))
		return net_handle_ctrl(q);
	return q->index % 2 ? net_handle_tx(pair_of(q)) :
			      net_handle_rx(pair_of(q));
}

static void queue_stop(struct virtio_queue *q)
{
	if (!is_ctrl(q) && q->index % 2 == 0)
		net_stop_rx(pair_of(q));
}

static const struct virtio_ops virtio_ops = {
	.features_ok	= features_ok,
	.features_set	= features_set,
	.reset		= virtio_part_reset,
	.handle		= handle,
	.queue_stop	= queue_stop,
};

/* ---- made and taken apart ----------------------------------------------- */

/*
 * Another one for each card of each machine of each host, and the same one each
 * time: those who lease addresses know it again. Locally administered.
 */
static void make_mac(const struct device *dev, u8 mac[ETH_ADDRESS])
{
	char text[256] = "";
	size_t n = 0;
	int fd = open(MACHINE_ID, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, 64);
	XXH64_hash_t hash;

	if (fd >= 0)
		close(fd);
	n = got > 0 ? (size_t)got : 0;
	hash = XXH64(text, n, dev->index);
	hash = XXH64(dev->vm->name, strlen(dev->vm->name), hash);
	memcpy(mac, &hash, ETH_ADDRESS);
	mac[0] = 0x02;
}

static int choose_mac(struct net_card *card, struct error *err)
{
	int ret;

	if (!card->config->guest_mac) {
		make_mac(&card->v.pci.dev, card->mac);
		return 0;
	}
	ret = net_mac_parse(card->config->guest_mac, card->mac, err);
	return ret ? error_prefix(err, "guest_mac") : 0;
}

static int realize_virtio(struct net_card *card, struct error *err)
{
	const struct net_config *config = card->config;
	const struct virtio_setup setup = {
		.id		= VIRTIO_ID_NET,
		.pci_class	= NET_PCI_CLASS,
		.features	= FEATURES | card->backend->info.offloads |
				  (card->backend->info.offloads ?
				   BIT_ULL(NET_F_CTRL_GUEST_OFFLOADS) : 0) |
				  (config->mq > 1 ? BIT_ULL(NET_F_MQ) : 0) |
				  (config->mtu ? BIT_ULL(NET_F_MTU) : 0),
		.queues_nr	= 2 * config->mq + 1,
		.queue_size	= NET_QUEUE_SIZE,
		.queue_group	= 2,
		.loops_nr	= config->mq,
		.poll_ns	= POLL_NS,
		.config		= &card->space,
		.config_len	= sizeof(card->space),
		.ops		= &virtio_ops,
	};

	card->space.max_virtqueue_pairs = cpu_to_le16((u16)config->mq);
	card->space.mtu = cpu_to_le16((u16)config->mtu);
	return virtio_realize(&card->v, &setup, err);
}

static void connect_pairs(struct net_card *card)
{
	u32 i;

	for (i = 0; i < card->config->mq; i++) {
		struct net_pair *pair = &card->pairs[i];

		pair->card = card;
		loop_call_init(&pair->plug, plug);
		pair->lane = &card->backend->lanes[i];
		pair->rxq = &card->v.queues[2 * i];
		pair->txq = &card->v.queues[2 * i + 1];
		pair->lane->rx_ready = rx_ready;
		pair->lane->tx_ready = tx_ready;
	}
}

static int net_realize(struct device *dev, struct error *err)
{
	struct net_card *card = net_card_of(dev);
	int ret;

	card->config = dev->config;
	loop_call_init(&card->link, link_work);
	net_ctrl_init(card);
	ret = choose_mac(card, err);
	if (ret)
		return ret;
	card->pairs = calloc(card->config->mq, sizeof(*card->pairs));
	if (!card->pairs)
		return error_set(err, -ENOMEM, "out of memory");
	ret = net_backend_open(card->config, dev->name,
			       dev->vm->config.disks_elsewhere, &card->backend,
			       err);
	if (ret)
		goto err_pairs;
	card->backend->link_arg = card;
	ret = realize_virtio(card, err);
	if (ret)
		goto err_backend;
	connect_pairs(card);
	net_announce_init(card);
	card->backend->link_changed = link_changed;
	return 0;

err_backend:
	net_backend_close(card->backend);
err_pairs:
	free(card->pairs);
	return ret;
}

static void net_unrealize(struct device *dev)
{
	struct net_card *card = net_card_of(dev);
	u32 i;

	net_announce_stop(card);
	for (i = 0; i < card->config->mq; i++)
		iothread_call(loop_of(&card->pairs[i]), unplug,
			      &card->pairs[i]);
	virtio_unrealize(&card->v);
	iothread_unpost(&dev->vm->loop, &card->link);
	net_backend_close(card->backend);
	free(card->pairs);
}

/*
 * The cable is plugged in when the machine runs for the first time: what has
 * been built in vain leaves no trace, and a machine that arrives does not take
 * what it still has elsewhere.
 */
static void net_resume(struct device *dev)
{
	struct net_card *card = net_card_of(dev);
	u32 i;

	/* Nobody waits: to start a program takes longer than the rest. */
	for (i = 0; !card->plugged && i < card->config->mq; i++)
		iothread_post(loop_of(&card->pairs[i]), &card->pairs[i].plug);
	card->plugged = true;
	virtio_resume(dev);
	if (!card->announce.due)
		return;
	card->announce.due = false;
	mutex_lock(&dev->lock);
	if (virtio_has(&card->v, BIT_ULL(NET_F_GUEST_ANNOUNCE)) &&
	    atomic_load(&card->backend->link)) {
		card->space.status |= cpu_to_le16(NET_S_ANNOUNCE);
		virtio_config_changed(&card->v);
	}
	mutex_unlock(&dev->lock);
	net_announce_begin(card);
}

static void net_stat(const struct device *dev, struct stat_sink *sink)
{
	static const struct {
		const char *name;
		size_t offset;
	} names[] = {
		{ "rx-frames", offsetof(struct net_counters, rx_frames) },
		{ "rx-bytes", offsetof(struct net_counters, rx_bytes) },
		{ "rx-filtered", offsetof(struct net_counters, rx_filtered) },
		{ "rx-dropped", offsetof(struct net_counters, rx_dropped) },
		{ "tx-frames", offsetof(struct net_counters, tx_frames) },
		{ "tx-bytes", offsetof(struct net_counters, tx_bytes) },
		{ "tx-bad", offsetof(struct net_counters, tx_bad) },
	};
	const struct net_card *card = container_of(dev, const struct net_card,
						   v.pci.dev);
	const u8 *count;
	u32 i, k;
	u64 sum;

	virtio_stat(dev, sink);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (k = 0, sum = 0; k < card->config->mq; k++) {
			count = (const u8 *)&card->pairs[k].count;
			sum += atomic_load((const _Atomic u64 *)
					   (count + names[i].offset));
		}
		sink->counter(sink, names[i].name, sum);
	}
}

/* ---- the class ---------------------------------------------------------- */

static const char *const mode_words[] = { "tap", "user", "none", NULL };
static const char *const trans_words[] = { "pci", NULL };

#define FIELD(_field)	.offset = offsetof(struct net_config, _field)
#define TEXT		.type = OPTION_STRING, .scope = OPTION_HOST, .min = 1

static const struct option_desc opts[] = {
	{
		.name = "mode", FIELD(mode),
		.type = OPTION_ENUM, .scope = OPTION_HOST, .words = mode_words,
		.help = "an interface of the host, passt, or nothing (tap)",
	}, {
		.name = "guest_mac", .arg = "MAC", FIELD(guest_mac),
		.type = OPTION_STRING, .scope = OPTION_GUEST, .min = 1,
		.help = "the card's address (made from the machine's name)",
	}, {
		.name = "mtu", .arg = "BYTES", FIELD(mtu),
		.type = OPTION_U32, .scope = OPTION_GUEST, .max = NET_MTU_MAX,
		.help = "longest packet that the guest is told of (none)",
	}, {
		.name = "mq", .arg = "N", FIELD(mq),
		.type = OPTION_U32, .scope = OPTION_GUEST,
		.min = 1, .max = NET_PAIRS_MAX, .def = 1,
		.help = "pairs of queues, each with a thread (1)",
	}, {
		.name = "hostfwd", .arg = "RULE", FIELD(hostfwd),
		.type = OPTION_LIST, .scope = OPTION_HOST, .min = 1,
		.help = "user: a port of the host that leads into the guest",
	}, {
		.name = "guest_ip", .arg = "IP", TEXT, FIELD(guest_ip),
		.help = "user: address that the guest is offered (the host's)",
	}, {
		.name = "host_ip", .arg = "IP", TEXT, FIELD(host_ip),
		.help = "user: gateway (the host's); tap: the host's end (192.168.33.1)",
	}, {
		.name = "host_mac", .arg = "MAC", TEXT, FIELD(host_mac),
		.help = "address of the host's end",
	}, {
		.name = "tapif", .arg = "NAME", TEXT, FIELD(tapif),
		.help = "tap: interface that is there (one is made)",
	}, {
		.name = "script", .arg = "FILE", TEXT, FIELD(script),
		.path = true, .no_path = "none", .fresh = true,
		.help = "tap: program that sets the interface up",
	}, {
		.name = "downscript", .arg = "FILE", TEXT, FIELD(downscript),
		.path = true, .no_path = "none", .fresh = true,
		.help = "tap: program that is called at the end",
	}, {
		.name = "fd", .arg = "N", FIELD(fd),
		.type = OPTION_U32, .scope = OPTION_HOST, .def = NET_NO_FD,
		.fresh = true,
		.help = "tap: open interface that lkvm has inherited",
	}, {
		.name = "vhost", FIELD(vhost),
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.help = "tap: for kvmtool's habits; must be off",
	}, {
		.name = "trans", FIELD(trans),
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = trans_words,
		.help = "for kvmtool's habits (pci)",
	}, {
		.name = "optional", FIELD(optional),
		.type = OPTION_BOOL, .scope = OPTION_HOST,
		.help = "go on with the link down when the network cannot be had",
	},
};

/* kvmtool's: there is one unless somebody says that there is to be none. */
static bool is_none(const void *config)
{
	return ((const struct net_config *)config)->mode == NET_MODE_NONE;
}

static const struct option_table net_options = {
	.name = "network", .config_size = sizeof(struct net_config),
	.positional = "mode", .opts = opts, .nr = ARRAY_SIZE(opts),
	.check = net_config_check,
};

static const struct device_ops net_ops = {
	.realize	= net_realize,
	.reset		= virtio_reset,
	.quiesce	= virtio_quiesce,
	.save		= net_save,
	.check		= net_check,
	.load		= net_load,
	.resume		= net_resume,
	.unrealize	= net_unrealize,
	.stat		= net_stat,
};

static const struct device_class net_class = {
	.name		= "network",
	.compatible	= "lkvm,virtio-net",
	.summary	= "virtio network card",
	.kind		= DEVICE_PCI,
	.max		= 8,
	.default_options = "mode=user,optional",
	.default_missing = net_user_missing,
	.is_none	= is_none,
	.instance_size	= sizeof(struct net_card),
	.options	= &net_options,
	.state		= &net_state_desc,
	.ops		= &net_ops,
};

DEVICE_CLASS_REGISTER(net_class);
