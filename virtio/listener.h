/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: UNIX sockets that programs of the host connect to
 */
#ifndef LKVM_VIRTIO_LISTENER_H
#define LKVM_VIRTIO_LISTENER_H

#include <sys/types.h>
#include <sys/un.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/* Longest path of a socket, with its end. */
#define LISTENER_PATH	sizeof(((struct sockaddr_un *)0)->sun_path)

/**
 * struct listener - a socket that listens
 * @fd: the socket, -1 for none
 * @path: where it is
 * @bound_dev: the file system that it is in
 * @bound_ino: its inode
 */
struct listener {
	int fd;
	char path[LISTENER_PATH];
	dev_t bound_dev;
	ino_t bound_ino;
};

int listener_socket(void);
int listener_connect(const char *path);
int listener_open(struct listener *l, int backlog, struct error *err)
	__must_check;
void listener_close(struct listener *l);

#endif /* LKVM_VIRTIO_LISTENER_H */
