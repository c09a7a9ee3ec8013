// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: guest memory that the guest does not need: back to the host
 *
 * A balloon names pages whose contents nobody wants any more. What can be done
 * depends on what is behind them:
 *
 *  - a file of our own that is shared with KVM (a memfd): a hole is punched;
 *    the page is gone at once and reads as zeros. A snapshot finds the hole by
 *    memory_block_data();
 *  - a file that is mapped privately (the image of a restored machine): giving
 *    up our copy would bring back what the file has, so zeros are mapped over
 *    it. Each such piece costs the process mappings, of which there is a
 *    limit, hence DISCARD_MAPS_MAX; beyond it the page stays as it is. Once
 *    zeros are mapped, giving up the copy is enough;
 *  - hugetlbfs: nothing. Its pages are reserved when the machine is made so
 *    that a touch never fails, and a page that was given up could not be had
 *    again for sure.
 *
 * A discarded page reads as zeros or as before. It is marked dirty, so that
 * the other side of a migration forgets it as well.
 *
 * I/O that is in flight on the page goes on with the old one and its data are
 * lost: who gives a page away while it is in use has wanted that.
 *
 * Threads: any; guest_memory->lock is held while a private mapping is changed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"

/* Of the 65530 mappings that a process may have; each piece makes up to 2. */
#define DISCARD_MAPS_MAX	8192

static bool map_zeros(struct memory_block *b, u64 page, u64 nr)
{
	u8 *at = b->host + page * MEMORY_PAGE_SIZE;
	size_t len = nr * MEMORY_PAGE_SIZE;
	u64 i;

	if (b->zero_maps >= DISCARD_MAPS_MAX)
		return false;
	/* In one step: who touches the page meanwhile finds old or new. */
	if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	madvise(at, len, MADV_HUGEPAGE);
	madvise(at, len, MADV_DONTDUMP);
	b->zero_maps++;
	for (i = page; i < page + nr; i++)
		bitmap_set(b->zeros, i);
	return true;
}

/* Pages in a row that have zeros behind them already, or that have not. */
static u64 same_kind(const struct memory_block *b, u64 page, u64 end,
		     bool zeros)
{
	return (zeros ? bitmap_find_next_zero(b->zeros, end, page) :
			bitmap_find_next(b->zeros, end, page)) - page;
}

static u64 discard_private(struct memory_block *b, u64 page, u64 end)
{
	u64 done = 0, nr;

	if (!b->zeros)
		b->zeros = calloc(BITMAP_WORDS(b->size / MEMORY_PAGE_SIZE),
				  sizeof(*b->zeros));
	if (!b->zeros)
		return 0;
	for (; page < end; page += nr) {
		bool zeros = bitmap_test(b->zeros, page);

		nr = same_kind(b, page, end, zeros);
		if (zeros ? !madvise(b->host + page * MEMORY_PAGE_SIZE,
				     nr * MEMORY_PAGE_SIZE, MADV_DONTNEED) :
			    map_zeros(b, page, nr))
			done += nr;
	}
	return done * MEMORY_PAGE_SIZE;
}

static u64 discard_shared(struct memory_block *b, u64 offset, u64 len)
{
	return fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)(b->fd_offset + offset), (off_t)len) ? 0 : len;
}

static u64 discard_in_block(struct guest_memory *memory,
			    struct memory_block *b, u64 offset, u64 len)
{
	u64 done;

	if (b->huge_page)
		return 0;
	if (b->shared)
		return discard_shared(b, offset, len);
	mutex_lock(&memory->lock);
	done = discard_private(b, offset / MEMORY_PAGE_SIZE,
			       (offset + len) / MEMORY_PAGE_SIZE);
	mutex_unlock(&memory->lock);
	return done;
}

/**
 * guest_memory_discard() - give pages back to the host
 * @memory: the machine's memory
 * @addr: first byte, page aligned
 * @len: bytes, whole pages
 * @given: raised by the bytes that went back; the others are as they were
 *
 * Context: any thread; may block. The guest may run.
 * Return: 0; -EFAULT, and nothing was done, when a part is not memory that the
 * guest may write; -EINVAL for parts of pages.
 */
int guest_memory_discard(struct guest_memory *memory, gpa_t addr, u64 len,
			 u64 *given)
{
	struct memory_block *b;
	u64 offset, n;

	if (!is_aligned(gpa_raw(addr) | len, MEMORY_PAGE_SIZE))
		return -EINVAL;
	if (!guest_is_memory(memory, addr, len))
		return -EFAULT;
	for (; len; len -= n, addr = gpa_add(addr, n)) {
		b = guest_memory_find(memory, addr);
		offset = gpa_raw(addr) - gpa_raw(b->gpa);
		n = min_of(len, b->size - offset);
		*given += discard_in_block(memory, b, offset, n);
		guest_memory_mark_dirty(memory, addr, n);
	}
	return 0;
}

/**
 * guest_memory_discard_mapped() - give back the whole pages of a vector
 * @memory: the machine's memory
 * @iov: a vector that guest_map() has made for writing
 * @given: raised by the bytes that went back
 *
 * Context: any thread; may block. The guest may run.
 */
void guest_memory_discard_mapped(struct guest_memory *memory,
				 const struct iovec *iov, u64 *given)
{
	const u8 *host = iov->iov_base;
	u64 start, end;
	u32 i;

	for (i = 0; i < memory->nr; i++) {
		struct memory_block *b = &memory->blocks[i];

		if (host < b->host || (u64)(host - b->host) >= b->size)
			continue;
		start = (u64)(host - b->host);
		end = round_down_to(start + min_of((u64)iov->iov_len,
						   b->size - start),
				    MEMORY_PAGE_SIZE);
		start = round_up_to(start, MEMORY_PAGE_SIZE);
		if (start < end && !guest_memory_discard(memory,
				gpa_add(b->gpa, start), end - start, given))
			return;
	}
}
