// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an NVM Express controller: the device class
 *
 * NVM Express Base 2.0 with the NVM Command Set, as far as a controller of
 * version 1.4 needs it, behind a PCI function: registers and doorbells in BAR
 * 0, MSI-X in a BAR of its own, a pin besides. Where things are:
 *
 *   regs.c       registers: enable, reset, shutdown
 *   queue.c      submission and completion queues come and go
 *   loop.c       finding and fetching commands, turns
 *   doorbell.c   doorbells, shadow doorbells
 *   cmd.c        dispatch and completion
 *   dptr.c       PRPs and SGLs
 *   irq.c        interrupts and their coalescing
 *   freeze.c     silence
 *   ns.c         namespaces
 *   io*.c        I/O commands
 *   admin*.c, aer.c  admin commands, features, logs, events
 *   state.c      what is saved
 *
 * Threads: registers on vCPU threads under the device's lock, doorbells there
 * without it; I/O queues each on one of the controller's own threads; the
 * admin queue and everything else that controls on the main loop, in
 * ctrl_work(), under the device's lock.
 *
 * The vendor and device identifiers are of no hardware vendor's, so no driver
 * applies a work-around for somebody else's controller. (QEMU's 1b36:0010 would
 * switch Write Zeroes and namespace identifiers off in Linux.)
 *
 * Not there: metadata and end-to-end protection, CMB, PMR, HMB, boot
 * partitions, reservations, zoned and key-value command sets, weighted round
 * robin, keep alive, firmware download, security, sanitize, directives,
 * virtualization management.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/nvme/nvme_priv.h"
#include "devices/pci/msix.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define NVME_PCI_VENDOR		0x1234
#define NVME_PCI_DEVICE		0x4e56		/* "NV" */
#define NVME_PCI_CLASS		0x010802	/* NVM Express I/O controller */
#define LOOP_ENTRIES		1024
#define QUIESCE_PATIENCE_NS	(3 * 1000000000ULL)	/* then cancel */
#define QUIESCE_LIMIT_NS	(7 * 1000000000ULL)	/* then give up */
#define BIT_BUCKET_BYTES	((4096ULL << NVME_MDTS_MAX) + 4096)

static struct nvme_ctrl *ctrl_of(struct device *dev)
{
	return container_of(dev, struct nvme_ctrl, pci.dev);
}

/**
 * nvme_ctrl_kick() - ask the main loop to look at everything
 * @ctrl: the controller
 *
 * Context: any thread.
 */
void nvme_ctrl_kick(struct nvme_ctrl *ctrl)
{
	iothread_post(&ctrl->pci.dev.vm->loop, &ctrl->kick);
}

/**
 * nvme_ctrl_notice() - tell the main loop something
 * @ctrl: the controller
 * @notice: enum nvme_notice
 *
 * Context: any thread.
 */
void nvme_ctrl_notice(struct nvme_ctrl *ctrl, u32 notice)
{
	atomic_fetch_or(&ctrl->notices, notice);
	nvme_ctrl_kick(ctrl);
}

static void stats_add(struct nvme_stats *sum, const struct nvme_stats *s)
{
	atomic_fetch_add(&sum->read_units, atomic_load(&s->read_units));
	atomic_fetch_add(&sum->write_units, atomic_load(&s->write_units));
	atomic_fetch_add(&sum->reads, atomic_load(&s->reads));
	atomic_fetch_add(&sum->writes, atomic_load(&s->writes));
	atomic_fetch_add(&sum->media_errors, atomic_load(&s->media_errors));
	/* Loops are busy at the same time: the busiest tells most. */
	atomic_store(&sum->busy_ns, max_of(atomic_load(&sum->busy_ns),
					   atomic_load(&s->busy_ns)));
}

/**
 * nvme_stats_sum() - counters of all loops, and of earlier lives
 * @ctrl: the controller
 * @sum: filled
 *
 * Context: any thread.
 */
void nvme_stats_sum(const struct nvme_ctrl *ctrl, struct nvme_stats *sum)
{
	u64 busy;
	u32 i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < ctrl->loops_nr; i++)
		stats_add(sum, &ctrl->loops[i].stats);
	busy = atomic_load(&sum->busy_ns);
	stats_add(sum, &ctrl->smart.base);
	atomic_store(&sum->busy_ns,
		     busy + atomic_load(&ctrl->smart.base.busy_ns));
}

/* ---- control ---------------------------------------------------------------- */

static void report_doorbell(struct nvme_ctrl *ctrl, u8 info)
{
	nvme_error_log_add_async(ctrl, NVME_SC_INVALID_FIELD);
	nvme_event_post(ctrl, NVME_AER_ERROR, info, NVME_LID_ERROR);
}

static void take_notices(struct nvme_ctrl *ctrl)
{
	u32 notices = atomic_exchange(&ctrl->notices, 0);

	if (!(atomic_load(&ctrl->regs.csts) & NVME_CSTS_RDY))
		return;
	if (notices & NVME_NOTICE_FATAL)
		nvme_fatal(ctrl);
	if (notices & NVME_NOTICE_BAD_DOORBELL)
		report_doorbell(ctrl, NVME_AER_ERROR_DOORBELL);
	if (notices & NVME_NOTICE_BAD_VALUE)
		report_doorbell(ctrl, NVME_AER_ERROR_DOORBELL_VALUE);
}

static struct nvme_req *done_pop(struct nvme_ctrl *ctrl)
{
	struct list *link;

	mutex_lock(&ctrl->done_lock);
	link = list_pop(&ctrl->done);
	mutex_unlock(&ctrl->done_lock);
	return link ? list_entry(link, struct nvme_req, after_link) : NULL;
}

static void run_done(struct nvme_ctrl *ctrl)
{
	struct nvme_req *req;

	while ((req = done_pop(ctrl))) {
		req->loop = req->sq->loop;
		if (req->after)
			req->after(req, req->after_status);
		else
			nvme_req_complete(req, req->after_status);
	}
}

/* Everything that the main loop has to look at, whoever asked. */
static void ctrl_work(struct loop_call *call)
{
	struct nvme_ctrl *ctrl = container_of(call, struct nvme_ctrl, kick);
	struct nvme_loop *admin = &ctrl->admin;
	bool more = false;

	mutex_lock(&ctrl->pci.dev.lock);
	take_notices(ctrl);
	run_done(ctrl);
	nvme_format_work(ctrl);
	nvme_exclusive_work(ctrl);
	nvme_shutdown_work(ctrl);
	nvme_reset_work(ctrl);
	if (!ctrl->resetting) {
		more = nvme_loop_poll(admin);
		nvme_event_process(ctrl);
		nvme_loop_flush(admin);
	}
	mutex_unlock(&ctrl->pci.dev.lock);
	if (more)
		nvme_ctrl_kick(ctrl);
}

static bool ctrl_is_silent(struct nvme_ctrl *ctrl)
{
	bool silent;

	mutex_lock(&ctrl->pci.dev.lock);
	silent = nvme_freeze_done(&ctrl->quiesce_freeze) &&
		 !ctrl->admin.inflight && !ctrl->resetting &&
		 !ctrl->excl_run && list_is_empty(&ctrl->excl) &&
		 !ctrl->excl_freeze.active && !ctrl->format_freeze.active &&
		 !ctrl->shutdown.active && !atomic_load(&ctrl->kick.queued);
	mutex_unlock(&ctrl->pci.dev.lock);
	return silent;
}

static void wait_over(struct io_timer *timer)
{
	/* Only there to end the loop's sleep. */
}

/* The main loop goes on meanwhile: what has to end may need it. */
static bool wait_silent(struct nvme_ctrl *ctrl, u64 limit_ns)
{
	struct iothread *main_loop = &ctrl->pci.dev.vm->loop;
	u64 end = nvme_now_ns() + limit_ns;
	struct io_timer timer;

	io_timer_init(&timer, main_loop, wait_over);
	io_timer_set(&timer, limit_ns);
	while (!ctrl_is_silent(ctrl) && nvme_now_ns() < end)
		iothread_run_once(main_loop, true);
	io_timer_destroy(&timer);
	return ctrl_is_silent(ctrl);
}

static void loop_flush_all(void *arg)
{
	nvme_loop_flush_now(arg);
}

/**
 * nvme_freeze_for_pause() - begin to be silent until resume
 * @ctrl: the controller; not so yet
 *
 * Context: main loop, device's lock held.
 */
void nvme_freeze_for_pause(struct nvme_ctrl *ctrl)
{
	ctrl->admin.frozen++;
	nvme_freeze_start(&ctrl->quiesce_freeze);
}

static void thaw_after_pause(struct nvme_ctrl *ctrl)
{
	mutex_lock(&ctrl->pci.dev.lock);
	ctrl->admin.frozen--;
	nvme_freeze_end(&ctrl->quiesce_freeze);
	nvme_loop_again(&ctrl->admin);
	nvme_loop_ring(&ctrl->admin);
	mutex_unlock(&ctrl->pci.dev.lock);
}

static int nvme_quiesce(struct device *dev, struct error *err)
{
	struct nvme_ctrl *ctrl = ctrl_of(dev);
	u32 i;
	int ret;

	if (ctrl->quiesce_freeze.active)
		return 0;
	mutex_lock(&dev->lock);
	nvme_freeze_for_pause(ctrl);
	mutex_unlock(&dev->lock);
	if (!wait_silent(ctrl, QUIESCE_PATIENCE_NS)) {
		nvme_freeze_hurry(&ctrl->quiesce_freeze);
		if (!wait_silent(ctrl, QUIESCE_LIMIT_NS)) {
			thaw_after_pause(ctrl);
			return error_set(err, -ETIMEDOUT,
					 "disks did not end commands within %llu s",
					 (QUIESCE_PATIENCE_NS +
					  QUIESCE_LIMIT_NS) / 1000000000ULL);
		}
	}
	for (i = 0; i < ctrl->loops_nr; i++)
		iothread_call(ctrl->loops[i].thread, loop_flush_all,
			      &ctrl->loops[i]);
	ret = nvme_state_fits(ctrl, err);
	if (ret)
		thaw_after_pause(ctrl);
	return ret;
}

static void nvme_resume(struct device *dev)
{
	struct nvme_ctrl *ctrl = ctrl_of(dev);

	if (ctrl->quiesce_freeze.active)
		thaw_after_pause(ctrl);
}

static void nvme_reset(struct device *dev)
{
	struct nvme_ctrl *ctrl = ctrl_of(dev);

	/* Switched off without a shutdown while it was in use. */
	if ((ctrl->regs.cc & NVME_CC_EN) && !nvme_is_shut_down(ctrl))
		ctrl->smart.unsafe_shutdowns++;
	ctrl->smart.power_cycles++;
	pci_device_reset(&ctrl->pci);
	nvme_power_on(ctrl);
}

/* ---- PCI -------------------------------------------------------------------- */

static void command_changed(struct pci_device *pci)
{
	struct nvme_ctrl *ctrl = nvme_ctrl_of(pci);
	u32 i;

	/* It may be allowed to reach memory again. */
	for (i = 0; i < ctrl->loops_nr; i++)
		nvme_loop_ring(&ctrl->loops[i]);
	nvme_loop_ring(&ctrl->admin);
	nvme_doorbell_events_move(ctrl);
}

static void bars_moved(struct pci_device *pci)
{
	nvme_doorbell_events_move(nvme_ctrl_of(pci));
}

static void function_reset(struct pci_device *pci)
{
	struct nvme_ctrl *ctrl = nvme_ctrl_of(pci);

	nvme_reset_begin(ctrl, true);
	atomic_store(&ctrl->regs.csts, 0);
}

static const struct pci_ops pci_ops = {
	.command_changed	= command_changed,
	.bars_moved		= bars_moved,
	.flr			= function_reset,
};

static int pci_init(struct nvme_ctrl *ctrl, struct error *err)
{
	static const struct pci_ident ident = {
		.vendor			= NVME_PCI_VENDOR,
		.device			= NVME_PCI_DEVICE,
		.subsystem_vendor	= NVME_PCI_VENDOR,
		.subsystem		= NVME_PCI_DEVICE,
		.class			= NVME_PCI_CLASS,
		.revision		= 1,
		.intx			= true,
	};
	struct pci_device *pci = &ctrl->pci;
	int ret;

	ret = pci_device_init(pci, &ident, &pci_ops, err);
	if (ret)
		return ret;
	ret = pci_pm_add(pci, err);
	if (!ret)
		ret = pci_express_add(pci, err);
	if (!ret)
		ret = pci_bar_add(pci, NVME_BAR_REGS, NVME_BAR_SIZE,
				  PCI_BAR_MMIO64, &nvme_bar_ops, ctrl, err);
	if (!ret)
		ret = msix_add(pci, NVME_BAR_MSIX, ctrl->config->queues + 1,
			       err);
	if (ret) {
		pci_device_destroy(pci);
		return ret;
	}
	/* Doorbells are taken without a lock; registers take it themselves. */
	pci->bars[NVME_BAR_REGS].region.lock = NULL;
	return 0;
}

/* ---- made and taken apart ---------------------------------------------------- */

static int loop_create(struct nvme_ctrl *ctrl, u32 index, struct error *err)
{
	struct nvme_loop *loop = &ctrl->loops[index];
	char name[48];
	int ret;

	nvme_loop_init(loop, ctrl, &loop->own, index);
	loop->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->bell < 0)
		return error_set(err, -errno, "eventfd: %m");
	snprintf(name, sizeof(name), "%s/%u", ctrl->pci.dev.name, index);
	name[15] = 0;
	ret = iothread_start(&loop->own, name, LOOP_ENTRIES,
			     1000ULL * ctrl->config->poll_us, err);
	if (ret) {
		close(loop->bell);
		return ret;
	}
	nvme_loop_start(loop);
	ctrl->loops_nr++;
	return 0;
}

static void loops_destroy(struct nvme_ctrl *ctrl)
{
	while (ctrl->loops_nr) {
		struct nvme_loop *loop = &ctrl->loops[ctrl->loops_nr - 1];

		nvme_loop_stop(loop);
		iothread_destroy(&loop->own);
		close(loop->bell);
		nvme_scratch_destroy(loop);
		ctrl->loops_nr--;
	}
	free(ctrl->loops);
}

static int loops_create(struct nvme_ctrl *ctrl, struct error *err)
{
	u32 i;
	int ret = 0;

	ctrl->loops = calloc(ctrl->config->iothreads, sizeof(*ctrl->loops));
	if (!ctrl->loops)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < ctrl->config->iothreads && !ret; i++)
		ret = loop_create(ctrl, i, err);
	if (ret)
		loops_destroy(ctrl);
	return ret;
}

static void namespaces_destroy(struct nvme_ctrl *ctrl)
{
	for (; ctrl->ns_nr; ctrl->ns_nr--)
		nvme_ns_destroy(ctrl, ctrl->ns_nr);
}

static int namespaces_create(struct nvme_ctrl *ctrl, struct error *err)
{
	const struct nvme_config *config = ctrl->config;
	u32 i;
	int ret;

	if (config->ns.nr > NVME_NS_MAX - 1)
		return error_set(err, -EINVAL,
				 "a controller has at most %u namespaces",
				 NVME_NS_MAX);
	ret = nvme_ns_create(ctrl, 1, config->file, err);
	if (ret)
		return ret;
	ctrl->ns_nr = 1;
	for (i = 0; i < config->ns.nr; i++) {
		ret = nvme_ns_create(ctrl, i + 2, config->ns.v[i], err);
		if (ret) {
			namespaces_destroy(ctrl);
			return ret;
		}
		ctrl->ns_nr++;
	}
	return 0;
}

static void control_init(struct nvme_ctrl *ctrl)
{
	struct device *dev = &ctrl->pci.dev;

	ctrl->config = dev->config;
	if (ctrl->config->serial)
		snprintf(ctrl->serial, sizeof(ctrl->serial), "%s",
			 ctrl->config->serial);
	else
		snprintf(ctrl->serial, sizeof(ctrl->serial), "lkvm-%.15s",
			 dev->name);
	loop_call_init(&ctrl->kick, ctrl_work);
	mutex_init(&ctrl->done_lock, LOCK_LEAF);
	mutex_init(&ctrl->excl_lock, LOCK_LEAF);
	mutex_init(&ctrl->errors.lock, LOCK_LEAF);
	list_init(&ctrl->done);
	list_init(&ctrl->excl);
	nvme_loop_init(&ctrl->admin, ctrl, &dev->vm->loop, NVME_LOOPS_MAX);
	ctrl->smart.powered_on_at_ns = nvme_now_ns();
}

static void control_fini(struct nvme_ctrl *ctrl)
{
	mutex_destroy(&ctrl->errors.lock);
	mutex_destroy(&ctrl->excl_lock);
	mutex_destroy(&ctrl->done_lock);
}

static int nvme_realize(struct device *dev, struct error *err)
{
	struct nvme_ctrl *ctrl = ctrl_of(dev);
	int ret;

	control_init(ctrl);
	ctrl->bit_bucket = mmap(NULL, BIT_BUCKET_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				-1, 0);
	if (ctrl->bit_bucket == MAP_FAILED) {
		ret = error_set(err, -errno, "out of memory");
		goto err_control;
	}
	ret = namespaces_create(ctrl, err);
	if (ret)
		goto err_bucket;
	ret = loops_create(ctrl, err);
	if (ret)
		goto err_namespaces;
	nvme_freeze_init(&ctrl->reset_freeze, ctrl, true);
	nvme_freeze_init(&ctrl->format_freeze, ctrl, false);
	nvme_freeze_init(&ctrl->quiesce_freeze, ctrl, false);
	nvme_freeze_init(&ctrl->excl_freeze, ctrl, false);
	ret = pci_init(ctrl, err);
	if (ret)
		goto err_loops;
	ret = pci_device_publish(&ctrl->pci, err);
	if (ret)
		goto err_pci;
	return 0;

err_pci:
	msix_remove(&ctrl->pci);
	pci_device_destroy(&ctrl->pci);
err_loops:
	loops_destroy(ctrl);
err_namespaces:
	namespaces_destroy(ctrl);
err_bucket:
	munmap(ctrl->bit_bucket, BIT_BUCKET_BYTES);
err_control:
	control_fini(ctrl);
	return ret;
}

/* Ends what is in flight; nobody is there any more to be told. */
static void end_all(struct nvme_ctrl *ctrl)
{
	struct iothread *main_loop = &ctrl->pci.dev.vm->loop;

	if (ctrl->quiesce_freeze.active)
		thaw_after_pause(ctrl);
	mutex_lock(&ctrl->pci.dev.lock);
	nvme_reset_begin(ctrl, true);
	mutex_unlock(&ctrl->pci.dev.lock);
	while (ctrl->resetting || atomic_load(&ctrl->kick.queued))
		iothread_run_once(main_loop, true);
}

static void nvme_unrealize(struct device *dev)
{
	struct nvme_ctrl *ctrl = ctrl_of(dev);

	end_all(ctrl);
	msix_remove(&ctrl->pci);
	pci_device_destroy(&ctrl->pci);
	loops_destroy(ctrl);
	namespaces_destroy(ctrl);
	munmap(ctrl->bit_bucket, BIT_BUCKET_BYTES);
	control_fini(ctrl);
}

/* For lkvm stat: the counters of SMART, and how the loops have spent their time. */
static void nvme_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct nvme_ctrl *ctrl = container_of(dev, struct nvme_ctrl,
						    pci.dev);
	struct nvme_stats sum;
	u64 rounds = 0, sleeps = 0;
	u32 i;

	nvme_stats_sum(ctrl, &sum);
	for (i = 0; i < ctrl->loops_nr; i++) {
		rounds += atomic_load(&ctrl->loops[i].thread->loops);
		sleeps += atomic_load(&ctrl->loops[i].thread->sleeps);
	}
	sink->counter(sink, "reads", atomic_load(&sum.reads));
	sink->counter(sink, "writes", atomic_load(&sum.writes));
	sink->counter(sink, "read-bytes", 512 * atomic_load(&sum.read_units));
	sink->counter(sink, "write-bytes", 512 * atomic_load(&sum.write_units));
	sink->counter(sink, "media-errors", atomic_load(&sum.media_errors));
	sink->counter(sink, "busy-us", atomic_load(&sum.busy_ns) / 1000);
	sink->counter(sink, "loop-rounds", rounds);
	sink->counter(sink, "loop-sleeps", sleeps);
}

static int nvme_disks(const struct device *dev, struct disk_sink *sink,
		      struct error *err)
{
	const struct nvme_ctrl *ctrl = container_of(dev, struct nvme_ctrl,
						    pci.dev);
	int ret = 0;
	u32 i;

	for (i = 0; i < ctrl->ns_nr && !ret; i++) {
		const struct nvme_ns *ns = ctrl->ns[i];
		const struct block_info *info = block_info(ns->blk);
		const struct device_disk disk = {
			.number = ns->nsid,
			.path = block_path(ns->blk),
			.fd = info->fd,
			.size = info->size,
			.readonly = info->readonly,
			.direct = info->direct,
		};

		ret = sink->disk(sink, dev, &disk, err);
	}
	return ret;
}

static int nvme_disks_take(struct device *dev, struct error *err)
{
	struct nvme_ctrl *ctrl = container_of(dev, struct nvme_ctrl, pci.dev);
	int ret = 0;
	u32 i;

	for (i = 0; i < ctrl->ns_nr && !ret; i++)
		ret = block_take(ctrl->ns[i]->blk, err);
	/* All or none. */
	while (ret && i)
		block_unlock(ctrl->ns[--i]->blk);
	return ret;
}

static int nvme_disks_give(struct device *dev, struct error *err)
{
	struct nvme_ctrl *ctrl = container_of(dev, struct nvme_ctrl, pci.dev);
	struct error ignored = ERROR_INIT;
	int ret = 0;
	u32 i;

	for (i = 0; i < ctrl->ns_nr && !ret; i++)
		ret = block_give(ctrl->ns[i]->blk, err);
	if (!ret)
		return 0;
	/* Nobody had the time to take one of them. */
	while (i)
		if (block_take(ctrl->ns[--i]->blk, &ignored))
			break;
	return ret;
}

/* ---- the class ---------------------------------------------------------------- */

static const char *const bs_words[] = { "512", "4096", NULL };
static const char *const cache_words[] = {
	[BLOCK_CACHE_NONE]	= "none",
	[BLOCK_CACHE_WRITEBACK]	= "writeback",
	[BLOCK_CACHE_WRITEBACK + 1] = NULL,
};

#define FIELD(_member)	.offset = offsetof(struct nvme_config, _member)

static const struct option_desc options[] = {
	{
		.name = "file", .arg = "FILE", .type = OPTION_STRING,
		.scope = OPTION_HOST, FIELD(file), .min = 1, .max = 4095,
		.required = true, .path = true, .no_path = BLOCK_NULL_PREFIX,
		.help = "disk image or block device of namespace 1",
	}, {
		.name = "ns", .arg = "FILE", .type = OPTION_LIST,
		.scope = OPTION_HOST, FIELD(ns), .max = 4095,
		.path = true, .no_path = BLOCK_NULL_PREFIX,
		.help = "disk of a further namespace (may be repeated)",
	}, {
		.name = "ro", .type = OPTION_BOOL, .scope = OPTION_GUEST,
		FIELD(ro), .help = "write protect all namespaces",
	}, {
		.name = "serial", .arg = "S", .type = OPTION_STRING,
		.scope = OPTION_GUEST, FIELD(serial), .min = 1, .max = 20,
		.help = "serial number",
	}, {
		.name = "model", .arg = "M", .type = OPTION_STRING,
		.scope = OPTION_GUEST, FIELD(model), .min = 1, .max = 40,
		.def_str = "lkvm NVMe disk", .help = "model number",
	}, {
		.name = "queues", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_GUEST, FIELD(queues), .min = 1,
		.max = NVME_QUEUES_MAX, .def = 64, .help = "I/O queue pairs",
	}, {
		.name = "bs", .arg = "N", .type = OPTION_ENUM,
		.scope = OPTION_GUEST, FIELD(bs), .words = bs_words,
		.help = "logical block size in bytes",
	}, {
		.name = "mdts", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_GUEST, FIELD(mdts), .min = 1,
		.max = NVME_MDTS_MAX, .def = 7,
		.help = "largest transfer, as a power of two of 4 KiB",
	}, {
		.name = "cache", .arg = "MODE", .type = OPTION_ENUM,
		.scope = OPTION_HOST, FIELD(cache), .words = cache_words,
		.def = BLOCK_CACHE_WRITEBACK,
		.help = "whether the host caches: none (direct I/O), writeback",
	}, {
		.name = "discard", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(discard), .def = 1,
		.help = "give deallocated space back to the host",
	}, {
		.name = "iothreads", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(iothreads), .min = 1,
		.max = NVME_LOOPS_MAX, .def = 1,
		.help = "threads that serve the I/O queues",
	}, {
		.name = "poll-us", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(poll_us), .max = 1000000,
		.help = "longest time a thread looks for work before it sleeps",
	},
};

static const struct option_table option_table = {
	.name		= "nvme",
	.config_size	= sizeof(struct nvme_config),
	.positional	= "file",
	.opts		= options,
	.nr		= ARRAY_SIZE(options),
};

static const struct device_ops nvme_ops = {
	.realize	= nvme_realize,
	.reset		= nvme_reset,
	.quiesce	= nvme_quiesce,
	.save		= nvme_save,
	.check		= nvme_check,
	.load		= nvme_load,
	.resume		= nvme_resume,
	.unrealize	= nvme_unrealize,
	.stat		= nvme_stat,
	.disks		= nvme_disks,
	.disks_take	= nvme_disks_take,
	.disks_give	= nvme_disks_give,
};

static const struct device_class nvme_class = {
	.name		= "nvme",
	.compatible	= "lkvm,nvme",
	.summary	= "NVM Express controller with its namespaces",
	.kind		= DEVICE_PCI,
	.max		= 32,
	.guest_disk	= "/dev/nvme0n1",
	.guest_partition = "p",
	.instance_size	= sizeof(struct nvme_ctrl),
	.options	= &option_table,
	.state		= &nvme_state_desc,
	.ops		= &nvme_ops,
};

DEVICE_CLASS_REGISTER(nvme_class);
