# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# stage.sh - to fill the working folder of the outer machine; to be sourced

# stage_foreign STAGE FILE: the libraries that a program of another architecture
# needs, and what they need. The cross compiler has the C library; the dynamic
# linker is a library, too, and is found by its path.
stage_foreign()
{
	case $DEB_ARCH in
	arm64) foreign=aarch64-linux-gnu ;;
	*) die "no libraries for $DEB_ARCH" ;;
	esac
	foreign_dir=$1/.root/lib/$foreign
	foreign_root=$(sh tests/lib/sysroot.sh "$DEB_ARCH")
	mkdir -p "$foreign_dir"
	foreign_todo=$2
	while [ -n "$foreign_todo" ]; do
		# shellcheck disable=SC2086
		foreign_names=$(readelf -d $foreign_todo |
			sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u)
		foreign_todo=
		for foreign_name in $foreign_names; do
			[ ! -e "$foreign_dir/$foreign_name" ] || continue
			foreign_file=$(find "$foreign_root" \
				"/usr/$foreign/lib" -name "$foreign_name" |
				head -n 1)
			[ -n "$foreign_file" ] ||
				die "no package has $foreign_name"
			cp -L "$foreign_file" "$foreign_dir/"
			foreign_todo="$foreign_todo $foreign_dir/$foreign_name"
		done
	done
	cp -L "/usr/$foreign/lib/"ld-linux* "$1/.root/lib/"
}

# stage_program STAGE FILE NAME: the program as STAGE/NAME, with its libraries.
stage_program()
{
	cp -L "$2" "$1/$3"
	if [ "$DEB_ARCH" != "$(dpkg --print-architecture)" ]; then
		stage_foreign "$1" "$2"
		return
	fi
	for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$1/.root/$(dirname "$library")"
		cp -L "$library" "$1/.root/$library"
	done
}

# stage_tool STAGE NAME: a program of the system, for the machine that the stage
# is for.
stage_tool()
{
	if [ "$DEB_ARCH" = "$(dpkg --print-architecture)" ]; then
		tool=$(PATH=$PATH:/sbin command -v "$2")
	else
		# One may be a link to the other, as seen from its root.
		tool=$(find "$(sh tests/lib/sysroot.sh "$DEB_ARCH")" \
			-type f -path "*bin/$2")
	fi
	stage_program "$1" "$tool" "$2"
}

# stage_copy STAGE FILE NAME: any file, holes stay holes.
stage_copy()
{
	cp --sparse=always "$2" "$1/$3"
}

# stage_system STAGE LKVM: what the system tests work with.
stage_system()
{
	mkdir -p "$1/tests"
	cp -r tests/lib tests/system "$1/tests/"
	stage_program "$1" "$2" lkvm
	# For tests with hosts.
	stage_tool "$1" ip
	stage_tool "$1" tc
	# For test-virtio.sh; this machine's are of no use on another one.
	[ "$DEB_ARCH" != "$(dpkg --print-architecture)" ] ||
		for program in bridge socat passt; do
			stage_program "$1" "$(PATH=$PATH:/sbin \
				command -v $program)" $program
		done
	stage_copy "$1" "$(sh tests/system/kernel.sh)/vmlinuz" vmlinuz
	stage_copy "$1" "$(sh tests/system/rootfs.sh)" root.img
}
