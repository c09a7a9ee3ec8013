/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what is between two machines that migrate
 *
 * A thread that carries the bytes of TCP connections from one process to
 * another, knows where frames begin and end, and does something to the
 * connections, or to one of the processes, at the place that it is told.
 */
#ifndef TESTS_KVM_PROXY_H
#define TESTS_KVM_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "migration/frame.h"

#define PROXY_LINKS	4

/**
 * enum proxy_act - what is done
 * @PROXY_NOTHING: all is carried
 * @PROXY_CUT: the connections are closed
 * @PROXY_RESET: they are reset
 * @PROXY_STALL: nothing is carried any more
 * @PROXY_KILL_SOURCE: the sending process is killed
 * @PROXY_KILL_TARGET: the receiving process is killed
 * @PROXY_ACTS: how many there are
 */
enum proxy_act {
	PROXY_NOTHING,
	PROXY_CUT,
	PROXY_RESET,
	PROXY_STALL,
	PROXY_KILL_SOURCE,
	PROXY_KILL_TARGET,
	PROXY_ACTS,
};

/**
 * struct proxy_plan - what is done, and where
 * @act: what
 * @type: at the first frame of this type, ...
 * @nth: ... or at a later one, from 0
 * @after: when it has been carried, else before it is
 * @byte: instead of all that: when so many bytes were carried; 0: at a frame
 * @source: process to kill
 * @target: process to kill
 */
struct proxy_plan {
	enum proxy_act act;
	uint32_t type;
	uint32_t nth;
	bool after;
	uint64_t byte;
	pid_t source;
	pid_t target;
};

/**
 * struct proxy_way - one direction of a connection
 * @from: read from
 * @to: written to
 * @header: of the frame that is on its way
 * @got: bytes of it
 * @left: bytes of the payload that are still to come
 * @ended: nothing comes any more
 * @broken: it cannot be written to
 */
struct proxy_way {
	int from;
	int to;
	struct frame_header header;
	size_t got;
	uint64_t left;
	bool ended;
	bool broken;
};

/**
 * struct proxy - the thread and its connections
 * @plan: what it does
 * @listener: where the source connects
 * @port: its port
 * @target_port: where the target listens
 * @way: two for each connection, first that from the source
 * @ways: how many
 * @seen: frames of each type
 * @bytes: bytes carried
 * @acted_ns: when it has done what it was told, 0 for not yet
 * @stop: it is enough
 * @thread: the thread
 */
struct proxy {
	struct proxy_plan plan;
	int listener;
	uint16_t port;
	uint16_t target_port;
	struct proxy_way way[2 * PROXY_LINKS];
	unsigned int ways;
	uint32_t seen[FRAME_TYPES];
	uint64_t bytes;
	_Atomic uint64_t acted_ns;
	_Atomic bool stop;
	pthread_t thread;
};

uint16_t proxy_free_port(void);
int proxy_start(struct proxy *p, uint16_t target_port,
		const struct proxy_plan *plan);
void proxy_stop(struct proxy *p);
const char *proxy_act_name(enum proxy_act act);

#endif /* TESTS_KVM_PROXY_H */
