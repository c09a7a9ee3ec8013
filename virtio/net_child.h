/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: programs that a back end needs
 */
#ifndef LKVM_NET_CHILD_H
#define LKVM_NET_CHILD_H

#include <sys/types.h>

#include "vmm/base/error.h"

/**
 * struct net_child - a program that runs beside the machine
 * @pid: it, 0 for none
 * @pidfd: readable when it has ended
 * @errors: pipe with its error messages, not blocking
 */
struct net_child {
	pid_t pid;
	int pidfd;
	int errors;
};

int net_child_find(const char *program, char *path, size_t len) __must_check;
int net_child_start(struct net_child *child, char *const argv[], int fd)
	__must_check;
void net_child_kill(struct net_child *child);
bool net_child_listen(struct net_child *child, char *line, size_t len);
int net_child_reap(struct net_child *child);
int net_child_run(char *const argv[], struct error *err) __must_check;

#endif /* LKVM_NET_CHILD_H */
