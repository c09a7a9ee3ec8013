// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mutexes that know their place
 *
 * Every lock has a rank (enum lock_rank); a thread takes locks in rising
 * rank only, so no cycle of waiting threads can form. Debug builds keep the
 * ranks that a thread holds in a thread-local stack and assert the order.
 */
#include "vmm/base/mutex.h"

#ifdef LKVM_DEBUG
#define HELD_MAX	8

static __thread struct {
	struct mutex *m[HELD_MAX];
	unsigned int nr;
} held;

static void held_push(struct mutex *m)
{
	assert(held.nr < HELD_MAX);
	if (held.nr)
		assert(held.m[held.nr - 1]->rank < m->rank);
	held.m[held.nr++] = m;
}

/* Locks are usually, but need not be, dropped in reverse order. */
static void held_drop(struct mutex *m)
{
	unsigned int i = held.nr;

	while (i && held.m[i - 1] != m)
		i--;
	assert(i);
	for (; i < held.nr; i++)
		held.m[i - 1] = held.m[i];
	held.nr--;
}
#else
static void held_push(struct mutex *m)
{
}

static void held_drop(struct mutex *m)
{
}
#endif

/**
 * mutex_init() - make a mutex
 * @m: the mutex
 * @rank: its place in the locking order
 */
void mutex_init(struct mutex *m, enum lock_rank rank)
{
	pthread_mutex_init(&m->lock, NULL);
	m->rank = rank;
}

/**
 * mutex_destroy() - the end of a mutex that nobody holds
 * @m: the mutex
 */
void mutex_destroy(struct mutex *m)
{
	pthread_mutex_destroy(&m->lock);
}

/**
 * mutex_lock() - take a mutex
 * @m: the mutex
 *
 * Context: may block; the caller holds only locks of lower rank.
 */
void mutex_lock(struct mutex *m)
{
	held_push(m);
	pthread_mutex_lock(&m->lock);
}

/**
 * mutex_unlock() - give a mutex back
 * @m: the mutex, held by this thread
 */
void mutex_unlock(struct mutex *m)
{
	pthread_mutex_unlock(&m->lock);
	held_drop(m);
}

/**
 * mutex_assert_held() - document, and check in debug builds, that it is held
 * @m: the mutex
 */
void mutex_assert_held(struct mutex *m)
{
#ifdef LKVM_DEBUG
	unsigned int i;

	for (i = 0; i < held.nr; i++)
		if (held.m[i] == m)
			return;
	assert(!"lock not held");
#endif
}
