// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network card: the control queue
 *
 * VIRTIO-1.2 5.1.6.5. A command changes what belongs to control, so the queue's
 * loop takes it off the ring and has the main loop carry it out under the
 * device's lock; the answer goes back the same way. One is in work at a time.
 *
 * A command is copied once. One that is not known, that belongs to a feature
 * which was not negotiated, or whose length or contents cannot be, is answered
 * with an error and changes nothing.
 *
 * Not here: VLAN filters, receive-side scaling.
 */
#include <string.h>

#include "virtio/net_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

/* Two full tables, their counts, and what is in front. */
#define COMMAND_MAX	(sizeof(struct net_ctrl_hdr) + 2 * (4 + 6 * 4096))

/**
 * struct command - a kind of command
 * @class: &net_ctrl_hdr.class
 * @command: &net_ctrl_hdr.command
 * @feature: that it belongs to
 * @run: carries it out: 0, or -EINVAL and nothing has changed
 */
struct command {
	u8 class;
	u8 command;
	u8 feature;
	int (*run)(struct net_card *card, u8 command, const u8 *data, u32 len);
};

static int run_rx(struct net_card *card, u8 command, const u8 *data, u32 len)
{
	struct net_filter *f = &card->filter;
	bool *const flags[] = {
		[NET_CTRL_RX_PROMISC]	= &f->promisc,
		[NET_CTRL_RX_ALLMULTI]	= &f->allmulti,
		[NET_CTRL_RX_ALLUNI]	= &f->alluni,
		[NET_CTRL_RX_NOMULTI]	= &f->nomulti,
		[NET_CTRL_RX_NOUNI]	= &f->nouni,
		[NET_CTRL_RX_NOBCAST]	= &f->nobcast,
	};

	if (len != 1)
		return -EINVAL;
	*flags[command] = data[0];
	return 0;
}

/* One table: how many, and the addresses; the bytes that it takes, or -EINVAL. */
static int read_table(const u8 *data, u32 len, bool multi,
		      struct net_addresses *to)
{
	__le32 le;
	u32 nr, i;

	if (len < sizeof(le))
		return -EINVAL;
	memcpy(&le, data, sizeof(le));
	nr = le32_to_cpu(le);
	if (nr > (len - sizeof(le)) / ETH_ADDRESS)
		return -EINVAL;
	memset(to, 0, sizeof(*to));
	for (i = 0; i < nr; i++)
		if ((data[sizeof(le) + i * ETH_ADDRESS] & 1) != multi)
			return -EINVAL;
	if (nr > NET_ADDRESSES) {
		to->overflow = true;
	} else {
		to->nr = nr;
		memcpy(to->mac, data + sizeof(le), nr * ETH_ADDRESS);
	}
	return (int)(sizeof(le) + nr * ETH_ADDRESS);
}

static int run_table(struct net_card *card, u8 command, const u8 *data, u32 len)
{
	struct net_addresses uni, multi;
	int used, more;

	used = read_table(data, len, false, &uni);
	if (used < 0)
		return -EINVAL;
	more = read_table(data + used, len - (u32)used, true, &multi);
	if (more < 0 || (u32)(used + more) != len)
		return -EINVAL;
	card->filter.uni = uni;
	card->filter.multi = multi;
	return 0;
}

static int run_address(struct net_card *card, u8 command, const u8 *data,
		       u32 len)
{
	if (len != ETH_ADDRESS || (data[0] & 1))
		return -EINVAL;
	memcpy(card->filter.mac, data, ETH_ADDRESS);
	memcpy(card->space.mac, data, ETH_ADDRESS);
	return 0;
}

static int run_announced(struct net_card *card, u8 command, const u8 *data,
			 u32 len)
{
	u16 status = le16_to_cpu(card->space.status);

	if (len)
		return -EINVAL;
	card->space.status = cpu_to_le16(status & (u16)~NET_S_ANNOUNCE);
	return 0;
}

static int run_pairs(struct net_card *card, u8 command, const u8 *data, u32 len)
{
	__le16 le;

	if (len != sizeof(le))
		return -EINVAL;
	memcpy(&le, data, sizeof(le));
	if (!le16_to_cpu(le) || le16_to_cpu(le) > card->config->mq)
		return -EINVAL;
	card->active = le16_to_cpu(le);
	return 0;
}

static int run_offloads(struct net_card *card, u8 command, const u8 *data,
			u32 len)
{
	__le64 le;

	if (len != sizeof(le))
		return -EINVAL;
	memcpy(&le, data, sizeof(le));
	if (!net_offloads_ok(&card->v, card->v.features, le64_to_cpu(le)))
		return -EINVAL;
	card->offloads = le64_to_cpu(le);
	return 0;
}

static const struct command commands[] = {
	{ NET_CTRL_RX, NET_CTRL_RX_PROMISC, NET_F_CTRL_RX, run_rx },
	{ NET_CTRL_RX, NET_CTRL_RX_ALLMULTI, NET_F_CTRL_RX, run_rx },
	{ NET_CTRL_RX, NET_CTRL_RX_ALLUNI, NET_F_CTRL_RX_EXTRA, run_rx },
	{ NET_CTRL_RX, NET_CTRL_RX_NOMULTI, NET_F_CTRL_RX_EXTRA, run_rx },
	{ NET_CTRL_RX, NET_CTRL_RX_NOUNI, NET_F_CTRL_RX_EXTRA, run_rx },
	{ NET_CTRL_RX, NET_CTRL_RX_NOBCAST, NET_F_CTRL_RX_EXTRA, run_rx },
	{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, NET_F_CTRL_RX, run_table },
	{ NET_CTRL_MAC, NET_CTRL_MAC_ADDR_SET, NET_F_CTRL_MAC_ADDR,
	  run_address },
	{ NET_CTRL_ANNOUNCE, NET_CTRL_ANNOUNCE_ACK, NET_F_GUEST_ANNOUNCE,
	  run_announced },
	{ NET_CTRL_MQ, NET_CTRL_MQ_PAIRS_SET, NET_F_MQ, run_pairs },
	{ NET_CTRL_OFFLOADS, NET_CTRL_OFFLOADS_SET, NET_F_CTRL_GUEST_OFFLOADS,
	  run_offloads },
};

static int run_command(struct net_card *card, const u8 *bytes, u32 len)
{
	struct net_ctrl_hdr hdr;
	u32 i;

	if (len < sizeof(hdr))
		return -EINVAL;
	memcpy(&hdr, bytes, sizeof(hdr));
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].class == hdr.class &&
		    commands[i].command == hdr.command &&
		    virtio_has(&card->v, BIT_ULL(commands[i].feature)))
			return commands[i].run(card, hdr.command,
					       bytes + sizeof(hdr),
					       len - (u32)sizeof(hdr));
	return -EINVAL;
}

/* The main loop: the buffers stay the card's until the answer is given. */
static void ctrl_work(struct loop_call *call)
{
	struct net_card *card = container_of(call, struct net_card, ctrl.work);
	const struct virtio_chain *chain = &card->ctrl.chain;
	struct virtio_queue *q = &card->v.queues[2 * card->config->mq];
	u8 bytes[COMMAND_MAX], answer = NET_CTRL_ERR;
	u32 len;

	mutex_lock(&card->v.pci.dev.lock);
	if (chain->out_len <= sizeof(bytes)) {
		len = (u32)virtio_chain_read(chain, 0, bytes, sizeof(bytes));
		if (!run_command(card, bytes, len)) {
			answer = NET_CTRL_OK;
			net_card_apply(card);
		}
	}
	mutex_unlock(&card->v.pci.dev.lock);
	virtio_chain_write(chain, 0, &answer, sizeof(answer));
	iothread_post(q->loop->thread, &card->ctrl.done);
}

/* The queue's loop. */
static void ctrl_done(struct loop_call *call)
{
	struct net_card *card = container_of(call, struct net_card, ctrl.done);
	struct virtio_queue *q = &card->v.queues[2 * card->config->mq];

	card->ctrl.busy = false;
	virtio_queue_wake(q);
	virtio_queue_push(q, &card->ctrl.chain,
			  card->ctrl.chain.in_len ? 1 : 0);
}

/**
 * net_handle_ctrl() - &virtio_ops.handle of the control queue
 * @q: the queue
 *
 * Return: what it waits for.
 */
enum virtio_next net_handle_ctrl(struct virtio_queue *q)
{
	struct net_card *card = net_card_of_virtio(q->v);
	struct net_ctrl *ctrl = &card->ctrl;

	if (ctrl->busy)
		return VIRTIO_NEXT_WAKE;
	if (!virtio_queue_pop(q, &ctrl->chain, ctrl->iov, NET_CHAIN_IOV))
		return VIRTIO_NEXT_CHAIN;
	ctrl->busy = true;
	iothread_post(&q->v->pci.dev.vm->loop, &ctrl->work);
	return VIRTIO_NEXT_WAKE;
}

/**
 * net_ctrl_init() - make the control queue ready
 * @card: the card
 */
void net_ctrl_init(struct net_card *card)
{
	loop_call_init(&card->ctrl.work, ctrl_work);
	loop_call_init(&card->ctrl.done, ctrl_done);
}
