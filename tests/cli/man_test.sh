#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# man_test.sh - the man pages list exactly the options that there are
#
# "lkvm help --words" tells the options from the tables: name, letter, value.
# The same is read from the items of a page, and both must be equal, so that
# neither a new option is forgotten nor an old one left. Options that only one
# architecture has stand under a heading of their own, "Options on ARCH"; the
# program's is LKVM_ARCH, by default this machine's.

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"

# In common.sh we went to a folder of our own.
man=$OLDPWD/Documentation/man
completion=$OLDPWD/Documentation/completion/lkvm
arch=${LKVM_ARCH:-$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')}

# options_of_page FILE: a line an option.
options_of_page()
{
	awk -v arch="$arch" '
	/^\.S[hs] / {
		away = /^\.Ss Options on / && $4 != arch
		device = ""
	}
	away { next }
	/^\.It Fl / {
		letter = value = ""
		line = substr($0, 8)
		if (line ~ /^[a-z] , Fl /) {
			letter = substr(line, 1, 1)
			line = substr(line, 8)
		}
		n = split(line, word, " ")
		name = "-" word[1]
		if (line ~ / Ns Op /) {
			value = "DEVICE"
			device = name
		} else if (word[2] == "Ar" || word[2] == "Cm") {
			for (i = 3; i <= n; i++)
				value = value word[i]
		}
		print name "\t" letter "\t" value
	}
	/^\.It Cm [a-z_-]+( Ns = Ns (Ar|Cm) .*)?$/ && device {
		value = ""
		for (i = 8; i <= NF; i++)
			value = value $i
		# A switch may be shown with its words.
		if (value == "on|off")
			value = ""
		print device ":" $3 "\t\t" value
	}' "$1" | sort
}

options_of_program()
{
	"$LKVM" help --words "$1" | cut -f 1-3 | sort
}

for command in run list stop pause resume snapshot restore receive migrate stat balloon debug; do
	options_of_page "$man/lkvm-$command.1" >page
	options_of_program $command >program
	check "lkvm-$command(1) has the options of the program" \
		diff -u page program
done
options_of_page "$man/lkvm.1" >page
options_of_program help >program
check "lkvm(1) has the options of help" diff -u page program

"$LKVM" help --words | cut -f 1 | sort >program
sed -n 's/^\.It Cm \([a-z-]*\)$/\1/p' "$man/lkvm.1" | sort >page
check "lkvm(1) has all commands" diff -u page program

# ---- completion ---------------------------------------------------------------

# complete WORD...: what bash would offer for the last word.
complete_words()
{
	bash -c '
		PATH=${LKVM%/*}:$PATH
		. "$0"
		COMP_WORDS=(lkvm "$@")
		COMP_CWORD=$#
		_lkvm lkvm "${COMP_WORDS[COMP_CWORD]}" \
			"${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " "
	' "$completion" "$@"
}

if command -v bash >/dev/null; then
	same "completion: commands" "$(complete_words re)" "receive restore resume "
	same "completion: options" "$(complete_words run --re)" "--reboot "
	same "completion: words of an option" \
		"$(complete_words run --reboot '')" "exit restart "
	same "completion: options of a device" \
		"$(complete_words run --nvme disk,ca)" "disk,cache= "
	touch disk.img
	same "completion: files" "$(complete_words run -k dis)" "disk.img "
	same "completion: what snapshot can do" \
		"$(complete_words snapshot ver)" "verify "
	same "completion: state tables" \
		"$(complete_words state-schema nv)" "nvme "
	same "completion: machines" "$(complete_words stop -n '')" " "
else
	skip "completion" "there is no bash"
fi

tap_done
