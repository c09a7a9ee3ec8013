/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_GUEST_MEMORY_H
#define LKVM_GUEST_MEMORY_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "vmm/base/error.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"

struct dirty_rings;

#define MEMORY_BLOCKS_MAX	16
#define MEMORY_PAGE_SIZE	4096ULL
#define MEMORY_PAGE_SHIFT	12

/**
 * struct memory_block - a range of guest physical addresses with memory behind
 * @name: stable name, its identity in an image ("ram-low", "ram-high", ...)
 * @gpa: first guest physical address, page aligned
 * @size: bytes, a multiple of the page size
 * @host: where it is mapped, readable and writable
 * @fd: the memfd or file behind it
 * @fd_offset: where in @fd it begins
 * @slot: KVM memory slot number
 * @readonly: the guest may not write (a ROM); DMA may not either
 * @shared: what is written goes to the file, so its holes are zeros
 * @huge_page: bytes of a page of the hugetlbfs that @fd is in, 0 for other files
 * @zeros: of a private mapping: one bit a page that has zeros behind it
 *         instead of the file, NULL while there is none
 * @zero_maps: how many pieces were mapped for @zeros
 * @dirty: one bit a page that the VMM wrote since it was last taken; made
 *         when tracking is switched on for the first time, then kept, so that
 *         a thread that is about to mark a page never sees it freed
 */
struct memory_block {
	char name[32];
	gpa_t gpa;
	u64 size;
	u8 *host;
	int fd;
	u64 fd_offset;
	u32 slot;
	bool readonly;
	bool shared;
	u64 huge_page;
	u64 *zeros;
	u32 zero_maps;
	_Atomic u64 *dirty;
};

/**
 * struct guest_memory - all memory of a machine
 * @lock: protects tracking being switched on and off, and
 *        &memory_block.zeros (LOCK_MEMORY)
 * @vm_fd: KVM's, or -1 for a machine without vCPUs
 * @blocks: sorted by address; fixed once the machine has been built
 * @nr: how many
 * @tracking: what the VMM writes is marked in &memory_block.dirty
 * @rings: what vCPUs write; NULL where KVM keeps a dirty log of each slot
 *
 * The table is written only while the machine is built; all threads may read
 * it without a lock afterwards.
 */
struct guest_memory {
	struct mutex lock;
	int vm_fd;
	struct memory_block blocks[MEMORY_BLOCKS_MAX];
	u32 nr;
	_Atomic bool tracking;
	struct dirty_rings *rings;
};

/**
 * struct guest_gate - one device's door to guest memory
 * @memory: the memory behind it
 * @closed: a set of enum guest_gate_reason; DMA is refused while it is not 0
 *
 * Every access of a device goes through its gate, so its DMA can be refused
 * in one place.
 */
struct guest_gate {
	struct guest_memory *memory;
	_Atomic u32 closed;
};

/**
 * enum guest_gate_reason - why a gate is closed
 * @GATE_NO_BUS_MASTER: the guest has not set Bus Master Enable
 * @GATE_RESET: the device is being reset
 * @GATE_PAUSED: the machine is paused; nothing may be in flight
 */
enum guest_gate_reason {
	GATE_NO_BUS_MASTER	= 1,
	GATE_RESET		= 2,
	GATE_PAUSED		= 4,
};

/**
 * enum guest_access - what the device is going to do with a mapping
 * @GUEST_READS: the device reads guest memory (a disk write)
 * @GUEST_WRITES: the device writes guest memory (a disk read)
 */
enum guest_access {
	GUEST_READS,
	GUEST_WRITES,
};

int guest_memory_init(struct guest_memory *memory, int vm_fd);
void guest_memory_destroy(struct guest_memory *memory);

/**
 * struct memory_request - how memory for a block is to be had
 * @name: stable name
 * @gpa: first guest physical address
 * @size: bytes
 * @hugetlbfs: a mounted hugetlbfs to take it from, NULL for a memfd
 * @fd: map this file privately at @fd_offset instead, -1 for none; the
 *      caller keeps its descriptor
 * @fd_offset: page aligned
 * @readonly: see struct memory_block
 */
struct memory_request {
	const char *name;
	gpa_t gpa;
	u64 size;
	const char *hugetlbfs;
	int fd;
	u64 fd_offset;
	bool readonly;
};

int guest_memory_add(struct guest_memory *memory,
		     const struct memory_request *req, struct error *err)
	__must_check;
struct memory_block *guest_memory_find(struct guest_memory *memory, gpa_t addr);
u64 memory_block_data(const struct memory_block *b, u64 page, u64 end);
u64 guest_memory_size(const struct guest_memory *memory);
int guest_memory_discard(struct guest_memory *memory, gpa_t addr, u64 len,
			 u64 *given) __must_check;
void guest_memory_discard_mapped(struct guest_memory *memory,
				 const struct iovec *iov, u64 *given);

int guest_memory_track_start(struct guest_memory *memory) __must_check;
void guest_memory_track_stop(struct guest_memory *memory);
void guest_memory_mark_dirty(struct guest_memory *memory, gpa_t addr, u64 len);

void guest_gate_init(struct guest_gate *gate, struct guest_memory *memory);
void guest_gate_close(struct guest_gate *gate, enum guest_gate_reason why);
void guest_gate_open(struct guest_gate *gate, enum guest_gate_reason why);

int guest_read(struct guest_gate *gate, gpa_t addr, void *buf, size_t len)
	__must_check;
int guest_write(struct guest_gate *gate, gpa_t addr, const void *buf,
		size_t len) __must_check;
int guest_map(struct guest_gate *gate, gpa_t addr, u64 len,
	      enum guest_access access, struct iovec *iov, u32 iov_max,
	      u32 *iov_nr) __must_check;
void guest_unmap(struct guest_gate *gate, const struct iovec *iov, u32 iov_nr,
		 u64 written);
void *guest_ptr(struct guest_gate *gate, gpa_t addr, u64 len,
		enum guest_access access) __must_check;
bool guest_addr_of(struct guest_memory *memory, const void *host,
		   gpa_t *addr) __must_check;
bool guest_is_memory(struct guest_memory *memory, gpa_t addr, u64 len);

#endif /* LKVM_GUEST_MEMORY_H */
