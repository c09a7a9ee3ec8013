// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: which part of a disk image to mount as root
 *
 * libblkid looks at the image: a file system on the whole disk is the root; in
 * a partition table it is the partition whose type says "Linux root" for this
 * architecture (the Discoverable Partitions Specification), else the first one
 * with a file system that Linux can have its root on. The image belongs to
 * somebody else and is untrusted; nothing but a number is taken from it.
 *
 * Threads: the first one.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/cli/kernel.h"

/* Partitions of an image that are looked at. */
#define PARTITIONS_MAX	256

/* libblkid counts in units of 512 bytes, whatever the sector size. */
#define SECTORS_MAX	(INT64_MAX / 1024)

static const char *const root_types[] = {
	"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "erofs", "squashfs",
	"bcachefs", "nilfs2", "jfs", "reiserfs",
};

/**
 * struct image - an image that is looked at
 * @fd: the image
 * @block_size: of the disk that the guest sees, as we guess it, bytes
 */
struct image {
	int fd;
	u32 block_size;
};

static blkid_probe probe_range(const struct image *img, s64 offset, s64 size)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return NULL;
	if (blkid_probe_set_device(pr, img->fd, offset, size)) {
		blkid_free_probe(pr);
		return NULL;
	}
	/* The size of a sector of a GPT is that of the disk. */
	blkid_probe_set_sectorsize(pr, img->block_size);
	return pr;
}

static bool has_root(const struct image *img, s64 offset, s64 size)
{
	blkid_probe pr = probe_range(img, offset, size);
	const char *type = NULL;
	bool found = false;
	unsigned int i;

	if (!pr)
		return false;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
	if (!blkid_do_safeprobe(pr) &&
	    !blkid_probe_lookup_value(pr, "TYPE", &type, NULL))
		for (i = 0; i < ARRAY_SIZE(root_types); i++)
			found |= !strcmp(type, root_types[i]);
	blkid_free_probe(pr);
	return found;
}

static bool is_root_type(blkid_partition part)
{
	const char *type = blkid_partition_get_type_string(part);

	return type && !strcasecmp(type, arch_root_partition_type);
}

static u32 find_typed(blkid_partlist list, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		blkid_partition part = blkid_partlist_get_partition(list, i);

		if (is_root_type(part))
			return (u32)blkid_partition_get_partno(part);
	}
	return 0;
}

static u32 find_formatted(const struct image *img, blkid_partlist list, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		blkid_partition part = blkid_partlist_get_partition(list, i);
		s64 start = blkid_partition_get_start(part);
		s64 size = blkid_partition_get_size(part);

		if (start < 0 || start > SECTORS_MAX ||
		    size < 0 || size > SECTORS_MAX)
			continue;
		if (has_root(img, start * 512, size * 512))
			return (u32)blkid_partition_get_partno(part);
	}
	return 0;
}

static u32 find_partition(const struct image *img)
{
	blkid_probe pr = probe_range(img, 0, 0);
	blkid_partlist list;
	u32 partition = 0;
	int nr;

	if (!pr)
		return 0;
	blkid_probe_enable_partitions(pr, 1);
	list = blkid_probe_get_partitions(pr);
	nr = list ? blkid_partlist_numof_partitions(list) : 0;
	if (nr > PARTITIONS_MAX)
		nr = PARTITIONS_MAX;
	if (nr > 0)
		partition = find_typed(list, nr);
	if (nr > 0 && !partition)
		partition = find_formatted(img, list, nr);
	blkid_free_probe(pr);
	return partition;
}

/**
 * root_choose() - which part of a disk to mount as root
 * @image: the disk
 * @root: out: the choice
 * @err: set on failure
 *
 * Return: 0, or a negative errno when @image cannot be read.
 */
int root_choose(const char *image, struct root_choice *root, struct error *err)
{
	static const u32 block_sizes[] = { 512, 4096 };
	struct image img;
	unsigned int i;

	*root = (struct root_choice){ .found = false };
	img.fd = open(image, O_RDONLY | O_CLOEXEC);
	if (img.fd < 0)
		return error_set(err, -errno, "%s: %m", image);
	for (i = 0; i < ARRAY_SIZE(block_sizes) && !root->found; i++) {
		img.block_size = block_sizes[i];
		root->found = has_root(&img, 0, 0);
		if (root->found)
			break;
		root->partition = find_partition(&img);
		root->found = root->partition;
	}
	close(img.fd);
	return 0;
}
