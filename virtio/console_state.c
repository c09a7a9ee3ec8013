// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a console device: saving and loading
 *
 * What is saved of a port is what guest and device know of each other: how much
 * of the guest's next buffer was written, who has it open, and the messages
 * that still wait for a buffer. What is at the host's end is not: programs that
 * were connected are those of another host, or of another time. The guest is
 * told that they have gone, and the next ones go on at the very byte.
 *
 * Threads: control, as device_ops says; what is the loop's is changed there.
 */
#include "virtio/console_priv.h"

/**
 * struct vcon_port_state - what is saved of a port
 * @done: bytes of the next buffer of the driver's that are written already
 * @ready: the driver knows it
 * @guest_open: somebody in the guest has it open
 * @told_open: the guest was told that somebody at the host has it open
 * @due: VCON_DUE
 */
struct vcon_port_state {
	u64 done;
	u16 ready;
	u16 guest_open;
	u16 told_open;
	u16 due;
};

/**
 * struct vcon_state - what is saved
 * @virtio: the virtio part
 * @cols: width of the console
 * @rows: height of the console
 * @ports_nr: of @ports
 * @ports: all ports, with port 0
 */
struct vcon_state {
	struct virtio_state virtio;
	u16 cols;
	u16 rows;
	u32 ports_nr;
	struct vcon_port_state ports[VCON_PORTS_MAX];
};

static const struct state_field port_fields[] = {
	STATE_U64(struct vcon_port_state, done, "written", 0, UINT64_MAX),
	STATE_U16(struct vcon_port_state, ready, "ready", 0, 1),
	STATE_U16(struct vcon_port_state, guest_open, "guest-open", 0, 1),
	STATE_U16(struct vcon_port_state, told_open, "host-open", 0, 1),
	STATE_U16(struct vcon_port_state, due, "messages-due", 0,
		  VCON_DUE_ALL),
};

static const struct state_desc port_desc =
	STATE_DESC("lkvm,virtio-console-port-v1", struct vcon_port_state,
		   port_fields);

static const struct state_field fields[] = {
	STATE_STRUCT(struct vcon_state, virtio, "virtio", &virtio_state_desc),
	STATE_U16(struct vcon_state, cols, "columns", 0, UINT16_MAX),
	STATE_U16(struct vcon_state, rows, "rows", 0, UINT16_MAX),
	STATE_STRUCTS(struct vcon_state, ports, ports_nr, "port", &port_desc),
};

/* The table of a console device's state. */
const struct state_desc vcon_state_desc =
	STATE_DESC("lkvm,virtio-console-v1", struct vcon_state, fields);

/**
 * vcon_save() - &device_ops.save
 * @dev: a console device, quiesced
 * @state: takes it
 */
void vcon_save(const struct device *dev, void *state)
{
	const struct vcon *c = container_of(dev, const struct vcon, v.pci.dev);
	struct vcon_state *to = state;
	u32 i;

	virtio_state_save(&c->v, &to->virtio);
	to->cols = le16_to_cpu(c->config.cols);
	to->rows = le16_to_cpu(c->config.rows);
	to->ports_nr = c->ports_nr;
	for (i = 0; i < c->ports_nr; i++) {
		const struct vcon_port *p = &c->ports[i];

		to->ports[i] = (struct vcon_port_state){
			.done = p->done,
			.ready = p->ready,
			.guest_open = p->guest_open,
			.told_open = p->told_open,
			.due = (u16)p->due,
		};
	}
}

/* Messages that there can be of a port. */
static u32 due_of(const struct vcon_port *p)
{
	if (!p->exists)
		return 0;
	return p->id ? VCON_DUE_ADD | VCON_DUE_NAME :
		       VCON_DUE_ADD | VCON_DUE_CONSOLE | VCON_DUE_SIZE;
}

static int check_port(const struct vcon_port *p, bool multiport,
		      const struct vcon_port_state *from, struct error *err)
{
	u32 due = from->due & ~due_of(p);

	if (due)
		return error_set(err, -EINVAL,
				 "messages-due: %#x are none of this port's",
				 due);
	if ((!multiport || !p->exists) &&
	    (from->ready || from->guest_open || from->told_open || from->due))
		return error_set(err, -EINVAL, "ready: %s", multiport ?
				 "there is no such port" :
				 "the driver knows one port only");
	return 0;
}

/**
 * vcon_check() - &device_ops.check
 * @dev: a console device
 * @state: decoded, its ranges checked
 * @err: says what does not fit
 *
 * Return: 0 or -EINVAL.
 */
int vcon_check(const struct device *dev, const void *state, struct error *err)
{
	const struct vcon *c = container_of(dev, const struct vcon, v.pci.dev);
	const struct vcon_state *from = state;
	u64 ok = from->virtio.status & VIRTIO_STATUS_FEATURES_OK;
	u32 i;
	int ret;

	if (from->ports_nr != c->ports_nr)
		return error_set(err, -EINVAL,
				 "port: there are %u, but the device has %u",
				 from->ports_nr, c->ports_nr);
	for (i = 0; i < from->ports_nr; i++) {
		ret = check_port(&c->ports[i], ok && (from->virtio.features &
						      VCON_F_MULTIPORT),
				 &from->ports[i], err);
		if (ret)
			return error_prefix(err, "port@%u", i);
	}
	return virtio_state_check(&c->v, &from->virtio, err);
}

/**
 * struct loading - a state on its way to the loop
 * @c: the device
 * @from: the state
 */
struct loading {
	struct vcon *c;
	const struct vcon_state *from;
};

static void load_ports(void *arg)
{
	const struct loading *l = arg;
	struct vcon *c = l->c;
	u32 i;

	c->paused = true;
	/* No size: the driver is told the one of this terminal. */
	c->size_told = 0;
	for (i = 0; i < c->ports_nr; i++) {
		const struct vcon_port_state *from = &l->from->ports[i];
		struct vcon_port *p = &c->ports[i];

		p->done = from->done;
		p->ready = from->ready;
		p->guest_open = from->guest_open;
		p->told_open = from->told_open;
		p->due = from->due;
		/* Whoever is there now is not the one the guest knows. */
		p->stale = p->id && p->told_open;
	}
}

/**
 * vcon_load() - &device_ops.load
 * @dev: a console device
 * @state: passed vcon_check()
 */
void vcon_load(struct device *dev, const void *state)
{
	struct vcon *c = to_vcon(virtio_device_of(dev));
	const struct vcon_state *from = state;
	struct loading l = { .c = c, .from = from };

	virtio_state_load(&c->v, &from->virtio);
	c->config.cols = cpu_to_le16(from->cols);
	c->config.rows = cpu_to_le16(from->rows);
	atomic_store(&c->size, from->cols | (u32)from->rows << 16);
	iothread_call(c->v.loops[0].thread, load_ports, &l);
}
