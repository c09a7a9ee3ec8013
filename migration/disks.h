/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the disks of a machine in its image
 *
 *	disk_state.c	which one it is, and was it written since?
 *	disk_list.c	all of a machine, and their note in the image
 *	disk_save.c	at the snapshot's moment: note or copy them
 *	disk_restore.c	find them again, make private copies, compare
 *	disk_arrive.c	on the way to another host: are they the same?
 */
#ifndef LKVM_DISKS_H
#define LKVM_DISKS_H

#include <stdatomic.h>

#include "migration/channel.h"
#include "migration/snapshot_file.h"
#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct description;
struct description_device;
struct findings;
struct image;
struct vm;

#define DISKS_MAX	1024

/**
 * enum disk_kind - what is behind a disk
 * @DISK_NOTHING: it stores nothing
 * @DISK_FILE: a regular file
 * @DISK_DEVICE: a block device
 */
enum disk_kind {
	DISK_NOTHING,
	DISK_FILE,
	DISK_DEVICE,
};

/**
 * struct disk_state - which disk it is, and which of its generations
 * @kind: enum disk_kind
 * @readonly: the machine does not write it
 * @size: bytes
 * @filesystem: of a file: identifier of its file system
 * @inode: of a file: its number there
 * @birth_ns: of a file: when it was made, 0 when nobody knows
 * @mtime_ns: of a file: when it was written last
 * @ctime_ns: of a file: when its inode was changed last
 * @sequence: of a block device: its diskseq, different for each that appears
 *            while the host runs
 * @written_sectors: of a block device: how much was written to it since then
 * @fingerprint: XXH3 hash of some of its contents
 * @boot_id: when the host was started: of a block device, and of any disk of a
 *           machine that moves
 *
 * Documentation/image-format.rst tells what it can say and what not.
 */
struct disk_state {
	u32 kind;
	u32 readonly;
	u64 size;
	u64 filesystem;
	u64 inode;
	u64 birth_ns;
	u64 mtime_ns;
	u64 ctime_ns;
	u64 sequence;
	u64 written_sectors;
	u64 fingerprint;
	u8 boot_id[16];
};

int disk_state_look(int fd, const char *name, const struct disk_state *like,
		    struct disk_state *state, struct error *err) __must_check;
int disk_state_identify(int fd, const char *name, struct disk_state *state,
			struct error *err) __must_check;
int disk_state_compare(const struct disk_state *then,
		       const struct disk_state *now, const char *name,
		       bool force, struct error *err) __must_check;

u64 disks_mark(const struct vm *vm, bool settle);

/**
 * struct disk - a disk of a machine
 * @device: the device's name ("nvme0")
 * @number: which of the device's disks
 * @name: the two together ("nvme0n1")
 * @given: its path, as it was given
 * @path: the same, absolute
 * @mark: what stands for @given in a description while the user may replace it
 * @copy: name of its copy in the folder of the image, NULL for none
 * @state: at the snapshot's moment: of the copy, if there is one
 * @fd: of a machine that exists: the open disk, the device's; else -1
 * @settled: its state was looked at, and need not be again
 * @private_copy: what a restored machine works on instead; NULL for none
 */
struct disk {
	char device[24];
	u32 number;
	char name[40];
	char *given;
	char *path;
	char mark[48];
	char *copy;
	struct disk_state state;
	int fd;
	bool settled;
	struct channel *private_copy;
};

/**
 * struct disk_list - the disks of a machine
 * @v: the disks, in the order of devices and numbers
 * @nr: how many
 */
struct disk_list {
	struct disk *v;
	u32 nr;
};

int disk_list_collect(struct disk_list *list, struct vm *vm,
		      struct error *err) __must_check;
int disk_list_encode(const struct disk_list *list, void **blob, u32 *len,
		     struct error *err) __must_check;
int disk_list_decode(struct disk_list *list, const void *blob, size_t len,
		     struct error *err) __must_check;
void disk_list_free(struct disk_list *list);
const struct disk *disk_list_find(const struct disk_list *list,
				  const struct disk *like);
struct description_device *disk_find_device(struct description *d,
					    const char *name);

/**
 * enum disk_copying - whether disks are copied, and how
 * @DISK_COPY_NONE: they are not
 * @DISK_COPY_AUTO: shared contents where the file system can, else a copy
 * @DISK_COPY_REFLINK: shared contents or not at all
 * @DISK_COPY_FULL: a copy of all that is not a hole
 */
enum disk_copying {
	DISK_COPY_NONE,
	DISK_COPY_AUTO,
	DISK_COPY_REFLINK,
	DISK_COPY_FULL,
};

/**
 * struct disk_save_request - what is to be done about disks in a snapshot
 * @path: where the image will be; the copies are beside it
 * @id: of the image
 * @copying: see enum disk_copying
 * @control: cancels
 */
struct disk_save_request {
	const char *path;
	const u8 *id;
	enum disk_copying copying;
	struct channel_control *control;
};

/**
 * struct disk_save - the disks of a machine of which a snapshot is taken
 * @list: the disks
 * @copying: see enum disk_copying
 * @files: the copies, as many as there are disks; those that are not copied
 *         have no channel
 * @folder: descriptor of the folder of the image, -1 for none
 * @stale: names of copies that belong to the image that is going to be replaced
 * @stale_nr: how many
 * @committed: so many of @files have their names
 * @done: bytes copied
 * @total: bytes to copy
 */
struct disk_save {
	struct disk_list list;
	enum disk_copying copying;
	struct snapshot_file *files;
	int folder;
	char **stale;
	u32 stale_nr;
	u32 committed;
	_Atomic u64 done;
	u64 total;
};

int disk_save_begin(struct disk_save *ds, struct vm *vm,
		    const struct disk_save_request *req, struct error *err)
	__must_check;
int disk_save_flush(struct disk_save *ds, struct error *err) __must_check;
int disk_save_moment(struct disk_save *ds, struct image *image,
		     struct error *err) __must_check;
int disk_save_commit(struct disk_save *ds, struct error *err) __must_check;
void disk_save_finish(struct disk_save *ds);
void disk_save_abort(struct disk_save *ds);

/**
 * enum disk_mode - what a restored machine works on
 * @DISK_MODE_AUTO: private copies of the copies that the image has, else the
 *                  disks themselves
 * @DISK_MODE_SHARED: the image's copies, or the disks, themselves
 * @DISK_MODE_COW: private copies, which end with the machine
 */
enum disk_mode {
	DISK_MODE_AUTO,
	DISK_MODE_SHARED,
	DISK_MODE_COW,
};

/**
 * struct disk_restore_request - how disks are to be found again
 * @image_path: the image; its copies are beside it
 * @mode: see enum disk_mode
 * @force: also disks that were written since
 * @control: cancels
 */
struct disk_restore_request {
	const char *image_path;
	enum disk_mode mode;
	bool force;
	struct channel_control *control;
};

int disk_list_mark(struct disk_list *list, struct description *d,
		   struct error *err) __must_check;
int disk_list_resolve(struct disk_list *list, struct description *d,
		      const struct disk_restore_request *req,
		      struct error *err) __must_check;
int disk_list_check(struct disk_list *list, struct vm *vm, bool force,
		    struct error *err) __must_check;

/* disk_arrive.c */
int disk_list_identify(struct disk_list *list, struct error *err) __must_check;
void disk_list_reach(const struct disk_list *list, struct description *d,
		     struct findings *f);
int disk_list_same(const struct disk_list *list, struct vm *vm,
		   struct findings *f, struct error *err) __must_check;

#endif /* LKVM_DISKS_H */
