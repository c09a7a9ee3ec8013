/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: events that other devices tell the guest through the ACPI event device
 */
#ifndef LKVM_ACPI_PM_H
#define LKVM_ACPI_PM_H

#include "vmm/base/types.h"

struct vm;

/* Bits of the event register; the DSDT knows them, too. */
#define ACPI_EVENT_POWER_BUTTON	BIT(0)
#define ACPI_EVENT_GENERATION	BIT(1)
#define ACPI_EVENTS		(ACPI_EVENT_POWER_BUTTON | ACPI_EVENT_GENERATION)

void acpi_pm_event(struct vm *vm, u32 event);

#endif /* LKVM_ACPI_PM_H */
