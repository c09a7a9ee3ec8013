/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the guest's NVMe driver
 *
 * A driver for tests: it takes every shape that a real driver may have from
 * a struct nvme_setup (interrupt kind, page size, queue sizes, shadow
 * doorbells), and checks each completion strictly. A queue pair belongs to one
 * CPU, so there are no locks; the admin queue belongs to the boot CPU.
 */
#ifndef TESTS_KVM_GUEST_NVME_H
#define TESTS_KVM_GUEST_NVME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/nvme_spec.h"
#include "tests/kvm/guest/pci.h"

#define NVME_QUEUES_MAX		65	/* with the admin queue */
#define NVME_NAMESPACES_MAX	16
#define NVME_ADMIN_DEPTH	32
#define NVME_TIMEOUT_MS		40000
#define NVME_EVENTS_MAX		8

/* How completions are noticed. */
enum nvme_irq {
	NVME_IRQ_MSIX,
	NVME_IRQ_INTX,
	NVME_IRQ_POLL,
};

/* How a command points at its data. */
enum nvme_pointer {
	NVME_POINTER_PRP,
	NVME_POINTER_SGL,
	NVME_POINTER_MIXED,	/* one or the other, by chance */
};

/**
 * struct nvme_setup - how a controller shall be used
 * @irq:	kind of interrupts
 * @queues:	I/O queue pairs
 * @depth:	entries of each, at least 2
 * @page_shift:	controller page size, at least 12
 * @shadow:	use shadow doorbells
 * @first_cpu:	queue i belongs to CPU (first_cpu + i) % cpu_count()
 */
struct nvme_setup {
	enum nvme_irq irq;
	unsigned int queues;
	unsigned int depth;
	unsigned int page_shift;
	bool shadow;
	unsigned int first_cpu;
};

/**
 * struct nvme_done - a command that has completed
 * @cid:    its identifier
 * @status: status code type and status code, 0 for success
 * @result: dword 0 of the completion
 */
struct nvme_done {
	uint16_t cid;
	uint16_t status;
	uint32_t result;
};

struct nvme_ctrl;

/**
 * struct nvme_queue - a pair of a submission and a completion queue
 * @ctrl:	its controller
 * @id:		0 for the admin queue
 * @depth:	entries of both
 * @capacity:	entries that the memory has room for
 * @cpu:	which CPU it belongs to
 * @irq:	interrupt, -1 for polling
 * @sq:		submission entries
 * @cq:		completion entries
 * @sq_tail:	next entry to fill
 * @sq_head:	as the controller told last
 * @cq_head:	next entry to look at
 * @phase:	what the phase bit of a new entry is
 * @sq_rung:	tail at the last doorbell
 * @cq_unrung:	completions taken since the last doorbell
 * @sq_doorbell: register
 * @cq_doorbell: register
 * @shadow:	shadow doorbells of this pair (tail, head), or NULL
 * @event:	the controller's event indexes of this pair, or NULL
 * @busy:	by command identifier: has not completed
 * @free_cids:	identifiers that are not in use
 * @free_count:	how many
 * @rings:	doorbell registers written
 * @sleeps:	times it waited for an interrupt
 */
struct nvme_queue {
	struct nvme_ctrl *ctrl;
	uint16_t id;
	uint16_t depth;
	uint16_t capacity;
	unsigned int cpu;
	int irq;
	volatile struct nvme_command *sq;
	volatile struct nvme_completion *cq;
	uint16_t sq_tail;
	uint16_t sq_head;
	uint16_t cq_head;
	uint16_t phase;
	uint16_t sq_rung;
	uint16_t cq_unrung;
	volatile uint32_t *sq_doorbell;
	volatile uint32_t *cq_doorbell;
	volatile uint32_t *shadow;
	volatile uint32_t *event;
	uint8_t *busy;
	uint16_t *free_cids;
	unsigned int free_count;
	uint64_t rings;
	uint64_t sleeps;
};

/**
 * struct nvme_ns - a namespace
 * @ctrl:	  its controller
 * @nsid:	  number
 * @blocks:	  size in logical blocks
 * @block_shift: log2 of the logical block size
 */
struct nvme_ns {
	struct nvme_ctrl *ctrl;
	uint32_t nsid;
	uint64_t blocks;
	unsigned int block_shift;
};

/**
 * struct nvme_ctrl - a controller in use
 * @pci:	its function
 * @index:	0 for the first controller
 * @setup:	how it is used
 * @regs:	registers
 * @cap:	capabilities register
 * @page_size:	as set in CC.MPS
 * @max_bytes:	the largest transfer
 * @sgls:	the SGL support field of Identify Controller
 * @oacs:	the optional admin commands field
 * @serial:	serial number with a NUL
 * @queue:	admin queue and I/O queues
 * @queues:	I/O queues in use
 * @ns:		namespaces
 * @ns_count:	how many
 * @line:	INTx: the interrupt line, -1 if it is not known
 * @intx_irq:	INTx: the interrupt
 * @event_cids:	identifiers of outstanding Asynchronous Event Requests
 * @event_count: how many
 * @events:	results of completed ones that were not taken yet
 * @events_waiting: how many
 */
struct nvme_ctrl {
	struct pci_function *pci;
	unsigned int index;
	struct nvme_setup setup;
	volatile uint8_t *regs;
	uint64_t cap;
	uint32_t page_size;
	uint32_t max_bytes;
	uint32_t sgls;
	uint16_t oacs;
	char serial[21];
	struct nvme_queue queue[NVME_QUEUES_MAX];
	unsigned int queues;
	struct nvme_ns ns[NVME_NAMESPACES_MAX];
	unsigned int ns_count;
	int line;
	int intx_irq;
	uint16_t event_cids[NVME_EVENTS_MAX];
	unsigned int event_count;
	uint32_t events[NVME_EVENTS_MAX];
	unsigned int events_waiting;
};

/* nvme.c */
struct nvme_ctrl *nvme_find(unsigned int nth);
int nvme_open(struct nvme_ctrl *c, const struct nvme_setup *setup);
int nvme_reset(struct nvme_ctrl *c);
int nvme_shutdown(struct nvme_ctrl *c);
int nvme_identify(struct nvme_ctrl *c, uint32_t cns, uint32_t nsid,
		  void *buf);
uint32_t nvme_reg32(const struct nvme_ctrl *c, unsigned int reg);
uint64_t nvme_reg64(const struct nvme_ctrl *c, unsigned int reg);
void nvme_set32(const struct nvme_ctrl *c, unsigned int reg, uint32_t v);

/* nvme_irq.c */
int nvme_irqs_setup(struct nvme_ctrl *c);
int nvme_intx_setup(struct nvme_ctrl *c);
void nvme_irqs_release(struct nvme_ctrl *c);
void nvme_intx_rearm(struct nvme_ctrl *c);

/* nvme_queue.c */
void nvme_queue_init(struct nvme_queue *q, unsigned int depth);
int nvme_push(struct nvme_queue *q, struct nvme_command *cmd);
void nvme_ring(struct nvme_queue *q);
int nvme_reap(struct nvme_queue *q, struct nvme_done *done);
int nvme_wait(struct nvme_queue *q, struct nvme_done *done);
int nvme_sync(struct nvme_queue *q, struct nvme_command *cmd,
	      uint32_t *result);
int nvme_sync_status(struct nvme_queue *q, struct nvme_command *cmd,
		     struct nvme_done *done);
unsigned int nvme_outstanding(const struct nvme_queue *q);

/* nvme_event.c */
int nvme_event_request(struct nvme_ctrl *c);
bool nvme_event_take(struct nvme_ctrl *c, uint16_t cid, uint32_t result);

/* nvme_data.c */

/**
 * struct nvme_data - memory for one transfer, in scattered pages
 * @page:	addresses of the pages, each a controller page
 * @pages:	how many
 * @page_size:	their size
 * @offset:	where the data begins in the first page
 * @bytes:	length of the data
 * @list:	room for PRP lists and SGL segments: two pages
 */
struct nvme_data {
	uint8_t **page;
	unsigned int pages;
	uint32_t page_size;
	uint32_t offset;
	uint32_t bytes;
	uint8_t *list[2];
};

void nvme_data_alloc(struct nvme_data *d, uint32_t max_bytes,
		     uint32_t page_size, struct rng *r);
void nvme_data_place(struct nvme_data *d, uint32_t bytes, struct rng *r);
void nvme_data_put(struct nvme_data *d, uint32_t at, const void *src,
		   uint32_t len);
void nvme_data_guard(struct nvme_data *d);
bool nvme_data_guard_intact(const struct nvme_data *d);
void nvme_data_get(const struct nvme_data *d, uint32_t at, void *dst,
		   uint32_t len);
void nvme_data_point(struct nvme_data *d, struct nvme_command *cmd,
		     const struct nvme_ctrl *c, enum nvme_pointer kind,
		     struct rng *r);

#endif
