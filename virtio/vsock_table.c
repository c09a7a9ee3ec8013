// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: connections of a socket device: which there are
 *
 * All connections have their places from the beginning, so nothing is allocated
 * for one but the buffer of what its host does not take. They are found by their
 * ports, and those that may have something for the guest are in a list. What a
 * connection does is in vsock_conn.c.
 *
 * Threads: one, the loop's.
 */
#include <stdlib.h>
#include <string.h>

#include "virtio/vsock_conn_priv.h"
#include "virtio/vsock_spec.h"

/**
 * vsock_table_init() - a table without connections
 * @t: to be filled
 * @ops: the host's end
 * @arg: for @ops
 *
 * Return: 0 or -ENOMEM.
 */
int vsock_table_init(struct vsock_table *t, const struct vsock_host_ops *ops,
		     void *arg)
{
	u32 i;

	memset(t, 0, sizeof(*t));
	t->ops = ops;
	t->arg = arg;
	t->port_next = VSOCK_PORT_FIRST;
	list_init(&t->free);
	list_init(&t->all);
	list_init(&t->ready);
	for (i = 0; i < VSOCK_BUCKETS; i++)
		list_init(&t->buckets[i]);
	t->conns = calloc(VSOCK_CONNS_MAX, sizeof(*t->conns));
	if (!t->conns)
		return -ENOMEM;
	for (i = 0; i < VSOCK_CONNS_MAX; i++) {
		t->conns[i].fd = -1;
		list_init(&t->conns[i].hash);
		list_init(&t->conns[i].ready);
		list_add_tail(&t->free, &t->conns[i].link);
	}
	return 0;
}

/**
 * vsock_table_fini() - undo vsock_table_init()
 * @t: the table; its connections end as with vsock_table_clear()
 */
void vsock_table_fini(struct vsock_table *t)
{
	vsock_table_clear(t);
	free(t->conns);
}

static struct list *bucket(struct vsock_table *t, u32 guest_port, u32 host_port)
{
	u32 mix = (guest_port ^ host_port * 0x9e3779b1U) * 0x85ebca6bU;

	static_assert(VSOCK_BUCKETS == 256, "the topmost 8 bits");
	return &t->buckets[mix >> 24];
}

/**
 * vsock_conn_find() - the connection of two ports
 * @t: the table
 * @guest_port: the guest's
 * @host_port: the host's
 *
 * Return: the connection, or NULL; one that lingers is nobody's any more.
 */
struct vsock_conn *vsock_conn_find(struct vsock_table *t, u32 guest_port,
				   u32 host_port)
{
	struct list *head = bucket(t, guest_port, host_port);
	struct vsock_conn *c;

	list_for_each_entry(c, head, hash)
		if (c->guest_port == guest_port && c->host_port == host_port)
			return c;
	return NULL;
}

/**
 * vsock_conn_new() - a connection that is in no state yet
 * @t: the table
 * @guest_port: the guest's end
 * @host_port: the host's end
 * @fd: the host's socket, -1 for none
 *
 * Return: the connection, or NULL when the table is full.
 */
struct vsock_conn *vsock_conn_new(struct vsock_table *t, u32 guest_port,
				  u32 host_port, int fd)
{
	struct list *link = list_pop(&t->free);
	struct vsock_conn *c;
	u32 serial;

	if (!link)
		return NULL;
	c = list_entry(link, struct vsock_conn, link);
	serial = c->serial;
	*c = (struct vsock_conn){
		.guest_port = guest_port, .host_port = host_port,
		.fd = fd, .serial = serial,
	};
	list_init(&c->ready);
	list_add_tail(&t->all, &c->link);
	list_add_tail(bucket(t, guest_port, host_port), &c->hash);
	t->nr++;
	return c;
}

/**
 * vsock_conn_free() - there is no such connection any more
 * @t: the table
 * @c: the connection, whose socket is closed
 */
void vsock_conn_free(struct vsock_table *t, struct vsock_conn *c)
{
	list_del(&c->hash);
	list_del(&c->ready);
	list_del(&c->link);
	free(c->buf);
	c->buf = NULL;
	c->state = VSOCK_FREE;
	c->serial++;
	t->nr--;
	list_add_tail(&t->free, &c->link);
}

/**
 * vsock_conn_close_host() - the host's end is not needed any more
 * @t: the table
 * @c: the connection
 */
void vsock_conn_close_host(struct vsock_table *t, struct vsock_conn *c)
{
	if (c->fd < 0)
		return;
	t->ops->close(t, c);
	c->fd = -1;
}

/**
 * vsock_conn_end() - close and free a connection without a word
 * @t: the table
 * @c: the connection
 */
void vsock_conn_end(struct vsock_table *t, struct vsock_conn *c)
{
	vsock_conn_close_host(t, c);
	vsock_conn_free(t, c);
}

/**
 * vsock_table_clear() - all connections are over, and the guest knows it
 * @t: the table
 */
void vsock_table_clear(struct vsock_table *t)
{
	struct vsock_conn *c, *tmp;

	list_for_each_entry_safe(c, tmp, &t->all, link)
		vsock_conn_end(t, c);
	t->replies_nr = 0;
}

/**
 * vsock_table_is_full() - is there no room for one more connection?
 * @t: the table
 *
 * Return: true when there is none.
 */
bool vsock_table_is_full(const struct vsock_table *t)
{
	return t->nr == VSOCK_CONNS_MAX;
}

/**
 * vsock_table_is_known() - does the guest know of a connection?
 * @t: the table
 *
 * Return: true when one would have to be reset if all this were forgotten.
 */
bool vsock_table_is_known(const struct vsock_table *t)
{
	const struct vsock_conn *c;

	if (t->replies_nr)
		return true;
	list_for_each_entry(c, &t->all, link)
		if (c->state != VSOCK_LINGERING &&
		    !(c->state == VSOCK_REQUESTED &&
		      vsock_conn_is_due(c, VSOCK_OP_REQUEST)))
			return true;
	return false;
}

/**
 * vsock_table_has_room() - may a packet be received?
 * @t: the table
 *
 * Return: false when an answer to it could not be kept.
 */
bool vsock_table_has_room(const struct vsock_table *t)
{
	return t->replies_nr < VSOCK_REPLIES_MAX;
}

/**
 * vsock_table_has_output() - may there be something for the guest?
 * @t: the table
 *
 * Return: false when vsock_table_next() would find nothing.
 */
bool vsock_table_has_output(const struct vsock_table *t)
{
	return t->replies_nr || !list_is_empty(&t->ready);
}

/**
 * vsock_table_reply() - the guest is to get a reset
 * @t: the table; it has room
 * @guest_port: the guest's end of what is no connection
 * @host_port: the host's
 * @type: as the guest gave it
 */
void vsock_table_reply(struct vsock_table *t, u32 guest_port, u32 host_port,
		       u16 type)
{
	u32 at = (t->replies_start + t->replies_nr) % VSOCK_REPLIES_MAX;

	assert(t->replies_nr < VSOCK_REPLIES_MAX);
	t->replies[at] = (struct vsock_reply){
		.guest_port = guest_port, .host_port = host_port, .type = type,
	};
	t->replies_nr++;
}

/**
 * vsock_table_uses_port() - does the host's end of a connection have a port?
 * @t: the table
 * @port: the port
 *
 * Return: true when one has.
 */
bool vsock_table_uses_port(const struct vsock_table *t, u32 port)
{
	const struct vsock_conn *c;

	list_for_each_entry(c, &t->all, link)
		if (c->host_port == port)
			return true;
	return false;
}
