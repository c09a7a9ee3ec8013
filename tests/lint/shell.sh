#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# shell.sh - shellcheck on all shell scripts, and on the completion

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT

# By the first line: scripts for guests have no suffix.
scripts()
{
	files . | while read -r file; do
		case $file in
		*.sh)
			echo "$file"
			;;
		*)
			head -n 1 "$file" | grep -a -q \
				'^#!.*[/ ]\(ba\)\?sh$\|shellcheck shell=' &&
				echo "$file"
			;;
		esac
	done
}

check_scripts()
{
	scripts | xargs -r shellcheck -x -P tests/lint:tests/lib
}

check "shellcheck is installed" command -v shellcheck
check "there are scripts" [ -n "$(scripts)" ]
none "shellcheck has no remarks" check_scripts
tap_done
