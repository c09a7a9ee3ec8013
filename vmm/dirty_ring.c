// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KVM's dirty rings
 *
 * While a slot is logged, KVM puts the number of each page that a vCPU is the
 * first to write into that vCPU's ring. Collecting marks those pages in the
 * blocks' own bitmaps, where what the VMM writes is marked as well, and hands
 * the entries back to KVM, which then write-protects the pages again. So the
 * cost goes with the pages that are written and not with the size of memory.
 *
 * A vCPU whose ring is nearly full leaves the guest and has all rings emptied by
 * its own thread. A page that is marked but not yet write-protected could be
 * taken, copied, and then be written without a trace. So whoever takes marks
 * away holds the lock, under which the marks are made and the pages protected.
 *
 * What no vCPU writes (tables that KVM saves for an interrupt controller) is in
 * no ring: architectures where that happens have a bitmap beside the rings.
 *
 * KVM keeps a ring from getting full by looking at its level before it enters
 * the guest. One that runs a guest in another way may not: rings are used by
 * themselves only where the architecture says that they are exact, and one that
 * was full is an error.
 *
 * Threads: the one that takes the log, and vCPUs.
 *
 * Specification: KVM-API 8.29.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"
#include "vmm/dirty_ring.h"
#include "vmm/guest_memory.h"

/*
 * 256 KiB a vCPU: 64 MiB can be written before the vCPU has to stop. Machines of
 * more than 16 vCPUs share 4 MiB, but with less than 1024 a ring is full at once.
 */
#define RING_ENTRIES	16384U
#define RINGS_TOTAL	(16 * RING_ENTRIES)
#define RING_LEAST	1024U

/* The headers of some architectures are older than their rings. */
#define RING_PAGE	64
#define CAP_WITH_BITMAP	225

static_assert(!KVM_DIRTY_LOG_PAGE_OFFSET ||
	      KVM_DIRTY_LOG_PAGE_OFFSET == RING_PAGE, "KVM's interface");

static size_t ring_bytes(const struct dirty_rings *r)
{
	return r->entries * sizeof(struct kvm_dirty_gfn);
}

/* Old kernels have only the second one. */
static u32 find_cap(int vm_fd, u32 *entries)
{
	static const u32 caps[] = {
		KVM_CAP_DIRTY_LOG_RING_ACQ_REL, KVM_CAP_DIRTY_LOG_RING,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		int bytes = ioctl(vm_fd, KVM_CHECK_EXTENSION, caps[i]);

		if (bytes <= 0)
			continue;
		*entries = min_of(*entries, (u32)bytes /
				  (u32)sizeof(struct kvm_dirty_gfn));
		return caps[i];
	}
	return 0;
}

static bool enable(int vm_fd, u32 which, u64 arg)
{
	struct kvm_enable_cap cap = { .cap = which, .args = { arg } };

	return !ioctl(vm_fd, KVM_ENABLE_CAP, &cap);
}

static int enable_rings(struct dirty_rings *r, u32 entries, struct error *err)
{
	u32 cap = find_cap(r->vm_fd, &entries);

	if (!cap || !enable(r->vm_fd, cap,
			    entries * sizeof(struct kvm_dirty_gfn)))
		return 0;
	r->entries = entries;
	if (ioctl(r->vm_fd, KVM_CHECK_EXTENSION, CAP_WITH_BITMAP) <= 0)
		return 0;
	/* There is no way back from rings. */
	if (!enable(r->vm_fd, CAP_WITH_BITMAP, 0))
		return error_set(err, -errno,
				 "KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP: %m");
	r->bitmap = true;
	return 0;
}

static u32 good_entries(u32 vcpus)
{
	u32 entries = RING_ENTRIES;

	while (entries > RING_LEAST && entries > RINGS_TOTAL / vcpus)
		entries /= 2;
	return entries;
}

/**
 * dirty_rings_init() - have KVM keep rings, where it can
 * @r: to be filled
 * @memory: of a machine that has neither memory nor vCPUs yet; without KVM
 *          there are no rings
 * @vcpus: how many vCPUs there will be
 * @entries: see &vm_config.dirty_ring
 * @err: filled on failure
 *
 * Return: 0, also without rings; -ENOMEM, or what KVM said.
 */
int dirty_rings_init(struct dirty_rings *r, struct guest_memory *memory,
		     u32 vcpus, u32 entries, struct error *err)
{
	int ret = 0;

	memset(r, 0, sizeof(*r));
	mutex_init(&r->lock, LOCK_LEAF);
	r->memory = memory;
	r->vm_fd = memory->vm_fd;
	/* Nobody has asked: where they are good. */
	if (!entries && !arch_dirty_rings_are_exact())
		entries = DIRTY_RING_NONE;
	if (r->vm_fd >= 0 && entries != DIRTY_RING_NONE)
		ret = enable_rings(r, entries ? entries :
				   good_entries(vcpus), err);
	if (ret || !r->entries)
		return ret;
	r->ring = calloc(vcpus, sizeof(*r->ring));
	if (!r->ring)
		return error_set(err, -ENOMEM, "out of memory");
	r->nr = vcpus;
	memory->rings = r;
	return 0;
}

/**
 * dirty_rings_destroy() - free what dirty_rings_init() made
 * @r: without rings of vCPUs any more
 */
void dirty_rings_destroy(struct dirty_rings *r)
{
	r->memory->rings = NULL;
	free(r->ring);
	mutex_destroy(&r->lock);
}

/**
 * dirty_rings_add() - the ring of a vCPU
 * @r: the rings; nothing happens where there are none
 * @vcpu: its number
 * @fd: KVM's vCPU
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int dirty_rings_add(struct dirty_rings *r, u32 vcpu, int fd, struct error *err)
{
	void *p;

	if (!r->entries)
		return 0;
	p = mmap(NULL, ring_bytes(r), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 RING_PAGE * sysconf(_SC_PAGESIZE));
	if (p == MAP_FAILED)
		return error_set(err, -errno, "vCPU %u: dirty ring: %m", vcpu);
	r->ring[vcpu].entries = p;
	return 0;
}

/**
 * dirty_rings_remove() - the vCPU ends
 * @r: the rings
 * @vcpu: its number
 *
 * Context: nobody collects.
 */
void dirty_rings_remove(struct dirty_rings *r, u32 vcpu)
{
	if (!r->entries || !r->ring[vcpu].entries)
		return;
	munmap(r->ring[vcpu].entries, ring_bytes(r));
	r->ring[vcpu].entries = NULL;
}

/* The lower half is the slot; there is one address space. */
static void mark(const struct dirty_rings *r, const struct kvm_dirty_gfn *e)
{
	u32 slot = e->slot & 0xffff, i;

	if (!atomic_load(&r->memory->tracking))
		return;
	for (i = 0; i < r->memory->nr; i++) {
		struct memory_block *b = &r->memory->blocks[i];

		if (b->slot == slot && e->offset < b->size / MEMORY_PAGE_SIZE)
			bitmap_set_atomic(b->dirty, e->offset);
	}
}

static u32 collect_one(struct dirty_rings *r, struct dirty_ring *ring)
{
	u32 n;

	for (n = 0; n < r->entries; n++, ring->next++) {
		struct kvm_dirty_gfn *e =
			&ring->entries[ring->next & (r->entries - 1)];

		/* Pairs with KVM's release: slot and offset came before. */
		if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) !=
		    KVM_DIRTY_GFN_F_DIRTY)
			break;
		mark(r, e);
		/* Pairs with KVM's acquire: we have read it. */
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET,
				 __ATOMIC_RELEASE);
	}
	return n;
}

/*
 * KVM stops at a signal, with pages that are neither in a ring nor protected
 * any more; so there is none meanwhile.
 */
static int hand_back(const struct dirty_rings *r, u64 entries)
{
	sigset_t all, before;
	int ret = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (entries) {
		ret = ioctl(r->vm_fd, KVM_RESET_DIRTY_RINGS, 0);
		if (ret <= 0)
			break;
		entries -= min_of(entries, (u64)ret);
	}
	if (ret < 0)
		ret = -errno;
	else
		ret = entries ? -EPROTO : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/**
 * dirty_rings_collect() - mark what the rings say, and empty them
 * @r: the rings
 *
 * Context: under @r->lock; vCPUs may run.
 * Return: 0; -EOVERFLOW: KVM let a ring fill up, so entries are missing; or
 * what KVM said.
 */
int dirty_rings_collect(struct dirty_rings *r)
{
	u64 all = 0;
	u32 i, n;

	mutex_assert_held(&r->lock);
	for (i = 0; i < r->nr; i++) {
		if (!r->ring[i].entries)
			continue;
		n = collect_one(r, &r->ring[i]);
		/* KVM keeps some free, unless it did not look. */
		r->overflown |= n == r->entries;
		all += n;
	}
	if (r->overflown)
		return -EOVERFLOW;
	return all ? hand_back(r, all) : 0;
}

/**
 * dirty_rings_empty() - collect, for a vCPU that must stop because of its ring
 * @r: the rings
 * @err: filled on failure
 *
 * Context: any thread, no lock held.
 * Return: 0, or what KVM said.
 */
int dirty_rings_empty(struct dirty_rings *r, struct error *err)
{
	int ret;

	mutex_lock(&r->lock);
	ret = dirty_rings_collect(r);
	mutex_unlock(&r->lock);
	if (ret == -EOVERFLOW)
		return error_set(err, ret,
				 "KVM has let a dirty ring overflow: start the machine with LKVM_DIRTY_RING=0 in the environment");
	return ret ? error_set(err, ret, "KVM_RESET_DIRTY_RINGS: %s",
			       strerror(-ret)) : 0;
}
