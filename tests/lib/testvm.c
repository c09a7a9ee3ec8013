// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a machine for device tests
 *
 * See testvm.h.
 */
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/testvm.h"
#include "vmm/arch.h"

/* The reason is in the log, the harness counts the signal as a failure. */
static __noreturn void die(const struct error *err)
{
	printf("# %s\n", err->text);
	fflush(stdout);
	abort();
}

/**
 * testvm_create() - a machine with RAM and a PCI bus
 * @memory_bytes: RAM, a multiple of the page size
 *
 * Return: the machine, still being built.
 */
struct vm *testvm_create(u64 memory_bytes)
{
	const struct vm_config config = {
		.name = "test",
		.memory_bytes = memory_bytes,
		.kvm_path = "/dev/kvm",
	};
	struct error err = ERROR_INIT;
	struct vm *vm;

	if (vm_create(&config, &vm, &err))
		die(&err);
	testvm_add(vm, "pci-host", 0, NULL);
	return vm;
}

/**
 * testvm_destroy() - the end of the machine and all its devices
 * @vm: the machine
 */
void testvm_destroy(struct vm *vm)
{
	vm_destroy(vm);
}

/**
 * testvm_poll() - one round of the main loop, without waiting
 * @vm: the machine
 */
void testvm_poll(struct vm *vm)
{
	iothread_run_once(&vm->loop, false);
}

/**
 * testvm_try_add() - make a device, or see why not
 * @vm: the machine
 * @class_name: its class
 * @index: its number
 * @slot: PCI slot; unused for platform devices
 * @options: as on the command line after ``--class``, or NULL
 * @out: the device
 * @err: why it failed
 *
 * Return: 0 or a negative errno.
 */
int testvm_try_add(struct vm *vm, const char *class_name, u32 index, u32 slot,
		   const char *options, struct device **out,
		   struct error *err)
{
	const struct device_class *class = device_class_find(class_name);
	const struct device_address addr = { .slot = slot };
	void *config = NULL;
	int ret;

	if (!class)
		return error_set(err, -ENOENT, "no device class %s",
				 class_name);
	if (class->options) {
		config = option_config_new(class->options);
		if (!config)
			return error_set(err, -ENOMEM, "out of memory");
		ret = option_parse(class->options, config,
				   options ? options : "", err);
		if (!ret)
			ret = option_check(class->options, config, err);
		if (ret) {
			option_config_free(class->options, config);
			return ret;
		}
	}
	return device_create(vm, class, index,
			     class->kind == DEVICE_PCI ? &addr : NULL, config,
			     out, err);
}

/**
 * testvm_add_pci() - make a device in a PCI slot
 * @vm: the machine
 * @class_name: its class
 * @index: its number
 * @slot: its slot, 1 to 31
 * @options: as on the command line, or NULL
 *
 * Return: the device.
 */
struct device *testvm_add_pci(struct vm *vm, const char *class_name,
			      u32 index, u32 slot, const char *options)
{
	struct error err = ERROR_INIT;
	struct device *dev;

	if (testvm_try_add(vm, class_name, index, slot, options, &dev, &err))
		die(&err);
	return dev;
}

/**
 * testvm_add() - make a platform device
 * @vm: the machine
 * @class_name: its class
 * @index: its number
 * @options: as on the command line, or NULL
 *
 * Return: the device.
 */
struct device *testvm_add(struct vm *vm, const char *class_name, u32 index,
			  const char *options)
{
	return testvm_add_pci(vm, class_name, index, 0, options);
}

static u64 bus_get(struct bus *bus, u64 addr, u32 len)
{
	__le64 le = 0;

	bus_read(bus, addr, &le, len);
	return le64_to_cpu(le);
}

static void bus_put(struct bus *bus, u64 addr, u64 value, u32 len)
{
	__le64 le = cpu_to_le64(value);

	bus_write(bus, addr, &le, len);
}

/**
 * testvm_mmio_read() - as a guest's load from device memory
 * @vm: the machine
 * @addr: guest physical address
 * @len: 1, 2, 4 or 8
 *
 * Return: the value; all ones in @len bytes when no device answers.
 */
u64 testvm_mmio_read(struct vm *vm, u64 addr, u32 len)
{
	return bus_get(&vm->mmio, addr, len);
}

/**
 * testvm_mmio_write() - as a guest's store to device memory
 * @vm: the machine
 * @addr: guest physical address
 * @value: the value
 * @len: 1, 2, 4 or 8
 */
void testvm_mmio_write(struct vm *vm, u64 addr, u64 value, u32 len)
{
	bus_put(&vm->mmio, addr, value, len);
}

/**
 * testvm_pio_read() - as a guest's IN
 * @vm: the machine
 * @port: the port
 * @len: 1, 2 or 4
 *
 * Return: the value; all ones in @len bytes when no device answers.
 */
u64 testvm_pio_read(struct vm *vm, u64 port, u32 len)
{
	return bus_get(&vm->pio, port, len);
}

/**
 * testvm_pio_write() - as a guest's OUT
 * @vm: the machine
 * @port: the port
 * @value: the value
 * @len: 1, 2 or 4
 */
void testvm_pio_write(struct vm *vm, u64 port, u64 value, u32 len)
{
	bus_put(&vm->pio, port, value, len);
}

/**
 * testvm_config_read() - read configuration space of a slot's function 0
 * @vm: the machine
 * @slot: the slot
 * @reg: first byte
 * @len: 1, 2 or 4
 *
 * Return: the value.
 */
u32 testvm_config_read(struct vm *vm, u32 slot, u32 reg, u32 len)
{
	return (u32)testvm_mmio_read(vm, arch_layout.pci_ecam.base +
				     (slot << 15) + reg, len);
}

/**
 * testvm_config_write() - write configuration space of a slot's function 0
 * @vm: the machine
 * @slot: the slot
 * @reg: first byte
 * @value: the value
 * @len: 1, 2 or 4
 */
void testvm_config_write(struct vm *vm, u32 slot, u32 reg, u32 value, u32 len)
{
	testvm_mmio_write(vm, arch_layout.pci_ecam.base + (slot << 15) + reg,
			  value, len);
}

/**
 * testvm_capability() - find a capability
 * @vm: the machine
 * @slot: the slot
 * @id: capability ID
 *
 * Return: its offset, 0 when the function has no such capability.
 */
u32 testvm_capability(struct vm *vm, u32 slot, u8 id)
{
	u32 at = testvm_config_read(vm, slot, PCI_CAPABILITY_LIST, 1);
	u32 seen;

	for (seen = 0; at && seen < 48; seen++) {
		if (testvm_config_read(vm, slot, at, 1) == id)
			return at;
		at = testvm_config_read(vm, slot, at + 1, 1);
	}
	return 0;
}

/**
 * testvm_bar() - the address in a memory BAR
 * @vm: the machine
 * @slot: the slot
 * @bar: its number
 *
 * Return: the guest physical address.
 */
u64 testvm_bar(struct vm *vm, u32 slot, u32 bar)
{
	u32 reg = PCI_BASE_ADDRESS_0 + 4 * bar;
	u64 addr = testvm_config_read(vm, slot, reg, 4);

	if (addr & PCI_BASE_ADDRESS_MEM_TYPE_64)
		addr |= (u64)testvm_config_read(vm, slot, reg + 4, 4) << 32;
	return addr & ~0xfULL;
}

/**
 * testvm_bus_master() - allow a function to write memory, or forbid it
 * @vm: the machine
 * @slot: the slot
 * @on: allow
 */
void testvm_bus_master(struct vm *vm, u32 slot, bool on)
{
	u32 command = testvm_config_read(vm, slot, PCI_COMMAND, 2);

	command &= ~(u32)PCI_COMMAND_MASTER;
	if (on)
		command |= PCI_COMMAND_MASTER;
	testvm_config_write(vm, slot, PCI_COMMAND, command, 2);
}

static u64 msix_place(struct vm *vm, u32 slot, u32 reg)
{
	u32 cap = testvm_capability(vm, slot, PCI_CAP_ID_MSIX);
	u32 place = testvm_config_read(vm, slot, cap + reg, 4);

	return testvm_bar(vm, slot, place & PCI_MSIX_TABLE_BIR) +
	       (place & PCI_MSIX_TABLE_OFFSET);
}

/**
 * testvm_msix_table() - where the MSI-X table is
 * @vm: the machine
 * @slot: a slot with MSI-X
 *
 * Return: guest physical address.
 */
u64 testvm_msix_table(struct vm *vm, u32 slot)
{
	return msix_place(vm, slot, PCI_MSIX_TABLE);
}

/**
 * testvm_msix_pba() - where the Pending Bit Array is
 * @vm: the machine
 * @slot: a slot with MSI-X
 *
 * Return: guest physical address.
 */
u64 testvm_msix_pba(struct vm *vm, u32 slot)
{
	return msix_place(vm, slot, PCI_MSIX_PBA);
}

/**
 * testvm_msix_enable() - give each vector a message, unmask all, enable
 * @vm: the machine
 * @slot: a slot with MSI-X
 * @vectors: how many vectors, from 0
 *
 * Also sets Bus Master Enable, without which there are no messages.
 */
void testvm_msix_enable(struct vm *vm, u32 slot, u32 vectors)
{
	u32 cap = testvm_capability(vm, slot, PCI_CAP_ID_MSIX);
	u64 table = testvm_msix_table(vm, slot);
	u32 i;

	testvm_bus_master(vm, slot, true);
	for (i = 0; i < vectors; i++) {
		testvm_mmio_write(vm, table + 16 * i, TESTVM_MSI_ADDR(slot), 8);
		testvm_mmio_write(vm, table + 16 * i + 8, i, 4);
		testvm_mmio_write(vm, table + 16 * i + 12, 0, 4);
	}
	testvm_config_write(vm, slot, cap + PCI_MSIX_FLAGS,
			    PCI_MSIX_FLAGS_ENABLE, 2);
}

/**
 * testvm_msix_take() - take the messages that a vector has sent
 * @vm: the machine
 * @slot: a slot that testvm_msix_enable() was called for
 * @vector: the vector
 *
 * Return: how many there were since the last call.
 */
u64 testvm_msix_take(struct vm *vm, u32 slot, u32 vector)
{
	u64 nr = 0;
	u32 i;

	for (i = 0; i < vm->irq.routes_nr; i++) {
		const struct msi_route *r = vm->irq.routes[i];

		if (r && r->connected && r->addr == TESTVM_MSI_ADDR(slot) &&
		    r->data == vector)
			nr += testvm_eventfd_take(r->fd);
	}
	return nr;
}

/**
 * testvm_intx_gsi() - the pin that a slot's INTA# is wired to
 * @slot: the slot
 *
 * Return: GSI, for irq_gsi_level().
 */
u32 testvm_intx_gsi(u32 slot)
{
	return arch_layout.pci_intx_base + slot % arch_layout.pci_intx_nr;
}

/**
 * testvm_ram() - guest memory as the guest sees it
 * @vm: the machine
 * @addr: guest physical address
 * @len: bytes that must be there
 *
 * Return: where it is mapped.
 */
void *testvm_ram(struct vm *vm, u64 addr, u64 len)
{
	struct memory_block *block = guest_memory_find(&vm->memory, gpa(addr));
	struct error err = ERROR_INIT;

	if (!block || !guest_is_memory(&vm->memory, gpa(addr), len)) {
		error_set(&err, -EFAULT, "no RAM at %#llx", addr);
		die(&err);
	}
	return block->host + (addr - gpa_raw(block->gpa));
}

/**
 * testvm_eventfd_take() - take what an eventfd has counted
 * @fd: a nonblocking eventfd
 *
 * Return: the count, 0 when nobody has signalled it.
 */
u64 testvm_eventfd_take(int fd)
{
	u64 count = 0;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

/**
 * testvm_save() - save a device's state
 * @dev: a quiesced device
 *
 * Return: a struct of &state_desc.size bytes, to be freed.
 */
void *testvm_save(struct device *dev)
{
	struct error err = ERROR_INIT;
	void *state = calloc(1, dev->class->state->size);

	if (!state) {
		error_set(&err, -ENOMEM, "out of memory");
		die(&err);
	}
	mutex_lock(&dev->lock);
	dev->class->ops->save(dev, state);
	mutex_unlock(&dev->lock);
	return state;
}

/**
 * testvm_load() - check a state and install it
 * @dev: a device
 * @state: from testvm_save(), or altered
 * @err: why it was refused
 *
 * Return: 0 or what the device's check said.
 */
int testvm_load(struct device *dev, const void *state, struct error *err)
{
	const struct device_ops *ops = dev->class->ops;
	int ret = 0;

	mutex_lock(&dev->lock);
	if (ops->check)
		ret = ops->check(dev, state, err);
	if (!ret)
		ops->load(dev, state);
	mutex_unlock(&dev->lock);
	return ret;
}
