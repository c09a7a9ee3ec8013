// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: saving and loading an NVMe controller
 *
 * See nvme_state.h for what is saved and vmm/state.h for how. A state comes
 * from outside: the table's ranges are the first check, nvme_check() is the
 * second and looks at what fits together and at what fits this controller and
 * its guest's memory. Only then is it installed, which cannot fail for any
 * other reason than a lack of memory; a controller that lacks memory then is
 * in fatal status, as it would be at run time.
 *
 * Loading does not touch guest memory: rings are only mapped.
 */
#include <string.h>

#include "devices/nvme/nvme_state.h"
#include "devices/pci/msix.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define U32_ANY(_type, _member, _name)					\
	STATE_U32(_type, _member, _name, 0, UINT32_MAX)
#define U64_ANY(_type, _member, _name)					\
	STATE_U64(_type, _member, _name, 0, UINT64_MAX)

static const struct state_field sq_fields[] = {
	U64_ANY(struct nvme_sq_state, base, "base"),
	STATE_U32(struct nvme_sq_state, qid, "qid", 0, NVME_QUEUES_MAX),
	STATE_U32(struct nvme_sq_state, cqid, "cqid", 0, NVME_QUEUES_MAX),
	STATE_U32(struct nvme_sq_state, priority, "priority", 0, 3),
	STATE_U32(struct nvme_sq_state, entries, "entries",
		  NVME_QUEUE_SIZE_MIN, NVME_QUEUE_ENTRIES),
	STATE_U32(struct nvme_sq_state, head, "head", 0,
		  NVME_QUEUE_ENTRIES - 1),
	STATE_U32(struct nvme_sq_state, tail, "tail", 0,
		  NVME_QUEUE_ENTRIES - 1),
};

static const struct state_desc sq_desc =
	STATE_DESC("lkvm,nvme-sq-v1", struct nvme_sq_state, sq_fields);

static const struct state_field cq_fields[] = {
	U64_ANY(struct nvme_cq_state, base, "base"),
	STATE_U32(struct nvme_cq_state, qid, "qid", 0, NVME_QUEUES_MAX),
	STATE_U32(struct nvme_cq_state, vector, "vector", 0, NVME_QUEUES_MAX),
	STATE_U32(struct nvme_cq_state, entries, "entries",
		  NVME_QUEUE_SIZE_MIN, NVME_QUEUE_ENTRIES),
	STATE_U32(struct nvme_cq_state, head, "head", 0,
		  NVME_QUEUE_ENTRIES - 1),
	STATE_U32(struct nvme_cq_state, tail, "tail", 0,
		  NVME_QUEUE_ENTRIES - 1),
	STATE_U16(struct nvme_cq_state, ien, "interrupts-enabled", 0, 1),
	STATE_U16(struct nvme_cq_state, phase, "phase", 0, 1),
};

static const struct state_desc cq_desc =
	STATE_DESC("lkvm,nvme-cq-v1", struct nvme_cq_state, cq_fields);

static const struct state_field cmd_fields[] = {
	STATE_U64(struct nvme_cmd_state, sqid, "sqid", 0, NVME_QUEUES_MAX),
	STATE_BYTES(struct nvme_cmd_state, sqe, "command"),
};

static const struct state_desc cmd_desc =
	STATE_DESC("lkvm,nvme-command-v1", struct nvme_cmd_state, cmd_fields);

static const struct state_field range_fields[] = {
	U64_ANY(struct nvme_range_state, slba, "first-block"),
	STATE_U64(struct nvme_range_state, nlb, "blocks", 1, UINT64_MAX),
};

static const struct state_desc range_desc =
	STATE_DESC("lkvm,nvme-range-v1", struct nvme_range_state,
		   range_fields);

static const struct state_field ns_fields[] = {
	STATE_U32(struct nvme_ns_state, nsid, "nsid", 1, NVME_NS_MAX),
	STATE_U32(struct nvme_ns_state, lbaf, "lba-format", 0,
		  NVME_LBAFS - 1),
	STATE_U32(struct nvme_ns_state, attached, "attached", 0, 1),
	U64_ANY(struct nvme_ns_state, lbas, "blocks"),
	STATE_STRUCTS(struct nvme_ns_state, unc, unc_nr, "uncorrectable",
		      &range_desc),
};

static const struct state_desc ns_desc =
	STATE_DESC("lkvm,nvme-namespace-v1", struct nvme_ns_state, ns_fields);

static const struct state_field event_fields[] = {
	STATE_U8(struct nvme_event_state, type, "type", 0, NVME_AER_TYPES - 1),
	STATE_U8(struct nvme_event_state, info, "info", 0, UINT8_MAX),
	STATE_U8(struct nvme_event_state, log, "log-page", 0, UINT8_MAX),
};

static const struct state_desc event_desc =
	STATE_DESC("lkvm,nvme-event-v1", struct nvme_event_state,
		   event_fields);

static const struct state_field smart_fields[] = {
	U64_ANY(struct nvme_smart_state, power_cycles, "power-cycles"),
	U64_ANY(struct nvme_smart_state, power_on_ns, "power-on-ns"),
	U64_ANY(struct nvme_smart_state, unsafe_shutdowns, "unsafe-shutdowns"),
	U64_ANY(struct nvme_smart_state, warning_ns, "warning-ns"),
	U64_ANY(struct nvme_smart_state, read_units, "sectors-read"),
	U64_ANY(struct nvme_smart_state, write_units, "sectors-written"),
	U64_ANY(struct nvme_smart_state, reads, "reads"),
	U64_ANY(struct nvme_smart_state, writes, "writes"),
	U64_ANY(struct nvme_smart_state, busy_ns, "busy-ns"),
	U64_ANY(struct nvme_smart_state, media_errors, "media-errors"),
};

static const struct state_desc smart_desc =
	STATE_DESC("lkvm,nvme-smart-v1", struct nvme_smart_state,
		   smart_fields);

static const struct state_field feature_fields[] = {
	U32_ANY(struct nvme_features, arbitration, "arbitration"),
	U32_ANY(struct nvme_features, power, "power-management"),
	STATE_INTS(STATE_KIND_U16, struct nvme_features, temp_over,
		   "over-temperature", 0, UINT16_MAX),
	STATE_INTS(STATE_KIND_U16, struct nvme_features, temp_under,
		   "under-temperature", 0, UINT16_MAX),
	STATE_U32(struct nvme_features, write_cache, "write-cache", 0, 1),
	STATE_U32(struct nvme_features, coalescing, "interrupt-coalescing", 0,
		  UINT16_MAX),
	STATE_U32(struct nvme_features, atomicity, "write-atomicity", 0, 1),
	U32_ANY(struct nvme_features, aec, "async-event-config"),
	STATE_INTS(STATE_KIND_U32, struct nvme_features, error_recovery,
		   "error-recovery", 0, UINT16_MAX),
	STATE_INTS(STATE_KIND_U8, struct nvme_features, vector_config,
		   "coalescing-disable", 0, 1),
	STATE_INTS(STATE_KIND_U8, struct nvme_features, host_behavior,
		   "host-behavior", 0, 1),
};

static const struct state_desc feature_desc =
	STATE_DESC("lkvm,nvme-features-v1", struct nvme_features,
		   feature_fields);

static const struct state_field ctrl_fields[] = {
	STATE_STRUCT(struct nvme_state, pci, "pci", &pci_state_desc),
	U32_ANY(struct nvme_state, cc, "cc"),
	STATE_U32(struct nvme_state, csts, "csts", 0, 0x1f),
	U32_ANY(struct nvme_state, intms, "intms"),
	STATE_U32(struct nvme_state, aqa, "aqa", 0,
		  NVME_AQA_ASQS | NVME_AQA_ACQS),
	STATE_U64(struct nvme_state, asq, "asq", 0, NVME_AQ_BASE),
	STATE_U64(struct nvme_state, acq, "acq", 0, NVME_AQ_BASE),
	STATE_U32(struct nvme_state, io_sqs, "submission-queues", 1,
		  NVME_QUEUES_MAX),
	STATE_U32(struct nvme_state, io_cqs, "completion-queues", 1,
		  NVME_QUEUES_MAX),
	STATE_U32(struct nvme_state, dbbuf_enabled, "doorbell-buffer", 0, 1),
	U64_ANY(struct nvme_state, dbbuf_shadow, "shadow-doorbells"),
	U64_ANY(struct nvme_state, dbbuf_event, "event-indexes"),
	STATE_STRUCT(struct nvme_state, feat, "features", &feature_desc),
	STATE_STRUCT(struct nvme_state, feat_saved, "saved-features",
		     &feature_desc),
	U64_ANY(struct nvme_state, timestamp_ms, "timestamp-ms"),
	STATE_U32(struct nvme_state, timestamp_origin, "timestamp-origin", 0,
		  1),
	STATE_STRUCTS(struct nvme_state, cqs, cqs_nr, "cq", &cq_desc),
	STATE_STRUCTS(struct nvme_state, sqs, sqs_nr, "sq", &sq_desc),
	STATE_STRUCTS(struct nvme_state, aers, aers_nr, "event-request",
		      &cmd_desc),
	STATE_STRUCTS(struct nvme_state, replays, replays_nr, "again",
		      &cmd_desc),
	STATE_U64(struct nvme_state, events_masked, "events-masked", 0,
		  BIT(NVME_AER_TYPES) - 1),
	U64_ANY(struct nvme_state, errors_count, "errors-count"),
	STATE_BYTES(struct nvme_state, errors, "errors"),
	STATE_STRUCT(struct nvme_state, smart, "smart", &smart_desc),
	U64_ANY(struct nvme_state, changed_ns, "changed-namespaces"),
	STATE_STRUCTS(struct nvme_state, namespaces, namespaces_nr,
		      "namespace", &ns_desc),
	STATE_STRUCTS(struct nvme_state, events, events_nr, "event",
		      &event_desc),
};

const struct state_desc nvme_state_desc =
	STATE_DESC("lkvm,nvme-ctrl-v1", struct nvme_state, ctrl_fields);

/* ---- save ---------------------------------------------------------------------- */

static void save_cmd(struct nvme_cmd_state *s, const struct nvme_req *req)
{
	s->sqid = req->sq->qid;
	memcpy(s->sqe, &req->sqe, sizeof(s->sqe));
}

static void save_sq(struct nvme_state *state, const struct nvme_sq *sq)
{
	struct nvme_sq_state *s = &state->sqs[state->sqs_nr++];
	const struct nvme_req *req;

	s->base = gpa_raw(sq->base);
	s->qid = sq->qid;
	s->cqid = sq->cq->qid;
	s->priority = sq->priority;
	s->entries = sq->entries;
	s->head = sq->head;
	/* What the guest has rung since we looked is seen again at resume. */
	s->tail = sq->shadow.value ? sq->tail : atomic_load(&sq->db->value);
	/* nvme_state_fits() has counted them. */
	list_for_each_entry(req, &sq->again, link)
		save_cmd(&state->replays[state->replays_nr++], req);
}

static void save_cq(struct nvme_state *state, const struct nvme_cq *cq)
{
	struct nvme_cq_state *s = &state->cqs[state->cqs_nr++];

	s->base = gpa_raw(cq->base);
	s->qid = cq->qid;
	s->vector = cq->vector;
	s->entries = cq->entries;
	s->head = cq->shadow.value ? cq->head : atomic_load(&cq->db->value);
	s->tail = cq->tail;
	s->ien = cq->ien;
	s->phase = cq->phase;
}

static void save_queues(struct nvme_state *state, const struct nvme_ctrl *ctrl)
{
	u32 i;

	for (i = 0; i < NVME_QIDS; i++)
		if (ctrl->cqs[i])
			save_cq(state, ctrl->cqs[i]);
	for (i = 0; i < NVME_QIDS; i++)
		if (ctrl->sqs[i])
			save_sq(state, ctrl->sqs[i]);
}

static void save_ns(struct nvme_ns_state *s, const struct nvme_ns *ns)
{
	u32 i;

	s->nsid = ns->nsid;
	s->lbaf = nvme_ns_lbaf(ns);
	s->attached = atomic_load(&ns->attached);
	s->lbas = ns->lbas;
	s->unc_nr = atomic_load(&ns->unc_nr);
	for (i = 0; i < s->unc_nr; i++) {
		s->unc[i].slba = ns->unc[i].slba;
		s->unc[i].nlb = ns->unc[i].nlb;
	}
}

static void save_events(struct nvme_state *state, const struct nvme_aer *aer)
{
	u32 i;

	for (i = 0; i < aer->parked_nr; i++)
		save_cmd(&state->aers[state->aers_nr++], aer->parked[i]);
	for (i = 0; i < aer->events_nr; i++) {
		state->events[i].type = aer->events[i].type;
		state->events[i].info = aer->events[i].info;
		state->events[i].log = aer->events[i].log;
	}
	state->events_nr = aer->events_nr;
	state->events_masked = aer->masked;
}

static void save_smart(struct nvme_smart_state *s, const struct nvme_ctrl *ctrl)
{
	const struct nvme_smart *smart = &ctrl->smart;
	struct nvme_stats sum;

	nvme_stats_sum(ctrl, &sum);
	s->power_cycles = smart->power_cycles;
	s->power_on_ns = smart->power_on_ns + nvme_now_ns() -
			 smart->powered_on_at_ns;
	s->unsafe_shutdowns = smart->unsafe_shutdowns;
	s->warning_ns = smart->warning_ns;
	s->read_units = atomic_load(&sum.read_units);
	s->write_units = atomic_load(&sum.write_units);
	s->reads = atomic_load(&sum.reads);
	s->writes = atomic_load(&sum.writes);
	s->busy_ns = atomic_load(&sum.busy_ns);
	s->media_errors = atomic_load(&sum.media_errors);
}

static void save_regs(struct nvme_state *state, const struct nvme_ctrl *ctrl)
{
	const struct nvme_regs *regs = &ctrl->regs;

	state->cc = regs->cc;
	state->csts = atomic_load(&regs->csts);
	state->intms = atomic_load(&regs->intms);
	state->aqa = regs->aqa;
	state->asq = regs->asq;
	state->acq = regs->acq;
	state->io_sqs = ctrl->io_sqs;
	state->io_cqs = ctrl->io_cqs;
	state->dbbuf_enabled = ctrl->dbbuf.enabled;
	state->dbbuf_shadow = gpa_raw(ctrl->dbbuf.shadow);
	state->dbbuf_event = gpa_raw(ctrl->dbbuf.event);
}

/**
 * nvme_state_fits() - is there room for the commands that are to be issued again?
 * @ctrl: quiesced
 * @err: filled on failure
 *
 * Return: 0, or -E2BIG.
 */
int nvme_state_fits(const struct nvme_ctrl *ctrl, struct error *err)
{
	const struct nvme_req *req;
	u32 nr = 0, i;

	for (i = 0; i < NVME_QIDS; i++) {
		if (!ctrl->sqs[i])
			continue;
		list_for_each_entry(req, &ctrl->sqs[i]->again, link)
			nr++;
	}
	if (nr <= NVME_STATE_REPLAYS)
		return 0;
	return error_set(err, -E2BIG,
			 "disks did not end %u commands in time, and a snapshot holds %u",
			 nr, NVME_STATE_REPLAYS);
}

/**
 * nvme_save() - copy a quiesced controller
 * @dev: the device
 * @to: zeroed struct nvme_state
 */
void nvme_save(const struct device *dev, void *to)
{
	const struct nvme_ctrl *ctrl =
		container_of(dev, const struct nvme_ctrl, pci.dev);
	struct nvme_state *state = to;
	u32 i;

	pci_state_save(&ctrl->pci, &state->pci);
	save_regs(state, ctrl);
	save_queues(state, ctrl);
	state->feat = ctrl->feat;
	state->feat_saved = ctrl->feat_saved;
	state->timestamp_ms = ctrl->timestamp_ms +
		(nvme_now_ns() - ctrl->timestamp_at_ns) / 1000000;
	state->timestamp_origin = ctrl->timestamp_origin;
	save_events(state, &ctrl->aer);
	state->errors_count = ctrl->errors.count;
	memcpy(state->errors, ctrl->errors.entries, sizeof(state->errors));
	save_smart(&state->smart, ctrl);
	state->changed_ns = ctrl->changed_ns[0];
	for (i = 0; i < ctrl->ns_nr; i++)
		if (ctrl->ns[i])
			save_ns(&state->namespaces[state->namespaces_nr++],
				ctrl->ns[i]);
}

/* ---- load ---------------------------------------------------------------------- */

static struct nvme_req *load_cmd(struct nvme_ctrl *ctrl,
				 const struct nvme_cmd_state *s)
{
	struct nvme_sq *sq = ctrl->sqs[s->sqid];

	return sq ? nvme_req_restore(sq, s->sqe) : NULL;
}

static bool load_cq(struct nvme_ctrl *ctrl, const struct nvme_cq_state *s)
{
	struct nvme_queue_params params = {
		.qid = (u16)s->qid,
		.entries = s->entries,
		.base = gpa(s->base),
		.vector = s->vector,
		.ien = s->ien,
	};
	struct nvme_cq *cq;

	if (nvme_cq_create(ctrl, &params))
		return false;
	cq = ctrl->cqs[s->qid];
	cq->head = s->head;
	cq->tail = s->tail;
	cq->phase = s->phase;
	atomic_store(&cq->db->value, s->head);
	atomic_store(&cq->db->tail, s->tail);
	return true;
}

static bool load_sq(struct nvme_ctrl *ctrl, const struct nvme_sq_state *s)
{
	struct nvme_queue_params params = {
		.qid = (u16)s->qid,
		.entries = s->entries,
		.base = gpa(s->base),
		.cqid = (u16)s->cqid,
		.priority = (u8)s->priority,
	};
	struct nvme_sq *sq;

	if (!ctrl->cqs[s->cqid] || nvme_sq_create(ctrl, &params))
		return false;
	sq = ctrl->sqs[s->qid];
	sq->head = s->head;
	sq->tail = s->tail;
	atomic_store(&sq->db->value, s->tail);
	return true;
}

static bool load_queues(struct nvme_ctrl *ctrl, const struct nvme_state *state)
{
	bool all = true;
	u32 i;

	for (i = 0; i < state->cqs_nr; i++)
		all &= load_cq(ctrl, &state->cqs[i]);
	for (i = 0; i < state->sqs_nr; i++)
		all &= load_sq(ctrl, &state->sqs[i]);
	for (i = 0; i < state->replays_nr; i++) {
		struct nvme_req *req = load_cmd(ctrl, &state->replays[i]);

		if (req)
			req->sq->cq->reserved++;
	}
	return all;
}

/* As if just parked: without a slot, not in flight for the loop. */
static void load_aer(struct nvme_ctrl *ctrl, const struct nvme_cmd_state *s)
{
	struct nvme_req *req = load_cmd(ctrl, s);

	if (!req)
		return;
	req->cmd = nvme_cmd_find(nvme_admin_cmds, nvme_admin_cmds_nr,
				 req->sqe.opcode);
	list_del(&req->link);
	list_add_tail(&req->sq->busy, &req->link);
	req->parked = true;
	ctrl->aer.parked[ctrl->aer.parked_nr++] = req;
}

static void load_events(struct nvme_ctrl *ctrl, const struct nvme_state *state)
{
	struct nvme_aer *aer = &ctrl->aer;
	u32 i;

	for (i = 0; i < state->aers_nr; i++)
		load_aer(ctrl, &state->aers[i]);
	for (i = 0; i < state->events_nr; i++) {
		aer->events[i].type = state->events[i].type;
		aer->events[i].info = state->events[i].info;
		aer->events[i].log = state->events[i].log;
	}
	aer->events_nr = state->events_nr;
	aer->masked = (u32)state->events_masked;
}

static void load_ns(struct nvme_ns *ns, const struct nvme_ns_state *s)
{
	u32 i;

	nvme_ns_set_format(ns, s->lbaf);
	atomic_store(&ns->attached, s->attached);
	for (i = 0; i < s->unc_nr; i++) {
		ns->unc[i].slba = s->unc[i].slba;
		ns->unc[i].nlb = s->unc[i].nlb;
	}
	atomic_store(&ns->unc_nr, s->unc_nr);
}

static void load_smart(struct nvme_ctrl *ctrl, const struct nvme_smart_state *s)
{
	struct nvme_smart *smart = &ctrl->smart;
	u32 i;

	for (i = 0; i < ctrl->loops_nr; i++)
		memset(&ctrl->loops[i].stats, 0, sizeof(struct nvme_stats));
	smart->power_cycles = s->power_cycles;
	smart->power_on_ns = s->power_on_ns;
	smart->powered_on_at_ns = nvme_now_ns();
	smart->unsafe_shutdowns = s->unsafe_shutdowns;
	smart->warning_ns = s->warning_ns;
	atomic_store(&smart->base.read_units, s->read_units);
	atomic_store(&smart->base.write_units, s->write_units);
	atomic_store(&smart->base.reads, s->reads);
	atomic_store(&smart->base.writes, s->writes);
	atomic_store(&smart->base.busy_ns, s->busy_ns);
	atomic_store(&smart->base.media_errors, s->media_errors);
}

static void load_regs(struct nvme_ctrl *ctrl, const struct nvme_state *state)
{
	struct nvme_regs *regs = &ctrl->regs;

	regs->cc = state->cc;
	atomic_store(&regs->csts, state->csts);
	atomic_store(&regs->intms, state->intms);
	regs->aqa = state->aqa;
	regs->asq = state->asq;
	regs->acq = state->acq;
	ctrl->page_shift = 12 + nvme_get(NVME_CC_MPS, state->cc);
	ctrl->io_sqs = state->io_sqs;
	ctrl->io_cqs = state->io_cqs;
	ctrl->dbbuf.enabled = state->dbbuf_enabled;
	ctrl->dbbuf.shadow = gpa(state->dbbuf_shadow);
	ctrl->dbbuf.event = gpa(state->dbbuf_event);
}

static void load_logs(struct nvme_ctrl *ctrl, const struct nvme_state *state)
{
	u32 i;

	mutex_lock(&ctrl->errors.lock);
	ctrl->errors.count = state->errors_count;
	memcpy(ctrl->errors.entries, state->errors, sizeof(state->errors));
	mutex_unlock(&ctrl->errors.lock);
	load_smart(ctrl, &state->smart);
	ctrl->changed_ns[0] = state->changed_ns;
	for (i = 0; i < state->namespaces_nr; i++)
		load_ns(ctrl->ns[state->namespaces[i].nsid - 1],
			&state->namespaces[i]);
}

/**
 * nvme_load() - install a state
 * @dev: the device; silent afterwards until it is resumed
 * @from: passed nvme_check()
 */
void nvme_load(struct device *dev, const void *from)
{
	struct nvme_ctrl *ctrl = container_of(dev, struct nvme_ctrl, pci.dev);
	const struct nvme_state *state = from;

	if (!ctrl->quiesce_freeze.active)
		nvme_freeze_for_pause(ctrl);
	nvme_power_on(ctrl);
	pci_state_load(&ctrl->pci, &state->pci);
	load_regs(ctrl, state);
	ctrl->feat = state->feat;
	ctrl->feat_saved = state->feat_saved;
	ctrl->timestamp_ms = state->timestamp_ms;
	ctrl->timestamp_at_ns = nvme_now_ns();
	ctrl->timestamp_origin = (u8)state->timestamp_origin;
	nvme_tuning_update(ctrl);
	if (!load_queues(ctrl, state))
		nvme_fatal(ctrl);
	load_events(ctrl, state);
	load_logs(ctrl, state);
}
