// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: PCI configuration space, BARs and the host bridge
 */
#include "tests/device/test_pci.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"

#define SLOT	3

static u32 get(struct vm *vm, u32 reg, u32 len)
{
	return testvm_config_read(vm, SLOT, reg, len);
}

static void put(struct vm *vm, u32 reg, u32 value, u32 len)
{
	testvm_config_write(vm, SLOT, reg, value, len);
}

static u32 bar_reg(u32 bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

TEST_F(pci, identity_is_readable_in_every_width)
{
	EXPECT_EQ(0x56781234, get(self->vm, PCI_VENDOR_ID, 4));
	EXPECT_EQ(0x5678, get(self->vm, PCI_DEVICE_ID, 2));
	EXPECT_EQ(0x56, get(self->vm, PCI_DEVICE_ID + 1, 1));
	EXPECT_EQ(0x01080207, get(self->vm, PCI_CLASS_REVISION, 4));
	EXPECT_EQ(0xdef09abc, get(self->vm, PCI_SUBSYSTEM_VENDOR_ID, 4));
	EXPECT_EQ(1, get(self->vm, PCI_INTERRUPT_PIN, 1));
	EXPECT_EQ(0, get(self->vm, PCI_HEADER_TYPE, 1));
}

TEST_F(pci, identity_cannot_be_written)
{
	put(self->vm, PCI_VENDOR_ID, 0, 4);
	put(self->vm, PCI_CLASS_REVISION, 0, 4);
	put(self->vm, PCI_CAPABILITY_LIST, 0, 1);
	EXPECT_EQ(0x56781234, get(self->vm, PCI_VENDOR_ID, 4));
	EXPECT_EQ(0x01080207, get(self->vm, PCI_CLASS_REVISION, 4));
	EXPECT_NE(0, get(self->vm, PCI_CAPABILITY_LIST, 1));
}

TEST_F(pci, absent_functions_read_as_ones)
{
	u64 ecam = arch_layout.pci_ecam.base;

	EXPECT_EQ(0xffffffff, testvm_config_read(self->vm, 4, 0, 4));
	/* function 1 of the slot, and bus 1 */
	EXPECT_EQ(0xffff, testvm_mmio_read(self->vm, ecam + (SLOT << 15) +
					   (1 << 12), 2));
	EXPECT_EQ(0xff, testvm_mmio_read(self->vm, ecam + MIB, 1));
	testvm_config_write(self->vm, 4, PCI_COMMAND, 7, 2);
}

TEST_F(pci, host_bridge_is_in_slot_0)
{
	EXPECT_EQ(0x0600, testvm_config_read(self->vm, 0, PCI_CLASS_DEVICE, 2));
}

TEST_F(pci, wide_and_misaligned_accesses_are_split)
{
	u64 at = arch_layout.pci_ecam.base + (SLOT << 15);

	put(self->vm, PCI_INTERRUPT_LINE, 0x5a, 1);
	EXPECT_EQ(0x01080207ULL << 32 |
		  get(self->vm, PCI_COMMAND, 4),
		  testvm_mmio_read(self->vm, at + PCI_COMMAND, 8));
	/* two bytes of the device ID and two of Command */
	EXPECT_EQ(0x5678 | get(self->vm, PCI_COMMAND, 2) << 16,
		  testvm_mmio_read(self->vm, at + PCI_DEVICE_ID, 4));
	/* from the end of this function into one that is not there */
	EXPECT_EQ(0xffff0000,
		  testvm_mmio_read(self->vm, at + PCI_CONFIG_SIZE - 2, 4));
	testvm_mmio_write(self->vm, at + PCI_INTERRUPT_LINE - 3, 0x77000000, 4);
	EXPECT_EQ(0x77, get(self->vm, PCI_INTERRUPT_LINE, 1));
}

TEST_F(pci, ports_reach_the_same_registers)
{
	const struct arch_resource *res = arch_resource_find("pci-host", 0);
	struct vm *vm = self->vm;

	if (!res || !res->pio)
		SKIP(return, "no configuration ports on this architecture");
	EXPECT_EQ(0, testvm_pio_read(vm, res->base, 4));
	EXPECT_EQ(0xffffffff, testvm_pio_read(vm, res->base + 4, 4));
	testvm_pio_write(vm, res->base, 0xff000003 | SLOT << 11, 4);
	EXPECT_EQ(0x80000000 | SLOT << 11, testvm_pio_read(vm, res->base, 4));
	EXPECT_EQ(0x56781234, testvm_pio_read(vm, res->base + 4, 4));
	EXPECT_EQ(0x5678, testvm_pio_read(vm, res->base + 6, 2));
	EXPECT_EQ(0x12, testvm_pio_read(vm, res->base + 5, 1));

	/* bytes of the address port are not ours */
	testvm_pio_write(vm, res->base + 1, 6, 1);
	EXPECT_EQ(0xff, testvm_pio_read(vm, res->base + 1, 1));
	EXPECT_EQ(0x56781234, testvm_pio_read(vm, res->base + 4, 4));

	testvm_pio_write(vm, res->base,
			 0x80000000 | SLOT << 11 | PCI_INTERRUPT_LINE, 4);
	testvm_pio_write(vm, res->base + 4, 0x21, 1);
	EXPECT_EQ(0x21, get(vm, PCI_INTERRUPT_LINE, 1));

	/* another bus */
	testvm_pio_write(vm, res->base, 0x80010000 | SLOT << 11, 4);
	EXPECT_EQ(0xffffffff, testvm_pio_read(vm, res->base + 4, 4));
}

/* Is there a window for memory BARs at this address? */
static bool in_window(struct vm *vm, u64 addr)
{
	const struct arch_range *low = &arch_layout.pci_mmio32;
	const struct arch_range high = arch_pci_mmio64(vm);

	return range_within(addr, TEST_BAR3, low->base, low->size) ||
	       range_within(addr, TEST_BAR3, high.base, high.size);
}

TEST_F(pci, bars_tell_their_size)
{
	struct vm *vm = self->vm;
	u32 low = get(vm, bar_reg(0), 4), high = get(vm, bar_reg(1), 4);

	put(vm, bar_reg(0), 0xffffffff, 4);
	put(vm, bar_reg(1), 0xffffffff, 4);
	EXPECT_EQ(0xffffc004, get(vm, bar_reg(0), 4));
	EXPECT_EQ(0xffffffff, get(vm, bar_reg(1), 4));
	put(vm, bar_reg(0), low, 4);
	put(vm, bar_reg(1), high, 4);
	EXPECT_TRUE(pci_bar_mapped(&self->t->pci, 0));

	put(vm, bar_reg(2), 0xffffffff, 4);
	EXPECT_EQ(test_has_ports() ? 0xffffffc1 : 0, get(vm, bar_reg(2), 4));
	put(vm, bar_reg(3), 0xffffffff, 4);
	EXPECT_EQ(0xffff0008, get(vm, bar_reg(3), 4));
	put(vm, bar_reg(5), 0xffffffff, 4);
	EXPECT_EQ(0, get(vm, bar_reg(5), 4));
	EXPECT_EQ(in_window(vm, 0xffff0000), pci_bar_mapped(&self->t->pci, 3));
}

TEST_F(pci, bars_decode_at_power_on)
{
	u64 bar0 = testvm_bar(self->vm, SLOT, 0);
	u64 bar3 = testvm_bar(self->vm, SLOT, 3);

	EXPECT_EQ((test_has_ports() ? PCI_COMMAND_IO : 0) | PCI_COMMAND_MEMORY,
		  get(self->vm, PCI_COMMAND, 2));
	EXPECT_EQ(0, bar0 % TEST_BAR0);
	EXPECT_EQ(0, bar3 % TEST_BAR3);
	EXPECT_LT(bar3, 4 * GIB);
	EXPECT_TRUE(pci_bar_mapped(&self->t->pci, 0));
	EXPECT_EQ(test_has_ports(), pci_bar_mapped(&self->t->pci, 2));
	EXPECT_TRUE(pci_bar_mapped(&self->t->pci, 3));
	testvm_mmio_write(self->vm, bar0 + 8, 0x1122334455667788, 8);
	EXPECT_EQ(0x1122334455667788, self->t->regs[1]);
	EXPECT_EQ(0x3344, testvm_mmio_read(self->vm, bar0 + 12, 4) & 0xffff);
	EXPECT_EQ(0x88, testvm_mmio_read(self->vm, bar3 + 8, 1));
}

TEST_F(pci, bars_move_and_the_device_hears_of_it)
{
	struct vm *vm = self->vm;
	u64 old = testvm_bar(vm, SLOT, 3), new = old + 16 * TEST_BAR3;
	u32 moves = self->t->moves;

	self->t->regs[0] = 42;
	put(vm, bar_reg(3), (u32)new, 4);
	EXPECT_EQ(moves + 1, self->t->moves);
	EXPECT_EQ(42, testvm_mmio_read(vm, new, 4));
	EXPECT_EQ(0xffffffff, testvm_mmio_read(vm, old, 4));
	/* The same again is no move. */
	put(vm, bar_reg(3), (u32)new, 4);
	EXPECT_EQ(moves + 1, self->t->moves);
	/* From below 4 GiB into the window, and half of the way. */
	put(vm, bar_reg(0), (u32)(new + MIB), 4);
	put(vm, bar_reg(1), 0, 4);
	EXPECT_EQ(new + MIB, testvm_bar(vm, SLOT, 0));
	EXPECT_EQ(42, testvm_mmio_read(vm, new + MIB, 4));
}

TEST_F(pci, decode_bits_switch_bars_off)
{
	struct vm *vm = self->vm;
	u64 bar0 = testvm_bar(vm, SLOT, 0);
	u32 port = get(vm, bar_reg(2), 4) & ~3U;

	self->t->regs[0] = 42;
	put(vm, PCI_COMMAND, PCI_COMMAND_IO, 2);
	EXPECT_EQ(0xffffffff, testvm_mmio_read(vm, bar0, 4));
	if (test_has_ports())
		EXPECT_EQ(42, testvm_pio_read(vm, port, 4));
	put(vm, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	EXPECT_EQ(42, testvm_mmio_read(vm, bar0, 4));
	if (test_has_ports())
		EXPECT_EQ(0xffffffff, testvm_pio_read(vm, port, 4));
	EXPECT_EQ(2, self->t->commands);
}

TEST_F(pci, bars_outside_the_windows_do_not_decode)
{
	static const u32 bad[] = { 0, 0x10000, 0xfee00000, 0xffff0000 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put(self->vm, bar_reg(3), bad[i], 4);
		EXPECT_EQ(in_window(self->vm, bad[i]),
			  pci_bar_mapped(&self->t->pci, 3));
	}
	put(self->vm, bar_reg(3), (u32)arch_layout.pci_ecam.base, 4);
	EXPECT_EQ(false, pci_bar_mapped(&self->t->pci, 3));
	EXPECT_EQ(0x56781234, get(self->vm, PCI_VENDOR_ID, 4));
}

TEST_F(pci, swapped_bars_both_decode_in_the_end)
{
	struct vm *vm = self->vm;
	struct device *dev = testvm_add_pci(vm, "test-pci", 1, 4, NULL);
	struct test_pci *other = to_test(dev);
	u32 a = (u32)testvm_bar(vm, SLOT, 3), b = (u32)testvm_bar(vm, 4, 3);

	self->t->regs[0] = 1;
	other->regs[0] = 2;
	ASSERT_EQ(1, testvm_mmio_read(vm, a, 4));
	ASSERT_EQ(2, testvm_mmio_read(vm, b, 4));
	put(vm, bar_reg(3), b, 4);
	EXPECT_EQ(2, testvm_mmio_read(vm, b, 4));
	EXPECT_EQ(0xffffffff, testvm_mmio_read(vm, a, 4));
	testvm_config_write(vm, 4, bar_reg(3), a, 4);
	EXPECT_EQ(1, testvm_mmio_read(vm, b, 4));
	EXPECT_EQ(2, testvm_mmio_read(vm, a, 4));
}

TEST_F(pci, power_on_addresses_follow_slots_not_creation)
{
	static const u32 orders[][3] = { { 1, 5, 9 }, { 9, 5, 1 }, { 5, 9, 1 } };
	u64 seen[10][PCI_BARS] = { 0 };
	u32 i, j, bar;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct vm *vm = testvm_create(16 * MIB);

		for (j = 0; j < 3; j++)
			testvm_add_pci(vm, "test-pci", j, orders[i][j], NULL);
		for (j = 0; j < 3; j++) {
			u32 slot = orders[i][j];
			u64 addr;

			for (bar = 0; bar < 5; bar += bar ? 1 : 2) {
				addr = testvm_bar(vm, slot, bar);
				if (bar != 2 || test_has_ports())
					EXPECT_NE(0, addr);
				if (i)
					EXPECT_EQ(seen[slot][bar], addr);
				seen[slot][bar] = addr;
			}
			addr = testvm_bar(vm, slot, 3);
			testvm_mmio_write(vm, testvm_bar(vm, slot, 0), slot, 4);
			EXPECT_EQ(slot, testvm_mmio_read(vm, addr, 4));
		}
		testvm_destroy(vm);
	}
}

TEST_F(pci, a_taken_slot_is_refused)
{
	struct error err = ERROR_INIT;
	struct device *dev;

	EXPECT_EQ(-EEXIST, testvm_try_add(self->vm, "test-pci", 1, SLOT, NULL,
					  &dev, &err));
	EXPECT_NE(NULL, strstr(err.text, "test-pci0"));
	EXPECT_EQ(-EINVAL, testvm_try_add(self->vm, "test-pci", 1, 32, NULL,
					  &dev, &err));
	/* Nothing is left of the failed ones. */
	testvm_add_pci(self->vm, "test-pci", 1, 4, NULL);
	EXPECT_EQ(0x56781234, testvm_config_read(self->vm, 4, 0, 4));
}

TEST_F(pci, gate_follows_bus_master)
{
	struct guest_gate *gate = &self->dev->gate;
	u32 word;

	EXPECT_NE(0, guest_read(gate, gpa(TESTVM_RAM), &word, sizeof(word)));
	testvm_bus_master(self->vm, SLOT, true);
	EXPECT_EQ(0, guest_read(gate, gpa(TESTVM_RAM), &word, sizeof(word)));
	testvm_bus_master(self->vm, SLOT, false);
	EXPECT_NE(0, guest_read(gate, gpa(TESTVM_RAM), &word, sizeof(word)));
}

TEST_F(pci, intx_reaches_the_pin)
{
	struct irq_chip *chip = &self->vm->irq;
	struct pci_device *pci = &self->t->pci;
	u32 gsi = testvm_intx_gsi(SLOT);

	pci_intx_set(pci, true);
	EXPECT_TRUE(irq_gsi_level(chip, gsi));
	EXPECT_EQ(PCI_STATUS_INTERRUPT,
		  get(self->vm, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	put(self->vm, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
	EXPECT_EQ(false, irq_gsi_level(chip, gsi));
	EXPECT_TRUE(pci_intx_disabled(pci));
	/* Interrupt Status does not care (PCIe-4.0 7.5.1.1.4). */
	EXPECT_EQ(PCI_STATUS_INTERRUPT >> 8 | PCI_STATUS_INTERRUPT,
		  get(self->vm, PCI_STATUS, 1) & PCI_STATUS_INTERRUPT);
	put(self->vm, PCI_COMMAND, 0, 2);
	EXPECT_TRUE(irq_gsi_level(chip, gsi));
	pci_intx_set(pci, false);
	EXPECT_EQ(false, irq_gsi_level(chip, gsi));
	EXPECT_EQ(0, get(self->vm, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
}

TEST_F(pci, msix_keeps_intx_low)
{
	pci_intx_set(&self->t->pci, true);
	testvm_msix_enable(self->vm, SLOT, 1);
	EXPECT_EQ(false, irq_gsi_level(&self->vm->irq, testvm_intx_gsi(SLOT)));
	put(self->vm, testvm_capability(self->vm, SLOT, PCI_CAP_ID_MSIX) +
	    PCI_MSIX_FLAGS, 0, 2);
	EXPECT_TRUE(irq_gsi_level(&self->vm->irq, testvm_intx_gsi(SLOT)));
}

TEST_F(pci, d3hot_answers_configuration_only)
{
	struct vm *vm = self->vm;
	u32 pm = testvm_capability(vm, SLOT, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	u64 bar0 = testvm_bar(vm, SLOT, 0);
	u32 word;

	ASSERT_NE(PCI_PM_CTRL, pm);
	testvm_bus_master(vm, SLOT, true);
	pci_intx_set(&self->t->pci, true);
	self->t->regs[0] = 42;

	put(vm, pm, 1, 2);	/* there is no D1 */
	EXPECT_EQ(0, get(vm, pm, 2) & PCI_PM_CTRL_STATE_MASK);
	EXPECT_EQ(42, testvm_mmio_read(vm, bar0, 4));

	put(vm, pm, 3, 2);
	EXPECT_EQ(3, get(vm, pm, 2) & PCI_PM_CTRL_STATE_MASK);
	EXPECT_EQ(0xffffffff, testvm_mmio_read(vm, bar0, 4));
	EXPECT_NE(0, guest_read(&self->dev->gate, gpa(TESTVM_RAM), &word, 4));
	EXPECT_EQ(false, irq_gsi_level(&vm->irq, testvm_intx_gsi(SLOT)));
	EXPECT_EQ(0x56781234, get(vm, PCI_VENDOR_ID, 4));

	put(vm, pm, 0, 2);
	EXPECT_EQ(42, testvm_mmio_read(vm, bar0, 4));
	EXPECT_EQ(0, guest_read(&self->dev->gate, gpa(TESTVM_RAM), &word, 4));
	EXPECT_TRUE(irq_gsi_level(&vm->irq, testvm_intx_gsi(SLOT)));
}

TEST_F(pci, function_level_reset)
{
	struct vm *vm = self->vm;
	u32 exp = testvm_capability(vm, SLOT, PCI_CAP_ID_EXP);
	u32 msix = testvm_capability(vm, SLOT, PCI_CAP_ID_MSIX);
	u32 control = PCI_EXP_DEVCTL_PAYLOAD_256B | PCI_EXP_DEVCTL_URRE;

	EXPECT_EQ(PCI_EXP_DEVCAP_FLR,
		  get(vm, exp + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	EXPECT_EQ(PCI_EXP_TYPE_RC_END << 4 | 2,
		  get(vm, exp + PCI_EXP_FLAGS, 2));
	testvm_msix_enable(vm, SLOT, 2);
	pci_intx_set(&self->t->pci, true);
	put(vm, PCI_INTERRUPT_LINE, 9, 1);
	put(vm, exp + PCI_EXP_DEVCTL, control, 2);
	EXPECT_EQ(0, self->t->flrs);

	/* One byte is enough to ask for it. */
	put(vm, exp + PCI_EXP_DEVCTL + 1, PCI_EXP_DEVCTL_BCR_FLR >> 8, 1);
	EXPECT_EQ(1, self->t->flrs);
	EXPECT_TRUE(self->t->gate_closed_in_flr);
	EXPECT_EQ(0, get(vm, PCI_COMMAND, 2));
	EXPECT_EQ(0, get(vm, PCI_INTERRUPT_LINE, 1));
	EXPECT_EQ(4, get(vm, bar_reg(0), 4));
	EXPECT_EQ(0, get(vm, bar_reg(1), 4));
	EXPECT_EQ(TEST_VECTORS - 1, get(vm, msix + PCI_MSIX_FLAGS, 2));
	EXPECT_EQ(false, pci_bar_mapped(&self->t->pci, 0));
	EXPECT_EQ(false, irq_gsi_level(&vm->irq, testvm_intx_gsi(SLOT)));
	/* What a driver cannot restore stays: the link's payload size. */
	EXPECT_EQ(PCI_EXP_DEVCTL_PAYLOAD_256B | PCI_EXP_DEVCTL_RELAX_EN |
		  PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B,
		  get(vm, exp + PCI_EXP_DEVCTL, 2));
	/* A write that does not touch the bit does nothing. */
	put(vm, exp + PCI_EXP_DEVCTL, 0xff, 1);
	EXPECT_EQ(1, self->t->flrs);
}

TEST_F(pci, reset_brings_power_on_values_back)
{
	u8 before[PCI_CONFIG_SIZE];
	struct test_random rnd;
	u32 i;

	test_random_init(&rnd);
	memcpy(before, self->t->pci.config, sizeof(before));
	for (i = 0; i < 2000; i++)
		put(self->vm, (u32)test_random_below(&rnd, 256),
		    (u32)test_random_u64(&rnd), 1);
	EXPECT_NE(0, memcmp(before, self->t->pci.config, sizeof(before)));
	mutex_lock(&self->dev->lock);
	test_reset(self->dev);
	mutex_unlock(&self->dev->lock);
	EXPECT_EQ(0, memcmp(before, self->t->pci.config, sizeof(before)));
	EXPECT_TRUE(pci_bar_mapped(&self->t->pci, 0));
}

TEST_F(pci, capabilities_run_out_with_an_error)
{
	struct pci_device *pci = &self->t->pci;
	struct error err = ERROR_INIT;
	u32 at = 0, last = 0;

	EXPECT_EQ(-ENOSPC, pci_capability_add(pci, 9, 200, &at, &err));
	EXPECT_EQ(0, pci_ecapability_add(pci, 3, 1, 0x10, &at, &err));
	EXPECT_EQ(0x100, at);
	last = at;
	EXPECT_EQ(0, pci_ecapability_add(pci, 0xb, 2, 7, &at, &err));
	EXPECT_EQ(0x110, at);
	EXPECT_EQ(at << 20 | 1 << 16 | 3, get(self->vm, last, 4));
	EXPECT_EQ(2 << 16 | 0xb, get(self->vm, at, 4));
	EXPECT_EQ(0, pci_ecapability_add(pci, 0xb, 1, 4, &at, &err));
	EXPECT_EQ(0x118, at);
	EXPECT_EQ(-ENOSPC, pci_ecapability_add(pci, 3, 1, 3900, &at, &err));
}

TEST_F(pci, bad_bars_are_refused)
{
	struct pci_device *pci = &self->t->pci;
	struct error err = ERROR_INIT;

#define REFUSED(bar, size, flags) \
	EXPECT_EQ(-EINVAL, pci_bar_add(pci, bar, size, flags, &test_bar_ops, \
				       pci, &err))
	REFUSED(6, 4096, PCI_BAR_MMIO32);
	REFUSED(5, 4096, PCI_BAR_MMIO64);
	REFUSED(5, 4095, PCI_BAR_MMIO32);
	REFUSED(5, 8, PCI_BAR_MMIO32);
	REFUSED(5, 4 * GIB, PCI_BAR_MMIO32);
	REFUSED(5, 512, PCI_BAR_PIO);
	REFUSED(5, 64, PCI_BAR_PIO | PCI_BAR_MMIO64);
	REFUSED(1, 4096, PCI_BAR_MMIO32);	/* high half of BAR 0 */
	REFUSED(3, 4096, PCI_BAR_MMIO32);	/* taken */
}

/* What a guest can write anywhere must be saved, checked and loaded. */
TEST_F(pci, random_states_survive)
{
	struct error err = ERROR_INIT;
	struct test_random rnd;
	u32 round, i;

	test_random_init(&rnd);
	for (round = 0; round < 200; round++) {
		void *state, *again;

		for (i = 0; i < 64; i++)
			put(self->vm, (u32)test_random_below(&rnd, 256),
			    (u32)test_random_u64(&rnd), 1);
		pci_intx_set(&self->t->pci, test_random_below(&rnd, 2));
		state = testvm_save(self->dev);
		mutex_lock(&self->dev->lock);
		test_reset(self->dev);
		mutex_unlock(&self->dev->lock);
		ASSERT_EQ(0, testvm_load(self->dev, state, &err))
			TH_LOG("%s", err.text);
		again = testvm_save(self->dev);
		ASSERT_EQ(0, memcmp(state, again, pci_state_desc.size));
		free(state);
		free(again);
	}
}

/* Flips each bit: either the guest could have done it, or it is refused. */
TEST_F(pci, every_read_only_bit_is_checked)
{
	struct pci_device *pci = &self->t->pci;
	struct pci_state *state = testvm_save(self->dev);
	u32 bit, refused = 0;

	for (bit = 0; bit < 8 * PCI_CONFIG_SIZE; bit++) {
		struct error err = ERROR_INIT;
		bool fixed = !((pci->wmask[bit / 8] | pci->w1c[bit / 8]) >>
			       (bit % 8) & 1);
		bool pm = bit / 8 == pci->pm_cap + PCI_PM_CTRL && bit % 8 < 2;
		int ret;

		state->config[bit / 8] ^= (u8)BIT(bit % 8);
		ret = pci_state_check(pci, state, &err);
		EXPECT_EQ(fixed || pm ? -EINVAL : 0, ret)
			TH_LOG("config byte %u bit %u: %s", bit / 8, bit % 8,
			       err.text);
		refused += ret != 0;
		state->config[bit / 8] ^= (u8)BIT(bit % 8);
	}
	EXPECT_LT(8 * PCI_CONFIG_SIZE - 300, refused);
	free(state);
}

TEST_F(pci, loaded_machine_decodes_and_interrupts_as_before)
{
	struct vm *to = testvm_create(16 * MIB);
	struct device *dev = testvm_add_pci(to, "test-pci", 0, SLOT, NULL);
	struct device *host = device_find(to, "pci-host0");
	struct error err = ERROR_INIT;
	u64 bar3 = testvm_bar(self->vm, SLOT, 3) + 4 * TEST_BAR3;
	u32 word;
	void *state;

	put(self->vm, bar_reg(3), (u32)bar3, 4);
	testvm_bus_master(self->vm, SLOT, true);
	pci_intx_set(&self->t->pci, true);
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(dev, state, &err));
	free(state);

	EXPECT_EQ(false, irq_gsi_level(&to->irq, testvm_intx_gsi(SLOT)));
	host->class->ops->resume(host);
	EXPECT_TRUE(irq_gsi_level(&to->irq, testvm_intx_gsi(SLOT)));
	EXPECT_EQ(0, guest_read(&dev->gate, gpa(TESTVM_RAM), &word, 4));
	to_test(dev)->regs[0] = 42;
	EXPECT_EQ(42, testvm_mmio_read(to, bar3, 4));
	testvm_destroy(to);
}

TEST_F(pci, address_port_is_state_of_the_bridge)
{
	const struct arch_resource *res = arch_resource_find("pci-host", 0);
	struct device *host = device_find(self->vm, "pci-host0");
	struct error err = ERROR_INIT;
	void *state;
	u32 *cf8;

	if (!res || !res->pio)
		SKIP(return, "no configuration ports on this architecture");
	testvm_pio_write(self->vm, res->base, 0x80001804, 4);
	state = testvm_save(host);
	testvm_pio_write(self->vm, res->base, 0, 4);
	ASSERT_EQ(0, testvm_load(host, state, &err));
	EXPECT_EQ(0x80001804, testvm_pio_read(self->vm, res->base, 4));
	cf8 = (u32 *)((u8 *)state + sizeof(struct pci_state));
	ASSERT_EQ(0x80001804, *cf8);
	*cf8 = 0x80001805;
	EXPECT_EQ(-EINVAL, testvm_load(host, state, &err));
	free(state);
}

TEST_HARNESS_MAIN
