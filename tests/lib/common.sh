# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# common.sh - what the test scripts share; to be sourced from the project's root
#
# Sets LKVM_CACHE, the folder for what is costly to make and can be made again
# at any time (unpacked packages, disk images, initramfs): below
# $XDG_CACHE_HOME/lkvm. Everything in it is keyed by what it was made from.

LKVM_CACHE=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lkvm
export LKVM_CACHE

# die MESSAGE: ends the script, with the reason on standard error.
die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# note MESSAGE: tells the user, as a TAP comment.
note()
{
	echo "# $*"
}

# publish TEMP TARGET: moves a folder or file that is ready to its final name.
# Whoever comes second, while two do the same, drops its own copy.
publish()
{
	if [ -e "$2" ] || ! mv -T "$1" "$2" 2>/dev/null; then
		rm -rf "$1"
	fi
	[ -e "$2" ] || die "cannot make $2"
}

# key TEXT...: a short name for a long list of inputs.
key()
{
	printf '%s\n' "$@" | sha256sum | cut -c1-16
}
