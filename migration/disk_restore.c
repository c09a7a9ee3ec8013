// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the disks of a machine that is restored
 *
 * The description in an image names the disks as they were given to the machine
 * that was saved, perhaps relative to its folder. Before the machine is built
 * each such name that the user has not replaced becomes the absolute path of
 * the disk, or of its copy beside the image, or of a private copy of one of
 * them: a file without a name, made on the spot, which shares its contents
 * where the file system can and ends with the machine. So many machines run
 * from one image.
 *
 * A disk is compared with what the image says of it: one that gets a private
 * copy before and after that is made, the others when the machine has been
 * built and holds their locks.
 *
 * Threads: the main loop's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migration/disks.h"
#include "vmm/description.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define TEMPORARY	"/var/tmp"

/* Where the contents are: a path that the caller frees. */
static char *find_source(const struct disk *disk, const char *image_path)
{
	const char *slash = strrchr(image_path, '/');
	char *path;

	if (!disk->copy)
		return strdup(disk->path);
	if (asprintf(&path, "%.*s%s", slash ? (int)(slash + 1 - image_path) : 0,
		     image_path, disk->copy) < 0)
		return NULL;
	return path;
}

static int check_there(const struct disk *disk, const char *path,
		       const struct description_device *dev, struct error *err)
{
	if (access(path, F_OK) == 0)
		return 0;
	return error_set(err, -errno,
			 "%s: its disk %s is not there (%m): bring it back, or name another one with --%s %u=FILE",
			 disk->name, path, dev->class->name, dev->index);
}

/* A file without a name beside @path, or where temporary files are. */
static int open_private(const char *path, struct channel **out,
			struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .write = true, .unnamed = true,
		.direct = true,
	};
	struct error first = ERROR_INIT;
	char *folder;
	int ret;

	folder = slash ? strndup(path, (size_t)(slash - path) + 1) :
			 strdup(".");
	if (!folder)
		return error_set(err, -ENOMEM, "out of memory");
	config.path = folder;
	ret = channel_file_open(&config, out, &first);
	free(folder);
	if (!ret)
		return 0;
	config.path = getenv("TMPDIR");
	if (!config.path)
		config.path = TEMPORARY;
	ret = channel_file_open(&config, out, err);
	return ret ? error_prefix(err, "%s: no place for a private copy",
				  path) : 0;
}

static int fill_private(const struct disk *disk, struct channel *to,
			struct channel *from,
			const struct disk_restore_request *req,
			struct error *err)
{
	struct error why = ERROR_INIT;
	struct disk_state now = { .readonly = disk->state.readonly };
	s64 size;
	int ret, round;

	size = channel_size(from, err);
	if (size < 0)
		return (int)size;
	to->control = req->control;
	/* Once more afterwards: somebody might write to it meanwhile. */
	for (round = 0, ret = 0; round < 2 && !ret; round++) {
		ret = disk_state_look(channel_file_fd(from), from->name,
				      &disk->state, &now, err);
		if (!ret)
			ret = disk_state_compare(&disk->state, &now,
						 from->name, req->force, err);
		if (!ret && !round && channel_clone(to, from, &why))
			ret = channel_copy_all(to, from, (u64)size, NULL, err);
	}
	return ret;
}

static int make_private(struct disk *disk, const char *path,
			const struct disk_restore_request *req,
			struct error *err)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path, .device = true,
	};
	struct channel *from, *to;
	int ret;

	ret = channel_file_open(&config, &from, err);
	if (ret)
		return ret;
	ret = open_private(path, &to, err);
	if (!ret) {
		ret = fill_private(disk, to, from, req, err);
		if (ret)
			channel_close(to);
		else
			disk->private_copy = to;
	}
	channel_close(from);
	return ret;
}

static int resolve(struct disk *disk, struct description_device *dev,
		   const struct disk_restore_request *req, struct error *err)
{
	char *path = find_source(disk, req->image_path);
	bool cow = req->mode == DISK_MODE_COW ||
		   (req->mode == DISK_MODE_AUTO && disk->copy);
	char private[40];
	int ret;

	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	ret = check_there(disk, path, dev, err);
	if (!ret && cow && !disk->state.readonly) {
		ret = make_private(disk, path, req, err);
		if (!ret) {
			snprintf(private, sizeof(private), "/proc/self/fd/%d",
				 channel_file_fd(disk->private_copy));
			disk->settled = true;
		}
	}
	if (!ret)
		ret = option_swap_text(dev->class->options, dev->config,
				       disk->mark, disk->private_copy ?
				       private : path, err);
	free(path);
	return ret < 0 ? ret : 0;
}

/**
 * disk_list_mark() - have the user replace disks
 * @list: from the image
 * @d: the machine's description; what stands in it for a disk that was not
 *     replaced is found again by disk_list_resolve()
 * @err: filled on failure
 *
 * The user may name the same path that the machine had, and means it.
 *
 * Return: 0, -EINVAL for a disk of a device that there is not, or -ENOMEM.
 */
int disk_list_mark(struct disk_list *list, struct description *d,
		   struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < list->nr && ret >= 0; i++) {
		struct disk *disk = &list->v[i];
		struct description_device *dev = disk_find_device(d, disk->device);

		if (!dev)
			return error_set(err, -EINVAL,
					 "disks: the machine has no device %s",
					 disk->device);
		if (disk->state.kind == DISK_NOTHING)
			continue;
		snprintf(disk->mark, sizeof(disk->mark), "disk:%s",
			 disk->name);
		ret = option_swap_text(dev->class->options, dev->config,
				       disk->given, disk->mark, err);
	}
	return ret < 0 ? ret : 0;
}

/**
 * disk_list_resolve() - find the disks of a machine that is going to be built
 * @list: from the image
 * @d: the machine's description, marked, in which the user has replaced what he
 *     wanted; the names of other disks are replaced here
 * @req: what is wanted
 * @err: filled on failure
 *
 * Context: takes long when disks have to be copied byte for byte.
 * Return: 0; -ENOENT for a disk that is not there; as disk_state_compare(); or
 * what the system said.
 */
int disk_list_resolve(struct disk_list *list, struct description *d,
		      const struct disk_restore_request *req,
		      struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < list->nr && !ret; i++) {
		struct disk *disk = &list->v[i];
		struct description_device *dev = disk_find_device(d, disk->device);

		if (dev && *disk->mark &&
		    option_has_text(dev->class->options, dev->config,
				    disk->mark))
			ret = resolve(disk, dev, req, err);
	}
	return ret;
}

static int check_disk(struct disk *then, const struct disk_list *there,
		      bool force, struct error *err)
{
	const struct disk *now = disk_list_find(there, then);
	struct disk_state state;
	int ret;

	if (!now)
		return error_set(err, -EINVAL,
				 "%s: the saved machine had this disk, and now it has none",
				 then->name);
	if (then->settled)
		return 0;
	state = now->state;
	ret = disk_state_look(now->fd, now->path, &then->state, &state, err);
	if (!ret)
		ret = disk_state_compare(&then->state, &state, now->path,
					 force, err);
	return ret ? error_prefix(err, "%s", then->name) : 0;
}

/**
 * disk_list_check() - do the disks fit the memory of the image?
 * @list: from the image
 * @vm: the machine, built, with its disks open and locked
 * @force: also disks that were written since
 * @err: filled on failure
 *
 * Context: main loop; before the guest runs.
 * Return: 0, or as disk_state_compare().
 */
int disk_list_check(struct disk_list *list, struct vm *vm, bool force,
		    struct error *err)
{
	struct disk_list there;
	int ret;
	u32 i;

	ret = disk_list_collect(&there, vm, err);
	for (i = 0; i < list->nr && !ret; i++)
		ret = check_disk(&list->v[i], &there, force, err);
	disk_list_free(&there);
	return ret;
}
