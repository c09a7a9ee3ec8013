// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: was a disk written since?
 *
 * Memory and disk of different moments destroy a file system silently, so a
 * snapshot records for each disk which one it is and how far it had been
 * written, and a restore compares.
 *
 * A file tells by its times: they are exact to the tick of the host's clock, so
 * when a file was written in the tick in which it is looked at, the look waits
 * for the next one. Times alone do not know a file that was renamed or moved
 * (they change) from one that was put back from elsewhere (they need not): when
 * the inode is another one or has changed, the contents are sampled as well.
 * The sample has the places that every file system writes when it is mounted.
 *
 * A block device counts the sectors that were written to it, from zero when it
 * appears. After a restart of the host nothing is known.
 *
 * Threads: any.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "migration/disks.h"
#include "migration/image_priv.h"
#include "vmm/base/math.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define HEAD		(MIB + 128 * KIB)	/* the first partition's, too */
#define TAIL		MIB
#define SAMPLE		4096ULL
#define SAMPLES		16ULL

static int add_sample(struct channel *ch, u8 *buf, u64 *len, u64 pos, u64 n,
		      struct error *err)
{
	int ret = channel_pread_all(ch, buf + *len, n, pos, err);

	*len += n;
	return ret;
}

/* Small disks are sampled twice in places, which does no harm. */
static int fingerprint(struct channel *ch, struct disk_state *s,
		       struct error *err)
{
	u64 len = 0, i, head = min_of(HEAD, s->size);
	u64 tail = min_of(TAIL, s->size);
	u8 *buf = malloc(HEAD + TAIL + SAMPLES * SAMPLE);
	int ret;

	if (!buf)
		return error_set(err, -ENOMEM, "%s: out of memory", ch->name);
	ret = add_sample(ch, buf, &len, 0, head, err);
	for (i = 1; i <= SAMPLES && s->size > HEAD + TAIL && !ret; i++)
		ret = add_sample(ch, buf, &len, round_down_to(s->size /
				 (SAMPLES + 1) * i, SAMPLE), SAMPLE, err);
	if (!ret)
		ret = add_sample(ch, buf, &len, s->size - tail, tail, err);
	s->fingerprint = image_sum(buf, len);
	free(buf);
	return ret;
}

static u64 to_ns(const struct statx_timestamp *t)
{
	return (u64)t->tv_sec * 1000000000ULL + t->tv_nsec;
}

/*
 * The file's clock is one that goes on by ticks. Whatever is written in this
 * one would have the same time, so let it pass.
 */
static void wait_for_tick(u64 mtime_ns)
{
	struct timespec now, tick;
	u32 i;

	clock_getres(CLOCK_REALTIME_COARSE, &tick);
	for (i = 0; i < 8; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if ((u64)now.tv_sec * 1000000000ULL + (u64)now.tv_nsec >
		    mtime_ns)
			return;
		tick.tv_sec = 0;
		nanosleep(&tick, NULL);
	}
}

static int look_at_file(int fd, const char *name, struct disk_state *s,
			struct error *err)
{
	struct statx stx;
	struct statfs fs;
	u64 fsid;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		  &stx) < 0 || fstatfs(fd, &fs) < 0)
		return error_set(err, -errno, "%s: %m", name);
	static_assert(sizeof(fs.f_fsid) == sizeof(fsid), "fsid");
	memcpy(&fsid, &fs.f_fsid, sizeof(fsid));
	s->filesystem = fsid;
	s->inode = stx.stx_ino;
	s->birth_ns = stx.stx_mask & STATX_BTIME ? to_ns(&stx.stx_btime) : 0;
	s->mtime_ns = to_ns(&stx.stx_mtime);
	s->ctime_ns = to_ns(&stx.stx_ctime);
	wait_for_tick(s->mtime_ns);
	return 0;
}

/* Reads the @skip-th number after the first of a file in sysfs. */
static bool sysfs_number(dev_t dev, const char *name, u32 skip, u64 *value)
{
	char path[96];
	bool ok = true;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev),
		 minor(dev), name);
	f = fopen(path, "re");
	if (!f)
		return false;
	do
		ok = fscanf(f, "%llu", value) == 1;
	while (ok && skip--);
	fclose(f);
	return ok;
}

static void read_boot_id(u8 *id)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[40] = "";
	u32 i, byte, n = 0;

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	for (i = 0; text[i] && n < 16; i++)
		if (text[i] != '-' && sscanf(text + i, "%2x", &byte) == 1) {
			id[n++] = (u8)byte;
			i++;
		}
}

/* A partition has the sequence number of its disk. */
static int look_at_device(int fd, const char *name, struct disk_state *s,
			  struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", name);
	s->inode = st.st_rdev;
	if (!sysfs_number(st.st_rdev, "diskseq", 0, &s->sequence) &&
	    !sysfs_number(st.st_rdev, "../diskseq", 0, &s->sequence))
		s->sequence = 0;
	/* The seventh field: sectors written. */
	if (sysfs_number(st.st_rdev, "stat", 6, &s->written_sectors))
		read_boot_id(s->boot_id);
	return 0;
}

static bool same_file(const struct disk_state *a, const struct disk_state *b)
{
	return a->filesystem == b->filesystem && a->inode == b->inode &&
	       a->birth_ns == b->birth_ns && a->ctime_ns == b->ctime_ns;
}

static int look(struct channel *ch, const struct disk_state *like,
		struct disk_state *s, struct error *err)
{
	int fd = channel_file_fd(ch), ret = 0;
	struct stat st;
	s64 size;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", ch->name);
	s->kind = S_ISBLK(st.st_mode) ? DISK_DEVICE : DISK_FILE;
	size = channel_size(ch, err);
	if (size < 0)
		return (int)size;
	s->size = (u64)size;
	if (like && s->kind == DISK_FILE)
		ret = look_at_file(fd, ch->name, s, err);
	if (!ret && like && s->kind == DISK_FILE &&
	    s->mtime_ns == like->mtime_ns && same_file(s, like)) {
		s->fingerprint = like->fingerprint;
		return 0;
	}
	/* The sample first: a write after it shows in the times. */
	if (!ret)
		ret = fingerprint(ch, s, err);
	if (ret)
		return ret;
	return s->kind == DISK_DEVICE ? look_at_device(fd, ch->name, s, err) :
					look_at_file(fd, ch->name, s, err);
}

/**
 * disk_state_look() - which disk is it, and how far was it written?
 * @fd: the open disk; -1 for one that stores nothing
 * @name: for messages
 * @like: what it is going to be compared with: what must be the same then is
 *        not read, so that a restore takes no time; NULL: nothing
 * @state: filled but for &disk_state.readonly; &disk_state.size of a disk that
 *         stores nothing is kept
 * @err: filled on failure
 *
 * Nobody must write meanwhile, and what was written must be flushed.
 *
 * Context: reads some MiB.
 * Return: 0 or a negative errno.
 */
int disk_state_look(int fd, const char *name, const struct disk_state *like,
		    struct disk_state *state, struct error *err)
{
	char path[40];
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path, .device = true,
	};
	struct disk_state s = {
		.readonly = state->readonly, .size = state->size,
	};
	struct channel *ch;
	int ret = 0;

	if (fd >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ret = channel_file_open(&config, &ch, err);
		if (ret)
			return error_prefix(err, "%s", name);
		ret = channel_rename(ch, name, err);
		if (!ret)
			ret = look(ch, like, &s, err);
		channel_close(ch);
	}
	*state = s;
	return ret;
}

/**
 * disk_state_identify() - which disk is it?
 * @fd: the open disk; -1 for one that stores nothing
 * @name: for messages
 * @state: &disk_state.size and &disk_state.readonly are kept; of the others
 *         what stays the same while the disk is written
 * @err: filled on failure
 *
 * Numbers of one host mean nothing on another: &disk_state.boot_id says which
 * it was.
 *
 * Return: 0 or a negative errno.
 */
int disk_state_identify(int fd, const char *name, struct disk_state *state,
			struct error *err)
{
	struct disk_state s = {
		.readonly = state->readonly, .size = state->size,
	};
	struct statfs fs;
	struct stat st;

	if (fd >= 0) {
		if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
			return error_set(err, -errno, "%s: %m", name);
		s.kind = S_ISBLK(st.st_mode) ? DISK_DEVICE : DISK_FILE;
		s.inode = s.kind == DISK_DEVICE ? st.st_rdev : st.st_ino;
		if (s.kind == DISK_FILE)
			memcpy(&s.filesystem, &fs.f_fsid,
			       sizeof(s.filesystem));
		read_boot_id(s.boot_id);
	}
	*state = s;
	return 0;
}

/* NULL: nothing was written since. */
static const char *why_changed(const struct disk_state *then,
			       const struct disk_state *now)
{
	static const u8 unknown[16];

	if (then->kind != now->kind)
		return "is not of the kind that it was (file, block device)";
	if (then->kind == DISK_NOTHING)
		return NULL;
	if (then->kind == DISK_FILE) {
		if (then->mtime_ns != now->mtime_ns)
			return "was written since the snapshot was taken";
		if (!same_file(then, now) &&
		    then->fingerprint != now->fingerprint)
			return "has other contents than when the snapshot was taken";
		return NULL;
	}
	if (then->fingerprint != now->fingerprint)
		return "was written since the snapshot was taken";
	if (!memcmp(then->boot_id, unknown, 16) ||
	    memcmp(then->boot_id, now->boot_id, 16) ||
	    then->sequence != now->sequence || then->inode != now->inode)
		return "is a block device that was away, or its host, and may have been written";
	if (then->written_sectors != now->written_sectors)
		return "was written since the snapshot was taken";
	return NULL;
}

/**
 * disk_state_compare() - does a disk fit the memory of a snapshot?
 * @then: at the snapshot's moment
 * @now: now
 * @name: for messages
 * @force: although it was written since
 * @err: why not, and what to do
 *
 * Return: 0; -EINVAL for another size; -ESTALE when it was written since, or
 * may have been.
 */
int disk_state_compare(const struct disk_state *then,
		       const struct disk_state *now, const char *name,
		       bool force, struct error *err)
{
	const char *why;

	if (then->size != now->size)
		return error_set(err, -EINVAL,
				 "%s has %llu bytes, and had %llu when the snapshot was taken: another disk is needed",
				 name, now->size, then->size);
	why = why_changed(then, now);
	if (!why || force)
		return 0;
	return error_set(err, -ESTALE,
			 "%s %s, so the guest's memory does not fit it: put back its contents of that moment, or add --force and risk the guest's file systems",
			 name, why);
}

/**
 * struct mark - what becomes of the disks' marks
 * @sink: takes the disks
 * @settle: see disks_mark()
 * @sum: XXH3 hash of all of them
 */
struct mark {
	struct disk_sink sink;
	bool settle;
	u64 sum;
};

static int add_mark(struct disk_sink *sink, const struct device *dev,
		    const struct device_disk *disk, struct error *err)
{
	struct mark *mark = container_of(sink, struct mark, sink);
	struct stat st;
	u64 value;

	if (disk->fd < 0 || disk->readonly || fstat(disk->fd, &st) < 0)
		return 0;
	value = (u64)st.st_mtim.tv_sec * 1000000000ULL +
		(u64)st.st_mtim.tv_nsec;
	if (S_ISBLK(st.st_mode) &&
	    !sysfs_number(st.st_rdev, "stat", 6, &value))
		return 0;
	if (S_ISREG(st.st_mode) && mark->settle)
		wait_for_tick(value);
	mark->sum = XXH3_64bits_withSeed(&value, sizeof(value), mark->sum);
	return 0;
}

/**
 * disks_mark() - a number that changes when one of a machine's disks is written
 * @vm: the machine, whose disks were flushed
 * @settle: whatever is written from now on is to change it, also what would have
 *          the same time
 *
 * By the times of files, and by what this host has written to block devices:
 * those that another host has written look the same.
 *
 * Context: no device is added or removed meanwhile.
 * Return: the number.
 */
u64 disks_mark(const struct vm *vm, bool settle)
{
	struct mark mark = { .sink.disk = add_mark, .settle = settle };
	struct error ignored = ERROR_INIT;
	const struct device *dev;

	list_for_each_entry(dev, &vm->devices, link)
		if (dev->class->ops->disks)
			(void)dev->class->ops->disks(dev, &mark.sink,
						     &ignored);
	return mark.sum;
}
