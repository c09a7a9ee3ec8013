// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: images: round trip, every fault at every call, every cut, every bit
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#include "migration/image.h"
#include "migration/restore.h"
#include "tests/lib/channel_fault.h"
#include "vmm/arch.h"

#define LOW_PAGES	24
#define HIGH_PAGES	40
#define ROOM		(8ULL << 20)

/* What a test image contains, and the buffer that holds it. */
struct world {
	struct test_random rnd;
	struct error err;
	u8 *medium;
	struct channel *ch;
	u8 *low;
	u8 *high;
	u64 size;
	u16 machine;
};

static void fill_pages(struct world *w, u8 *pages, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++) {
		memset(pages + i * IMAGE_PAGE, 0, IMAGE_PAGE);
		if (test_random_below(&w->rnd, 3))
			test_random_fill(&w->rnd, pages + i * IMAGE_PAGE,
					 IMAGE_PAGE);
	}
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	test_random_init(&w->rnd);
	w->medium = calloc(1, ROOM);
	w->low = aligned_alloc(IMAGE_PAGE, LOW_PAGES * IMAGE_PAGE);
	w->high = aligned_alloc(IMAGE_PAGE, HIGH_PAGES * IMAGE_PAGE);
	fill_pages(w, w->low, LOW_PAGES);
	fill_pages(w, w->high, HIGH_PAGES);
}

static void world_free(struct world *w)
{
	free(w->medium);
	free(w->low);
	free(w->high);
}

/* Pages of the upper block, where a guest's kernel could have them. */
static const struct image_window kernel = {
	.linear = 0xffffffff9e400000, .gpa = (4ULL << 30) + 5 * IMAGE_PAGE,
	.size = 7 * IMAGE_PAGE,
};

/* A whole save, in a fixed order of calls. */
static int save(struct world *w, struct channel *ch, struct error *err)
{
	struct image *image = NULL;
	u8 older[IMAGE_PAGE];
	u64 page;
	int ret;

	ret = image_create(ch, w->machine, &image, err);
	if (!ret)
		ret = image_add_block(image, "ram-low", 0,
				      LOW_PAGES * IMAGE_PAGE, err);
	if (!ret)
		ret = image_add_block(image, "ram-high", 4ULL << 30,
				      HIGH_PAGES * IMAGE_PAGE, err);
	if (!ret)
		ret = image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_MACHINE,
				     "machine", 8, err);
	/* Older contents first: what is put last counts, zeros too. */
	memset(older, 0x77, sizeof(older));
	for (page = 0; !ret && page < LOW_PAGES; page += 3)
		ret = image_put_pages(image, 0, page, older, 1, err);
	if (!ret)
		ret = image_put_pages(image, 0, 0, w->low, LOW_PAGES, err);
	if (!ret)
		ret = image_put_pages(image, 1, 20,
				      w->high + 20 * IMAGE_PAGE,
				      HIGH_PAGES - 20, err);
	if (!ret)
		ret = image_put_pages(image, 1, 0, w->high, 20, err);
	if (!ret)
		ret = image_add_note(image, "CORE", NT_PRSTATUS, "regs", 4,
				     err);
	if (!ret)
		ret = image_add_note(image, "VMCOREINFO", 0, "A=1\n", 4, err);
	if (!ret)
		image_set_window(image, &kernel);
	if (!ret)
		ret = image_commit(image, err);
	image_free(image);
	return ret;
}

static int load(struct world *w, struct channel *ch, struct error *err)
{
	struct image *image = NULL;
	int ret;

	ret = image_open(ch, &image, err);
	if (ret)
		return ret;
	ret = image_verify(image, 1, NULL, err);
	if (!ret)
		ret = channel_pread_all(ch, w->low, LOW_PAGES * IMAGE_PAGE,
					image->blocks[0].pos, err);
	if (!ret)
		ret = channel_pread_all(ch, w->high, HIGH_PAGES * IMAGE_PAGE,
					image->blocks[1].pos, err);
	image_free(image);
	return ret;
}

static u64 image_end(const u8 *medium)
{
	const Elf64_Ehdr *ehdr = (const void *)medium;
	const Elf64_Phdr *phdr = (const void *)(medium + ehdr->e_phoff);

	return phdr->p_offset + phdr->p_filesz;
}

/* A channel over exactly the first @size bytes of the medium. */
static struct channel *open_medium(struct world *w, u64 size)
{
	struct channel *ch = NULL;

	if (channel_memory_open(w->medium, size, &ch, &w->err))
		abort();
	return ch;
}

FIXTURE(image) {
	struct world w;
};

FIXTURE_SETUP(image)
{
	world_init(&self->w);
	self->w.machine = EM_X86_64;
}

FIXTURE_TEARDOWN(image)
{
	channel_close(self->w.ch);
	world_free(&self->w);
}

/* An image in the medium, and a channel that ends where it does. */
static int make_image(struct world *w)
{
	struct channel *whole = open_medium(w, ROOM);
	int ret = save(w, whole, &w->err);

	channel_close(whole);
	w->size = image_end(w->medium);
	w->ch = open_medium(w, w->size);
	return ret;
}

TEST(checksum_is_xxh3)
{
	/* The hash of nothing, as the algorithm's description has it. */
	EXPECT_EQ(0x2d06800538d394c2ULL, image_sum("", 0));
	EXPECT_NE(image_sum("a", 1), image_sum("b", 1));
}

TEST_F(image, what_was_saved_is_loaded)
{
	struct world *w = &self->w;
	u8 low[LOW_PAGES * IMAGE_PAGE], high[HIGH_PAGES * IMAGE_PAGE];
	const struct image_note *note;
	struct image *image;

	ASSERT_EQ(0, make_image(w));
	memcpy(low, w->low, sizeof(low));
	memcpy(high, w->high, sizeof(high));
	memset(w->low, 1, sizeof(low));
	memset(w->high, 1, sizeof(high));
	ASSERT_EQ(0, load(w, w->ch, &w->err));
	EXPECT_EQ(0, memcmp(low, w->low, sizeof(low)));
	EXPECT_EQ(0, memcmp(high, w->high, sizeof(high)));

	ASSERT_EQ(0, image_open(w->ch, &image, &w->err));
	EXPECT_EQ(EM_X86_64, image->machine);
	EXPECT_EQ(2, image->blocks_nr);
	EXPECT_STREQ("ram-high", image->blocks[1].name);
	EXPECT_EQ(4ULL << 30, image->blocks[1].gpa);
	EXPECT_EQ(0, image->blocks[1].pos % IMAGE_ALIGN);
	note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_MACHINE);
	ASSERT_NE(NULL, note);
	EXPECT_EQ(8, note->len);
	EXPECT_STREQ("machine", note->data);
	note = image_find_note(image, "VMCOREINFO", 0);
	ASSERT_NE(NULL, note);
	EXPECT_EQ(0, memcmp("A=1\n", note->data, 4));
	EXPECT_EQ(NULL, image_find_note(image, IMAGE_OWNER,
					IMAGE_NOTE_STATE));
	EXPECT_EQ(0, image_verify(image, 4, NULL, &w->err));
	image_free(image);
}

static bool survives(enum channel_fault fault)
{
	return fault < FAULT_EIO;
}

/* An image is whole when the save says so, and only then. */
TEST_F(image, save_sweep)
{
	struct channel_control control;
	struct world *w = &self->w;
	enum channel_fault fault;
	u64 at, hits = 0;

	ASSERT_EQ(0, channel_control_init(&control, &w->err));
	for (fault = FAULT_NONE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel *whole = open_medium(w, ROOM), *ch;
			struct channel_faulty f;
			struct image *image;
			int ret;

			memset(w->medium, 0, ROOM);
			ASSERT_EQ(0, channel_faulty_init(&f, whole, fault, at,
							 at + 1));
			f.ch.control = &control;
			channel_control_deadline(&control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = save(w, &f.ch, &w->err);
			hits += f.hit;
			if (!f.hit || survives(fault))
				ASSERT_EQ(0, ret);
			if (ret) {
				ASSERT_EQ(w->err.code, ret);
				ASSERT_NE('\0', w->err.text[0]);
			}
			ch = open_medium(w, ret ? ROOM : image_end(w->medium));
			ASSERT_EQ(ret == 0, image_open(ch, &image, &w->err) ==
					    0);
			if (!ret) {
				ASSERT_EQ(0, image_verify(image, 1, NULL,
							  &w->err));
				image_free(image);
			}
			channel_close(ch);
			channel_faulty_destroy(&f);
			channel_close(whole);
			if (!f.hit && fault != FAULT_NONE && at >= f.calls)
				break;
			if (fault == FAULT_NONE)
				break;
		}
	}
	EXPECT_LE(9 * 10, hits);
	channel_control_destroy(&control);
}

TEST_F(image, load_sweep)
{
	struct channel_control control;
	struct world *w = &self->w;
	enum channel_fault fault;
	u64 at, hits = 0;

	ASSERT_EQ(0, make_image(w));
	ASSERT_EQ(0, channel_control_init(&control, &w->err));
	for (fault = FAULT_ONE_BYTE; fault < FAULTS; fault++) {
		for (at = 0;; at++) {
			struct channel_faulty f;
			int ret;

			ASSERT_EQ(0, channel_faulty_init(&f, w->ch, fault, at,
							 at + 1));
			f.ch.control = &control;
			channel_control_deadline(&control,
						 fault == FAULT_HANG ? 100 : 0);
			ret = load(w, &f.ch, &w->err);
			hits += f.hit;
			ASSERT_EQ(f.hit && !survives(fault), ret != 0);
			channel_faulty_destroy(&f);
			if (!f.hit)
				break;
		}
	}
	EXPECT_LE(9 * 8, hits);
	channel_control_destroy(&control);
}

TEST_F(image, an_image_cut_anywhere_is_refused)
{
	struct world *w = &self->w;
	struct image *image;
	struct channel *ch;
	u64 size;

	ASSERT_EQ(0, make_image(w));
	for (size = 0; size < w->size;) {
		ch = open_medium(w, size);
		ASSERT_NE(0, image_open(ch, &image, &w->err))
			TH_LOG("cut at %llu of %llu was taken", size, w->size);
		ASSERT_NE('\0', w->err.text[0]);
		channel_close(ch);
		/* Every 4 KiB, and every byte of the last 200. */
		size += w->size - size > 4096 + 200 ? 4096 :
			w->size - size > 200 ? w->size - size - 200 : 1;
	}
	ch = open_medium(w, w->size + 1);
	EXPECT_NE(0, image_open(ch, &image, &w->err));
	channel_close(ch);
}

static int open_and_verify(struct world *w)
{
	struct image *image;
	int ret = image_open(w->ch, &image, &w->err);

	if (ret)
		return ret;
	ret = image_verify(image, 1, NULL, &w->err);
	image_free(image);
	return ret;
}

TEST_F(image, the_kernel_is_seen_at_its_own_address)
{
	struct world *w = &self->w;
	const Elf64_Phdr *ph = (const void *)(w->medium + sizeof(Elf64_Ehdr));
	struct image *image;

	ASSERT_EQ(0, make_image(w));
	EXPECT_EQ(PT_LOAD, ph[3].p_type);
	EXPECT_EQ(kernel.linear, ph[3].p_vaddr);
	EXPECT_EQ(kernel.gpa, ph[3].p_paddr);
	EXPECT_EQ(kernel.size, ph[3].p_filesz);
	EXPECT_EQ(0, memcmp(w->medium + ph[3].p_offset,
			    w->high + 5 * IMAGE_PAGE, kernel.size));
	ASSERT_EQ(0, image_open(w->ch, &image, &w->err));
	EXPECT_EQ(2, image->blocks_nr);
	EXPECT_EQ(0, memcmp(&kernel, &image->window, sizeof(kernel)));
	image_free(image);
}

TEST_F(image, a_window_that_is_on_no_block_is_left_out)
{
	static const struct image_window bad[] = {
		{ 1ULL << 46, 3ULL << 30, 4096 },
		{ 1ULL << 46, (4ULL << 30) - 4096, 8192 },
		{ 1ULL << 46, 4ULL << 30, (HIGH_PAGES + 1) * IMAGE_PAGE },
		{ 1ULL << 46, ~0xfffULL, 8192 },
		{ 1ULL << 46, 0, ~0xfffULL },
		{ 1ULL << 46, 100, 4096 },
		{ 100, 0, 4096 },
		{ 1ULL << 46, 0, 100 },
	};
	struct world *w = &self->w;
	struct image *image;
	u32 i;

	w->ch = open_medium(w, ROOM);
	ASSERT_EQ(0, image_create(w->ch, EM_X86_64, &image, &w->err));
	ASSERT_EQ(0, image_add_block(image, "low", 0, LOW_PAGES * IMAGE_PAGE,
				     &w->err));
	ASSERT_EQ(0, image_add_block(image, "high", 4ULL << 30,
				     HIGH_PAGES * IMAGE_PAGE, &w->err));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		image_set_window(image, &bad[i]);
		EXPECT_EQ(0, image->window.size) TH_LOG("window %u", i);
	}
	image_free(image);
}

/* Each single bit of head and notes. */
TEST_F(image, a_flipped_bit_of_head_or_notes_is_found)
{
	struct world *w = &self->w;
	u64 head = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
	const Elf64_Phdr *note;
	u64 at, tail;
	int bit;

	ASSERT_EQ(0, make_image(w));
	note = (const void *)(w->medium + sizeof(Elf64_Ehdr));
	tail = note->p_offset;
	for (at = 0; at < w->size; at = at + 1 == head ? tail : at + 1) {
		for (bit = 0; bit < 8; bit++) {
			w->medium[at] ^= (u8)(1 << bit);
			ASSERT_NE(0, open_and_verify(w))
				TH_LOG("bit %d of byte %llu", bit, at);
			w->medium[at] ^= (u8)(1 << bit);
		}
	}
	EXPECT_EQ(0, open_and_verify(w));
}

TEST_F(image, a_flipped_bit_of_memory_is_found_by_verify)
{
	struct world *w = &self->w;
	u64 at;
	int i;

	ASSERT_EQ(0, make_image(w));
	for (i = 0; i < 500; i++) {
		at = IMAGE_ALIGN + test_random_below(&w->rnd, LOW_PAGES *
						     IMAGE_PAGE);
		w->medium[at] ^= (u8)(1 << (i % 8));
		ASSERT_EQ(-EBADMSG, open_and_verify(w));
		ASSERT_NE(NULL, strstr(w->err.text, "ram-low"));
		w->medium[at] ^= (u8)(1 << (i % 8));
	}
	EXPECT_EQ(0, open_and_verify(w));
}

/* In one line, which says whose it is. */
TEST_F(image, another_architecture_is_not_restored)
{
	struct world *w = &self->w;
	struct restore *r = NULL;
	char path[64];
	int fd;

	w->machine = arch_elf_machine == EM_X86_64 ? EM_AARCH64 : EM_X86_64;
	ASSERT_EQ(0, make_image(w));
	fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_EQ((ssize_t)w->size, write(fd, w->medium, w->size));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_EQ(-ENOTSUP, restore_open(path, &r, &w->err));
	EXPECT_NE(NULL, strstr(w->err.text, "of another architecture (ELF"));
	EXPECT_NE(NULL, strstr(w->err.text, arch_name));
	EXPECT_EQ(NULL, strchr(w->err.text, '\n'));
	EXPECT_EQ(NULL, r);
	close(fd);
}

TEST_F(image, blocks_that_do_not_fit_are_refused)
{
	struct world *w = &self->w;
	struct channel *ch = open_medium(w, ROOM);
	struct image *image;

	ASSERT_EQ(0, image_create(ch, EM_X86_64, &image, &w->err));
	EXPECT_EQ(-EINVAL, image_add_block(image, "a", 1, 4096, &w->err));
	EXPECT_EQ(-EINVAL, image_add_block(image, "a", 0, 0, &w->err));
	EXPECT_EQ(-EINVAL, image_add_block(image, "a", 0, ~0xfffULL, &w->err));
	ASSERT_EQ(0, image_add_block(image, "a", 0, 8192, &w->err));
	EXPECT_EQ(-EINVAL, image_put_pages(image, 0, 1, w->low, 2, &w->err));
	EXPECT_EQ(-EINVAL, image_put_pages(image, 1, 0, w->low, 1, &w->err));
	EXPECT_EQ(-EINVAL, image_put_pages(image, 0, UINT64_MAX, w->low, 2,
					   &w->err));
	image_free(image);
	channel_close(ch);
}

TEST_HARNESS_MAIN
