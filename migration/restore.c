// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a machine from an image
 *
 * The steps are apart, because what a machine is made of and where its memory
 * comes from are two things; the caller puts them in this order:
 *
 *	restore_open()		the file is an image of this architecture, and
 *				its description is one that we can build
 *	restore_mark_disks()
 *	(the caller)		replaces paths and names in the description
 *	restore_find_disks()	finds the disks that were not replaced, or makes
 *				private copies of them
 *	restore_config()	for vm_create(): RAM is the file, mapped
 *				privately at each block's position
 *	restore_memory()	what cannot be mapped is read; with "eager"
 *				the rest, too
 *	description_build(), vm_start()
 *	restore_check_disks()	they have not been written since
 *	restore_state()		CPUs, clocks, devices
 *	vm_resume()
 *
 * Mapping makes a restore as short for a large machine as for a small one: a
 * page is read when it is first touched. Many machines may run from one image
 * at a time; they share its pages in the page cache until one writes to them,
 * and then it has its own copy. Nobody writes to the file; whoever cuts it
 * short while a machine runs from it kills that machine (SIGBUS), as with any
 * program and its executable. Replacing it by another file of the same name
 * does no harm.
 *
 * RAM in a hugetlbfs cannot be mapped from an ordinary file; it is read.
 *
 * Threads: the main loop's thread.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "migration/image_priv.h"
#include "migration/machine_state.h"
#include "migration/restore.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/description.h"
#include "vmm/device.h"

#define READ_PIECE	(2ULL << 20)
#define POPULATE_PIECE	(64ULL << 20)

static int open_file(struct restore *r, const char *path, struct error *err)
{
	struct channel_file_config config = {
		.path = path, .dirfd = AT_FDCWD,
	};
	int ret;

	ret = channel_file_open(&config, &r->ch, err);
	if (ret)
		return ret;
	r->ch->control = &r->control;
	ret = image_open(r->ch, &r->image, err);
	if (!ret && r->image->machine != arch_elf_machine)
		ret = error_set(err, -ENOTSUP,
				"%s: a machine of another architecture (ELF machine %u); this lkvm runs %s",
				path, r->image->machine, arch_name);
	return ret;
}

static const struct image_note *find_note(const struct restore *r, u32 type,
					  const char *what, struct error *err)
{
	const struct image_note *note;

	note = image_find_note(r->image, IMAGE_OWNER, type);
	if (!note)
		error_set(err, -EINVAL, "%s: has no %s", r->ch->name, what);
	return note;
}

static int read_description(struct restore *r, struct error *err)
{
	const struct image_note *note;
	int ret;

	note = find_note(r, IMAGE_NOTE_MACHINE, "machine description", err);
	if (!note)
		return -EINVAL;
	ret = description_read(note->data, note->len, &r->description, err);
	return ret ? error_prefix(err, "%s", r->ch->name) : 0;
}

/* An image of a machine that never had disks may lack it. */
static int read_disks(struct restore *r, struct error *err)
{
	const struct image_note *note;
	int ret;

	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_DISKS);
	if (!note)
		return 0;
	ret = disk_list_decode(&r->disks, note->data, note->len, err);
	return ret ? error_prefix(err, "%s", r->ch->name) : 0;
}

static const struct image_block *find_block(const struct image *image,
					    const char *name)
{
	u32 i;

	for (i = 0; i < image->blocks_nr; i++)
		if (!strcmp(image->blocks[i].name, name))
			return &image->blocks[i];
	return NULL;
}

/* The blocks of the image are those that the description calls for. */
static int find_ram(struct restore *r, struct error *err)
{
	struct memory_request req[VM_RAM_BLOCKS];
	u32 nr = vm_ram_blocks(r->description->machine->memory, req), i;

	for (i = 0; i < nr; i++) {
		const struct image_block *b = find_block(r->image, req[i].name);

		if (!b || b->gpa != gpa_raw(req[i].gpa) ||
		    b->size != req[i].size)
			return error_set(err, -EINVAL,
					 "%s: memory %s: is not %llu KiB at 0x%llx, as the machine description has it",
					 r->ch->name, req[i].name,
					 req[i].size / KIB,
					 gpa_raw(req[i].gpa));
		r->ram[i] = (struct vm_ram_file){
			.fd = channel_file_fd(r->ch), .offset = b->pos,
		};
	}
	if (nr != r->image->blocks_nr)
		return error_set(err, -EINVAL,
				 "%s: %u blocks of memory, the machine description has %u",
				 r->ch->name, r->image->blocks_nr, nr);
	return 0;
}

/**
 * restore_open() - open an image to make a machine from it
 * @path: the file
 * @out: the image; restore_close() frees it
 * @err: what is wrong with it, in one line
 *
 * Looks at headers and notes only; image_verify() looks at memory.
 *
 * Return: 0, -EINVAL for a file that is no image or a damaged one, -EPROTO for
 * another version, -ENOTSUP for another architecture, or what the system said.
 */
int restore_open(const char *path, struct restore **out, struct error *err)
{
	struct restore *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return error_set(err, -ENOMEM, "out of memory");
	ret = channel_control_init(&r->control, err);
	if (ret) {
		free(r);
		return ret;
	}
	ret = open_file(r, path, err);
	if (!ret)
		ret = read_description(r, err);
	if (!ret)
		ret = find_ram(r, err);
	if (!ret)
		ret = read_disks(r, err);
	if (ret)
		restore_close(r);
	else
		*out = r;
	return ret;
}

/**
 * restore_close() - done with an image
 * @r: the image, or NULL; a machine made from it keeps its own descriptors
 */
void restore_close(struct restore *r)
{
	if (!r)
		return;
	disk_list_free(&r->disks);
	description_free(r->description);
	image_free(r->image);
	if (r->ch)
		channel_close(r->ch);
	channel_control_destroy(&r->control);
	free(r);
}

/**
 * restore_mark_disks() - have the user replace disks in the description
 * @r: the image; restore_find_disks() follows
 * @err: filled on failure
 *
 * Return: as disk_list_mark().
 */
int restore_mark_disks(struct restore *r, struct error *err)
{
	int ret = disk_list_mark(&r->disks, r->description, err);

	return ret ? error_prefix(err, "%s", r->ch->name) : 0;
}

/**
 * restore_find_disks() - find the disks of the machine that is to be built
 * @r: the image; what the user wanted to replace in its description he has
 * @mode: whether the machine works on the disks themselves
 * @err: filled on failure
 *
 * Context: takes long when disks have to be copied byte for byte.
 * Return: as disk_list_resolve().
 */
int restore_find_disks(struct restore *r, enum disk_mode mode,
		       struct error *err)
{
	const struct disk_restore_request req = {
		.image_path = r->ch->name,
		.mode = mode,
		.force = r->force_disks,
		.control = &r->control,
	};

	return disk_list_resolve(&r->disks, r->description, &req, err);
}

/**
 * restore_check_disks() - do the disks fit the memory of the image?
 * @r: the image
 * @vm: the machine, with its disks open; it has not run yet
 * @err: which one does not, and what to do
 *
 * Context: main loop.
 * Return: as disk_list_check().
 */
int restore_check_disks(struct restore *r, struct vm *vm, struct error *err)
{
	return disk_list_check(&r->disks, vm, r->force_disks, err);
}

/**
 * restore_config() - how to make the machine
 * @r: the image; must outlive vm_create()
 * @config: out
 */
void restore_config(const struct restore *r, struct vm_config *config)
{
	description_vm_config(r->description, config);
	if (!config->hugetlbfs)
		config->ram = r->ram;
}

static int check_interrupted(struct restore *r, struct error *err)
{
	if (r->interrupted && r->interrupted(r->interrupted_arg))
		return error_set(err, -EINTR, "%s: interrupted", r->ch->name);
	return 0;
}

/* Pieces of zeros stay untouched, so that they take no memory. */
static int read_block(struct restore *r, const struct image_block *from,
		      struct memory_block *to, u8 *buf, struct error *err)
{
	u64 at, len;
	int ret = 0;

	for (at = 0; !ret && at < to->size; at += len) {
		len = min_of(READ_PIECE, to->size - at);
		ret = check_interrupted(r, err);
		if (!ret)
			ret = channel_pread_all(r->ch, buf, len,
						from->pos + at, err);
		if (!ret && !image_is_zero(buf, len))
			memcpy(to->host + at, buf, len);
	}
	return ret;
}

static int read_blocks(struct restore *r, struct guest_memory *memory,
		       struct error *err)
{
	u8 *buf = aligned_alloc(IMAGE_PAGE, READ_PIECE);
	int ret = 0;
	u32 i;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; !ret && i < memory->nr; i++)
		ret = read_block(r, find_block(r->image,
					       memory->blocks[i].name),
				 &memory->blocks[i], buf, err);
	free(buf);
	return ret;
}

static int populate_block(struct restore *r, const struct memory_block *b,
			  struct error *err)
{
	u64 at, len;
	int ret;

	for (at = 0; at < b->size; at += len) {
		len = min_of(POPULATE_PIECE, b->size - at);
		ret = check_interrupted(r, err);
		if (ret)
			return ret;
		if (madvise(b->host + at, len, MADV_POPULATE_READ) < 0)
			return error_set(err, -errno,
					 "%s: memory %s cannot be read: %m",
					 r->ch->name, b->name);
	}
	return 0;
}

static int populate(struct restore *r, struct guest_memory *memory,
		    struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < memory->nr; i++)
		ret = populate_block(r, &memory->blocks[i], err);
	return ret;
}

/**
 * restore_memory() - read what is not read by itself when it is needed
 * @r: the image
 * @vm: the machine, made by restore_config(); no device has run yet
 * @eager: read all of it now
 * @err: filled on failure
 *
 * Context: may take long with @eager or in a hugetlbfs.
 * Return: 0 or a negative errno.
 */
int restore_memory(struct restore *r, struct vm *vm, bool eager,
		   struct error *err)
{
	if (vm->config.hugetlbfs)
		return read_blocks(r, &vm->memory, err);
	return eager ? populate(r, &vm->memory, err) : 0;
}

/**
 * restore_state() - put CPUs, clocks and devices into the state of the image
 * @r: the image
 * @vm: the machine, with its devices, started and paused
 * @err: which node and property is wrong, or what this host cannot do
 *
 * The guest will be told that it was cloned.
 *
 * Context: main loop.
 * Return: 0 or a negative errno; then the machine must not run.
 */
int restore_state(struct restore *r, struct vm *vm, struct error *err)
{
	const struct image_note *note;
	int ret;

	note = find_note(r, IMAGE_NOTE_STATE, "machine state", err);
	if (!note)
		return -EINVAL;
	vm->clock = r->clock;
	ret = machine_state_load(vm, note->data, note->len, err);
	if (!ret && vm->new_generation)
		ret = vm->new_generation(vm->generation_device, err);
	return ret ? error_prefix(err, "%s", r->ch->name) : 0;
}
