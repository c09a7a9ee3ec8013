#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# install_test.sh - make install puts everything where it belongs

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"

source=$OLDPWD
build=${LKVM%/*}

install_into()
{
	${MAKE:-make} --no-print-directory -C "$source" O="$build" \
		DESTDIR="$work/$1" PREFIX=/usr "$2" >make.log 2>&1 ||
		{ cat make.log; return 1; }
}

check "make install" install_into root install
(cd root && find . -type f -printf '%m %p\n' | sort -k 2) >got
{
	echo "755 ./usr/bin/lkvm"
	echo "644 ./usr/share/bash-completion/completions/lkvm"
	for page in "$source"/Documentation/man/*.1; do
		echo "644 ./usr/share/man/man1/${page##*/}"
	done
} | sort -k 2 >wanted
check "what is installed" diff -u wanted got
check "it runs" root/usr/bin/lkvm version
check "make uninstall" install_into root uninstall
same "nothing is left" "$(find root -type f)" ""

tap_done
