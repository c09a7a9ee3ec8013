// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network card: which frames the guest wants
 *
 * VIRTIO-1.2 5.1.6.5.1 and 5.1.6.5.2. A driver that has not said anything gets
 * everything. Each loop works with a copy of its own.
 */
#include <string.h>

#include "virtio/net_priv.h"

/**
 * net_filter_reset() - as at power-on
 * @filter: to be filled
 * @mac: the card's address
 */
void net_filter_reset(struct net_filter *filter, const u8 mac[ETH_ADDRESS])
{
	memset(filter, 0, sizeof(*filter));
	memcpy(filter->mac, mac, ETH_ADDRESS);
	filter->promisc = true;
}

static bool has(const struct net_addresses *table, const u8 *mac)
{
	u32 i;

	if (table->overflow)
		return true;
	for (i = 0; i < table->nr; i++)
		if (!memcmp(table->mac[i], mac, ETH_ADDRESS))
			return true;
	return false;
}

/**
 * net_filter_pass() - does the guest want a frame?
 * @filter: the filter
 * @frame: the frame, of ETH_HEADER bytes at least
 *
 * Return: true when it does.
 */
bool net_filter_pass(const struct net_filter *filter, const u8 *frame)
{
	static const u8 everybody[ETH_ADDRESS] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};

	if (filter->promisc)
		return true;
	if (!memcmp(frame, everybody, ETH_ADDRESS))
		return !filter->nobcast;
	if (frame[0] & 1)
		return !filter->nomulti && (filter->allmulti ||
					    has(&filter->multi, frame));
	return !filter->nouni && (filter->alluni ||
				  !memcmp(filter->mac, frame, ETH_ADDRESS) ||
				  has(&filter->uni, frame));
}
