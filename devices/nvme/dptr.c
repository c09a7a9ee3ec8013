// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: data pointers: PRPs and SGLs to vectors into guest memory
 *
 * NVMe-2.0 4.1.1 (PRP) and 4.1.2 (SGL). A list or segment is read in pieces
 * into a local copy, each entry is checked and used from there. Walks are
 * bounded: PRP lists by the length of the data, of which each page but the
 * first yields some, SGLs by a number of descriptors.
 *
 * Everything must lie in guest RAM, in which the device may do what it is
 * going to do; anything else, registers of a device above all, is a Data
 * Transfer Error.
 *
 * SGLs: data block, bit bucket (reads only: the data goes nowhere), segment
 * and last segment, with any alignment and length. Longer SGLs than the data
 * are fine, shorter ones are not. There is no metadata, so MPTR is ignored.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"

#define PRPS_AT_ONCE	64
#define SGLS_AT_ONCE	32
#define SGLS_MAX	4096	/* descriptors of one command */

static enum guest_access access_of(const struct nvme_req *req)
{
	return req->dma_dir == NVME_DIR_IN ? GUEST_WRITES : GUEST_READS;
}

/* Many vectors: from those in the request to those in the pool. */
static u32 grow(struct nvme_req *req)
{
	struct nvme_sq *sq = req->sq;
	struct iovec *big = sq->iovs + (size_t)req->index * NVME_IOVS_MAX;

	if (req->iov == req->inline_iov) {
		memcpy(big, req->inline_iov, req->iov_nr * sizeof(*big));
		req->iov = big;
	}
	return NVME_IOVS_MAX;
}

static nvme_status_t add(struct nvme_req *req, u64 addr, u64 len)
{
	struct guest_gate *gate = &req->sq->ctrl->pci.dev.gate;
	u32 max = req->iov == req->inline_iov ? NVME_INLINE_IOVS :
						NVME_IOVS_MAX;
	int ret;

	ret = guest_map(gate, gpa(addr), len, access_of(req), req->iov, max,
			&req->iov_nr);
	if (unlikely(ret == -ENOSPC && max == NVME_INLINE_IOVS)) {
		max = grow(req);
		ret = guest_map(gate, gpa(addr), len, access_of(req), req->iov,
				max, &req->iov_nr);
	}
	if (likely(!ret))
		return NVME_SC_SUCCESS;
	return ret == -ENOSPC ? NVME_SC_SGL_INVALID_COUNT :
				NVME_SC_DATA_TRANSFER;
}

/* ---- PRP ------------------------------------------------------------------- */

/**
 * struct prp_list - where we are in PRP lists
 * @req: the request
 * @page: bytes of a page (CC.MPS)
 * @at: guest address of the next entry
 * @left: bytes of data that have no vector yet
 */
struct prp_list {
	struct nvme_req *req;
	u64 page;
	u64 at;
	u64 left;
};

static nvme_status_t prp_entries(struct prp_list *l, u32 nr)
{
	struct guest_gate *gate = &l->req->sq->ctrl->pci.dev.gate;
	__le64 prps[PRPS_AT_ONCE];
	nvme_status_t status;
	u32 i, n;

	for (; nr; nr -= n) {
		n = min_of(nr, (u32)PRPS_AT_ONCE);
		if (guest_read(gate, gpa(l->at), prps, n * sizeof(prps[0])))
			return NVME_SC_DATA_TRANSFER;
		l->at += n * sizeof(prps[0]);
		for (i = 0; i < n; i++) {
			u64 len = min_of(l->left, l->page);
			u64 prp = le64_to_cpu(prps[i]);

			if (prp & (l->page - 1))
				return NVME_SC_PRP_INVALID_OFFSET;
			status = add(l->req, prp, len);
			if (status)
				return status;
			l->left -= len;
		}
	}
	return NVME_SC_SUCCESS;
}

/* The last entry of a full page names the next page of the list. */
static nvme_status_t prp_chain(struct prp_list *l)
{
	struct guest_gate *gate = &l->req->sq->ctrl->pci.dev.gate;
	__le64 next;

	if (guest_read(gate, gpa(l->at), &next, sizeof(next)))
		return NVME_SC_DATA_TRANSFER;
	l->at = le64_to_cpu(next);
	return l->at & (l->page - 1) ? NVME_SC_PRP_INVALID_OFFSET :
				       NVME_SC_SUCCESS;
}

static nvme_status_t map_prp_list(struct prp_list *l)
{
	nvme_status_t status;

	if (l->at % sizeof(__le64))
		return NVME_SC_PRP_INVALID_OFFSET;
	for (;;) {
		u64 room = (l->page - (l->at & (l->page - 1))) / 8;
		u64 want = div_round_up(l->left, l->page);

		if (want <= room)
			return prp_entries(l, (u32)want);
		status = prp_entries(l, (u32)room - 1);
		if (!status)
			status = prp_chain(l);
		if (status)
			return status;
	}
}

static nvme_status_t map_prps(struct nvme_req *req, u64 len)
{
	u64 page = 1ULL << req->sq->ctrl->page_shift;
	u64 prp1 = le64_to_cpu(req->sqe.prp.prp1);
	u64 prp2 = le64_to_cpu(req->sqe.prp.prp2);
	u64 first = min_of(len, page - (prp1 & (page - 1)));
	struct prp_list list = {
		.req = req, .page = page, .at = prp2, .left = len - first,
	};
	nvme_status_t status;

	if (prp1 & 3)
		return NVME_SC_PRP_INVALID_OFFSET;
	status = add(req, prp1, first);
	if (status || !list.left)
		return status;
	if (list.left > page)
		return map_prp_list(&list);
	if (prp2 & (page - 1))
		return NVME_SC_PRP_INVALID_OFFSET;
	return add(req, prp2, list.left);
}

/* ---- SGL ------------------------------------------------------------------- */

/**
 * struct sgl_walk - where we are in an SGL
 * @req: the request
 * @left: bytes of data that have no vector yet
 * @seen: descriptors so far
 * @next: the segment that follows
 * @next_is_last: it was named by a last segment descriptor
 */
struct sgl_walk {
	struct nvme_req *req;
	u64 left;
	u32 seen;
	struct nvme_sgl next;
	bool next_is_last;
};

/* Data that goes nowhere. A write has no use for a bucket: it is skipped. */
static nvme_status_t sgl_bucket(struct sgl_walk *w, u64 len)
{
	struct nvme_req *req = w->req;

	if (req->dma_dir != NVME_DIR_IN)
		return NVME_SC_SUCCESS;
	if (req->iov == req->inline_iov)
		grow(req);
	if (req->iov_nr == NVME_IOVS_MAX)
		return NVME_SC_SGL_INVALID_COUNT;
	len = min_of(len, w->left);
	req->iov[req->iov_nr].iov_base = req->sq->ctrl->bit_bucket;
	req->iov[req->iov_nr].iov_len = len;
	req->iov_nr++;
	w->left -= len;
	return NVME_SC_SUCCESS;
}

static nvme_status_t sgl_data(struct sgl_walk *w, const struct nvme_sgl *sgl)
{
	u64 len = min_of((u64)le32_to_cpu(sgl->length), w->left);

	if (nvme_get(NVME_SGL_TYPE, sgl->id) == NVME_SGL_BIT_BUCKET)
		return sgl_bucket(w, le32_to_cpu(sgl->length));
	w->left -= len;
	return len ? add(w->req, le64_to_cpu(sgl->addr), len) :
		     NVME_SC_SUCCESS;
}

static nvme_status_t sgl_segment(struct sgl_walk *w,
				 const struct nvme_sgl *sgl)
{
	u32 len = le32_to_cpu(sgl->length);

	if (!len || len % sizeof(*sgl))
		return NVME_SC_SGL_INVALID_SEGMENT;
	w->next = *sgl;
	w->next_is_last = nvme_get(NVME_SGL_TYPE, sgl->id) ==
			  NVME_SGL_LAST_SEGMENT;
	return NVME_SC_SUCCESS;
}

/* @last: it is the last of its segment, the only place for a segment. */
static nvme_status_t sgl_descriptor(struct sgl_walk *w,
				    const struct nvme_sgl *sgl, bool last)
{
	if (++w->seen > SGLS_MAX)
		return NVME_SC_SGL_INVALID_COUNT;
	switch (nvme_get(NVME_SGL_TYPE, sgl->id)) {
	case NVME_SGL_DATA:
	case NVME_SGL_BIT_BUCKET:
		break;
	case NVME_SGL_SEGMENT:
	case NVME_SGL_LAST_SEGMENT:
		if (!last || w->next_is_last)
			return NVME_SC_SGL_INVALID_SEGMENT;
		break;
	default:
		return NVME_SC_SGL_INVALID_TYPE;
	}
	if (sgl->id & NVME_SGL_SUBTYPE)
		return NVME_SC_SGL_INVALID_TYPE;
	if (nvme_get(NVME_SGL_TYPE, sgl->id) >= NVME_SGL_SEGMENT)
		return sgl_segment(w, sgl);
	return sgl_data(w, sgl);
}

static nvme_status_t sgl_read_segment(struct sgl_walk *w)
{
	struct guest_gate *gate = &w->req->sq->ctrl->pci.dev.gate;
	u64 at = le64_to_cpu(w->next.addr);
	u32 nr = le32_to_cpu(w->next.length) / (u32)sizeof(w->next);
	struct nvme_sgl sgls[SGLS_AT_ONCE];
	u32 i, n;

	memset(&w->next, 0, sizeof(w->next));
	for (; nr; nr -= n, at += n * sizeof(sgls[0])) {
		n = min_of(nr, (u32)SGLS_AT_ONCE);
		if (guest_read(gate, gpa(at), sgls, n * sizeof(sgls[0])))
			return NVME_SC_DATA_TRANSFER;
		for (i = 0; i < n; i++) {
			nvme_status_t status;

			status = sgl_descriptor(w, &sgls[i],
						i + 1 == nr && n == nr);
			if (status)
				return status;
		}
	}
	return NVME_SC_SUCCESS;
}

static nvme_status_t map_sgl(struct nvme_req *req, u64 len)
{
	struct sgl_walk w = { .req = req, .left = len };
	nvme_status_t status;

	status = sgl_descriptor(&w, &req->sqe.sgl, true);
	while (!status && w.next.length)
		status = sgl_read_segment(&w);
	if (status)
		return status;
	return w.left ? NVME_SC_SGL_DATA_LENGTH : NVME_SC_SUCCESS;
}

/* ---- what commands use ----------------------------------------------------- */

/**
 * nvme_dptr_map() - the command's data as vectors into guest memory
 * @req: the request; its vectors are filled
 * @len: bytes, 1 or more
 * @dir: which way they go
 *
 * Undone by the request's completion, or by nvme_dptr_unmap().
 *
 * Context: the request's loop.
 * Return: NVME_SC_SUCCESS, or what is wrong with the data pointer; then
 * nothing is mapped.
 */
nvme_status_t nvme_dptr_map(struct nvme_req *req, u64 len, enum nvme_dir dir)
{
	nvme_status_t status;

	req->dma_dir = (u8)dir;
	req->iov = req->inline_iov;
	req->iov_nr = 0;
	if (likely(!(req->sqe.flags & NVME_SQE_PSDT)))
		status = map_prps(req, len);
	else
		status = map_sgl(req, len);
	if (unlikely(status))
		req->dma_dir = NVME_DIR_NONE;
	return status;
}

/**
 * nvme_dptr_unmap() - the data has been moved, or not
 * @req: mapped
 *
 * All of what the disk or we may have written is marked dirty, also after a
 * failure, when any part may have been written.
 *
 * Context: the request's loop.
 */
void nvme_dptr_unmap(struct nvme_req *req)
{
	u64 written = req->dma_dir == NVME_DIR_IN ? UINT64_MAX : 0;

	guest_unmap(&req->sq->ctrl->pci.dev.gate, req->iov, req->iov_nr,
		    written);
	req->dma_dir = NVME_DIR_NONE;
}

static void copy_out(const struct nvme_req *req, const u8 *buf)
{
	u32 i;

	for (i = 0; i < req->iov_nr; i++) {
		memcpy(req->iov[i].iov_base, buf, req->iov[i].iov_len);
		buf += req->iov[i].iov_len;
	}
}

static void copy_in(const struct nvme_req *req, u8 *buf)
{
	u32 i;

	for (i = 0; i < req->iov_nr; i++) {
		memcpy(buf, req->iov[i].iov_base, req->iov[i].iov_len);
		buf += req->iov[i].iov_len;
	}
}

/**
 * nvme_req_to_host() - copy data to where the command wants it
 * @req: the request
 * @buf: the data
 * @len: bytes; 0 does nothing
 *
 * Context: the request's loop.
 * Return: NVME_SC_SUCCESS, or what is wrong with the data pointer; then
 * nothing was written.
 */
nvme_status_t nvme_req_to_host(struct nvme_req *req, const void *buf, u32 len)
{
	nvme_status_t status;

	if (!len)
		return NVME_SC_SUCCESS;
	status = nvme_dptr_map(req, len, NVME_DIR_IN);
	if (status)
		return status;
	copy_out(req, buf);
	nvme_dptr_unmap(req);
	return NVME_SC_SUCCESS;
}

/**
 * nvme_req_from_host() - fetch the command's data, once
 * @req: the request
 * @buf: where to
 * @len: bytes; 0 does nothing
 *
 * Context: the request's loop.
 * Return: NVME_SC_SUCCESS, or what is wrong with the data pointer.
 */
nvme_status_t nvme_req_from_host(struct nvme_req *req, void *buf, u32 len)
{
	nvme_status_t status;

	if (!len)
		return NVME_SC_SUCCESS;
	status = nvme_dptr_map(req, len, NVME_DIR_OUT);
	if (status)
		return status;
	copy_in(req, buf);
	nvme_dptr_unmap(req);
	return NVME_SC_SUCCESS;
}
