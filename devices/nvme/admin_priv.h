/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the admin files of the NVMe controller share
 *
 * One file per axis (admin_queue.c, admin_identify.c, ...); admin.c has the
 * table that names every handler. All run on the main loop with the device's
 * lock held, unless told otherwise.
 */
#ifndef LKVM_NVME_ADMIN_PRIV_H
#define LKVM_NVME_ADMIN_PRIV_H

#include "devices/nvme/nvme_priv.h"

#define NVME_CNTLID		0	/* each controller has its own subsystem */
#define NVME_ABORTS_MAX		4	/* ACL + 1 */
#define NVME_TEMPERATURE	308	/* composite temperature, kelvin */
#define NVME_TEMPERATURE_WARN	343	/* WCTEMP */
#define NVME_TEMPERATURE_CRIT	358	/* CCTEMP */
#define NVME_OAES		NVME_FEAT_AEC_NS_ATTR

/* Command dword @n (10 to 15) of @req in host order. */
#define nvme_cdw(req, n)	le32_to_cpu((req)->sqe.cdw##n)

static inline struct nvme_ctrl *nvme_req_ctrl(const struct nvme_req *req)
{
	return req->sq->ctrl;
}

static inline u32 nvme_req_nsid(const struct nvme_req *req)
{
	return le32_to_cpu(req->sqe.nsid);
}

/* The specification's terms: valid: 1 to NN; allocated: there is such one. */
static inline bool nvme_nsid_valid(const struct nvme_ctrl *ctrl, u32 nsid)
{
	return nsid >= 1 && nsid <= ctrl->ns_nr;
}

/* A 128-bit counter or size that fits in 64 bits. */
static inline void nvme_put_u128(__le64 field[2], u64 value)
{
	field[0] = cpu_to_le64(value);
	field[1] = cpu_to_le64(0);
}

/**
 * struct nvme_cns - one kind of Identify data
 * @name: for Documentation
 * @cns: see nvme_spec_id.h
 * @csi: it is told apart by I/O command set
 * @build: fill the zeroed @buf of NVME_IDENTIFY_SIZE bytes
 */
struct nvme_cns {
	const char *name;
	u8 cns;
	bool csi;
	nvme_status_t (*build)(const struct nvme_req *req, void *buf);
};

/**
 * struct nvme_log - one log page
 * @name: for Documentation
 * @lid: see nvme_spec_log.h
 * @size: bytes of the whole page
 * @build: fill the zeroed @buf of @size bytes
 * @read: after a successful read without Retain Asynchronous Event, or NULL
 */
struct nvme_log {
	const char *name;
	u8 lid;
	u32 size;
	nvme_status_t (*build)(const struct nvme_req *req, void *buf);
	void (*read)(struct nvme_ctrl *ctrl);
};

/**
 * struct nvme_feature - one feature
 * @name: for Documentation
 * @fid: see nvme_spec.h
 * @caps: NVME_FEATURE_CAP_*
 * @effects: entry in the Feature Identifiers Supported and Effects log
 * @data: bytes of its data structure, 0 when it fits in a dword
 * @get: its value in @feat; a feature without data into &nvme_req.result, one
 *       with data into @buf
 * @set: check, then store into @feat. @buf: its data
 * @apply: after the current values have changed, or NULL. A status or
 *         NVME_REQ_PENDING
 */
struct nvme_feature {
	const char *name;
	u8 fid;
	u8 caps;
	u32 effects;
	u32 data;
	nvme_status_t (*get)(struct nvme_req *req,
			     const struct nvme_features *feat, void *buf);
	nvme_status_t (*set)(struct nvme_req *req, struct nvme_features *feat,
			     const void *buf);
	nvme_status_t (*apply)(struct nvme_req *req);
};

/* The tables, for the coverage page in Documentation and its test. */
extern const struct nvme_cns nvme_cns_table[];
extern const u32 nvme_cns_table_nr;
extern const struct nvme_log nvme_log_table[];
extern const u32 nvme_log_table_nr;
extern const struct nvme_feature nvme_feature_table[];
extern const u32 nvme_feature_table_nr;

/* Handlers, by file. */
nvme_status_t nvme_admin_create_cq(struct nvme_req *req);
nvme_status_t nvme_admin_create_sq(struct nvme_req *req);
nvme_status_t nvme_admin_delete_cq(struct nvme_req *req);
nvme_status_t nvme_admin_delete_sq(struct nvme_req *req);
nvme_status_t nvme_admin_dbbuf_config(struct nvme_req *req);
nvme_status_t nvme_admin_abort(struct nvme_req *req);
nvme_status_t nvme_admin_identify(struct nvme_req *req);
nvme_status_t nvme_admin_get_log_page(struct nvme_req *req);
nvme_status_t nvme_admin_get_features(struct nvme_req *req);
nvme_status_t nvme_admin_set_features(struct nvme_req *req);
nvme_status_t nvme_admin_aer(struct nvme_req *req);
nvme_status_t nvme_admin_ns_attachment(struct nvme_req *req);
nvme_status_t nvme_admin_format_nvm(struct nvme_req *req);

/* aer.c */
void nvme_event_clear(struct nvme_ctrl *ctrl, u8 type, u8 log);
bool nvme_event_abort(struct nvme_ctrl *ctrl, u16 cid);
/* admin_format.c */
struct nvme_req *nvme_format_abort(struct nvme_ctrl *ctrl, u16 cid);
/* admin_attach.c: the namespace's Identify data have changed. */
void nvme_ns_changed(struct nvme_ctrl *ctrl, u32 nsid);
/* admin_log.c: NVME_SMART_WARN_* as they are now. */
u8 nvme_smart_warnings(const struct nvme_ctrl *ctrl);
/* admin_identify.c: the firmware revision, padded. */
void nvme_firmware_revision(char fr[8]);

#endif /* LKVM_NVME_ADMIN_PRIV_H */
