// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: buses: which device answers an address
 *
 * A vCPU thread that left KVM_RUN for an access looks the region up under the
 * bus lock, drops that lock, takes the region's (the device's) lock and checks
 * that the region is still where it was: a BAR may have moved in between.
 * Regions belong to devices that outlive all vCPUs, so the pointer stays good.
 * The bus lock is a leaf for lookups and is taken inside a device's lock when
 * a BAR is moved.
 */
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/bus.h"

/**
 * bus_init() - a bus that nobody is on
 * @bus: the bus
 * @name: for messages; stays
 * @vm_fd: KVM's machine, or -1
 * @pio: port I/O
 */
void bus_init(struct bus *bus, const char *name, int vm_fd, bool pio)
{
	bus->name = name;
	bus->vm_fd = vm_fd;
	bus->pio = pio;
	mutex_init(&bus->lock, LOCK_BUS);
	list_init(&bus->regions);
	list_init(&bus->events);
}

/**
 * bus_destroy() - the end of a bus that everybody has left
 * @bus: the bus
 */
void bus_destroy(struct bus *bus)
{
	assert(list_is_empty(&bus->regions) && list_is_empty(&bus->events));
	mutex_destroy(&bus->lock);
}

/**
 * bus_region_add() - let a device answer a range of addresses
 * @bus: the bus
 * @region: the range; on no bus at present
 * @err: filled on failure
 *
 * Context: while the machine is built, or with the region's lock held.
 * Return: 0, -EINVAL for an empty or wrapping range, -EEXIST when it overlaps
 * another region.
 */
int bus_region_add(struct bus *bus, struct bus_region *region,
		   struct error *err)
{
	struct bus_region *r;
	int ret = 0;

	assert(!region->bus);
	if (!region->size ||
	    !range_fits(region->base, region->size, UINT64_MAX))
		return error_set(err, -EINVAL, "%s: bad %s range",
				 region->name, bus->name);
	mutex_lock(&bus->lock);
	list_for_each_entry(r, &bus->regions, link) {
		if (ranges_overlap(r->base, r->size, region->base,
				   region->size)) {
			ret = error_set(err, -EEXIST,
					"%s: %s 0x%llx overlaps %s",
					region->name, bus->name, region->base,
					r->name);
			goto out;
		}
		if (r->base > region->base)
			break;
	}
	list_insert_before(&r->link, &region->link);
	region->bus = bus;
out:
	mutex_unlock(&bus->lock);
	return ret;
}

/**
 * bus_region_remove() - a device no longer answers a range
 * @region: the range; nothing happens when it is on no bus
 *
 * Context: as bus_region_add().
 */
void bus_region_remove(struct bus_region *region)
{
	struct bus *bus = region->bus;

	if (!bus)
		return;
	mutex_lock(&bus->lock);
	list_del(&region->link);
	region->bus = NULL;
	mutex_unlock(&bus->lock);
}

static int event_tell_kvm(const struct bus_event *e, bool remove)
{
	struct kvm_ioeventfd arg = {
		.datamatch = e->value,
		.addr = e->addr,
		.len = e->len,
		.fd = e->fd,
		.flags = (e->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0U) |
			 (e->bus->pio ? KVM_IOEVENTFD_FLAG_PIO : 0U) |
			 (remove ? KVM_IOEVENTFD_FLAG_DEASSIGN : 0U),
	};

	if (e->bus->vm_fd < 0)
		return 0;
	return ioctl(e->bus->vm_fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}

/**
 * bus_event_add() - turn writes to an address into eventfd signals
 * @bus: the bus
 * @event: address, length, value and eventfd; on no bus at present
 * @err: filled on failure
 *
 * Such a write does not reach the region below.
 *
 * Context: as bus_region_add().
 * Return: 0 or what KVM said (-ENOSPC: too many; -EEXIST: taken).
 */
int bus_event_add(struct bus *bus, struct bus_event *event, struct error *err)
{
	int ret;

	assert(!event->bus);
	mutex_lock(&bus->lock);
	event->bus = bus;
	ret = event_tell_kvm(event, false);
	if (ret) {
		event->bus = NULL;
		error_set(err, ret, "ioeventfd at %s 0x%llx: %s", bus->name,
			  event->addr, strerror(-ret));
	} else {
		list_add_tail(&bus->events, &event->link);
	}
	mutex_unlock(&bus->lock);
	return ret;
}

/**
 * bus_event_remove() - let writes reach the region again
 * @event: the event; nothing happens when it is on no bus
 *
 * Context: as bus_region_add(). The eventfd may have been signalled up to now.
 */
void bus_event_remove(struct bus_event *event)
{
	struct bus *bus = event->bus;

	if (!bus)
		return;
	mutex_lock(&bus->lock);
	event_tell_kvm(event, true);
	list_del(&event->link);
	event->bus = NULL;
	mutex_unlock(&bus->lock);
}

static struct bus_region *region_find(struct bus *bus, u64 addr, u32 len,
				      u64 *offset)
{
	struct bus_region *r, *found = NULL;

	mutex_lock(&bus->lock);
	list_for_each_entry(r, &bus->regions, link) {
		if (range_within(addr, len, r->base, r->size)) {
			*offset = addr - r->base;
			found = r;
			break;
		}
	}
	mutex_unlock(&bus->lock);
	return found;
}

/* Takes the region's lock; false when it has moved away meanwhile. */
static bool region_enter(struct bus *bus, struct bus_region *r, u64 addr,
			 u32 len)
{
	if (!r->lock)
		return true;
	mutex_lock(r->lock);
	if (r->bus == bus && range_within(addr, len, r->base, r->size))
		return true;
	mutex_unlock(r->lock);
	return false;
}

static void region_leave(struct bus_region *r)
{
	if (r->lock)
		mutex_unlock(r->lock);
}

static bool len_is_valid(u32 len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

/* KVM did this for a vCPU's write already; here it is done for the others. */
static bool event_signal(struct bus *bus, u64 addr, u64 value, u32 len)
{
	struct bus_event *e;
	bool hit = false;
	u64 one = 1;

	if (bus->vm_fd >= 0)
		return false;
	mutex_lock(&bus->lock);
	list_for_each_entry(e, &bus->events, link) {
		if (e->addr != addr || (e->len && e->len != len) ||
		    (e->match && e->value != value))
			continue;
		hit = write(e->fd, &one, sizeof(one)) == sizeof(one) ||
		      errno == EAGAIN;
		break;
	}
	mutex_unlock(&bus->lock);
	return hit;
}

/**
 * bus_read() - a guest's read from a device
 * @bus: the bus
 * @addr: address
 * @data: where the bytes go, little-endian; all ones when nobody answers
 * @len: 1, 2, 4 or 8
 *
 * Context: a vCPU thread, or a test; takes the device's lock.
 * Return: true when a device answered.
 */
bool bus_read(struct bus *bus, u64 addr, void *data, u32 len)
{
	struct bus_region *r;
	u64 offset = 0;
	__le64 value;

	memset(data, 0xff, len);
	if (!len_is_valid(len))
		return false;
	r = region_find(bus, addr, len, &offset);
	if (!r || !region_enter(bus, r, addr, len))
		return false;
	value = cpu_to_le64(r->ops->read(r, offset, len));
	region_leave(r);
	memcpy(data, &value, len);
	return true;
}

/**
 * bus_write() - a guest's write to a device
 * @bus: the bus
 * @addr: address
 * @data: the bytes, little-endian
 * @len: 1, 2, 4 or 8
 *
 * Context: a vCPU thread, or a test; takes the device's lock.
 * Return: true when a device took it.
 */
bool bus_write(struct bus *bus, u64 addr, const void *data, u32 len)
{
	struct bus_region *r;
	__le64 le = cpu_to_le64(0);
	u64 offset = 0;

	if (!len_is_valid(len))
		return false;
	memcpy(&le, data, len);
	if (event_signal(bus, addr, le64_to_cpu(le), len))
		return true;
	r = region_find(bus, addr, len, &offset);
	if (!r || !region_enter(bus, r, addr, len))
		return false;
	r->ops->write(r, offset, le64_to_cpu(le), len);
	region_leave(r);
	return true;
}
