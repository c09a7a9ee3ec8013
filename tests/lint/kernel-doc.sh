#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel-doc.sh - documentation comments are well formed, and they are there
#
# kernel-doc of the package linux-kbuild says what is wrong in a comment, but
# not that there is none: we look for that ourselves, at the head of each file
# and before each function that other files can call.

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT

set -- /usr/lib/linux-kbuild-*/scripts/kernel-doc
kernel_doc=$1

malformed()
{
	files '*.c' '*.h' | xargs "$kernel_doc" -none -Werror
}

# What a header has to tell may stand in the source beside it, or, if it is for
# one folder only, in the sources there.
no_head()
{
	files '*.c' '*.h' | while read -r file; do
		case $file in
		*_priv.h) continue ;;
		*.h) [ ! -e "${file%.h}.c" ] || continue ;;
		esac
		head -n 12 "$file" | grep -q '^ \* DOC: ' ||
			echo "$file: no DOC: block at its head"
	done
}

# A definition starts in column 0, perhaps with its type on a line before, and
# its body with a brace in column 0. Its documentation may also stand in a header.
undocumented()
{
	files '*.c' '*.h' | xargs sed -n 's/^ \* \([a-z_0-9]*\)() - .*/\1/p' |
		sort -u >"$tap_output.documented"
	files '*.c' | grep -v '^tests/' | while read -r file; do
		awk -v file="$file" '
			FNR == NR { documented[$1] = 1; next }
			/^[a-z_].*[a-z_0-9]\(/ && !/;[ \t]*$/ && !/^static/ &&
			!/^(typedef|struct [a-z_0-9]+ \{|enum|extern)/ &&
			before !~ /^static[^;{(]*$/ {
				name = $0
				sub(/\(.*/, "", name)
				sub(/.*[ *]/, "", name)
				at = FNR
			}
			/^static/ || /;[ \t]*$/ { name = "" }
			/^\{/ && name {
				if (!documented[name] && name != "main")
					print file ":" at ": " name "()"
				name = ""
			}
			{ before = $0 }' "$tap_output.documented" "$file"
	done
	rm -f "$tap_output.documented"
}

check "kernel-doc is installed" [ -x "$kernel_doc" ]
none "documentation comments are well formed" malformed
none "every file tells at its head what it is" no_head
none "every function that others call is documented" undocumented
tap_done
