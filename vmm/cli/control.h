/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CONTROL_H
#define LKVM_CONTROL_H

#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/types.h"
#include "vmm/iothread.h"

struct json_object;
struct runtime;
struct sockaddr_un;
struct vm;

/* Longest request line, its newline included, and most clients at a time. */
#define CONTROL_LINE_MAX	16384
#define CONTROL_CLIENTS_MAX	32
/* Most descriptors that can come with a request. */
#define CONTROL_FDS_MAX		16

/**
 * struct control - the control socket of a machine
 * @vm: the machine
 * @fd: the listening socket
 * @accept_op: a client is waited for
 * @accepting: @accept_op is in the ring
 * @rest: until the next try, after one that has failed
 * @closing: no more clients
 * @clients: struct control_client
 * @clients_nr: how many
 * @jobs: struct control_job: commands that are under way
 */
struct control {
	struct vm *vm;
	int fd;
	struct io_op accept_op;
	bool accepting;
	struct io_timer rest;
	bool closing;
	struct list clients;
	u32 clients_nr;
	struct list jobs;
};

int control_create(struct vm *vm, const struct sockaddr_un *addr,
		   struct control **out, struct error *err) __must_check;
void control_destroy(struct control *control);

/* control_client.c */
int control_connect(struct runtime *rt, const char *name, int *fd,
		    struct error *err) __must_check;
/**
 * struct control_listener - who waits for a command that takes its time
 * @event: told of each event
 * @fd: readable when the user has had enough, -1 for none
 * @ready: called then; a negative errno ends the waiting
 * @arg: for both
 * @fds: descriptors that go with the request
 * @fds_nr: how many, at most CONTROL_FDS_MAX
 */
struct control_listener {
	void (*event)(void *arg, struct json_object *event);
	int fd;
	int (*ready)(void *arg, struct error *err);
	void *arg;
	const int *fds;
	u32 fds_nr;
};

int control_call_job(int fd, const char *command,
		     struct json_object *arguments,
		     const struct control_listener *listener,
		     struct json_object **result, struct error *err)
	__must_check;
int control_call(int fd, const char *command, struct json_object *arguments,
		 struct json_object **result, struct error *err) __must_check;
int control_wait_end(int fd, u64 timeout_ms) __must_check;

#endif /* LKVM_CONTROL_H */
