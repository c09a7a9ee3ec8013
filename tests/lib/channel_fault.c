// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a channel that fails at the n-th call
 *
 * Sweeping n and the fault over a whole save or load shows that every call
 * site is right: either it succeeds with all bytes in place, or it fails with
 * an error and leaves nothing half done.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/channel_fault.h"

static const char *const names[FAULTS] = {
	"none", "one-byte", "part", "eintr", "eagain", "eio", "enospc",
	"epipe", "econnreset", "eof", "hang",
};

const char *channel_fault_name(enum channel_fault fault)
{
	return names[fault];
}

static struct channel_faulty *to_faulty(struct channel *ch)
{
	return container_of(ch, struct channel_faulty, ch);
}

static ssize_t inner_move(struct channel_faulty *f, const struct iovec *iov,
			  int iov_nr, u64 pos, bool write)
{
	return write ? f->inner->ops->pwritev(f->inner, iov, iov_nr, pos) :
		       f->inner->ops->preadv(f->inner, iov, iov_nr, pos);
}

/* Move at most @limit bytes: vectors are cut there. */
static ssize_t move_part(struct channel_faulty *f, const struct iovec *iov,
			 int iov_nr, u64 pos, bool write, size_t limit)
{
	struct iovec cut[64];
	int n = 0;

	while (n < iov_nr && n < 64 && limit) {
		cut[n] = iov[n];
		if (cut[n].iov_len > limit)
			cut[n].iov_len = limit;
		limit -= cut[n].iov_len;
		n++;
	}
	return inner_move(f, cut, n, pos, write);
}

static size_t total(const struct iovec *iov, int iov_nr)
{
	size_t sum = 0;

	while (iov_nr)
		sum += iov[--iov_nr].iov_len;
	return sum;
}

static ssize_t faulty_move(struct channel *ch, const struct iovec *iov,
			   int iov_nr, u64 pos, bool write)
{
	struct channel_faulty *f = to_faulty(ch);
	u64 call = f->calls++;

	f->injected = f->fault != FAULT_NONE &&
		      (f->at == UINT64_MAX || call == f->at);
	if (!f->injected)
		return inner_move(f, iov, iov_nr, pos, write);
	f->hit = true;
	switch (f->fault) {
	case FAULT_ONE_BYTE:
		return move_part(f, iov, iov_nr, pos, write, 1);
	case FAULT_PART:
		return move_part(f, iov, iov_nr, pos, write, 1 +
				 test_random_below(&f->rnd, total(iov,
								  iov_nr)));
	case FAULT_EINTR:
		/* Every other time, so that a fault at every call ends. */
		if (f->at == UINT64_MAX && call % 2)
			return inner_move(f, iov, iov_nr, pos, write);
		return -EINTR;
	case FAULT_EAGAIN:
		if (f->at == UINT64_MAX && call % 2)
			return inner_move(f, iov, iov_nr, pos, write);
		return -EAGAIN;
	case FAULT_HANG:
		f->at = f->calls;
		return -EAGAIN;
	case FAULT_EIO:
		return -EIO;
	case FAULT_ENOSPC:
		return -ENOSPC;
	case FAULT_EPIPE:
		return -EPIPE;
	case FAULT_ECONNRESET:
		return -ECONNRESET;
	default:
		/* What a batch finds, the call after it finds too. */
		f->at = f->at == UINT64_MAX ? f->at : f->calls;
		return 0;
	}
}

/* Each piece counts as a call. */
static void faulty_batch(struct channel *ch, struct channel_piece *pieces,
			 u32 nr, bool write)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		struct iovec iov = {
			.iov_base = pieces[i].buf, .iov_len = pieces[i].len,
		};

		pieces[i].moved = faulty_move(ch, &iov, 1, pieces[i].pos,
					      write);
	}
}

static ssize_t faulty_preadv(struct channel *ch, const struct iovec *iov,
			     int iov_nr, u64 pos)
{
	return faulty_move(ch, iov, iov_nr, pos, false);
}

static ssize_t faulty_pwritev(struct channel *ch, const struct iovec *iov,
			      int iov_nr, u64 pos)
{
	return faulty_move(ch, iov, iov_nr, pos, true);
}

/*
 * A socket that can be read and written at once is ready; the reading end of
 * an empty pipe never is, for neither direction. What the real channel waits
 * for is waited for.
 */
static int faulty_poll_fd(struct channel *ch, bool write)
{
	struct channel_faulty *f = to_faulty(ch);

	if (!f->injected && f->inner->ops->poll_fd)
		return f->inner->ops->poll_fd(f->inner, write);
	return f->fault == FAULT_HANG ? f->never[0] : f->ready[0];
}

/* Counts as a call; what cannot happen to a hole is left out. */
static int faulty_zero(struct channel *ch, u64 pos, u64 len)
{
	struct channel_faulty *f = to_faulty(ch);

	if (f->calls++ == f->at) {
		f->hit = true;
		if (f->fault == FAULT_EIO)
			return -EIO;
		if (f->fault == FAULT_ENOSPC)
			return -ENOSPC;
		if (f->fault == FAULT_EPIPE)
			return -EPIPE;
		if (f->fault == FAULT_ECONNRESET)
			return -ECONNRESET;
	}
	return f->inner->ops->zero ? f->inner->ops->zero(f->inner, pos, len) :
				     -EOPNOTSUPP;
}

static int faulty_set_size(struct channel *ch, u64 size)
{
	struct channel_faulty *f = to_faulty(ch);

	return f->inner->ops->set_size ?
	       f->inner->ops->set_size(f->inner, size) : 0;
}

static int faulty_sync(struct channel *ch)
{
	struct channel_faulty *f = to_faulty(ch);

	return f->inner->ops->sync ? f->inner->ops->sync(f->inner) : 0;
}

static s64 faulty_size(struct channel *ch)
{
	struct channel_faulty *f = to_faulty(ch);

	return f->inner->ops->size ? f->inner->ops->size(f->inner) : -ENOTSUP;
}

static void faulty_close(struct channel *ch)
{
	struct channel_faulty *f = to_faulty(ch);

	/* Its memory is the test's. */
	if (f->owns_inner)
		channel_close(f->inner);
	f->closed = true;
}

static const struct channel_ops faulty_ops = {
	.preadv = faulty_preadv,
	.pwritev = faulty_pwritev,
	.batch = faulty_batch,
	.set_size = faulty_set_size,
	.poll_fd = faulty_poll_fd,
	.zero = faulty_zero,
	.sync = faulty_sync,
	.size = faulty_size,
	.close = faulty_close,
};

int channel_faulty_init(struct channel_faulty *f, struct channel *inner,
			enum channel_fault fault, u64 at, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->inner = inner;
	f->fault = fault;
	f->at = at;
	test_random_seed(&f->rnd, seed);
	if (pipe(f->never) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, f->ready) < 0 ||
	    send(f->ready[1], "", 1, 0) != 1)
		return -errno;
	return channel_init(&f->ch, &faulty_ops, "faulty", NULL);
}

void channel_faulty_destroy(struct channel_faulty *f)
{
	if (!f->closed)
		channel_close(&f->ch);
	close(f->never[0]);
	close(f->never[1]);
	close(f->ready[0]);
	close(f->ready[1]);
}
