// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: opening image files and block devices
 *
 * The file is opened without waiting (a FIFO must not hang us), looked at, and
 * then its flags are set: O_DIRECT, unless the cache option or the file system
 * is against it. What direct I/O needs is asked with statx() (STATX_DIOALIGN,
 * Linux 6.1); where that says nothing it is tried out with reads.
 *
 * A block device that is mounted is refused for writing: the kernel knows that
 * (O_EXCL). Between machines the lock decides, see lock.c.
 *
 * Discards on a block device: FALLOC_FL_PUNCH_HOLE promises zeros and works
 * where the device has Write Zeroes; otherwise BLKDISCARD promises nothing.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devices/block/block_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

#define SECTOR		512U
#define BLOCK_SIZE_MAX	65536U

static int file_lock(struct block *blk, struct error *err)
{
	return block_lock_file(block_file_of(blk)->fd, blk->path,
			       blk->info.readonly, err);
}

static void file_unlock(struct block *blk)
{
	block_unlock_file(block_file_of(blk)->fd);
}

static void file_close(struct block *blk)
{
	struct block_file *file = block_file_of(blk);

	block_worker_stop(&file->worker);
	if (file->zeroes)
		munmap(file->zeroes, BLOCK_ZEROES_BYTES);
	if (file->fd >= 0)
		close(file->fd);
	block_fini(blk);
	free(file);
}

static const struct block_ops file_ops = {
	.submit	= block_file_submit,
	.cancel	= block_file_cancel,
	.lock	= file_lock,
	.unlock	= file_unlock,
	.close	= file_close,
};

static const char *remedy(int code, bool readonly)
{
	switch (code) {
	case ENOENT:
		return "; make one with \"truncate -s 8G FILE\", say";
	case EACCES:
	case EPERM:
	case EROFS:
		return readonly ? "" : "; add \",ro\" if reading is enough";
	default:
		return "";
	}
}

static int open_file(struct block_file *file, struct error *err)
{
	struct block *blk = &file->blk;
	bool ro = blk->info.readonly;
	struct stat st;

	file->fd = open(blk->path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC |
			O_NONBLOCK | O_NOCTTY);
	if (file->fd < 0 && errno == EISDIR)
		return error_set(err, -EISDIR,
				 "%s: a directory, not a disk image", blk->path);
	if (file->fd < 0)
		return error_set(err, -errno, "%s: cannot open the disk: %m%s",
				 blk->path, remedy(errno, ro));
	if (fstat(file->fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", blk->path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR,
				 "%s: a directory, not a disk image", blk->path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, -EINVAL,
				 "%s: neither a file nor a block device",
				 blk->path);
	blk->info.is_device = S_ISBLK(st.st_mode);
	blk->info.fd = file->fd;
	return 0;
}

/* The kernel claims devices that are mounted, or swap, or part of a RAID. */
static int check_not_mounted(struct block_file *file, struct error *err)
{
	const struct block *blk = &file->blk;
	int fd;

	if (!blk->info.is_device || blk->info.readonly)
		return 0;
	fd = open(blk->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		return error_set(err, -EBUSY,
				 "%s: in use by this host (mounted, swap, RAID): unmount it, or add \",ro\"",
				 blk->path);
	return 0;
}

/* Reads with O_DIRECT: do they work with this alignment? */
static bool direct_works(int fd, u8 *buf, u32 align)
{
	ssize_t got;

	do
		got = pread(fd, buf + align, align, 0);
	while (got < 0 && errno == EINTR);
	return got >= 0 || errno != EINVAL;
}

/* The smallest that works, 0 when none does. */
static u32 probe_alignment(int fd)
{
	u32 align = 0;
	u8 *buf = aligned_alloc(BLOCK_MEM_ALIGN_MAX * 2,
				BLOCK_MEM_ALIGN_MAX * 2);

	if (!buf)
		return 0;
	for (align = SECTOR; align <= BLOCK_MEM_ALIGN_MAX; align *= 2)
		if (direct_works(fd, buf, align))
			break;
	free(buf);
	return align <= BLOCK_MEM_ALIGN_MAX ? align : 0;
}

static bool set_alignment(struct block_file *file, u32 mem, u32 len)
{
	if (!is_power_of_2(mem) || mem > BLOCK_MEM_ALIGN_MAX ||
	    !is_power_of_2(len) || len > BLOCK_SIZE_MAX)
		return false;
	file->mem_mask = mem - 1;
	file->len_mask = max_of(len, SECTOR) - 1;
	return true;
}

static bool ask_alignment(struct block_file *file)
{
	u32 align;
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN))
		return set_alignment(file, stx.stx_dio_mem_align,
				     stx.stx_dio_offset_align);
#endif
	align = probe_alignment(file->fd);
	return set_alignment(file, align, align);
}

/* Clears O_NONBLOCK too, which io_uring would take at its word. */
static int choose_cache(struct block_file *file, enum block_cache cache,
			struct error *err)
{
	struct block_info *info = &file->blk.info;

	if (cache == BLOCK_CACHE_NONE) {
		info->direct = fcntl(file->fd, F_SETFL, O_DIRECT) == 0 &&
			       ask_alignment(file);
		if (!info->direct)
			log_debug("%s: no direct I/O here, the host's page cache is used",
				  file->blk.path);
	}
	if (!info->direct && fcntl(file->fd, F_SETFL, 0) < 0)
		return error_set(err, -errno, "%s: %m", file->blk.path);
	return 0;
}

static int get_size(struct block_file *file, u64 *size, struct error *err)
{
	struct stat st;

	if (file->blk.info.is_device) {
		if (ioctl(file->fd, BLKGETSIZE64, size) == 0)
			return 0;
	} else if (fstat(file->fd, &st) == 0) {
		*size = (u64)st.st_size;
		return 0;
	}
	return error_set(err, -errno, "%s: cannot tell its size: %m",
			 file->blk.path);
}

static void get_block_sizes(struct block_file *file)
{
	struct block_info *info = &file->blk.info;
	unsigned int physical;
	int logical;

	info->logical_block_size = info->direct ? file->len_mask + 1 : SECTOR;
	info->physical_block_size = BLOCK_MEM_ALIGN_MAX;
	if (!info->is_device)
		return;
	if (ioctl(file->fd, BLKSSZGET, &logical) == 0 &&
	    logical > (int)SECTOR) {
		file->sector_mask = (u32)logical - 1;
		if (info->direct && logical > (int)info->logical_block_size)
			info->logical_block_size = (u32)logical;
	}
	if (ioctl(file->fd, BLKPBSZGET, &physical) == 0 && physical)
		info->physical_block_size = physical;
}

static int check_size(struct block_file *file, struct error *err)
{
	struct block_info *info = &file->blk.info;
	u64 size;
	int ret;

	ret = get_size(file, &size, err);
	if (ret < 0)
		return ret;
	if (!size)
		return error_set(err, -EINVAL,
				 "%s: empty; give it a size with \"truncate -s 8G FILE\", say",
				 file->blk.path);
	if (size < info->logical_block_size)
		return error_set(err, -EINVAL,
				 "%s: its %llu bytes are less than a block of %u",
				 file->blk.path, (unsigned long long)size,
				 info->logical_block_size);
	info->size = round_down_to(size, info->logical_block_size);
	if (info->size != size)
		log_warning("%s: %llu bytes at the end are not a whole block of %u and not used",
			    file->blk.path,
			    (unsigned long long)(size - info->size),
			    info->logical_block_size);
	return 0;
}

/* A limit of the device's request queue, 0 when there is none to be seen. */
static u64 queue_limit(int fd, const char *name)
{
	static const char *const places[] = { "queue", "../queue" };
	unsigned long long value = 0;
	char path[128];
	struct stat st;
	u32 i;

	if (fstat(fd, &st) < 0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		FILE *f;
		bool ok;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s",
			 major(st.st_rdev), minor(st.st_rdev), places[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		ok = fscanf(f, "%llu", &value) == 1;
		fclose(f);
		if (ok)
			return value;
	}
	return 0;
}

static int prepare_discard(struct block_file *file, struct error *err)
{
	struct block_info *info = &file->blk.info;
	u64 granularity;
	int ret;

	/* Parts of a sector, which the page cache allows, are not discarded. */
	info->zero_after_discard = file->sector_mask <
				   info->logical_block_size;
	if (!file->blk.discard || info->readonly)
		return 0;
	info->discard_granularity = info->physical_block_size;
	if (!info->is_device)
		return 0;
	granularity = queue_limit(file->fd, "discard_granularity");
	info->discard_granularity = granularity <= UINT32_MAX ?
				    (u32)granularity : 0;
	if (queue_limit(file->fd, "write_zeroes_max_bytes"))
		return 0;
	info->zero_after_discard = false;
	if (!queue_limit(file->fd, "discard_max_bytes")) {
		info->discard_granularity = 0;
		file->blk.discard = false;
		return 0;
	}
	ret = block_worker_start(&file->worker, block_file_discard_ioctl);
	if (ret < 0)
		return error_set(err, ret, "%s: cannot start a thread: %s",
				 file->blk.path, strerror(-ret));
	file->discard_by_ioctl = true;
	return 0;
}

static int map_zeroes(struct block_file *file, struct error *err)
{
	void *map;

	if (file->blk.info.readonly)
		return 0;
	map = mmap(NULL, BLOCK_ZEROES_BYTES, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return error_set(err, -errno, "%s: out of memory",
				 file->blk.path);
	file->zeroes = map;
	return 0;
}

static int setup(struct block_file *file, const struct block_config *config,
		 struct error *err)
{
	int ret;

	ret = open_file(file, err);
	if (ret < 0)
		return ret;
	ret = check_not_mounted(file, err);
	if (ret < 0)
		return ret;
	ret = config->no_lock ? 0 : file_lock(&file->blk, err);
	if (ret < 0)
		return ret;
	ret = choose_cache(file, config->cache, err);
	if (ret < 0)
		return ret;
	get_block_sizes(file);
	ret = check_size(file, err);
	if (ret < 0)
		return ret;
	ret = prepare_discard(file, err);
	if (ret < 0)
		return ret;
	return map_zeroes(file, err);
}

/**
 * block_file_open() - open an image file or block device
 * @config: which, and how
 * @out: the disk
 * @err: what is wrong with it, and what to do
 *
 * Context: the main thread; may block.
 * Return: 0 or a negative errno; -EBUSY when somebody else uses it.
 */
int block_file_open(const struct block_config *config, struct block **out,
		    struct error *err)
{
	struct block_file *file;
	int ret;

	file = aligned_alloc(__alignof__(struct block_file), sizeof(*file));
	if (!file)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 config->path);
	memset(file, 0, sizeof(*file));
	file->fd = -1;
	if (block_init(&file->blk, &file_ops, config) < 0) {
		free(file);
		return error_set(err, -ENOMEM, "%s: out of memory",
				 config->path);
	}
	ret = setup(file, config, err);
	if (ret < 0) {
		file_close(&file->blk);
		return ret;
	}
	*out = &file->blk;
	return 0;
}
