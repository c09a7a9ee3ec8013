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

# What machines the tests are for: the Debian architecture of guests' kernels and
# root images, this machine's unless a script says otherwise.
host_arch=$(dpkg --print-architecture)
DEB_ARCH=${DEB_ARCH:-$host_arch}
export DEB_ARCH
apt_dir=

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

# as_root COMMAND...: with sudo unless we are root already.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "neither root nor sudo here; as root, run: $*"
	fi
}

# foreign_apt: from here on apt speaks of the architecture DEB_ARCH, with lists
# and a cache of its own in LKVM_CACHE: nothing of this machine changes.
foreign_apt()
{
	apt_dir=$LKVM_CACHE/apt-$DEB_ARCH
	mkdir -p "$apt_dir/state/lists/partial" \
		"$apt_dir/cache/archives/partial"
	: >>"$apt_dir/status"
	cat >"$apt_dir/apt.conf.$$" <<-END
		APT::Architecture "$DEB_ARCH";
		APT::Architectures { "$DEB_ARCH"; };
		Dir::State "$apt_dir/state";
		Dir::State::status "$apt_dir/status";
		Dir::Cache "$apt_dir/cache";
		APT::Sandbox::User "$(id -un)";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
	mv "$apt_dir/apt.conf.$$" "$apt_dir/apt.conf"
	export APT_CONFIG="$apt_dir/apt.conf"
}

# have_lists: whether apt knows any package that it could fetch.
have_lists()
{
	[ -n "$(apt-cache madison linux-source 2>/dev/null)" ]
}

# apt_state: text that changes whenever apt's lists of packages do.
apt_state()
{
	apt_lists=/var/lib/apt/lists
	[ -z "$apt_dir" ] || apt_lists=$apt_dir/state/lists
	ls -l --time-style=full-iso "$apt_lists"
}

apt_update()
{
	if [ -n "$apt_dir" ]; then
		apt-get update -qq </dev/null
		return
	fi
	as_root apt-get update -qq -o DPkg::Lock::Timeout=600 </dev/null
}

# fetch_debs DIR PACKAGE...: puts the newest version of each package into DIR
# and prints the paths. What is there already is not fetched again.
fetch_debs()
{
	debs_dir=$1
	shift
	mkdir -p "$debs_dir"
	debs_dir=$(cd "$debs_dir" && pwd)
	# apt does not wait for another one.
	exec 7>"$debs_dir/lock"
	flock 7
	have_lists || apt_update
	deb_names "$@" || { apt_update && deb_names "$@"; } ||
		die "cannot find all of the packages: $*"
	debs_wanted=
	for deb in $debs; do
		[ -e "$debs_dir/${deb%%=*}" ] ||
			debs_wanted="$debs_wanted ${deb#*=}"
	done
	# shellcheck disable=SC2086
	[ -z "$debs_wanted" ] || download_debs $debs_wanted ||
		{ apt_update && download_debs $debs_wanted; } ||
		die "cannot fetch:$debs_wanted"
	for deb in $debs; do
		echo "$debs_dir/${deb%%=*}"
	done
	exec 7>&-
}

# deb_names PACKAGE...: sets debs to FILE=PACKAGE of what apt would fetch.
deb_names()
{
	debs=$(apt-get download --print-uris "$@" 2>/dev/null |
		awk '{ n = $2; sub(/_.*/, "", n); print $2 "=" n }')
	[ -n "$debs" ]
}

# Into a folder of its own first: an interrupted download leaves nothing behind.
download_debs()
{
	debs_temp=$(mktemp -d "$debs_dir/fetch.XXXXXX")
	if (cd "$debs_temp" && apt-get download -qq "$@" 2>"$debs_temp/log"); then
		mv "$debs_temp"/*.deb "$debs_dir"/
		rm -rf "$debs_temp"
		return 0
	fi
	cat "$debs_temp/log" >&2
	rm -rf "$debs_temp"
	return 1
}

[ "$DEB_ARCH" = "$host_arch" ] || foreign_apt
