// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the disks of a machine in its snapshot
 *
 * At the snapshot's moment, when the guest stands still and its requests have
 * ended, each disk is flushed, and either its state is noted or it is copied
 * into a file beside the image. Flushing once before the guest is stopped makes
 * the stop shorter.
 *
 * Image and copies appear together or not at all: the copies are files without
 * names until the image is on stable storage, get theirs before the image gets
 * its own, and lose them again when that fails. Their names have a part of the
 * image's random identifier in them, so the copies of an older image of the
 * same name are left alone until they are not needed any more.
 *
 * Threads: begin and moment on the main loop, the others on the thread that
 * writes the image, not at the same time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migration/disks.h"
#include "migration/image.h"
#include "vmm/base/math.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What a private copy holds ends with the machine that works on it. */
static int check_lasts(const struct disk *disk, struct error *err)
{
	struct stat st;

	if (disk->fd < 0 || fstat(disk->fd, &st) < 0 || st.st_nlink ||
	    S_ISBLK(st.st_mode))
		return 0;
	return error_set(err, -EINVAL,
			 "%s: its disk has no name and ends with this machine; use --with-disks to keep its contents",
			 disk->name);
}

static int begin_copy(struct disk_save *ds, u32 i,
		      const struct disk_save_request *req, struct error *err)
{
	struct disk *disk = &ds->list.v[i];
	char *path;
	int ret;

	if (disk->fd < 0 || disk->state.readonly)
		return 0;
	if (asprintf(&path, "%s.%s-%02x%02x%02x%02x.img", req->path,
		     disk->name, req->id[0], req->id[1], req->id[2],
		     req->id[3]) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	disk->copy = strdup(base_name(path));
	ret = disk->copy ? snapshot_file_create(&ds->files[i], path, false,
						err) :
	      error_set(err, -ENOMEM, "out of memory");
	free(path);
	if (ret)
		return ret;
	ds->files[i].ch->control = req->control;
	ds->total += disk->state.size;
	if (ds->folder >= 0)
		return 0;
	ds->folder = fcntl(ds->files[i].dirfd, F_DUPFD_CLOEXEC, 0);
	return ds->folder < 0 ? error_set(err, -errno, "%s: %m", req->path) :
				0;
}

static void add_stale(struct disk_save *ds, const struct disk_list *old,
		      const char *name)
{
	size_t len = strlen(name);
	u32 i;

	ds->stale = calloc(old->nr ? old->nr : 1, sizeof(*ds->stale));
	for (i = 0; ds->stale && i < old->nr; i++) {
		const char *copy = old->v[i].copy;

		/* An image may say anything; only its own are removed. */
		if (!copy || strncmp(copy, name, len) || copy[len] != '.')
			continue;
		ds->stale[ds->stale_nr] = strdup(copy);
		if (ds->stale[ds->stale_nr])
			ds->stale_nr++;
	}
}

/* Without it stale copies stay, which does no harm. */
static void open_folder(struct disk_save *ds, const char *path)
{
	char *folder = strndup(path, (size_t)(base_name(path) - path));

	if (folder && ds->folder < 0)
		ds->folder = open(*folder ? folder : ".",
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
}

/* What is not an image, or has no such note, has no copies either. */
static void find_stale(struct disk_save *ds, const char *path)
{
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path,
	};
	const struct image_note *note = NULL;
	struct error err = ERROR_INIT;
	struct image *image = NULL;
	struct disk_list old;
	struct channel *ch;

	if (channel_file_open(&config, &ch, &err))
		return;
	if (!image_open(ch, &image, &err))
		note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_DISKS);
	if (note) {
		if (!disk_list_decode(&old, note->data, note->len, &err))
			add_stale(ds, &old, base_name(path));
		disk_list_free(&old);
	}
	if (ds->stale_nr)
		open_folder(ds, path);
	image_free(image);
	channel_close(ch);
}

static int begin(struct disk_save *ds, struct vm *vm,
		 const struct disk_save_request *req, struct error *err)
{
	int ret;
	u32 i;

	ret = disk_list_collect(&ds->list, vm, err);
	if (ret)
		return ret;
	ds->files = calloc(ds->list.nr ? ds->list.nr : 1, sizeof(*ds->files));
	if (!ds->files)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < ds->list.nr; i++)
		ds->files[i].dirfd = -1;
	for (i = 0; i < ds->list.nr && !ret; i++)
		ret = req->copying == DISK_COPY_NONE ?
		      check_lasts(&ds->list.v[i], err) :
		      begin_copy(ds, i, req, err);
	return ret;
}

/**
 * disk_save_begin() - which disks there are, and files for their copies
 * @ds: to be filled; ended by disk_save_finish() or disk_save_abort()
 * @vm: the machine
 * @req: what is wanted
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0 or a negative errno, and nothing is left.
 */
int disk_save_begin(struct disk_save *ds, struct vm *vm,
		    const struct disk_save_request *req, struct error *err)
{
	int ret;

	memset(ds, 0, sizeof(*ds));
	ds->folder = -1;
	ds->copying = req->copying;
	ret = begin(ds, vm, req, err);
	if (ret)
		disk_save_abort(ds);
	else
		find_stale(ds, req->path);
	return ret;
}

/**
 * disk_save_flush() - have the disks written out
 * @ds: the disks
 * @err: filled on failure
 *
 * Context: may block for long; the guest may run.
 * Return: 0 or a negative errno.
 */
int disk_save_flush(struct disk_save *ds, struct error *err)
{
	u32 i;

	for (i = 0; i < ds->list.nr; i++) {
		const struct disk *disk = &ds->list.v[i];

		if (disk->fd >= 0 && !disk->state.readonly &&
		    fsync(disk->fd) < 0)
			return error_set(err, -errno, "%s: %s: flush: %m",
					 disk->name, disk->path);
	}
	return 0;
}

/* 0: shared; 1: it cannot be, so copy. */
static int try_clone(struct disk_save *ds, struct channel *to,
		     struct channel *from, struct error *err)
{
	struct error why = ERROR_INIT;
	int ret;

	if (ds->copying == DISK_COPY_FULL)
		return 1;
	ret = channel_clone(to, from, &why);
	if (!ret)
		return 0;
	if (ds->copying == DISK_COPY_REFLINK)
		return error_set(err, ret,
				 "%s; use --with-disks=copy, or a folder on the disk's file system if that can share contents (XFS, Btrfs)",
				 why.text);
	if (ret == -ENOSPC || ret == -EDQUOT || ret == -EIO)
		return error_copy(err, &why);
	return 1;
}

static int copy_disk(struct disk_save *ds, u32 i, struct error *err)
{
	struct disk *disk = &ds->list.v[i];
	struct channel *to = ds->files[i].ch, *from;
	char path[40];
	struct channel_file_config config = {
		.dirfd = AT_FDCWD, .path = path, .device = true,
		.direct = true,
	};
	s64 size;
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk->fd);
	ret = channel_file_open(&config, &from, err);
	if (ret)
		return ret;
	ret = channel_rename(from, disk->path, err);
	size = ret ? ret : channel_size(from, err);
	ret = size < 0 ? (int)size : try_clone(ds, to, from, err);
	if (ret == 1)
		ret = channel_copy_all(to, from, (u64)size, &ds->done, err);
	else
		atomic_fetch_add(&ds->done, disk->state.size);
	channel_close(from);
	return ret;
}

static int moment(struct disk_save *ds, u32 i, struct error *err)
{
	struct disk *disk = &ds->list.v[i];
	int fd = disk->fd, ret = 0;

	if (disk->copy) {
		ret = copy_disk(ds, i, err);
		fd = channel_file_fd(ds->files[i].ch);
	}
	if (!ret)
		ret = disk_state_look(fd, disk->path, NULL, &disk->state,
				      err);
	return ret ? error_prefix(err, "%s", disk->name) : 0;
}

/**
 * disk_save_moment() - note the disks as they are now, or copy them
 * @ds: the disks
 * @image: gets the note
 * @err: filled on failure
 *
 * Context: main loop, the guest stands still; takes long when disks have to be
 * copied byte for byte. &disk_save_request.control cancels.
 * Return: 0 or a negative errno.
 */
int disk_save_moment(struct disk_save *ds, struct image *image,
		     struct error *err)
{
	void *blob;
	u32 len, i;
	int ret;

	ret = disk_save_flush(ds, err);
	for (i = 0; i < ds->list.nr && !ret; i++)
		ret = moment(ds, i, err);
	if (ret)
		return ret;
	ret = disk_list_encode(&ds->list, &blob, &len, err);
	if (ret)
		return ret;
	ret = image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_DISKS, blob, len,
			     err);
	free(blob);
	return ret;
}

/**
 * disk_save_commit() - the copies are whole: give them their names
 * @ds: the disks; on failure disk_save_abort() takes the names away
 * @err: filled on failure
 *
 * Before the image gets its own.
 *
 * Context: may block for long.
 * Return: 0 or a negative errno.
 */
int disk_save_commit(struct disk_save *ds, struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < ds->list.nr && !ret; i++)
		if (ds->files[i].ch)
			ret = channel_sync(ds->files[i].ch, err);
	for (; ds->committed < ds->list.nr && !ret; ds->committed++)
		if (ds->files[ds->committed].ch)
			ret = snapshot_file_commit(&ds->files[ds->committed],
						   err);
	return ret;
}

static void free_all(struct disk_save *ds)
{
	u32 i;

	for (i = 0; ds->files && i < ds->list.nr; i++)
		snapshot_file_abort(&ds->files[i]);
	free(ds->files);
	while (ds->stale_nr)
		free(ds->stale[--ds->stale_nr]);
	free(ds->stale);
	if (ds->folder >= 0)
		close(ds->folder);
	disk_list_free(&ds->list);
	ds->files = NULL;
	ds->stale = NULL;
	ds->committed = 0;
	ds->folder = -1;
}

/**
 * disk_save_finish() - the image has its name
 * @ds: the disks; freed
 *
 * The copies that belonged to the image that was replaced are removed.
 */
void disk_save_finish(struct disk_save *ds)
{
	u32 i;

	for (i = 0; i < ds->stale_nr && ds->folder >= 0; i++)
		unlinkat(ds->folder, ds->stale[i], 0);
	free_all(ds);
}

/**
 * disk_save_abort() - there will be no image: leave nothing behind
 * @ds: the disks; freed. Nothing happens when it was ended already
 */
void disk_save_abort(struct disk_save *ds)
{
	u32 i;

	for (i = 0; i < ds->committed && ds->folder >= 0; i++)
		if (ds->list.v[i].copy)
			unlinkat(ds->folder, ds->list.v[i].copy, 0);
	free_all(ds);
}
