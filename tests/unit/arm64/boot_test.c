// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arch/arm64: kernels, compressed or not, initrd, device tree
 *
 * On plain memory, without KVM.
 */
#include "tests/lib/harness.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"

#define RAM		(16 * MIB)
#define IMAGE_FILE	(8 * KIB)
#define IMAGE_SIZE	(1 * MIB)
#define MAGIC_AT	56

FIXTURE(boot) {
	struct vm *vm;
	struct boot_load load;
	u8 image[IMAGE_FILE];
	struct error err;
};

static void put64(u8 *at, u64 value)
{
	__le64 raw = cpu_to_le64(value);

	memcpy(at, &raw, sizeof(raw));
}

FIXTURE_SETUP(boot)
{
	u32 i;

	memset(self, 0, sizeof(*self));
	for (i = 64; i < sizeof(self->image); i++)
		self->image[i] = (u8)(i * 7);
	put64(self->image + 16, IMAGE_SIZE);
	memcpy(self->image + MAGIC_AT, "ARM\x64", 4);
	self->vm = testvm_create(RAM);
	boot_load_init(&self->load, &self->vm->memory);
}

FIXTURE_TEARDOWN(boot)
{
	testvm_destroy(self->vm);
}

/* A file in memory; its path is good as long as it is open. */
static int test_file(const void *bytes, size_t len, char *path, size_t room)
{
	int fd = memfd_create("test-kernel", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return fd;
}

static int load_bytes(FIXTURE_DATA(boot) *self, const void *bytes, size_t len)
{
	struct arch_boot boot = { .cmdline = "" };
	char path[64];
	int fd = test_file(bytes, len, path, sizeof(path));
	int ret;

	self->err = (struct error)ERROR_INIT;
	boot.kernel = path;
	ret = boot_load_files(&self->load, &boot, &self->err);
	close(fd);
	return ret;
}

/* Refused, with an error that has these words in it. */
#define EXPECT_REFUSED(why, words) do {					\
	EXPECT_EQ(-(why), self->err.code);				\
	EXPECT_NE(NULL, strstr(self->err.text, words)) {		\
		TH_LOG("said: %s", self->err.text);			\
	}								\
} while (0)

static bool is_loaded(FIXTURE_DATA(boot) *self)
{
	return self->load.entry == ARM64_KERNEL_BASE &&
	       self->load.kernel_end == ARM64_KERNEL_BASE + IMAGE_SIZE &&
	       !memcmp(testvm_ram(self->vm, ARM64_KERNEL_BASE, IMAGE_FILE),
		       self->image, IMAGE_FILE);
}

TEST_F(boot, image_is_placed_behind_the_first_2_mib)
{
	ASSERT_EQ(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_TRUE(is_loaded(self));
}

TEST_F(boot, text_offset_and_old_kernels)
{
	put64(self->image + 8, 0x1000);
	ASSERT_EQ(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_EQ(ARM64_KERNEL_BASE + 0x1000, self->load.entry);
	put64(self->image + 8, 0);
	put64(self->image + 16, 0);
	/* Nobody knows how much more than its file it takes. */
	EXPECT_NE(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_REFUSED(ENOMEM, "--mem");
	EXPECT_EQ(ARM64_KERNEL_BASE + 0x80000, self->load.entry);
}

TEST_F(boot, wrong_headers)
{
	put64(self->image + 8, 2 * MIB);
	EXPECT_NE(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_REFUSED(ENOEXEC, "wrong header");
	put64(self->image + 8, 0);
	put64(self->image + 16, IMAGE_FILE - 1);
	EXPECT_NE(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_REFUSED(ENOEXEC, "wrong header");
	put64(self->image + 16, RAM);
	EXPECT_NE(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_REFUSED(ENOMEM, "--mem");
	put64(self->image + 16, UINT64_MAX);
	EXPECT_NE(0, load_bytes(self, self->image, IMAGE_FILE));
	EXPECT_REFUSED(ENOMEM, "--mem");
}

TEST_F(boot, files_that_are_no_arm64_kernel)
{
	u8 bytes[1024] = { 0 };

	EXPECT_NE(0, load_bytes(self, bytes, sizeof(bytes)));
	EXPECT_REFUSED(ENOEXEC, "is not a kernel");
	EXPECT_NE(0, load_bytes(self, "", 0));
	EXPECT_REFUSED(ENOEXEC, "is not a kernel");
	EXPECT_NE(0, load_bytes(self, "070701", 6));
	EXPECT_REFUSED(ENOEXEC, "initrd");
	memcpy(bytes + 0x202, "HdrS", 4);
	EXPECT_NE(0, load_bytes(self, bytes, sizeof(bytes)));
	EXPECT_REFUSED(ENOEXEC, "is a bzImage");
	memcpy(bytes + MAGIC_AT, "RSC\x05", 4);
	bytes[0x202] = 0;
	EXPECT_NE(0, load_bytes(self, bytes, sizeof(bytes)));
	EXPECT_REFUSED(ENOEXEC, "RISC-V");
}

/* ---- compressed --------------------------------------------------------- */

static size_t gzip(const u8 *in, size_t len, u8 *out, size_t room)
{
	z_stream z = { .next_in = (u8 *)in, .avail_in = (uInt)len,
		       .next_out = out, .avail_out = (uInt)room };

	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return room - z.avail_out;
}

#define ZBOOT_HEAD	64

static size_t zboot(const char *type, const u8 *payload, size_t len, u8 *out)
{
	memset(out, 0, ZBOOT_HEAD);
	memcpy(out, "MZ\0\0zimg", 8);
	put64(out + 8, ZBOOT_HEAD | (u64)len << 32);
	memcpy(out + 24, type, strlen(type));
	memcpy(out + ZBOOT_HEAD, payload, len);
	return ZBOOT_HEAD + len;
}

TEST_F(boot, gzip_and_every_cut_of_it)
{
	u8 packed[2 * IMAGE_FILE];
	size_t len = gzip(self->image, IMAGE_FILE, packed, sizeof(packed)), n;

	ASSERT_EQ(0, load_bytes(self, packed, len)) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_TRUE(is_loaded(self));
	for (n = 2; n < len; n += 97) {
		EXPECT_NE(0, load_bytes(self, packed, n));
		EXPECT_REFUSED(ENOEXEC, "cut off");
	}
	packed[len / 2] ^= 0x55;
	packed[len - 6] ^= 0x55;
	EXPECT_NE(0, load_bytes(self, packed, len));
	EXPECT_REFUSED(ENOEXEC, "damaged");
}

TEST_F(boot, zstd)
{
	u8 packed[2 * IMAGE_FILE];
	size_t len = ZSTD_compress(packed, sizeof(packed), self->image,
				   IMAGE_FILE, 3);

	ASSERT_EQ(0, load_bytes(self, packed, len));
	EXPECT_TRUE(is_loaded(self));
	EXPECT_NE(0, load_bytes(self, packed, len - 1));
	EXPECT_REFUSED(ENOEXEC, "cut off");
}

TEST_F(boot, efi_zboot)
{
	u8 packed[2 * IMAGE_FILE], file[2 * IMAGE_FILE + ZBOOT_HEAD];
	size_t len;

	len = gzip(self->image, IMAGE_FILE, packed, sizeof(packed));
	len = zboot("gzip", packed, len, file);
	ASSERT_EQ(0, load_bytes(self, file, len));
	EXPECT_TRUE(is_loaded(self));
	EXPECT_NE(0, load_bytes(self, file, len - 1));
	EXPECT_REFUSED(ENOEXEC, "cut off");
	len = ZSTD_compress(packed, sizeof(packed), self->image, IMAGE_FILE, 3);
	len = zboot("zstd22", packed, len, file);
	ASSERT_EQ(0, load_bytes(self, file, len));
	EXPECT_TRUE(is_loaded(self));
	len = zboot("lzma", packed, 100, file);
	EXPECT_NE(0, load_bytes(self, file, len));
	EXPECT_REFUSED(ENOEXEC, "\"lzma\"");
	put64(file + 8, UINT64_MAX);
	EXPECT_NE(0, load_bytes(self, file, len));
	EXPECT_REFUSED(ENOEXEC, "cut off");
}

/* ---- initrd and command line -------------------------------------------- */

static int load_initrd(FIXTURE_DATA(boot) *self, const void *bytes, size_t len)
{
	struct arch_boot boot = { .cmdline = "" };
	char kernel[64], initrd[64];
	int fd = test_file(self->image, IMAGE_FILE, kernel, sizeof(kernel));
	int fd2 = test_file(bytes, len, initrd, sizeof(initrd));
	int ret;

	self->err = (struct error)ERROR_INIT;
	boot.kernel = kernel;
	boot.initrd = initrd;
	ret = boot_load_files(&self->load, &boot, &self->err);
	close(fd);
	close(fd2);
	return ret;
}

TEST_F(boot, initrd_follows_the_kernel)
{
	static u8 big[RAM];

	ASSERT_EQ(0, load_initrd(self, "070701initrd", 12));
	EXPECT_EQ(self->load.kernel_end, self->load.initrd);
	EXPECT_EQ(12, self->load.initrd_size);
	EXPECT_EQ(0, memcmp(testvm_ram(self->vm, self->load.initrd, 12),
			    "070701initrd", 12));
	EXPECT_NE(0, load_initrd(self, "", 0));
	EXPECT_REFUSED(EINVAL, "is empty");
	EXPECT_NE(0, load_initrd(self, big, sizeof(big)));
	EXPECT_REFUSED(ENOMEM, "--mem");
}

TEST_F(boot, command_line_too_long)
{
	struct arch_boot boot = { .kernel = "/nonexistent" };
	char text[2049];

	memset(text, 'x', sizeof(text));
	text[2048] = '\0';
	boot.cmdline = text;
	EXPECT_EQ(-E2BIG, boot_load_files(&self->load, &boot, &self->err));
	text[2047] = '\0';
	EXPECT_EQ(-ENOENT, boot_load_files(&self->load, &boot, &self->err));
}

/* ---- device tree -------------------------------------------------------- */

static const u64 mpidr[] = { 0, 1, 0x100, 0x100000000 };

static void *make_tree(FIXTURE_DATA(boot) *self, enum gic_kind gic)
{
	struct fdt_params p = {
		.cmdline = "console=ttyS0",
		.initrd = ARM64_KERNEL_BASE, .initrd_size = 4096,
		.mpidr = mpidr, .cpus = ARRAY_SIZE(mpidr), .gic = gic,
	};
	void *blob = NULL;
	u32 len = 0;

	if (fdt_make(self->vm, &p, &blob, &len, &self->err) ||
	    fdt_check_full(blob, len))
		return NULL;
	return blob;
}

static u32 cell(const void *fdt, const char *path, const char *name, u32 index)
{
	int node = fdt_path_offset(fdt, path), len;
	const fdt32_t *p = node < 0 ? NULL : fdt_getprop(fdt, node, name, &len);

	return p && (u32)len >= 4 * (index + 1) ? fdt32_ld(p + index) :
						  UINT32_MAX;
}

static const char *text(const void *fdt, const char *path, const char *name)
{
	int node = fdt_path_offset(fdt, path);
	const char *p = node < 0 ? NULL : fdt_getprop(fdt, node, name, NULL);

	return p ? p : "(none)";
}

TEST_F(boot, tree_describes_the_machine)
{
	void *fdt;

	testvm_add(self->vm, "serial", 0, "");
	testvm_add(self->vm, "serial", 1, "");
	testvm_add(self->vm, "pl031", 0, "");
	testvm_add(self->vm, "pl061", 0, "");
	testvm_add(self->vm, "vmgenid", 0, "");
	fdt = make_tree(self, GIC_V3_ITS);
	ASSERT_NE(NULL, fdt);
	EXPECT_STREQ("console=ttyS0", text(fdt, "/chosen", "bootargs"));
	EXPECT_EQ(ARM64_KERNEL_BASE + 4096,
		  cell(fdt, "/chosen", "linux,initrd-end", 1));
	EXPECT_NE(UINT32_MAX, cell(fdt, "/chosen", "rng-seed", 15));
	EXPECT_EQ(RAM, cell(fdt, "/memory@40000000", "reg", 3));
	EXPECT_STREQ("psci", text(fdt, "/cpus/cpu@100", "enable-method"));
	EXPECT_EQ(1, cell(fdt, "/cpus/cpu@100000000", "reg", 0));
	EXPECT_STREQ("hvc", text(fdt, "/psci", "method"));
	EXPECT_EQ(ARM64_GICR_BASE,
		  cell(fdt, "/interrupt-controller@8000000", "reg", 5));
	EXPECT_EQ(cell(fdt, "/interrupt-controller@8000000/msi-controller@8080000",
		       "phandle", 0),
		  cell(fdt, "/pcie@3f000000", "msi-map", 1));
	EXPECT_STREQ("/serial@9000000", text(fdt, "/aliases", "serial0"));
	EXPECT_STREQ("ns16550a", text(fdt, "serial1", "compatible"));
	EXPECT_EQ(ARM64_RTC_GSI, cell(fdt, "/rtc@9010000", "interrupts", 1));
	EXPECT_EQ(116, cell(fdt, "/gpio-keys/power", "linux,code", 0));
	EXPECT_STREQ("microsoft,vmgenid",
		     text(fdt, "/rng@40000000", "compatible"));
	/* The window for 64-bit BARs begins behind RAM. */
	EXPECT_EQ(2 * GIB, (u64)cell(fdt, "/pcie@3f000000", "ranges", 8) << 32 |
		  cell(fdt, "/pcie@3f000000", "ranges", 9));
	free(fdt);
}

TEST_F(boot, tree_says_only_what_is_there)
{
	void *fdt = make_tree(self, GIC_V2);

	ASSERT_NE(NULL, fdt);
	EXPECT_GT(0, fdt_path_offset(fdt, "/serial@9000000"));
	EXPECT_GT(0, fdt_path_offset(fdt, "/gpio-keys"));
	EXPECT_GT(0, fdt_path_offset(fdt,
		  "/interrupt-controller@8000000/msi-controller@8080000"));
	EXPECT_EQ(UINT32_MAX, cell(fdt, "/pcie@3f000000", "msi-map", 0));
	EXPECT_EQ(UINT32_MAX, cell(fdt, "/pcie@3f000000", "msi-parent", 0));
	free(fdt);
}

#define GIC_NODE	"/interrupt-controller@8000000"
#define V2M_NODE	GIC_NODE "/v2m@8020000"

TEST_F(boot, tree_has_the_interrupt_controller)
{
	static const struct {
		enum gic_kind kind;
		const char *compatible;
		u64 second;
		bool frame;
	} kinds[] = {
		{ GIC_V2, "arm,cortex-a15-gic", ARM64_GICC_BASE, false },
		{ GIC_V2M, "arm,cortex-a15-gic", ARM64_GICC_BASE, true },
		{ GIC_V3, "arm,gic-v3", ARM64_GICR_BASE, true },
		{ GIC_V3_ITS, "arm,gic-v3", ARM64_GICR_BASE, false },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		void *fdt = make_tree(self, kinds[i].kind);
		bool v2 = gic_is_v2(kinds[i].kind);

		ASSERT_NE(NULL, fdt);
		EXPECT_STREQ(kinds[i].compatible,
			     text(fdt, GIC_NODE, "compatible"));
		EXPECT_EQ(ARM64_GICD_BASE, cell(fdt, GIC_NODE, "reg", 1));
		EXPECT_EQ(v2 ? 0x1000 : 0x10000,
			  cell(fdt, GIC_NODE, "reg", 3));
		EXPECT_EQ(kinds[i].second, cell(fdt, GIC_NODE, "reg", 5));
		EXPECT_EQ(v2 ? 0x2000 : 0x80000,
			  cell(fdt, GIC_NODE, "reg", 7));
		/* Of the private ones a GICv2 wants to know whose they are. */
		EXPECT_EQ(v2 ? 0xf04 : 4, cell(fdt, GIC_NODE, "interrupts", 2));
		EXPECT_EQ(v2 ? 0xf04 : 4, cell(fdt, "/timer", "interrupts", 8));
		EXPECT_EQ(kinds[i].frame, fdt_path_offset(fdt, V2M_NODE) >= 0);
		EXPECT_EQ(kinds[i].frame ? cell(fdt, V2M_NODE, "phandle", 0) :
					   UINT32_MAX,
			  cell(fdt, "/pcie@3f000000", "msi-parent", 0));
		EXPECT_EQ(kinds[i].kind == GIC_V3_ITS,
			  cell(fdt, "/pcie@3f000000", "msi-map", 1) !=
			  UINT32_MAX);
		if (kinds[i].frame) {
			EXPECT_STREQ("arm,gic-v2m-frame",
				     text(fdt, V2M_NODE, "compatible"));
			EXPECT_STREQ("", text(fdt, V2M_NODE,
					      "msi-controller"));
			EXPECT_EQ(ARM64_V2M_BASE,
				  cell(fdt, V2M_NODE, "reg", 1));
			EXPECT_EQ(64, cell(fdt, V2M_NODE, "arm,msi-base-spi",
					   0));
			EXPECT_EQ(160, cell(fdt, V2M_NODE, "arm,msi-num-spis",
					    0));
		}
		free(fdt);
	}
}

TEST_F(boot, tree_that_outgrows_its_room_is_refused)
{
	char *words = malloc(2 * MIB);
	struct fdt_params p = {
		.cmdline = words, .mpidr = mpidr, .cpus = 1, .gic = GIC_V3,
	};
	void *blob;
	u32 len;

	memset(words, 'x', 2 * MIB);
	words[2 * MIB - 1] = '\0';
	EXPECT_EQ(-ENOSPC, fdt_make(self->vm, &p, &blob, &len, &self->err));
	EXPECT_REFUSED(ENOSPC, "device tree");
	free(words);
}

/* ---- names -------------------------------------------------------------- */

TEST(registers_and_features_have_names)
{
	u64 isar0 = ARM64_SYS_REG(3, 0, 0, 6, 0);
	char name[64];

	reg_name(isar0, name, sizeof(name));
	EXPECT_STREQ("ID_AA64ISAR0_EL1", name);
	reg_name(ARM64_SYS_REG(3, 3, 13, 0, 2), name, sizeof(name));
	EXPECT_STREQ("S3_3_C13_C0_2", name);
}

TEST_HARNESS_MAIN
