#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# rootfs.sh - prints the path of a small root disk image for guests
#
# A raw ext4 image, made as an ordinary user from Debian packages that are
# unpacked and not installed: of each package the programs named below and the
# libraries that these need, nothing else. Beside them our own init and the test
# scripts of tests/system/guest, and the kernel modules that a guest without
# udev wants for its power button, for a panic and for virtio devices.
#
# The image is cached under a name made from the versions of all packages and
# from the scripts; do not write to it but to a copy.

set -eu
cd "$(dirname "$0")/../.."
. tests/lib/common.sh
PATH=$PATH:/usr/sbin:/sbin

packages='busybox-static fio nvme-cli smartmontools e2fsprogs util-linux socat'
programs='
	bin/busybox usr/bin/fio usr/sbin/nvme usr/sbin/smartctl
	sbin/mke2fs sbin/e2fsck sbin/tune2fs sbin/dumpe2fs sbin/resize2fs
	bin/lsblk bin/dmesg sbin/blkdiscard sbin/blockdev sbin/blkid
	sbin/wipefs sbin/fsfreeze usr/bin/lscpu usr/bin/taskset usr/bin/setsid
	usr/bin/socat'
modules='button evdev loop pvpanic pvpanic-mmio
	virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
	failover net_failover virtio_net virtio_blk virtio-rng virtio_balloon
	vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport
	virtio_console'
size=512M
if [ "$DEB_ARCH" = arm64 ]; then
	packages="$packages gpiod"
	programs="$programs usr/bin/gpiomon"
fi

# closure PACKAGE...: the packages and all library packages that they need.
# Interpreters and services that a package wants besides are left out.
closure()
{
	all=$*
	new=$*
	while [ -n "$new" ]; do
		# shellcheck disable=SC2086
		found=$(apt-cache depends -i --no-recommends --no-suggests $new |
			awk '/Depends: (lib|zlib)/ { print $2 }' |
			grep -v '^lib\(perl\|python\)' | sort -u)
		new=
		for package in $found; do
			case " $all " in
			*" $package "*) ;;
			*) new="$new $package" ;;
			esac
		done
		all="$all$new"
	done
	echo "$all"
}

# libraries DIR: the libraries in DIR, path by path, one for each name.
libraries()
{
	(cd "$1" && find . -name '*.so*' ! -type d) | sed 's,^\./,,' |
		grep -v 'gconv\|/audit/'
}

# needed FILE...: what the dynamic linker will ask for.
needed()
{
	readelf -d "$@" 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u
}

# copy_programs FROM TO: the programs, and all libraries they need.
copy_programs()
{
	libraries "$1" >"$2/../libraries"
	todo=$programs
	while [ -n "$todo" ]; do
		names=
		for file in $todo; do
			mkdir -p "$2/$(dirname "$file")"
			cp -L "$1/$file" "$2/$file"
			names="$names $2/$file"
		done
		todo=
		# shellcheck disable=SC2086
		for lib in $(needed $names); do
			file=$(awk -F/ -v n="$lib" '$NF == n { print; exit }' \
				"$2/../libraries")
			[ -n "$file" ] || die "no package has $lib"
			[ -e "$2/$file" ] || todo="$todo $file"
		done
	done
}

# The interpreter that the programs name is a link into the library folder.
copy_interpreter()
{
	interpreter=$(readelf -l "$2/usr/bin/fio" |
		sed -n 's/.*interpreter: \/\(.*\)\]/\1/p')
	mkdir -p "$2/$(dirname "$interpreter")"
	cp -L "$(find "$1" -name "${interpreter##*/}" ! -type l | head -n 1)" \
		"$2/$interpreter"
}

copy_own_files()
{
	for dir in dev proc sys run tmp root etc mnt lib/modules tests; do
		mkdir -p "$1/$dir"
	done
	sh tests/system/applets.sh | while read -r applet; do
		mkdir -p "$1/$(dirname "$applet")"
		[ -e "$1/$applet" ] || ln -s /bin/busybox "$1/$applet"
	done
	for type in ext2 ext3 ext4; do
		ln -sf mke2fs "$1/sbin/mkfs.$type"
		ln -sf e2fsck "$1/sbin/fsck.$type"
	done
	for module in $modules; do
		find "$kernel/modules" -name "$module.ko" \
			-exec cp {} "$1/lib/modules/" \;
	done
	ln -sf /proc/mounts "$1/etc/mtab"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
	cp tests/system/guest/* tests/lib/tap.sh "$1/tests/"
	rm -f "$1/sbin/init"
	mv "$1/tests/init" "$1/sbin/init"
	chmod 755 "$1/sbin/init"
}

make_image()
{
	truncate -s "$size" "$2"
	mke2fs -q -F -t ext4 -d "$1" -L lkvm-root -m 0 -J size=16 \
		-E lazy_itable_init=0,lazy_journal_init=1,root_owner=0:0 \
		"$2"
	# The kernel opens /dev/console before init has mounted anything.
	debugfs -w -f - "$2" >/dev/null 2>&1 <<-END
		cd /dev
		mknod console c 5 1
		mknod null c 1 3
	END
}

kernel=$(sh tests/system/kernel.sh)
# Asking apt takes seconds, so its answer is kept as long as its lists are.
answer=$LKVM_CACHE/packages-$(key "$packages" "$DEB_ARCH" "$(apt_state)")
# shellcheck disable=SC2046
if [ ! -e "$answer" ] || ! stat $(cat "$answer") >/dev/null 2>&1; then
	mkdir -p "$LKVM_CACHE"
	# shellcheck disable=SC2086
	fetch_debs "$LKVM_CACHE/debs" $(closure $packages) >"$answer.$$"
	mv "$answer.$$" "$answer"
fi
debs=$(cat "$answer")
image=$LKVM_CACHE/rootfs-$(key "$debs" "$kernel" "$programs" "$modules" \
	"$(cat tests/system/rootfs.sh tests/lib/tap.sh tests/system/guest/*)").img
if [ ! -e "$image" ]; then
	temp=$(mktemp -d "$LKVM_CACHE/rootfs.XXXXXX")
	trap 'rm -rf "$temp"' EXIT
	unpacked=$LKVM_CACHE/unpacked-$(key "$debs")
	if [ ! -d "$unpacked" ]; then
		for deb in $debs; do
			dpkg-deb -x "$deb" "$temp/unpacked"
		done
		publish "$temp/unpacked" "$unpacked"
	fi
	mkdir "$temp/root"
	copy_programs "$unpacked" "$temp/root"
	copy_interpreter "$unpacked" "$temp/root"
	copy_own_files "$temp/root"
	make_image "$temp/root" "$temp/image"
	publish "$temp/image" "$image"
fi
echo "$image"
