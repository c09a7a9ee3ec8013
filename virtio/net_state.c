// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network card: what is saved
 *
 * The queues, what was negotiated, and what the driver has said by its control
 * queue. Frames are not: what is on its way when a machine is saved is lost, as
 * frames may be, and who has sent it sends it again.
 *
 * Whether the link is up is a matter of the host and found out anew.
 */
#include <string.h>

#include "virtio/net_priv.h"
#include "vmm/base/math.h"

#define TABLE_BYTES	(NET_ADDRESSES * ETH_ADDRESS)

/**
 * struct net_state - what is saved
 * @v: the virtio part
 * @offloads: &net_card.offloads
 * @mac: the card's address
 * @status: of the configuration
 * @active: &net_card.active
 * @promisc: &net_filter.promisc
 * @allmulti: &net_filter.allmulti
 * @alluni: &net_filter.alluni
 * @nomulti: &net_filter.nomulti
 * @nouni: &net_filter.nouni
 * @nobcast: &net_filter.nobcast
 * @uni_overflow: &net_addresses.overflow
 * @multi_overflow: &net_addresses.overflow
 * @uni_bytes: of @uni
 * @uni: addresses
 * @multi_bytes: of @multi
 * @multi: groups
 * @reserved: 0
 */
struct net_state {
	struct virtio_state v;
	u64 offloads;
	u8 mac[ETH_ADDRESS];
	u16 status;
	u32 active;
	u8 promisc;
	u8 allmulti;
	u8 alluni;
	u8 nomulti;
	u8 nouni;
	u8 nobcast;
	u8 uni_overflow;
	u8 multi_overflow;
	u32 uni_bytes;
	u8 uni[TABLE_BYTES];
	u32 multi_bytes;
	u8 multi[TABLE_BYTES];
	u32 reserved;
};

#define FLAG(member, name) STATE_U8(struct net_state, member, name, 0, 1)

static const struct state_field fields[] = {
	STATE_STRUCT(struct net_state, v, "virtio", &virtio_state_desc),
	STATE_U64(struct net_state, offloads, "offloads", 0, UINT64_MAX),
	STATE_BYTES(struct net_state, mac, "mac"),
	STATE_U16(struct net_state, status, "status", 0,
		  NET_S_LINK_UP | NET_S_ANNOUNCE),
	STATE_U32(struct net_state, active, "active-pairs", 1, NET_PAIRS_MAX),
	FLAG(promisc, "promiscuous"),
	FLAG(allmulti, "all-groups"),
	FLAG(alluni, "all-addresses"),
	FLAG(nomulti, "no-groups"),
	FLAG(nouni, "no-addresses"),
	FLAG(nobcast, "no-broadcast"),
	FLAG(uni_overflow, "addresses-overflow"),
	FLAG(multi_overflow, "groups-overflow"),
	STATE_BYTES_COUNTED(struct net_state, uni, uni_bytes, "addresses"),
	STATE_BYTES_COUNTED(struct net_state, multi, multi_bytes, "groups"),
	STATE_U32(struct net_state, reserved, "reserved", 0, 0),
};

const struct state_desc net_state_desc =
	STATE_DESC("lkvm,virtio-net-v1", struct net_state, fields);

static u32 save_table(u8 *to, const struct net_addresses *from)
{
	memcpy(to, from->mac, from->nr * ETH_ADDRESS);
	return from->nr * ETH_ADDRESS;
}

/**
 * net_save() - &device_ops.save
 * @dev: the card
 * @state: a zeroed struct net_state
 */
void net_save(const struct device *dev, void *state)
{
	const struct net_card *card = container_of(dev, const struct net_card,
						   v.pci.dev);
	const struct net_filter *f = &card->filter;
	struct net_state *s = state;

	virtio_state_save(&card->v, &s->v);
	s->offloads = card->offloads;
	memcpy(s->mac, f->mac, ETH_ADDRESS);
	s->status = le16_to_cpu(card->space.status);
	s->active = card->active;
	s->promisc = f->promisc;
	s->allmulti = f->allmulti;
	s->alluni = f->alluni;
	s->nomulti = f->nomulti;
	s->nouni = f->nouni;
	s->nobcast = f->nobcast;
	s->uni_overflow = f->uni.overflow;
	s->multi_overflow = f->multi.overflow;
	s->uni_bytes = save_table(s->uni, &f->uni);
	s->multi_bytes = save_table(s->multi, &f->multi);
}

/**
 * net_check() - &device_ops.check
 * @dev: the card
 * @state: a struct net_state
 * @err: what does not fit
 *
 * Return: 0 or -EINVAL.
 */
int net_check(const struct device *dev, const void *state, struct error *err)
{
	const struct net_card *card = container_of(dev, const struct net_card,
						   v.pci.dev);
	const struct net_state *s = state;

	if (s->mac[0] & 1)
		return error_set(err, -EINVAL,
				 "mac: is the address of a group");
	if (s->active > card->config->mq)
		return error_set(err, -EINVAL,
				 "active-pairs: there are %u, but the card has %u",
				 s->active, card->config->mq);
	if (!net_offloads_ok(&card->v, s->v.features, s->offloads))
		return error_set(err, -EINVAL,
				 "offloads: %#llx: some were not negotiated, or make no sense alone",
				 s->offloads);
	if (s->uni_bytes % ETH_ADDRESS || s->multi_bytes % ETH_ADDRESS)
		return error_set(err, -EINVAL,
				 "addresses, groups: no whole number of them");
	if ((s->v.features & NET_OFFLOADS_ALL) &
	    ~card->backend->info.offloads)
		return error_set(err, -EINVAL,
				 "the guest uses offloads that %s does not have; use mode=tap, or mode=none",
				 card->backend->info.name);
	return virtio_state_check(&card->v, &s->v, err);
}

static void load_table(struct net_addresses *to, const u8 *from, u32 bytes,
		       bool overflow)
{
	memset(to, 0, sizeof(*to));
	to->nr = bytes / ETH_ADDRESS;
	to->overflow = overflow;
	memcpy(to->mac, from, bytes);
}

/**
 * net_load() - &device_ops.load
 * @dev: the card
 * @state: has passed net_check()
 */
void net_load(struct device *dev, const void *state)
{
	struct net_card *card = net_card_of(dev);
	struct net_filter *f = &card->filter;
	const struct net_state *s = state;

	virtio_state_load(&card->v, &s->v);
	card->offloads = s->offloads;
	memcpy(f->mac, s->mac, ETH_ADDRESS);
	memcpy(card->space.mac, s->mac, ETH_ADDRESS);
	card->active = s->active;
	f->promisc = s->promisc;
	f->allmulti = s->allmulti;
	f->alluni = s->alluni;
	f->nomulti = s->nomulti;
	f->nouni = s->nouni;
	f->nobcast = s->nobcast;
	load_table(&f->uni, s->uni, s->uni_bytes, s->uni_overflow);
	load_table(&f->multi, s->multi, s->multi_bytes, s->multi_overflow);
	card->space.status = cpu_to_le16(
		(u16)((s->status & NET_S_ANNOUNCE) |
		      (atomic_load(&card->backend->link) ? NET_S_LINK_UP : 0)));
	card->announce.due = true;
	net_card_apply(card);
}
