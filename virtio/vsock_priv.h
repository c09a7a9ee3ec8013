/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a socket device: what its files share
 */
#ifndef LKVM_VIRTIO_VSOCK_PRIV_H
#define LKVM_VIRTIO_VSOCK_PRIV_H

#include "virtio/listener.h"
#include "virtio/virtio.h"
#include "virtio/vsock_conn.h"
#include "virtio/vsock_spec.h"

/* Programs that have connected and not yet said to which port. */
#define VSOCK_CALLERS_MAX	64

/**
 * struct vsock_caller - a program of the host that has connected
 * @fd: its socket, -1 for a free place
 * @serial: changes whenever it is another one
 * @ended: it says nothing more
 */
struct vsock_caller {
	int fd;
	u32 serial;
	bool ended;
};

/**
 * struct vsock_options - what the user says of a socket device
 * @cid: the guest's address
 * @path: of the socket that programs of the host connect to, NULL for the
 *        usual place
 */
struct vsock_options {
	u32 cid;
	char *path;
};

/**
 * enum vsock_driver - is there somebody in the guest?
 * @VSOCK_DRIVER_ABSENT: no
 * @VSOCK_DRIVER_PAUSED: yes, but the machine is paused
 * @VSOCK_DRIVER_RUNS: yes
 */
enum vsock_driver {
	VSOCK_DRIVER_ABSENT,
	VSOCK_DRIVER_PAUSED,
	VSOCK_DRIVER_RUNS,
};

/**
 * struct vsock - the device
 * @v: its virtio part
 * @config: device configuration
 * @listener: the listening socket
 * @epoll: tells of all other sockets
 * @watch: watches @epoll
 * @timer: for what takes the guest too long
 * @timing: @timer is running
 * @leaving: the device is about to go
 * @driver: see enum vsock_driver
 * @callers_waiting: @listener may have somebody
 * @send_waits: the queue of packets from the guest waits for room for answers
 * @reset_due: the guest is to be told that all connections are gone
 * @known: at the last pause: it would have to be told that
 * @dropped: packets that were none of ours
 * @callers: programs that have not yet said where to
 * @callers_nr: how many
 * @table: the connections
 * @iov: of the chain at hand
 *
 * What is not set up once belongs to the device's loop; @reset_due and @known
 * are control's while no queue runs.
 */
struct vsock {
	struct virtio_device v;
	struct vsock_config config;
	struct listener listener;
	int epoll;
	struct io_watch watch;
	struct io_timer timer;
	bool timing;
	bool leaving;
	enum vsock_driver driver;
	bool callers_waiting;
	bool send_waits;
	bool reset_due;
	bool known;
	_Atomic u64 dropped;
	struct vsock_caller callers[VSOCK_CALLERS_MAX];
	u32 callers_nr;
	struct vsock_table table;
	struct iovec iov[128];
};

/* vsock.c */
void vsock_pump(struct vsock *s);

/* vsock_socket.c */
extern const struct vsock_host_ops vsock_socket_ops;
int vsock_socket_path(struct vsock *s, struct error *err) __must_check;
int vsock_socket_open(struct vsock *s, struct error *err) __must_check;
void vsock_socket_close(struct vsock *s);
void vsock_socket_ready(struct vsock *s);
void vsock_socket_retry(struct vsock *s);
void vsock_socket_accept(struct vsock *s);
void vsock_socket_drop_callers(struct vsock *s);

#endif /* LKVM_VIRTIO_VSOCK_PRIV_H */
