// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the loader of arm64's kernels, on a machine of any kind
 *
 * The input is a kernel file. So that the fuzzer need not find magic numbers and
 * check sums first, the first byte chooses what is put under it: nothing, or an
 * Image that was right, as it is or compressed in one of the ways that are known.
 * The input then changes bytes, three at a time: offset, offset, value; so many
 * as the second byte says of the Image before it is compressed, the others of
 * the file.
 *
 * What is accepted must lie where RAM is. A small file may be a large one when it
 * is unpacked: beyond UNPACKED_LIMIT the host has no room.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"

#define RAM_SIZE	(32 * MIB)
#define FILE_MAX	65536
#define IMAGE_FILE	512
#define ZBOOT_HEAD	64
/* Files, this process' own too; more than RAM_SIZE, to see that refused. */
#define UNPACKED_LIMIT	(48 * MIB)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

enum base {
	BASE_NONE,
	BASE_IMAGE,
	BASE_GZIP,
	BASE_ZSTD,
	BASE_ZBOOT_GZIP,
	BASE_ZBOOT_ZSTD,
	BASES
};

static void put32(u8 *at, u32 value)
{
	__le32 raw = cpu_to_le32(value);

	memcpy(at, &raw, sizeof(raw));
}

static void make_image(u8 *image)
{
	u32 i;

	memset(image, 0, IMAGE_FILE);
	for (i = IMAGE_HEAD_SIZE; i < IMAGE_FILE; i++)
		image[i] = (u8)(i * 7);
	put32(image + 16, MIB);
	memcpy(image + 56, "ARM\x64", 4);
}

static size_t compress_gzip(const u8 *image, u8 *out, size_t room)
{
	z_stream z = {
		.next_in = (u8 *)image, .avail_in = IMAGE_FILE,
		.next_out = out, .avail_out = (uInt)room,
	};
	int ret = deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8,
			       Z_DEFAULT_STRATEGY);

	assert(ret == Z_OK);
	ret = deflate(&z, Z_FINISH);
	assert(ret == Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static size_t compress_zstd(const u8 *image, u8 *out, size_t room)
{
	size_t len = ZSTD_compress(out, room, image, IMAGE_FILE, 1);

	assert(!ZSTD_isError(len));
	return len;
}

static size_t make_file(enum base base, const u8 *image, u8 *file)
{
	bool zboot = base == BASE_ZBOOT_GZIP || base == BASE_ZBOOT_ZSTD;
	bool gzip = base == BASE_GZIP || base == BASE_ZBOOT_GZIP;
	u32 head = zboot ? ZBOOT_HEAD : 0;
	size_t len;

	if (base == BASE_IMAGE) {
		memcpy(file, image, IMAGE_FILE);
		return IMAGE_FILE;
	}
	len = gzip ? compress_gzip(image, file + head, FILE_MAX - head) :
		     compress_zstd(image, file + head, FILE_MAX - head);
	if (zboot) {
		memset(file, 0, head);
		memcpy(file, "MZ\0\0zimg", 8);
		put32(file + 8, head);
		put32(file + 12, (u32)len);
		memcpy(file + 24, gzip ? "gzip" : "zstd22", gzip ? 4 : 6);
	}
	return head + len;
}

static void change(u8 *bytes, size_t len, const u8 *data, size_t size)
{
	size_t i;

	for (i = 0; i + 3 <= size; i += 3)
		bytes[(data[i] | data[i + 1] << 8) % len] = data[i + 2];
}

static size_t input_to_file(const u8 *data, size_t size, u8 *file)
{
	enum base base = data[0] % BASES;
	u8 image[IMAGE_FILE];
	size_t inner, len;

	if (base == BASE_NONE) {
		len = min_of(size - 1, (size_t)FILE_MAX);
		memcpy(file, data + 1, len);
		return len;
	}
	inner = size > 1 ? min_of(data[1] * (size_t)3, size - 2) : 0;
	data += min_of(size, (size_t)2);
	size -= min_of(size, (size_t)2);
	make_image(image);
	change(image, IMAGE_FILE, data, inner);
	len = make_file(base, image, file);
	change(file, len, data + inner, size - inner);
	return len;
}

static void accepted(const struct boot_load *load)
{
	assert(load->entry >= ARM64_KERNEL_BASE);
	assert(load->entry < load->kernel_end);
	assert(load->kernel_end <= load->ram_end);
	assert(load->initrd >= load->kernel_end);
	assert(load->initrd + load->initrd_size <= load->ram_end);
}

static void set_limit(void)
{
	const struct rlimit limit = { UNPACKED_LIMIT, UNPACKED_LIMIT };

	signal(SIGXFSZ, SIG_IGN);
	assert(!setrlimit(RLIMIT_FSIZE, &limit));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 bytes[FILE_MAX];
	struct memory_request req = {
		.name = "ram", .gpa = gpa(ARM64_RAM_BASE), .size = RAM_SIZE,
		.fd = -1,
	};
	struct arch_boot boot = { .cmdline = "" };
	struct guest_memory memory;
	struct boot_load load;
	struct error err;
	size_t len;
	char path[64];
	int fd, ret;

	if (!size)
		return 0;
	set_limit();
	len = input_to_file(data, size, bytes);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0);
	assert(write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	boot.kernel = path;
	boot.initrd = path;
	guest_memory_init(&memory, -1);
	ret = guest_memory_add(&memory, &req, NULL);
	assert(!ret);
	boot_load_init(&load, &memory);
	if (!boot_load_files(&load, &boot, &err))
		accepted(&load);
	guest_memory_destroy(&memory);
	close(fd);
	return 0;
}
