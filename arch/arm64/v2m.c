// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the GICv2m frame: messages from devices for a GIC without an ITS
 *
 * A page of registers in which a device, or a CPU, writes the id of an
 * interrupt, which then is pending; a range of shared interrupts that no line
 * has is set aside for that. A device's message does not come here as a write:
 * the interrupt routing knows the address (struct irq_frame) and lets KVM raise
 * the interrupt by itself. Here are the registers that a guest reads, and a
 * CPU's own messages.
 *
 * Linux looks for a frame beside a GICv2 and beside a GICv3 that has no ITS; an
 * older one that does not look for it there uses the devices' lines.
 *
 * Specification: Server Base System Architecture (ARM DEN 0029), appendix
 * "GICv2m Architecture". There is one frame, for non-secure messages.
 *
 * No state: what a message does is in the distributor.
 *
 * Context: registers are used on vCPU threads, without a lock.
 */
#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/vm.h"

#define MSI_TYPER	0x008
#define MSI_SETSPI_NS	0x040
#define MSI_IIDR	0xfcc

#define TYPER_BASE_SHIFT	16
/* Product 'L', architecture 0, revision 0, no JEP106 code. */
#define IIDR_VALUE		0x04c00000

static_assert(ARM64_V2M_SPI_FIRST + ARM64_V2M_SPIS <= 1020,
	      "as many as the architecture has");

/* Registers are words; a part of one reads as zero, and is not written. */
static u64 v2m_read(struct bus_region *region, u64 offset, u32 len)
{
	if (len != sizeof(u32))
		return 0;
	switch (offset) {
	case MSI_TYPER:
		return ARM64_V2M_SPI_FIRST << TYPER_BASE_SHIFT |
		       ARM64_V2M_SPIS;
	case MSI_IIDR:
		return IIDR_VALUE;
	default:
		return 0;
	}
}

static void v2m_write(struct bus_region *region, u64 offset, u64 value,
		      u32 len)
{
	struct vm *vm = region->opaque;

	if (len == sizeof(u32) && offset == MSI_SETSPI_NS)
		irq_frame_write(&vm->irq, (u32)value);
}

static const struct bus_ops v2m_ops = {
	.read = v2m_read,
	.write = v2m_write,
};

/**
 * v2m_create() - a frame
 * @v2m: to be filled
 * @vm: the machine; it has no devices yet
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int v2m_create(struct v2m *v2m, struct vm *vm, struct error *err)
{
	v2m->region = (struct bus_region){
		.name = "gicv2m", .base = ARM64_V2M_BASE,
		.size = ARM64_V2M_SIZE, .ops = &v2m_ops, .opaque = vm,
	};
	vm->irq.frame = (struct irq_frame){
		.addr = ARM64_V2M_BASE + MSI_SETSPI_NS,
		.first = ARM64_V2M_SPI_FIRST,
		.nr = ARM64_V2M_SPIS,
		.pin = ARM64_V2M_SPI_FIRST - ARM64_SPI_FIRST,
	};
	return bus_region_add(&vm->mmio, &v2m->region, err);
}

/**
 * v2m_destroy() - undo v2m_create()
 * @v2m: the frame; nothing happens when it was not made
 */
void v2m_destroy(struct v2m *v2m)
{
	if (v2m->region.bus)
		bus_region_remove(&v2m->region);
}
