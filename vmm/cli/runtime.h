/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_RUNTIME_H
#define LKVM_RUNTIME_H

#include <sys/un.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

#define RUNTIME_NAME_MAX	48

/**
 * struct runtime - the user's folder of running machines
 * @fd: the folder
 * @path: its path; short enough that a socket's path fits into a sockaddr_un
 */
struct runtime {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) -
		  RUNTIME_NAME_MAX - sizeof("/.sock")];
};

/**
 * struct runtime_claim - the right to a name, while this process lives
 * @runtime: the folder
 * @name: the name
 * @lock_fd: the locked lock file
 */
struct runtime_claim {
	struct runtime runtime;
	char name[RUNTIME_NAME_MAX + 1];
	int lock_fd;
};

int runtime_check_name(const char *name, struct error *err) __must_check;
int runtime_open(struct runtime *rt, struct error *err) __must_check;
void runtime_close(struct runtime *rt);
void runtime_socket(const struct runtime *rt, const char *name,
		    struct sockaddr_un *addr);
int runtime_names(struct runtime *rt, char ***names, u32 *nr,
		  struct error *err) __must_check;
void runtime_names_free(char **names, u32 nr);
bool runtime_remove_stale(struct runtime *rt, const char *name);

int runtime_claim(struct runtime_claim *claim, const char *name,
		  struct error *err) __must_check;
void runtime_release(struct runtime_claim *claim);

#endif /* LKVM_RUNTIME_H */
