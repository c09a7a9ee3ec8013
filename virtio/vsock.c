// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a socket device: stream sockets between guest and host
 *
 * VIRTIO-1.2 5.10, in user space: the host's ends are UNIX sockets
 * (vsock_socket.c), the connections a table of their own (vsock_conn.c). This
 * file has the queues: packets to the guest, packets from it, events.
 *
 * A packet to the guest is made only when there is a buffer for it, so nothing
 * queues up here. While there is no room for one more answer, packets from the
 * guest wait in their queue.
 *
 * What is saved is no connection: their other ends are programs of this host. A
 * machine that is restored, or arrives from elsewhere, begins without any, and
 * its guest is told so by the event VSOCK_EVENT_TRANSPORT_RESET; the listening
 * socket is a new one.
 *
 * Threads: one loop of its own has all of it; registers on vCPU threads.
 *
 * Not here: VIRTIO_VSOCK_F_SEQPACKET, other CIDs than 2 for the host.
 */
#include <string.h>

#include "virtio/vsock_priv.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define QUEUE_SIZE	256
#define TURN_PACKETS	128
#define TICK_NS		1000000000ULL

/**
 * struct vsock_state - what is saved
 * @virtio: the virtio part
 * @reset_due: the guest knew of connections, which are gone
 */
struct vsock_state {
	struct virtio_state virtio;
	u64 reset_due;
};

static struct vsock *to_vsock(struct virtio_device *v)
{
	return container_of(v, struct vsock, v);
}

static struct vsock *vsock_of(struct device *dev)
{
	return to_vsock(virtio_device_of(dev));
}

static struct iothread *loop_of(const struct vsock *s)
{
	return s->v.loops[0].thread;
}

/**
 * vsock_pump() - something has happened: see who can go on
 * @s: the device
 *
 * Context: the device's loop.
 */
void vsock_pump(struct vsock *s)
{
	vsock_socket_accept(s);
	if (vsock_table_has_output(&s->table))
		virtio_queue_wake(&s->v.queues[VSOCK_QUEUE_RX]);
	if (s->send_waits && vsock_table_has_room(&s->table)) {
		s->send_waits = false;
		virtio_queue_wake(&s->v.queues[VSOCK_QUEUE_TX]);
	}
	if (s->table.nr && !s->timing && !s->leaving) {
		s->timing = true;
		io_timer_set(&s->timer, TICK_NS);
	}
}

static void tick(struct io_timer *timer)
{
	struct vsock *s = container_of(timer, struct vsock, timer);

	s->timing = false;
	vsock_table_tick(&s->table, now_ms());
	vsock_pump(s);
}

static void sockets_ready(struct io_watch *watch)
{
	struct vsock *s = container_of(watch, struct vsock, watch);

	s->table.now_ms = now_ms();
	vsock_socket_ready(s);
	vsock_pump(s);
}

/* ---- queues ------------------------------------------------------------- */

static void write_header(const struct vsock *s, const struct virtio_chain *chain,
			 const struct vsock_packet *p)
{
	const struct vsock_hdr hdr = {
		.src_cid = cpu_to_le64(VSOCK_CID_HOST),
		.dst_cid = s->config.guest_cid,
		.src_port = cpu_to_le32(p->host_port),
		.dst_port = cpu_to_le32(p->guest_port),
		.len = cpu_to_le32(p->len),
		.type = cpu_to_le16(p->type),
		.op = cpu_to_le16(p->op),
		.flags = cpu_to_le32(p->flags),
		.buf_alloc = cpu_to_le32(p->buf_alloc),
		.fwd_cnt = cpu_to_le32(p->fwd_cnt),
	};

	virtio_chain_write(chain, 0, &hdr, sizeof(hdr));
}

static enum virtio_next fill_buffers(struct vsock *s, struct virtio_queue *q)
{
	struct virtio_chain chain;
	struct vsock_packet p;
	u32 n;

	for (n = 0; n < TURN_PACKETS; n++) {
		if (!vsock_table_has_output(&s->table))
			return VIRTIO_NEXT_WAKE;
		if (!virtio_queue_pop(q, &chain, s->iov, ARRAY_SIZE(s->iov)))
			return VIRTIO_NEXT_CHAIN;
		if (chain.in_len <= sizeof(struct vsock_hdr)) {
			virtio_queue_push(q, &chain, 0);
			virtio_queue_fail(q, "a buffer of %llu bytes",
					  chain.in_len);
			return VIRTIO_NEXT_CHAIN;
		}
		if (!vsock_table_next(&s->table, &p, &chain,
				      sizeof(struct vsock_hdr))) {
			virtio_queue_unpop(q, &chain);
			return VIRTIO_NEXT_WAKE;
		}
		write_header(s, &chain, &p);
		virtio_queue_push(q, &chain,
				  (u32)sizeof(struct vsock_hdr) + p.len);
	}
	return VIRTIO_NEXT_TURN;
}

static void take_packet(struct vsock *s, const struct virtio_chain *chain)
{
	struct vsock_packet p;
	struct vsock_hdr hdr;

	if (virtio_chain_read(chain, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		goto drop;
	p = (struct vsock_packet){
		.guest_port = le32_to_cpu(hdr.src_port),
		.host_port = le32_to_cpu(hdr.dst_port),
		.len = le32_to_cpu(hdr.len),
		.type = le16_to_cpu(hdr.type),
		.op = le16_to_cpu(hdr.op),
		.flags = le32_to_cpu(hdr.flags),
		.buf_alloc = le32_to_cpu(hdr.buf_alloc),
		.fwd_cnt = le32_to_cpu(hdr.fwd_cnt),
	};
	/* VIRTIO-1.2 5.10.6.4: from somebody else, or to somebody else. */
	if (hdr.src_cid != s->config.guest_cid ||
	    le64_to_cpu(hdr.dst_cid) != VSOCK_CID_HOST ||
	    p.len > chain->out_len - sizeof(hdr))
		goto drop;
	vsock_table_receive(&s->table, &p, chain, sizeof(hdr));
	return;
drop:
	atomic_fetch_add(&s->dropped, 1);
}

static enum virtio_next take_packets(struct vsock *s, struct virtio_queue *q)
{
	struct virtio_chain chain;
	u32 n;

	for (n = 0; n < TURN_PACKETS; n++) {
		if (!vsock_table_has_room(&s->table)) {
			s->send_waits = true;
			return VIRTIO_NEXT_WAKE;
		}
		if (!virtio_queue_pop(q, &chain, s->iov, ARRAY_SIZE(s->iov)))
			return VIRTIO_NEXT_CHAIN;
		take_packet(s, &chain);
		virtio_queue_push(q, &chain, 0);
	}
	return VIRTIO_NEXT_TURN;
}

static enum virtio_next tell_event(struct vsock *s, struct virtio_queue *q)
{
	const struct vsock_event ev = {
		.id = cpu_to_le32(VSOCK_EVENT_TRANSPORT_RESET),
	};
	struct virtio_chain chain;

	if (!s->reset_due)
		return VIRTIO_NEXT_WAKE;
	if (!virtio_queue_pop(q, &chain, s->iov, ARRAY_SIZE(s->iov)))
		return VIRTIO_NEXT_CHAIN;
	if (virtio_chain_write(&chain, 0, &ev, sizeof(ev)) == sizeof(ev)) {
		s->reset_due = false;
		virtio_queue_push(q, &chain, sizeof(ev));
		return VIRTIO_NEXT_WAKE;
	}
	virtio_queue_push(q, &chain, 0);
	virtio_queue_fail(q, "a buffer of %llu bytes", chain.in_len);
	return VIRTIO_NEXT_CHAIN;
}

static enum virtio_next vsock_handle(struct virtio_queue *q)
{
	struct vsock *s = to_vsock(q->v);
	enum virtio_next next;

	s->table.now_ms = now_ms();
	if (q->index == VSOCK_QUEUE_RX)
		next = fill_buffers(s, q);
	else if (q->index == VSOCK_QUEUE_TX)
		next = take_packets(s, q);
	else
		next = tell_event(s, q);
	vsock_pump(s);
	return next;
}

static void vsock_queue_start(struct virtio_queue *q)
{
	struct vsock *s = to_vsock(q->v);

	if (q->index != VSOCK_QUEUE_RX)
		return;
	s->driver = VSOCK_DRIVER_RUNS;
	s->table.now_ms = now_ms();
	vsock_socket_retry(s);
	vsock_pump(s);
}

static void vsock_queue_stop(struct virtio_queue *q)
{
	struct vsock *s = to_vsock(q->v);

	if (q->index == VSOCK_QUEUE_RX)
		s->driver = q->discard ? VSOCK_DRIVER_ABSENT :
					 VSOCK_DRIVER_PAUSED;
}

static void forget_all(void *arg)
{
	struct vsock *s = arg;

	vsock_table_clear(&s->table);
	s->driver = VSOCK_DRIVER_ABSENT;
	s->send_waits = false;
	s->reset_due = false;
	s->known = false;
	/* Who waited for the machine to go on has waited in vain. */
	vsock_socket_retry(s);
}

static void vsock_forget(struct virtio_device *v)
{
	struct vsock *s = to_vsock(v);

	iothread_call(loop_of(s), forget_all, s);
}

static const struct virtio_ops vsock_virtio_ops = {
	.handle		= vsock_handle,
	.reset		= vsock_forget,
	.queue_start	= vsock_queue_start,
	.queue_stop	= vsock_queue_stop,
};

/* ---- the device --------------------------------------------------------- */

static void loop_enter(void *arg)
{
	struct vsock *s = arg;

	io_timer_init(&s->timer, loop_of(s), tick);
	io_watch_add(loop_of(s), &s->watch, s->epoll, sockets_ready);
}

static void loop_leave(void *arg)
{
	struct vsock *s = arg;

	s->leaving = true;
	io_watch_remove(&s->watch);
	io_timer_destroy(&s->timer);
}

static int vsock_realize(struct device *dev, struct error *err)
{
	const struct vsock_options *opts = dev->config;
	struct vsock *s = vsock_of(dev);
	const struct virtio_setup setup = {
		.id		= VIRTIO_ID_SOCKET,
		.pci_class	= 0x078000,	/* other communication device */
		.queues_nr	= VSOCK_QUEUES,
		.queue_size	= QUEUE_SIZE,
		.queue_group	= VSOCK_QUEUES,
		.loops_nr	= 1,
		.config		= &s->config,
		.config_len	= sizeof(s->config),
		.ops		= &vsock_virtio_ops,
	};
	int ret;

	s->config.guest_cid = cpu_to_le64(opts->cid);
	ret = vsock_socket_path(s, err);
	if (ret)
		return ret;
	if (vsock_table_init(&s->table, &vsock_socket_ops, s))
		return error_set(err, -ENOMEM, "out of memory");
	ret = vsock_socket_open(s, err);
	if (ret)
		goto err_table;
	ret = virtio_realize(&s->v, &setup, err);
	if (ret)
		goto err_socket;
	iothread_call(loop_of(s), loop_enter, s);
	return 0;

err_socket:
	vsock_socket_close(s);
err_table:
	vsock_table_fini(&s->table);
	return ret;
}

static void vsock_unrealize(struct device *dev)
{
	struct vsock *s = vsock_of(dev);

	iothread_call(loop_of(s), loop_leave, s);
	virtio_unrealize(&s->v);
	vsock_table_fini(&s->table);
	vsock_socket_close(s);
}

static void look_whether_known(void *arg)
{
	struct vsock *s = arg;

	s->known = s->reset_due || vsock_table_is_known(&s->table);
}

static int vsock_quiesce(struct device *dev, struct error *err)
{
	struct vsock *s = vsock_of(dev);
	int ret = virtio_quiesce(dev, err);

	if (!ret)
		iothread_call(loop_of(s), look_whether_known, s);
	return ret;
}

static void vsock_save(const struct device *dev, void *state)
{
	const struct vsock *s = container_of(dev, const struct vsock,
					     v.pci.dev);
	struct vsock_state *to = state;

	virtio_state_save(&s->v, &to->virtio);
	to->reset_due = s->known;
}

static int vsock_check(const struct device *dev, const void *state,
		       struct error *err)
{
	const struct vsock *s = container_of(dev, const struct vsock,
					     v.pci.dev);
	const struct vsock_state *from = state;

	return virtio_state_check(&s->v, &from->virtio, err);
}

static void vsock_load(struct device *dev, const void *state)
{
	struct vsock *s = vsock_of(dev);
	const struct vsock_state *from = state;

	/* Forgets all connections, too. */
	virtio_state_load(&s->v, &from->virtio);
	s->reset_due = from->reset_due;
	s->known = from->reset_due;
}

static void vsock_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct vsock *s = container_of(dev, const struct vsock,
					     v.pci.dev);
	const struct vsock_stats *n = &s->table.stats;

	virtio_stat(dev, sink);
	sink->counter(sink, "from-guest", atomic_load(&n->from_guest));
	sink->counter(sink, "from-host", atomic_load(&n->from_host));
	sink->counter(sink, "refused", atomic_load(&n->refused));
	sink->counter(sink, "resets", atomic_load(&n->resets));
	sink->counter(sink, "bytes-from-guest", atomic_load(&n->bytes_in));
	sink->counter(sink, "bytes-to-guest", atomic_load(&n->bytes_out));
	sink->counter(sink, "dropped", atomic_load(&s->dropped));
}

static const struct option_desc vsock_opts[] = {
	{
		.name = "cid", .arg = "CID", .type = OPTION_U32,
		.scope = OPTION_GUEST,
		.offset = offsetof(struct vsock_options, cid),
		.min = VSOCK_CID_GUEST_MIN, .max = VSOCK_CID_GUEST_MAX,
		.def = VSOCK_CID_GUEST_MIN,
		.help = "the guest's address, from 3 on (3)",
	}, {
		.name = "path", .arg = "FILE", .type = OPTION_STRING,
		.scope = OPTION_HOST, .min = 1, .path = true,
		.offset = offsetof(struct vsock_options, path),
		.help = "socket that programs of the host connect to",
	},
};

static const struct option_table vsock_options = {
	.name = "vsock", .config_size = sizeof(struct vsock_options),
	.positional = "cid", .opts = vsock_opts, .nr = ARRAY_SIZE(vsock_opts),
};

static const struct state_field vsock_fields[] = {
	STATE_STRUCT(struct vsock_state, virtio, "virtio", &virtio_state_desc),
	STATE_U64(struct vsock_state, reset_due, "reset-due", 0, 1),
};

static const struct state_desc vsock_state_desc =
	STATE_DESC("lkvm,virtio-vsock-v1", struct vsock_state, vsock_fields);

static const struct device_ops vsock_ops = {
	.realize	= vsock_realize,
	.reset		= virtio_reset,
	.quiesce	= vsock_quiesce,
	.save		= vsock_save,
	.check		= vsock_check,
	.load		= vsock_load,
	.resume		= virtio_resume,
	.unrealize	= vsock_unrealize,
	.stat		= vsock_stat,
};

static const struct device_class vsock_class = {
	.name		= "vsock",
	.compatible	= "lkvm,virtio-vsock",
	.summary	= "virtio sockets between guest and host",
	.kind		= DEVICE_PCI,
	.max		= 1,
	.instance_size	= sizeof(struct vsock),
	.options	= &vsock_options,
	.state		= &vsock_state_desc,
	.ops		= &vsock_ops,
};

DEVICE_CLASS_REGISTER(vsock_class);
