#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# man.sh - mandoc on all man pages

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT

pages=$(files 'Documentation/man/*.[1-8]')

# The advice of mandoc (STYLE) counts as well, but not which manuals this machine
# has: ours are not installed, nor those of programs that one can do without.
lint()
{
	for page in $pages; do
		mandoc -T lint -W style "$page" 2>&1 |
			grep -v -e 'referenced manual not found' \
				-e 'outdated mandoc.db lacks'
	done
}

check "mandoc is installed" command -v mandoc
if [ -n "$pages" ]; then
	none "mandoc has no remarks" lint
else
	skip "mandoc has no remarks" "there are no man pages"
fi
tap_done
