// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the disks of a machine on its way to another host
 *
 * Its disks stay where they are: both hosts reach the same files or devices.
 * The source says which they are, and here they are looked for before the
 * machine is built, and compared when they are open. Within one host a file
 * system's and a file's number tell whether it is the same. Between two hosts
 * they do not; there the size must be right, and a disk that is locked at the
 * source should be seen as locked here.
 *
 * What cannot be known: whose lock it is that is seen on the disk of another
 * host, and whether a disk without a lock is the right one. The latter is said.
 *
 * Threads: the main loop's.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "migration/disks.h"
#include "migration/findings.h"
#include "vmm/description.h"
#include "vmm/lock_holder.h"

#define WHAT	"disk"

/**
 * disk_list_identify() - say which disks a machine has, at the source
 * @list: from disk_list_collect()
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int disk_list_identify(struct disk_list *list, struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < list->nr; i++)
		ret = disk_state_identify(list->v[i].fd, list->v[i].name,
					  &list->v[i].state, err);
	return ret;
}

/**
 * disk_list_reach() - can the disks be opened here?
 * @list: from the source
 * @d: the machine's description, in which the user has replaced what he wanted;
 *     those that he has replaced are not looked at
 * @f: gets those that cannot
 */
void disk_list_reach(const struct disk_list *list, struct description *d,
		     struct findings *f)
{
	struct error why = ERROR_INIT;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		const struct disk *disk = &list->v[i];
		struct description_device *dev =
			disk_find_device(d, disk->device);
		int fd;

		if (!dev || disk->state.kind == DISK_NOTHING ||
		    !option_has_text(dev->class->options, dev->config,
				     disk->given))
			continue;
		fd = open(disk->given, (disk->state.readonly ? O_RDONLY :
			  O_RDWR) | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0) {
			close(fd);
			continue;
		}
		error_set(&why, -errno,
			  "%s: %.200s: %m: make it reachable here, too, or name the path that it has here with 'lkvm receive --%s %u=FILE'",
			  disk->name, disk->given, dev->class->name,
			  dev->index);
		findings_add(f, true, WHAT, why.text);
	}
}

/* Are the numbers of the two those of one running host? */
static bool same_host(const struct disk_state *a, const struct disk_state *b)
{
	static const u8 unknown[sizeof(a->boot_id)];

	return memcmp(a->boot_id, unknown, sizeof(unknown)) &&
	       !memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id));
}

static bool same_file(const struct disk_state *a, const struct disk_state *b)
{
	return a->kind == b->kind && a->inode == b->inode &&
	       a->filesystem == b->filesystem;
}

/* 1: somebody has it locked; 0: nobody; negative: it has no locks. */
static int is_locked(const struct disk *disk)
{
	struct flock lock = {
		.l_type = disk->state.readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(disk->fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

static void add(struct findings *f, bool stops, const struct disk *disk,
		const char *text)
{
	struct error line = ERROR_INIT;

	error_set(&line, -EINVAL, "%s: %.200s %s", disk->name, disk->path,
		  text);
	findings_add(f, stops, WHAT, line.text);
}

/* Another disk than the source's: whoever has it locked is not the source. */
static void find_user(const struct disk *disk, struct findings *f)
{
	char holder[LOCK_HOLDER_MAX];
	struct error line = ERROR_INIT;

	if (is_locked(disk) <= 0)
		return;
	lock_holder(disk->fd, holder, sizeof(holder));
	error_set(&line, -EBUSY, "is in use by %s", holder);
	add(f, true, disk, line.text);
}

static void compare_there(const struct disk *disk, struct findings *f)
{
	int locked = is_locked(disk);

	if (locked < 0)
		add(f, false, disk,
		    "is in a file system without locks: make sure that no other machine uses it");
	else if (!locked && !disk->state.readonly)
		add(f, false, disk,
		    "is not locked as seen from here, and the source has it locked: make sure that it is the same disk, and that nobody else uses it");
}

static void compare(const struct disk *from, const struct disk *disk,
		    struct findings *f)
{
	struct error line = ERROR_INIT;

	if ((from->state.kind == DISK_NOTHING) !=
	    (disk->state.kind == DISK_NOTHING)) {
		add(f, true, disk, "stores something on one side only");
		return;
	}
	if (from->state.size != disk->state.size) {
		error_set(&line, -EINVAL,
			  "has %llu bytes, and the source's disk %llu: it is another one, name the path of that one",
			  disk->state.size, from->state.size);
		add(f, true, disk, line.text);
	}
	if (disk->state.kind == DISK_NOTHING)
		return;
	if (!same_host(&from->state, &disk->state)) {
		compare_there(disk, f);
	} else if (!same_file(&from->state, &disk->state)) {
		if (from->state.size == disk->state.size)
			add(f, true, disk,
			    "is not the disk that the source has: name the path of that one");
		find_user(disk, f);
	}
}

/**
 * disk_list_same() - are the disks those that the source has?
 * @list: from the source
 * @vm: the machine, built here, its disks open and not locked
 * @f: gets what is wrong with them
 * @err: filled on failure
 *
 * Context: the main loop.
 * Return: 0 when they could be looked at, whatever was found; else a negative
 * errno.
 */
int disk_list_same(const struct disk_list *list, struct vm *vm,
		   struct findings *f, struct error *err)
{
	struct error line = ERROR_INIT;
	struct disk_list here;
	int ret;
	u32 i;

	ret = disk_list_collect(&here, vm, err);
	if (!ret)
		ret = disk_list_identify(&here, err);
	for (i = 0; !ret && i < list->nr; i++) {
		const struct disk *disk = disk_list_find(&here, &list->v[i]);

		if (disk) {
			compare(&list->v[i], disk, f);
			continue;
		}
		error_set(&line, -EINVAL,
			  "%s: the machine has this disk at the source and not here",
			  list->v[i].name);
		findings_add(f, true, WHAT, line.text);
	}
	disk_list_free(&here);
	return ret;
}
