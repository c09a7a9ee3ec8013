#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# self.sh - the checkers find what they are for
#
# A small tree without a fault, on which all of them must be quiet; then one
# fault at a time, which the right one must name.

. "$(dirname "$0")/lint.sh"

tree=$(mktemp -d)
trap 'rm -rf "$tree" "$tap_output"' EXIT
cd "$tree" || exit

commit()
{
	git -c user.name=t -c user.email=t@example.org -c commit.gpgsign=false \
		commit -q --no-verify --allow-empty -m "$1"
}

good_tree()
{
	git init -q .
	mkdir -p vmm/base devices/pci devices/nvme Documentation/man
	cat >vmm/base/error.h <<'END'
/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a header
 */
#ifndef VMM_BASE_ERROR_H
#define VMM_BASE_ERROR_H

int error_get(void);

#endif /* VMM_BASE_ERROR_H */
END
	cat >vmm/base/error.c <<'END'
// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a source
 */
#include "vmm/base/error.h"

/**
 * error_get() - a function
 *
 * Return: 0, always; it never calls exit() and it never says printf().
 */
int error_get(void)
{
	return 0;
}
END
	sed 's/error/pci/g; s/vmm.base/devices\/pci/g; s/VMM_BASE_ERROR/PCI/' \
		vmm/base/error.h >devices/pci/pci.h
	sed 's/error/nvme/g; s/vmm.base/devices\/nvme/g' \
		vmm/base/error.c >devices/nvme/nvme.c
	sed 's/error/nvme/g; s/VMM_BASE_ERROR/NVME/' \
		vmm/base/error.h >devices/nvme/nvme.h
	sed 's/DOC: a header/DOC: private/; s/VMM_BASE_ERROR/NVME_PRIV/
		s/error_get/nvme_get_priv/' \
		vmm/base/error.h >devices/nvme/nvme_priv.h
	sed -i 's,^#include.*,&\n#include "devices/pci/pci.h",' \
		devices/nvme/nvme.c
	cat >run.sh <<'END'
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
echo "$1"
END
	cat >Documentation/man/lkvm.1 <<'END'
.\" SPDX-License-Identifier: GPL-2.0-only
.Dd July 1, 2024
.Dt LKVM 1
.Os
.Sh NAME
.Nm lkvm
.Nd run machines
.Sh SYNOPSIS
.Nm
.Sh DESCRIPTION
It runs them.
END
	git add -A
	commit "tests: a good tree"
}

# finds CHECKER TEXT: the checker fails, and names it.
finds()
{
	refuse "$1 finds: $2" "$2" sh "$lint_home/$1.sh"
	git checkout -q -f good
	git reset -q --hard
	git clean -q -f -d
	git checkout -q -f -B try good
}


good_tree
git branch good
git checkout -q -b try
for checker in includes words kernel-doc checkpatch spelling shell man; do
	check "$checker is quiet on a good tree" sh "$lint_home/$checker.sh"
done

# ---- includes ---------------------------------------------------------------

sed -i 's,^#include.*,&\n#include "devices/pci/pci.h",' vmm/base/error.c
finds includes 'vmm/base may not include devices/pci'
mkdir devices/rtc
sed 's,^#include.*,#include "devices/nvme/nvme.h",' vmm/base/error.c \
	>devices/rtc/rtc.c
finds includes 'devices/rtc may not include devices/nvme'
echo '#include "devices/nvme/nvme.h"' >>devices/pci/pci.h
finds includes 'devices/pci may not include devices/nvme'
echo '#include "migration/image.h"' >>devices/nvme/nvme.c
finds includes 'devices/nvme may not include migration'
mkdir vmm/cli
echo '#include "devices/nvme/nvme_priv.h"' >vmm/cli/main.c
finds includes 'nvme_priv.h is private'
echo '#include "vmm/base/gone.h"' >>vmm/base/error.c
finds includes 'no vmm/base/gone.h'
sed 's/error/log/; s/ERROR/LOG/' vmm/base/error.h >vmm/base/log.h
sed -i 's,^int.*,#include "vmm/base/log.h",' vmm/base/error.h
sed -i 's,^int.*,#include "vmm/base/error.h",' vmm/base/log.h
finds includes 'loop'
sed -i 's/int error_get/u32 error_get/' vmm/base/error.h
finds includes 'unknown type name'

# ---- words ------------------------------------------------------------------

sed -i 's/return 0;/return X86_CODE;/' vmm/base/error.c
finds words 'error.c:.*X86_CODE'
git mv vmm/base/error.c vmm/base/error_x86.c
finds words 'error_x86.c: its name'
sed -i 's/return 0;/exit(1);/' vmm/base/error.c
finds words 'error.c:.*exit(1)'
sed -i 's/return 0;/return printf("x");/' vmm/base/error.c
finds words 'error.c:.*printf('
sed -i 's/return 0;/return fprintf(stderr, "x");/' vmm/base/error.c
finds words 'error.c:.*fprintf(stderr'
mkdir migration
echo 'int d(void) { return ioctl(1, FICLONE, 2); }' >migration/disks.c
finds words 'migration/disks.c:.*FICLONE'
mkdir migration
echo 'void d(void) { io_uring_prep_write(0, 1, 0, 0, 0); }' >migration/disks.c
finds words 'migration/disks.c:.*prep_write'
mkdir migration
sed 's/return 0;/return pread(0, 0, 0, 0);/' vmm/base/error.c \
	>migration/load.c
finds words 'load.c:.*pread('
sed -i 's/return 0;/assert(i++ < 3);/' vmm/base/error.c
finds words 'error.c:.*assert(i++'
sed -i 's/return 0;/assert(i = 3);/' vmm/base/error.c
finds words 'error.c:.*assert(i ='
sed -i 's/return 0;/return offset + len <= size;/' vmm/base/error.c
finds words 'error.c:.*offset + len'
sed -i 's/return 0;/return b->addr + (u64)b->size > end;/' vmm/base/error.c
finds words 'error.c:.*addr + '
sed -i 's,return 0;,return 0; /* FIX''ME: 1 */,' vmm/base/error.c
finds words 'error.c:.*FIX''ME'
sed -i 1d vmm/base/error.c
finds words 'error.c: no SPDX line'
echo 'a ' >>run.sh
finds words 'run.sh:.*a $'
printf 'a' >>run.sh
finds words 'run.sh: no line break'
printf '\n' >>run.sh
finds words 'run.sh: an empty line'
echo 'cd /wor''k/main' >>run.sh
finds words 'run.sh:.*/main'
commit 'vmm: fetch it from deb.deb''ian.org'
finds words 'vmm: fetch it'
commit 'This subject has no area in front of what it says'
finds words 'This subject has no area'
commit 'vmm: a subject that does not end where it should but goes on and on and on'
finds words 'vmm: a subject that'

# ---- the others -------------------------------------------------------------

sed -i 's/error_get() - a/error_put() - a/' vmm/base/error.c
finds kernel-doc 'expecting prototype for error_put'
sed -i '/^\/\*\*$/,/\*\/$/{/DOC/,/\*\//!d}' vmm/base/error.h
sed -i '/DOC:/d' vmm/base/error.c
finds kernel-doc 'error.c: no DOC'
cat >>vmm/base/error.c <<'END'

int error_other(void)
{
	return 1;
}
END
finds kernel-doc 'error.c:.*: error_other()'
sed -i 's/return 0;/return(0);/' vmm/base/error.c
finds checkpatch 'error.c:.*return is not a function'
sed -i 's/	return 0;/        return 0;/' vmm/base/error.c
finds checkpatch 'error.c:.*CODE_INDENT'
sed -i 's/a source/a sou''cre/' vmm/base/error.c
finds spelling 'error.c:.*sou''cre'
# shellcheck disable=SC2016
echo 'rm $1' >>run.sh
finds shell 'SC2086'
echo '.Xx' >>Documentation/man/lkvm.1
finds man 'lkvm.1:.*Xx'

# ---- objects ----------------------------------------------------------------

# compiled: error.c with the text on standard input behind it, and the checker.
compiled()
{
	mkdir -p build/vmm/base
	git show good:vmm/base/error.c >vmm/base/error.c
	cat >>vmm/base/error.c
	gcc -O2 -fPIE -I. -c -o build/vmm/base/error.o vmm/base/error.c
	O=build sh "$lint_home/objects.sh"
}

check "objects is quiet on a good tree" compiled <<'END'
static int one(void) { return 1; }
int (*const error_table[])(void) = { one, error_get };
END
refuse "objects finds: a variable" 'error.o: error_count' compiled <<'END'
int error_count;
END
refuse "objects finds: a variable in a function" 'error.o: calls' compiled <<'END'
int error_next(void) { static int calls = 3; return calls++; }
END
refuse "objects finds: exit()" 'error.o: exit' compiled <<'END'
#include <stdlib.h>
#define END_IT exit
void error_end(void) { END_IT(1); }
END
refuse "objects finds: printf()" 'error.o: puts' compiled <<'END'
#include <stdio.h>
void error_say(void) { printf("error\n"); }
END
tap_done
