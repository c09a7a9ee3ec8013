// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VMCOREINFO: what a Linux guest leaves in its memory for debuggers
 *
 * A Linux kernel that can be dumped keeps an ELF note with the owner
 * "VMCOREINFO" at the beginning of a page (Linux:
 * Documentation/admin-guide/kdump/vmcoreinfo.rst; its address is in the guest's
 * /sys/kernel/vmcoreinfo). Nobody tells us where, so it is looked for: a header
 * is compared at the start of each page that somebody has written to, and what
 * it belongs to has to be a text as a kernel makes it.
 *
 * There may be several: one that a kernel before a warm reboot has left, or a
 * file in the page cache. Whether one belongs to the kernel that runs only the
 * architecture can tell: arch_vcpu_runs_kernel().
 *
 * Threads: any; the guest may run.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/math.h"
#include "vmm/vmcoreinfo.h"

/* How many pages are looked at before the next hole is looked for. */
#define STRIDE		64ULL

/**
 * struct note_head - the beginning of the note, as the guest has it
 * @namesz: bytes of the owner with its NUL
 * @descsz: bytes of the text
 * @type: 0
 * @name: owner, with zeros up to a multiple of 4
 */
struct note_head {
	__le32 namesz;
	__le32 descsz;
	__le32 type;
	char name[12];
};

static_assert(sizeof(struct note_head) == 24, "layout");
static_assert(sizeof(struct note_head) == sizeof(Elf64_Nhdr) + 12, "layout");

static bool head_is_ours(const struct note_head *head)
{
	static const char owner[12] = "VMCOREINFO";
	u32 len = le32_to_cpu(head->descsz);

	return le32_to_cpu(head->namesz) == sizeof("VMCOREINFO") &&
	       !le32_to_cpu(head->type) && len && len <= VMCOREINFO_MAX &&
	       !memcmp(head->name, owner, sizeof(owner));
}

/**
 * vmcoreinfo_scan() - look for the note in all of memory
 * @memory: the machine's memory
 * @found: filled with addresses of what begins like one
 * @max: room in @found
 *
 * Context: any thread; takes some 0.1 s for each GiB that was written to.
 * Return: how many there are in @found.
 */
u32 vmcoreinfo_scan(struct guest_memory *memory, gpa_t *found, u32 max)
{
	struct note_head head;
	u32 i, nr = 0;
	u64 page;

	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->blocks[i];
		u64 end = b->size / MEMORY_PAGE_SIZE;

		for (page = 0; page < end && nr < max; page++) {
			if (page % STRIDE == 0)
				page = memory_block_data(b, page, end);
			if (page == end)
				break;
			memcpy(&head, b->host + page * MEMORY_PAGE_SIZE,
			       sizeof(head));
			if (head_is_ours(&head))
				found[nr++] = gpa(gpa_raw(b->gpa) + page *
						  MEMORY_PAGE_SIZE);
		}
	}
	return nr;
}

/* Lines of printable ASCII, the first of which tells the release. */
static bool is_text(const struct vmcoreinfo *info)
{
	u32 i;

	for (i = 0; i < info->len; i++)
		if (info->text[i] != '\n' &&
		    (info->text[i] < ' ' || info->text[i] > '~'))
			return false;
	return !strncmp(info->text, "OSRELEASE=", 10);
}

/**
 * vmcoreinfo_read() - take a note out of guest memory
 * @memory: the machine's memory
 * @at: where it may be
 * @info: filled with its text
 *
 * Return: 0, or -ENOENT when there is no such note or it makes no sense.
 */
int vmcoreinfo_read(struct guest_memory *memory, gpa_t at,
		    struct vmcoreinfo *info)
{
	struct guest_gate gate;
	struct note_head head;
	u64 page_size;

	guest_gate_init(&gate, memory);
	if (guest_read(&gate, at, &head, sizeof(head)) || !head_is_ours(&head))
		return -ENOENT;
	info->len = le32_to_cpu(head.descsz);
	if (guest_read(&gate, gpa(gpa_raw(at) + sizeof(head)), info->text,
		       info->len))
		return -ENOENT;
	info->text[info->len] = 0;
	if (!is_text(info) ||
	    vmcoreinfo_number(info, "PAGESIZE", 10, &page_size) ||
	    page_size < MEMORY_PAGE_SIZE || page_size & (page_size - 1))
		return -ENOENT;
	return 0;
}

/**
 * vmcoreinfo_number() - the value of a key
 * @info: the text
 * @key: what stands before the "="
 * @base: 10 for decimal, which may be negative, or 16
 * @value: the number; a negative one as its two's complement
 *
 * Return: 0, or -ENOENT when there is no such key or no number.
 */
int vmcoreinfo_number(const struct vmcoreinfo *info, const char *key,
		      int base, u64 *value)
{
	size_t len = strlen(key);
	const char *line = info->text;
	char *end;

	while (line && (strncmp(line, key, len) || line[len] != '=')) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	if (!line)
		return -ENOENT;
	line += len + 1;
	*value = strtoull(line, &end, base);
	return end > line && (!*end || *end == '\n') ? 0 : -ENOENT;
}
