// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: buffers of commands that read the disk for themselves
 *
 * Compare, Verify and Copy move data through a buffer of ours, piece by piece.
 * Each loop has a few, made when first needed; a request that finds none waits
 * its turn. So the number of such commands at work is bounded, and their
 * memory too.
 *
 * Everything here runs on the loop's thread.
 */
#include <sys/mman.h>

#include "devices/nvme/nvme_priv.h"

/* A buffer in use is not in the array. */
static void *buf_take(struct nvme_loop *loop)
{
	void *buf;
	u32 i;

	for (i = 0; i < NVME_SCRATCH_BUFS; i++) {
		buf = loop->scratch[i];
		if (buf) {
			loop->scratch[i] = NULL;
			return buf;
		}
	}
	if (loop->scratch_made == NVME_SCRATCH_BUFS)
		return NULL;
	buf = mmap(NULL, NVME_SCRATCH_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		return NULL;
	loop->scratch_made++;
	return buf;
}

/**
 * nvme_scratch_run() - go on with a buffer
 * @req: the request; &nvme_req.arg will be the buffer, of NVME_SCRATCH_BYTES
 * @fn: called with it, at once or when one is free; it looks at
 *      &nvme_req.aborted
 *
 * Given back by nvme_scratch_end().
 *
 * Return: NVME_REQ_PENDING; NVME_SC_INTERNAL when there is no memory at all.
 */
nvme_status_t nvme_scratch_run(struct nvme_req *req,
			       void (*fn)(struct nvme_req *req))
{
	struct nvme_loop *loop = req->loop;

	req->arg = buf_take(loop);
	if (req->arg) {
		fn(req);
		return NVME_REQ_PENDING;
	}
	if (!loop->scratch_made)
		return NVME_SC_INTERNAL;
	req->offload = fn;
	list_add_tail(&loop->waiting, &req->after_link);
	return NVME_REQ_PENDING;
}

/**
 * nvme_scratch_end() - the request ends, and its buffer is free
 * @req: has a buffer
 * @status: how it ends
 */
void nvme_scratch_end(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_loop *loop = req->loop;
	struct list *link = list_pop(&loop->waiting);
	void *buf = req->arg;
	struct nvme_req *next;
	u32 i = 0;

	req->arg = NULL;
	nvme_req_complete(req, status);
	if (link) {
		next = list_entry(link, struct nvme_req, after_link);
		next->arg = buf;
		next->offload(next);
		return;
	}
	while (loop->scratch[i])
		i++;
	loop->scratch[i] = buf;
}

/**
 * nvme_scratch_destroy() - free a loop's buffers
 * @loop: nothing is in flight
 */
void nvme_scratch_destroy(struct nvme_loop *loop)
{
	u32 i;

	for (i = 0; i < NVME_SCRATCH_BUFS; i++)
		if (loop->scratch[i])
			munmap(loop->scratch[i], NVME_SCRATCH_BYTES);
}
