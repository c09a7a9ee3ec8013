/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a console device: what its files share
 *
 * All state of ports belongs to the device's loop; control changes it only by
 * calls to the loop, while no queue runs.
 */
#ifndef LKVM_VIRTIO_CONSOLE_PRIV_H
#define LKVM_VIRTIO_CONSOLE_PRIV_H

#include "virtio/console_spec.h"
#include "virtio/listener.h"
#include "virtio/virtio.h"
#include "vmm/console.h"

/* With port 0: two queues each, and two for control messages. */
#define VCON_PORTS_MAX	(VIRTIO_QUEUES_MAX / 2 - 1)

/* &vcon_port.due: messages that wait for a buffer of the driver's, in order. */
#define VCON_DUE_ADD		BIT(0)
#define VCON_DUE_CONSOLE	BIT(1)
#define VCON_DUE_SIZE		BIT(2)
#define VCON_DUE_NAME		BIT(3)
#define VCON_DUE_ALL		0xf

/**
 * struct vcon_options - what the user says of a console device
 * @console: port 0 is the guest's console
 * @port: names of further ports
 * @path: where the socket of each of them is
 */
struct vcon_options {
	bool console;
	struct option_list port;
	struct option_list path;
};

/**
 * struct vcon_port - a port
 * @id: its number
 * @exists: port 0 may not
 * @name: what the guest knows it by, NULL for port 0
 * @done: bytes of the guest's next buffer that were written already
 * @ready: the driver knows it
 * @guest_open: somebody in the guest has it open
 * @told_open: the guest was told that somebody at the host has it open
 * @stale: that was somebody else, who is gone: the guest is told that first
 * @due: VCON_DUE
 * @listener: where programs of the host connect
 * @fd: the one that has connected, -1 for none
 * @serial: changes whenever it is another one
 * @callers: @listener may have somebody
 * @readable: @fd, or the terminal, may have something to say
 * @writable: @fd, or the terminal, may have room
 * @ended: @fd says nothing more
 * @hung: @fd will be closed when all that it has said was delivered
 */
struct vcon_port {
	u32 id;
	bool exists;
	const char *name;
	u64 done;
	bool ready;
	bool guest_open;
	bool told_open;
	bool stale;
	u32 due;
	struct listener listener;
	int fd;
	u32 serial;
	bool callers;
	bool readable;
	bool writable;
	bool ended;
	bool hung;
};

/**
 * struct vcon - the device
 * @v: its virtio part
 * @config: device configuration; device's lock
 * @terminal: what port 0 is connected to, NULL for nothing
 * @client: for @terminal
 * @poke: posted to the loop: something about @terminal has changed
 * @size: of the terminal: columns, and rows << 16
 * @size_told: what the driver was told of that by messages
 * @epoll: tells of all sockets
 * @watch: watches @epoll
 * @multiport: VCON_F_MULTIPORT was negotiated
 * @sized: VCON_F_SIZE was negotiated
 * @paused: nothing changes
 * @ports: the ports
 * @ports_nr: how many, with port 0
 * @from_guest: bytes
 * @to_guest: bytes
 * @clients: programs of the host that were let in
 * @dropped: messages of the driver's that mean nothing
 * @iov: of the chain at hand
 */
struct vcon {
	struct virtio_device v;
	struct vcon_config config;
	struct console *terminal;
	struct console_client client;
	struct loop_call poke;
	_Atomic u32 size;
	u32 size_told;
	int epoll;
	struct io_watch watch;
	bool multiport;
	bool sized;
	bool paused;
	struct vcon_port ports[VCON_PORTS_MAX];
	u32 ports_nr;
	_Atomic u64 from_guest;
	_Atomic u64 to_guest;
	_Atomic u64 clients;
	_Atomic u64 dropped;
	struct iovec iov[128];
};

static inline struct vcon *to_vcon(struct virtio_device *v)
{
	return container_of(v, struct vcon, v);
}

static inline struct virtio_queue *vcon_rx(struct vcon *c,
					   const struct vcon_port *p)
{
	return &c->v.queues[p->id ? 2 * p->id + 2 : VCON_QUEUE_RX];
}

static inline struct virtio_queue *vcon_tx(struct vcon *c,
					   const struct vcon_port *p)
{
	return &c->v.queues[p->id ? 2 * p->id + 3 : VCON_QUEUE_TX];
}

/* console_port.c: the host's end */
int vcon_ports_init(struct vcon *c, struct error *err) __must_check;
void vcon_ports_fini(struct vcon *c);
void vcon_ports_ready(struct vcon *c);
bool vcon_port_has_host(const struct vcon *c, const struct vcon_port *p);
bool vcon_port_feeds(const struct vcon *c, const struct vcon_port *p);
bool vcon_port_takes(const struct vcon *c, const struct vcon_port *p);
u32 vcon_port_read(struct vcon *c, struct vcon_port *p,
		   const struct iovec *iov, u32 nr);
u64 vcon_port_write(struct vcon *c, struct vcon_port *p,
		    const struct virtio_chain *chain, u64 from);
void vcon_port_look(struct vcon *c, struct vcon_port *p);

/* console_ctrl.c: control messages */
enum virtio_next vcon_ctrl_tell(struct vcon *c, struct virtio_queue *q);
enum virtio_next vcon_ctrl_take(struct vcon *c, struct virtio_queue *q);

/* console_state.c: saving and loading */
extern const struct state_desc vcon_state_desc;
void vcon_save(const struct device *dev, void *state);
int vcon_check(const struct device *dev, const void *state,
	       struct error *err) __must_check;
void vcon_load(struct device *dev, const void *state);

#endif /* LKVM_VIRTIO_CONSOLE_PRIV_H */
