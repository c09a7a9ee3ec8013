/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the network back ends share
 */
#ifndef LKVM_NET_BACKEND_PRIV_H
#define LKVM_NET_BACKEND_PRIV_H

#include <stdatomic.h>

#include "virtio/net_backend.h"
#include "vmm/base/log.h"

#define NET_FORWARDS_MAX	64

/**
 * struct net_forward - a port of the host that leads into the guest
 * @udp: UDP, else TCP
 * @spec: as passt wants it: "127.0.0.1/2222:22"
 */
struct net_forward {
	bool udp;
	char spec[96];
};

/* net_backend.c */
void net_backend_init(struct net_backend *backend,
		      const struct net_backend_ops *ops, u32 lanes);
void net_backend_set_link(struct net_backend *backend, bool up);

/* net_tap.c, net_passt.c */
int net_tap_open(const struct net_config *config, struct net_backend **out,
		 struct error *err) __must_check;
int net_passt_open(const struct net_config *config, const char *card,
		   bool arriving, struct net_backend **out, struct error *err)
	__must_check;

/* net_forward.c */
int net_forward_parse(const char *text, bool probe, struct net_forward *fwd,
		      struct error *err) __must_check;

#endif /* LKVM_NET_BACKEND_PRIV_H */
