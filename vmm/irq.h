/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IRQ_H
#define LKVM_IRQ_H

#include <stdatomic.h>

#include "vmm/base/error.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"

#define IRQ_LINES_MAX		64	/* GSIs of the interrupt controller */
#define IRQ_ROUTES_MAX		4096	/* KVM's limit on routing entries */
#define IRQ_PIN_ROUTES_MAX	128	/* entries for the controller's pins */
#define IRQ_NO_DEVID		UINT32_MAX

/**
 * struct irq_frame - an address at which a message sets a line
 * @addr: the address, 0 for none
 * @first: data of the first message that is taken, the others follow
 * @nr: how many are taken
 * @pin: the interrupt controller's pin for @first, the others follow
 *
 * For interrupt controllers that know lines only: a message is one edge.
 */
struct irq_frame {
	u64 addr;
	u32 first;
	u32 nr;
	u32 pin;
};

/**
 * struct irq_chip - interrupt routing of one machine
 * @lock: protects all of it (LOCK_IRQ)
 * @vm_fd: KVM's, or -1: lines and eventfds then only keep their level, and a
 *         test reads them
 * @lines_nr: GSIs below this are lines of the interrupt controller
 * @asserted: per GSI, how many &struct irq_line hold it high
 * @frame: where messages set lines; said before there are routes
 * @routes: message routes, NULL when free; index 0 is GSI IRQ_LINES_MAX
 * @routes_nr: size of @routes
 */
struct irq_chip {
	struct mutex lock;
	int vm_fd;
	u32 lines_nr;
	u32 asserted[IRQ_LINES_MAX];
	struct irq_frame frame;
	struct msi_route **routes;
	u32 routes_nr;
};

/**
 * struct irq_line - one device's wire to an interrupt controller pin
 * @chip: the controller
 * @gsi: the pin; several devices may share it (level triggered)
 * @level: what this device drives
 */
struct irq_line {
	struct irq_chip *chip;
	u32 gsi;
	bool level;
};

/**
 * struct msi_route - one message-signalled interrupt: an irqfd and its message
 * @chip: the controller
 * @fd: eventfd; one write sends one message
 * @gsi: the routing entry, IRQ_LINES_MAX or more
 * @addr: message address
 * @data: message data
 * @devid: requester id, for controllers that want it (KVM_MSI_VALID_DEVID)
 * @connected: the irqfd is registered with KVM
 * @fired: a message was sent that irq_chip_flush() has not waited for
 * @flushing: irq_chip_flush() is at it
 */
struct msi_route {
	struct irq_chip *chip;
	int fd;
	u32 gsi;
	u64 addr;
	u32 data;
	u32 devid;
	bool connected;
	_Atomic bool fired;
	bool flushing;
};

int irq_chip_init(struct irq_chip *chip, int vm_fd, u32 lines_nr,
		  struct error *err) __must_check;
void irq_chip_destroy(struct irq_chip *chip);
int irq_chip_flush(struct irq_chip *chip, struct error *err) __must_check;
void irq_frame_write(struct irq_chip *chip, u32 data);

void irq_line_init(struct irq_line *line, struct irq_chip *chip, u32 gsi);
void irq_line_set(struct irq_line *line, bool level);
void irq_line_pulse(struct irq_line *line);
bool irq_gsi_level(struct irq_chip *chip, u32 gsi);

int msi_route_init(struct msi_route *route, struct irq_chip *chip, u32 devid,
		   struct error *err) __must_check;
void msi_route_destroy(struct msi_route *route);
int msi_route_set(struct msi_route *route, u64 addr, u32 data) __must_check;
void msi_route_disconnect(struct msi_route *route);
void msi_route_fire(struct msi_route *route);

#endif /* LKVM_IRQ_H */
