/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BASE_MUTEX_H
#define LKVM_BASE_MUTEX_H

#include <pthread.h>

#include "vmm/base/types.h"

/**
 * enum lock_rank - the order in which locks may be taken: upward only
 * @LOCK_VM: the machine's phase, its list of devices
 * @LOCK_DEVICE_HOST: a device that others sit behind (the PCI host bridge)
 * @LOCK_DEVICE: a device's control state; one at a time
 * @LOCK_BUS: the table of bus regions
 * @LOCK_IRQ: interrupt routing and line levels
 * @LOCK_LOOP: the list of calls posted to an event loop
 * @LOCK_MEMORY: the table of memory blocks and dirty tracking
 * @LOCK_LEAF: anything that takes no other lock while it is held
 *
 * Documentation/locking.rst says what each lock protects.
 */
enum lock_rank {
	LOCK_VM = 1,
	LOCK_DEVICE_HOST,
	LOCK_DEVICE,
	LOCK_BUS,
	LOCK_IRQ,
	LOCK_LOOP,
	LOCK_MEMORY,
	LOCK_LEAF,
};

/**
 * struct mutex - a pthread mutex with a rank
 * @lock: the mutex
 * @rank: its place in the order
 *
 * Debug builds (-DLKVM_DEBUG, set by the sanitizer builds) assert that a
 * thread takes locks in rising rank.
 */
struct mutex {
	pthread_mutex_t lock;
	enum lock_rank rank;
};

#ifdef __CHECKER__
#define __acquires(x)	__attribute__((context(x, 0, 1)))
#define __releases(x)	__attribute__((context(x, 1, 0)))
#else
#define __acquires(x)
#define __releases(x)
#endif

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_destroy(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void mutex_assert_held(struct mutex *m);

#endif /* LKVM_BASE_MUTEX_H */
