// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: from one channel to another
 *
 * For the contents of disks. What is a hole stays one, where the source knows
 * its holes; zeros in between become holes, too, when they pass through our
 * memory. Two files can leave the work to the kernel (copy_file_range), which
 * on some file systems moves nothing but references.
 *
 * Threads: as the two channels.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/channel.h"
#include "vmm/base/math.h"

#define COPY_STEP	(16ULL << 20)	/* between looks at a cancellation */
#define BUFFER		(4ULL << 20)
#define BUFFER_ALIGN	4096
#define HOLE		65536ULL

/**
 * struct copy - one copy on its way
 * @to: where to
 * @from: where from
 * @buf: BUFFER bytes, made when first needed
 * @by_hand: the channels cannot do it between themselves
 */
struct copy {
	struct channel *to;
	struct channel *from;
	u8 *buf;
	bool by_hand;
};

static bool is_zero(const u8 *p, u64 len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* Writes what is not zero; the target reads as zeros before. */
static int write_data(struct copy *c, u64 pos, u64 len, struct error *err)
{
	u64 at = 0, start;
	int ret = 0;

	while (at < len && !ret) {
		if (is_zero(c->buf + at, min_of(HOLE, len - at))) {
			at += HOLE;
			continue;
		}
		for (start = at; at < len &&
		     !is_zero(c->buf + at, min_of(HOLE, len - at)); at += HOLE)
			;
		ret = channel_pwrite_all(c->to, c->buf + start,
					 min_of(at, len) - start, pos + start,
					 err);
	}
	return ret;
}

static int copy_by_hand(struct copy *c, u64 pos, u64 len, struct error *err)
{
	u64 n;
	int ret = 0;

	if (!c->buf)
		c->buf = aligned_alloc(BUFFER_ALIGN, BUFFER);
	if (!c->buf)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 c->to->name);
	for (; len && !ret; pos += n, len -= n) {
		n = min_of(len, BUFFER);
		ret = channel_pread_all(c->from, c->buf, n, pos, err);
		if (!ret)
			ret = write_data(c, pos, n, err);
	}
	return ret;
}

/* What another way may be found around. */
static bool cannot(ssize_t code)
{
	return code == -EOPNOTSUPP || code == -ENOSYS || code == -EXDEV ||
	       code == -EINVAL || code == -EBADF || code == -EPERM ||
	       code == -ETXTBSY;
}

static int copy_range(struct copy *c, u64 pos, u64 len, struct error *err)
{
	u64 start = pos;
	ssize_t n;
	int ret;

	while (len && !c->by_hand) {
		ret = channel_check(c->to, err);
		if (ret)
			return ret;
		n = c->to->ops->copy(c->to, c->from, pos,
				     min_of(len, COPY_STEP));
		if (n == -EINTR)
			continue;
		if (cannot(n) || n == 0) {
			c->by_hand = true;
			break;
		}
		if (n < 0 || (u64)n > len)
			return error_set(err, n < 0 ? (int)n : -EIO,
					 "%s: copy from %s at %llu: %s after %llu of %llu bytes",
					 c->to->name, c->from->name, start,
					 n < 0 ? strerror((int)-n) :
					 "too much was moved", pos - start,
					 pos - start + len);
		pos += (u64)n;
		len -= (u64)n;
	}
	return len ? copy_by_hand(c, pos, len, err) : 0;
}

/* The next range with data at or after @pos, within @size. */
static int next_data(struct copy *c, u64 pos, u64 size, u64 *start, u64 *end,
		     struct error *err)
{
	int ret = -EOPNOTSUPP;

	*start = pos;
	*end = size;
	if (c->from->ops->data)
		ret = c->from->ops->data(c->from, pos, start, end);
	if (ret == -EOPNOTSUPP)
		return 0;
	if (ret)
		return error_set(err, ret, "%s: data at %llu: %s",
				 c->from->name, pos, strerror(-ret));
	*start = min_of(*start, size);
	*end = min_of(*end, size);
	return 0;
}

/**
 * channel_copy_all() - copy every byte
 * @to: where to: empty
 * @from: where from
 * @size: bytes, from position 0 on
 * @done: bytes dealt with are added to it; NULL: nobody wants to know
 * @err: filled on failure
 *
 * Context: may block for long. &channel.control of @to cancels.
 * Return: 0 when @to has all bytes and its size is @size, else as the other
 * _all calls.
 */
int channel_copy_all(struct channel *to, struct channel *from, u64 size,
		     _Atomic u64 *done, struct error *err)
{
	struct copy c = {
		.to = to, .from = from, .by_hand = !to->ops->copy,
	};
	u64 pos = 0, start, end;
	int ret;

	ret = channel_set_size(to, size, err);
	while (!ret && pos < size) {
		ret = channel_check(to, err);
		if (!ret)
			ret = next_data(&c, pos, size, &start, &end, err);
		if (ret)
			break;
		end = min_of(end, start + COPY_STEP);
		if (end > start)
			ret = copy_range(&c, start, end - start, err);
		if (done)
			atomic_fetch_add(done, end - pos);
		pos = end;
	}
	free(c.buf);
	return ret;
}

/**
 * channel_clone() - have a file share the contents of another
 * @to: where to: empty
 * @from: where from
 * @err: filled on failure
 *
 * Takes no time and no space; what is written to one later is not seen in the
 * other. Needs a file system that can do it, and both on the same.
 *
 * Return: 0; -EOPNOTSUPP or another negative errno when it cannot be done.
 */
int channel_clone(struct channel *to, struct channel *from, struct error *err)
{
	int ret = to->ops->clone ? to->ops->clone(to, from) : -EOPNOTSUPP;

	if (ret)
		return error_set(err, ret, "%s: cannot share the contents of %s: %s",
				 to->name, from->name, strerror(-ret));
	return 0;
}
