#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# checkpatch.sh - Linux kernel coding style
#
# checkpatch.pl of the package linux-source, on whole files. What does not fit a
# program outside the kernel is listed, with the reason, in checkpatch.ignore.

. "$(dirname "$0")/lint.sh"
tools=$(mktemp -d)
# It leaves a list of names in the current folder.
trap 'rm -rf "$tap_output" "$tools" .checkpatch-camelcase.*' EXIT

sh "$lint_home/../lib/kernel-tools.sh" "$tools"
ignore=$(sed '/^#/d; /^$/d; s/[[:space:]].*//' "$lint_home/checkpatch.ignore" |
	paste -sd,)

# What is C11 and not kernel C it takes for something else: _Atomic for a name (and
# the names of elf.h and libFuzzer, which are not ours), the member
# "_Atomic(type) name;" for a statement, a pointer to a typeof for a product, and
# a static_assert right below its struct for the next declaration; what the test
# harness declares it takes for products and blocks. A table of cases has one in
# a line. LONG() is two cells of a list, which parentheses would make one.
but_c11()
{
	while IFS=: read -r file line remark; do
		sed -n "$((line > 1 ? line - 1 : 1)),${line}p" "$file" |
			grep -q -e _Atomic -e '^static_assert(' -e typeof \
				-e FIXTURE_ -e '^#define LONG(' -e '^[[:blank:]]*case [^:]*: .*break;$' ||
			echo "$file:$line:$remark"
	done
}

style()
{
	files '*.c' '*.h' | xargs -P "$(nproc)" -n 20 perl \
		"$tools/checkpatch.pl" --no-tree --strict --terse --no-summary \
		--show-types --max-line-length=100 --ignore "$ignore" -f |
		grep -v -e '^total: ' -e 'CamelCase: <\(_[A-Z]\|Elf64_\|LLVM\)' | but_c11
}

none "checkpatch has no remarks" style
tap_done
