// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe driver: asynchronous events
 *
 * Requests stay outstanding on the admin queue; completed ones are kept until
 * a test looks at them.
 *
 * NVMe-2.0 5.2.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/nvme.h"

/**
 * nvme_event_request - leave one more Asynchronous Event Request outstanding
 * @c: controller
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int nvme_event_request(struct nvme_ctrl *c)
{
	struct nvme_command cmd = { .opcode = NVME_ADMIN_ASYNC_EVENT };
	int cid;

	CHECK(c->event_count < NVME_EVENTS_MAX, "too many event requests");
	cid = nvme_push(&c->queue[0], &cmd);
	CHECK(cid >= 0, "admin queue is full");
	c->event_cids[c->event_count++] = (uint16_t)cid;
	nvme_ring(&c->queue[0]);
	return 0;
}

/**
 * nvme_event_take - is this completion one of an event request
 * @c:      controller
 * @cid:    command identifier on the admin queue
 * @result: dword 0: the event
 *
 * Return: true if it is; the event is in @c->events then.
 */
bool nvme_event_take(struct nvme_ctrl *c, uint16_t cid, uint32_t result)
{
	unsigned int i;

	for (i = 0; i < c->event_count; i++) {
		if (c->event_cids[i] != cid)
			continue;
		c->event_cids[i] = c->event_cids[--c->event_count];
		if (c->events_waiting < NVME_EVENTS_MAX)
			c->events[c->events_waiting++] = result;
		return true;
	}
	return false;
}
