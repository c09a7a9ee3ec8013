/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHANNEL_H
#define LKVM_CHANNEL_H

#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct channel;

/**
 * struct channel_control - how the work on one or more channels is ended early
 * @cancelled: somebody has given up
 * @wake_fd: an eventfd that is readable from then on, so that every wait ends
 * @deadline_ns: CLOCK_MONOTONIC after which waits end with -ETIMEDOUT; 0 never
 * @silence_ns: a wait also ends so when nothing was moved on any of the
 *              channels for so long; 0 for no limit
 * @moved_ns: CLOCK_MONOTONIC when something was; only kept with a limit
 *
 * One for each job, shared by its channels and threads.
 */
struct channel_control {
	_Atomic bool cancelled;
	int wake_fd;
	_Atomic u64 deadline_ns;
	_Atomic u64 silence_ns;
	_Atomic u64 moved_ns;
};

/**
 * struct channel_piece - one of several transfers that are under way at once
 * @buf: memory; only read by a write
 * @len: bytes
 * @pos: position of the first byte
 * @moved: bytes moved, or a negative errno; 0 before it was tried
 *
 * Pieces of one batch do not overlap, and there is no order among them.
 */
struct channel_piece {
	void *buf;
	u64 len;
	u64 pos;
	s64 moved;
};

/**
 * struct channel_ops - what a kind of channel can do
 * @preadv: move some bytes from a position: how many, 0 at the end, or a
 *          negative errno. May move less than asked.
 * @pwritev: move some bytes to a position, likewise
 * @batch: try to move several pieces at once and set &channel_piece.moved of
 *         each; whatever it leaves undone is gone on with by @preadv or
 *         @pwritev. Ends early when the job is cancelled or its deadline has
 *         passed. NULL: one after the other
 * @poll_fd: the descriptor to wait on after -EAGAIN of a write, or of a read;
 *           negative: -EAGAIN cannot
 *           happen and is an error
 * @zero: make a range read as zeros, as a hole where that is possible; all of
 *        it or a negative errno; -EOPNOTSUPP: write zeros instead. NULL: as
 *        -EOPNOTSUPP
 * @set_size: make it end there, so that writing before that does not have to
 *            move the end; NULL: it need not
 * @data: the next range that is not a hole, at or after a position; both are
 *        the size when there is none. -EOPNOTSUPP: nobody knows. NULL: likewise
 * @copy: move some bytes from another channel to the same position, as
 *        @pwritev; -EOPNOTSUPP or another error when the two cannot do it
 *        between themselves. NULL: they cannot
 * @clone: share the contents of another channel, which is of the same kind.
 *         NULL: as -EOPNOTSUPP
 * @mark: a number that grows with each write whose memory is still read after
 *        the call has returned; wraps. NULL: that does not happen
 * @settled: all writes before this number are done with, and the memory may
 *           change; NULL with @mark
 * @sync: have everything written on stable storage; NULL: nothing to do
 * @size: the end of what can be read, or a negative errno; NULL: unknown
 * @close: free the channel
 *
 * Only migration/channel.c calls them.
 */
struct channel_ops {
	ssize_t (*preadv)(struct channel *ch, const struct iovec *iov,
			  int iov_nr, u64 pos);
	ssize_t (*pwritev)(struct channel *ch, const struct iovec *iov,
			   int iov_nr, u64 pos);
	void (*batch)(struct channel *ch, struct channel_piece *pieces, u32 nr,
		      bool write);
	int (*poll_fd)(struct channel *ch, bool write);
	int (*zero)(struct channel *ch, u64 pos, u64 len);
	int (*set_size)(struct channel *ch, u64 size);
	int (*data)(struct channel *ch, u64 pos, u64 *start, u64 *end);
	ssize_t (*copy)(struct channel *to, struct channel *from, u64 pos,
			u64 len);
	int (*clone)(struct channel *to, struct channel *from);
	u32 (*mark)(struct channel *ch);
	u32 (*settled)(struct channel *ch);
	int (*sync)(struct channel *ch);
	s64 (*size)(struct channel *ch);
	void (*close)(struct channel *ch);
};

/**
 * struct channel - a place that bytes are written to or read from by position
 * @ops: what it can do
 * @control: how the work on it is ended early; NULL: it is not
 * @name: file or peer, for error texts; owned
 * @copied: what was to be read later was copied nevertheless
 */
struct channel {
	const struct channel_ops *ops;
	struct channel_control *control;
	char *name;
	_Atomic bool copied;
};

/* Greatest number of bytes that one call of an operation is asked for. */
#define CHANNEL_CHUNK_MAX	(32U << 20)

/*
 * A long transfer is cut into pieces of this many bytes, so many at once. Less
 * costs more calls, more leaves the disk idle at the end of a batch.
 */
#define CHANNEL_PIECE		(1U << 20)
#define CHANNEL_BATCH_MAX	64

int channel_control_init(struct channel_control *control, struct error *err)
	__must_check;
void channel_control_destroy(struct channel_control *control);
void channel_control_cancel(struct channel_control *control);
void channel_control_again(struct channel_control *control, u64 timeout_ms);
void channel_control_deadline(struct channel_control *control, u64 timeout_ms);
void channel_control_silence(struct channel_control *control, u64 silence_ms);

s64 channel_control_left_ns(const struct channel_control *control);

int channel_init(struct channel *ch, const struct channel_ops *ops,
		 const char *name, struct error *err) __must_check;
void channel_close(struct channel *ch);
int channel_rename(struct channel *ch, const char *name, struct error *err)
	__must_check;
int channel_sync(struct channel *ch, struct error *err) __must_check;
s64 channel_size(struct channel *ch, struct error *err) __must_check;
int channel_check(const struct channel *ch, struct error *err) __must_check;

int channel_pread_all(struct channel *ch, void *buf, u64 len, u64 pos,
		      struct error *err) __must_check;
int channel_pread_all_eof(struct channel *ch, void *buf, u64 len, u64 pos,
			  struct error *err) __must_check;
int channel_preadv_all(struct channel *ch, const struct iovec *iov, u32 iov_nr,
		       u64 pos, struct error *err) __must_check;
int channel_preadv_all_eof(struct channel *ch, const struct iovec *iov,
			   u32 iov_nr, u64 pos, struct error *err) __must_check;
int channel_pwrite_all(struct channel *ch, const void *buf, u64 len, u64 pos,
		       struct error *err) __must_check;
int channel_pwritev_all(struct channel *ch, const struct iovec *iov,
			u32 iov_nr, u64 pos, struct error *err) __must_check;
int channel_pwrite_pieces_all(struct channel *ch, struct channel_piece *pieces,
			      u32 nr, struct error *err) __must_check;
int channel_set_size(struct channel *ch, u64 size, struct error *err)
	__must_check;
int channel_copy_all(struct channel *to, struct channel *from, u64 size,
		     _Atomic u64 *done, struct error *err) __must_check;
int channel_clone(struct channel *to, struct channel *from, struct error *err)
	__must_check;
int channel_zero_all(struct channel *ch, u64 pos, u64 len, struct error *err)
	__must_check;
u32 channel_mark(struct channel *ch);
int channel_settle(struct channel *ch, u32 mark, struct error *err)
	__must_check;

/**
 * struct channel_file_config - how to open a file as a channel
 * @path: the file
 * @dirfd: what a relative @path is relative to, AT_FDCWD for the working
 *         directory
 * @write: for writing, else for reading
 * @create: it must not exist yet (O_EXCL); mode 0600
 * @unnamed: a new file without a name in the folder @path (O_TMPFILE)
 * @device: it may also be a block device
 * @direct: O_DIRECT where file system and alignment allow it, else the page
 *          cache
 */
struct channel_file_config {
	const char *path;
	int dirfd;
	bool write;
	bool create;
	bool unnamed;
	bool device;
	bool direct;
};

int channel_file_open(const struct channel_file_config *config,
		      struct channel **out, struct error *err) __must_check;
int channel_file_fd(const struct channel *ch);
int channel_stream_open(int in, int out, const char *name,
			struct channel **out_ch, struct error *err)
	__must_check;
int channel_stream_fd(const struct channel *ch);
bool channel_stream_lend(struct channel *ch, bool always);
int channel_memory_open(void *buf, u64 size, struct channel **out,
			struct error *err) __must_check;

#endif /* LKVM_CHANNEL_H */
