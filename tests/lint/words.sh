#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# words.sh - words that must not stand where they stand

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT

# in_code PATTERN FILES...: where the pattern is in code; comments do not count.
in_code()
{
	pattern=$1
	shift
	for file; do
		code "$file"
	done | grep -E -e "$pattern"
}

# Library code is all but the command line, which alone prints and exits.
library=$(files '*.c' '*.h' | grep -v '^tests/\|^vmm/cli/')

# The folder that decides what an architecture is, and the text for people, may
# name it. The top Makefile finds that folder.
names='\(^\|[^0]\)x86\|amd64\|i386'
architecture()
{
	files . | grep -v '^arch/x86/\|^tests/\|^Documentation/\|^\.ci/' |
		grep -v '^README\|^Makefile$' >"$tap_output.files"
	grep -i "$names" "$tap_output.files" | sed 's/$/: its name/'
	grep -v '\.md$\|\.rst$' "$tap_output.files" |
		xargs -r grep -n -i -e "$names"
	rm -f "$tap_output.files"
}

exits()
{
	# shellcheck disable=SC2086
	in_code '(^|[^_[:alnum:]>.])(exit|_exit|_Exit|quick_exit|abort)[ ]*\(' \
		$library
}

prints()
{
	# shellcheck disable=SC2086
	in_code '(^|[^_[:alnum:]>.])(v?printf|puts|putchar|perror|psignal|v?warnx?|v?errx?)[ ]*\(|[^_[:alnum:]](stdout|stderr)([^_[:alnum:]]|$)' \
		$library
}

# Everything on migration data goes through the _all calls of the channel, also
# what the command line does about snapshots. Calls by which data moves, plain,
# positioned, by a stream, from file to file or by a ring, and those that change
# what a file holds.
raw_io()
{
	calls='p?(read|write)v?2?|send|recv|sendto|recvfrom|sendm?msg|recvm?msg'
	calls="$calls|splice|tee|vmsplice|sendfile|copy_file_range|fallocate"
	calls="$calls|posix_fallocate|f?truncate|aio_(read|write)"
	calls="$calls|f(read|write)"
	calls="$calls|io_uring_(prep_[a-z0-9_]+|get_sqe|submit[a-z_]*)"
	# shellcheck disable=SC2046
	in_code "(^|[^_[:alnum:]>.])($calls)[ ]*\\(|[^_[:alnum:]](FICLONE|FICLONERANGE)[^_[:alnum:]]" \
		$(files 'migration/*.c' 'vmm/cli/snapshot*.c' \
			'vmm/cli/restore*.c' 'vmm/cli/migrate*.c' \
			'vmm/cli/receive*.c' | grep -v '^migration/channel')
}

# An assertion that is compiled out must not take anything with it.
assertions()
{
	# shellcheck disable=SC2046
	in_code '(^|[^_[:alnum:]])assert[ ]*\(.*([+][+]|--|[^=!<>]=[^=])' \
		$(files '*.c' '*.h')
}

# "offset + len > size" is wrong as soon as the sum wraps.
sums()
{
	# shellcheck disable=SC2086
	in_code '(addr|gpa|offset|off|pos|start|base|slba|first)[])]? [+] []_[:alnum:].>()[-]*(len|size|count|bytes|nlb|blocks)[]_[:alnum:])]* (<|>|<=|>=) ' \
		$library
}

unfinished()
{
	files . | grep -v '^tests/lint/' |
		xargs grep -n -w -I -e 'TODO' -e 'FIXME' -e 'XXX'
}

no_license()
{
	files . | grep -v -e '^COPYING' -e '\.md$' -e '\.gitignore$' \
		-e '/corpus/' -e '/golden/' | while read -r file; do
		head -n 3 "$file" | grep -q \
			'SPDX-License-Identifier: GPL-2.0-only' ||
			echo "$file: no SPDX line"
	done
}

white_space()
{
	files . | grep -v '/corpus/' | while read -r file; do
		grep -I -n -H '[[:blank:]]$' "$file"
		[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] ||
			echo "$file: no line break at its end"
		[ -n "$(tail -c 2 "$file" | tr -d '\n')" ] ||
			echo "$file: an empty line at its end"
	done
}

# Nobody else has these. Split, so that they are not found here.
own_places='/wor''k/(main|shared|\.lib)|/tmp/(wt|brief|o-)|/home/[a-z]'
own_places=$own_places'|(deb|security)\.debian'
own_places=$own_places'\.org|registry\.npm|pypi\.(org|python)|proxy\.golang'

places_in_files()
{
	files . | xargs grep -n -I -E -e "$own_places"
}

places_in_commits()
{
	git log --format='%h %s%n%b' 2>/dev/null | grep -E -e "$own_places"
}

long_subjects()
{
	git log --no-merges --format='%h %s' 2>/dev/null |
		awk '{ subject = substr($0, index($0, " ") + 1) }
			length(subject) > 72 || subject !~ /^[^ :]+(, [^ :]+)*: / {
				print }'
}

none "only arch/ says the name of an architecture" architecture
none "library code does not end the process" exits
none "library code does not print" prints
none "raw input and output only in the channels of migration" raw_io
none "assertions have no side effects" assertions
none "ranges are checked by subtraction" sums
none "nothing is left to do" unfinished
none "every file has its license" no_license
none "no white space at the end of lines" white_space
none "no file names a place of one machine" places_in_files
none "no commit names a place of one machine" places_in_commits
none "subjects of commits: an area, at most 72 columns" long_subjects
tap_done
