// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: Get Features and Set Features
 *
 * NVMe-2.0 4.1, 5.15, 5.27, NVMCS-1.0 4.1.3. A table of the features; a row
 * moves one value between a command and a struct nvme_features, of which
 * there are three: the defaults, the saved and the current values. What a
 * change means to the threads that serve I/O goes out by nvme_tuning_update().
 *
 * Saved values live as long as the machine, through each reset and with each
 * move to another host.
 * Deviates: they do not outlive the process, which is the machine's power.
 *
 * Runs on the main loop with the device's lock held.
 */
#include <string.h>

#include "devices/nvme/admin_priv.h"
#include "devices/pci/msix.h"

#define NS_PER_MS	1000000ULL

#define SAVEABLE	NVME_FEATURE_CAP_SAVEABLE
#define PER_NS		NVME_FEATURE_CAP_NS_SPECIFIC
#define CHANGEABLE	NVME_FEATURE_CAP_CHANGEABLE

static void set_defaults(struct nvme_features *feat)
{
	memset(feat, 0, sizeof(*feat));
	feat->arbitration = NVME_RAB;
	feat->temp_over[0] = NVME_TEMPERATURE_WARN;
	feat->write_cache = NVME_FEAT_VWC_WCE;
}

/* ---- features that are a dword ------------------------------------------------ */

/* 01: weights are kept and have no effect: arbitration is round robin. */
static nvme_status_t get_arbitration(struct nvme_req *req,
				     const struct nvme_features *feat, void *buf)
{
	req->result = feat->arbitration;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_arbitration(struct nvme_req *req,
				     struct nvme_features *feat, const void *buf)
{
	feat->arbitration = nvme_cdw(req, 11) &
			    (NVME_FEAT_ARB_AB | NVME_FEAT_ARB_LPW |
			     NVME_FEAT_ARB_MPW | NVME_FEAT_ARB_HPW);
	return NVME_SC_SUCCESS;
}

/* 02: there is one power state. */
static nvme_status_t get_power(struct nvme_req *req,
			       const struct nvme_features *feat, void *buf)
{
	req->result = feat->power;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_power(struct nvme_req *req, struct nvme_features *feat,
			       const void *buf)
{
	u32 cdw11 = nvme_cdw(req, 11);

	if (nvme_get(NVME_FEAT_PM_PS, cdw11) != 0)
		return NVME_SC_INVALID_FIELD;
	feat->power = cdw11 & (NVME_FEAT_PM_PS | NVME_FEAT_PM_WH);
	return NVME_SC_SUCCESS;
}

/* 06 */
static nvme_status_t get_write_cache(struct nvme_req *req,
				     const struct nvme_features *feat, void *buf)
{
	req->result = feat->write_cache;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_write_cache(struct nvme_req *req,
				     struct nvme_features *feat, const void *buf)
{
	feat->write_cache = nvme_cdw(req, 11) & NVME_FEAT_VWC_WCE;
	return NVME_SC_SUCCESS;
}

/* 08 */
static nvme_status_t get_coalescing(struct nvme_req *req,
				    const struct nvme_features *feat, void *buf)
{
	req->result = feat->coalescing;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_coalescing(struct nvme_req *req,
				    struct nvme_features *feat, const void *buf)
{
	feat->coalescing = nvme_cdw(req, 11) &
			   (NVME_FEAT_IC_THR | NVME_FEAT_IC_TIME);
	return NVME_SC_SUCCESS;
}

/* 0a: single blocks are atomic either way. */
static nvme_status_t get_atomicity(struct nvme_req *req,
				   const struct nvme_features *feat, void *buf)
{
	req->result = feat->atomicity;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_atomicity(struct nvme_req *req,
				   struct nvme_features *feat, const void *buf)
{
	feat->atomicity = nvme_cdw(req, 11) & NVME_FEAT_WA_DN;
	return NVME_SC_SUCCESS;
}

/* 0b: events that we never send stay off. */
static nvme_status_t get_aec(struct nvme_req *req,
			     const struct nvme_features *feat, void *buf)
{
	req->result = feat->aec;
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_aec(struct nvme_req *req, struct nvme_features *feat,
			     const void *buf)
{
	feat->aec = nvme_cdw(req, 11) & (NVME_FEAT_AEC_SMART | NVME_OAES);
	return NVME_SC_SUCCESS;
}

/* ---- features with an index ----------------------------------------------------- */

/*
 * 04: the threshold that the command names: the over or under temperature of
 * the composite temperature, which is the only sensor. @all: TMPSEL may name
 * all sensors at once. False: there is no such threshold.
 */
static bool temp_threshold(const struct nvme_req *req, bool all, bool *under)
{
	u32 cdw11 = nvme_cdw(req, 11);
	u32 sensor = nvme_get(NVME_FEAT_TEMP_TMPSEL, cdw11);
	u32 which = nvme_get(NVME_FEAT_TEMP_THSEL, cdw11);

	*under = which == NVME_FEAT_TEMP_UNDER;
	return (sensor == NVME_FEAT_TEMP_SEL_COMPOSITE ||
		(all && sensor == NVME_FEAT_TEMP_SEL_ALL)) &&
	       (which == NVME_FEAT_TEMP_OVER || which == NVME_FEAT_TEMP_UNDER);
}

static nvme_status_t get_temperature(struct nvme_req *req,
				     const struct nvme_features *feat, void *buf)
{
	bool under;

	if (!temp_threshold(req, false, &under))
		return NVME_SC_INVALID_FIELD;
	req->result = under ? feat->temp_under[0] : feat->temp_over[0];
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_temperature(struct nvme_req *req,
				     struct nvme_features *feat, const void *buf)
{
	u16 kelvin = (u16)nvme_get(NVME_FEAT_TEMP_TMPTH, nvme_cdw(req, 11));
	bool under;

	if (!temp_threshold(req, true, &under))
		return NVME_SC_INVALID_FIELD;
	if (under)
		feat->temp_under[0] = kelvin;
	else
		feat->temp_over[0] = kelvin;
	return NVME_SC_SUCCESS;
}

static nvme_status_t apply_temperature(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);

	if (nvme_smart_warnings(ctrl) & NVME_SMART_WARN_TEMPERATURE)
		nvme_event_post(ctrl, NVME_AER_SMART,
				NVME_AER_SMART_TEMPERATURE, NVME_LID_SMART);
	return NVME_SC_SUCCESS;
}

/* 05: of a namespace. DULBE needs support that Identify denies. */
static nvme_status_t get_error_recovery(struct nvme_req *req,
					const struct nvme_features *feat,
					void *buf)
{
	req->result = feat->error_recovery[nvme_req_nsid(req) - 1];
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_error_recovery(struct nvme_req *req,
					struct nvme_features *feat,
					const void *buf)
{
	u32 nsid = nvme_req_nsid(req);
	u32 cdw11 = nvme_cdw(req, 11);
	u32 i;

	if (cdw11 & NVME_FEAT_ER_DULBE)
		return NVME_SC_INVALID_FIELD;
	for (i = 0; i < NVME_NS_MAX; i++) {
		if (nsid == NVME_NSID_ALL || nsid == i + 1)
			feat->error_recovery[i] = cdw11 & NVME_FEAT_ER_TLER;
	}
	return NVME_SC_SUCCESS;
}

/* 09: one flag a vector. */
static nvme_status_t check_vector(const struct nvme_req *req, u32 *vector)
{
	const struct nvme_ctrl *ctrl = nvme_req_ctrl(req);

	*vector = nvme_get(NVME_FEAT_IV_IV, nvme_cdw(req, 11));
	if (*vector >= msix_vectors(&ctrl->pci) || *vector >= NVME_QIDS)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

static nvme_status_t get_vector(struct nvme_req *req,
				const struct nvme_features *feat, void *buf)
{
	u32 vector;
	nvme_status_t status = check_vector(req, &vector);

	if (!status)
		req->result = vector |
			      (feat->vector_config[vector] ? NVME_FEAT_IV_CD : 0);
	return status;
}

static nvme_status_t set_vector(struct nvme_req *req,
				struct nvme_features *feat, const void *buf)
{
	u32 vector;
	nvme_status_t status = check_vector(req, &vector);

	if (!status)
		feat->vector_config[vector] =
			!!(nvme_cdw(req, 11) & NVME_FEAT_IV_CD);
	return status;
}

/* ---- 07: Number of Queues, which is not kept with the others ---------------------- */

static nvme_status_t get_queues(struct nvme_req *req,
				const struct nvme_features *feat, void *buf)
{
	const struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	bool current = feat == &ctrl->feat;
	u32 sqs = current ? ctrl->io_sqs : ctrl->config->queues;
	u32 cqs = current ? ctrl->io_cqs : ctrl->config->queues;

	req->result = nvme_put(NVME_FEAT_NQ_NSQR, sqs - 1) |
		      nvme_put(NVME_FEAT_NQ_NCQR, cqs - 1);
	return NVME_SC_SUCCESS;
}

static bool io_queues_exist(const struct nvme_ctrl *ctrl)
{
	u32 qid;

	for (qid = 1; qid < NVME_QIDS; qid++) {
		if (ctrl->sqs[qid] || ctrl->cqs[qid])
			return true;
	}
	return false;
}

static u32 grant(u32 wanted_0based, u32 have)
{
	return wanted_0based < have ? wanted_0based + 1 : have;
}

static nvme_status_t set_queues(struct nvme_req *req,
				struct nvme_features *feat, const void *buf)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 sqs = nvme_get(NVME_FEAT_NQ_NSQR, nvme_cdw(req, 11));
	u32 cqs = nvme_get(NVME_FEAT_NQ_NCQR, nvme_cdw(req, 11));

	if (sqs == NVME_FEAT_NQ_INVALID || cqs == NVME_FEAT_NQ_INVALID)
		return NVME_SC_INVALID_FIELD;
	if (io_queues_exist(ctrl))
		return NVME_SC_SEQUENCE;
	ctrl->io_sqs = grant(sqs, ctrl->config->queues);
	ctrl->io_cqs = grant(cqs, ctrl->config->queues);
	return get_queues(req, &ctrl->feat, NULL);
}

/* ---- features with a data structure ------------------------------------------------ */

/* 0e: a clock that is not kept with the others. */
static nvme_status_t get_timestamp(struct nvme_req *req,
				   const struct nvme_features *feat, void *buf)
{
	const struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_timestamp *ts = buf;
	__le64 ms = cpu_to_le64(0);

	if (feat == &ctrl->feat) {
		ms = cpu_to_le64(ctrl->timestamp_ms +
				 (nvme_now_ns() - ctrl->timestamp_at_ns) / NS_PER_MS);
		ts->attr = nvme_put(NVME_TIMESTAMP_ORIGIN,
				    ctrl->timestamp_origin);
	}
	memcpy(ts->ms, &ms, sizeof(ts->ms));
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_timestamp(struct nvme_req *req,
				   struct nvme_features *feat, const void *buf)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	const struct nvme_timestamp *ts = buf;
	__le64 ms = cpu_to_le64(0);

	memcpy(&ms, ts->ms, sizeof(ts->ms));
	ctrl->timestamp_ms = le64_to_cpu(ms);
	ctrl->timestamp_at_ns = nvme_now_ns();
	ctrl->timestamp_origin = NVME_TIMESTAMP_ORIGIN_SET;
	return NVME_SC_SUCCESS;
}

/* 16: we never ask for a retry delay and have few LBA formats: kept only. */
static nvme_status_t get_host_behavior(struct nvme_req *req,
				       const struct nvme_features *feat,
				       void *buf)
{
	memcpy(buf, feat->host_behavior, sizeof(feat->host_behavior));
	return NVME_SC_SUCCESS;
}

static nvme_status_t set_host_behavior(struct nvme_req *req,
				       struct nvme_features *feat,
				       const void *buf)
{
	const struct nvme_host_behavior *host = buf;

	if (host->acre > 1 || host->etdas > 1 || host->lbafee > 1)
		return NVME_SC_INVALID_FIELD;
	memcpy(feat->host_behavior, buf, sizeof(feat->host_behavior));
	return NVME_SC_SUCCESS;
}

/* ---- what a change means -------------------------------------------------------------- */

static nvme_status_t apply_tuning(struct nvme_req *req)
{
	nvme_tuning_update(nvme_req_ctrl(req));
	return NVME_SC_SUCCESS;
}

static void flush_next(struct nvme_req *req);

static void flush_done(struct nvme_req *req, int res)
{
	if (res) {
		nvme_offload_done(req, nvme_req_errno(req, res));
		return;
	}
	req->priv[0]++;
	flush_next(req);
}

/* On a loop's thread: flush the namespaces from index priv[0] on, in turn. */
static void flush_next(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);

	while (req->priv[0] < ctrl->ns_nr && !ctrl->ns[req->priv[0]])
		req->priv[0]++;
	if (req->aborted || req->priv[0] == ctrl->ns_nr) {
		nvme_offload_done(req, req->aborted);
		return;
	}
	req->ns = ctrl->ns[req->priv[0]];
	nvme_disk_flush(req, flush_done);
}

/*
 * With the cache off, what was written before must be on the disk as well.
 * Writes go through from here on, so a flush of each disk is enough.
 */
static nvme_status_t apply_write_cache(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);

	nvme_tuning_update(ctrl);
	if (ctrl->feat.write_cache & NVME_FEAT_VWC_WCE)
		return NVME_SC_SUCCESS;
	nvme_offload(req, &ctrl->loops[0], flush_next, NULL);
	return NVME_REQ_PENDING;
}

/* ---- the commands --------------------------------------------------------------------- */

#define FEATURE(_fid, _name, _caps, _scope, _data, _get, _set, _apply)	\
	{								\
		.name = _name, .fid = _fid, .caps = _caps,		\
		.effects = NVME_FID_EFFECTS_FSUPP | _scope,		\
		.data = _data, .get = _get, .set = _set, .apply = _apply, \
	}
#define CTRL	NVME_FID_EFFECTS_SCOPE_CTRL
#define NS	NVME_FID_EFFECTS_SCOPE_NS

const struct nvme_feature nvme_feature_table[] = {
	FEATURE(NVME_FID_ARBITRATION, "Arbitration", SAVEABLE | CHANGEABLE,
		CTRL, 0, get_arbitration, set_arbitration, apply_tuning),
	FEATURE(NVME_FID_POWER, "Power Management", SAVEABLE | CHANGEABLE,
		CTRL, 0, get_power, set_power, NULL),
	FEATURE(NVME_FID_TEMPERATURE, "Temperature Threshold",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_temperature,
		set_temperature, apply_temperature),
	FEATURE(NVME_FID_ERROR_RECOVERY, "Error Recovery",
		SAVEABLE | PER_NS | CHANGEABLE, NS, 0, get_error_recovery,
		set_error_recovery, NULL),
	FEATURE(NVME_FID_WRITE_CACHE, "Volatile Write Cache",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_write_cache,
		set_write_cache, apply_write_cache),
	FEATURE(NVME_FID_QUEUES, "Number of Queues", CHANGEABLE, CTRL, 0,
		get_queues, set_queues, NULL),
	FEATURE(NVME_FID_COALESCING, "Interrupt Coalescing",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_coalescing, set_coalescing,
		apply_tuning),
	FEATURE(NVME_FID_VECTOR, "Interrupt Vector Configuration",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_vector, set_vector,
		apply_tuning),
	FEATURE(NVME_FID_WRITE_ATOMICITY, "Write Atomicity Normal",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_atomicity, set_atomicity,
		NULL),
	FEATURE(NVME_FID_AEC, "Asynchronous Event Configuration",
		SAVEABLE | CHANGEABLE, CTRL, 0, get_aec, set_aec,
		apply_temperature),
	FEATURE(NVME_FID_TIMESTAMP, "Timestamp", CHANGEABLE, CTRL,
		sizeof(struct nvme_timestamp), get_timestamp, set_timestamp,
		NULL),
	FEATURE(NVME_FID_HOST_BEHAVIOR, "Host Behavior Support", CHANGEABLE,
		CTRL, sizeof(struct nvme_host_behavior), get_host_behavior,
		set_host_behavior, NULL),
};

const u32 nvme_feature_table_nr = ARRAY_SIZE(nvme_feature_table);

#define FEATURE_DATA_MAX	sizeof(struct nvme_host_behavior)

static const struct nvme_feature *find_feature(u32 fid)
{
	u32 i;

	for (i = 0; i < nvme_feature_table_nr; i++) {
		if (nvme_feature_table[i].fid == fid)
			return &nvme_feature_table[i];
	}
	return NULL;
}

static nvme_status_t check_active(const struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 nsid = nvme_req_nsid(req);

	if (!nvme_nsid_valid(ctrl, nsid))
		return NVME_SC_INVALID_NS;
	return nvme_ns_active(ctrl, nsid) ? NVME_SC_SUCCESS :
					    NVME_SC_INVALID_FIELD;
}

static nvme_status_t check_get(const struct nvme_req *req,
			       const struct nvme_feature *feature, u32 sel)
{
	if (!feature || sel > NVME_FEATURE_SEL_CAPABILITIES)
		return NVME_SC_INVALID_FIELD;
	if (feature->caps & PER_NS && sel != NVME_FEATURE_SEL_CAPABILITIES)
		return check_active(req);
	return NVME_SC_SUCCESS;
}

static nvme_status_t get_value(struct nvme_req *req,
			       const struct nvme_feature *feature, u32 sel)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u8 data[FEATURE_DATA_MAX] = { 0 };
	struct nvme_features defaults;
	const struct nvme_features *feat = &defaults;
	nvme_status_t status;

	set_defaults(&defaults);
	if (sel == NVME_FEATURE_SEL_CURRENT)
		feat = &ctrl->feat;
	else if (sel == NVME_FEATURE_SEL_SAVED && feature->caps & SAVEABLE)
		feat = &ctrl->feat_saved;
	status = feature->get(req, feat, data);
	if (status)
		return status;
	if (!feature->data)
		return NVME_SC_SUCCESS;
	return nvme_req_to_host(req, data, feature->data);
}

/**
 * nvme_admin_get_features() - Get Features
 * @req: the command
 *
 * Source: NVMe-2.0 5.15
 * Return: status
 */
nvme_status_t nvme_admin_get_features(struct nvme_req *req)
{
	u32 cdw10 = nvme_cdw(req, 10);
	const struct nvme_feature *feature;
	nvme_status_t status;
	u32 sel = nvme_get(NVME_FEATURE_CDW10_SEL, cdw10);

	feature = find_feature(nvme_get(NVME_FEATURE_CDW10_FID, cdw10));
	status = check_get(req, feature, sel);
	if (status)
		return status;
	if (sel == NVME_FEATURE_SEL_CAPABILITIES) {
		req->result = feature->caps;
		return NVME_SC_SUCCESS;
	}
	return get_value(req, feature, sel);
}

static nvme_status_t check_set(const struct nvme_req *req,
			       const struct nvme_feature *feature, bool save)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 nsid = nvme_req_nsid(req);

	if (!feature)
		return NVME_SC_INVALID_FIELD;
	if (save && !(feature->caps & SAVEABLE))
		return NVME_SC_FEATURE_NOT_SAVEABLE;
	if (feature->caps & PER_NS)
		return nsid == NVME_NSID_ALL ? NVME_SC_SUCCESS :
					       check_active(req);
	if (nsid == NVME_NSID_NONE || nsid == NVME_NSID_ALL)
		return NVME_SC_SUCCESS;
	return nvme_nsid_valid(ctrl, nsid) ? NVME_SC_FEATURE_NOT_NS :
					     NVME_SC_INVALID_NS;
}

static nvme_status_t set_value(struct nvme_req *req,
			       const struct nvme_feature *feature, bool save)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u8 data[FEATURE_DATA_MAX] = { 0 };
	nvme_status_t status = NVME_SC_SUCCESS;

	if (feature->data)
		status = nvme_req_from_host(req, data, feature->data);
	if (status)
		return status;
	status = feature->set(req, &ctrl->feat, data);
	if (status)
		return status;
	if (save)
		feature->set(req, &ctrl->feat_saved, data);
	return feature->apply ? feature->apply(req) : NVME_SC_SUCCESS;
}

/**
 * nvme_admin_set_features() - Set Features
 * @req: the command
 *
 * Source: NVMe-2.0 5.27
 * Return: status or NVME_REQ_PENDING
 */
nvme_status_t nvme_admin_set_features(struct nvme_req *req)
{
	u32 cdw10 = nvme_cdw(req, 10);
	bool save = cdw10 & NVME_FEATURE_CDW10_SV;
	const struct nvme_feature *feature;
	nvme_status_t status;

	feature = find_feature(nvme_get(NVME_FEATURE_CDW10_FID, cdw10));
	status = check_set(req, feature, save);
	if (status)
		return status;
	return set_value(req, feature, save);
}

/**
 * nvme_features_init() - power on: saved values become the defaults
 * @ctrl: the controller
 */
void nvme_features_init(struct nvme_ctrl *ctrl)
{
	set_defaults(&ctrl->feat_saved);
	nvme_features_reset(ctrl);
}

/**
 * nvme_features_reset() - a controller level reset
 * @ctrl: the controller
 *
 * Saved values become current; a feature that cannot be saved has kept its
 * default there. The clock starts again at 0.
 */
void nvme_features_reset(struct nvme_ctrl *ctrl)
{
	ctrl->feat = ctrl->feat_saved;
	ctrl->io_sqs = ctrl->config->queues;
	ctrl->io_cqs = ctrl->config->queues;
	ctrl->timestamp_ms = 0;
	ctrl->timestamp_at_ns = nvme_now_ns();
	ctrl->timestamp_origin = NVME_TIMESTAMP_ORIGIN_RESET;
	nvme_tuning_update(ctrl);
}
