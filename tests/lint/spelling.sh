#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# spelling.sh - codespell

. "$(dirname "$0")/lint.sh"
trap 'rm -f "$tap_output"' EXIT

# Words that are ours and not misspelt, with what they stand for.
ours='nd,te,inout,creat,inflight,thre,passt'

spelling()
{
	files . | grep -v '/corpus/' |
		xargs codespell -q 3 -L "$ours"
}

check "codespell is installed" command -v codespell
none "no misspelt words" spelling
tap_done
