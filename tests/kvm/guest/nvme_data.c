// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe driver: data in scattered pages, PRP lists and SGLs
 *
 * A transfer's pages are in no order, its first byte may be anywhere in the
 * first page, its list may begin anywhere in a page and go on in another. So
 * any error of a controller in following pointers shows up as wrong data.
 *
 * NVMe-2.0 4.1 (PRP, SGL).
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/stamp.h"

#define GUARD_BYTES		16u
#define GUARD_BYTE		0xa5

/**
 * nvme_data_alloc - get memory for transfers
 * @d:         set up here
 * @max_bytes: of one transfer
 * @page_size: of the controller
 * @r:         for the order of the pages
 */
void nvme_data_alloc(struct nvme_data *d, uint32_t max_bytes,
		     uint32_t page_size, struct rng *r)
{
	unsigned int i;

	d->page_size = page_size;
	/* One more because the first byte may be inside a page. */
	d->pages = (max_bytes + page_size - 1) / page_size + 1;
	d->page = mem_alloc(d->pages * sizeof(d->page[0]), 8);
	for (i = 0; i < d->pages; i++)
		d->page[i] = mem_alloc(page_size, page_size);
	for (i = d->pages - 1; i > 0; i--) {
		const uint32_t j = rng_below(r, i + 1);
		uint8_t *p = d->page[i];

		d->page[i] = d->page[j];
		d->page[j] = p;
	}
	d->list[0] = mem_alloc(page_size, page_size);
	d->list[1] = mem_alloc(page_size, page_size);
}

/**
 * nvme_data_place - choose where the data begins
 * @d:     memory
 * @bytes: length of the data
 * @r:     half of the time it begins with the page
 */
void nvme_data_place(struct nvme_data *d, uint32_t bytes, struct rng *r)
{
	d->bytes = bytes;
	d->offset = rng_next(r) & 1 ? 0 : rng_below(r, d->page_size / 4) * 4;
}

/* Calls memcpy() for each piece of [at, at + len) of the data. */
static void data_copy(const struct nvme_data *d, uint32_t at, uint8_t *buf,
		      uint32_t len, bool to_pages)
{
	uint32_t pos = d->offset + at;

	while (len) {
		uint8_t *p = d->page[pos / d->page_size] + pos % d->page_size;
		const uint32_t n = MIN(len, d->page_size - pos % d->page_size);

		if (to_pages)
			memcpy(p, buf, n);
		else
			memcpy(buf, p, n);
		buf += n;
		pos += n;
		len -= n;
	}
}

/**
 * nvme_data_put - copy into the data
 * @d:   memory
 * @at:  position in the data
 * @src: bytes
 * @len: how many
 */
void nvme_data_put(struct nvme_data *d, uint32_t at, const void *src,
		   uint32_t len)
{
	data_copy(d, at, (uint8_t *)(uintptr_t)src, len, true);
}

/**
 * nvme_data_get - copy out of the data
 * @d:   memory
 * @at:  position in the data
 * @dst: room
 * @len: how many bytes
 */
void nvme_data_get(const struct nvme_data *d, uint32_t at, void *dst,
		   uint32_t len)
{
	data_copy(d, at, dst, len, false);
}

/* The guards: bytes before the first and behind the last, in their pages. */
static void guards(const struct nvme_data *d, uint8_t **front,
		   uint32_t *front_len, uint8_t **back, uint32_t *back_len)
{
	const uint32_t end = d->offset + d->bytes;
	const uint32_t rest = (d->page_size - end % d->page_size) %
			      d->page_size;

	*front_len = MIN(d->offset, GUARD_BYTES);
	*front = d->page[0] + d->offset - *front_len;
	*back_len = MIN(rest, GUARD_BYTES);
	*back = d->page[(end - 1) / d->page_size] + end % d->page_size;
}

/**
 * nvme_data_guard - set the bytes around the data, and poison the data
 * @d: memory, before a read
 */
void nvme_data_guard(struct nvme_data *d)
{
	uint8_t *front, *back;
	uint32_t front_len, back_len, i;

	for (i = 0; i < d->pages; i++)
		memset(d->page[i], 0x5a, 64);
	guards(d, &front, &front_len, &back, &back_len);
	memset(front, GUARD_BYTE, front_len);
	memset(back, GUARD_BYTE, back_len);
}

static bool all_guard(const uint8_t *p, uint32_t n)
{
	for (; n; n--)
		if (*p++ != GUARD_BYTE)
			return false;
	return true;
}

/**
 * nvme_data_guard_intact - has nothing been written beside the data
 * @d: memory, after a read
 *
 * Return: true if the bytes are as nvme_data_guard() left them.
 */
bool nvme_data_guard_intact(const struct nvme_data *d)
{
	uint8_t *front, *back;
	uint32_t front_len, back_len;

	guards(d, &front, &front_len, &back, &back_len);
	return all_guard(front, front_len) && all_guard(back, back_len);
}

static void point_prp(struct nvme_data *d, struct nvme_command *cmd,
		      struct rng *r)
{
	const uint32_t slots = d->page_size / 8;
	const uint32_t used = (d->offset + d->bytes + d->page_size - 1) /
			      d->page_size;
	uint64_t *list = (uint64_t *)d->list[0];
	uint32_t i, at;

	cmd->prp[0] = (uint64_t)d->page[0] + d->offset;
	cmd->prp[1] = used > 1 ? (uint64_t)d->page[1] : 0;
	if (used <= 2)
		return;
	/* Begin so that the list fits, or where it goes on in another page. */
	at = rng_below(r, slots - 1);
	if (rng_next(r) & 1)
		at = slots - 2 - rng_below(r, MIN(used - 2, slots - 2));
	if (used - 1 > slots)
		at = 0;
	cmd->prp[1] = (uint64_t)(list + at);
	for (i = 1; i < used; i++) {
		if (at == slots - 1 && i < used - 1) {
			list[at] = (uint64_t)d->list[1];
			list = (uint64_t *)d->list[1];
			at = 0;
		}
		list[at++] = (uint64_t)d->page[i];
	}
}

/* Cuts the data into SGL data descriptors: at pages and at random places. */
static uint32_t sgl_cut(const struct nvme_data *d, struct nvme_sgl *out,
			uint32_t max, struct rng *r)
{
	uint32_t pos = d->offset, left = d->bytes, n = 0;
	/* A page needs at least one, cuts take what is left over. */
	uint32_t spare = max - (d->offset + left + d->page_size - 1) /
			 d->page_size;

	while (left) {
		uint32_t len = MIN(left, d->page_size - pos % d->page_size);

		if (spare && len > 4 && !(rng_next(r) & 3)) {
			len = 4 + 4 * rng_below(r, len / 4 - 1);
			spare--;
		}
		out[n++] = (struct nvme_sgl){
			.addr = (uint64_t)d->page[pos / d->page_size] +
				pos % d->page_size,
			.len = len,
			.type = NVME_SGL_DATA,
		};
		pos += len;
		left -= len;
	}
	return n;
}

static void point_sgl(struct nvme_data *d, struct nvme_command *cmd,
		      struct rng *r)
{
	const uint32_t slots = d->page_size / sizeof(struct nvme_sgl);
	struct nvme_sgl *first = (struct nvme_sgl *)d->list[0];
	struct nvme_sgl *second = (struct nvme_sgl *)d->list[1];
	const uint32_t n = sgl_cut(d, first, slots - 1, r);
	uint32_t k;

	cmd->flags |= NVME_CMD_SGL;
	if (n == 1) {
		cmd->sgl = first[0];
		return;
	}
	cmd->sgl = (struct nvme_sgl){
		.addr = (uint64_t)first,
		.len = n * (uint32_t)sizeof(*first),
		.type = NVME_SGL_LAST_SEGMENT,
	};
	if (rng_next(r) & 1)
		return;
	/* Two segments: k descriptors and a pointer, then the others. */
	k = 1 + rng_below(r, n - 1);
	memcpy(second, first + k, (n - k) * sizeof(*first));
	first[k] = (struct nvme_sgl){
		.addr = (uint64_t)second,
		.len = (n - k) * (uint32_t)sizeof(*first),
		.type = NVME_SGL_LAST_SEGMENT,
	};
	cmd->sgl.len = (k + 1) * (uint32_t)sizeof(*first);
	cmd->sgl.type = NVME_SGL_SEGMENT;
}

/**
 * nvme_data_point - set a command's data pointer
 * @d:    memory; its lists are written
 * @cmd:  command
 * @c:    controller: SGLs are used only if it has them
 * @kind: which kind of pointer
 * @r:    for the shape of lists
 */
void nvme_data_point(struct nvme_data *d, struct nvme_command *cmd,
		     const struct nvme_ctrl *c, enum nvme_pointer kind,
		     struct rng *r)
{
	if (kind == NVME_POINTER_MIXED)
		kind = rng_next(r) & 1 ? NVME_POINTER_SGL : NVME_POINTER_PRP;
	/* An SGL of two list pages, and room to cut it into pieces. */
	if (d->pages > d->page_size / sizeof(struct nvme_sgl) - 1)
		kind = NVME_POINTER_PRP;
	if (kind == NVME_POINTER_SGL && (c->sgls & 3))
		point_sgl(d, cmd, r);
	else
		point_prp(d, cmd, r);
}
