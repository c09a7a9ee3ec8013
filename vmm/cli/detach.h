/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DETACH_H
#define LKVM_DETACH_H

/**
 * struct detached - a process that goes on when its parent has ended
 * @to_parent: a pipe on which the parent waits; -1 when nobody does
 */
struct detached {
	int to_parent;
};

#define DETACHED_NOT	{ .to_parent = -1 }

int detach_begin(struct detached *d);
void detach_end(struct detached *d);

#endif /* LKVM_DETACH_H */
