// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what ends the waits on channels
 *
 * A job, a snapshot or a migration, has one control for all its channels. Three
 * things end a wait before the channel is ready: the job is cancelled, its
 * deadline has passed, or nothing has moved on any of its channels for too
 * long. The first two hold between waits, too (channel_check()).
 *
 * Threads: any; who waits is woken by an eventfd.
 */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "migration/channel_priv.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"

/**
 * channel_control_init() - a job that nobody has cancelled, without deadline
 * @control: to be filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int channel_control_init(struct channel_control *control, struct error *err)
{
	memset(control, 0, sizeof(*control));
	control->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->wake_fd < 0)
		return error_set(err, -errno, "eventfd: %m");
	return 0;
}

/**
 * channel_control_destroy() - the end of a job
 * @control: the job's control; no channel uses it any more
 */
void channel_control_destroy(struct channel_control *control)
{
	close(control->wake_fd);
}

/**
 * channel_control_cancel() - end all waits with -ECANCELED, now and later
 * @control: the job's control
 *
 * Context: any thread, also a signal handler.
 */
void channel_control_cancel(struct channel_control *control)
{
	u64 one = 1;
	ssize_t n;

	atomic_store(&control->cancelled, true);
	n = write(control->wake_fd, &one, sizeof(one));
	(void)n;
}

/**
 * channel_control_again() - waits are possible again after a cancellation
 * @control: the job's control; nobody waits at the moment
 * @timeout_ms: milliseconds until they end anyway; 0 for no deadline
 *
 * For the last words to a peer.
 */
void channel_control_again(struct channel_control *control, u64 timeout_ms)
{
	u64 count;
	ssize_t n;

	n = read(control->wake_fd, &count, sizeof(count));
	(void)n;
	atomic_store(&control->cancelled, false);
	channel_control_deadline(control, timeout_ms);
}

/**
 * channel_control_deadline() - end all waits after some time from now
 * @control: the job's control
 * @timeout_ms: milliseconds; 0 for no deadline
 *
 * Context: any thread.
 */
void channel_control_deadline(struct channel_control *control, u64 timeout_ms)
{
	atomic_store(&control->deadline_ns,
		     timeout_ms ? now_ns() + timeout_ms * 1000000ULL : 0);
}

/**
 * channel_control_silence() - end waits for a peer that does nothing
 * @control: the job's control
 * @silence_ms: so long may nothing move on all channels together; 0 for ever
 *
 * Who works slowly is waited for, unlike with a deadline.
 *
 * Context: any thread.
 */
void channel_control_silence(struct channel_control *control, u64 silence_ms)
{
	atomic_store(&control->silence_ns, silence_ms * 1000000ULL);
}

/**
 * channel_check() - may the work on a channel go on?
 * @ch: the channel
 * @err: filled when not
 *
 * The _all calls do it by themselves; it is for long work in between.
 *
 * Return: 0, -ECANCELED or -ETIMEDOUT.
 */
int channel_check(const struct channel *ch, struct error *err)
{
	const struct channel_control *control = ch->control;
	u64 deadline;

	if (!control)
		return 0;
	if (atomic_load(&control->cancelled))
		return error_set(err, -ECANCELED, "%s: cancelled", ch->name);
	deadline = atomic_load(&control->deadline_ns);
	if (deadline && now_ns() >= deadline)
		return error_set(err, -ETIMEDOUT,
				 "%s: the time allowed has passed", ch->name);
	return 0;
}

/**
 * channel_control_left_ns() - how long a wait may take
 * @control: the job's control, NULL for none
 *
 * Context: any thread.
 * Return: nanoseconds to the deadline, 0 when it has passed or the job was
 * cancelled, -1 when there is no limit.
 */
s64 channel_control_left_ns(const struct channel_control *control)
{
	u64 deadline = control ? atomic_load(&control->deadline_ns) : 0;
	u64 now;

	if (control && atomic_load(&control->cancelled))
		return 0;
	if (!deadline)
		return -1;
	now = now_ns();
	return now >= deadline ? 0 : (s64)(deadline - now);
}

/* Likewise, until a wait that began at @since has been silent for too long. */
static s64 silence_left_ns(const struct channel_control *control, u64 since)
{
	u64 limit = control ? atomic_load(&control->silence_ns) : 0, now, heard;

	if (!limit)
		return -1;
	heard = max_of(since, atomic_load(&control->moved_ns));
	now = now_ns();
	return now - heard >= limit ? 0 : (s64)(limit - (now - heard));
}

/**
 * channel_note_progress() - something has moved: nobody is silent
 * @control: the job's control, NULL for none
 *
 * Context: any thread.
 */
void channel_note_progress(struct channel_control *control)
{
	if (control && atomic_load(&control->silence_ns))
		atomic_store(&control->moved_ns, now_ns());
}

/* The sooner of the two for poll(): milliseconds, rounded up. */
static int wait_ms(const struct channel_control *control, u64 since)
{
	s64 ns = channel_control_left_ns(control);
	s64 silence = silence_left_ns(control, since);
	u64 ms;

	if (ns < 0 || (silence >= 0 && silence < ns))
		ns = silence;
	if (ns <= 0)
		return (int)ns;
	ms = div_round_up((u64)ns, 1000000ULL);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/**
 * channel_wait() - wait until a channel is ready
 * @ch: the channel
 * @events: POLLIN, POLLOUT, or 0 for errors alone, which end any wait
 * @err: filled on failure
 *
 * Context: blocks.
 * Return: 0, -ECANCELED, -ETIMEDOUT, or another negative errno.
 */
int channel_wait(struct channel *ch, short events, struct error *err)
{
	struct pollfd fds[2] = {
		{ .events = events },
		{ .events = POLLIN, .fd = -1 },
	};
	u64 since = now_ns();
	int ret;

	fds[0].fd = ch->ops->poll_fd ? ch->ops->poll_fd(ch, events != POLLIN) : -1;
	if (fds[0].fd < 0)
		return error_set(err, -EAGAIN,
				 "%s: not ready, and no way to wait for it",
				 ch->name);
	if (ch->control)
		fds[1].fd = ch->control->wake_fd;
	do {
		ret = channel_check(ch, err);
		if (ret)
			return ret;
		if (!silence_left_ns(ch->control, since))
			return error_set(err, -ETIMEDOUT,
					 "%s: the other side is silent",
					 ch->name);
		ret = poll(fds, 2, wait_ms(ch->control, since));
	} while (!ret || (ret < 0 && errno == EINTR));
	if (ret < 0)
		return error_set(err, -errno, "%s: poll: %m", ch->name);
	return channel_check(ch, err);
}

/**
 * channel_wait_end() - why a wait has ended
 * @ch: the channel
 * @code: -ECANCELED or -ETIMEDOUT
 *
 * Return: for an error text.
 */
const char *channel_wait_end(const struct channel *ch, int code)
{
	if (code == -ECANCELED)
		return "cancelled";
	return channel_control_left_ns(ch->control) ?
		"the other side is silent" : "the time allowed has passed";
}
