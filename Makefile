# SPDX-License-Identifier: GPL-2.0-only
#
# lkvm: build, test, install
#
#   make                 build the lkvm binary (./lkvm, objects in build/)
#   make O=dir           the same with everything in dir
#   make ARCH=x86|arm64 CROSS_COMPILE=prefix-
#                        for another architecture; its libraries are in SYSROOT,
#                        Debian's packages unpacked if that is not set
#   make CC=clang        build with clang
#   make static          a static binary ($(O)/lkvm-static)
#   make W=1             more warnings, WERROR=1 makes them errors (CI does)
#   make C=1             run sparse over each file that is compiled
#   make SAN=address     AddressSanitizer and UBSan; SAN=thread ThreadSanitizer
#   make check           the quick part of the tests; tests/check.sh runs all
#   make check-long      the tests that take hours
#   make fuzz            the fuzzers, FUZZ_SECONDS=n each (default 600)
#   make bench           measure, beside a reference
#   make install         PREFIX=/usr/local DESTDIR=
#
# Each folder lists its objects in a file Kbuild: obj-y += file.o

MAKEFLAGS += --no-builtin-rules
comma := ,
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION		:= 0.1.0

# ---- where and with what ----------------------------------------------------

srcarch		= $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(1)))
HOSTARCH	:= $(shell uname -m)
ARCH		?= $(HOSTARCH)
SRCARCH		:= $(call srcarch,$(ARCH))
ifeq ($(wildcard arch/$(SRCARCH)/Kbuild),)
$(error no such architecture: $(ARCH))
endif

ifneq ($(SAN),)
O		?= build-$(SAN)
endif
O		?= build

CC		= $(CROSS_COMPILE)gcc
PKG_CONFIG	?= pkg-config
HOSTCC		?= gcc
IASL		?= iasl
SPARSE		?= sparse

# Asked once, not in each make that is started from here.
ifneq ($(SRCARCH),$(call srcarch,$(HOSTARCH)))
ifeq ($(origin SYSROOT),undefined)
SYSROOT		:= $(shell sh tests/lib/sysroot.sh $(SRCARCH))
ifeq ($(SYSROOT),)
$(error no libraries for $(SRCARCH); set SYSROOT to where they are)
endif
export SYSROOT
endif
endif

V		?= 0
ifeq ($(V),0)
Q		:= @
say		= @printf '  %-7s %s\n' $(1) $(2);
else
Q		:=
say		=
endif

# ---- flags ------------------------------------------------------------------

WARN		:= -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wundef		\
		   -Wstrict-prototypes -Wmissing-prototypes			\
		   -Wold-style-definition -Wwrite-strings -Wpointer-arith	\
		   -Wimplicit-fallthrough -Wno-unused-parameter			\
		   -Wno-missing-field-initializers
ifneq ($(W),)
WARN		+= -Wcast-align -Wnull-dereference -Wunused-macros
endif
ifneq ($(WERROR),0)
ifneq ($(CI)$(WERROR),)
WARN		+= -Werror
endif
endif

OPT		?= -O2
CFLAGS		?= -g
cflags		:= -std=gnu11 $(OPT) -fno-strict-aliasing -fno-common		\
		   -fstack-protector-strong -fPIE -pthread			\
		   -ffunction-sections -fdata-sections				\
		   -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64				\
		   -DLKVM_VERSION='"$(VERSION)"' -I. -I$(O)/gen $(WARN)
ldflags		:= -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections
libs		:= -luring -lfdt -lblkid -ljson-c -lxxhash

# As Debian has them: headers for all architectures and for one, libraries.
ifneq ($(SYSROOT),)
triplet		:= $(shell $(CC) -dumpmachine)
cflags		+= -isystem $(SYSROOT)/usr/include				\
		   -isystem $(SYSROOT)/usr/include/$(triplet)
sysroot_libs	:= $(SYSROOT)/usr/lib/$(triplet) $(SYSROOT)/lib/$(triplet)
ldflags		+= $(addprefix -L,$(sysroot_libs))				\
		   $(addprefix -Wl$(comma)-rpath-link$(comma),$(sysroot_libs))
endif

ifeq ($(SAN),)
cflags		+= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else ifeq ($(SAN),address)
cflags		+= -fsanitize=address,undefined -fno-sanitize-recover=undefined	\
		   -fno-omit-frame-pointer
ldflags		+= -fsanitize=address,undefined
else ifeq ($(SAN),thread)
cflags		+= -fsanitize=thread -fno-omit-frame-pointer
# It does not know fences, which gcc only says of those that it inlines.
cflags		+= $(if $(findstring clang,$(CC)),,-Wno-tsan)
ldflags		+= -fsanitize=thread
else
$(error SAN is address or thread)
endif
ifneq ($(DEBUG),)
cflags		+= -DLKVM_DEBUG
endif
ifneq ($(SAN),)
cflags		+= -DLKVM_DEBUG
endif

# ---- objects ----------------------------------------------------------------

# $(call objects,folder): the objects that the folder's Kbuild lists
define read_kbuild
obj-y :=
include $(1)/Kbuild
objs-$(1) := $$(addprefix $$(O)/$(1)/,$$(obj-y))
endef

dirs		:= $(patsubst %/Kbuild,%,$(wildcard vmm/Kbuild vmm/base/Kbuild	\
			devices/Kbuild devices/*/Kbuild virtio/Kbuild		\
			migration/Kbuild arch/$(SRCARCH)/Kbuild))
$(foreach d,$(dirs) vmm/cli,$(eval $(call read_kbuild,$(d))))
lib_objs	:= $(foreach d,$(dirs),$(objs-$(d)))
cli_objs	:= $(objs-vmm/cli)

all: $(O)/lkvm
ifeq ($(O),build)
	$(Q)ln -sf $(O)/lkvm lkvm
endif

$(O)/lkvm: $(lib_objs) $(cli_objs)
	$(call say,LD,$@)$(CC) $(ldflags) $(LDFLAGS) -o $@ $^ $(libs) $(LIBS)

static: $(O)/lkvm-static
$(O)/lkvm-static: $(lib_objs) $(cli_objs)
	$(call say,LD,$@)$(CC) $(filter-out -pie,$(ldflags)) -static-pie	\
		$(LDFLAGS) -o $@ $^ $(libs) $(LIBS)

# The C library's and the kernel's headers define a few tokens differently,
# which sparse calls an error; what is said of our own files fails the build.
sparse_filter	:= /^\/usr\/|: note: in included file/ { next }		\
		   { print; bad = 1 } END { exit bad }

$(O)/%.o: %.c $(O)/.flags
	@mkdir -p $(@D)
ifneq ($(C),)
	$(call say,CHECK,$<)$(SPARSE) -std=gnu11 -D__CHECKER__			\
		-Wbitwise -Wcontext -Wno-decl -Wno-non-pointer-null $(filter -D% -I% -U%,$(cflags))	\
		-gcc-base-dir $$(dirname $$($(CC) -print-libgcc-file-name))	\
		$< 2>&1 | awk '$(sparse_filter)'
endif
	$(call say,CC,$<)$(CC) $(cflags) $(CFLAGS) -MMD -MP -c -o $@ $<

# A changed command line rebuilds everything.
flags_now	:= $(CC) $(cflags) $(CFLAGS)
$(O)/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_now))' | cmp -s - $@ ||		\
		printf '%s\n' '$(subst ','\'',$(flags_now))' > $@
FORCE:

-include $(wildcard $(O)/*.d $(O)/*/*.d $(O)/*/*/*.d)
-include arch/$(SRCARCH)/Makefile
-include Documentation/Makefile
-include tests/Makefile

clean:
	$(Q)rm -rf build build-address build-thread lkvm

.PHONY: all static clean FORCE
