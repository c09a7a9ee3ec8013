#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# objects.sh - what the compiled objects below $O have and call
#
# Looks at what the compiler made, so that no macro hides anything: variables
# that can change and outlive a machine, and calls that print or end the process
# in library code, which is all but vmm/cli.

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT
dir=${O:-build}

# The objects that belong to a source of lkvm, without the folder's name.
objects()
{
	(cd "$dir" && find . -name '*.o') | sed 's,^\./,,' | sort |
		while read -r object; do
			case $object in
			tests/*) continue ;;
			esac
			[ ! -e "${object%.o}.c" ] || echo "$object"
		done
}

# Tables of constants with addresses in them stand in .data.rel.ro.
variables()
{
	allowed=$(sed '/^#/d; /^$/d; s/[[:space:]].*//' \
		"$lint_home/globals.allow" | tr '\n' ' ')
	objects | while read -r object; do
		objdump -t "$dir/$object" | awk -v object="$object" \
			-v allowed=" $allowed" '
			/ O [.](data|bss|tdata|tbss|common)/ || / O \*COM\*/ {
				name = $NF
				sub(/[.][0-9]+$/, "", name)
				if ($0 ~ / O [.]data[.]rel[.]ro/)
					next
				if (index(allowed, " " name " ") == 0)
					print object ": " name
			}'
	done
}

calls()
{
	objects | grep -v '^vmm/cli/' | while read -r object; do
		nm -u "$dir/$object" | awk -v object="$object" '
			$2 ~ /^(exit|_exit|_Exit|quick_exit|abort|puts|putchar|perror|stdout|stderr|v?printf|__v?printf_chk|v?warnx?|v?errx?)$/ {
				print object ": " $2
			}'
	done
}

check "there are objects" [ -n "$(objects)" ]
none "no variables outlive a machine" variables
none "library code does not print and does not end the process" calls
tap_done
