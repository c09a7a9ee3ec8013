// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtio over PCI: registers, notifications, interrupts
 *
 * VIRTIO-1.2 4.1, modern devices only: everything is in one BAR, a page each
 * for the common configuration, the ISR status, the device configuration and
 * the notifications; MSI-X has a BAR of its own; a pin works too. The same
 * registers can be reached through configuration space (4.1.4.9).
 *
 * A notification is an ioeventfd: it wakes the queue's loop and never comes
 * here, but when KVM could not take it.
 *
 * Registers are a table. They are read and written in their width, those of 64
 * bits in halves too; other accesses read as zero and are dropped.
 *
 * Not there: legacy and transitional interfaces, shared memory regions,
 * VIRTIO_F_NOTIFICATION_DATA, VIRTIO_F_NOTIF_CONFIG_DATA, SR-IOV.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "devices/pci/msix.h"
#include "virtio/virtio_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define PAGE_BYTES	0x1000
#define AREA_COMMON	0x0000
#define AREA_ISR	0x1000
#define AREA_DEVICE	0x2000
#define AREA_NOTIFY	0x3000
#define BAR_BYTES	0x4000
#define NOTIFY_STRIDE	4

/* VIRTIO-1.2 4.1.4: struct virtio_pci_cap, and what follows it. */
#define CAP_LEN		2
#define CAP_TYPE	3
#define CAP_BAR		4
#define CAP_OFFSET	8
#define CAP_LENGTH	12
#define CAP_SIZE	16
#define CAP_NOTIFY_MULTIPLIER	16
#define CAP_PCI_DATA	16
#define CAP_EXTRA	4

static struct virtio_queue *selected(struct virtio_device *v)
{
	return v->queue_select < v->queues_nr ? &v->queues[v->queue_select] :
						NULL;
}

/* A queue whose registers may be written. */
static struct virtio_queue *writable(struct virtio_device *v)
{
	struct virtio_queue *q = selected(v);

	return q && !q->enabled && !q->resetting && !v->resetting ? q : NULL;
}

/* ---- common configuration --------------------------------------------------- */

static u64 device_feature_select_read(struct virtio_device *v)
{
	return v->device_feature_select;
}

static void device_feature_select_write(struct virtio_device *v, u64 value)
{
	v->device_feature_select = (u32)value;
}

static u64 device_feature_read(struct virtio_device *v)
{
	if (v->device_feature_select > 1)
		return 0;
	return (u32)(v->offered >> (32 * v->device_feature_select));
}

static u64 driver_feature_select_read(struct virtio_device *v)
{
	return v->driver_feature_select;
}

static void driver_feature_select_write(struct virtio_device *v, u64 value)
{
	v->driver_feature_select = (u32)value;
}

static u64 driver_feature_read(struct virtio_device *v)
{
	if (v->driver_feature_select > 1)
		return 0;
	return (u32)(v->features >> (32 * v->driver_feature_select));
}

/* Negotiated features are final (VIRTIO-1.2 2.2). */
static void driver_feature_write(struct virtio_device *v, u64 value)
{
	u32 shift = 32 * v->driver_feature_select;

	if (v->driver_feature_select > 1 ||
	    (v->status & VIRTIO_STATUS_FEATURES_OK))
		return;
	v->features = (v->features & ~(0xffffffffULL << shift)) |
		      (value & 0xffffffffULL) << shift;
}

/* A vector that is not there cannot be had (VIRTIO-1.2 4.1.5.1.2.2). */
static u16 vector_of(const struct virtio_device *v, u64 value)
{
	return value < msix_vectors(&v->pci) ? (u16)value : VIRTIO_NO_VECTOR;
}

static u64 config_vector_read(struct virtio_device *v)
{
	return v->config_vector;
}

static void config_vector_write(struct virtio_device *v, u64 value)
{
	v->config_vector = vector_of(v, value);
}

static u64 num_queues_read(struct virtio_device *v)
{
	return v->queues_nr;
}

static u64 status_read(struct virtio_device *v)
{
	return v->status;
}

static void status_write(struct virtio_device *v, u64 value)
{
	virtio_status_write(v, (u8)value);
}

static u64 generation_read(struct virtio_device *v)
{
	return v->generation;
}

static u64 queue_select_read(struct virtio_device *v)
{
	return v->queue_select;
}

static void queue_select_write(struct virtio_device *v, u64 value)
{
	v->queue_select = (u16)value;
}

/* 0: there is no such queue. */
static u64 queue_size_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	return q ? q->size : 0;
}

static void queue_size_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = writable(v);

	if (q && value <= v->setup.queue_size &&
	    virtio_ring_size_is_valid(v->features, (u32)value))
		q->size = (u16)value;
}

static u64 queue_vector_read(struct virtio_device *v)
{
	struct virtio_queue *q = selected(v);

	return q ? atomic_load(&q->vector) : VIRTIO_NO_VECTOR;
}

static void queue_vector_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = selected(v);

	if (q)
		atomic_store(&q->vector, vector_of(v, value));
}

static u64 queue_enable_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	/* Not while it is reset (VIRTIO-1.2 4.1.4.3.1). */
	return q && q->enabled;
}

static void queue_enable_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = writable(v);

	if (q && value == 1)
		virtio_queue_enable(q);
}

static u64 queue_notify_off_read(struct virtio_device *v)
{
	return v->queue_select < v->queues_nr ? v->queue_select : 0;
}

static u64 queue_desc_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	return q ? gpa_raw(q->desc) : 0;
}

static void queue_desc_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = writable(v);

	if (q)
		q->desc = gpa(value);
}

static u64 queue_driver_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	return q ? gpa_raw(q->driver) : 0;
}

static void queue_driver_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = writable(v);

	if (q)
		q->driver = gpa(value);
}

static u64 queue_device_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	return q ? gpa_raw(q->device) : 0;
}

static void queue_device_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = writable(v);

	if (q)
		q->device = gpa(value);
}

static u64 queue_reset_read(struct virtio_device *v)
{
	const struct virtio_queue *q = selected(v);

	return q && q->resetting;
}

static void queue_reset_write(struct virtio_device *v, u64 value)
{
	struct virtio_queue *q = selected(v);

	if (q && value == 1 && !v->resetting &&
	    virtio_has(v, VIRTIO_F_RING_RESET) &&
	    (v->status & VIRTIO_STATUS_FEATURES_OK))
		virtio_queue_reset(q);
}

/**
 * struct virtio_reg - one register of the common configuration
 * @offset: in its page
 * @width: bytes
 * @read: its value
 * @write: take a value of its width; NULL: read-only
 */
struct virtio_reg {
	u32 offset;
	u32 width;
	u64 (*read)(struct virtio_device *v);
	void (*write)(struct virtio_device *v, u64 value);
};

static u64 zero_read(struct virtio_device *v)
{
	return 0;
}

static const struct virtio_reg registers[] = {
	{ VIRTIO_REG_DEVICE_FEATURE_SELECT, 4, device_feature_select_read,
	  device_feature_select_write },
	{ VIRTIO_REG_DEVICE_FEATURE,	4, device_feature_read,	NULL },
	{ VIRTIO_REG_DRIVER_FEATURE_SELECT, 4, driver_feature_select_read,
	  driver_feature_select_write },
	{ VIRTIO_REG_DRIVER_FEATURE,	4, driver_feature_read,
	  driver_feature_write },
	{ VIRTIO_REG_CONFIG_VECTOR,	2, config_vector_read,
	  config_vector_write },
	{ VIRTIO_REG_NUM_QUEUES,	2, num_queues_read,	NULL },
	{ VIRTIO_REG_DEVICE_STATUS,	1, status_read,		status_write },
	{ VIRTIO_REG_CONFIG_GENERATION,	1, generation_read,	NULL },
	{ VIRTIO_REG_QUEUE_SELECT,	2, queue_select_read,
	  queue_select_write },
	{ VIRTIO_REG_QUEUE_SIZE,	2, queue_size_read,
	  queue_size_write },
	{ VIRTIO_REG_QUEUE_VECTOR,	2, queue_vector_read,
	  queue_vector_write },
	{ VIRTIO_REG_QUEUE_ENABLE,	2, queue_enable_read,
	  queue_enable_write },
	{ VIRTIO_REG_QUEUE_NOTIFY_OFF,	2, queue_notify_off_read, NULL },
	{ VIRTIO_REG_QUEUE_DESC,	8, queue_desc_read,
	  queue_desc_write },
	{ VIRTIO_REG_QUEUE_DRIVER,	8, queue_driver_read,
	  queue_driver_write },
	{ VIRTIO_REG_QUEUE_DEVICE,	8, queue_device_read,
	  queue_device_write },
	{ VIRTIO_REG_QUEUE_NOTIFY_DATA,	2, zero_read,		NULL },
	{ VIRTIO_REG_QUEUE_RESET,	2, queue_reset_read,
	  queue_reset_write },
};

static const struct virtio_reg *reg_find(u64 offset, u32 len)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		const struct virtio_reg *reg = &registers[i];

		if (range_within(offset, len, reg->offset, reg->width) &&
		    len >= min_of(reg->width, 4U) && is_aligned(offset, len))
			return reg;
	}
	return NULL;
}

static u64 common_read(struct virtio_device *v, u64 offset, u32 len)
{
	const struct virtio_reg *reg = reg_find(offset, len);
	u64 value;

	if (!reg)
		return 0;
	value = reg->read(v) >> (8 * (offset - reg->offset));
	return len == 4 ? (u32)value : value;
}

static void common_write(struct virtio_device *v, u64 offset, u64 value,
			 u32 len)
{
	const struct virtio_reg *reg = reg_find(offset, len);
	u32 shift;

	if (!reg || !reg->write)
		return;
	shift = 8 * (u32)(offset - reg->offset);
	if (reg->width == 8 && len == 4)
		value = (reg->read(v) & ~(0xffffffffULL << shift)) |
			(value & 0xffffffffULL) << shift;
	reg->write(v, value);
}

/* ---- device configuration --------------------------------------------------- */

/* Beyond its end it reads as zero. */
static u64 device_read(struct virtio_device *v, u64 offset, u32 len)
{
	const struct virtio_setup *setup = &v->setup;
	__le64 value = 0;

	if (offset < setup->config_len)
		memcpy(&value, (const u8 *)setup->config + offset,
		       min_of((u64)len, setup->config_len - offset));
	return le64_to_cpu(value);
}

static void device_write(struct virtio_device *v, u64 offset, u64 value,
			 u32 len)
{
	const struct virtio_setup *setup = &v->setup;
	u8 *config = setup->config;
	u32 i;

	if (!setup->config_wmask || v->resetting ||
	    !range_fits(offset, len, setup->config_len))
		return;
	for (i = 0; i < len; i++) {
		u8 mask = setup->config_wmask[offset + i];
		u8 byte = (u8)(value >> (8 * i));

		config[offset + i] = (u8)((config[offset + i] & ~mask) |
					  (byte & mask));
	}
	if (setup->ops->config_written)
		setup->ops->config_written(v, (u32)offset, len);
}

/* ---- interrupts ------------------------------------------------------------- */

/*
 * Two threads that drive the pin at once may come to different answers, and the
 * older answer may be set last; so each looks again afterwards.
 */
static void pin_drive(struct virtio_device *v)
{
	bool want = atomic_load(&v->isr), set;

	do {
		set = want;
		pci_intx_set(&v->pci, set);
		want = atomic_load(&v->isr);
	} while (want != set);
}

/**
 * virtio_pci_interrupt() - interrupt the driver
 * @v: the device
 * @vector: MSI-X vector, when it uses MSI-X
 * @isr: VIRTIO_ISR, for when it does not
 *
 * Context: any thread.
 */
void virtio_pci_interrupt(struct virtio_device *v, u16 vector, u32 isr)
{
	if (msix_enabled(&v->pci)) {
		msix_notify(&v->pci, vector);
		return;
	}
	atomic_fetch_or(&v->isr, isr);
	pin_drive(v);
}

/**
 * virtio_pci_isr_clear() - a reset: nothing to announce
 * @v: the device
 *
 * Context: any thread.
 */
void virtio_pci_isr_clear(struct virtio_device *v)
{
	atomic_store(&v->isr, 0);
	pin_drive(v);
}

/* Reading acknowledges (VIRTIO-1.2 4.1.4.5). */
static u64 isr_read(struct virtio_device *v)
{
	u32 isr = atomic_exchange(&v->isr, 0);

	pin_drive(v);
	return isr;
}

/* ---- the BAR ---------------------------------------------------------------- */

static u64 regs_read(struct virtio_device *v, u64 offset, u32 len)
{
	u64 at = offset % PAGE_BYTES;

	switch (offset - at) {
	case AREA_COMMON:
		return common_read(v, at, len);
	case AREA_ISR:
		return at ? 0 : isr_read(v);
	case AREA_DEVICE:
		return device_read(v, at, len);
	default:
		return 0;
	}
}

static void regs_write(struct virtio_device *v, u64 offset, u64 value, u32 len)
{
	u64 at = offset % PAGE_BYTES;

	switch (offset - at) {
	case AREA_COMMON:
		common_write(v, at, value, len);
		break;
	case AREA_DEVICE:
		device_write(v, at, value, len);
		break;
	case AREA_NOTIFY:
		if (at / NOTIFY_STRIDE < v->queues_nr)
			virtio_loop_ring(v->queues[at / NOTIFY_STRIDE].loop);
		break;
	default:
		break;
	}
}

static u64 bar_read(struct bus_region *region, u64 offset, u32 len)
{
	return regs_read(region->opaque, offset, len);
}

static void bar_write(struct bus_region *region, u64 offset, u64 value, u32 len)
{
	regs_write(region->opaque, offset, value, len);
}

static const struct bus_ops bar_ops = {
	.read	= bar_read,
	.write	= bar_write,
};

/* An event where it should be, none where it should not. */
static void event_move(struct virtio_queue *q, bool mapped, u64 base)
{
	struct virtio_device *v = q->v;
	u64 addr = base + AREA_NOTIFY + (u64)q->index * NOTIFY_STRIDE;
	struct error ignored = ERROR_INIT;

	if (q->event.bus && (!mapped || !q->enabled || q->event.addr != addr))
		bus_event_remove(&q->event);
	if (q->event.bus || !mapped || !q->enabled)
		return;
	q->event.addr = addr;
	q->event.fd = q->loop->bell;
	/* Without it the write comes as an exit and does the same. */
	if (bus_event_add(&v->pci.dev.vm->mmio, &q->event, &ignored))
		q->event.bus = NULL;
}

/**
 * virtio_pci_events_move() - notifications follow the BAR and the queues
 * @v: the device
 *
 * Context: device's lock held.
 */
void virtio_pci_events_move(struct virtio_device *v)
{
	bool mapped = pci_bar_mapped(&v->pci, VIRTIO_BAR_REGS);
	u64 base = v->pci.bars[VIRTIO_BAR_REGS].region.base;
	u32 i;

	for (i = 0; i < v->queues_nr; i++)
		event_move(&v->queues[i], mapped, base);
}

/* ---- configuration space ---------------------------------------------------- */

/* Where the capability's window is, when it is one. */
static bool window_of(struct virtio_device *v, u64 *offset, u32 *len)
{
	const u8 *cap = v->pci.config + v->pci_cfg;
	__le32 at, size;

	memcpy(&at, cap + CAP_OFFSET, sizeof(at));
	memcpy(&size, cap + CAP_LENGTH, sizeof(size));
	*offset = le32_to_cpu(at);
	*len = le32_to_cpu(size);
	return cap[CAP_BAR] == VIRTIO_BAR_REGS &&
	       (*len == 1 || *len == 2 || *len == 4) &&
	       is_aligned(*offset, *len) && range_fits(*offset, *len, BAR_BYTES);
}

static bool touches_data(const struct virtio_device *v, u32 offset, u32 len)
{
	u32 data = v->pci_cfg + CAP_PCI_DATA;

	return ranges_overlap(offset, len, data, 4);
}

static void config_read(struct pci_device *pci, u32 offset, u32 len)
{
	struct virtio_device *v = virtio_of_pci(pci);
	__le32 value;
	u64 at;
	u32 size;

	if (!touches_data(v, offset, len) || !window_of(v, &at, &size))
		return;
	value = cpu_to_le32((u32)regs_read(v, at, size));
	memcpy(pci->config + v->pci_cfg + CAP_PCI_DATA, &value, size);
}

static void config_written(struct pci_device *pci, u32 offset, u32 len)
{
	struct virtio_device *v = virtio_of_pci(pci);
	__le32 value = 0;
	u64 at;
	u32 size;

	if (!touches_data(v, offset, len) || !window_of(v, &at, &size))
		return;
	memcpy(&value, pci->config + v->pci_cfg + CAP_PCI_DATA, size);
	regs_write(v, at, le32_to_cpu(value), size);
}

static void command_changed(struct pci_device *pci)
{
	struct virtio_device *v = virtio_of_pci(pci);
	u32 i;

	/* It may be allowed to reach memory again. */
	for (i = 0; i < v->loops_nr; i++)
		virtio_loop_ring(&v->loops[i]);
}

static void bars_moved(struct pci_device *pci)
{
	virtio_pci_events_move(virtio_of_pci(pci));
}

static void function_reset(struct pci_device *pci)
{
	virtio_reset_begin(virtio_of_pci(pci));
}

static const struct pci_ops pci_ops = {
	.command_changed	= command_changed,
	.bars_moved		= bars_moved,
	.flr			= function_reset,
	.config_read		= config_read,
	.config_written		= config_written,
};

/* ---- made and taken apart --------------------------------------------------- */

static int cap_add(struct virtio_device *v, u8 type, u32 offset, u32 length,
		   u32 extra, u32 *at, struct error *err)
{
	const __le32 le_offset = cpu_to_le32(offset);
	const __le32 le_length = cpu_to_le32(length);
	u8 *cap;
	int ret;

	ret = pci_capability_add(&v->pci, PCI_CAP_ID_VNDR, CAP_SIZE + extra,
				 at, err);
	if (ret)
		return ret;
	cap = v->pci.config + *at;
	cap[CAP_LEN] = (u8)(CAP_SIZE + extra);
	cap[CAP_TYPE] = type;
	cap[CAP_BAR] = VIRTIO_BAR_REGS;
	memcpy(cap + CAP_OFFSET, &le_offset, sizeof(le_offset));
	memcpy(cap + CAP_LENGTH, &le_length, sizeof(le_length));
	return 0;
}

static int caps_add(struct virtio_device *v, struct error *err)
{
	const __le32 stride = cpu_to_le32(NOTIFY_STRIDE);
	u32 at = 0;
	int ret;

	/* Each goes in front of the list: the preferred ones come last. */
	ret = cap_add(v, VIRTIO_CAP_PCI, 0, 0, CAP_EXTRA, &v->pci_cfg, err);
	if (ret)
		return ret;
	v->pci.config[v->pci_cfg + CAP_BAR] = 0;
	v->pci.wmask[v->pci_cfg + CAP_BAR] = 0xff;
	memset(v->pci.wmask + v->pci_cfg + CAP_OFFSET, 0xff,
	       CAP_SIZE + CAP_EXTRA - CAP_OFFSET);
	if (v->setup.config_len)
		ret = cap_add(v, VIRTIO_CAP_DEVICE, AREA_DEVICE,
			      v->setup.config_len, 0, &at, err);
	if (!ret)
		ret = cap_add(v, VIRTIO_CAP_NOTIFY, AREA_NOTIFY,
			      v->queues_nr * NOTIFY_STRIDE, CAP_EXTRA, &at,
			      err);
	if (ret)
		return ret;
	memcpy(v->pci.config + at + CAP_NOTIFY_MULTIPLIER, &stride,
	       sizeof(stride));
	ret = cap_add(v, VIRTIO_CAP_ISR, AREA_ISR, 1, 0, &at, err);
	if (!ret)
		ret = cap_add(v, VIRTIO_CAP_COMMON, AREA_COMMON,
			      VIRTIO_REG_COMMON_SIZE, 0, &at, err);
	return ret;
}

static int function_build(struct virtio_device *v, struct error *err)
{
	struct pci_device *pci = &v->pci;
	int ret;

	ret = pci_bar_add(pci, VIRTIO_BAR_REGS, BAR_BYTES, PCI_BAR_MMIO64,
			  &bar_ops, v, err);
	if (!ret)
		ret = caps_add(v, err);
	if (!ret)
		ret = pci_pm_add(pci, err);
	if (!ret)
		ret = pci_express_add(pci, err);
	if (!ret)
		ret = msix_add(pci, VIRTIO_BAR_MSIX, v->queues_nr + 1, err);
	return ret;
}

/**
 * virtio_pci_init() - build the function and let the guest see it
 * @v: the device, with queues and loops
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int virtio_pci_init(struct virtio_device *v, struct error *err)
{
	const struct pci_ident ident = {
		.vendor			= VIRTIO_PCI_VENDOR,
		.device			= VIRTIO_PCI_DEVICE_BASE + v->setup.id,
		.subsystem_vendor	= VIRTIO_PCI_VENDOR,
		.subsystem		= VIRTIO_PCI_DEVICE_BASE + v->setup.id,
		.class			= v->setup.pci_class,
		.revision		= 1,
		.intx			= true,
	};
	int ret;

	ret = pci_device_init(&v->pci, &ident, &pci_ops, err);
	if (ret)
		return ret;
	ret = function_build(v, err);
	if (!ret)
		ret = pci_device_publish(&v->pci, err);
	if (ret)
		virtio_pci_fini(v);
	return ret;
}

/**
 * virtio_pci_fini() - undo virtio_pci_init()
 * @v: the device
 */
void virtio_pci_fini(struct virtio_device *v)
{
	u32 i;

	for (i = 0; i < v->queues_nr; i++)
		bus_event_remove(&v->queues[i].event);
	msix_remove(&v->pci);
	pci_device_destroy(&v->pci);
}
