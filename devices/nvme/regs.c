// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: controller registers: enabling, resetting, shutting down
 *
 * NVMe-2.0 3.1.3 and 3.5 to 3.7, PCIET-1.0 3.1. Registers are a table. They may
 * be read and written in their width, and those of 64 bits in halves; other
 * accesses read as zero and are dropped, as the specification leaves them
 * undefined.
 *
 * A reset begins with the write that asks for it and ends on the main loop
 * when all loops are silent: in-flight requests are cancelled where that is
 * possible, nothing of them reaches the guest any more, and only then are the
 * queues freed and CSTS.RDY is cleared. The vCPU does not wait. A controller
 * that is enabled again meanwhile becomes ready after that.
 *
 * Deviates: an NVM Subsystem Reset resets the controller and all its
 * registers, but leaves PCI configuration space alone: there is no link that
 * could go down and tell the host to set it up again.
 *
 * CAP claims: queues of up to 4096 entries, contiguous; round-robin
 * arbitration; pages of 4 KiB to 64 KiB; NVM command set, alone or selected
 * with others, or none; subsystem reset. The version is 1.4.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define MPS_MAX		4	/* 4 KiB << 4 */
#define READY_TIMEOUT	60	/* 500 ms units: a reset may wait for disks */

static u64 cap_read(struct nvme_ctrl *ctrl)
{
	return nvme_put(NVME_CAP_MQES, NVME_QUEUE_ENTRIES - 1) |
	       NVME_CAP_CQR | nvme_put(NVME_CAP_TO, READY_TIMEOUT) |
	       NVME_CAP_NSSRS | NVME_CAP_CSS_NVM | NVME_CAP_CSS_IOCS |
	       NVME_CAP_CSS_NOIO | nvme_put(NVME_CAP_MPSMAX, MPS_MAX);
}

static u64 vs_read(struct nvme_ctrl *ctrl)
{
	return NVME_VERSION;
}

static u64 intm_read(struct nvme_ctrl *ctrl)
{
	return atomic_load(&ctrl->regs.intms);
}

static void intms_write(struct nvme_ctrl *ctrl, u64 value)
{
	atomic_fetch_or(&ctrl->regs.intms, (u32)value);
	nvme_intx_update(ctrl);
}

static void intmc_write(struct nvme_ctrl *ctrl, u64 value)
{
	atomic_fetch_and(&ctrl->regs.intms, ~(u32)value);
	nvme_intx_update(ctrl);
}

static u64 cc_read(struct nvme_ctrl *ctrl)
{
	return ctrl->regs.cc;
}

static u64 csts_read(struct nvme_ctrl *ctrl)
{
	return atomic_load(&ctrl->regs.csts);
}

static void csts_set(struct nvme_ctrl *ctrl, u32 clear, u32 set)
{
	u32 csts = atomic_load(&ctrl->regs.csts);

	atomic_store(&ctrl->regs.csts, (csts & ~clear) | set);
}

static void csts_write(struct nvme_ctrl *ctrl, u64 value)
{
	csts_set(ctrl, (u32)value & NVME_CSTS_NSSRO, 0);
}

static u64 aqa_read(struct nvme_ctrl *ctrl)
{
	return ctrl->regs.aqa;
}

/* The host may change the admin queues while the controller is disabled. */
static bool is_disabled(const struct nvme_ctrl *ctrl)
{
	return !(ctrl->regs.cc & NVME_CC_EN);
}

static void aqa_write(struct nvme_ctrl *ctrl, u64 value)
{
	if (is_disabled(ctrl))
		ctrl->regs.aqa = (u32)value & (NVME_AQA_ASQS | NVME_AQA_ACQS);
}

static u64 asq_read(struct nvme_ctrl *ctrl)
{
	return ctrl->regs.asq;
}

static void asq_write(struct nvme_ctrl *ctrl, u64 value)
{
	if (is_disabled(ctrl))
		ctrl->regs.asq = value & NVME_AQ_BASE;
}

static u64 acq_read(struct nvme_ctrl *ctrl)
{
	return ctrl->regs.acq;
}

static void acq_write(struct nvme_ctrl *ctrl, u64 value)
{
	if (is_disabled(ctrl))
		ctrl->regs.acq = value & NVME_AQ_BASE;
}

/* ---- enable ---------------------------------------------------------------- */

/**
 * nvme_cc_is_valid() - can the controller be enabled like this?
 * @cc: Controller Configuration
 *
 * Return: false for a page size, arbitration or command set that is not there.
 */
bool nvme_cc_is_valid(u32 cc)
{
	u32 css = nvme_get(NVME_CC_CSS, cc);

	return nvme_get(NVME_CC_MPS, cc) <= MPS_MAX &&
	       nvme_get(NVME_CC_AMS, cc) == NVME_CC_AMS_RR &&
	       (css == NVME_CC_CSS_NVM || css == NVME_CC_CSS_IOCS ||
		css == NVME_CC_CSS_ADMIN);
}

static bool admin_queues_create(struct nvme_ctrl *ctrl)
{
	const struct nvme_regs *regs = &ctrl->regs;
	struct nvme_queue_params cq = {
		.entries = nvme_get(NVME_AQA_ACQS, regs->aqa) + 1,
		.base = gpa(regs->acq),
		.ien = true,
	};
	struct nvme_queue_params sq = {
		.entries = nvme_get(NVME_AQA_ASQS, regs->aqa) + 1,
		.base = gpa(regs->asq),
	};

	if (cq.entries < NVME_QUEUE_SIZE_MIN ||
	    sq.entries < NVME_QUEUE_SIZE_MIN ||
	    !is_aligned(regs->acq | regs->asq, 1ULL << ctrl->page_shift))
		return false;
	return !nvme_cq_create(ctrl, &cq) && !nvme_sq_create(ctrl, &sq);
}

static void enable(struct nvme_ctrl *ctrl)
{
	ctrl->page_shift = 12 + nvme_get(NVME_CC_MPS, ctrl->regs.cc);
	if (!nvme_cc_is_valid(ctrl->regs.cc) || !admin_queues_create(ctrl)) {
		log_limited(LOG_DEBUG, "%s: cannot be enabled: CC %#x AQA %#x",
			    ctrl->pci.dev.name, ctrl->regs.cc,
			    ctrl->regs.aqa);
		nvme_admin_queues_destroy(ctrl);
		csts_set(ctrl, 0, NVME_CSTS_CFS);
		return;
	}
	csts_set(ctrl, 0, NVME_CSTS_RDY);
}

/* ---- reset ----------------------------------------------------------------- */

/* Registers at power-on, but those of the admin queues. */
static void regs_reset(struct nvme_ctrl *ctrl, bool all)
{
	atomic_store(&ctrl->regs.intms, 0);
	if (!all)
		return;
	ctrl->regs.cc = 0;
	ctrl->regs.aqa = 0;
	ctrl->regs.asq = 0;
	ctrl->regs.acq = 0;
	csts_set(ctrl, ~NVME_CSTS_NSSRO, 0);
}

/**
 * nvme_reset_begin() - begin a Controller Level Reset
 * @ctrl: the controller
 * @all: all registers too (FLR, subsystem reset), not by CC.EN
 *
 * Context: device's lock held; does not wait.
 */
void nvme_reset_begin(struct nvme_ctrl *ctrl, bool all)
{
	regs_reset(ctrl, all);
	if (ctrl->resetting)
		return;
	ctrl->resetting = true;
	ctrl->admin.discard = true;
	nvme_freeze_start(&ctrl->reset_freeze);
	nvme_ctrl_kick(ctrl);
}

/* Nothing is in flight: what the guest had set up is forgotten. */
static void reset_values(struct nvme_ctrl *ctrl)
{
	nvme_event_reset(ctrl);
	nvme_queues_destroy(ctrl);
	nvme_dbbuf_disable(ctrl);
	ctrl->io_sqs = ctrl->config->queues;
	ctrl->io_cqs = ctrl->config->queues;
	nvme_features_reset(ctrl);
	nvme_tuning_update(ctrl);
	atomic_store(&ctrl->notices, 0);
	nvme_intx_update(ctrl);
}

/**
 * nvme_reset_work() - end a reset when all is silent
 * @ctrl: the controller
 *
 * Context: main loop, device's lock held.
 */
void nvme_reset_work(struct nvme_ctrl *ctrl)
{
	if (!ctrl->resetting || !nvme_freeze_done(&ctrl->reset_freeze) ||
	    ctrl->admin.inflight || ctrl->excl_run ||
	    ctrl->excl_freeze.active || ctrl->format_freeze.active ||
	    ctrl->shutdown.active)
		return;
	reset_values(ctrl);
	ctrl->resetting = false;
	ctrl->admin.discard = false;
	nvme_freeze_end(&ctrl->reset_freeze);
	csts_set(ctrl, ~NVME_CSTS_NSSRO, 0);
	if (ctrl->regs.cc & NVME_CC_EN)
		enable(ctrl);
}

/**
 * nvme_power_on() - the state at power-on
 * @ctrl: the controller; nothing is in flight
 *
 * Context: the device's reset.
 */
void nvme_power_on(struct nvme_ctrl *ctrl)
{
	nvme_features_init(ctrl);
	reset_values(ctrl);
	regs_reset(ctrl, true);
	atomic_store(&ctrl->regs.csts, 0);
}

/**
 * nvme_fatal() - the controller cannot go on
 * @ctrl: the controller
 *
 * Only a reset helps.
 *
 * Context: device's lock held.
 */
void nvme_fatal(struct nvme_ctrl *ctrl)
{
	log_limited(LOG_WARNING, "%s: fatal: cannot reach its queues",
		    ctrl->pci.dev.name);
	csts_set(ctrl, 0, NVME_CSTS_CFS);
}

static u64 nssr_read(struct nvme_ctrl *ctrl)
{
	return 0;
}

static void nssr_write(struct nvme_ctrl *ctrl, u64 value)
{
	if (value != NVME_NSSR_MAGIC)
		return;
	nvme_reset_begin(ctrl, true);
	csts_set(ctrl, 0, NVME_CSTS_NSSRO);
}

/* ---- shutdown -------------------------------------------------------------- */

static void flush_next(struct nvme_ctrl *ctrl);

static void flush_done(struct block_req *blk, int res)
{
	struct nvme_shutdown *s = container_of(blk, struct nvme_shutdown, blk);
	struct nvme_ctrl *ctrl = container_of(s, struct nvme_ctrl, shutdown);

	if (res)
		log_warning("%s: flush of %s at shutdown: %s",
			    ctrl->pci.dev.name,
			    block_path(ctrl->ns[s->nsid - 1]->blk),
			    strerror(-res));
	flush_next(ctrl);
}

static void flush_next(struct nvme_ctrl *ctrl)
{
	struct nvme_shutdown *s = &ctrl->shutdown;
	struct nvme_loop *loop = &ctrl->loops[0];

	while (++s->nsid <= ctrl->ns_nr) {
		if (!ctrl->ns[s->nsid - 1])
			continue;
		s->blk.done = flush_done;
		block_flush(ctrl->ns[s->nsid - 1]->blk, loop->thread, &s->blk);
		return;
	}
	atomic_store(&s->finished, true);
	nvme_ctrl_kick(ctrl);
	nvme_loop_idle(loop);
}

static void shutdown_run(struct loop_call *call)
{
	struct nvme_shutdown *s = container_of(call, struct nvme_shutdown,
					       call);
	struct nvme_ctrl *ctrl = container_of(s, struct nvme_ctrl, shutdown);

	nvme_loop_busy(&ctrl->loops[0]);
	flush_next(ctrl);
}

static void shutdown_begin(struct nvme_ctrl *ctrl)
{
	struct nvme_shutdown *s = &ctrl->shutdown;

	csts_set(ctrl, NVME_CSTS_SHST,
		 nvme_put(NVME_CSTS_SHST, NVME_CSTS_SHST_BUSY));
	if (s->active)
		return;
	s->active = true;
	s->nsid = 0;
	atomic_store(&s->finished, false);
	loop_call_init(&s->call, shutdown_run);
	iothread_post(ctrl->loops[0].thread, &s->call);
}

/**
 * nvme_shutdown_work() - say that a shutdown is complete when it is
 * @ctrl: the controller
 *
 * Context: main loop, device's lock held.
 */
void nvme_shutdown_work(struct nvme_ctrl *ctrl)
{
	struct nvme_shutdown *s = &ctrl->shutdown;

	if (!s->active || !atomic_load(&s->finished))
		return;
	s->active = false;
	if (nvme_get(NVME_CSTS_SHST, atomic_load(&ctrl->regs.csts)) ==
	    NVME_CSTS_SHST_BUSY)
		csts_set(ctrl, NVME_CSTS_SHST,
			 nvme_put(NVME_CSTS_SHST, NVME_CSTS_SHST_DONE));
}

/**
 * nvme_is_shut_down() - may it be switched off?
 * @ctrl: the controller
 *
 * Return: true when a shutdown has completed.
 */
bool nvme_is_shut_down(const struct nvme_ctrl *ctrl)
{
	return nvme_get(NVME_CSTS_SHST, atomic_load(&ctrl->regs.csts)) ==
	       NVME_CSTS_SHST_DONE;
}

/*
 * Page size, arbitration and command set are changed while the controller is
 * disabled only (NVMe-2.0 3.1.3.5). A host that tries it later keeps what its
 * queues were made with.
 */
#define CC_FIXED_WHILE_ENABLED	(NVME_CC_CSS | NVME_CC_MPS | NVME_CC_AMS)

static void cc_write(struct nvme_ctrl *ctrl, u64 value)
{
	u32 old = ctrl->regs.cc;
	u32 cc = (u32)value;

	if ((old & NVME_CC_EN) && (cc & NVME_CC_EN))
		cc = (cc & ~CC_FIXED_WHILE_ENABLED) |
		     (old & CC_FIXED_WHILE_ENABLED);
	ctrl->regs.cc = cc;
	if (nvme_get(NVME_CC_SHN, cc) && !nvme_get(NVME_CC_SHN, old))
		shutdown_begin(ctrl);
	if ((cc & NVME_CC_EN) && !(old & NVME_CC_EN) && !ctrl->resetting)
		enable(ctrl);
	if (!(cc & NVME_CC_EN) && (old & NVME_CC_EN))
		nvme_reset_begin(ctrl, false);
}

/* ---- access ---------------------------------------------------------------- */

/**
 * struct nvme_reg - one register
 * @offset: in BAR 0
 * @width: bytes, 4 or 8
 * @read: its value
 * @write: take a value of its width; NULL: read-only
 *
 * What is not in the table reads as zero: no CMB, PMR or boot partitions.
 */
struct nvme_reg {
	u32 offset;
	u32 width;
	u64 (*read)(struct nvme_ctrl *ctrl);
	void (*write)(struct nvme_ctrl *ctrl, u64 value);
};

static const struct nvme_reg registers[] = {
	{ NVME_REG_CAP,		8, cap_read,	NULL },
	{ NVME_REG_VS,		4, vs_read,	NULL },
	{ NVME_REG_INTMS,	4, intm_read,	intms_write },
	{ NVME_REG_INTMC,	4, intm_read,	intmc_write },
	{ NVME_REG_CC,		4, cc_read,	cc_write },
	{ NVME_REG_CSTS,	4, csts_read,	csts_write },
	{ NVME_REG_NSSR,	4, nssr_read,	nssr_write },
	{ NVME_REG_AQA,		4, aqa_read,	aqa_write },
	{ NVME_REG_ASQ,		8, asq_read,	asq_write },
	{ NVME_REG_ACQ,		8, acq_read,	acq_write },
};

static const struct nvme_reg *reg_find(u64 offset, u32 len)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		const struct nvme_reg *reg = &registers[i];

		if (range_within(offset, len, reg->offset, reg->width) &&
		    len >= 4 && is_aligned(offset, len))
			return reg;
	}
	return NULL;
}

static u64 bar_read(struct bus_region *region, u64 offset, u32 len)
{
	struct nvme_ctrl *ctrl = region->opaque;
	const struct nvme_reg *reg = reg_find(offset, len);
	u64 value;

	if (!reg)
		return 0;
	mutex_lock(&ctrl->pci.dev.lock);
	value = reg->read(ctrl) >> (8 * (offset - reg->offset));
	mutex_unlock(&ctrl->pci.dev.lock);
	return len == 4 ? (u32)value : value;
}

static void reg_write(struct nvme_ctrl *ctrl, const struct nvme_reg *reg,
		      u64 offset, u64 value, u32 len)
{
	u32 shift = 8 * (u32)(offset - reg->offset);

	if (reg->width == 8 && len == 4)
		value = (reg->read(ctrl) & ~(0xffffffffULL << shift)) |
			(value & 0xffffffffULL) << shift;
	reg->write(ctrl, value);
}

static void bar_write(struct bus_region *region, u64 offset, u64 value,
		      u32 len)
{
	struct nvme_ctrl *ctrl = region->opaque;
	const struct nvme_reg *reg;

	if (offset >= NVME_DOORBELLS) {
		/* 32 bits (PCIET-1.0 3.1.2); the queue's loop does the rest. */
		if (len == 4)
			nvme_doorbell_write(ctrl, offset - NVME_DOORBELLS,
					    (u32)value);
		return;
	}
	reg = reg_find(offset, len);
	if (!reg || !reg->write)
		return;
	mutex_lock(&ctrl->pci.dev.lock);
	reg_write(ctrl, reg, offset, value, len);
	mutex_unlock(&ctrl->pci.dev.lock);
}

/* The region has no lock of its own: doorbells are taken without one. */
const struct bus_ops nvme_bar_ops = {
	.read = bar_read,
	.write = bar_write,
};
