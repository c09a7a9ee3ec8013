/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what a virtio device is built of
 *
 * A device of kind DEVICE_PCI starts its run-time struct with a struct
 * virtio_device. Its realize fills a struct virtio_setup and calls
 * virtio_realize(); its other operations are those of virtio.c, or call them.
 * The device's own part is a set of features, a configuration and what is to
 * be done when a queue has work (struct virtio_ops).
 *
 * virtio.c has status, features and reset; pci.c the registers; queue.c what
 * happens on a queue's thread; ring*.c the rings; state.c what is saved.
 *
 * Control (registers, status, the table of queues) is under the device's lock.
 * A queue's ring belongs to its loop while the queue runs, to control else; it
 * changes hands by posted calls.
 */
#ifndef LKVM_VIRTIO_H
#define LKVM_VIRTIO_H

#include <stdatomic.h>

#include "devices/pci/pci.h"
#include "virtio/ring.h"
#include "vmm/iothread.h"

#define VIRTIO_QUEUES_MAX	32
#define VIRTIO_LOOPS_MAX	16
#define VIRTIO_CONFIG_MAX	256	/* bytes of device configuration */

struct virtio_device;
struct virtio_queue;

/**
 * enum virtio_next - what a queue waits for after its handler
 * @VIRTIO_NEXT_CHAIN: all chains were taken: for the driver
 * @VIRTIO_NEXT_TURN: there is more, but others have their turn first
 * @VIRTIO_NEXT_WAKE: for virtio_queue_wake(), whatever the driver does
 */
enum virtio_next {
	VIRTIO_NEXT_CHAIN,
	VIRTIO_NEXT_TURN,
	VIRTIO_NEXT_WAKE,
};

/**
 * struct virtio_ops - what a device does
 * @features_ok: can the device work with this subset of its features? Changes
 *               nothing. Under the device's lock. NULL: with any
 * @features_set: they are negotiated. On a vCPU's thread under the device's
 *                lock. NULL: nothing to do
 * @reset: all queues have stopped: the device's own part at power-on. Under
 *         the device's lock, on any thread. NULL: nothing to do
 * @config_written: the driver has written to the configuration, whose bytes
 *                  at @offset have the new value already. On a vCPU's thread
 *                  under the device's lock
 * @handle: on the queue's loop: the driver may have made chains available.
 *          Takes some (a few hundred at most in a row), with
 *          virtio_queue_pop(), and gives them back now or later
 * @queue_start: on the queue's loop: the queue begins to run. NULL: nothing
 * @queue_stop: on the queue's loop: it is to end, nothing can be taken any
 *              more. What was taken is to be given back soon; with
 *              &virtio_queue.discard nobody wants it, so it may be cancelled.
 *              Called again when a reset comes after a pause. NULL: nothing
 * @queue_reset: the queue has been reset by itself and does not run: what was
 *               put aside of it is forgotten. Under the device's lock, on any
 *               thread. NULL: nothing can be put aside
 * @queue_hurry: on the queue's loop: a pause has waited for long. What can be
 *               done again from its beginning is put aside, at once or a little
 *               later (virtio_queue_put_aside()), and taken up again by
 *               @queue_start; that is called without a stop before it, too,
 *               when the pause is given up. NULL: nothing can
 */
struct virtio_ops {
	bool (*features_ok)(const struct virtio_device *v, u64 features);
	void (*features_set)(struct virtio_device *v);
	void (*reset)(struct virtio_device *v);
	void (*config_written)(struct virtio_device *v, u32 offset, u32 len);
	enum virtio_next (*handle)(struct virtio_queue *q);
	void (*queue_start)(struct virtio_queue *q);
	void (*queue_stop)(struct virtio_queue *q);
	void (*queue_reset)(struct virtio_queue *q);
	void (*queue_hurry)(struct virtio_queue *q);
};

/**
 * struct virtio_setup - how a device is to be built
 * @id: VIRTIO_ID
 * @pci_class: 24-bit PCI class code
 * @features: the device's own feature bits; those of ring and transport come
 *            by themselves
 * @queues_nr: 1 to VIRTIO_QUEUES_MAX
 * @queue_size: most entries of each, a power of two
 * @queue_group: so many queues in a row live on the same loop; 0 for 1
 * @loops_nr: threads of its own; 0: all is done on the main loop
 * @poll_ns: how long such a thread looks for work before it sleeps
 * @config: device configuration as the driver reads it (little-endian); stays
 *          the device's, and changes under the device's lock only
 * @config_len: bytes, at most VIRTIO_CONFIG_MAX
 * @config_wmask: bits of it that the driver may write; NULL for none
 * @ops: what the device does
 */
struct virtio_setup {
	u16 id;
	u32 pci_class;
	u64 features;
	u32 queues_nr;
	u16 queue_size;
	u32 queue_group;
	u32 loops_nr;
	u64 poll_ns;
	void *config;
	u32 config_len;
	const u8 *config_wmask;
	const struct virtio_ops *ops;
};

/**
 * struct virtio_loop - a thread and the queues that live on it
 * @v: its device
 * @thread: the thread
 * @own: storage of @thread, unless that is the main loop
 * @poller: looks at the queues
 * @bell: eventfd that the driver's notifications signal
 * @bell_watch: watches @bell
 * @queues: struct virtio_queue, those that run
 */
struct virtio_loop {
	struct virtio_device *v;
	struct iothread *thread;
	struct iothread own;
	struct io_poller poller;
	int bell;
	struct io_watch bell_watch;
	struct list queues;
};

/**
 * enum virtio_queue_phase - who has a queue's ring
 * @VIRTIO_QUEUE_IDLE: control
 * @VIRTIO_QUEUE_RUNNING: the loop
 * @VIRTIO_QUEUE_STOPPING: the loop, which was asked to give it back
 */
enum virtio_queue_phase {
	VIRTIO_QUEUE_IDLE,
	VIRTIO_QUEUE_RUNNING,
	VIRTIO_QUEUE_STOPPING,
};

/**
 * struct virtio_queue - a virtqueue
 * @v: its device
 * @index: its number
 * @loop: where it lives, for good
 * @phase: who has @ring; device's lock
 * @resetting: the driver resets it; device's lock
 * @enabled: queue_enable; device's lock
 * @size: queue_size; device's lock
 * @desc: queue_desc; device's lock
 * @driver: queue_driver; device's lock
 * @device: queue_device; device's lock
 * @vector: queue_msix_vector
 * @event: its notifications, without an exit; device's lock
 * @start: posted to begin
 * @stop: posted to end
 * @stop_wanted: set of VIRTIO_STOP bits: it is to end; 0 while it is to run
 * @silent: the loop has given @ring back
 * @ring: the ring
 * @link: in &virtio_loop.queues; the loop's, as is what follows
 * @stopping: nothing is taken any more
 * @discard: what is given back does not reach the driver
 * @broken: the driver did something that cannot be
 * @parked: not looked at before virtio_queue_wake()
 * @unsignalled: something was given back since the driver was last asked
 *               whether it wants an interrupt
 * @inflight: chains taken and not given back
 * @chains: how many were ever given back
 * @signals: how many interrupts there were
 * @priv: the device's
 */
struct virtio_queue {
	struct virtio_device *v;
	u16 index;
	struct virtio_loop *loop;
	enum virtio_queue_phase phase;
	bool resetting;
	bool enabled;
	u16 size;
	gpa_t desc;
	gpa_t driver;
	gpa_t device;
	_Atomic u16 vector;
	struct bus_event event;
	struct loop_call start;
	struct loop_call stop;
	_Atomic u32 stop_wanted;
	_Atomic bool silent;
	struct virtio_ring ring;
	struct list link;
	bool stopping;
	bool discard;
	bool broken;
	bool parked;
	bool unsignalled;
	u32 inflight;
	_Atomic u64 chains;
	_Atomic u64 signals;
	void *priv;
};

/**
 * struct virtio_device - the virtio part of a device's run-time struct
 * @pci: the function; &virtio_device.pci.dev is the device
 * @setup: how it was built
 * @offered: all features that it has
 * @features: those that were negotiated, or are about to be
 * @status: device_status
 * @device_feature_select: which half of @offered is read
 * @driver_feature_select: which half of @features is written
 * @queue_select: which queue the registers are about
 * @config_vector: config_msix_vector
 * @generation: config_generation
 * @isr: ISR status
 * @resetting: a reset waits for queues to stop
 * @paused: no queue may run
 * @failed: a loop has found that the driver cannot go on; for the main loop
 * @kick: has the main loop look at everything
 * @queues: the queues
 * @queues_nr: how many
 * @loops: the loops
 * @loops_nr: how many
 * @pci_cfg: offset of the capability through which configuration accesses
 *           reach the registers
 *
 * What is not atomic is under the device's lock.
 */
struct virtio_device {
	struct pci_device pci;
	struct virtio_setup setup;
	u64 offered;
	u64 features;
	u8 status;
	u32 device_feature_select;
	u32 driver_feature_select;
	u16 queue_select;
	u16 config_vector;
	u8 generation;
	_Atomic u32 isr;
	bool resetting;
	bool paused;
	_Atomic bool failed;
	struct loop_call kick;
	struct virtio_queue *queues;
	u32 queues_nr;
	struct virtio_loop *loops;
	u32 loops_nr;
	u32 pci_cfg;
};

/**
 * struct virtio_queue_state - what is saved of a queue
 * @desc: queue_desc
 * @driver: queue_driver
 * @device: queue_device
 * @size: queue_size
 * @vector: queue_msix_vector
 * @position: which chain is taken next: split ring: the driver's index; packed
 *            ring: the entry. It is the one that is given back next as well,
 *            but for those that the device has put aside
 * @enabled: queue_enable
 * @wrap: packed ring: the wrap counter at @position
 */
struct virtio_queue_state {
	u64 desc;
	u64 driver;
	u64 device;
	u16 size;
	u16 vector;
	u16 position;
	u8 enabled;
	u8 wrap;
};

/**
 * struct virtio_state - what is saved of the virtio part of a device
 * @pci: the function
 * @features: driver_feature, both halves
 * @device_feature_select: register
 * @driver_feature_select: register
 * @queue_select: register
 * @config_vector: register
 * @isr: ISR status, not yet read
 * @status: device_status
 * @generation: config_generation
 * @queues_nr: of @queues
 * @queues: all queues; nothing is in flight, but a device may have put chains
 *          aside, which it saves itself
 *
 * Embed it in the device's state struct (its size is a multiple of 8) and name
 * &virtio_state_desc in the device's table.
 */
struct virtio_state {
	struct pci_state pci;
	u64 features;
	u32 device_feature_select;
	u32 driver_feature_select;
	u16 queue_select;
	u16 config_vector;
	u32 isr;
	u16 status;
	u16 generation;
	u32 queues_nr;
	struct virtio_queue_state queues[VIRTIO_QUEUES_MAX];
};

extern const struct state_desc virtio_state_desc;

/* virtio.c: the device's operations, and what they are made of */
int virtio_realize(struct virtio_device *v, const struct virtio_setup *setup,
		   struct error *err) __must_check;
void virtio_unrealize(struct virtio_device *v);
void virtio_reset(struct device *dev);
int virtio_quiesce(struct device *dev, struct error *err);
void virtio_resume(struct device *dev);
void virtio_stat(const struct device *dev, struct stat_sink *sink);
void virtio_config_changed(struct virtio_device *v);

/* state.c */
void virtio_state_save(const struct virtio_device *v, struct virtio_state *to);
int virtio_state_check(const struct virtio_device *v,
		       const struct virtio_state *from, struct error *err)
	__must_check;
void virtio_state_load(struct virtio_device *v,
		       const struct virtio_state *from);
void virtio_queue_load_aside(struct virtio_queue *q, u16 slots);

/* queue.c: on the queue's loop */
bool virtio_queue_pop(struct virtio_queue *q, struct virtio_chain *chain,
		      struct iovec *iov, u32 iov_max) __must_check;
void virtio_queue_unpop(struct virtio_queue *q,
			const struct virtio_chain *chain);
void virtio_queue_push(struct virtio_queue *q,
		       const struct virtio_chain *chain, u32 len);
void virtio_queue_put_aside(struct virtio_queue *q);
void virtio_queue_take_up(struct virtio_queue *q);
void virtio_queue_hold(struct virtio_queue *q);
void virtio_queue_publish(struct virtio_queue *q);
void virtio_queue_wake(struct virtio_queue *q);
__printf(2, 3)
void virtio_queue_fail(struct virtio_queue *q, const char *fmt, ...);

/* Was this feature negotiated? Fixed while a queue runs. */
static inline bool virtio_has(const struct virtio_device *v, u64 feature)
{
	return v->features & feature;
}

static inline struct virtio_device *virtio_device_of(struct device *dev)
{
	return container_of(dev, struct virtio_device, pci.dev);
}

#endif /* LKVM_VIRTIO_H */
