/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the host's end of vsock connections, for tests
 *
 * A table of sockets without the kernel: what they take, when they have
 * something to say and what goes wrong is the test's business. Both ways the
 * bytes are a sequence that tells its position, so that a lost, doubled or
 * misplaced byte is noticed at once.
 */
#ifndef TESTS_LIB_VSOCK_HOST_H
#define TESTS_LIB_VSOCK_HOST_H

#include "virtio/vsock_conn.h"

#define VSOCK_HOST_MAX	(VSOCK_CONNS_MAX + 8)

/**
 * struct vsock_host_end - one socket
 * @used: it is open
 * @opened: the guest has accepted
 * @room: bytes that it takes
 * @avail: bytes that it has to say
 * @eof: and then its end
 * @read_error: a negative errno instead of "nothing there"
 * @write_error: a negative errno instead of taking anything
 * @sent: bytes that it has said
 * @got: bytes that it has taken
 * @wrong: a byte was not the one that was due
 * @shut_read: nothing is read from it any more
 * @shut_write: nothing comes to it any more
 */
struct vsock_host_end {
	bool used;
	bool opened;
	u64 room;
	u64 avail;
	bool eof;
	int read_error;
	int write_error;
	u64 sent;
	u64 got;
	bool wrong;
	bool shut_read;
	bool shut_write;
};

/**
 * struct vsock_host - all of them
 * @refuse: a negative errno for who wants to connect, or 0
 * @room: what a new one has room for
 * @ends: by descriptor
 * @nr: how many are open
 */
struct vsock_host {
	int refuse;
	u64 room;
	struct vsock_host_end ends[VSOCK_HOST_MAX];
	u32 nr;
};

extern const struct vsock_host_ops vsock_host_ops;

int vsock_host_open(struct vsock_host *host);
u8 vsock_host_byte(u64 position);

#endif /* TESTS_LIB_VSOCK_HOST_H */
