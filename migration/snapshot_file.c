// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a file that is whole or not there
 *
 * The file is written without a name (O_TMPFILE) where the file system can do
 * that, so that not even a power cut leaves a part of it behind, else under a
 * temporary name in the folder that it is meant for. When all of it is on
 * stable storage it gets its name by a link, or by a rename, which replaces an
 * older file at once, and the folder is synced.
 *
 * Threads: one at a time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migration/image.h"
#include "migration/snapshot_file.h"

/* The folder of @f->path, and the name in it. */
static int open_folder(struct snapshot_file *f, struct error *err)
{
	char *slash = strrchr(f->path, '/');

	f->name = slash ? slash + 1 : f->path;
	if (!*f->name || !strcmp(f->name, ".") || !strcmp(f->name, ".."))
		return error_set(err, -EISDIR,
				 "%s: a file's name is needed, not a folder's",
				 f->path);
	if (!slash) {
		f->dirfd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else if (slash == f->path) {
		f->dirfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		*slash = '\0';
		f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*slash = '/';
	}
	if (f->dirfd < 0)
		return error_set(err, -errno, "%s: its folder: %m", f->path);
	return 0;
}

/* Whoever mistypes a name shall not lose a disk by it. */
static int check_snapshot(const struct snapshot_file *f, struct error *err)
{
	struct channel_file_config config = {
		.dirfd = f->dirfd, .path = f->name,
	};
	struct image *image;
	struct channel *ch;
	int ret;

	ret = channel_file_open(&config, &ch, NULL);
	if (!ret) {
		ret = image_open(ch, &image, NULL);
		if (!ret)
			image_free(image);
		channel_close(ch);
	}
	return ret ? error_set(err, -EEXIST,
			       "%s exists and is not a snapshot; name another file, or use --force to replace it",
			       f->path) : 0;
}

/* A snapshot that is there may be replaced, nothing else unless @force. */
static int check_target(const struct snapshot_file *f, bool force,
			struct error *err)
{
	struct stat st;

	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 :
		       error_set(err, -errno, "%s: %m", f->path);
	if (S_ISREG(st.st_mode))
		return force || !st.st_size ? 0 : check_snapshot(f, err);
	return error_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
			 "%s exists and is not a regular file", f->path);
}

static int random_name(struct snapshot_file *f, struct error *err)
{
	u64 bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		return error_set(err, -EIO, "no random numbers: %m");
	snprintf(f->temp, sizeof(f->temp), ".lkvm-%016llx.tmp", bits);
	return 0;
}

static int open_file(struct snapshot_file *f, struct error *err)
{
	struct channel_file_config config = {
		.dirfd = f->dirfd,
		.path = ".",
		.write = true,
		.unnamed = true,
		.direct = true,
	};
	struct error first = ERROR_INIT;
	int ret;

	ret = channel_file_open(&config, &f->ch, &first);
	if (ret == -EOPNOTSUPP || ret == -EISDIR || ret == -EINVAL) {
		ret = random_name(f, err);
		if (ret)
			return ret;
		config.path = f->temp;
		config.unnamed = false;
		config.create = true;
		ret = channel_file_open(&config, &f->ch, &first);
		if (ret)
			f->temp[0] = '\0';
	}
	if (ret)
		return error_set(err, ret, "%s: cannot be created: %s",
				 f->path, strerror(-ret));
	return channel_rename(f->ch, f->path, err);
}

/**
 * snapshot_file_create() - begin a file
 * @f: to be filled; ended by snapshot_file_commit() or snapshot_file_abort()
 * @path: where it will be
 * @force: it may replace any file, not only an empty one or a snapshot
 * @err: filled on failure
 *
 * Return: 0; -EISDIR for a folder; -EINVAL for a pipe, a device or a link;
 * -EEXIST for a file that is not to be replaced; or what the system said. On
 * failure nothing is left.
 */
int snapshot_file_create(struct snapshot_file *f, const char *path,
			 bool force, struct error *err)
{
	int ret;

	memset(f, 0, sizeof(*f));
	f->dirfd = -1;
	f->path = strdup(path);
	if (!f->path)
		return error_set(err, -ENOMEM, "out of memory");
	ret = open_folder(f, err);
	if (!ret)
		ret = check_target(f, force, err);
	if (!ret)
		ret = open_file(f, err);
	if (ret)
		snapshot_file_abort(f);
	return ret;
}

/*
 * A file without a name gets its own one if nobody has it, in one step; else a
 * temporary one first, since a link cannot replace.
 */
static int give_name(struct snapshot_file *f, struct error *err)
{
	char proc[64];
	int ret;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d",
		 channel_file_fd(f->ch));
	if (!linkat(AT_FDCWD, proc, f->dirfd, f->name, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno != EEXIST)
		return error_set(err, -errno, "%s: link: %m", f->path);
	ret = random_name(f, err);
	if (ret)
		return ret;
	if (linkat(AT_FDCWD, proc, f->dirfd, f->temp, AT_SYMLINK_FOLLOW) < 0) {
		f->temp[0] = '\0';
		return error_set(err, -errno, "%s: link: %m", f->path);
	}
	return 0;
}

/**
 * snapshot_file_commit() - the file is whole: give it its name
 * @f: the file; synced by its writer; it is ended also on failure
 * @err: filled on failure
 *
 * Return: 0 when it is there, and will be after a power cut; else a negative
 * errno, and nothing is left, or an older file of that name.
 */
int snapshot_file_commit(struct snapshot_file *f, struct error *err)
{
	int ret;

	ret = f->temp[0] ? 0 : give_name(f, err);
	if (!ret && f->temp[0] && renameat(f->dirfd, f->temp, f->dirfd, f->name) < 0)
		ret = error_set(err, -errno, "%s: rename: %m", f->path);
	if (!ret) {
		f->temp[0] = '\0';
		if (fsync(f->dirfd) < 0)
			ret = error_set(err, -errno, "%s: sync of its folder: %m",
					f->path);
	}
	snapshot_file_abort(f);
	return ret;
}

/**
 * snapshot_file_abort() - leave nothing behind
 * @f: the file
 */
void snapshot_file_abort(struct snapshot_file *f)
{
	if (f->temp[0])
		unlinkat(f->dirfd, f->temp, 0);
	channel_close(f->ch);
	if (f->dirfd >= 0)
		close(f->dirfd);
	free(f->path);
	memset(f, 0, sizeof(*f));
	f->dirfd = -1;
}
