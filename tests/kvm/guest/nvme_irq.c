// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe driver: interrupts
 *
 * MSI-X: one vector per queue, to the queue's CPU. INTx: one for the whole
 * controller, to the boot CPU; the hook masks it in the controller (INTMS)
 * and nvme_intx_rearm() unmasks it (INTMC) when the queues have been emptied.
 *
 * Which line an INTx pin is wired to is written in AML, which this guest does
 * not interpret. It finds out: it makes the controller raise its interrupt
 * and looks which line of the I/O APIC brings it.
 *
 * NVMe-2.0 3.1.3.3 and 3.1.3.4; NVMe-PCIe-1.0 3.5.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/platform.h"

#define LINE_TIMEOUT_NS		10000000000ull
#define LINES_MAX		64u

/* Controllers that use INTx: the hook masks all, the line may be shared. */
static struct nvme_ctrl *intx_users[8];
static unsigned int intx_user_count;

static void intx_hook(unsigned int irq)
{
	unsigned int i;

	(void)irq;
	for (i = 0; i < intx_user_count; i++)
		nvme_set32(intx_users[i], NVME_INTMS, 1);
}

/**
 * nvme_intx_rearm - let the controller raise its INTx interrupt again
 * @c: controller; nothing is done if it uses another kind
 */
void nvme_intx_rearm(struct nvme_ctrl *c)
{
	if (c->setup.irq == NVME_IRQ_INTX)
		nvme_set32(c, NVME_INTMC, 1);
}

/**
 * struct line_probe - an interrupt line that may be the controller's
 * @irq:  interrupt, -1 if the line is not looked at
 * @seen: its counter at the start
 */
struct line_probe {
	int irq;
	uint32_t seen;
};

/* Waits until a line has brought its interrupt; returns it, or -1. */
static int line_wait(const struct line_probe *p, unsigned int lines)
{
	const uint64_t end = now_ns() + LINE_TIMEOUT_NS;
	unsigned int i;

	while (now_ns() < end)
		for (i = 0; i < lines; i++)
			if (p[i].irq >= 0 &&
			    irq_seen((unsigned int)p[i].irq) != p[i].seen)
				return (int)i;
	return -1;
}

/*
 * The controller is enabled and its admin queue is polled. Interrupts of
 * other devices on these lines do not matter: they are not enabled there.
 */
static int intx_find_line(struct nvme_ctrl *c)
{
	const unsigned int lines = MIN(irq_line_count(), LINES_MAX);
	uint8_t *buf = mem_alloc(4096, 4096);
	struct line_probe p[LINES_MAX];
	unsigned int i;
	int ret;

	for (i = 0; i < lines; i++) {
		/* 0 to 4 and 8 are ISA's: timers, the serial ports. */
		p[i].irq = i > 4 && i != 8 ? irq_alloc(intx_hook) : -1;
		if (p[i].irq < 0)
			continue;
		p[i].seen = irq_seen((unsigned int)p[i].irq);
		irq_line_attach(i, (unsigned int)p[i].irq, true);
	}
	ret = nvme_identify(c, NVME_CNS_CONTROLLER, 0, buf);
	nvme_set32(c, NVME_INTMC, 1);
	c->line = ret ? -1 : line_wait(p, lines);
	for (i = 0; i < lines; i++) {
		if (p[i].irq < 0 || (int)i == c->line)
			continue;
		irq_line_detach(i);
		irq_free((unsigned int)p[i].irq);
	}
	CHECK(c->line >= 0, "nvme%u: no line brings INTx, status %x", c->index,
	      pci_read(c->pci, PCI_COMMAND) >> 16);
	c->intx_irq = p[c->line].irq;
	print("guest: nvme%u: INTx on line %d (line register %u, pin %u)\n",
	      c->index, c->line, pci_read(c->pci, PCI_INTERRUPT) & 0xff,
	      pci_read(c->pci, PCI_INTERRUPT) >> 8 & 0xff);
	return 0;
}

/**
 * nvme_irqs_setup - MSI-X, if @c->setup asks for it: a vector for each queue
 * @c: controller, not enabled yet; its queues' CPUs are set
 *
 * Before the controller is enabled, as other drivers do it.
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_irqs_setup(struct nvme_ctrl *c)
{
	const unsigned int queues = c->setup.queues;
	unsigned int i;
	int irq;

	if (c->setup.irq != NVME_IRQ_MSIX)
		return 0;
	CHECK(c->pci->msix, "nvme%u has no MSI-X", c->index);
	CHECK(queues < c->pci->msix_count, "nvme%u: %u vectors, %u queues",
	      c->index, c->pci->msix_count, queues);
	for (i = 0; i <= queues; i++) {
		struct nvme_queue *q = &c->queue[i];

		irq = irq_alloc(NULL);
		CHECK(irq >= 0, "no interrupt vector left");
		q->irq = irq;
		pci_msix_set(c->pci, i, irq_message((unsigned int)irq, q->cpu,
						    c->pci->bdf));
	}
	pci_msix_enable(c->pci, true);
	return 0;
}

/**
 * nvme_intx_setup - INTx, if @c->setup asks for it
 * @c: controller, enabled, its admin queue is polled
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_intx_setup(struct nvme_ctrl *c)
{
	unsigned int i;

	if (c->setup.irq != NVME_IRQ_INTX)
		return 0;
	CHECK(intx_user_count < ARRAY_SIZE(intx_users), "too many controllers");
	/* The line must be low when the I/O APIC's entry is set up. */
	nvme_set32(c, NVME_INTMS, 1);
	pci_command(c->pci, 0, PCI_COMMAND_INTX_OFF);
	intx_users[intx_user_count++] = c;
	if (c->line >= 0)
		irq_line_attach((unsigned int)c->line,
				(unsigned int)c->intx_irq, true);
	else if (intx_find_line(c))
		return -1;
	for (i = 0; i <= c->queues; i++)
		c->queue[i].irq = c->intx_irq;
	return 0;
}

/**
 * nvme_irqs_release - switch all interrupts off
 * @c: controller
 */
void nvme_irqs_release(struct nvme_ctrl *c)
{
	unsigned int i;

	pci_command(c->pci, PCI_COMMAND_INTX_OFF, 0);
	if (c->pci->msix)
		pci_msix_enable(c->pci, false);
	for (i = 0; i < intx_user_count; i++)
		if (intx_users[i] == c)
			intx_users[i--] = intx_users[--intx_user_count];
	if (c->line >= 0)
		irq_line_detach((unsigned int)c->line);
	for (i = 0; i < NVME_QUEUES_MAX; i++) {
		const int irq = c->queue[i].irq;

		if (irq >= 0 && irq != c->intx_irq)
			irq_free((unsigned int)irq);
		c->queue[i].irq = -1;
	}
}
