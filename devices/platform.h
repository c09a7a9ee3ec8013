/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_PLATFORM_H
#define LKVM_PLATFORM_H

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"

int platform_attach(struct device *dev, struct bus_region *region,
		    const struct bus_ops *ops, struct irq_line *irq,
		    struct error *err) __must_check;

#endif /* LKVM_PLATFORM_H */
