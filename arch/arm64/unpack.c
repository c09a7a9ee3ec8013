// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: kernels that are compressed: Image.gz and EFI zboot images
 *
 * An arm64 kernel cannot unpack itself. Two forms are common: the Image
 * compressed with gzip (or zstd) as a whole, and the EFI application that
 * distributions build, whose head says where in it the compressed Image is and
 * how it is compressed. Both are unpacked into a memory file, which is then
 * loaded like any other.
 *
 * Files are hostile: what comes out is bounded by UNPACKED_MAX.
 *
 * Specification: drivers/firmware/efi/libstub/zboot-header.S of Linux;
 * RFC 1952; RFC 8878.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "arch/arm64/boot_priv.h"
#include "vmm/base/math.h"

#define UNPACKED_MAX	(1 * GIB)
#define CHUNK		(64 * KIB)
/* zlib: the largest window, and a gzip header. */
#define GZIP_WINDOW	(15 + 16)

/**
 * struct zboot_header - the head of an EFI zboot image
 * @mz: "MZ", padded
 * @magic: "zimg"
 * @offset: of the payload
 * @size: of the payload
 * @reserved: zeros
 * @type: how it is compressed, NUL-terminated
 */
struct zboot_header {
	u8 mz[4];
	u8 magic[4];
	__le32 offset;
	__le32 size;
	__le32 reserved[2];
	char type[32];
};

static_assert(sizeof(struct zboot_header) == 56, "layout");

/**
 * struct unpacking - what is being unpacked
 * @file: the compressed file
 * @at: next byte of it
 * @left: bytes that are left
 * @out: the memory file
 * @size: bytes written to it
 */
struct unpacking {
	const struct boot_file *file;
	u64 at;
	u64 left;
	int out;
	u64 size;
};

static bool is_gzip(const u8 *head, size_t len)
{
	return len >= 2 && !memcmp(head, "\x1f\x8b", 2);
}

static bool is_zstd(const u8 *head, size_t len)
{
	return len >= 4 && !memcmp(head, "\x28\xb5\x2f\xfd", 4);
}

static bool is_zboot(const u8 *head, size_t len)
{
	return len >= sizeof(struct zboot_header) && !memcmp(head, "MZ", 2) &&
	       !memcmp(head + 4, "zimg", 4);
}

/**
 * unpack_wanted() - is this file compressed in a way that we know?
 * @head: its first bytes
 * @len: how many
 *
 * Return: true when unpack_kernel() is for it.
 */
bool unpack_wanted(const u8 *head, size_t len)
{
	return is_gzip(head, len) || is_zstd(head, len) || is_zboot(head, len);
}

static int broken(const struct unpacking *u, const char *why, struct error *err)
{
	return error_set(err, -ENOEXEC,
			 "kernel %s cannot be unpacked: %s; copy it again",
			 u->file->path, why);
}

/* The next piece of the file; 0 bytes at its end. */
static int refill(struct unpacking *u, u8 *buf, size_t *len, struct error *err)
{
	int ret;

	*len = min_of(u->left, (u64)CHUNK);
	ret = boot_file_read(u->file, u->at, buf, *len, err);
	u->at += *len;
	u->left -= *len;
	return ret;
}

static int emit(struct unpacking *u, const u8 *buf, size_t len,
		struct error *err)
{
	if (!range_fits(u->size, len, UNPACKED_MAX))
		return error_set(err, -EFBIG,
				 "kernel %s has more than %llu MiB when unpacked",
				 u->file->path, UNPACKED_MAX / MIB);
	while (len) {
		ssize_t n = pwrite(u->out, buf, len, (off_t)u->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, n ? -errno : -EIO,
					 "kernel %s: unpacking: %s",
					 u->file->path,
					 n ? strerror(errno) : "no room");
		buf += n;
		len -= (size_t)n;
		u->size += (u64)n;
	}
	return 0;
}

static int gunzip(struct unpacking *u, struct error *err)
{
	u8 in[CHUNK], out[CHUNK];
	z_stream z = { .next_in = in };
	int ret = 0, status = Z_OK;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return error_set(err, -ENOMEM, "out of memory");
	while (!ret && status != Z_STREAM_END) {
		if (!z.avail_in) {
			size_t len;

			ret = refill(u, in, &len, err);
			if (!ret && !len)
				ret = broken(u, "it is cut off", err);
			if (ret)
				break;
			z.next_in = in;
			z.avail_in = (uInt)len;
		}
		z.next_out = out;
		z.avail_out = sizeof(out);
		status = inflate(&z, Z_NO_FLUSH);
		if (status != Z_OK && status != Z_STREAM_END &&
		    status != Z_BUF_ERROR)
			ret = broken(u, "it is damaged", err);
		else
			ret = emit(u, out, sizeof(out) - z.avail_out, err);
	}
	inflateEnd(&z);
	return ret;
}

static int unzstd(struct unpacking *u, struct error *err)
{
	u8 in[CHUNK], out[CHUNK];
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer i = { .src = in };
	size_t status = 1;
	int ret = 0;

	if (!z)
		return error_set(err, -ENOMEM, "out of memory");
	while (!ret && status) {
		ZSTD_outBuffer o = { .dst = out, .size = sizeof(out) };

		if (i.pos == i.size) {
			i.pos = 0;
			ret = refill(u, in, &i.size, err);
			if (!ret && !i.size)
				ret = broken(u, "it is cut off", err);
			if (ret)
				break;
		}
		status = ZSTD_decompressStream(z, &o, &i);
		if (ZSTD_isError(status))
			ret = broken(u, "it is damaged", err);
		else
			ret = emit(u, out, o.pos, err);
	}
	ZSTD_freeDStream(z);
	return ret;
}

static int zboot(struct unpacking *u, struct error *err)
{
	struct zboot_header h;
	int ret;

	ret = boot_file_read(u->file, 0, &h, sizeof(h), err);
	if (ret)
		return ret;
	u->at = le32_to_cpu(h.offset);
	u->left = le32_to_cpu(h.size);
	ret = boot_file_check(u->file, u->at, u->left, err);
	if (ret)
		return ret;
	h.type[sizeof(h.type) - 1] = '\0';
	if (!strcmp(h.type, "gzip"))
		return gunzip(u, err);
	if (!strncmp(h.type, "zstd", 4))
		return unzstd(u, err);
	return error_set(err, -ENOEXEC,
			 "kernel %s is an EFI zboot image compressed with \"%.16s\"; we know gzip and zstd",
			 u->file->path, h.type);
}

/**
 * unpack_kernel() - unpack a compressed kernel
 * @file: the file, one that unpack_wanted() knows
 * @out: the Image, in memory; boot_file_close() frees it
 * @err: filled on failure
 *
 * Return: 0; -ENOEXEC for a damaged file; -EFBIG; or another negative errno.
 */
int unpack_kernel(const struct boot_file *file, struct boot_file *out,
		  struct error *err)
{
	struct unpacking u = { .file = file, .left = file->size };
	u8 head[IMAGE_HEAD_SIZE] = { 0 };
	size_t len = min_of(file->size, (u64)sizeof(head));
	int ret;

	ret = boot_file_read(file, 0, head, len, err);
	if (ret)
		return ret;
	u.out = memfd_create("lkvm-kernel", MFD_CLOEXEC);
	if (u.out < 0)
		return error_set(err, -errno, "memfd: %m");
	if (is_zboot(head, len))
		ret = zboot(&u, err);
	else if (is_gzip(head, len))
		ret = gunzip(&u, err);
	else
		ret = unzstd(&u, err);
	if (ret) {
		close(u.out);
		return ret;
	}
	*out = (struct boot_file){
		.what = file->what, .path = file->path,
		.fd = u.out, .size = u.size,
	};
	return 0;
}
