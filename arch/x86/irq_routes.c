// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how the pins of the two 8259 and the IOAPIC hang together
 *
 * GSIs 0 to 15 reach both a PIC and the IOAPIC, 16 to 23 the IOAPIC only. The
 * timer, GSI 0, is wired to IOAPIC pin 2 as on a PC, which KVM's own default
 * table leaves to the VMM.
 */
#include <linux/kvm.h>

#include "vmm/arch.h"

#define PIC_PINS	8
#define ISA_LINES	16
#define IOAPIC_PINS	24

static void route(struct kvm_irq_routing_entry *e, u32 gsi, u32 chip, u32 pin)
{
	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = pin;
}

/**
 * arch_irq_routes() - routing entries of the interrupt controller's pins
 * @entries: to be filled
 * @max: room in @entries, at least 40
 *
 * Return: how many were filled in.
 */
u32 arch_irq_routes(struct kvm_irq_routing_entry *entries, u32 max)
{
	u32 gsi, n = 0;

	assert(max >= ISA_LINES + IOAPIC_PINS);
	for (gsi = 0; gsi < ISA_LINES; gsi++)
		route(&entries[n++], gsi,
		      gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER :
				       KVM_IRQCHIP_PIC_SLAVE,
		      gsi % PIC_PINS);
	for (gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		if (gsi == 2)
			continue;
		route(&entries[n++], gsi, KVM_IRQCHIP_IOAPIC,
		      gsi == 0 ? 2 : gsi);
	}
	return n;
}
