/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VIRTIO_VSOCK_CONN_H
#define LKVM_VIRTIO_VSOCK_CONN_H

#include <sys/types.h>

#include "virtio/ring.h"
#include "vmm/base/list.h"

#define VSOCK_CONNS_MAX		1024
#define VSOCK_BUF_BYTES		(128U << 10)	/* from the guest, each */
#define VSOCK_PACKET_MAX	(64U << 10)	/* payload to the guest */
#define VSOCK_REPLIES_MAX	128
#define VSOCK_BUCKETS		256
/* How long the guest may take to answer a request, or a shutdown. */
#define VSOCK_PATIENCE_MS	10000
/* Ports of ours for connections that begin at the host count from here. */
#define VSOCK_PORT_FIRST	0x40000000U

struct vsock_conn;
struct vsock_table;

/**
 * struct vsock_packet - a packet, but for its payload and the CIDs
 * @guest_port: the guest's port
 * @host_port: the host's port
 * @len: bytes of payload
 * @type: VSOCK_TYPE
 * @op: VSOCK_OP
 * @flags: of the operation
 * @buf_alloc: bytes that its sender has room for
 * @fwd_cnt: bytes that its sender's user has consumed
 */
struct vsock_packet {
	u32 guest_port;
	u32 host_port;
	u32 len;
	u16 type;
	u16 op;
	u32 flags;
	u32 buf_alloc;
	u32 fwd_cnt;
};

/**
 * struct vsock_host_ops - the host's end of connections
 * @connect: the guest wants to talk to &vsock_conn.host_port; 0 or a negative
 *           errno
 * @opened: the guest has accepted what the host has asked for; negative: the
 *          host is not there any more
 * @read: as readv(2), but for a negative errno; never blocks
 * @write: as writev(2), likewise; more than was there to write is our error
 * @shutdown: SHUT_RD or SHUT_WR
 * @close: the host's end is not needed any more
 */
struct vsock_host_ops {
	int (*connect)(struct vsock_table *t, struct vsock_conn *c);
	int (*opened)(struct vsock_table *t, struct vsock_conn *c);
	ssize_t (*read)(struct vsock_table *t, struct vsock_conn *c,
			const struct iovec *iov, u32 nr);
	ssize_t (*write)(struct vsock_table *t, struct vsock_conn *c,
			 const struct iovec *iov, u32 nr);
	void (*shutdown)(struct vsock_table *t, struct vsock_conn *c, int how);
	void (*close)(struct vsock_table *t, struct vsock_conn *c);
};

/**
 * enum vsock_conn_state - of a connection
 * @VSOCK_FREE: there is none
 * @VSOCK_REQUESTED: the host has asked for it, the guest has not answered
 * @VSOCK_OPEN: both ends are there, or were: see the halves that are shut
 * @VSOCK_CLOSING: the host's end is closed, the guest is to confirm
 * @VSOCK_DYING: the host's end is closed, the guest is to be told
 * @VSOCK_LINGERING: the guest's end is closed, the host still gets the rest
 */
enum vsock_conn_state {
	VSOCK_FREE,
	VSOCK_REQUESTED,
	VSOCK_OPEN,
	VSOCK_CLOSING,
	VSOCK_DYING,
	VSOCK_LINGERING,
};

/**
 * struct vsock_conn - a connection
 * @link: in the table's list of free ones or of all
 * @hash: in its bucket; not while it lingers
 * @ready: in &vsock_table.ready, when there may be something for the guest
 * @state: see enum vsock_conn_state
 * @guest_port: the guest's end
 * @host_port: the host's end
 * @fd: the host's socket, -1 for none; for the host's operations
 * @serial: changes whenever the connection is another one
 * @ops_due: bits of 1 << VSOCK_OP, to be sent
 * @guest_shut: VSOCK_SHUTDOWN bits that the guest has sent
 * @host_shut: VSOCK_SHUTDOWN bits that are true of the host
 * @write_shut: the host knows that the guest sends nothing more
 * @readable: the host may have sent something, or the end
 * @blocked: the guest was asked for credit
 * @deadline_ms: when patience ends; 0 for never
 * @buf: VSOCK_BUF_BYTES of what the host has not taken yet; NULL before the
 *       first time that it does not take all
 * @buf_start: the first byte in use
 * @buf_used: how many
 * @received: bytes from the guest, modulo 2^32
 * @consumed: of these, gone to the host: our fwd_cnt
 * @consumed_told: as the guest knows it
 * @sent: bytes to the guest, modulo 2^32
 * @peer_consumed: the guest's fwd_cnt
 * @peer_room: the guest's buf_alloc
 */
struct vsock_conn {
	struct list link;
	struct list hash;
	struct list ready;
	enum vsock_conn_state state;
	u32 guest_port;
	u32 host_port;
	int fd;
	u32 serial;
	u32 ops_due;
	u8 guest_shut;
	u8 host_shut;
	bool write_shut;
	bool readable;
	bool blocked;
	u64 deadline_ms;
	u8 *buf;
	u32 buf_start;
	u32 buf_used;
	u32 received;
	u32 consumed;
	u32 consumed_told;
	u32 sent;
	u32 peer_consumed;
	u32 peer_room;
};

/**
 * struct vsock_reply - a reset for a connection that is not there
 * @guest_port: the guest's end
 * @host_port: the host's end
 * @type: as the guest gave it
 */
struct vsock_reply {
	u32 guest_port;
	u32 host_port;
	u16 type;
};

/**
 * struct vsock_stats - what has happened
 * @from_guest: connections that the guest has begun
 * @from_host: connections that the host has begun
 * @refused: connections that did not come about
 * @resets: connections that ended with a reset
 * @bytes_in: payload from the guest
 * @bytes_out: payload to the guest
 */
struct vsock_stats {
	_Atomic u64 from_guest;
	_Atomic u64 from_host;
	_Atomic u64 refused;
	_Atomic u64 resets;
	_Atomic u64 bytes_in;
	_Atomic u64 bytes_out;
};

/**
 * struct vsock_table - all connections of a device
 * @ops: the host's end
 * @arg: for the operations
 * @conns: VSOCK_CONNS_MAX
 * @nr: how many are not free
 * @free: those that are
 * @all: the others
 * @ready: connections that may have something for the guest, in turn
 * @buckets: by port
 * @replies: a ring of resets
 * @replies_start: the first
 * @replies_nr: how many
 * @port_next: the next port of ours to be tried
 * @now_ms: the time
 * @stats: counters
 */
struct vsock_table {
	const struct vsock_host_ops *ops;
	void *arg;
	struct vsock_conn *conns;
	u32 nr;
	struct list free;
	struct list all;
	struct list ready;
	struct list buckets[VSOCK_BUCKETS];
	struct vsock_reply replies[VSOCK_REPLIES_MAX];
	u32 replies_start;
	u32 replies_nr;
	u32 port_next;
	u64 now_ms;
	struct vsock_stats stats;
};

int vsock_table_init(struct vsock_table *t, const struct vsock_host_ops *ops,
		     void *arg) __must_check;
void vsock_table_fini(struct vsock_table *t);
void vsock_table_clear(struct vsock_table *t);
bool vsock_table_is_full(const struct vsock_table *t);
bool vsock_table_is_known(const struct vsock_table *t);
bool vsock_table_has_room(const struct vsock_table *t);
bool vsock_table_has_output(const struct vsock_table *t);
void vsock_table_receive(struct vsock_table *t, const struct vsock_packet *p,
			 const struct virtio_chain *chain, u64 offset);
bool vsock_table_next(struct vsock_table *t, struct vsock_packet *p,
		      const struct virtio_chain *chain, u64 offset);
bool vsock_table_tick(struct vsock_table *t, u64 now_ms);

struct vsock_conn *vsock_conn_open(struct vsock_table *t, u32 guest_port,
				   int fd);
void vsock_conn_readable(struct vsock_table *t, struct vsock_conn *c);
void vsock_conn_writable(struct vsock_table *t, struct vsock_conn *c);
void vsock_conn_hung_up(struct vsock_table *t, struct vsock_conn *c);

#endif /* LKVM_VIRTIO_VSOCK_CONN_H */
