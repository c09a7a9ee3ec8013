// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a console device: the guest's console, and named ports
 *
 * VIRTIO-1.2 5.3. Port 0, if it is there, is the guest's console on the user's
 * terminal; each further port has a name and a UNIX socket of the host. This
 * file has the device and the queues of ports; console_port.c the host's end,
 * console_ctrl.c the messages between device and driver, console_state.c what
 * is saved.
 *
 * VCON_F_MULTIPORT is offered only where there are further ports: a console
 * alone tells its size in the configuration, which all drivers read alike. Of
 * the message VCON_RESIZE that cannot be said: Linux took columns and rows for
 * each other before 6.15. We send what the specification says.
 *
 * No byte is kept here. Input is read into the guest's buffers; of the guest's
 * output a buffer that was not taken as a whole goes back into its ring, and
 * what is remembered is how much of it was. So a pause waits for nobody, and
 * state is small.
 *
 * Threads: one loop of its own has all ports; registers on vCPU threads; the
 * terminal tells of its changes on the main loop.
 *
 * Not here: ports that come and go while the machine runs.
 */
#include <string.h>

#include "virtio/console_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define QUEUE_SIZE	64
#define TURN_CHAINS	64

static struct vcon *vcon_of(struct device *dev)
{
	return to_vcon(virtio_device_of(dev));
}

static struct iothread *loop_of(const struct vcon *c)
{
	return c->v.loops[0].thread;
}

/* ---- queues ------------------------------------------------------------- */

static enum virtio_next give_input(struct vcon *c, struct vcon_port *p,
				   struct virtio_queue *q)
{
	struct virtio_chain chain;
	u32 n, len;

	for (n = 0; n < TURN_CHAINS; n++) {
		if (!p->readable || !vcon_port_feeds(c, p))
			return VIRTIO_NEXT_WAKE;
		if (!virtio_queue_pop(q, &chain, c->iov, ARRAY_SIZE(c->iov)))
			return VIRTIO_NEXT_CHAIN;
		if (!chain.in_len) {
			virtio_queue_push(q, &chain, 0);
			virtio_queue_fail(q, "a buffer for no input");
			return VIRTIO_NEXT_CHAIN;
		}
		len = vcon_port_read(c, p, chain.iov + chain.out_nr,
				     chain.in_nr);
		if (len) {
			virtio_queue_push(q, &chain, len);
			continue;
		}
		virtio_queue_unpop(q, &chain);
		vcon_port_look(c, p);
	}
	return VIRTIO_NEXT_TURN;
}

static enum virtio_next take_output(struct vcon *c, struct vcon_port *p,
				    struct virtio_queue *q)
{
	struct virtio_chain chain;
	u32 n;

	for (n = 0; n < TURN_CHAINS; n++) {
		if (!vcon_port_takes(c, p))
			return VIRTIO_NEXT_WAKE;
		if (!virtio_queue_pop(q, &chain, c->iov, ARRAY_SIZE(c->iov)))
			return VIRTIO_NEXT_CHAIN;
		p->done = vcon_port_write(c, p, &chain, p->done);
		if (p->done >= chain.out_len) {
			p->done = 0;
			virtio_queue_push(q, &chain, 0);
			continue;
		}
		virtio_queue_unpop(q, &chain);
		vcon_port_look(c, p);
	}
	return VIRTIO_NEXT_TURN;
}

static bool is_control(const struct virtio_queue *q)
{
	return q->index == VCON_QUEUE_CTRL_RX || q->index == VCON_QUEUE_CTRL_TX;
}

/* Of a queue that is not for control. */
static struct vcon_port *port_of(struct vcon *c, const struct virtio_queue *q)
{
	return &c->ports[q->index < VCON_QUEUE_CTRL_RX ? 0 : q->index / 2 - 1];
}

static enum virtio_next vcon_handle(struct virtio_queue *q)
{
	struct vcon *c = to_vcon(q->v);

	if (q->index == VCON_QUEUE_CTRL_RX)
		return vcon_ctrl_tell(c, q);
	if (q->index == VCON_QUEUE_CTRL_TX)
		return vcon_ctrl_take(c, q);
	if (q->index % 2)
		return take_output(c, port_of(c, q), q);
	return give_input(c, port_of(c, q), q);
}

static void tell_size(struct vcon *c)
{
	struct vcon_port *p = &c->ports[0];

	if (!c->multiport || !c->sized || c->paused || !p->ready ||
	    atomic_load(&c->size) == c->size_told)
		return;
	p->due |= VCON_DUE_SIZE;
	virtio_queue_wake(&c->v.queues[VCON_QUEUE_CTRL_RX]);
}

static void vcon_queue_start(struct virtio_queue *q)
{
	struct vcon *c = to_vcon(q->v);

	c->multiport = virtio_has(q->v, VCON_F_MULTIPORT);
	c->sized = virtio_has(q->v, VCON_F_SIZE);
	/* A state that was loaded may come from a terminal of another size. */
	tell_size(c);
}

static void vcon_queue_stop(struct virtio_queue *q)
{
	struct vcon *c = to_vcon(q->v);

	/* The buffer that it is about will not be seen again. */
	if (q->discard && q->index % 2 && !is_control(q))
		port_of(c, q)->done = 0;
}

static void forget_all(void *arg)
{
	struct vcon *c = arg;
	u32 i;

	c->multiport = false;
	c->sized = false;
	c->size_told = atomic_load(&c->size);
	for (i = 0; i < c->ports_nr; i++) {
		struct vcon_port *p = &c->ports[i];

		p->done = 0;
		p->ready = false;
		p->guest_open = false;
		p->told_open = false;
		p->stale = false;
		p->due = 0;
		vcon_port_look(c, p);
	}
}

static void vcon_forget(struct virtio_device *v)
{
	struct vcon *c = to_vcon(v);

	iothread_call(loop_of(c), forget_all, c);
}

/*
 * The way out of a driver that has got nowhere yet: no queue, no waiting. What
 * the terminal does not take at once is lost.
 */
static void vcon_config_written(struct virtio_device *v, u32 offset, u32 len)
{
	struct vcon *c = to_vcon(v);
	u8 ch = (u8)le32_to_cpu(c->config.emerg_wr);

	c->config.emerg_wr = 0;
	if (offset == offsetof(struct vcon_config, emerg_wr) && c->terminal)
		console_write(c->terminal, &ch, 1);
}

static const struct virtio_ops vcon_virtio_ops = {
	.handle		= vcon_handle,
	.reset		= vcon_forget,
	.config_written	= vcon_config_written,
	.queue_start	= vcon_queue_start,
	.queue_stop	= vcon_queue_stop,
};

/* ---- the terminal ------------------------------------------------------- */

/* On the loop: something about the terminal has changed. */
static void poked(struct loop_call *call)
{
	struct vcon *c = container_of(call, struct vcon, poke);
	struct vcon_port *p = &c->ports[0];

	p->readable = true;
	p->writable = true;
	virtio_queue_wake(vcon_rx(c, p));
	virtio_queue_wake(vcon_tx(c, p));
	tell_size(c);
}

static void terminal_ready(struct console_client *client)
{
	struct vcon *c = container_of(client, struct vcon, client);

	iothread_post(loop_of(c), &c->poke);
}

static void set_size(struct vcon *c, u16 cols, u16 rows)
{
	c->config.cols = cpu_to_le16(cols);
	c->config.rows = cpu_to_le16(rows);
	atomic_store(&c->size, cols | (u32)rows << 16);
}

/* While the machine is paused it stays what it was. */
static void look_at_size(struct vcon *c)
{
	u16 cols, rows;

	if (!c->terminal)
		return;
	console_size(c->terminal, &cols, &rows);
	mutex_lock(&c->v.pci.dev.lock);
	/* What is no terminal has no size: the guest keeps the one it has. */
	if (cols && rows && !c->v.paused &&
	    (cols != le16_to_cpu(c->config.cols) ||
	     rows != le16_to_cpu(c->config.rows))) {
		set_size(c, cols, rows);
		virtio_config_changed(&c->v);
	}
	mutex_unlock(&c->v.pci.dev.lock);
	terminal_ready(&c->client);
}

static void terminal_resized(struct console_client *client)
{
	look_at_size(container_of(client, struct vcon, client));
}

static int connect_terminal(struct vcon *c, struct error *err)
{
	struct console *terminal = c->v.pci.dev.vm->hvc;
	u16 cols, rows;

	if (!c->ports[0].exists || !terminal)
		return 0;
	if (terminal->client)
		return error_set(err, -EBUSY,
				 "console: another device is the console; a machine has one");
	console_size(terminal, &cols, &rows);
	set_size(c, cols, rows);
	c->size_told = atomic_load(&c->size);
	c->client.input_ready = terminal_ready;
	c->client.output_ready = terminal_ready;
	c->client.resized = terminal_resized;
	c->terminal = terminal;
	return 0;
}

/* ---- the device --------------------------------------------------------- */

static void sockets_ready(struct io_watch *watch)
{
	vcon_ports_ready(container_of(watch, struct vcon, watch));
}

static void loop_enter(void *arg)
{
	struct vcon *c = arg;

	if (c->epoll >= 0)
		io_watch_add(loop_of(c), &c->watch, c->epoll, sockets_ready);
}

static void loop_leave(void *arg)
{
	struct vcon *c = arg;

	if (c->epoll >= 0)
		io_watch_remove(&c->watch);
	iothread_unpost(loop_of(c), &c->poke);
	c->paused = true;
}

static int vcon_realize(struct device *dev, struct error *err)
{
	static const u8 emerg_wmask[sizeof(struct vcon_config)] = {
		[offsetof(struct vcon_config, emerg_wr)] = 0xff,
	};
	struct vcon *c = vcon_of(dev);
	struct virtio_setup setup = {
		.id		= VIRTIO_ID_CONSOLE,
		.pci_class	= 0x078000,	/* other communication device */
		.queues_nr	= 2,
		.queue_size	= QUEUE_SIZE,
		.loops_nr	= 1,
		.config		= &c->config,
		.config_len	= sizeof(c->config),
		.ops		= &vcon_virtio_ops,
	};
	int ret;

	loop_call_init(&c->poke, poked);
	ret = vcon_ports_init(c, err);
	if (ret)
		return ret;
	ret = connect_terminal(c, err);
	if (ret)
		goto err_ports;
	if (c->ports[0].exists) {
		setup.features |= VCON_F_SIZE | VCON_F_EMERG_WRITE;
		setup.config_wmask = emerg_wmask;
	}
	if (c->ports_nr > 1) {
		setup.features |= VCON_F_MULTIPORT;
		setup.queues_nr = 2 + 2 * c->ports_nr;
		c->config.max_nr_ports = cpu_to_le32(c->ports_nr);
	}
	setup.queue_group = setup.queues_nr;
	ret = virtio_realize(&c->v, &setup, err);
	if (ret)
		goto err_ports;
	iothread_call(loop_of(c), loop_enter, c);
	if (c->terminal) {
		console_attach(c->terminal, &c->client);
		/* There may be input already. */
		terminal_ready(&c->client);
	}
	return 0;

err_ports:
	vcon_ports_fini(c);
	return ret;
}

static void vcon_unrealize(struct device *dev)
{
	struct vcon *c = vcon_of(dev);

	if (c->terminal)
		console_detach(c->terminal);
	iothread_call(loop_of(c), loop_leave, c);
	virtio_unrealize(&c->v);
	vcon_ports_fini(c);
}

static void loop_pause(void *arg)
{
	struct vcon *c = arg;

	c->paused = true;
}

static void loop_resume(void *arg)
{
	struct vcon *c = arg;
	u32 i;

	c->paused = false;
	vcon_ports_ready(c);
	for (i = 0; i < c->ports_nr; i++)
		vcon_port_look(c, &c->ports[i]);
}

static int vcon_quiesce(struct device *dev, struct error *err)
{
	struct vcon *c = vcon_of(dev);
	int ret = virtio_quiesce(dev, err);

	if (!ret)
		iothread_call(loop_of(c), loop_pause, c);
	return ret;
}

static void vcon_resume(struct device *dev)
{
	struct vcon *c = vcon_of(dev);

	iothread_call(loop_of(c), loop_resume, c);
	virtio_resume(dev);
	look_at_size(c);
}

static void vcon_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct vcon *c = container_of(dev, const struct vcon, v.pci.dev);

	virtio_stat(dev, sink);
	sink->counter(sink, "bytes-from-guest", atomic_load(&c->from_guest));
	sink->counter(sink, "bytes-to-guest", atomic_load(&c->to_guest));
	sink->counter(sink, "clients", atomic_load(&c->clients));
	sink->counter(sink, "dropped", atomic_load(&c->dropped));
}

static const struct option_desc vcon_opts[] = {
	{
		.name = "port", .arg = "NAME", .type = OPTION_LIST,
		.scope = OPTION_GUEST, .min = 1,
		.offset = offsetof(struct vcon_options, port),
		.help = "a port, and what the guest knows it by; may be repeated",
	}, {
		.name = "path", .arg = "FILE", .type = OPTION_LIST,
		.scope = OPTION_HOST, .min = 1, .path = true,
		.offset = offsetof(struct vcon_options, path),
		.help = "socket of a port, in the order of the ports",
	}, {
		.name = "console", .type = OPTION_BOOL, .scope = OPTION_GUEST,
		.offset = offsetof(struct vcon_options, console),
		.help = "it is the guest's console, too (as --console virtio)",
	},
};

static const struct option_table vcon_options = {
	.name = "virtio-console", .config_size = sizeof(struct vcon_options),
	.positional = "port", .opts = vcon_opts, .nr = ARRAY_SIZE(vcon_opts),
};

static const struct device_ops vcon_ops = {
	.realize	= vcon_realize,
	.reset		= virtio_reset,
	.quiesce	= vcon_quiesce,
	.save		= vcon_save,
	.check		= vcon_check,
	.load		= vcon_load,
	.resume		= vcon_resume,
	.unrealize	= vcon_unrealize,
	.stat		= vcon_stat,
};

static const struct device_class vcon_class = {
	.name		= "virtio-console",
	.compatible	= "lkvm,virtio-console",
	.summary	= "virtio console, and ports between guest and host",
	.kind		= DEVICE_PCI,
	.max		= 8,
	.instance_size	= sizeof(struct vcon),
	.options	= &vcon_options,
	.state		= &vcon_state_desc,
	.ops		= &vcon_ops,
};

DEVICE_CLASS_REGISTER(vcon_class);
