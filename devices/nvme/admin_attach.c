// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: Namespace Attachment
 *
 * NVMe-2.0 5.22. Namespaces are made with the machine and are all attached at
 * first; the host may detach them and attach them again. Namespace Management
 * (making and deleting them) is not there, and so OACS does not claim the
 * pair; the Commands Supported and Effects log tells that this one exists.
 *
 * A detached namespace is inactive: new commands to it fail with Invalid
 * Namespace or Format. What is in flight ends as if nothing had happened.
 * Attachment survives resets.
 *
 * Runs on the main loop with the device's lock held.
 */
#include "devices/nvme/admin_priv.h"

/**
 * nvme_ns_changed() - tell the host that a namespace has changed
 * @ctrl: the controller
 * @nsid: which
 */
void nvme_ns_changed(struct nvme_ctrl *ctrl, u32 nsid)
{
	bitmap_set(ctrl->changed_ns, nsid - 1);
	nvme_event_post(ctrl, NVME_AER_NOTICE, NVME_AER_NOTICE_NS_ATTR,
			NVME_LID_CHANGED_NS);
}

/* The only list that names just controllers that there are. */
static bool list_valid(const struct nvme_ctrl_list *list)
{
	return le16_to_cpu(list->nr) == 1 &&
	       le16_to_cpu(list->cntlid[0]) == NVME_CNTLID;
}

static nvme_status_t attach(struct nvme_ctrl *ctrl, struct nvme_ns *ns, bool on)
{
	if (atomic_load(&ns->attached) == on)
		return on ? NVME_SC_NS_ALREADY_ATTACHED :
			    NVME_SC_NS_NOT_ATTACHED;
	if (atomic_load(&ns->formatting))
		return NVME_SC_FORMAT_IN_PROGRESS;
	atomic_store(&ns->attached, on);
	nvme_ns_changed(ctrl, ns->nsid);
	return NVME_SC_SUCCESS;
}

static nvme_status_t parse_and_attach(struct nvme_req *req,
				      const struct nvme_ctrl_list *list)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 sel = nvme_get(NVME_ATTACH_CDW10_SEL, nvme_cdw(req, 10));
	u32 nsid = nvme_req_nsid(req);
	struct nvme_ns *ns;

	if (sel != NVME_ATTACH_SEL_ATTACH && sel != NVME_ATTACH_SEL_DETACH)
		return NVME_SC_INVALID_FIELD;
	if (!nvme_nsid_valid(ctrl, nsid))
		return NVME_SC_INVALID_NS;
	ns = nvme_ns_find(ctrl, nsid);
	if (!ns)
		return NVME_SC_INVALID_FIELD;
	if (!list_valid(list))
		return NVME_SC_CTRL_LIST_INVALID;
	return attach(ctrl, ns, sel == NVME_ATTACH_SEL_ATTACH);
}

/**
 * nvme_admin_ns_attachment() - Namespace Attachment
 * @req: the command; its data is a Controller List
 *
 * Source: NVMe-2.0 5.22
 * Return: status
 */
nvme_status_t nvme_admin_ns_attachment(struct nvme_req *req)
{
	struct nvme_ctrl_list list;
	nvme_status_t status;

	status = nvme_req_from_host(req, &list, sizeof(list));
	if (status)
		return status;
	return parse_and_attach(req, &list);
}
