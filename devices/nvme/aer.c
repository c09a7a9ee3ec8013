// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe asynchronous events
 *
 * NVMe-2.0 5.2. The host leaves a few Asynchronous Event Request commands
 * with the controller; each is answered by one event. A request that waits is
 * parked: it holds no completion slot, takes one when it is answered, and
 * waits on when the completion queue is full (the core calls
 * nvme_event_process() again when there is room).
 *
 * An event that has been told masks its type until the host reads the log
 * page that belongs to it without Retain Asynchronous Event. Meanwhile events
 * of that type are queued; equal ones are told once.
 *
 * Runs on the main loop with the device's lock held.
 */
#include <string.h>

#include "devices/nvme/admin_priv.h"

/* Does Asynchronous Event Configuration let the host hear of it? */
static bool event_enabled(const struct nvme_ctrl *ctrl, u8 type, u8 info)
{
	u32 aec = ctrl->feat.aec;

	switch (type) {
	case NVME_AER_SMART:
		if (info == NVME_AER_SMART_TEMPERATURE)
			return aec & NVME_SMART_WARN_TEMPERATURE;
		if (info == NVME_AER_SMART_SPARE)
			return aec & NVME_SMART_WARN_SPARE;
		return aec & NVME_SMART_WARN_RELIABILITY;
	case NVME_AER_NOTICE:
		return info == NVME_AER_NOTICE_NS_ATTR &&
		       aec & NVME_FEAT_AEC_NS_ATTR;
	default:
		return true;
	}
}

static bool event_queued(const struct nvme_aer *aer,
			 const struct nvme_event *event)
{
	u32 i;

	for (i = 0; i < aer->events_nr; i++) {
		const struct nvme_event *e = &aer->events[i];

		if (e->type == event->type && e->info == event->info &&
		    e->log == event->log)
			return true;
	}
	return false;
}

static void remove_event(struct nvme_aer *aer, u32 at)
{
	aer->events_nr--;
	memmove(&aer->events[at], &aer->events[at + 1],
		(aer->events_nr - at) * sizeof(aer->events[0]));
}

static struct nvme_req *remove_parked(struct nvme_aer *aer, u32 at)
{
	struct nvme_req *req = aer->parked[at];

	aer->parked_nr--;
	memmove(&aer->parked[at], &aer->parked[at + 1],
		(aer->parked_nr - at) * sizeof(aer->parked[0]));
	return req;
}

/**
 * nvme_event_post() - something has happened that the host may want to hear
 * @ctrl: the controller
 * @type: Asynchronous Event Type
 * @info: Asynchronous Event Information
 * @log: the log page that tells more
 *
 * Does nothing when the host has not enabled such events.
 */
void nvme_event_post(struct nvme_ctrl *ctrl, u8 type, u8 info, u8 log)
{
	struct nvme_event event = { .type = type, .info = info, .log = log };
	struct nvme_aer *aer = &ctrl->aer;

	if (!event_enabled(ctrl, type, info) || event_queued(aer, &event) ||
	    aer->events_nr == NVME_EVENTS_MAX)
		return;
	aer->events[aer->events_nr++] = event;
	nvme_event_process(ctrl);
}

/* The oldest event whose type is not masked, or events_nr. */
static u32 next_event(const struct nvme_aer *aer)
{
	u32 i;

	for (i = 0; i < aer->events_nr; i++) {
		if (!(aer->masked & BIT(aer->events[i].type)))
			break;
	}
	return i;
}

/**
 * nvme_event_process() - answer waiting requests with queued events
 * @ctrl: the controller
 *
 * As far as there are requests, events that may be told, and room in the
 * admin completion queue.
 */
void nvme_event_process(struct nvme_ctrl *ctrl)
{
	struct nvme_aer *aer = &ctrl->aer;
	struct nvme_event event;
	struct nvme_req *req;
	u32 at;

	while (aer->parked_nr) {
		at = next_event(aer);
		if (at == aer->events_nr || !nvme_req_unpark(aer->parked[0]))
			return;
		event = aer->events[at];
		remove_event(aer, at);
		req = remove_parked(aer, 0);
		aer->masked |= BIT(event.type);
		req->result = nvme_put(NVME_AER_DW0_TYPE, event.type) |
			      nvme_put(NVME_AER_DW0_INFO, event.info) |
			      nvme_put(NVME_AER_DW0_LID, event.log);
		nvme_req_complete(req, NVME_SC_SUCCESS);
	}
}

/**
 * nvme_event_clear() - the host has read a log page
 * @ctrl: the controller
 * @type: the type of events that it clears
 * @log: the log page
 *
 * Queued events that point to the page are out of date now.
 */
void nvme_event_clear(struct nvme_ctrl *ctrl, u8 type, u8 log)
{
	struct nvme_aer *aer = &ctrl->aer;
	u32 i = 0;

	while (i < aer->events_nr) {
		if (aer->events[i].type == type && aer->events[i].log == log)
			remove_event(aer, i);
		else
			i++;
	}
	aer->masked &= ~BIT(type);
	nvme_event_process(ctrl);
}

/**
 * nvme_event_abort() - abort a waiting Asynchronous Event Request
 * @ctrl: the controller
 * @cid: its command identifier
 *
 * Return: it was there and has been completed
 */
bool nvme_event_abort(struct nvme_ctrl *ctrl, u16 cid)
{
	struct nvme_aer *aer = &ctrl->aer;
	u32 i;

	for (i = 0; i < aer->parked_nr; i++) {
		if (le16_to_cpu(aer->parked[i]->sqe.cid) != cid)
			continue;
		if (!nvme_req_unpark(aer->parked[i]))
			return false;
		nvme_req_complete(remove_parked(aer, i), NVME_SC_ABORTED);
		return true;
	}
	return false;
}

/**
 * nvme_event_reset() - a controller level reset
 * @ctrl: the controller
 *
 * The waiting requests go with their queue; events are dropped.
 */
void nvme_event_reset(struct nvme_ctrl *ctrl)
{
	memset(&ctrl->aer, 0, sizeof(ctrl->aer));
}

/**
 * nvme_admin_aer() - Asynchronous Event Request
 * @req: the command; waits for an event
 *
 * Source: NVMe-2.0 5.2
 * Return: status or NVME_REQ_PENDING
 */
nvme_status_t nvme_admin_aer(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_aer *aer = &ctrl->aer;

	if (aer->parked_nr == NVME_AERS_MAX)
		return NVME_SC_AER_LIMIT;
	nvme_req_park(req);
	aer->parked[aer->parked_nr++] = req;
	nvme_event_process(ctrl);
	return NVME_REQ_PENDING;
}
