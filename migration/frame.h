/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_FRAME_H
#define LKVM_FRAME_H

#include "migration/channel.h"
#include "vmm/base/error.h"
#include "vmm/base/types.h"

#define FRAME_MAGIC		0x664d564bU	/* "KVMf" */
#define FRAME_DATA_MAX		(4U << 20)
#define FRAME_FINDINGS_MAX	(32U << 10)

/**
 * enum frame_type - what a frame of the migration protocol says
 * @FRAME_HELLO: source, first on each connection: a struct hello
 * @FRAME_WELCOME: destination's answer: a struct hello
 * @FRAME_WRITE: source: the payload goes to the position
 * @FRAME_ZERO: source: so many bytes from the position on are zero
 * @FRAME_ROUND: source: the end of a round on this connection; position is
 *               the number of the round
 * @FRAME_ROUND_DONE: destination: all connections have ended that round
 * @FRAME_BUILD: source: head and description are there, make the machine
 * @FRAME_BUILT: destination: the machine exists, its memory can come
 * @FRAME_LOAD: source: all is there, the guest is stopped: load the state
 * @FRAME_LOADED: destination: everything was checked and loaded
 * @FRAME_TAKE: source: the disks are flushed and their locks released
 * @FRAME_READY: destination: it has the locks
 * @FRAME_GO: source: the machine is yours; position is an enum frame_go
 * @FRAME_RUNNING: destination: it runs
 * @FRAME_ERROR: either side: it gives up; the payload says why
 * @FRAME_CHECK: source: head, description and state are there: could this
 *               machine come?
 * @FRAME_CHECKED: destination: what would stop it, see migration/findings.h
 * @FRAME_TYPES: how many there are
 *
 * Documentation/migration-protocol.rst says who sends which when.
 */
enum frame_type {
	FRAME_HELLO = 1,
	FRAME_WELCOME,
	FRAME_WRITE,
	FRAME_ZERO,
	FRAME_ROUND,
	FRAME_ROUND_DONE,
	FRAME_BUILD,
	FRAME_BUILT,
	FRAME_LOAD,
	FRAME_LOADED,
	FRAME_TAKE,
	FRAME_READY,
	FRAME_GO,
	FRAME_RUNNING,
	FRAME_ERROR,
	FRAME_CHECK,
	FRAME_CHECKED,
	FRAME_TYPES,
};

/**
 * enum frame_go - what the destination does with a machine that is its own
 * @FRAME_GO_RUN: it runs
 * @FRAME_GO_PAUSED: it stays paused, as it was at the source
 */
enum frame_go {
	FRAME_GO_RUN,
	FRAME_GO_PAUSED,
};

/**
 * struct frame_header - the first bytes of each frame
 * @magic: FRAME_MAGIC
 * @type: enum frame_type
 * @reserved: 0
 * @pos: position in the image (FRAME_WRITE, FRAME_ZERO), number of the round
 *       (FRAME_ROUND, FRAME_ROUND_DONE), enum frame_go (FRAME_GO), else 0
 * @len: bytes of the payload; FRAME_ZERO: bytes that are zero, and no payload
 * @sum: XXH3 of the payload, 0 without one
 * @head_sum: XXH3 of the fields above
 */
struct frame_header {
	__le32 magic;
	__le16 type;
	__le16 reserved;
	__le64 pos;
	__le64 len;
	__le64 sum;
	__le64 head_sum;
};

static_assert(sizeof(struct frame_header) == 40, "layout");

/**
 * struct frame - a frame that was received, but for its payload
 * @type: enum frame_type
 * @pos: see struct frame_header
 * @len: see struct frame_header
 * @sum: see struct frame_header
 */
struct frame {
	u32 type;
	u64 pos;
	u64 len;
	u64 sum;
};

/**
 * struct frame_link - a connection that carries frames
 * @ch: the connection; owned
 * @sent: bytes sent
 * @received: bytes received
 */
struct frame_link {
	struct channel *ch;
	u64 sent;
	u64 received;
};

void frame_link_init(struct frame_link *link, struct channel *ch);
void frame_link_close(struct frame_link *link);
const char *frame_name(u32 type);
bool frame_has_payload(u32 type);

int frame_send(struct frame_link *link, enum frame_type type, u64 pos,
	       const void *data, u64 len, struct error *err) __must_check;
int frame_send_zero(struct frame_link *link, u64 pos, u64 len,
		    struct error *err) __must_check;
int frame_send_error(struct frame_link *link, const struct error *why,
		     struct error *err) __must_check;
int frame_receive(struct frame_link *link, struct frame *frame,
		  struct error *err) __must_check;
int frame_receive_payload(struct frame_link *link, const struct frame *frame,
			  void *buf, struct error *err) __must_check;
int frame_expect(struct frame_link *link, enum frame_type type,
		 struct frame *frame, struct error *err) __must_check;

#endif /* LKVM_FRAME_H */
