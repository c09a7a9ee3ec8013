// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: saving and loading the virtio part of a device
 *
 * What is saved are the registers and, of each queue, where it is in its ring;
 * the rings themselves are guest memory. Nothing is in flight: a pause waits
 * until every chain was given back, so "taken next" and "given back next" are
 * the same place. What a device has put aside it saves itself, and says how
 * many places the latter is behind (virtio_queue_load_aside()).
 *
 * A state comes from outside: the table's ranges are the first check,
 * virtio_state_check() is the second. Loading does not touch guest memory.
 */
#include "devices/pci/msix.h"
#include "virtio/virtio_priv.h"
#include "vmm/vm.h"

static const struct state_field queue_fields[] = {
	STATE_U64(struct virtio_queue_state, desc, "desc", 0, UINT64_MAX),
	STATE_U64(struct virtio_queue_state, driver, "driver", 0, UINT64_MAX),
	STATE_U64(struct virtio_queue_state, device, "device", 0, UINT64_MAX),
	STATE_U16(struct virtio_queue_state, size, "size", 1, VIRTQ_SIZE_MAX),
	STATE_U16(struct virtio_queue_state, vector, "vector", 0, UINT16_MAX),
	STATE_U16(struct virtio_queue_state, position, "position", 0,
		  UINT16_MAX),
	STATE_U8(struct virtio_queue_state, enabled, "enabled", 0, 1),
	STATE_U8(struct virtio_queue_state, wrap, "wrap", 0, 1),
};

static const struct state_desc queue_desc =
	STATE_DESC("lkvm,virtio-queue-v1", struct virtio_queue_state,
		   queue_fields);

static const struct state_field fields[] = {
	STATE_STRUCT(struct virtio_state, pci, "pci", &pci_state_desc),
	STATE_U64(struct virtio_state, features, "features", 0, UINT64_MAX),
	STATE_U32(struct virtio_state, device_feature_select,
		  "device-feature-select", 0, UINT32_MAX),
	STATE_U32(struct virtio_state, driver_feature_select,
		  "driver-feature-select", 0, UINT32_MAX),
	STATE_U16(struct virtio_state, queue_select, "queue-select", 0,
		  UINT16_MAX),
	STATE_U16(struct virtio_state, config_vector, "config-vector", 0,
		  UINT16_MAX),
	STATE_U32(struct virtio_state, isr, "isr", 0,
		  VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG),
	STATE_U16(struct virtio_state, status, "status", 0,
		  VIRTIO_STATUS_ALL),
	STATE_U16(struct virtio_state, generation, "generation", 0,
		  UINT8_MAX),
	STATE_STRUCTS(struct virtio_state, queues, queues_nr, "queue",
		      &queue_desc),
};

/* The table of struct virtio_state, for the tables of devices. */
const struct state_desc virtio_state_desc =
	STATE_DESC("lkvm,virtio-v1", struct virtio_state, fields);

static_assert(sizeof(struct virtio_state) % 8 == 0,
	      "a device puts 64-bit fields after it");

static void save_queue(struct virtio_queue_state *s,
		       const struct virtio_queue *q)
{
	s->desc = gpa_raw(q->desc);
	s->driver = gpa_raw(q->driver);
	s->device = gpa_raw(q->device);
	s->size = q->size;
	s->vector = atomic_load(&q->vector);
	s->enabled = q->enabled;
	s->position = q->ring.next;
	s->wrap = q->ring.next_wrap;
}

/**
 * virtio_state_save() - copy the virtio part of a device
 * @v: quiesced
 * @to: zeroed; takes it
 *
 * Context: the device's save.
 */
void virtio_state_save(const struct virtio_device *v, struct virtio_state *to)
{
	u32 i;

	pci_state_save(&v->pci, &to->pci);
	to->features = v->features;
	to->device_feature_select = v->device_feature_select;
	to->driver_feature_select = v->driver_feature_select;
	to->queue_select = v->queue_select;
	to->config_vector = v->config_vector;
	to->isr = atomic_load(&v->isr);
	to->status = v->status;
	to->generation = v->generation;
	to->queues_nr = v->queues_nr;
	for (i = 0; i < v->queues_nr; i++)
		save_queue(&to->queues[i], &v->queues[i]);
}

static bool vector_is_ok(const struct virtio_device *v, u32 vector)
{
	return vector == VIRTIO_NO_VECTOR || vector < msix_vectors(&v->pci);
}

static int check_ring(const struct virtio_device *v, u64 features,
		      const struct virtio_queue_state *s, struct error *err)
{
	const struct virtio_ring_params params = {
		.features = features,
		.size = s->size,
		.desc = gpa(s->desc),
		.driver = gpa(s->driver),
		.device = gpa(s->device),
	};
	struct virtio_ring ring;
	struct guest_gate gate;

	guest_gate_init(&gate, v->pci.dev.gate.memory);
	if (virtio_ring_open(&ring, &gate, &params))
		return error_set(err, -EINVAL, "the ring is not in RAM");
	if (ring.packed && s->position >= s->size)
		return error_set(err, -EINVAL,
				 "position %u is beyond the ring of %u",
				 s->position, s->size);
	if (!ring.packed && s->wrap)
		return error_set(err, -EINVAL,
				 "wrap: a split ring has no such counter");
	return 0;
}

static int check_queue(const struct virtio_device *v,
		       const struct virtio_state *from,
		       const struct virtio_queue_state *s, struct error *err)
{
	bool ok = from->status & VIRTIO_STATUS_FEATURES_OK;

	if (s->size > v->setup.queue_size)
		return error_set(err, -EINVAL, "size %u is above %u", s->size,
				 v->setup.queue_size);
	if (!vector_is_ok(v, s->vector))
		return error_set(err, -EINVAL, "there is no vector %u",
				 s->vector);
	if (!s->enabled && (s->position || s->wrap))
		return error_set(err, -EINVAL,
				 "position: the queue is not enabled");
	if (s->enabled && !ok)
		return error_set(err, -EINVAL,
				 "enabled: features are not negotiated");
	return s->enabled ? check_ring(v, from->features, s, err) : 0;
}

static int check_status(const struct virtio_device *v,
			const struct virtio_state *from, struct error *err)
{
	bool ok = from->status & VIRTIO_STATUS_FEATURES_OK;

	if (from->status & ~VIRTIO_STATUS_ALL)
		return error_set(err, -EINVAL,
				 "status: %#x has bits that do not exist",
				 from->status);
	if ((from->status & VIRTIO_STATUS_DRIVER_OK) && !ok)
		return error_set(err, -EINVAL,
				 "status: %#x: features are not negotiated",
				 from->status);
	if (ok && !virtio_features_ok(v, from->features))
		return error_set(err, -EINVAL,
				 "features: %#llx cannot be those of a device with %#llx",
				 from->features, v->offered);
	return 0;
}

/**
 * virtio_state_check() - does a state fit the device as it was built?
 * @v: the device
 * @from: decoded, its ranges checked
 * @err: says what does not fit
 *
 * Context: the device's check.
 * Return: 0, or -EINVAL.
 */
int virtio_state_check(const struct virtio_device *v,
		       const struct virtio_state *from, struct error *err)
{
	u32 i;
	int ret;

	ret = check_status(v, from, err);
	if (ret)
		return ret;
	if (!vector_is_ok(v, from->config_vector))
		return error_set(err, -EINVAL,
				 "config-vector: there is no vector %u",
				 from->config_vector);
	if (from->queues_nr != v->queues_nr)
		return error_set(err, -EINVAL,
				 "queue: there are %u, but the device has %u",
				 from->queues_nr, v->queues_nr);
	for (i = 0; i < from->queues_nr; i++) {
		ret = check_queue(v, from, &from->queues[i], err);
		if (ret)
			return error_prefix(err, "queue@%u", i);
	}
	return pci_state_check(&v->pci, &from->pci, err);
}

static void load_queue(struct virtio_queue *q,
		       const struct virtio_queue_state *s)
{
	q->desc = gpa(s->desc);
	q->driver = gpa(s->driver);
	q->device = gpa(s->device);
	q->size = s->size;
	atomic_store(&q->vector, s->vector);
	q->enabled = s->enabled && !virtio_queue_open(q);
	if (!q->enabled)
		return;
	q->ring.next = s->position;
	q->ring.used = s->position;
	q->ring.next_wrap = s->wrap;
	q->ring.used_wrap = s->wrap;
}

/**
 * virtio_state_load() - install a state
 * @v: the device; nothing of it runs until it is resumed
 * @from: passed virtio_state_check()
 *
 * Context: the device's load, with its lock held.
 */
void virtio_state_load(struct virtio_device *v,
		       const struct virtio_state *from)
{
	u32 i;

	v->paused = true;
	virtio_power_on(v);
	v->features = from->features;
	v->device_feature_select = from->device_feature_select;
	v->driver_feature_select = from->driver_feature_select;
	v->queue_select = from->queue_select;
	v->config_vector = from->config_vector;
	v->status = (u8)from->status;
	v->generation = (u8)from->generation;
	for (i = 0; i < v->queues_nr; i++)
		load_queue(&v->queues[i], &from->queues[i]);
	atomic_store(&v->isr, from->isr);
	pci_state_load(&v->pci, &from->pci);
	virtio_pci_events_move(v);
}

/**
 * virtio_queue_load_aside() - a chain was put aside before the state was saved
 * @q: a queue that is enabled and does not run
 * @slots: entries of the ring that the chain takes, at most its size
 *
 * Context: the device's load, after virtio_state_load().
 */
void virtio_queue_load_aside(struct virtio_queue *q, u16 slots)
{
	struct virtio_ring *ring = &q->ring;

	if (ring->packed && ring->used < slots) {
		ring->used = (u16)(ring->used + ring->size);
		ring->used_wrap = !ring->used_wrap;
	}
	ring->used = (u16)(ring->used - slots);
}
