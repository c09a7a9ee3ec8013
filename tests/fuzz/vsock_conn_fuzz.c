// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the connections of a socket device
 *
 * The input is a program: packets of a hostile guest, and events at the host's
 * end. Few ports, so that packets meet connections; what the host takes and
 * says keeps to a sequence, so that a byte that is lost, doubled or invented is
 * noticed, and the guest's credit is counted beside.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/vsock_host.h"
#include "virtio/vsock_spec.h"
#include "vmm/base/math.h"

#define HEAD		44
#define PAYLOAD_MAX	(160U << 10)
#define PORTS		4

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/**
 * struct fuzz - a program being run
 * @t: the connections
 * @host: the host's end
 * @data: what is left of the program
 * @size: of that
 * @buf: a packet
 */
struct fuzz {
	struct vsock_table t;
	struct vsock_host host;
	const u8 *data;
	size_t size;
	u8 buf[HEAD + PAYLOAD_MAX];
};

static u32 take(struct fuzz *f, u32 bytes)
{
	u32 v = 0;

	while (bytes--) {
		v = v << 8 | (f->size ? *f->data : 0);
		f->data += !!f->size;
		f->size -= !!f->size;
	}
	return v;
}

static struct vsock_conn *find(struct fuzz *f, u32 guest_port, u32 host_port)
{
	struct vsock_conn *c;

	list_for_each_entry(c, &f->t.all, link)
		if (c->guest_port == guest_port && c->host_port == host_port &&
		    c->state != VSOCK_LINGERING)
			return c;
	return NULL;
}

/* Counters that are right, nearly right, or anything. */
static u32 fwd_cnt(struct fuzz *f, const struct vsock_conn *c)
{
	u32 how = take(f, 1);

	if (!c || how > 250)
		return take(f, 4);
	if (how > 240)
		return c->sent + 1;
	return c->peer_consumed + (c->sent - c->peer_consumed) / (1 + how % 3);
}

static void packet(struct fuzz *f)
{
	struct vsock_packet p = {
		.guest_port = take(f, 1) % PORTS,
		.host_port = take(f, 1) % PORTS,
		.type = VSOCK_TYPE_STREAM,
	};
	struct iovec iov;
	struct virtio_chain chain = { .out_nr = 1, .iov = &iov };
	struct vsock_conn *c;
	u32 i, what = take(f, 1);

	p.op = (u16)(what % 16);
	if (what & 0x80)
		p.host_port += VSOCK_PORT_FIRST;
	if (what == 0x7f)
		p.type = (u16)take(f, 2);
	c = find(f, p.guest_port, p.host_port);
	p.flags = take(f, 1);
	p.buf_alloc = take(f, 2) * 16;
	p.fwd_cnt = fwd_cnt(f, c);
	if (p.op == VSOCK_OP_RW)
		p.len = min_of(take(f, 2) * 3, PAYLOAD_MAX);
	for (i = 0; i < p.len; i++)
		f->buf[HEAD + i] = vsock_host_byte((c ? c->received : 0) + i);
	iov = (struct iovec){ f->buf, HEAD + p.len };
	chain.out_len = iov.iov_len;
	if (vsock_table_has_room(&f->t))
		vsock_table_receive(&f->t, &p, &chain, HEAD);
}

static void output(struct fuzz *f)
{
	u32 room = 1 + take(f, 2), n;
	struct iovec iov = { f->buf, HEAD + room };
	struct virtio_chain chain = {
		.in_nr = 1, .in_len = HEAD + room, .iov = &iov,
	};
	struct vsock_packet p;
	struct vsock_conn *c;

	for (n = take(f, 1) % 64; n; n--) {
		if (!vsock_table_next(&f->t, &p, &chain, HEAD))
			return;
		if (p.op != VSOCK_OP_RW)
			continue;
		c = find(f, p.guest_port, p.host_port);
		assert(c && p.len && p.len <= room);
		assert(c->sent - c->peer_consumed <= c->peer_room);
	}
}

static void host_event(struct fuzz *f)
{
	u32 at = take(f, 1), what = take(f, 1), n;
	struct vsock_host_end *e;
	struct vsock_conn *c = NULL;

	list_for_each_entry(c, &f->t.all, link)
		if (c->fd >= 0 && !at--)
			break;
	if (&c->link == &f->t.all)
		return;
	e = &f->host.ends[c->fd];
	n = take(f, 2);
	switch (what % 6) {
	case 0:
		e->room += n;
		vsock_conn_writable(&f->t, c);
		break;
	case 1:
		e->avail += n;
		vsock_conn_readable(&f->t, c);
		break;
	case 2:
		e->eof = true;
		vsock_conn_readable(&f->t, c);
		break;
	case 3:
		e->eof = true;
		e->write_error = -EPIPE;
		vsock_conn_hung_up(&f->t, c);
		break;
	case 4:
		e->read_error = n & 1 ? -ECONNRESET : 0;
		vsock_conn_readable(&f->t, c);
		break;
	default:
		e->write_error = n & 1 ? -EPIPE : n & 2 ? -EIO : 0;
		vsock_conn_writable(&f->t, c);
	}
}

static void check(struct fuzz *f)
{
	struct vsock_conn *c;
	u32 nr = 0, open = 0;

	list_for_each_entry(c, &f->t.all, link) {
		nr++;
		open += c->fd >= 0;
		assert(c->buf_used <= VSOCK_BUF_BYTES);
		assert(c->fd < 0 || !f->host.ends[c->fd].wrong);
		assert(c->state != VSOCK_OPEN || c->fd >= 0);
		assert(c->state == VSOCK_DYING ||
		       c->received - c->consumed == c->buf_used);
	}
	assert(nr == f->t.nr && open == f->host.nr);
}

static void step(struct fuzz *f)
{
	switch (take(f, 1) % 8) {
	case 0: case 1: case 2:
		packet(f);
		break;
	case 3:
		output(f);
		break;
	case 4: case 5:
		host_event(f);
		break;
	case 6:
		if (!vsock_table_is_full(&f->t))
			vsock_conn_open(&f->t, take(f, 1) % PORTS,
					vsock_host_open(&f->host));
		break;
	default:
		f->host.refuse = take(f, 1) & 1 ? -ECONNREFUSED : 0;
		f->host.room = take(f, 2);
		vsock_table_tick(&f->t, f->t.now_ms + take(f, 1) * 100);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));

	assert(f);
	f->data = data;
	f->size = size;
	if (!vsock_table_init(&f->t, &vsock_host_ops, &f->host)) {
		while (f->size) {
			step(f);
			check(f);
		}
		vsock_table_fini(&f->t);
		assert(!f->host.nr);
	}
	free(f);
	return 0;
}
