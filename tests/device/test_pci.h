/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a PCI function for tests
 *
 * Device class "test-pci", registered in the test program that includes this
 * file: a 64-bit BAR of plain memory, a BAR of I/O ports if there are, a 32-bit BAR,
 * MSI-X in BAR 4, and counters of what it was told. No other program has it.
 */
#ifndef TESTS_DEVICE_TEST_PCI_H
#define TESTS_DEVICE_TEST_PCI_H

#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/harness.h"
#include "tests/lib/testvm.h"

#include "devices/pci/pci.h"
#include "vmm/arch.h"

#define TEST_VECTORS	70		/* more than one word of pending bits */
#define TEST_BAR0	16384
#define TEST_BAR2	64		/* ports */
#define TEST_BAR3	65536

struct test_pci {
	struct pci_device pci;
	u64 regs[TEST_BAR0 / 8];
	u32 bar_reads;
	u32 commands;
	u32 moves;
	u32 flrs;
	bool gate_closed_in_flr;
};

static inline struct test_pci *to_test(struct device *dev)
{
	return container_of(dev, struct test_pci, pci.dev);
}

static u64 test_read(struct bus_region *region, u64 offset, u32 len)
{
	struct test_pci *t = region->opaque;
	u64 value = 0;

	t->bar_reads++;
	memcpy(&value, (u8 *)t->regs + offset % sizeof(t->regs), len);
	return value;
}

static void test_write(struct bus_region *region, u64 offset, u64 value,
		       u32 len)
{
	struct test_pci *t = region->opaque;

	memcpy((u8 *)t->regs + offset % sizeof(t->regs), &value, len);
}

static const struct bus_ops test_bar_ops = {
	.read = test_read,
	.write = test_write,
};

static void test_command_changed(struct pci_device *pci)
{
	container_of(pci, struct test_pci, pci)->commands++;
}

static void test_bars_moved(struct pci_device *pci)
{
	container_of(pci, struct test_pci, pci)->moves++;
}

static void test_flr(struct pci_device *pci)
{
	struct test_pci *t = container_of(pci, struct test_pci, pci);

	t->flrs++;
	t->gate_closed_in_flr = pci->dev.gate.closed & GATE_NO_BUS_MASTER;
}

static const struct pci_ops test_pci_ops = {
	.command_changed = test_command_changed,
	.bars_moved = test_bars_moved,
	.flr = test_flr,
};

static const struct pci_ident test_ident = {
	.vendor = 0x1234,
	.device = 0x5678,
	.subsystem_vendor = 0x9abc,
	.subsystem = 0xdef0,
	.class = 0x010802,
	.revision = 7,
	.intx = true,
};

/* Not every architecture has a window for BARs of I/O ports. */
static inline bool test_has_ports(void)
{
	return arch_layout.pci_pio.size;
}

static int test_build(struct test_pci *t, struct error *err)
{
	struct pci_device *pci = &t->pci;
	int ret;

	ret = pci_bar_add(pci, 0, TEST_BAR0, PCI_BAR_MMIO64, &test_bar_ops, t,
			  err);
	if (!ret && test_has_ports())
		ret = pci_bar_add(pci, 2, TEST_BAR2, PCI_BAR_PIO,
				  &test_bar_ops, t, err);
	if (!ret)
		ret = pci_bar_add(pci, 3, TEST_BAR3,
				  PCI_BAR_MMIO32 | PCI_BAR_PREFETCH,
				  &test_bar_ops, t, err);
	if (!ret)
		ret = pci_pm_add(pci, err);
	if (!ret)
		ret = pci_express_add(pci, err);
	if (!ret)
		ret = msix_add(pci, 4, TEST_VECTORS, err);
	if (!ret)
		ret = pci_device_publish(pci, err);
	return ret;
}

static int test_realize(struct device *dev, struct error *err)
{
	struct test_pci *t = to_test(dev);
	int ret;

	ret = pci_device_init(&t->pci, &test_ident, &test_pci_ops, err);
	if (ret)
		return ret;
	ret = test_build(t, err);
	if (ret) {
		msix_remove(&t->pci);
		pci_device_destroy(&t->pci);
	}
	return ret;
}

static void test_unrealize(struct device *dev)
{
	struct test_pci *t = to_test(dev);

	msix_remove(&t->pci);
	pci_device_destroy(&t->pci);
}

static void test_reset(struct device *dev)
{
	pci_device_reset(&to_test(dev)->pci);
}

static void test_save(const struct device *dev, void *state)
{
	pci_state_save(container_of(dev, struct pci_device, dev), state);
}

static int test_check(const struct device *dev, const void *state,
		      struct error *err)
{
	return pci_state_check(container_of(dev, struct pci_device, dev), state,
			       err);
}

static void test_load(struct device *dev, const void *state)
{
	pci_state_load(&to_test(dev)->pci, state);
}

static const struct device_ops test_ops = {
	.realize = test_realize,
	.reset = test_reset,
	.save = test_save,
	.check = test_check,
	.load = test_load,
	.unrealize = test_unrealize,
};

static const struct device_class test_pci_class = {
	.name = "test-pci",
	.compatible = "lkvm,test-pci",
	.summary = "PCI function for tests",
	.kind = DEVICE_PCI,
	.max = 32,
	.instance_size = sizeof(struct test_pci),
	.state = &pci_state_desc,
	.ops = &test_ops,
};

DEVICE_CLASS_REGISTER(test_pci_class);

/* The machine under test: a bus and the function in slot 3. */
FIXTURE(pci)
{
	struct vm *vm;
	struct device *dev;
	struct test_pci *t;
};

FIXTURE_SETUP(pci)
{
	self->vm = testvm_create(16 * MIB);
	self->dev = testvm_add_pci(self->vm, "test-pci", 0, 3, NULL);
	self->t = to_test(self->dev);
}

FIXTURE_TEARDOWN(pci)
{
	testvm_destroy(self->vm);
}

#endif /* TESTS_DEVICE_TEST_PCI_H */
