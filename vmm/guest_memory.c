// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: guest memory: blocks, the checked way into them, dirty marking
 *
 * A machine has a handful of blocks, each a memfd (or a file) mapped into the
 * VMM and given to KVM as one slot. The table is fixed before vCPUs run, so
 * looking an address up takes no lock.
 *
 * Devices reach memory through their gate only: guest_read() and
 * guest_write() copy, guest_map() gives vectors for I/O without a copy,
 * guest_ptr() one pointer. All of them test the whole range by subtraction
 * before anything is touched, and reach nothing but blocks: device registers
 * are not in the table.
 *
 * Every byte that the VMM writes is marked in the block's dirty bitmap while
 * tracking is on, because KVM's own log does not see it. The mark is set after
 * the data was written.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"

#define HUGE_PAGE	(2 * MIB)

/**
 * guest_memory_init() - a machine without memory
 * @memory: to be filled
 * @vm_fd: KVM's machine, or -1 when there is none
 *
 * Return: 0.
 */
int guest_memory_init(struct guest_memory *memory, int vm_fd)
{
	memset(memory, 0, sizeof(*memory));
	mutex_init(&memory->lock, LOCK_MEMORY);
	memory->vm_fd = vm_fd;
	return 0;
}

static void block_release(struct memory_block *b)
{
	munmap(b->host, b->size);
	close(b->fd);
	free(b->zeros);
	free(b->dirty);
}

/**
 * guest_memory_destroy() - unmap and close everything
 * @memory: the memory; no thread uses it any more
 */
void guest_memory_destroy(struct guest_memory *memory)
{
	while (memory->nr)
		block_release(&memory->blocks[--memory->nr]);
	mutex_destroy(&memory->lock);
}

static int hugetlb_file(const char *path, u64 size, struct error *err)
{
	char name[512];
	struct statfs fs;
	int fd;

	if (statfs(path, &fs) < 0)
		return error_set(err, -errno, "hugetlbfs %s: %m", path);
	if (fs.f_type != HUGETLBFS_MAGIC)
		return error_set(err, -EINVAL,
				 "%s is not a hugetlbfs; mount one with 'mount -t hugetlbfs none %s'",
				 path, path);
	if (!is_aligned(size, (u64)fs.f_bsize))
		return error_set(err, -EINVAL,
				 "hugetlbfs %s: %llu KiB of memory are no multiple of its pages of %ld KiB",
				 path, size / KIB, (long)fs.f_bsize / 1024);
	if (snprintf(name, sizeof(name), "%s/lkvm-XXXXXX", path) >=
	    (int)sizeof(name))
		return error_set(err, -ENAMETOOLONG, "hugetlbfs path %s is too long",
				 path);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "no file in hugetlbfs %s: %m",
				 path);
	unlink(name);
	return fd;
}

/* Bytes of a page of the hugetlbfs that a file is in, 0 for other files. */
static u64 file_huge_page(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC ?
		(u64)fs.f_bsize : 0;
}

static int map_failed(const struct memory_request *req, u64 huge_page,
		      struct error *err)
{
	if (huge_page && errno == ENOMEM)
		return error_set(err, -ENOMEM,
				 "memory %s: hugetlbfs %s has less than %llu free pages of %llu KiB; reserve them with sysctl vm.nr_hugepages",
				 req->name, req->hugetlbfs,
				 req->size / huge_page, huge_page / KIB);
	return error_set(err, -errno, "memory %s: %llu MiB: %m", req->name,
			 req->size / MIB);
}

/* The descriptor behind a new block: the block's own in every case. */
static int block_file(const struct memory_request *req, struct error *err)
{
	int fd;

	if (req->fd >= 0) {
		fd = fcntl(req->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return error_set(err, -errno, "memory %s: %m",
					 req->name);
		return fd;
	}
	if (req->hugetlbfs)
		fd = hugetlb_file(req->hugetlbfs, req->size, err);
	else
		fd = memfd_create(req->name, MFD_CLOEXEC);
	if (fd < 0 && !req->hugetlbfs)
		return error_set(err, -errno, "memory %s: memfd: %m",
				 req->name);
	if (fd >= 0 && ftruncate(fd, (off_t)req->size) < 0) {
		int code = -errno;

		close(fd);
		return error_set(err, code, "memory %s: %llu MiB: %s",
				 req->name, req->size / MIB, strerror(-code));
	}
	return fd;
}

/*
 * Map at a multiple of 2 MiB or of a larger huge page, so that huge pages fit:
 * reserve more, map over the aligned part, give the rest back. Memory is
 * committed when it is touched, but for that of a hugetlbfs (@huge_page not 0):
 * where there are no pages left, a touch is a SIGBUS, so they are reserved here.
 */
static void *map_aligned(const struct memory_request *req, int fd,
			 u64 huge_page)
{
	int flags = MAP_FIXED | (huge_page ? 0 : MAP_NORESERVE) |
		(req->fd >= 0 ? MAP_PRIVATE : MAP_SHARED);
	u64 align = max_of(HUGE_PAGE, huge_page);
	u8 *area, *at, *end;

	area = mmap(NULL, req->size + align, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	at = (u8 *)round_up_to((uintptr_t)area, align);
	end = area + req->size + align;
	if (mmap(at, req->size, PROT_READ | PROT_WRITE, flags, fd,
		 (off_t)req->fd_offset) == MAP_FAILED) {
		int saved = errno;

		munmap(area, req->size + align);
		errno = saved;
		return MAP_FAILED;
	}
	if (at > area)
		munmap(area, (size_t)(at - area));
	munmap(at + req->size, (size_t)(end - at) - req->size);
	return at;
}

static int block_tell_kvm(int vm_fd, const struct memory_block *b,
			  struct error *err)
{
	struct kvm_userspace_memory_region region = {
		.slot = b->slot,
		.flags = b->readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa_raw(b->gpa),
		.memory_size = b->size,
		.userspace_addr = (uintptr_t)b->host,
	};

	if (vm_fd < 0)
		return 0;
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return error_set(err, -errno,
				 "memory %s: KVM refuses %llu MiB at 0x%llx: %m",
				 b->name, b->size / MIB, gpa_raw(b->gpa));
	return 0;
}

static int request_check(const struct guest_memory *memory,
			 const struct memory_request *req, struct error *err)
{
	u32 i;

	if (!req->size || !is_aligned(req->size | gpa_raw(req->gpa) |
				      req->fd_offset, MEMORY_PAGE_SIZE))
		return error_set(err, -EINVAL,
				 "memory %s: size and address are multiples of 4 KiB",
				 req->name);
	if (!range_fits(gpa_raw(req->gpa), req->size, UINT64_MAX))
		return error_set(err, -EINVAL,
				 "memory %s: ends beyond the address space",
				 req->name);
	if (memory->nr == MEMORY_BLOCKS_MAX)
		return error_set(err, -ENOSPC, "memory %s: too many blocks",
				 req->name);
	for (i = 0; i < memory->nr; i++)
		if (ranges_overlap(gpa_raw(memory->blocks[i].gpa),
				   memory->blocks[i].size, gpa_raw(req->gpa),
				   req->size))
			return error_set(err, -EEXIST,
					 "memory %s overlaps %s", req->name,
					 memory->blocks[i].name);
	return 0;
}

static void block_insert(struct guest_memory *memory,
			 const struct memory_block *b)
{
	u32 at = memory->nr;

	while (at && gpa_raw(memory->blocks[at - 1].gpa) > gpa_raw(b->gpa)) {
		memory->blocks[at] = memory->blocks[at - 1];
		at--;
	}
	memory->blocks[at] = *b;
	memory->nr++;
}

/**
 * guest_memory_add() - give the machine a block of memory
 * @memory: the machine's memory
 * @req: what and where; see struct memory_request
 * @err: filled on failure
 *
 * Context: while the machine is built, one thread.
 * Return: 0, or a negative errno: -EINVAL for a bad range, -EEXIST for an
 * overlap, -ENOSPC for too many blocks, or what the system said.
 */
int guest_memory_add(struct guest_memory *memory,
		     const struct memory_request *req, struct error *err)
{
	struct memory_block b = {
		.gpa = req->gpa,
		.size = req->size,
		.fd_offset = req->fd_offset,
		.slot = memory->nr,
		.readonly = req->readonly,
		.shared = req->fd < 0,
	};
	int ret;

	ret = request_check(memory, req, err);
	if (ret)
		return ret;
	snprintf(b.name, sizeof(b.name), "%s", req->name);
	b.fd = block_file(req, err);
	if (b.fd < 0)
		return b.fd;
	b.huge_page = file_huge_page(b.fd);
	b.host = map_aligned(req, b.fd, b.huge_page);
	if (b.host == MAP_FAILED) {
		ret = map_failed(req, b.huge_page, err);
		goto err_close;
	}
	madvise(b.host, b.size, MADV_HUGEPAGE);
	madvise(b.host, b.size, MADV_DONTDUMP);
	ret = block_tell_kvm(memory->vm_fd, &b, err);
	if (ret)
		goto err_unmap;
	block_insert(memory, &b);
	return 0;

err_unmap:
	munmap(b.host, b.size);
err_close:
	close(b.fd);
	return ret;
}

/**
 * guest_memory_find() - the block that an address lies in
 * @memory: the machine's memory
 * @addr: guest physical address
 *
 * Context: any thread.
 * Return: the block, or NULL.
 */
struct memory_block *guest_memory_find(struct guest_memory *memory, gpa_t addr)
{
	u32 i;

	for (i = 0; i < memory->nr; i++) {
		struct memory_block *b = &memory->blocks[i];

		if (range_within(gpa_raw(addr), 1, gpa_raw(b->gpa), b->size))
			return b;
	}
	return NULL;
}

/**
 * memory_block_data() - where somebody may have written
 * @b: the block
 * @page: look from this page on
 * @end: and not beyond this one
 *
 * Reading a page that nobody has touched would make the host give one, which is
 * slow and takes its memory. The file behind a block knows where there is none.
 *
 * Context: any thread; what the guest writes meanwhile may be missed.
 * Return: the first page that there is something behind, @end for none. All
 * before it are zero.
 */
u64 memory_block_data(const struct memory_block *b, u64 page, u64 end)
{
	u64 at = b->fd_offset + page * MEMORY_PAGE_SIZE;
	off_t data;

	if (!b->shared)
		return page;
	data = lseek(b->fd, (off_t)at, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? end : page;
	return min_of(page + ((u64)data - at) / MEMORY_PAGE_SIZE, end);
}

/**
 * guest_memory_size() - all RAM together
 * @memory: the machine's memory
 *
 * Return: bytes of all blocks that are not read-only.
 */
u64 guest_memory_size(const struct guest_memory *memory)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < memory->nr; i++)
		if (!memory->blocks[i].readonly)
			sum += memory->blocks[i].size;
	return sum;
}

/**
 * guest_memory_track_start() - begin to mark the VMM's own writes
 * @memory: the machine's memory
 *
 * Bits left from before are cleared.
 *
 * Context: main loop. Threads that write memory see the change at once; what
 * they write after this returned is marked.
 * Return: 0 or -ENOMEM.
 */
int guest_memory_track_start(struct guest_memory *memory)
{
	int ret = 0;
	u32 i;

	mutex_lock(&memory->lock);
	for (i = 0; i < memory->nr; i++) {
		struct memory_block *b = &memory->blocks[i];
		u64 words = BITMAP_WORDS(b->size / MEMORY_PAGE_SIZE);
		u64 w;

		if (!b->dirty)
			b->dirty = calloc(words, sizeof(*b->dirty));
		if (!b->dirty) {
			ret = -ENOMEM;
			goto out;
		}
		for (w = 0; w < words; w++)
			atomic_store_explicit(&b->dirty[w], 0,
					      memory_order_relaxed);
	}
	/* Pairs with the load in is_tracking(): the bitmaps come first. */
	atomic_store(&memory->tracking, true);
out:
	mutex_unlock(&memory->lock);
	return ret;
}

/**
 * guest_memory_track_stop() - no longer mark the VMM's own writes
 * @memory: the machine's memory
 *
 * Context: main loop.
 */
void guest_memory_track_stop(struct guest_memory *memory)
{
	atomic_store(&memory->tracking, false);
}

static void block_mark(struct memory_block *b, u64 offset, u64 len)
{
	u64 page = offset >> MEMORY_PAGE_SHIFT;
	u64 last = (offset + len - 1) >> MEMORY_PAGE_SHIFT;

	for (; page <= last; page++)
		bitmap_set_atomic(b->dirty, page);
}

static bool is_tracking(struct guest_memory *memory)
{
	return atomic_load_explicit(&memory->tracking, memory_order_acquire);
}

/**
 * guest_memory_mark_dirty() - say that the VMM has written here
 * @memory: the machine's memory
 * @addr: first byte
 * @len: bytes; a part outside memory is ignored
 *
 * guest_write() and guest_unmap() do it themselves; this is for writers that
 * hold a guest_ptr().
 *
 * Context: any thread, no lock, after the data was written.
 */
void guest_memory_mark_dirty(struct guest_memory *memory, gpa_t addr, u64 len)
{
	struct memory_block *b;
	u64 offset;

	if (!is_tracking(memory) || !len)
		return;
	b = guest_memory_find(memory, addr);
	if (!b)
		return;
	offset = gpa_raw(addr) - gpa_raw(b->gpa);
	block_mark(b, offset, min_of(len, b->size - offset));
}

/**
 * guest_gate_init() - an open door to memory
 * @gate: the gate
 * @memory: what is behind it
 */
void guest_gate_init(struct guest_gate *gate, struct guest_memory *memory)
{
	gate->memory = memory;
	atomic_init(&gate->closed, 0);
}

/**
 * guest_gate_close() - refuse DMA from now on
 * @gate: the device's gate
 * @why: one more reason to be closed
 *
 * Mappings that were handed out before stay valid; whoever needs them gone
 * quiesces the device.
 *
 * Context: any thread.
 */
void guest_gate_close(struct guest_gate *gate, enum guest_gate_reason why)
{
	atomic_fetch_or(&gate->closed, why);
}

/**
 * guest_gate_open() - take back one reason to refuse DMA
 * @gate: the device's gate
 * @why: the reason that has gone
 *
 * Context: any thread.
 */
void guest_gate_open(struct guest_gate *gate, enum guest_gate_reason why)
{
	atomic_fetch_and(&gate->closed, ~(u32)why);
}

/* How much of [addr, addr + len) lies in one block, and where; 0 for none. */
static u64 resolve(struct guest_gate *gate, gpa_t addr, u64 len,
		   enum guest_access access, u8 **host)
{
	struct memory_block *b = guest_memory_find(gate->memory, addr);
	u64 offset;

	if (!b || (b->readonly && access == GUEST_WRITES))
		return 0;
	offset = gpa_raw(addr) - gpa_raw(b->gpa);
	*host = b->host + offset;
	return min_of(len, b->size - offset);
}

static bool gate_is_open(struct guest_gate *gate)
{
	return likely(!atomic_load_explicit(&gate->closed,
					    memory_order_relaxed));
}

/**
 * guest_ptr() - one pointer to a range of guest memory
 * @gate: the device's gate
 * @addr: first byte
 * @len: bytes, 1 or more
 * @access: what will be done there
 *
 * The guest can change the bytes at any time: fetch once, then check, then
 * use. A writer calls guest_memory_mark_dirty() after each write.
 *
 * Context: any thread, no lock.
 * Return: the pointer, valid as long as the machine; NULL when the range is
 * not wholly in one block or the gate is closed.
 */
void *guest_ptr(struct guest_gate *gate, gpa_t addr, u64 len,
		enum guest_access access)
{
	u8 *host;

	if (!gate_is_open(gate) || !len ||
	    resolve(gate, addr, len, access, &host) != len)
		return NULL;
	return host;
}

static bool begins_block(struct guest_memory *memory, gpa_t addr)
{
	const struct memory_block *b = guest_memory_find(memory, addr);

	return b && gpa_raw(b->gpa) == gpa_raw(addr);
}

/**
 * guest_map() - guest memory as vectors for I/O without a copy
 * @gate: the device's gate
 * @addr: first byte
 * @len: bytes; 0 adds no vector
 * @access: what will be done there
 * @iov: vectors; those in use are continued where they touch
 * @iov_max: room in @iov
 * @iov_nr: how many are in use; raised by what is added
 *
 * On failure nothing is added. The caller hands the vectors to guest_unmap()
 * when the I/O is over.
 *
 * Context: any thread, no lock.
 * Return: 0, -EFAULT when a part is not memory (or read-only and to be
 * written), -EACCES when the gate is closed, -ENOSPC when @iov is full.
 */
int guest_map(struct guest_gate *gate, gpa_t addr, u64 len,
	      enum guest_access access, struct iovec *iov, u32 iov_max,
	      u32 *iov_nr)
{
	const u32 old_nr = *iov_nr;
	const size_t old_len = old_nr ? iov[old_nr - 1].iov_len : 0;
	int ret = -EFAULT;
	u32 nr = old_nr;

	if (!gate_is_open(gate))
		return -EACCES;
	while (len) {
		u8 *host = NULL;
		u64 n = resolve(gate, addr, len, access, &host);

		if (!n)
			goto undo;
		/* A vector is in one block, wherever the next one is mapped. */
		if (nr && (u8 *)iov[nr - 1].iov_base +
			  iov[nr - 1].iov_len == host &&
		    !begins_block(gate->memory, addr)) {
			iov[nr - 1].iov_len += n;
		} else if (nr < iov_max) {
			iov[nr].iov_base = host;
			iov[nr].iov_len = n;
			nr++;
		} else {
			ret = -ENOSPC;
			goto undo;
		}
		addr = gpa_add(addr, n);
		len -= n;
	}
	*iov_nr = nr;
	return 0;

undo:
	if (old_nr)
		iov[old_nr - 1].iov_len = old_len;
	return ret;
}

static struct memory_block *block_of_host(struct guest_memory *memory,
					  const u8 *host)
{
	u32 i;

	for (i = 0; i < memory->nr; i++) {
		struct memory_block *b = &memory->blocks[i];

		if (host >= b->host && (u64)(host - b->host) < b->size)
			return b;
	}
	return NULL;
}

/**
 * guest_addr_of() - where in the guest is something that was mapped?
 * @memory: the machine's memory
 * @host: a pointer into it
 * @addr: filled
 *
 * Context: any thread, no lock.
 * Return: false when it is not in guest memory.
 */
bool guest_addr_of(struct guest_memory *memory, const void *host, gpa_t *addr)
{
	const struct memory_block *b = block_of_host(memory, host);

	if (!b)
		return false;
	*addr = gpa_add(b->gpa, (u64)((const u8 *)host - b->host));
	return true;
}

/**
 * guest_unmap() - the I/O on mapped vectors is over
 * @gate: the gate that they were mapped through
 * @iov: the vectors, as guest_map() gave them
 * @iov_nr: how many
 * @written: how many bytes, from the start, were written into guest memory;
 *           0 after a transfer out of it
 *
 * Marks what was written.
 *
 * Context: any thread, no lock.
 */
void guest_unmap(struct guest_gate *gate, const struct iovec *iov, u32 iov_nr,
		 u64 written)
{
	u32 i;

	if (!is_tracking(gate->memory))
		return;
	for (i = 0; i < iov_nr && written; i++) {
		struct memory_block *b = block_of_host(gate->memory,
						       iov[i].iov_base);
		u64 n = min_of((u64)iov[i].iov_len, written);

		if (b && n)
			block_mark(b, (u64)((u8 *)iov[i].iov_base - b->host),
				   n);
		written -= n;
	}
}

static int copy(struct guest_gate *gate, gpa_t addr, u8 *buf, size_t len,
		enum guest_access access)
{
	gpa_t at = addr;
	u64 left = len;
	u8 *host;
	u64 n;

	if (!gate_is_open(gate))
		return -EACCES;
	for (; left; left -= n, at = gpa_add(at, n)) {
		n = resolve(gate, at, left, access, &host);
		if (!n)
			return -EFAULT;
	}
	for (left = len; left; left -= n, addr = gpa_add(addr, n), buf += n) {
		n = resolve(gate, addr, left, access, &host);
		if (access == GUEST_READS) {
			memcpy(buf, host, n);
			continue;
		}
		memcpy(host, buf, n);
		guest_memory_mark_dirty(gate->memory, addr, n);
	}
	return 0;
}

/**
 * guest_read() - copy out of guest memory
 * @gate: the device's gate
 * @addr: first byte
 * @buf: where to
 * @len: bytes
 *
 * Context: any thread, no lock.
 * Return: 0, -EFAULT when a part is not memory (then nothing was copied),
 * -EACCES when the gate is closed.
 */
int guest_read(struct guest_gate *gate, gpa_t addr, void *buf, size_t len)
{
	return copy(gate, addr, buf, len, GUEST_READS);
}

/**
 * guest_write() - copy into guest memory, and mark it dirty
 * @gate: the device's gate
 * @addr: first byte
 * @buf: what
 * @len: bytes
 *
 * Context: any thread, no lock.
 * Return: 0, -EFAULT when a part is not memory or is read-only (then nothing
 * was written), -EACCES when the gate is closed.
 */
int guest_write(struct guest_gate *gate, gpa_t addr, const void *buf,
		size_t len)
{
	return copy(gate, addr, (u8 *)buf, len, GUEST_WRITES);
}

/**
 * guest_is_memory() - is all of a range memory that may be written?
 * @memory: the machine's memory
 * @addr: first byte
 * @len: bytes
 *
 * Context: any thread, no lock.
 * Return: true when every byte is.
 */
bool guest_is_memory(struct guest_memory *memory, gpa_t addr, u64 len)
{
	struct guest_gate gate;
	u8 *host;
	u64 n;

	guest_gate_init(&gate, memory);
	for (; len; len -= n, addr = gpa_add(addr, n)) {
		n = resolve(&gate, addr, len, GUEST_WRITES, &host);
		if (!n)
			return false;
	}
	return true;
}
