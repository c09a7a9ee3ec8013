// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what is on the disks after the guest has ended
 *
 * Each block of an image either is all zeros, or holds a whole stamp with its
 * own place in it; and all generations together are what the guest says that
 * it has written. So nothing was lost, and nothing went where it does not
 * belong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/stamp.h"

#define CHUNK	(1u << 20)

/**
 * struct disk_sum - what has been found in an image so far
 * @written: blocks with a stamp
 * @sum:     stamp_sum() over them
 */
struct disk_sum {
	unsigned long long written;
	unsigned long long sum;
};

static bool all_zero(const uint8_t *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

static bool block_check(const uint8_t *block, uint64_t lba,
			const struct disk_report *want, uint64_t seed,
			struct disk_sum *found)
{
	struct stamp s;
	size_t at;

	if (all_zero(block, want->block_size))
		return true;
	memcpy(&s, block, sizeof(s));
	s.seed = seed;
	s.where = lba;
	s.space = STAMP_SPACE_DISK(want->ctrl, want->nsid);
	at = stamp_diff(block, want->block_size, &s);
	if (!s.gen || at != want->block_size) {
		printf("# disk %u.%u: lba %llu: no stamp of it (generation %u) from byte %zu\n",
		       want->ctrl, want->nsid, (unsigned long long)lba, s.gen,
		       at);
		return false;
	}
	found->written++;
	found->sum = stamp_sum(found->sum, lba, s.gen);
	return true;
}

static bool image_check(int fd, uint8_t *buf, const struct disk_report *want,
			uint64_t seed, struct disk_sum *found)
{
	uint64_t lba = 0;
	ssize_t n, at;

	for (;;) {
		n = read(fd, buf, CHUNK);
		if (n <= 0)
			break;
		for (at = 0; at + (ssize_t)want->block_size <= n;
		     at += want->block_size)
			if (!block_check(buf + at, lba++, want, seed, found))
				return false;
	}
	if (n < 0)
		printf("# disk %u.%u: %s\n", want->ctrl, want->nsid,
		       strerror(errno));
	return !n;
}

/**
 * disk_stamps_check() - check an image of whose guest no word is left
 * @path: file
 * @want: which disk it is, and the size of its blocks
 * @seed: the guest's seed
 *
 * Each block must be whole, and where it belongs; which ones were written last
 * only the guest knew.
 *
 * Return: true if it is right.
 */
bool disk_stamps_check(const char *path, const struct disk_report *want,
		       uint64_t seed)
{
	struct disk_sum found = { 0 };
	uint8_t *buf = aligned_alloc(4096, CHUNK);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const bool good = fd >= 0 && buf &&
			  image_check(fd, buf, want, seed, &found);

	if (fd >= 0)
		close(fd);
	free(buf);
	return good && found.written;
}

/**
 * disk_check() - check an image
 * @path: file
 * @want: what the guest says of it
 * @seed: the guest's seed
 *
 * Prints what is wrong as a comment.
 *
 * Return: true if it is right.
 */
bool disk_check(const char *path, const struct disk_report *want, uint64_t seed)
{
	struct disk_sum found = { 0 };
	uint8_t *buf = aligned_alloc(4096, CHUNK);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = false;

	if (fd < 0 || !buf)
		printf("# %s: %s\n", path, strerror(errno));
	else
		good = image_check(fd, buf, want, seed, &found);
	if (good && (found.written != want->written || found.sum != want->sum)) {
		printf("# disk %u.%u: %llu blocks sum %llx, the guest wrote %llu sum %llx\n",
		       want->ctrl, want->nsid, found.written, found.sum,
		       want->written, want->sum);
		good = false;
	}
	if (fd >= 0)
		close(fd);
	free(buf);
	return good;
}

/**
 * disks_check() - check all images of which the guest has told
 * @m:    machine that has ended
 * @seed: the guest's seed
 *
 * Return: how many were checked and are right, or -1 if one is not.
 */
int disks_check(const struct machine *m, uint64_t seed)
{
	static const char start[] = "guest: disk ctrl ";
	const char *line = m->console;
	struct disk_report want;
	char path[128];
	int n = 0;

	while ((line = strstr(line, start))) {
		line += strlen(start);
		if (sscanf(line, "%u nsid %u bs %u written %llu sum %llx",
			   &want.ctrl, &want.nsid, &want.block_size,
			   &want.written, &want.sum) != 5 || !want.nsid)
			return -1;
		machine_disk_path(m, want.ctrl, want.nsid - 1, path,
				  sizeof(path));
		if (!disk_check(path, &want, seed))
			return -1;
		n++;
	}
	return n;
}
