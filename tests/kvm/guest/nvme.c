// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe driver: find a controller, bring it up in the shape that a test
 * wants, and shut it down
 *
 * nvme_open() may be called again for another shape: it resets the controller
 * first. The memory of queues is kept.
 *
 * NVMe-2.0 3.5.1 (initialization), 3.6 (shutdown), 3.7 (reset).
 */
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/pci.h"
#include "tests/kvm/guest/platform.h"

#define CONTROLLERS_MAX		8

static struct nvme_ctrl *controllers[CONTROLLERS_MAX];

/**
 * nvme_reg32 - read a register
 * @c:   controller
 * @reg: NVME_*
 *
 * Return: its value.
 */
uint32_t nvme_reg32(const struct nvme_ctrl *c, unsigned int reg)
{
	return *(volatile uint32_t *)(c->regs + reg);
}

/**
 * nvme_set32 - write a register
 * @c:   controller
 * @reg: NVME_*
 * @v:   value
 */
void nvme_set32(const struct nvme_ctrl *c, unsigned int reg, uint32_t v)
{
	*(volatile uint32_t *)(c->regs + reg) = v;
}

/**
 * nvme_reg64 - read a 64-bit register, in two halves as all drivers can
 * @c:   controller
 * @reg: NVME_*
 *
 * Return: its value.
 */
uint64_t nvme_reg64(const struct nvme_ctrl *c, unsigned int reg)
{
	return nvme_reg32(c, reg) | (uint64_t)nvme_reg32(c, reg + 4) << 32;
}

static void set64(const struct nvme_ctrl *c, unsigned int reg, uint64_t v)
{
	nvme_set32(c, reg, (uint32_t)v);
	nvme_set32(c, reg + 4, (uint32_t)(v >> 32));
}

/**
 * nvme_find - find a controller
 * @nth: 0 for the first one
 *
 * Return: the controller, not opened yet, or NULL.
 */
struct nvme_ctrl *nvme_find(unsigned int nth)
{
	struct pci_function *f = pci_find_class(NVME_PCI_CLASS, nth);
	struct nvme_ctrl *c;
	unsigned int i;

	if (!f || nth >= CONTROLLERS_MAX)
		return NULL;
	if (controllers[nth])
		return controllers[nth];
	c = mem_alloc(sizeof(*c), 64);
	c->pci = f;
	c->index = nth;
	c->line = -1;
	c->intx_irq = -1;
	for (i = 0; i < NVME_QUEUES_MAX; i++) {
		c->queue[i].ctrl = c;
		c->queue[i].id = (uint16_t)i;
		c->queue[i].irq = -1;
	}
	controllers[nth] = c;
	return c;
}

/* Waits until the bits of @mask in CSTS are @want. */
static int status_wait(const struct nvme_ctrl *c, uint32_t mask, uint32_t want)
{
	/* CAP.TO is in units of 500 ms; one more for a slow host. */
	const uint64_t ns = ((c->cap >> 24 & 0xff) + 1) * 500000000ull;
	const uint64_t end = now_ns() + MAX(ns, 30000000000ull);
	uint32_t v;

	do {
		v = nvme_reg32(c, NVME_CSTS);
		if ((v & mask) == want)
			return 0;
		CHECK(!(v & CSTS_FATAL), "nvme%u: fatal status, csts %x",
		      c->index, v);
		cpu_relax();
	} while (now_ns() < end);
	CHECK(false, "nvme%u: csts stays %x, cc %x", c->index, v,
	      nvme_reg32(c, NVME_CC));
}

/**
 * nvme_reset - controller reset: disable it and forget what was outstanding
 * @c: controller
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_reset(struct nvme_ctrl *c)
{
	nvme_set32(c, NVME_CC, nvme_reg32(c, NVME_CC) & ~CC_ENABLE);
	c->event_count = 0;
	c->events_waiting = 0;
	c->queues = 0;
	return status_wait(c, CSTS_READY, 0);
}

/**
 * nvme_shutdown - normal shutdown
 * @c: controller, enabled
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_shutdown(struct nvme_ctrl *c)
{
	const uint32_t v = nvme_reg32(c, NVME_CC) & ~CC_SHN_MASK;

	nvme_set32(c, NVME_CC, v | CC_SHN_NORMAL);
	return status_wait(c, CSTS_SHST_MASK, CSTS_SHST_DONE);
}

static int enable(struct nvme_ctrl *c)
{
	struct nvme_queue *admin = &c->queue[0];
	const uint32_t stride = 4u << (c->cap >> 32 & 15);

	nvme_queue_init(admin, NVME_ADMIN_DEPTH);
	admin->sq_doorbell = (volatile uint32_t *)(c->regs + NVME_DOORBELLS);
	admin->cq_doorbell = admin->sq_doorbell + stride / 4;
	admin->shadow = NULL;
	nvme_set32(c, NVME_AQA, (NVME_ADMIN_DEPTH - 1) << 16 |
		   (NVME_ADMIN_DEPTH - 1));
	set64(c, NVME_ASQ, (uint64_t)admin->sq);
	set64(c, NVME_ACQ, (uint64_t)admin->cq);
	nvme_set32(c, NVME_CC, CC_ENTRY_SIZES | CC_ENABLE |
		   (c->setup.page_shift - 12) << 7);
	return status_wait(c, CSTS_READY, CSTS_READY);
}

/**
 * nvme_identify - Identify
 * @c:    controller
 * @cns:  which data structure
 * @nsid: namespace, where it matters
 * @buf:  4 KiB, aligned to 4 KiB
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_identify(struct nvme_ctrl *c, uint32_t cns, uint32_t nsid, void *buf)
{
	struct nvme_command cmd = {
		.opcode = NVME_ADMIN_IDENTIFY,
		.nsid = nsid,
		.prp = { (uint64_t)buf },
		.cdw10 = cns,
	};

	return nvme_sync(&c->queue[0], &cmd, NULL);
}

static int namespaces_read(struct nvme_ctrl *c, uint8_t *buf)
{
	uint32_t ids[NVME_NAMESPACES_MAX + 1] = { 0 };
	uint32_t lbaf;
	unsigned int i;

	if (nvme_identify(c, NVME_CNS_ACTIVE_LIST, 0, buf))
		return -1;
	memcpy(ids, buf, sizeof(ids) - sizeof(ids[0]));
	for (i = 0; ids[i]; i++) {
		struct nvme_ns *ns = &c->ns[i];

		if (nvme_identify(c, NVME_CNS_NAMESPACE, ids[i], buf))
			return -1;
		ns->ctrl = c;
		ns->nsid = ids[i];
		memcpy(&ns->blocks, buf + ID_NS_SIZE, sizeof(ns->blocks));
		memcpy(&lbaf, buf + ID_NS_LBAF + 4 * (buf[ID_NS_FLBAS] & 15),
		       sizeof(lbaf));
		ns->block_shift = lbaf >> 16 & 0xff;
		CHECK(ns->blocks && ns->block_shift >= 9 &&
		      ns->block_shift <= 16 && !(lbaf & 0xffff),
		      "nvme%un%u: %lu blocks, format %x", c->index, ns->nsid,
		      ns->blocks, lbaf);
	}
	c->ns_count = i;
	return 0;
}

static int identity_read(struct nvme_ctrl *c)
{
	uint8_t *buf = mem_alloc(4096, 4096);
	const uint32_t page_min = 4096u << (c->cap >> 48 & 15);
	unsigned int i;

	if (nvme_identify(c, NVME_CNS_CONTROLLER, 0, buf))
		return -1;
	memcpy(c->serial, buf + ID_CTRL_SERIAL, 20);
	for (i = 20; i && c->serial[i - 1] == ' '; i--)
		c->serial[i - 1] = '\0';
	memcpy(&c->oacs, buf + ID_CTRL_OACS, sizeof(c->oacs));
	memcpy(&c->sgls, buf + ID_CTRL_SGLS, sizeof(c->sgls));
	/* MDTS is in units of the smallest page; 0 is no limit. */
	c->max_bytes = buf[ID_CTRL_MDTS] && buf[ID_CTRL_MDTS] < 12 ?
		       page_min << buf[ID_CTRL_MDTS] : (uint32_t)MIB(16);
	return namespaces_read(c, buf);
}

static int queues_ask(struct nvme_ctrl *c)
{
	struct nvme_command cmd = {
		.opcode = NVME_ADMIN_SET_FEATURES,
		.cdw10 = NVME_FEATURE_QUEUES,
		.cdw11 = (c->setup.queues - 1) << 16 | (c->setup.queues - 1),
	};
	uint32_t got;

	if (nvme_sync(&c->queue[0], &cmd, &got))
		return -1;
	CHECK((got & 0xffff) + 1 >= c->setup.queues &&
	      (got >> 16) + 1 >= c->setup.queues,
	      "nvme%u: %u queues wanted, result %x", c->index,
	      c->setup.queues, got);
	c->queues = c->setup.queues;
	return 0;
}

static int shadow_setup(struct nvme_ctrl *c)
{
	const uint32_t stride = 4u << (c->cap >> 32 & 15);
	uint8_t *shadow, *event;
	struct nvme_command cmd = { .opcode = NVME_ADMIN_DOORBELLS };
	unsigned int i;

	for (i = 1; i <= c->queues; i++)
		c->queue[i].shadow = NULL;
	if (!c->setup.shadow)
		return 0;
	CHECK(c->oacs & OACS_DOORBELLS, "nvme%u has no shadow doorbells",
	      c->index);
	shadow = mem_alloc(c->page_size, c->page_size);
	event = mem_alloc(c->page_size, c->page_size);
	cmd.prp[0] = (uint64_t)shadow;
	cmd.prp[1] = (uint64_t)event;
	if (nvme_sync(&c->queue[0], &cmd, NULL))
		return -1;
	for (i = 1; i <= c->queues; i++) {
		c->queue[i].shadow = (volatile uint32_t *)(shadow +
							   2 * i * stride);
		c->queue[i].event = (volatile uint32_t *)(event +
							  2 * i * stride);
	}
	return 0;
}

static int queue_create(struct nvme_ctrl *c, struct nvme_queue *q)
{
	const uint32_t stride = 4u << (c->cap >> 32 & 15);
	const uint32_t vector = c->setup.irq == NVME_IRQ_MSIX ? q->id : 0;
	struct nvme_command cq = {
		.opcode = NVME_ADMIN_CREATE_CQ,
		.cdw11 = NVME_QUEUE_CONTIGUOUS | vector << 16 |
			 (c->setup.irq == NVME_IRQ_POLL ? 0 :
			  NVME_CQ_INTERRUPTS),
	};
	struct nvme_command sq = {
		.opcode = NVME_ADMIN_CREATE_SQ,
		.cdw11 = NVME_QUEUE_CONTIGUOUS | (uint32_t)q->id << 16,
	};

	nvme_queue_init(q, c->setup.depth);
	q->sq_doorbell = (volatile uint32_t *)(c->regs + NVME_DOORBELLS +
					       2 * q->id * stride);
	q->cq_doorbell = q->sq_doorbell + stride / 4;
	cq.prp[0] = (uint64_t)q->cq;
	sq.prp[0] = (uint64_t)q->sq;
	cq.cdw10 = (uint32_t)(q->depth - 1) << 16 | q->id;
	sq.cdw10 = cq.cdw10;
	if (nvme_sync(&c->queue[0], &cq, NULL))
		return -1;
	return nvme_sync(&c->queue[0], &sq, NULL);
}

static int queues_create(struct nvme_ctrl *c)
{
	unsigned int i;

	CHECK(c->setup.depth >= 2 &&
	      c->setup.depth <= (c->cap & 0xffff) + 1,
	      "nvme%u: depth %u, at most %lu", c->index, c->setup.depth,
	      (c->cap & 0xffff) + 1);
	for (i = 1; i <= c->queues; i++)
		if (queue_create(c, &c->queue[i]))
			return -1;
	return 0;
}

/**
 * nvme_open - bring a controller up
 * @c:     controller; if it is in use, it is reset
 * @setup: the shape
 *
 * Context: boot CPU.
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_open(struct nvme_ctrl *c, const struct nvme_setup *setup)
{
	unsigned int i;

	CHECK(c->pci->bar[0].size >= 0x2000 && c->pci->bar[0].addr,
	      "nvme%u: BAR 0 at %lx size %lx", c->index, c->pci->bar[0].addr,
	      c->pci->bar[0].size);
	c->regs = mmio_map(c->pci->bar[0].addr, c->pci->bar[0].size);
	pci_command(c->pci, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	c->cap = nvme_reg64(c, NVME_CAP);
	CHECK(c->cap != ~0ull && (c->cap >> 37 & 1),
	      "nvme%u: CAP %lx has no NVM command set", c->index, c->cap);
	CHECK(setup->page_shift - 12 >= (c->cap >> 48 & 15) &&
	      setup->page_shift - 12 <= (c->cap >> 52 & 15),
	      "nvme%u: page shift %u, CAP %lx", c->index, setup->page_shift,
	      c->cap);
	CHECK(setup->queues && setup->queues < NVME_QUEUES_MAX, "%u queues",
	      setup->queues);
	nvme_irqs_release(c);
	c->setup = *setup;
	c->page_size = 1u << setup->page_shift;
	for (i = 0; i < NVME_QUEUES_MAX; i++)
		c->queue[i].cpu = i ? (setup->first_cpu + i - 1) % cpu_count() :
				      0;
	if (nvme_reset(c) || nvme_irqs_setup(c) || enable(c) ||
	    identity_read(c) || queues_ask(c) || nvme_intx_setup(c) ||
	    shadow_setup(c))
		return -1;
	return queues_create(c);
}
