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
	arm64) triplet=aarch64-linux-gnu ;;
	*) die "no libraries for $DEB_ARCH" ;;
	esac
	libraries=$1/.root/lib/$triplet
	mkdir -p "$libraries"
	todo=$2
	while [ -n "$todo" ]; do
		# shellcheck disable=SC2086
		names=$(readelf -d $todo |
			sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u)
		todo=
		for name in $names; do
			[ ! -e "$libraries/$name" ] || continue
			file=$(find "$(sh tests/lib/sysroot.sh "$DEB_ARCH")" \
				"/usr/$triplet/lib" -name "$name" | head -n 1)
			[ -n "$file" ] || die "no package has $name"
			cp -L "$file" "$libraries/"
			todo="$todo $libraries/$name"
		done
	done
	cp -L "/usr/$triplet/lib/"ld-linux* "$1/.root/lib/"
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

# stage_copy STAGE FILE NAME: any file, holes stay holes.
stage_copy()
{
	cp --sparse=always "$2" "$1/$3"
}
