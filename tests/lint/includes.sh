#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# includes.sh - who may include whom
#
#   vmm/cli -> migration, arch, virtio, devices -> vmm -> vmm/base
#
# A device and virtio may include devices/pci and devices/block besides. A
# header NAME_priv.h is for its own folder. Tests may include anything.

. "$(dirname "$0")/lint.sh"

includes=$(mktemp)
headers=$(mktemp)
tools=$(mktemp -d)
trap 'rm -rf "$includes" "$headers" "$tools" "$tap_output"' EXIT

# FILE INCLUDED LINE, for each include line in quotes.
files '*.c' '*.h' '*.S' | while read -r file; do
	awk -v file="$file" '/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, part, "\"")
		print file, part[2], FNR
	}' "$file"
done >"$includes"

wrong_includes()
{
	awk '
	# The room of a file: its folder, and arch/x86/sub is in arch/x86.
	function room(file, part, n) {
		n = split(file, part, "/")
		if (part[1] == "arch")
			return "arch/" part[2]
		if (part[1] == "vmm" && n > 2)
			return "vmm/" part[2]
		if (part[1] == "devices" && n > 2)
			return "devices/" part[2]
		return part[1]
	}
	function may(from, to) {
		if (from == to || to == "vmm/base")
			return 1
		if (from == "vmm/base")
			return 0
		if (from == "vmm")
			return 0
		if (to == "vmm")
			return 1
		if (from == "vmm/cli")
			return to != "tests"
		if (from ~ /^(devices|virtio)/)
			return to ~ /^devices\/(pci|block)$/ && \
				from !~ /^devices\/(pci|block)$/
		return 0
	}
	{
		from = room($1)
		to = room($2)
		if (from != "tests" && !may(from, to))
			print $1 ":" $3 ": " from " may not include " to \
				" (" $2 ")"
	}' "$includes"
}

foreign_private()
{
	awk '$2 ~ /_priv\.h$/ && $1 !~ /^tests\// {
		from = $1; sub(/\/[^\/]*$/, "", from)
		to = $2; sub(/\/[^\/]*$/, "", to)
		if (from != to)
			print $1 ":" $3 ": " $2 " is private to " to
	}' "$includes"
}

# The build makes headers too, in gen/ below its folder.
unresolved()
{
	while read -r file included line; do
		case $included in
		*/*)
			grep -q -s "gen/$included" "$(dirname "$file")/Makefile" &&
				continue
			;;
		*) continue ;;
		esac
		[ -e "$included" ] ||
			echo "$file:$line: no $included from the root"
	done <"$includes"
}

cycles()
{
	awk '$1 ~ /\.h$/ && $2 ~ /\.h$/ { print $1, $2 }' "$includes" |
		tsort 2>&1 >/dev/null | sed 's/^tsort: //'
}

# The build's own flags, as far as they concern a header.
alone()
{
	sh "$lint_home/../lib/kernel-tools.sh" "$tools"
	files '*.h' | grep -v '^tests/kvm/guest/' >"$headers"
	while read -r header; do
		"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
			-Wall -Wextra -Wno-unused-parameter -Werror \
			-DLKVM_VERSION='""' -I. -I"${O:-build}/gen" \
			-isystem "$tools" -fsyntax-only \
			-include "$header" -x c /dev/null
	done <"$headers"
}

none "nobody includes what he may not" wrong_includes
none "private headers stay in their folder" foreign_private
none "includes are by path from the root" unresolved
none "headers do not include each other in a circle" cycles
none "every header compiles alone" alone
tap_done
