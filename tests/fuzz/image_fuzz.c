// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the reader of whole images
 *
 * From a channel on memory through all that a restore does before a machine
 * runs: headers, notes, checksums, the machine description, the state of the
 * devices. The fuzzer would hardly come by an image by itself, so the input is
 * a list of changes to one that was right; a bit says whether the checksums
 * are made right again behind them, since otherwise they would catch them all.
 *
 * What is refused must be refused with a reason, what is accepted must be
 * written again and be accepted once more, and a page that differs must be
 * found.
 */
#include <elf.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/image_priv.h"
#include "migration/machine_state.h"
#include "tests/lib/testvm.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/description.h"

#define RAM		(16 * KIB)
#define BLOCK_POS	IMAGE_ALIGN
#define TAIL_POS	(2 * IMAGE_ALIGN)
#define IMAGE_MAX	(3 * IMAGE_ALIGN)

/* Of the input's first byte. */
#define FIX_SUMS	BIT(0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/**
 * struct base - an image that is right, and the machine that it is of
 * @vm: the machine
 * @whole: the image
 * @size: its bytes
 * @now: a changed copy of it
 * @now_size: bytes of that
 */
struct base {
	struct vm *vm;
	u8 *whole;
	u64 size;
	u8 *now;
	u64 now_size;
};

static void must(int ret)
{
	assert(!ret);
}

static void add_notes(struct image *image, struct vm *vm)
{
	struct machine_config machine = {
		.cpus = 1, .memory = RAM, .cmdline = (char[]){ "quiet" },
	};
	void *fdt, *state;
	u32 len;

	must(description_write(&machine, NULL, 0, &fdt, NULL));
	must(image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_MACHINE, fdt,
			    fdt_totalsize(fdt), NULL));
	must(machine_state_save(vm, &state, &len, NULL));
	must(image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_STATE, state, len,
			    NULL));
	free(fdt);
	free(state);
}

static u8 *make_pages(void)
{
	u8 *pages = aligned_alloc(IMAGE_PAGE, RAM);
	u32 i;

	assert(pages);
	for (i = 0; i < RAM; i++)
		pages[i] = (u8)(i * 7 + i / IMAGE_PAGE);
	return pages;
}

static struct base *base_get(void)
{
	static struct base base;
	const struct image_head *head;
	struct channel *ch;
	struct image *image;
	u8 *pages;

	if (base.vm)
		return &base;
	base.vm = testvm_create(RAM);
	testvm_add(base.vm, "serial", 0, "");
	testvm_add(base.vm, "rtc", 0, "");
	testvm_add(base.vm, "i8042", 0, "");
	must(vm_start(base.vm, NULL));
	base.whole = calloc(1, IMAGE_MAX);
	base.now = calloc(1, IMAGE_MAX);
	pages = make_pages();
	must(channel_memory_open(base.whole, IMAGE_MAX, &ch, NULL));
	must(image_create(ch, arch_elf_machine, &image, NULL));
	must(image_add_block(image, "ram-low", 0, RAM, NULL));
	must(image_put_pages(image, 0, 0, pages, RAM / IMAGE_PAGE, NULL));
	add_notes(image, base.vm);
	must(image_commit(image, NULL));
	head = (const struct image_head *)base.whole;
	assert(head->phdr[0].p_offset == TAIL_POS);
	assert(head->phdr[1].p_offset == BLOCK_POS);
	base.size = TAIL_POS + head->phdr[0].p_filesz;
	assert(base.size <= IMAGE_MAX);
	image_free(image);
	channel_close(ch);
	free(pages);
	return &base;
}

/* ---- changes ------------------------------------------------------------ */

static void start_anew(struct base *b)
{
	memcpy(b->now, b->whole, sizeof(struct image_head));
	memcpy(b->now + BLOCK_POS, b->whole + BLOCK_POS, RAM);
	memcpy(b->now + TAIL_POS, b->whole + TAIL_POS, b->size - TAIL_POS);
	b->now_size = b->size;
}

/* Each of four bytes: what, where (16 bits), by what. */
static void change(struct base *b, const u8 *data, size_t size)
{
	u64 tail = b->size - TAIL_POS, n;

	for (; size >= 4; data += 4, size -= 4) {
		const u32 at = data[1] | (u32)data[2] << 8;

		switch (data[0] % 8) {
		case 0:
			b->now[at % sizeof(struct image_head)] ^= data[3];
			break;
		case 1:
			b->now[BLOCK_POS + at % RAM] ^= data[3];
			break;
		case 2:
			/* The rest is what stands in the notes. */
			n = min_of(tail - at % tail, (u64)size - 4);
			memcpy(b->now + TAIL_POS + at % tail, data + 4, n);
			return;
		case 3:
			b->now_size = min_of(at * 128ULL + data[3], b->size);
			break;
		case 4:
			b->now_size = b->size - at % tail;
			break;
		default:
			b->now[TAIL_POS + (at | (u64)data[3] << 16) % tail] ^=
				(u8)(1 << data[0] / 32);
			break;
		}
	}
}

static void fix_sums(struct base *b)
{
	struct image_commit *commit = (struct image_commit *)
		(b->now + b->size - sizeof(*commit));
	const struct image_head *head = (const struct image_head *)b->now;
	u64 sums = sizeof(Elf64_Nhdr) + 8 + RAM / IMAGE_PAGE * sizeof(__le64);
	u64 end = b->size - sizeof(struct image_commit_note);
	u64 headers = offsetof(struct image_head, phdr) +
		      min_of((u64)head->ehdr.e_phnum, (u64)IMAGE_PHDRS_MAX) *
		      sizeof(Elf64_Phdr);

	commit->checksums_sum = cpu_to_le64(image_sum(b->now + end - sums,
						      sums));
	commit->tail_sum = cpu_to_le64(image_sum(b->now + TAIL_POS,
						 end - sums - TAIL_POS));
	commit->head_sum = cpu_to_le64(image_sum(b->now, headers));
	commit->sum = cpu_to_le64(image_sum(commit, offsetof(struct image_commit,
							     sum)));
}

/* ---- what must hold ----------------------------------------------------- */

static void refused(const struct error *err)
{
	assert(err->code < 0 && err->text[0]);
}

static void try_description(const struct image_note *note)
{
	struct error err = ERROR_INIT;
	struct description *d, *again;
	void *fdt;

	if (description_read(note->data, note->len, &d, &err)) {
		refused(&err);
		return;
	}
	must(description_encode(d, &fdt, NULL));
	must(description_read(fdt, fdt_totalsize(fdt), &again, NULL));
	description_free(again);
	description_free(d);
	free(fdt);
}

static void try_state(struct vm *vm, const struct image_note *note)
{
	struct error err = ERROR_INIT;
	void *again;
	u32 len;

	if (machine_state_load(vm, note->data, note->len, &err)) {
		refused(&err);
		return;
	}
	must(machine_state_save(vm, &again, &len, NULL));
	must(machine_state_load(vm, again, len, NULL));
	free(again);
}

static void try_verify(struct base *b, struct image *image)
{
	bool same = !memcmp(b->now + BLOCK_POS, b->whole + BLOCK_POS, RAM);
	struct error err = ERROR_INIT;
	int ret = image_verify(image, 1, NULL, &err);

	if (ret)
		refused(&err);
	else if (image->blocks_nr == 1 && image->blocks[0].pos == BLOCK_POS &&
		 image->blocks[0].size == RAM)
		assert(same);
}

static bool try_image(struct base *b, struct channel *ch)
{
	const struct image_note *note;
	struct error err = ERROR_INIT;
	struct image *image;

	if (image_open(ch, &image, &err)) {
		refused(&err);
		return false;
	}
	try_verify(b, image);
	note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_MACHINE);
	if (note)
		try_description(note);
	note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_STATE);
	if (note)
		try_state(b->vm, note);
	image_free(image);
	return true;
}

/**
 * LLVMFuzzerTestOneInput() - one input
 * @data: the input
 * @size: its bytes
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct base *b = base_get();
	struct channel *ch;
	bool taken;

	if (!size)
		return 0;
	start_anew(b);
	change(b, data + 1, size - 1);
	if (data[0] & FIX_SUMS)
		fix_sums(b);
	must(channel_memory_open(b->now, b->now_size, &ch, NULL));
	taken = try_image(b, ch);
	/* Without any change it is right. */
	assert(taken || size > 4);
	channel_close(ch);
	return 0;
}
