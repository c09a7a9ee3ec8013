// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a buffer as a channel
 *
 * For tests, and for parsing an image that is in memory already.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/channel.h"
#include "vmm/base/math.h"

/**
 * struct channel_memory - a buffer as a channel
 * @ch: the channel
 * @buf: the buffer; the caller's
 * @size: bytes; writing beyond is -ENOSPC, reading there finds the end
 */
struct channel_memory {
	struct channel ch;
	u8 *buf;
	u64 size;
};

static struct channel_memory *to_memory(struct channel *ch)
{
	return container_of(ch, struct channel_memory, ch);
}

static ssize_t memory_preadv(struct channel *ch, const struct iovec *iov,
			     int iov_nr, u64 pos)
{
	struct channel_memory *m = to_memory(ch);
	ssize_t moved = 0;
	int i;

	for (i = 0; i < iov_nr && pos < m->size; i++) {
		size_t n = min_of((u64)iov[i].iov_len, m->size - pos);

		memcpy(iov[i].iov_base, m->buf + pos, n);
		pos += n;
		moved += (ssize_t)n;
	}
	return moved;
}

static ssize_t memory_pwritev(struct channel *ch, const struct iovec *iov,
			      int iov_nr, u64 pos)
{
	struct channel_memory *m = to_memory(ch);
	ssize_t moved = 0;
	int i;

	for (i = 0; i < iov_nr && pos < m->size; i++) {
		size_t n = min_of((u64)iov[i].iov_len, m->size - pos);

		memcpy(m->buf + pos, iov[i].iov_base, n);
		pos += n;
		moved += (ssize_t)n;
	}
	return moved ? moved : -ENOSPC;
}

static int memory_zero(struct channel *ch, u64 pos, u64 len)
{
	struct channel_memory *m = to_memory(ch);

	if (!range_fits(pos, len, m->size))
		return -ENOSPC;
	memset(m->buf + pos, 0, len);
	return 0;
}

static s64 memory_size(struct channel *ch)
{
	return (s64)to_memory(ch)->size;
}

static void memory_close(struct channel *ch)
{
	free(to_memory(ch));
}

static const struct channel_ops memory_ops = {
	.preadv = memory_preadv,
	.pwritev = memory_pwritev,
	.zero = memory_zero,
	.size = memory_size,
	.close = memory_close,
};

/**
 * channel_memory_open() - make a buffer a channel
 * @buf: the buffer; stays the caller's and must outlive the channel
 * @size: bytes
 * @out: the channel; channel_close() frees it
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int channel_memory_open(void *buf, u64 size, struct channel **out,
			struct error *err)
{
	struct channel_memory *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	m->buf = buf;
	m->size = size;
	ret = channel_init(&m->ch, &memory_ops, "memory", err);
	if (ret) {
		free(m);
		return ret;
	}
	*out = &m->ch;
	return 0;
}
