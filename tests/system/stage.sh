# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# stage.sh - to fill the working folder of the outer machine; to be sourced

# stage_program STAGE FILE NAME: the program as STAGE/NAME, with its libraries.
stage_program()
{
	cp -L "$2" "$1/$3"
	for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$1/.root/$(dirname "$library")"
		cp -L "$library" "$1/.root/$library"
	done
}

# stage_copy STAGE FILE NAME: any file, holes stay holes.
stage_copy()
{
	cp --sparse=always "$2" "$1/$3"
}
