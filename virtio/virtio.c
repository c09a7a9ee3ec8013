// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtio devices: status, features, reset, pause
 *
 * VIRTIO-1.2 2 and 3. The driver negotiates features, sets up queues and says
 * DRIVER_OK; from then on enabled queues run on their loops. A queue stops when
 * the device or the queue is reset, the machine is paused, or the driver has
 * done something that cannot be.
 *
 * A reset ends when all queues have stopped, which may take as long as the host
 * needs to end what is in flight. Nobody waits for it: device_status (or
 * queue_reset) reads as before until the main loop has seen the last queue
 * stop, and the driver looks at it until then, as it has to
 * (VIRTIO-1.2 4.1.4.3.2). Without a queue that runs, a reset ends at once.
 *
 * Threads: registers on vCPU threads under the device's lock; the ends of
 * resets and stops on the main loop under the lock; queues on their loops.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/pci/msix.h"
#include "virtio/virtio_priv.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define QUIESCE_PATIENCE_NS	(3 * 1000000000ULL)	/* then hurry */
#define QUIESCE_LIMIT_NS	(7 * 1000000000ULL)	/* then give up */

/* What ring and transport can do for every device. */
#define FEATURES_COMMON		(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | \
				 VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | \
				 VIRTIO_F_RING_RESET)

/**
 * virtio_kick() - have the main loop look at a device
 * @v: the device
 *
 * Context: any thread.
 */
void virtio_kick(struct virtio_device *v)
{
	iothread_post(&v->pci.dev.vm->loop, &v->kick);
}

static bool is_live(const struct virtio_device *v)
{
	return (v->status & VIRTIO_STATUS_DRIVER_OK) &&
	       !(v->status & (VIRTIO_STATUS_NEEDS_RESET |
			      VIRTIO_STATUS_FAILED)) &&
	       !v->resetting && !v->paused;
}

/* Starts what may run. */
static void queues_start(struct virtio_device *v)
{
	u32 i;

	if (!is_live(v))
		return;
	for (i = 0; i < v->queues_nr; i++) {
		struct virtio_queue *q = &v->queues[i];

		if (q->enabled && !q->resetting &&
		    q->phase == VIRTIO_QUEUE_IDLE)
			virtio_queue_start(q);
	}
}

static void queues_stop(struct virtio_device *v, bool discard)
{
	u32 i;

	for (i = 0; i < v->queues_nr; i++)
		virtio_queue_stop(&v->queues[i], discard);
}

static bool queues_are_idle(const struct virtio_device *v)
{
	u32 i;

	for (i = 0; i < v->queues_nr; i++)
		if (v->queues[i].phase != VIRTIO_QUEUE_IDLE)
			return false;
	return true;
}

/* Takes the rings back that loops have given up. */
static void queues_collect(struct virtio_device *v)
{
	u32 i;

	for (i = 0; i < v->queues_nr; i++) {
		struct virtio_queue *q = &v->queues[i];

		/* Acquire: pairs with queue_silent(), queue.c. */
		if (q->phase == VIRTIO_QUEUE_STOPPING &&
		    atomic_load_explicit(&q->silent, memory_order_acquire))
			q->phase = VIRTIO_QUEUE_IDLE;
	}
}

/* ---- queues ----------------------------------------------------------------- */

static void queue_power_on(struct virtio_queue *q)
{
	q->resetting = false;
	q->enabled = false;
	q->size = q->v->setup.queue_size;
	q->desc = gpa(0);
	q->driver = gpa(0);
	q->device = gpa(0);
	q->broken = false;
	memset(&q->ring, 0, sizeof(q->ring));
	atomic_store(&q->vector, VIRTIO_NO_VECTOR);
}

/**
 * virtio_queue_open() - a queue's registers are complete
 * @q: idle
 *
 * Return: 0 or -EFAULT.
 */
int virtio_queue_open(struct virtio_queue *q)
{
	const struct virtio_ring_params params = {
		.features = q->v->features,
		.size = q->size,
		.desc = q->desc,
		.driver = q->driver,
		.device = q->device,
	};

	return virtio_ring_open(&q->ring, &q->v->pci.dev.gate, &params);
}

/**
 * virtio_queue_enable() - the driver enables a queue
 * @q: the queue
 *
 * Context: device's lock held.
 */
void virtio_queue_enable(struct virtio_queue *q)
{
	struct virtio_device *v = q->v;

	if (q->enabled || q->resetting ||
	    !(v->status & VIRTIO_STATUS_FEATURES_OK))
		return;
	if (virtio_queue_open(q)) {
		log_limited(LOG_DEBUG, "%s: queue %u: cannot be there",
			    v->pci.dev.name, q->index);
		virtio_needs_reset(v);
		return;
	}
	q->enabled = true;
	virtio_pci_events_move(v);
	queues_start(v);
}

/* As at power-on, but for what belongs to the device. */
static void queue_reset_end(struct virtio_queue *q)
{
	const struct virtio_ops *ops = q->v->setup.ops;

	queue_power_on(q);
	if (ops->queue_reset)
		ops->queue_reset(q);
	virtio_pci_events_move(q->v);
}

/**
 * virtio_queue_reset() - the driver resets a queue
 * @q: the queue
 *
 * Context: device's lock held; does not wait.
 */
void virtio_queue_reset(struct virtio_queue *q)
{
	if (q->resetting || !q->enabled)
		return;
	q->resetting = true;
	virtio_queue_stop(q, true);
	if (q->phase == VIRTIO_QUEUE_IDLE)
		queue_reset_end(q);
}

/* ---- status ----------------------------------------------------------------- */

/**
 * virtio_config_changed() - the device configuration is another one
 * @v: the device; its configuration has been changed in the same section of
 *     the lock
 *
 * Context: device's lock held.
 */
void virtio_config_changed(struct virtio_device *v)
{
	v->generation++;
	if (v->status & VIRTIO_STATUS_DRIVER_OK)
		virtio_pci_interrupt(v, v->config_vector, VIRTIO_ISR_CONFIG);
}

/**
 * virtio_needs_reset() - the device cannot go on with this driver
 * @v: the device
 *
 * VIRTIO-1.2 2.1.2: only a reset helps; the driver hears of it.
 *
 * Context: device's lock held.
 */
void virtio_needs_reset(struct virtio_device *v)
{
	if (v->resetting || (v->status & VIRTIO_STATUS_NEEDS_RESET))
		return;
	v->status |= VIRTIO_STATUS_NEEDS_RESET;
	queues_stop(v, false);
	if (v->status & VIRTIO_STATUS_DRIVER_OK)
		virtio_pci_interrupt(v, v->config_vector, VIRTIO_ISR_CONFIG);
}

/**
 * virtio_power_on() - what the driver had set up is forgotten
 * @v: the device; all its queues are idle
 *
 * Context: device's lock held.
 */
void virtio_power_on(struct virtio_device *v)
{
	u32 i;

	v->resetting = false;
	v->status = 0;
	v->features = 0;
	v->device_feature_select = 0;
	v->driver_feature_select = 0;
	v->queue_select = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	atomic_store(&v->failed, false);
	for (i = 0; i < v->queues_nr; i++)
		queue_power_on(&v->queues[i]);
	virtio_pci_isr_clear(v);
	virtio_pci_events_move(v);
	if (v->setup.ops->reset)
		v->setup.ops->reset(v);
}

/**
 * virtio_reset_begin() - begin a device reset
 * @v: the device
 *
 * Context: device's lock held; does not wait.
 */
void virtio_reset_begin(struct virtio_device *v)
{
	v->resetting = true;
	queues_stop(v, true);
	if (queues_are_idle(v))
		virtio_power_on(v);
}

/**
 * virtio_features_ok() - may a driver have these features?
 * @v: the device
 * @features: what it wants
 *
 * Return: true when the device can work with them.
 */
bool virtio_features_ok(const struct virtio_device *v, u64 features)
{
	return !(features & ~v->offered) && (features & VIRTIO_F_VERSION_1) &&
	       (!v->setup.ops->features_ok ||
		v->setup.ops->features_ok(v, features));
}

/**
 * virtio_status_write() - the driver writes device_status
 * @v: the device
 * @status: what it writes; 0 asks for a reset
 *
 * Bits are only ever added (VIRTIO-1.2 2.1.1). FEATURES_OK stays clear when
 * the driver wants what there is not, and DRIVER_OK without it.
 *
 * Context: device's lock held.
 */
void virtio_status_write(struct virtio_device *v, u8 status)
{
	u8 added = status & (u8)~v->status & VIRTIO_STATUS_ALL &
		   (u8)~VIRTIO_STATUS_NEEDS_RESET;

	if (v->resetting)
		return;
	if (!status) {
		virtio_reset_begin(v);
		return;
	}
	if ((added & VIRTIO_STATUS_FEATURES_OK) &&
	    !virtio_features_ok(v, v->features))
		added &= (u8)~VIRTIO_STATUS_FEATURES_OK;
	if (!((v->status | added) & VIRTIO_STATUS_FEATURES_OK))
		added &= (u8)~VIRTIO_STATUS_DRIVER_OK;
	v->status |= added;
	if ((added & VIRTIO_STATUS_FEATURES_OK) && v->setup.ops->features_set)
		v->setup.ops->features_set(v);
	if (added & VIRTIO_STATUS_FAILED)
		queues_stop(v, false);
	queues_start(v);
}

/* ---- the main loop ---------------------------------------------------------- */

/* Everything that the main loop has to look at, whoever asked. */
static void device_work(struct loop_call *call)
{
	struct virtio_device *v = container_of(call, struct virtio_device,
					       kick);
	u32 i;

	mutex_lock(&v->pci.dev.lock);
	queues_collect(v);
	if (atomic_exchange(&v->failed, false))
		virtio_needs_reset(v);
	for (i = 0; i < v->queues_nr; i++)
		if (v->queues[i].resetting && !v->resetting &&
		    v->queues[i].phase == VIRTIO_QUEUE_IDLE)
			queue_reset_end(&v->queues[i]);
	if (v->resetting && queues_are_idle(v))
		virtio_power_on(v);
	/* A pause that ended before they had stopped. */
	queues_start(v);
	mutex_unlock(&v->pci.dev.lock);
}

static bool queues_are_resetting(const struct virtio_device *v)
{
	u32 i;

	for (i = 0; i < v->queues_nr; i++)
		if (v->queues[i].resetting)
			return true;
	return false;
}

static bool is_silent(struct virtio_device *v)
{
	bool silent;

	mutex_lock(&v->pci.dev.lock);
	silent = queues_are_idle(v) && !v->resetting &&
		 !queues_are_resetting(v) && !atomic_load(&v->kick.queued);
	mutex_unlock(&v->pci.dev.lock);
	return silent;
}

static void wait_over(struct io_timer *timer)
{
	/* Only there to end the loop's sleep. */
}

/* The main loop goes on meanwhile: what has to end may need it. */
static bool wait_silent(struct virtio_device *v, u64 limit_ns)
{
	struct iothread *main_loop = &v->pci.dev.vm->loop;
	u64 end = now_ns() + limit_ns;
	struct io_timer timer;

	io_timer_init(&timer, main_loop, wait_over);
	io_timer_set(&timer, limit_ns);
	while (!is_silent(v) && now_ns() < end)
		iothread_run_once(main_loop, true);
	io_timer_destroy(&timer);
	return is_silent(v);
}

/* ---- operations ------------------------------------------------------------- */

/* The pause did not come about: as if it had not been asked for. */
static void give_up_pause(struct virtio_device *v)
{
	u32 i;

	mutex_lock(&v->pci.dev.lock);
	v->paused = false;
	for (i = 0; is_live(v) && i < v->loops_nr; i++)
		virtio_loop_go_on(&v->loops[i]);
	mutex_unlock(&v->pci.dev.lock);
	virtio_resume(&v->pci.dev);
}

/**
 * virtio_quiesce() - &device_ops.quiesce
 * @dev: a virtio device
 * @err: filled on failure
 *
 * What is in flight is ended, not cancelled. What the host does not end for a
 * while is put aside where the device can do that.
 *
 * Return: 0, or -ETIMEDOUT.
 */
int virtio_quiesce(struct device *dev, struct error *err)
{
	struct virtio_device *v = virtio_device_of(dev);
	u32 i;

	mutex_lock(&dev->lock);
	v->paused = true;
	queues_stop(v, false);
	mutex_unlock(&dev->lock);
	if (is_silent(v) || wait_silent(v, QUIESCE_PATIENCE_NS))
		return 0;
	for (i = 0; i < v->loops_nr; i++)
		virtio_loop_hurry(&v->loops[i]);
	if (wait_silent(v, QUIESCE_LIMIT_NS))
		return 0;
	give_up_pause(v);
	return error_set(err, -ETIMEDOUT,
			 "the host did not end requests within %llu s",
			 (QUIESCE_PATIENCE_NS + QUIESCE_LIMIT_NS) /
			 1000000000ULL);
}

/**
 * virtio_resume() - &device_ops.resume
 * @dev: a virtio device
 */
void virtio_resume(struct device *dev)
{
	struct virtio_device *v = virtio_device_of(dev);

	mutex_lock(&dev->lock);
	v->paused = false;
	queues_start(v);
	mutex_unlock(&dev->lock);
	/* Those that were still to stop are started again when they have. */
	virtio_kick(v);
}

/**
 * virtio_reset() - &device_ops.reset
 * @dev: a virtio device, nothing of it runs
 */
void virtio_reset(struct device *dev)
{
	struct virtio_device *v = virtio_device_of(dev);

	pci_device_reset(&v->pci);
	virtio_power_on(v);
}

/**
 * virtio_stat() - &device_ops.stat
 * @dev: a virtio device
 * @sink: takes the counters
 */
void virtio_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct virtio_device *v = container_of(dev, struct virtio_device,
						     pci.dev);
	u64 chains = 0, signals = 0;
	u32 i;

	for (i = 0; i < v->queues_nr; i++) {
		chains += atomic_load(&v->queues[i].chains);
		signals += atomic_load(&v->queues[i].signals);
	}
	sink->counter(sink, "buffers", chains);
	sink->counter(sink, "interrupts", signals);
}

/* ---- made and taken apart --------------------------------------------------- */

static void loops_destroy(struct virtio_device *v)
{
	while (v->loops_nr)
		virtio_loop_stop(&v->loops[--v->loops_nr]);
	free(v->loops);
}

static int loops_create(struct virtio_device *v, struct error *err)
{
	u32 nr = max_of(v->setup.loops_nr, 1U), i;
	int ret = 0;

	v->loops = calloc(nr, sizeof(*v->loops));
	if (!v->loops)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < nr && !ret; i++) {
		virtio_loop_init(&v->loops[i], v);
		ret = virtio_loop_start(&v->loops[i], i, err);
		if (!ret)
			v->loops_nr++;
	}
	if (ret)
		loops_destroy(v);
	return ret;
}

static int queues_create(struct virtio_device *v, struct error *err)
{
	u32 group = max_of(v->setup.queue_group, 1U), i;

	v->queues = calloc(v->setup.queues_nr, sizeof(*v->queues));
	if (!v->queues)
		return error_set(err, -ENOMEM, "out of memory");
	v->queues_nr = v->setup.queues_nr;
	for (i = 0; i < v->queues_nr; i++)
		virtio_queue_init(&v->queues[i], v, (u16)i,
				  &v->loops[i / group % v->loops_nr]);
	return 0;
}

/**
 * virtio_realize() - build the virtio part of a device
 * @v: zeroed but for its struct device
 * @setup: how; copied
 * @err: filled on failure
 *
 * Undone by virtio_unrealize(). The guest can see the device afterwards, so it
 * is the last step of realize.
 *
 * Context: realize.
 * Return: 0 or a negative errno.
 */
int virtio_realize(struct virtio_device *v, const struct virtio_setup *setup,
		   struct error *err)
{
	int ret;

	assert(setup->queues_nr && setup->queues_nr <= VIRTIO_QUEUES_MAX);
	assert(setup->loops_nr <= VIRTIO_LOOPS_MAX);
	assert(setup->config_len <= VIRTIO_CONFIG_MAX);
	assert(is_power_of_2(setup->queue_size));
	v->setup = *setup;
	v->offered = setup->features | FEATURES_COMMON;
	loop_call_init(&v->kick, device_work);
	ret = loops_create(v, err);
	if (ret)
		return ret;
	ret = queues_create(v, err);
	if (ret)
		goto err_loops;
	ret = virtio_pci_init(v, err);
	if (ret)
		goto err_queues;
	return 0;

err_queues:
	free(v->queues);
err_loops:
	loops_destroy(v);
	return ret;
}

/* Ends what is in flight; nobody is there any more to be told. */
static void end_all(struct virtio_device *v)
{
	struct iothread *main_loop = &v->pci.dev.vm->loop;

	mutex_lock(&v->pci.dev.lock);
	virtio_reset_begin(v);
	mutex_unlock(&v->pci.dev.lock);
	while (v->resetting || atomic_load(&v->kick.queued))
		iothread_run_once(main_loop, true);
}

/**
 * virtio_unrealize() - undo virtio_realize()
 * @v: the device
 *
 * Waits for the end of what is in flight.
 *
 * Context: unrealize.
 */
void virtio_unrealize(struct virtio_device *v)
{
	end_all(v);
	virtio_pci_fini(v);
	loops_destroy(v);
	/* A loop may have kicked after its silence had been seen. */
	iothread_unpost(&v->pci.dev.vm->loop, &v->kick);
	free(v->queues);
}
