// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: positioned I/O that moves every byte or says why not
 *
 * All data of a snapshot or a migration goes through the ``_all`` calls of
 * this file, so that a short transfer, an interrupted call or a descriptor
 * that is not ready is handled in one place:
 *
 *  - a short transfer goes on at the next byte;
 *  - EINTR is tried again;
 *  - EAGAIN waits until the descriptor is ready, the job is cancelled or its
 *    deadline has passed;
 *  - the end of a file after some bytes is -ENODATA, and a write that moves
 *    nothing without an error is -EIO: neither is taken for success.
 *
 * Vectors and lengths may be greater than what one system call takes (IOV_MAX,
 * 0x7ffff000 bytes). One call is asked for CHANNEL_CHUNK_MAX bytes at most, so
 * that a cancellation is noticed soon.
 *
 * A long transfer is cut into pieces that are under way at once where the
 * channel can do that. What a batch leaves undone, for whatever reason, is gone
 * on with one call after the other, so there is one place that knows what a
 * short transfer or an error means.
 *
 * An error text names the channel, the position, and how many of how many
 * bytes were moved.
 *
 * How long one waits, and what ends that, is in channel_wait.c.
 *
 * Threads: a channel may be used by several at once if its operations can.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "migration/channel_priv.h"
#include "vmm/base/math.h"

#define WINDOW_IOVS	64

/**
 * channel_init() - the common part of a new channel
 * @ch: to be filled
 * @ops: what it can do
 * @name: file or peer, for error texts; copied
 * @err: filled on failure
 *
 * For the kinds of channels.
 *
 * Return: 0 or -ENOMEM.
 */
int channel_init(struct channel *ch, const struct channel_ops *ops,
		 const char *name, struct error *err)
{
	ch->ops = ops;
	ch->control = NULL;
	atomic_init(&ch->copied, false);
	ch->name = strdup(name);
	if (!ch->name)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	return 0;
}

/**
 * channel_rename() - have error texts use another name
 * @ch: the channel
 * @name: copied
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int channel_rename(struct channel *ch, const char *name, struct error *err)
{
	char *copy = strdup(name);

	if (!copy)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	free(ch->name);
	ch->name = copy;
	return 0;
}

/**
 * channel_close() - free a channel
 * @ch: the channel, NULL for none
 *
 * What was written is on stable storage only after channel_sync().
 */
void channel_close(struct channel *ch)
{
	char *name;

	if (!ch)
		return;
	name = ch->name;
	ch->ops->close(ch);
	free(name);
}

/**
 * channel_sync() - have everything that was written on stable storage
 * @ch: the channel
 * @err: filled on failure
 *
 * Context: may block for long.
 * Return: 0 or a negative errno.
 */
int channel_sync(struct channel *ch, struct error *err)
{
	int ret = ch->ops->sync ? ch->ops->sync(ch) : 0;

	if (ret)
		return error_set(err, ret, "%s: sync: %s", ch->name,
				 strerror(-ret));
	return 0;
}

/**
 * channel_size() - where reading ends
 * @ch: the channel
 * @err: filled on failure
 *
 * Return: bytes, or a negative errno; -ENOTSUP for a channel without an end.
 */
s64 channel_size(struct channel *ch, struct error *err)
{
	s64 size = ch->ops->size ? ch->ops->size(ch) : -ENOTSUP;

	if (size < 0)
		error_set(err, (int)size, "%s: size: %s", ch->name,
			  strerror((int)-size));
	return size;
}

/**
 * struct transfer - one _all call on its way
 * @ch: the channel
 * @iov: what is left, from @skip on in the first vector
 * @iov_nr: how many vectors are left
 * @skip: bytes of the first vector that were moved already
 * @pos: position of the next byte
 * @start: position of the first byte
 * @total: bytes wanted
 * @moved: bytes moved
 * @write: towards the channel
 */
struct transfer {
	struct channel *ch;
	const struct iovec *iov;
	u32 iov_nr;
	size_t skip;
	u64 pos;
	u64 start;
	u64 total;
	u64 moved;
	bool write;
};

static int transfer_fail(const struct transfer *t, int code, const char *why,
			 struct error *err)
{
	return error_set(err, code,
			 "%s: %s at %llu: %s after %llu of %llu bytes",
			 t->ch->name, t->write ? "write" : "read", t->start,
			 why, t->moved, t->total);
}

/* As many of the vectors that are left as one call is asked for. */
static int transfer_window(const struct transfer *t, struct iovec *win,
			   u64 limit)
{
	size_t room = min_of((u64)CHANNEL_CHUNK_MAX, limit), skip = t->skip;
	u32 i;
	int n = 0;

	for (i = 0; i < t->iov_nr && n < WINDOW_IOVS && room; i++) {
		size_t len = t->iov[i].iov_len - skip;

		if (len) {
			win[n].iov_base = (u8 *)t->iov[i].iov_base + skip;
			win[n].iov_len = min_of(len, room);
			room -= win[n].iov_len;
			n++;
		}
		skip = 0;
	}
	return n;
}

static void transfer_advance(struct transfer *t, size_t moved)
{
	t->moved += moved;
	t->pos += moved;
	while (moved) {
		size_t len = t->iov->iov_len - t->skip;

		if (moved < len) {
			t->skip += moved;
			return;
		}
		moved -= len;
		t->skip = 0;
		t->iov++;
		t->iov_nr--;
	}
}

/*
 * One call of the channel, for at most @limit bytes; 1: go on, 0: end of file,
 * negative: failed.
 */
static int transfer_step(struct transfer *t, u64 limit, struct error *err)
{
	struct iovec win[WINDOW_IOVS];
	int n = transfer_window(t, win, limit);
	ssize_t ret;

	if (t->write)
		ret = t->ch->ops->pwritev(t->ch, win, n, t->pos);
	else
		ret = t->ch->ops->preadv(t->ch, win, n, t->pos);
	if (ret > 0) {
		/* A channel that claims more than it was asked for is broken. */
		if ((u64)ret > t->total - t->moved)
			return transfer_fail(t, -EIO, "too much was moved",
					     err);
		transfer_advance(t, (size_t)ret);
		channel_note_progress(t->ch->control);
		return 1;
	}
	if (ret == -EINTR)
		return 1;
	if (ret == -EAGAIN) {
		int wait = channel_wait(t->ch, t->write ? POLLOUT : POLLIN, err);

		if (wait == -ECANCELED || wait == -ETIMEDOUT)
			return transfer_fail(t, wait, channel_wait_end(t->ch, wait),
					     err);
		return wait ? wait : 1;
	}
	if (ret < 0)
		return transfer_fail(t, (int)ret, strerror((int)-ret), err);
	if (t->write)
		return transfer_fail(t, -EIO, "no progress", err);
	return 0;
}

static int transfer_check(struct transfer *t, struct error *err)
{
	u32 i;

	for (i = 0; i < t->iov_nr; i++) {
		u64 len = t->iov[i].iov_len;

		if (!range_fits(t->total, len, INT64_MAX))
			return transfer_fail(t, -EINVAL, "too long", err);
		t->total += len;
	}
	if (!range_fits(t->pos, t->total, INT64_MAX))
		return transfer_fail(t, -EINVAL, "beyond the end of all files",
				     err);
	return 0;
}

/*
 * Call after call until @end bytes were moved. 1: they were; 0: clean end of
 * file; negative: failed.
 */
static int transfer_to(struct transfer *t, u64 end, struct error *err)
{
	int ret;

	while (t->moved < end) {
		ret = channel_check(t->ch, err);
		if (ret)
			return ret;
		ret = transfer_step(t, end - t->moved, err);
		if (ret < 0)
			return ret;
		if (ret == 0 && t->moved)
			return transfer_fail(t, -ENODATA, "end of file", err);
		if (ret == 0)
			return 0;
	}
	return 1;
}

/* What a batch left of a piece that the transfer has come to; as transfer_to().  */
static int transfer_piece(struct transfer *t, const struct channel_piece *p,
			  struct error *err)
{
	u64 end = t->moved + p->len;

	if (p->moved < 0 && p->moved != -EINTR && p->moved != -EAGAIN &&
	    p->moved != -ECANCELED)
		return transfer_fail(t, (int)p->moved,
				     strerror((int)-p->moved), err);
	if (p->moved > (s64)p->len)
		return transfer_fail(t, -EIO, "too much was moved", err);
	if (p->moved > 0)
		transfer_advance(t, (size_t)p->moved);
	return transfer_to(t, end, err);
}

/* Are so many bytes in one vector worth several pieces? */
static bool suits_batch(const struct transfer *t, u64 len)
{
	return t->ch->ops->batch && len >= 2ULL * CHANNEL_PIECE;
}

/* How far to go without a batch: up to the next vector that suits one. */
static u64 plain_end(const struct transfer *t)
{
	u64 end = t->moved + t->iov->iov_len - t->skip;
	u32 i;

	for (i = 1; i < t->iov_nr && !suits_batch(t, t->iov[i].iov_len); i++)
		end += t->iov[i].iov_len;
	return end;
}

/* As transfer_to(), as far as one batch goes. */
static int transfer_batch(struct transfer *t, struct error *err)
{
	struct channel_piece pieces[CHANNEL_BATCH_MAX];
	u8 *at = (u8 *)t->iov->iov_base + t->skip;
	u64 left = t->iov->iov_len - t->skip;
	u64 pos = t->pos;
	u32 i, n;
	int ret;

	for (n = 0; n < CHANNEL_BATCH_MAX && left; n++) {
		u64 len = min_of(left, (u64)CHANNEL_PIECE);

		pieces[n] = (struct channel_piece){
			.buf = at, .len = len, .pos = pos,
		};
		at += len;
		pos += len;
		left -= len;
	}
	ret = channel_check(t->ch, err);
	if (ret)
		return ret;
	t->ch->ops->batch(t->ch, pieces, n, t->write);
	for (i = 0, ret = 1; i < n && ret == 1; i++)
		ret = transfer_piece(t, &pieces[i], err);
	return ret;
}

/* Empty vectors are no place to begin a batch at. */
static void skip_empty(struct transfer *t)
{
	while (t->iov_nr && t->iov->iov_len == t->skip) {
		t->iov++;
		t->iov_nr--;
		t->skip = 0;
	}
}

/* 1: every byte was moved; 0: clean end of file; negative: failed. */
static int transfer_run(struct transfer *t, struct error *err)
{
	int ret = transfer_check(t, err);

	if (ret)
		return ret;
	for (ret = 1; t->moved < t->total && ret == 1;) {
		skip_empty(t);
		ret = suits_batch(t, t->iov->iov_len - t->skip) ?
		      transfer_batch(t, err) :
		      transfer_to(t, plain_end(t), err);
	}
	return ret;
}

/**
 * channel_preadv_all_eof() - read every byte, or find a clean end
 * @ch: the channel
 * @iov: where to; not changed
 * @iov_nr: how many vectors; any number
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 1 when every byte was read, 0 at the end before the first byte
 * (@err is not touched), -ENODATA at the end after some, -ECANCELED,
 * -ETIMEDOUT, or what the channel said. A length of 0 gives 1.
 */
int channel_preadv_all_eof(struct channel *ch, const struct iovec *iov,
			   u32 iov_nr, u64 pos, struct error *err)
{
	struct transfer t = {
		.ch = ch,
		.iov = iov,
		.iov_nr = iov_nr,
		.pos = pos,
		.start = pos,
	};

	return transfer_run(&t, err);
}

/**
 * channel_preadv_all() - read every byte
 * @ch: the channel
 * @iov: where to; not changed
 * @iov_nr: how many vectors; any number
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0 when every byte was read; -ENODATA at the end before that, also
 * before the first byte; or as channel_preadv_all_eof().
 */
int channel_preadv_all(struct channel *ch, const struct iovec *iov, u32 iov_nr,
		       u64 pos, struct error *err)
{
	struct transfer t = {
		.ch = ch,
		.iov = iov,
		.iov_nr = iov_nr,
		.pos = pos,
		.start = pos,
	};
	int ret = transfer_run(&t, err);

	if (ret == 0)
		return transfer_fail(&t, -ENODATA, "end of file", err);
	return ret < 0 ? ret : 0;
}

/**
 * channel_pwritev_all() - write every byte
 * @ch: the channel
 * @iov: what; not changed
 * @iov_nr: how many vectors; any number
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0 when every byte was taken; -EIO when the channel took none without
 * an error; -ECANCELED, -ETIMEDOUT, or what the channel said.
 */
int channel_pwritev_all(struct channel *ch, const struct iovec *iov,
			u32 iov_nr, u64 pos, struct error *err)
{
	struct transfer t = {
		.ch = ch,
		.iov = iov,
		.iov_nr = iov_nr,
		.pos = pos,
		.start = pos,
		.write = true,
	};
	int ret = transfer_run(&t, err);

	return ret < 0 ? ret : 0;
}

static int finish_piece(struct channel *ch, const struct channel_piece *p,
			struct error *err)
{
	struct iovec iov = { .iov_base = p->buf, .iov_len = p->len };
	struct transfer t = {
		.ch = ch,
		.iov = &iov,
		.iov_nr = 1,
		.pos = p->pos,
		.start = p->pos,
		.write = true,
	};
	int ret = transfer_check(&t, err);

	return ret ? ret : transfer_piece(&t, p, err);
}

/**
 * channel_pwrite_pieces_all() - write every byte of several ranges
 * @ch: the channel
 * @pieces: the ranges, which do not overlap; &channel_piece.moved is 0
 * @nr: how many, at most CHANNEL_BATCH_MAX
 * @err: filled on failure: about the first piece that failed
 *
 * After a failure any part of any piece may have been written.
 *
 * Context: may block.
 * Return: as channel_pwritev_all().
 */
int channel_pwrite_pieces_all(struct channel *ch, struct channel_piece *pieces,
			      u32 nr, struct error *err)
{
	int ret = channel_check(ch, err);
	u32 i;

	if (ret)
		return ret;
	if (nr > 1 && ch->ops->batch)
		ch->ops->batch(ch, pieces, nr, true);
	for (i = 0; i < nr; i++) {
		ret = finish_piece(ch, &pieces[i], err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/**
 * channel_pread_all_eof() - channel_preadv_all_eof() with one buffer
 * @ch: the channel
 * @buf: where to
 * @len: bytes
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Return: as channel_preadv_all_eof().
 */
int channel_pread_all_eof(struct channel *ch, void *buf, u64 len, u64 pos,
			  struct error *err)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return channel_preadv_all_eof(ch, &iov, 1, pos, err);
}

/**
 * channel_pread_all() - channel_preadv_all() with one buffer
 * @ch: the channel
 * @buf: where to
 * @len: bytes
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Return: as channel_preadv_all().
 */
int channel_pread_all(struct channel *ch, void *buf, u64 len, u64 pos,
		      struct error *err)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return channel_preadv_all(ch, &iov, 1, pos, err);
}

/**
 * channel_pwrite_all() - channel_pwritev_all() with one buffer
 * @ch: the channel
 * @buf: what
 * @len: bytes
 * @pos: position of the first byte
 * @err: filled on failure
 *
 * Return: as channel_pwritev_all().
 */
int channel_pwrite_all(struct channel *ch, const void *buf, u64 len, u64 pos,
		       struct error *err)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

	return channel_pwritev_all(ch, &iov, 1, pos, err);
}

/**
 * channel_set_size() - say where the end will be, before it is written
 * @ch: the channel
 * @size: bytes; what was never written before that reads as zeros
 * @err: filled on failure
 *
 * Writes that do not move the end of a file need no exclusive hold on it.
 *
 * Return: 0 or a negative errno.
 */
int channel_set_size(struct channel *ch, u64 size, struct error *err)
{
	int ret = ch->ops->set_size ? ch->ops->set_size(ch, size) : 0;

	if (ret)
		return error_set(err, ret, "%s: size %llu: %s", ch->name, size,
				 strerror(-ret));
	return 0;
}

/**
 * channel_zero_all() - make a range read as zeros
 * @ch: the channel
 * @pos: position of the first byte
 * @len: bytes
 * @err: filled on failure
 *
 * A hole where the channel can make one, else zeros are written.
 *
 * Context: may block.
 * Return: 0, or as channel_pwritev_all().
 */
int channel_zero_all(struct channel *ch, u64 pos, u64 len, struct error *err)
{
	static const u8 zeros[65536];
	int ret = channel_check(ch, err);

	if (ret)
		return ret;
	ret = ch->ops->zero ? ch->ops->zero(ch, pos, len) : -EOPNOTSUPP;
	if (!ret)
		return 0;
	if (ret != -EOPNOTSUPP)
		return error_set(err, ret, "%s: zeros at %llu: %s", ch->name,
				 pos, strerror(-ret));
	for (ret = 0; len && !ret;) {
		u64 n = min_of(len, (u64)sizeof(zeros));

		ret = channel_pwrite_all(ch, zeros, n, pos, err);
		pos += n;
		len -= n;
	}
	return ret;
}

/**
 * channel_mark() - where the writes are
 * @ch: the channel
 *
 * Return: a number for channel_settle().
 */
u32 channel_mark(struct channel *ch)
{
	return ch->ops->mark ? ch->ops->mark(ch) : 0;
}

static bool is_settled(struct channel *ch, u32 mark, u32 *settled)
{
	*settled = ch->ops->settled(ch);
	return (s32)(*settled - mark) >= 0;
}

/**
 * channel_settle() - wait until memory that was written from may change
 * @ch: the channel
 * @mark: what channel_mark() said after the write
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0; -ECANCELED, -ETIMEDOUT, or -EPIPE when the other side is gone.
 */
int channel_settle(struct channel *ch, u32 mark, struct error *err)
{
	u32 settled, before;
	int ret;

	if (!ch->ops->settled || is_settled(ch, mark, &settled))
		return 0;
	do {
		before = settled;
		ret = channel_wait(ch, 0, err);
		if (ret)
			return ret;
		if (is_settled(ch, mark, &settled))
			return 0;
	} while (settled != before);
	return error_set(err, -EPIPE, "%s: the connection has failed",
			 ch->name);
}
