// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the dirty log: which pages of guest memory were written
 *
 * While a log is active, KVM write-protects (or clears the dirty bits of) the
 * pages of each slot and remembers which ones vCPUs write to; what the VMM
 * writes itself (DMA, completion queues) is marked in the blocks' own bitmaps.
 * dirty_log_take() collects both and begins anew for the pages that it gives.
 *
 * Where KVM has dirty rings they tell what vCPUs write (vmm/dirty_ring.c). Else
 * KVM keeps a bitmap for each slot.
 *
 * With KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 taking is two steps, get and clear,
 * and the clear costs in proportion to the dirty pages instead of to the
 * memory; all pages count as dirty at the start, so nothing has to be
 * write-protected before the first copy.
 *
 * A page is taken before it is copied: a write that comes in between makes it
 * dirty again.
 *
 * Threads: one at a time, any; vCPUs and devices may run.
 *
 * Specification: KVM-API 4.8, 4.35, 4.117, 7.18.
 */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/base/bitmap.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/dirty.h"
#include "vmm/dirty_ring.h"

/* KVM clears in whole words of 64 pages, at most this many a call. */
#define CLEAR_PAGES	(1U << 18)

static u64 block_pages(const struct memory_block *b)
{
	return b->size / MEMORY_PAGE_SIZE;
}

static int slot_flags(const struct guest_memory *memory,
		      const struct memory_block *b, bool log)
{
	struct kvm_userspace_memory_region region = {
		.slot = b->slot,
		.flags = (b->readonly ? KVM_MEM_READONLY : 0U) |
			 (log ? KVM_MEM_LOG_DIRTY_PAGES : 0U),
		.guest_phys_addr = gpa_raw(b->gpa),
		.memory_size = b->size,
		.userspace_addr = (uintptr_t)b->host,
	};

	if (memory->vm_fd < 0)
		return 0;
	if (ioctl(memory->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;
	return 0;
}

static bool enable_manual(const struct guest_memory *memory)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
	};
	int have;

	if (memory->vm_fd < 0)
		return false;
	have = ioctl(memory->vm_fd, KVM_CHECK_EXTENSION,
		     KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
	if (have <= 0)
		return false;
	cap.args[0] = (u64)have & (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				   KVM_DIRTY_LOG_INITIALLY_SET);
	return ioctl(memory->vm_fd, KVM_ENABLE_CAP, &cap) == 0;
}

static u64 largest_block(const struct guest_memory *memory)
{
	u64 most = 0;
	u32 i;

	for (i = 0; i < memory->nr; i++)
		most = max_of(most, block_pages(&memory->blocks[i]));
	return most;
}

/**
 * dirty_log_start() - begin to remember which pages are written
 * @log: to be filled
 * @memory: the machine's memory
 * @err: filled on failure
 *
 * A page that is not reported afterwards was not written since this returned;
 * which pages count as dirty at first is not said (all may).
 *
 * Context: main loop. The machine may run.
 * Return: 0 or a negative errno; then nothing is logged.
 */
int dirty_log_start(struct dirty_log *log, struct guest_memory *memory,
		    struct error *err)
{
	u32 i;
	int ret;

	memset(log, 0, sizeof(*log));
	log->memory = memory;
	log->scratch = calloc(BITMAP_WORDS(largest_block(memory)),
			      sizeof(*log->scratch));
	if (!log->scratch || guest_memory_track_start(memory)) {
		free(log->scratch);
		return error_set(err, -ENOMEM, "dirty log: out of memory");
	}
	/* With rings KVM must write-protect all at the start. */
	log->manual = !memory->rings && enable_manual(memory);
	for (i = 0; i < memory->nr; i++) {
		ret = slot_flags(memory, &memory->blocks[i], true);
		if (ret)
			goto err_slots;
	}
	log->active = true;
	return 0;

err_slots:
	error_set(err, ret, "dirty log of %s: %s", memory->blocks[i].name,
		  strerror(-ret));
	while (i)
		slot_flags(memory, &memory->blocks[--i], false);
	guest_memory_track_stop(memory);
	free(log->scratch);
	return ret;
}

/**
 * dirty_log_stop() - no longer remember
 * @log: the log; nothing happens when it is not active
 *
 * Context: main loop. The machine may run, at full speed again.
 */
void dirty_log_stop(struct dirty_log *log)
{
	struct error err = ERROR_INIT;
	u32 i;

	if (!log->active)
		return;
	log->active = false;
	for (i = 0; i < log->memory->nr; i++)
		slot_flags(log->memory, &log->memory->blocks[i], false);
	guest_memory_track_stop(log->memory);
	/* What is left in them is of no interest, but would fill them. */
	if (log->memory->rings &&
	    dirty_rings_empty(log->memory->rings, &err))
		log_warning("%s", err.text);
	free(log->scratch);
}

static int kvm_get(const struct dirty_log *log, const struct memory_block *b)
{
	struct kvm_dirty_log arg = {
		.slot = b->slot,
		.dirty_bitmap = log->scratch,
	};

	if (log->memory->vm_fd < 0)
		return 0;
	return ioctl(log->memory->vm_fd, KVM_GET_DIRTY_LOG, &arg) < 0 ?
	       -errno : 0;
}

/* Under the rings' lock, where there are rings. */
static int get(const struct dirty_log *log, const struct memory_block *b)
{
	struct dirty_rings *rings = log->memory->rings;
	int ret = rings ? dirty_rings_collect(rings) : 0;

	return ret || (rings && !rings->bitmap) ? ret : kvm_get(log, b);
}

/* Clears what is set in @log->scratch, a range at a time. */
static int kvm_clear(const struct dirty_log *log, const struct memory_block *b)
{
	u64 pages = block_pages(b), page;

	if (!log->manual)
		return 0;
	for (page = 0; page < pages; page += CLEAR_PAGES) {
		u64 n = min_of((u64)CLEAR_PAGES, pages - page);
		struct kvm_clear_dirty_log arg = {
			.slot = b->slot,
			.first_page = page,
			.num_pages = (u32)n,
			.dirty_bitmap = log->scratch + page / 64,
		};

		if (bitmap_find_next(log->scratch + page / 64, n, 0) == n)
			continue;
		if (ioctl(log->memory->vm_fd, KVM_CLEAR_DIRTY_LOG, &arg) < 0)
			return -errno;
	}
	return 0;
}

/**
 * dirty_log_take() - the pages of a block that were written, and begin anew
 * @log: an active log
 * @block: which block
 * @bits: one bit a page of the block; dirty pages are added to what is set
 * @pages: how many bits of @bits are set afterwards
 * @err: filled on failure
 *
 * Context: any thread, one at a time; the machine may run.
 * Return: 0 or a negative errno; then the log is still complete: what was
 * taken from the VMM's own bits is in @bits.
 */
int dirty_log_take(struct dirty_log *log, u32 block, u64 *bits, u64 *pages,
		   struct error *err)
{
	struct memory_block *b = &log->memory->blocks[block];
	u64 words = BITMAP_WORDS(block_pages(b)), i;
	struct dirty_rings *rings = log->memory->rings;
	int ret;

	memset(log->scratch, 0, words * sizeof(*log->scratch));
	if (rings)
		mutex_lock(&rings->lock);
	ret = get(log, b);
	for (i = 0; i < words; i++)
		bits[i] |= log->scratch[i];
	if (!ret)
		ret = kvm_clear(log, b);
	*pages = 0;
	for (i = 0; i < words; i++) {
		/* Pairs with bitmap_set_atomic(): the page is read later. */
		bits[i] |= atomic_exchange(&b->dirty[i], 0);
		*pages += (u64)__builtin_popcountll(bits[i]);
	}
	if (rings)
		mutex_unlock(&rings->lock);
	if (ret)
		return error_set(err, ret, "dirty log of %s: %s", b->name,
				 strerror(-ret));
	return 0;
}

/**
 * dirty_log_give_back() - pages that were taken and then not dealt with
 * @log: an active log
 * @block: which block
 * @bits: the pages
 *
 * Context: any thread.
 */
void dirty_log_give_back(struct dirty_log *log, u32 block, const u64 *bits)
{
	struct memory_block *b = &log->memory->blocks[block];
	u64 words = BITMAP_WORDS(block_pages(b)), i;

	for (i = 0; i < words; i++)
		if (bits[i])
			atomic_fetch_or(&b->dirty[i], bits[i]);
}
