// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a console device: control messages
 *
 * VIRTIO-1.2 5.3.6.2, with VCON_F_MULTIPORT. What the driver has to be told is
 * not a queue of messages but a set of bits for each port, from which the next
 * message is made when there is a buffer for it: so it needs no memory, however
 * long the driver takes, and it is in the order of the specification: PORT_ADD,
 * and when the driver has answered PORT_READY, what the port is and who is
 * there.
 *
 * A port whose user has changed is told as closed and opened again.
 *
 * Ports are there from the beginning to the end, so there is no PORT_REMOVE.
 *
 * Threads: the device's loop.
 */
#include <string.h>

#include "virtio/console_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

#define TURN_MESSAGES	64

/* PORT_OPEN with this value is to be told; -1: nothing is. */
static int open_due(const struct vcon *c, const struct vcon_port *p)
{
	bool host = vcon_port_has_host(c, p);

	if (p->told_open && (p->stale || !host))
		return 0;
	return !p->told_open && host ? 1 : -1;
}

static bool port_has_message(const struct vcon *c, const struct vcon_port *p)
{
	if (!p->exists)
		return false;
	return (p->due & VCON_DUE_ADD) ||
	       (p->ready && (p->due || open_due(c, p) >= 0));
}

static struct vcon_port *next_port(struct vcon *c)
{
	u32 i;

	for (i = 0; i < c->ports_nr; i++)
		if (port_has_message(c, &c->ports[i]))
			return &c->ports[i];
	return NULL;
}

/* Bytes behind the header. */
static u32 resize_message(struct vcon *c, struct vcon_resize *to)
{
	u32 size = atomic_load(&c->size);

	c->size_told = size;
	to->cols = cpu_to_le16((u16)size);
	to->rows = cpu_to_le16((u16)(size >> 16));
	return sizeof(*to);
}

/* The lowest bit is the next one. */
static u32 make_message(struct vcon *c, struct vcon_port *p,
			struct vcon_control *msg, u8 *tail, u32 tail_max)
{
	u32 bit = p->due & (0U - p->due), len = 0;
	u16 event = VCON_PORT_OPEN, value = 1;

	switch (bit) {
	case VCON_DUE_ADD:
		event = VCON_PORT_ADD;
		break;
	case VCON_DUE_CONSOLE:
		event = VCON_CONSOLE_PORT;
		break;
	case VCON_DUE_SIZE:
		event = VCON_RESIZE;
		len = resize_message(c, (struct vcon_resize *)tail);
		break;
	case VCON_DUE_NAME:
		event = VCON_PORT_NAME;
		len = min_of((u32)strlen(p->name), tail_max);
		memcpy(tail, p->name, len);
		break;
	default:
		value = (u16)open_due(c, p);
		p->told_open = value;
		p->stale = false;
		/* Who is there may say something from now on. */
		virtio_queue_wake(vcon_rx(c, p));
	}
	p->due &= ~bit;
	msg->id = cpu_to_le32(p->id);
	msg->event = cpu_to_le16(event);
	msg->value = cpu_to_le16(value);
	return len;
}

static u32 write_message(struct vcon *c, struct vcon_port *p,
			 const struct virtio_chain *chain)
{
	struct {
		struct vcon_control head;
		u8 tail[64];
	} msg;
	u32 len = make_message(c, p, &msg.head, msg.tail, sizeof(msg.tail));

	return (u32)virtio_chain_write(chain, 0, &msg, sizeof(msg.head) + len);
}

/**
 * vcon_ctrl_tell() - put messages into the driver's buffers
 * @c: the device
 * @q: the queue that they are in
 *
 * Of a message that is longer than its buffer the driver gets the beginning.
 *
 * Return: what the queue waits for.
 */
enum virtio_next vcon_ctrl_tell(struct vcon *c, struct virtio_queue *q)
{
	struct virtio_chain chain;
	struct vcon_port *p;
	u32 n;

	for (n = 0; n < TURN_MESSAGES; n++) {
		p = c->multiport ? next_port(c) : NULL;
		if (!p)
			return VIRTIO_NEXT_WAKE;
		if (!virtio_queue_pop(q, &chain, c->iov, ARRAY_SIZE(c->iov)))
			return VIRTIO_NEXT_CHAIN;
		if (chain.in_len < sizeof(struct vcon_control)) {
			virtio_queue_push(q, &chain, 0);
			virtio_queue_fail(q, "a buffer of %llu bytes",
					  chain.in_len);
			return VIRTIO_NEXT_CHAIN;
		}
		virtio_queue_push(q, &chain, write_message(c, p, &chain));
	}
	return VIRTIO_NEXT_TURN;
}

/* The guest knows nothing of who is there. */
static void port_forget(struct vcon_port *p, u32 due)
{
	p->told_open = false;
	p->stale = false;
	p->due = p->exists ? due : 0;
}

static void device_ready(struct vcon *c, u16 value)
{
	u32 i;

	if (!value)
		log_limited(LOG_DEBUG, "%s: the driver could not set it up",
			    c->v.pci.dev.name);
	for (i = 0; i < c->ports_nr; i++) {
		c->ports[i].ready = false;
		port_forget(&c->ports[i], value ? VCON_DUE_ADD : 0);
	}
}

static void port_ready(struct vcon *c, struct vcon_port *p, u16 value)
{
	u32 due = p->id ? VCON_DUE_NAME : VCON_DUE_CONSOLE;

	if (!p->id && c->sized)
		due |= VCON_DUE_SIZE;
	p->ready = value;
	port_forget(p, value ? due : 0);
}

static void port_open(struct vcon *c, struct vcon_port *p, u16 value)
{
	p->guest_open = value;
	virtio_queue_wake(vcon_rx(c, p));
}

static bool take_message(struct vcon *c, const struct virtio_chain *chain)
{
	struct vcon_control msg;
	u16 event, value;
	u32 id;

	if (virtio_chain_read(chain, 0, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	id = le32_to_cpu(msg.id);
	event = le16_to_cpu(msg.event);
	value = le16_to_cpu(msg.value);
	if (event == VCON_DEVICE_READY) {
		device_ready(c, value);
		return true;
	}
	if (id >= c->ports_nr || !c->ports[id].exists)
		return false;
	if (event == VCON_PORT_READY)
		port_ready(c, &c->ports[id], value);
	else if (event == VCON_PORT_OPEN)
		port_open(c, &c->ports[id], value);
	else
		return false;
	vcon_port_look(c, &c->ports[id]);
	return true;
}

/**
 * vcon_ctrl_take() - see what the driver has to say
 * @c: the device
 * @q: the queue that it is in
 *
 * Return: what the queue waits for.
 */
enum virtio_next vcon_ctrl_take(struct vcon *c, struct virtio_queue *q)
{
	struct virtio_chain chain;
	u32 n;

	for (n = 0; n < TURN_MESSAGES; n++) {
		if (!virtio_queue_pop(q, &chain, c->iov, ARRAY_SIZE(c->iov)))
			return VIRTIO_NEXT_CHAIN;
		if (!c->multiport || !take_message(c, &chain))
			atomic_fetch_add(&c->dropped, 1);
		virtio_queue_push(q, &chain, 0);
		virtio_queue_wake(&c->v.queues[VCON_QUEUE_CTRL_RX]);
	}
	return VIRTIO_NEXT_TURN;
}
