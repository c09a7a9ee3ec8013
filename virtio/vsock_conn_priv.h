/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a socket device's table of connections, for what they do
 */
#ifndef LKVM_VIRTIO_VSOCK_CONN_PRIV_H
#define LKVM_VIRTIO_VSOCK_CONN_PRIV_H

#include "virtio/vsock_conn.h"

/* vsock_table.c */
struct vsock_conn *vsock_conn_find(struct vsock_table *t, u32 guest_port,
				   u32 host_port);
struct vsock_conn *vsock_conn_new(struct vsock_table *t, u32 guest_port,
				  u32 host_port, int fd);
void vsock_conn_free(struct vsock_table *t, struct vsock_conn *c);
void vsock_conn_close_host(struct vsock_table *t, struct vsock_conn *c);
void vsock_conn_end(struct vsock_table *t, struct vsock_conn *c);
bool vsock_table_uses_port(const struct vsock_table *t, u32 port);
void vsock_table_reply(struct vsock_table *t, u32 guest_port, u32 host_port,
		       u16 type);

/* It may have something for the guest. */
static inline void vsock_conn_mark_ready(struct vsock_table *t,
					 struct vsock_conn *c)
{
	if (list_is_empty(&c->ready))
		list_add_tail(&t->ready, &c->ready);
}

/* Is such a packet to be sent? */
static inline bool vsock_conn_is_due(const struct vsock_conn *c, u32 op)
{
	return c->ops_due & BIT(op);
}

#endif /* LKVM_VIRTIO_VSOCK_CONN_PRIV_H */
