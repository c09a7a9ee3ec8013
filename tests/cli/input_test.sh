#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# input_test.sh - bad input to the command line: one line, the thing, the remedy

# shellcheck disable=SC2154 # $work is common.sh's
. "$(dirname "$0")/common.sh"

run()
{
	run_name=$1
	run_code=$2
	run_pattern=$3
	shift 3
	bad "$run_name" "$run_code" "$run_pattern" run -k "$GUEST" -m 64 -c 1 "$@"
}

echo text >text
truncate -s 1M disk
truncate -s 100 short
truncate -s 2048 small

# ---- words --------------------------------------------------------------------

bad "no such command" 2 "no command frob; see 'lkvm help'" frob
bad "no such option" 2 "no option --frob; see 'lkvm help run'" run --frob
bad "no such letter" 2 "no option -z" run -z
bad "value is missing" 2 "--kernel: needs a value" run -k
bad "device without its disk" 2 "--nvme: needs a value" run --nvme
bad "too many words" 2 "b: one word too many" run a b
bad "kernel twice" 2 "a: the kernel was named by --kernel" run -k b a
bad "bool with a value" 2 "--json=maybe: give on or off" run --json=maybe
run "name that will not do" 2 "--name: character 2" --name a/b
run "name too long" 2 "--name: 60 characters, give 1 to 48" --name \
	xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

for word in "--9p /,tag" "--firmware x" "--sandbox x" \
	"--virtio-legacy" "--vnc" "--vfio-pci 0:0.0" "--debug-ioport"; do
	# shellcheck disable=SC2086
	bad "kvmtool's $word is not there" 2 \
		"^lkvm: --[a-z0-9-]*: \(there is no .* in this version\|use --loglevel\)" \
		run $word
done

# ---- numbers ------------------------------------------------------------------

run "0 vCPUs" 2 "--cpus=0: out of range, give 1 to 255" -c 0
run "256 vCPUs" 2 "--cpus=256: out of range, give 1 to 255" -c 256
run "-1 vCPUs" 2 "--cpus=-1: not a number" -c -1
run "vCPUs in words" 2 "--cpus=two: not a number" --cpus=two
run "no memory" 2 "--mem=0: out of range, give 2M to 8T" -m 0
run "too little memory" 2 "--mem=1M: out of range" -m 1M
run "too much memory" 2 "--mem=9T: out of range" -m 9T
run "memory beyond all numbers" 2 "out of range" -m 99999999999999999999999
run "memory that is no size" 2 "--mem=64X: not a size" -m 64X
run "serial port 4" 2 "--tty=4: out of range, give 0 to 3" --tty 4
run "other transport" 2 "--virtio-transport=pci-legacy: give pci" \
	--virtio-transport pci-legacy
run "other console" 2 "--console=tape: give serial, virtio or hv" --console tape

# ---- kernels ------------------------------------------------------------------

bad "missing kernel" 1 "kernel nowhere: No such file.*--kernel" run -k nowhere
bad "kernel is a folder" 1 "kernel /: " run -k /
bad "kernel is a text" 1 "text is not a kernel" run -k text
bad "kernel is empty" 1 "kernel /dev/null" run -k /dev/null
bad "missing initrd" 1 "initrd nowhere: No such file" \
	run -k "$GUEST" -i nowhere

# The machine field of an ELF header: AArch64, and one that nobody has.
for machine in '\267\000' '\377\377'; do
	cp "$GUEST" other
	# shellcheck disable=SC2059
	printf "$machine" | dd of=other bs=1 seek=18 conv=notrunc 2>/dev/null
	bad "kernel of another architecture" 1 "kernel .*/other" run -k other
done

long=$(head -c 5000 /dev/zero | tr '\0' x)
bad "command line too long" 2 "5000 characters are too many" \
	run -k "$GUEST" -p "$long"

# ---- disks --------------------------------------------------------------------

run "missing disk" 1 "nvme0: .*/nowhere: .*No such file.*truncate" --nvme nowhere
run "disk is a folder" 1 "nvme0: /: a directory" --nvme /
run "disk smaller than a block" 1 "nvme0: .*/short: .*less than a block of 512" \
	--nvme short
run "disk smaller than a large block" 1 "small: .*smaller than a block of 4096" \
	--nvme small,bs=4096
run "second namespace is missing" 1 "nvme0: .*/nowhere: " --nvme disk,ns=nowhere
run "second disk is missing" 1 "nvme1: .*/nowhere: " --nvme disk --nvme nowhere
run "no such disk option" 2 "nvme: color: no such option; there is: file, " \
	--nvme disk,color=red
run "disk without a name" 2 "nvme: file: missing" --nvme serial=1
run "block size 513" 2 "nvme: bs=513: give 512 or 4096" --nvme disk,bs=513
run "comma at the end" 2 "nvme: an option is empty" --nvme disk,
run "serial number too long" 2 "at most 20" \
	--nvme disk,serial=123456789012345678901

if [ "$(id -u)" = 0 ]; then
	chmod 755 "$work"
	chmod 000 disk
	cp "$LKVM" lkvm
	LKVM_ROOT=$LKVM
	mkdir -m 700 nobody
	chown 65534:65534 nobody
	cat >as-nobody <<-END
		#!/bin/sh
		XDG_RUNTIME_DIR=$work/nobody exec setpriv --reuid=65534 \\
			--regid=65534 --clear-groups $work/lkvm "\$@"
	END
	chmod 755 as-nobody
	cp "$GUEST" guest.elf
	chmod 644 guest.elf
	mknod -m 600 kvm c 10 232
	mknod -m 666 kvm-all c 10 232
	LKVM=$work/as-nobody
	bad "KVM without permission" 1 "kvm: permission denied; .*group" \
		run -k guest.elf --dev kvm
	if [ -r /dev/kvm ]; then
		bad "disk without permission" 1 "nvme0: .*/disk: .*[Pp]ermission" \
			run -k guest.elf --dev kvm-all --nvme disk
	fi
	LKVM=$LKVM_ROOT
	chmod 644 disk
fi

# ---- sockets ------------------------------------------------------------------

bad "vsock without an address" 2 "--vsock: needs a value" run --vsock
run "vsock with the host's address" 2 "vsock: cid=2: out of range" --vsock 2
run "vsock with everybody's address" 2 "vsock: cid=4294967295: out of range" \
	--vsock 4294967295
run "vsock with a word" 2 "vsock: cid=three: not a number" --vsock three
run "vsock twice" 2 "vsock: a machine has at most 1" --vsock 3 --vsock 4
run "vsock at a file" 1 "vsock0: path=$work/text: is there already" \
	--vsock 3,path=text
run "vsock nowhere" 1 "vsock0: path=$work/nowhere/v: No such file" \
	--vsock 3,path=nowhere/v
run "vsock with a long path" 1 "vsock0: path=.*too long" --vsock \
	3,path=/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
check "and the file is as it was" test -f text

# ---- ports --------------------------------------------------------------------

bad "port without a name" 2 "--virtio-console: needs a value" run \
	--virtio-console
run "port without a socket" 1 "virtio-console0: port=a: name its socket with path=" \
	--virtio-console a
run "socket without a port" 1 "virtio-console0: path=$work/y: there is no port for it" \
	--virtio-console a,path=x,path=y
run "neither port nor console" 1 "virtio-console0: name a port" \
	--virtio-console console=off
run "port twice" 1 "virtio-console0: port=a: is there twice" \
	--virtio-console a,path=x,port=a,path=y
run "port with a slash" 1 "virtio-console0: port=a/b: .*no \"/\"" \
	--virtio-console a/b,path=x
run "port with a long name" 1 "at most 63 characters" --virtio-console \
	xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,path=x
run "port at a file" 1 "virtio-console0: path=$work/text: is there already" \
	--virtio-console a,path=text
run "second port at a file" 1 "virtio-console0: path=$work/text: is there already" \
	--virtio-console a,path=x,port=b,path=text
check "and the first one left nothing" test ! -e x
run "port nowhere" 1 "virtio-console0: path=$work/nowhere/v: No such file" \
	--virtio-console a,path=nowhere/v
run "port with a long path" 1 "virtio-console0: path=.*too long" --virtio-console \
	a,path=/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
run "two consoles" 1 "virtio-console1: console: another device is the console" \
	--virtio-console console=on --virtio-console console=on

# ---- KVM ----------------------------------------------------------------------

run "no KVM" 1 "nowhere: No such file.*kvm module" --dev nowhere
run "not KVM" 1 "/dev/null: not KVM" --dev /dev/null
run "not a hugetlbfs" 1 "$work is not a hugetlbfs; mount one" --hugetlbfs "$work"
run "missing hugetlbfs" 1 "nowhere: No such file" --hugetlbfs nowhere

# ---- folders ------------------------------------------------------------------

chmod 755 "$XDG_RUNTIME_DIR/lkvm"
run "sockets in an open folder" 1 "is open to others.*chmod 700"
chmod 700 "$XDG_RUNTIME_DIR/lkvm"

# ---- other commands -----------------------------------------------------------

for command in stop pause resume stat balloon "stat -m" "debug --dump"; do
	# shellcheck disable=SC2086
	bad "$command: which machine" 2 "--name NAME or --all" $command
	# shellcheck disable=SC2086
	bad "$command: no such machine" 1 \
		"no machine called nobody is running; see 'lkvm list'" \
		$command -n nobody
	# shellcheck disable=SC2086
	bad "$command: a name that will not do" 2 "--name: character 1" \
		$command -n ../x
done
bad "balloon: two sizes" 2 "give one of" balloon -n nobody -i 1 -d 1
bad "balloon: no size" 2 "--inflate=x: not a size" balloon -n nobody -i x
bad "balloon: too much" 2 "--size=9T: out of range" balloon -n nobody --size 9T
bad "debug: nothing to do" 2 "give --dump or --nmi" debug -n nobody
bad "help: no such command" 2 "no command frob" help frob

check "help" "$LKVM" help
for command in run list stop pause resume restore stat balloon debug version help; do
	check "help $command" "$LKVM" help $command
	same "$command --help is help $command" "$("$LKVM" $command --help)" \
		"$("$LKVM" help $command)"
done
refuse "output that cannot be written" "standard output" \
	sh -c "'$LKVM' help run >/dev/full"
same "--version" "$("$LKVM" --version)" "$("$LKVM" version)"

tap_done
