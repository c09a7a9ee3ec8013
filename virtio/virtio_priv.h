/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of virtio/ share among themselves
 */
#ifndef LKVM_VIRTIO_PRIV_H
#define LKVM_VIRTIO_PRIV_H

#include "virtio/virtio.h"

#define VIRTIO_BAR_REGS		0
#define VIRTIO_BAR_MSIX		2

/* &virtio_queue.stop_wanted */
#define VIRTIO_STOP		BIT(0)
#define VIRTIO_STOP_DISCARD	BIT(1)	/* nobody wants what is in flight */

static inline struct virtio_device *virtio_of_pci(struct pci_device *pci)
{
	return container_of(pci, struct virtio_device, pci);
}

/* virtio.c: device's lock held */
void virtio_kick(struct virtio_device *v);
bool virtio_features_ok(const struct virtio_device *v, u64 features);
void virtio_status_write(struct virtio_device *v, u8 status);
void virtio_power_on(struct virtio_device *v);
void virtio_reset_begin(struct virtio_device *v);
void virtio_queue_enable(struct virtio_queue *q);
void virtio_queue_reset(struct virtio_queue *q);
int virtio_queue_open(struct virtio_queue *q) __must_check;
void virtio_needs_reset(struct virtio_device *v);

/* pci.c */
int virtio_pci_init(struct virtio_device *v, struct error *err) __must_check;
void virtio_pci_fini(struct virtio_device *v);
void virtio_pci_events_move(struct virtio_device *v);
void virtio_pci_interrupt(struct virtio_device *v, u16 vector, u32 isr);
void virtio_pci_isr_clear(struct virtio_device *v);

/* queue.c */
void virtio_loop_init(struct virtio_loop *loop, struct virtio_device *v);
int virtio_loop_start(struct virtio_loop *loop, u32 index, struct error *err)
	__must_check;
void virtio_loop_stop(struct virtio_loop *loop);
void virtio_loop_hurry(struct virtio_loop *loop);
void virtio_loop_go_on(struct virtio_loop *loop);
void virtio_loop_ring(struct virtio_loop *loop);
void virtio_queue_init(struct virtio_queue *q, struct virtio_device *v,
		       u16 index, struct virtio_loop *loop);
void virtio_queue_start(struct virtio_queue *q);
void virtio_queue_stop(struct virtio_queue *q, bool discard);

#endif /* LKVM_VIRTIO_PRIV_H */
