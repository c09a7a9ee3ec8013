// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: interrupt lines and messages
 *
 * A line is a pin of the interrupt controller in the kernel, driven by
 * KVM_IRQ_LINE; several devices may share one, the pin is high while any of
 * them wants it. A message (MSI, MSI-X) is an eventfd registered as an irqfd
 * with an entry in KVM's routing table; firing it is one write to the eventfd.
 *
 * KVM takes the routing table as a whole only, so it is made anew from the
 * list of routes with each change, under the lock.
 *
 * Some interrupt controllers know lines only. Then a message to one address
 * (struct irq_frame) is an edge on the line that its data names.
 *
 * On a machine without KVM the levels and eventfds are kept just the same and
 * a test reads them.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/irq.h"

/**
 * irq_chip_init() - interrupt routing of a machine without routes
 * @chip: to be filled
 * @vm_fd: KVM's machine with its interrupt controller, or -1
 * @lines_nr: pins of the controller, at most IRQ_LINES_MAX
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int irq_chip_init(struct irq_chip *chip, int vm_fd, u32 lines_nr,
		  struct error *err)
{
	memset(chip, 0, sizeof(*chip));
	assert(lines_nr <= IRQ_LINES_MAX);
	chip->vm_fd = vm_fd;
	chip->lines_nr = lines_nr;
	mutex_init(&chip->lock, LOCK_IRQ);
	return 0;
}

/**
 * irq_chip_destroy() - the end of the routing; all routes were destroyed
 * @chip: the routing
 */
void irq_chip_destroy(struct irq_chip *chip)
{
	free(chip->routes);
	mutex_destroy(&chip->lock);
}

/**
 * irq_line_init() - connect a device to a pin, driving it low
 * @line: the wire
 * @chip: the controller
 * @gsi: the pin, below &irq_chip.lines_nr
 */
void irq_line_init(struct irq_line *line, struct irq_chip *chip, u32 gsi)
{
	assert(gsi < chip->lines_nr);
	line->chip = chip;
	line->gsi = gsi;
	line->level = false;
}

static void pin_drive(struct irq_chip *chip, u32 gsi, bool level)
{
	struct kvm_irq_level arg = {
		.irq = arch_irq_line(gsi),
		.level = level,
	};

	if (chip->vm_fd >= 0)
		ioctl(chip->vm_fd, KVM_IRQ_LINE, &arg);
}

/**
 * irq_line_set() - drive a wire
 * @line: the wire
 * @level: high or low
 *
 * Context: any thread; takes LOCK_IRQ.
 */
void irq_line_set(struct irq_line *line, bool level)
{
	struct irq_chip *chip = line->chip;
	u32 *count = &chip->asserted[line->gsi];

	mutex_lock(&chip->lock);
	if (line->level != level) {
		line->level = level;
		if (level && (*count)++ == 0)
			pin_drive(chip, line->gsi, true);
		else if (!level && --(*count) == 0)
			pin_drive(chip, line->gsi, false);
	}
	mutex_unlock(&chip->lock);
}

/**
 * irq_line_pulse() - one edge on a wire that is low
 * @line: the wire
 *
 * Context: any thread; takes LOCK_IRQ.
 */
void irq_line_pulse(struct irq_line *line)
{
	irq_line_set(line, true);
	irq_line_set(line, false);
}

/**
 * irq_gsi_level() - is a pin high?
 * @chip: the controller
 * @gsi: the pin
 *
 * Context: any thread; takes LOCK_IRQ.
 * Return: true when at least one device drives it high.
 */
bool irq_gsi_level(struct irq_chip *chip, u32 gsi)
{
	bool level;

	assert(gsi < chip->lines_nr);
	mutex_lock(&chip->lock);
	level = chip->asserted[gsi] != 0;
	mutex_unlock(&chip->lock);
	return level;
}

static bool is_for_frame(const struct irq_chip *chip, u64 addr)
{
	return chip->frame.addr && addr == chip->frame.addr;
}

static bool frame_takes(const struct irq_chip *chip, u32 data)
{
	return data >= chip->frame.first &&
	       data - chip->frame.first < chip->frame.nr;
}

/**
 * irq_frame_write() - a CPU sends a message to the frame
 * @chip: the controller, with a frame
 * @data: of the message; nothing happens when the frame does not take it
 *
 * Context: any thread; takes LOCK_IRQ.
 */
void irq_frame_write(struct irq_chip *chip, u32 data)
{
	u32 pin = chip->frame.pin + (data - chip->frame.first);

	if (!frame_takes(chip, data))
		return;
	mutex_lock(&chip->lock);
	pin_drive(chip, pin, true);
	pin_drive(chip, pin, false);
	mutex_unlock(&chip->lock);
}

/*
 * The sender's id must not be given where it is not wanted (KVM-API 4.52); it
 * is from the moment on that the architecture has made what translates it.
 */
static void route_entry(const struct msi_route *r, bool wants_devid,
			struct kvm_irq_routing_entry *e)
{
	const struct irq_chip *chip = r->chip;

	e->gsi = r->gsi;
	if (is_for_frame(chip, r->addr)) {
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.pin = chip->frame.pin +
				   (r->data - chip->frame.first);
		return;
	}
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = (u32)r->addr;
	e->u.msi.address_hi = (u32)(r->addr >> 32);
	e->u.msi.data = r->data;
	if (wants_devid && r->devid != IRQ_NO_DEVID) {
		e->flags = KVM_MSI_VALID_DEVID;
		e->u.msi.devid = r->devid;
	}
}

/* The whole table, pins and messages, to KVM. With the lock held. */
static int routing_commit(struct irq_chip *chip)
{
	struct kvm_irq_routing *table;
	bool wants_devid;
	u32 i, n;
	int ret;

	if (chip->vm_fd < 0)
		return 0;
	table = calloc(1, sizeof(*table) + (IRQ_PIN_ROUTES_MAX +
		       chip->routes_nr) * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	wants_devid = ioctl(chip->vm_fd, KVM_CHECK_EXTENSION,
			    KVM_CAP_MSI_DEVID) > 0;
	n = arch_irq_routes(table->entries, IRQ_PIN_ROUTES_MAX);
	for (i = 0; i < chip->routes_nr; i++) {
		const struct msi_route *r = chip->routes[i];

		if (r && r->connected)
			route_entry(r, wants_devid, &table->entries[n++]);
	}
	table->nr = n;
	ret = ioctl(chip->vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
	free(table);
	return ret;
}

static int irqfd_set(struct msi_route *route, bool on)
{
	struct kvm_irqfd arg = {
		.fd = (u32)route->fd,
		.gsi = route->gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (route->chip->vm_fd < 0)
		return 0;
	return ioctl(route->chip->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

static void route_disconnect(struct msi_route *route)
{
	if (route->connected) {
		irqfd_set(route, false);
		route->connected = false;
	}
}

/* A free entry of the list of routes; the list doubles when it is full. */
static int route_slot(struct irq_chip *chip, u32 *slot)
{
	u32 n = chip->routes_nr ? chip->routes_nr * 2 : 64;
	struct msi_route **bigger;

	for (*slot = 0; *slot < chip->routes_nr; (*slot)++)
		if (!chip->routes[*slot])
			return 0;
	if (n > IRQ_ROUTES_MAX - IRQ_PIN_ROUTES_MAX)
		return -ENOSPC;
	bigger = realloc(chip->routes, n * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	memset(bigger + chip->routes_nr, 0,
	       (n - chip->routes_nr) * sizeof(*bigger));
	chip->routes = bigger;
	chip->routes_nr = n;
	return 0;
}

/**
 * msi_route_init() - get a GSI and an eventfd for one message
 * @route: to be filled
 * @chip: the controller
 * @devid: requester id of the device, IRQ_NO_DEVID where it does not matter
 * @err: filled on failure
 *
 * The route is not connected before msi_route_set().
 *
 * Context: takes LOCK_IRQ; may block.
 * Return: 0, -ENOSPC when the machine has too many, or another errno.
 */
int msi_route_init(struct msi_route *route, struct irq_chip *chip, u32 devid,
		   struct error *err)
{
	u32 slot = 0;
	int ret;

	memset(route, 0, sizeof(*route));
	route->chip = chip;
	route->devid = devid;
	route->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (route->fd < 0)
		return error_set(err, -errno, "eventfd for an interrupt: %m");
	mutex_lock(&chip->lock);
	ret = route_slot(chip, &slot);
	if (!ret) {
		chip->routes[slot] = route;
		route->gsi = IRQ_LINES_MAX + slot;
	}
	mutex_unlock(&chip->lock);
	if (ret) {
		close(route->fd);
		return error_set(err, ret, "no room for another interrupt message");
	}
	return 0;
}

/**
 * msi_route_destroy() - give GSI and eventfd back
 * @route: the route; nobody fires it any more
 *
 * Context: takes LOCK_IRQ.
 */
void msi_route_destroy(struct msi_route *route)
{
	struct irq_chip *chip = route->chip;

	msi_route_disconnect(route);
	mutex_lock(&chip->lock);
	chip->routes[route->gsi - IRQ_LINES_MAX] = NULL;
	mutex_unlock(&chip->lock);
	close(route->fd);
}

/**
 * msi_route_set() - say which message it is, and connect it
 * @route: the route
 * @addr: message address
 * @data: message data
 *
 * Nothing happens when it is connected with the same message already.
 *
 * Context: takes LOCK_IRQ; any thread but the data path.
 * Return: 0; -EINVAL when there is nobody who takes such a message; or what KVM
 * said. On failure the route is not connected.
 */
int msi_route_set(struct msi_route *route, u64 addr, u32 data)
{
	struct irq_chip *chip = route->chip;
	int ret = 0;

	mutex_lock(&chip->lock);
	if (route->connected && route->addr == addr && route->data == data)
		goto out;
	if (is_for_frame(chip, addr) && !frame_takes(chip, data)) {
		route_disconnect(route);
		ret = -EINVAL;
		goto out;
	}
	route->addr = addr;
	route->data = data;
	if (route->connected) {
		ret = routing_commit(chip);
		goto out;
	}
	route->connected = true;
	ret = routing_commit(chip);
	if (!ret)
		ret = irqfd_set(route, true);
	if (ret)
		route->connected = false;
out:
	mutex_unlock(&chip->lock);
	return ret;
}

/**
 * msi_route_disconnect() - firing does not reach the guest any more
 * @route: the route; may be disconnected already
 *
 * Context: takes LOCK_IRQ.
 */
void msi_route_disconnect(struct msi_route *route)
{
	mutex_lock(&route->chip->lock);
	route_disconnect(route);
	mutex_unlock(&route->chip->lock);
}

/**
 * msi_route_fire() - send the message
 * @route: the route
 *
 * Context: any thread, no lock.
 */
void msi_route_fire(struct msi_route *route)
{
	u64 one = 1;
	ssize_t n;

	/* Relaxed: it is looked at when nobody fires any more. */
	atomic_store_explicit(&route->fired, true, memory_order_relaxed);
	n = write(route->fd, &one, sizeof(one));
	/* A full counter (EAGAIN) is a pending interrupt already. */
	(void)n;
}

/*
 * The last descriptor of an eventfd is closed: KVM takes the irqfd apart, on a
 * thread of its own. The route gets a new one under the same number.
 */
static int irqfd_drop(struct msi_route *route, struct error *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ret = 0;

	if (fd < 0)
		return error_set(err, -errno, "eventfd for an interrupt: %m");
	if (dup3(fd, route->fd, O_CLOEXEC) < 0)
		ret = error_set(err, -errno, "eventfd for an interrupt: %m");
	close(fd);
	return ret;
}

static int irqfds_drop(struct irq_chip *chip, struct error *err)
{
	struct msi_route *r, *last = NULL;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < chip->routes_nr; i++) {
		r = chip->routes[i];
		/* Whoever fires is through, the caller has seen to that. */
		if (!r || !r->connected ||
		    !atomic_load_explicit(&r->fired, memory_order_relaxed))
			continue;
		ret = irqfd_drop(r, err);
		r->flushing = !ret;
		if (!ret)
			last = r;
	}
	/* Waits for all that are being taken apart, whichever it names. */
	if (last)
		irqfd_set(last, false);
	return ret;
}

/* As many as possible, the first failure is told. */
static int irqfds_restore(struct irq_chip *chip, struct error *err)
{
	struct msi_route *r;
	int ret = 0, first = 0;
	u32 i;

	for (i = 0; i < chip->routes_nr; i++) {
		r = chip->routes[i];
		if (!r || !r->flushing)
			continue;
		r->flushing = false;
		atomic_store_explicit(&r->fired, false, memory_order_relaxed);
		ret = irqfd_set(r, true);
		r->connected = !ret;
		if (ret && !first)
			first = error_set(err, ret,
					  "KVM_IRQFD for an interrupt: %s",
					  strerror(-ret));
	}
	return first;
}

/**
 * irq_chip_flush() - no message is on its way any more
 * @chip: the controller
 * @err: filled on failure
 *
 * A message that KVM cannot deliver at once, because the controller would have
 * to sleep for it (an ITS that looks up its tables does), goes to a work queue
 * of the host's kernel, and what is saved of the controller before that work
 * has been done lacks it. KVM waits for the work of an irqfd when that is taken
 * apart, so all are that were written to since the last time, and are made
 * anew. Their eventfds are closed first, all of them, and then it is waited
 * once: each wait for one alone can take milliseconds.
 *
 * Context: takes LOCK_IRQ; no device fires; may block.
 * Return: 0 or a negative errno.
 */
int irq_chip_flush(struct irq_chip *chip, struct error *err)
{
	int ret, again;

	if (chip->vm_fd < 0)
		return 0;
	mutex_lock(&chip->lock);
	ret = irqfds_drop(chip, err);
	again = irqfds_restore(chip, ret ? NULL : err);
	mutex_unlock(&chip->lock);
	return ret ? ret : again;
}
