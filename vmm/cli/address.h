/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ADDRESS_H
#define LKVM_ADDRESS_H

#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * enum address_kind - how a machine gets from here to there
 * @ADDRESS_TCP: "HOST:PORT"; to listen also ":PORT"
 * @ADDRESS_UNIX: "unix:PATH"
 * @ADDRESS_EXEC: "exec:COMMAND", its standard input and output
 * @ADDRESS_FILE: "file:PATH"
 * @ADDRESS_STDIO: "-": standard input and output
 */
enum address_kind {
	ADDRESS_TCP,
	ADDRESS_UNIX,
	ADDRESS_EXEC,
	ADDRESS_FILE,
	ADDRESS_STDIO,
};

/**
 * struct address - where to, or where from
 * @kind: see enum address_kind
 * @text: as the user gave it; the caller's
 * @host: ADDRESS_TCP: name or number without brackets, "" for any; owned
 * @rest: port, path or command; part of @text
 */
struct address {
	enum address_kind kind;
	const char *text;
	char *host;
	const char *rest;
};

int address_parse(const char *text, struct address *a, struct error *err)
	__must_check;
void address_free(struct address *a);
int address_connect(const struct address *a, int *fd, struct error *err)
	__must_check;
int address_run(const struct address *a, int *fd, pid_t *child,
		struct error *err) __must_check;
int address_listen(const struct address *a, int *fd, struct error *err)
	__must_check;
bool address_is_local(int fd);

#endif /* LKVM_ADDRESS_H */
