#!/bin/bash
# A QEMU machine that plays an operator's host: Debian with systemd as PID 1 on cgroup v2, an NVMe and a SATA drive,
# temperature sensors that can be set, a disk to swap to, libvirt that runs a guest, and room to break things. It
# listens on 127.0.0.1 only. guest/lab makes the trouble inside: "lab.sh ssh lab" lists what it can do.
#
# Usage: lab.sh [up]          build the image unless there is one (1-4 minutes), boot (half a minute to two)
#        lab.sh build         install the packages this needs, and build the image
#        lab.sh start         boot, and wait for ssh
#        lab.sh stop | wipe   power off; wipe also removes the folder
#        lab.sh reset         forget what was written to the disks; when it is off
#        lab.sh status        whether it runs
#        lab.sh ssh [CMD...]  run a command inside as LAB_USER; each word stays one. Without: a shell, with a terminal
#        lab.sh put FILE PATH copy a file into it
#        lab.sh qmp JSON      send qemu a command
#
# Environment:
#   LAB_DIR=folder      where everything is kept (default: strata-lab-host in TMPDIR or /tmp)
#   LAB_PORT=22022      the port of its ssh
#   LAB_USER=root       who "ssh" is; op is a user without rights
#   LAB_ACCEL=auto      kvm, tcg, or auto: kvm if it boots with it, which is tried once and remembered
#   LAB_MEMORY=2048     MiB
#   LAB_SUITE=bookworm  the release of Debian
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
LAB=${LAB_DIR:-${TMPDIR:-/tmp}/strata-lab-host}
PORT=${LAB_PORT:-22022}
MEMORY=${LAB_MEMORY:-2048}
BAD_SECTOR=1843200 # of both data disks: every read of these 512 bytes, 900 MiB in, fails
QMP=$LAB/qmp.sock
KEY=$LAB/id_ed25519
SSH=(-i "$KEY" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=5
	-o ControlMaster=auto -o "ControlPath=$LAB/ssh-%r" -o ControlPersist=600)

STARTED=$(date +%s)
say() { printf '[%3ds] %s\n' $(($(date +%s) - STARTED)) "$*" >&2; }
die() {
	echo "lab.sh: $*" >&2
	exit 1
}

# shellcheck source=image.sh
. "$HERE/image.sh"

# ---- the process: qemu.pid holds "PID STARTTIME" -------------------------------------------------------------------

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

runs() {
	local pid started
	[ -f "$LAB/qemu.pid" ] && read -r pid started <"$LAB/qemu.pid" && [ "$(start_time "$pid")" = "$started" ]
}

pid() { cut -d' ' -f1 "$LAB/qemu.pid"; }

within() { # SECONDS COMMAND...
	local end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.5
	done
}

runs_not() { ! runs; }

# ---- inside --------------------------------------------------------------------------------------------------------

inside() { # COMMAND...
	local tty=-T
	[ ! -t 0 ] || [ ! -t 1 ] || tty=-t
	# shellcheck disable=SC2029 # the words are quoted for the shell there
	ssh "${SSH[@]}" "$tty" -p "$PORT" "${LAB_USER:-root}@127.0.0.1" ${1+"$(printf '%q ' "$@")"}
}

put() { scp -q "${SSH[@]}" -P "$PORT" "$1" "root@127.0.0.1:$2"; }

answers() { timeout 12 ssh "${SSH[@]}" -p "$PORT" root@127.0.0.1 true </dev/null >/dev/null 2>&1; }

put_tools() {
	tar -C "$HERE/guest" -c lab guest-init domain.xml | inside tar -C /usr/local/sbin -x --no-same-owner
}

# ---- qemu ----------------------------------------------------------------------------------------------------------

make_disks() {
	[ -s "$LAB/root.qcow2" ] || qemu-img create -q -f qcow2 -b "$LAB/base.img" -F raw "$LAB/root.qcow2"
	local name
	for name in nvme sata swap; do
		[ -e "$LAB/$name.img" ] || truncate -s 1G "$LAB/$name.img"
	done
}

# failing prints how qemu is told of a disk with a bad sector.
failing() { # ID FILE
	local inject=inject-error.0
	echo "if=none,id=$1,cache=unsafe,driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename=$2,$inject.event=none,$inject.iotype=read,$inject.sector=$BAD_SECTOR,$inject.errno=5,$inject.once=off"
}

launch() { # ACCELERATOR
	local cpu=host accel=$1
	[ "$accel" = kvm ] || { cpu=max,la57=off accel=tcg,thread=multi,tb-size=512; }
	rm -f "$QMP" "$LAB/console.log"
	setsid nice -n 5 qemu-system-x86_64 -name strata-lab-host -machine q35 -accel "$accel" -cpu "$cpu" -smp 2 -m "$MEMORY" \
		-nodefaults -no-user-config -display none -serial "file:$LAB/console.log" -qmp "unix:$QMP,server=on,wait=off" \
		-kernel "$LAB/vmlinuz" -initrd "$LAB/initrd.img" \
		-append "root=/dev/vda rw console=ttyS0 tsc=reliable mitigations=off acpi_enforce_resources=lax" \
		-drive "if=none,id=root,format=qcow2,file=$LAB/root.qcow2,cache=unsafe" \
		-device virtio-blk-pci,drive=root,serial=LABROOT \
		-drive "$(failing nvme "$LAB/nvme.img")" -device nvme,id=nvme0,serial=LABNVME01,drive=nvme \
		-drive "$(failing sata "$LAB/sata.img")" \
		-device ide-hd,rerror=report,werror=report,bus=ide.0,drive=sata,serial=LABSATA01,model="STRATA LAB SSD",rotation_rate=1 \
		-drive "if=none,id=swap,format=raw,file=$LAB/swap.img,cache=unsafe" \
		-device virtio-blk-pci,drive=swap,serial=LABSWAP01 \
		-netdev "user,id=net,hostfwd=tcp:127.0.0.1:$PORT-:22" -device virtio-net-pci,netdev=net,romfile= \
		-device virtio-rng-pci >"$LAB/qemu.out" 2>&1 </dev/null &
	echo "$! $(start_time $!)" >"$LAB/qemu.pid"
}

up_or_gone() { answers || runs_not; }

boot() { # ACCELERATOR SECONDS
	local from
	from=$(date +%s)
	launch "$1"
	if within "$2" up_or_gone && runs; then
		say "up with $1: ssh answered after $(($(date +%s) - from)) s"
		return
	fi
	say "it does not boot with $1: $(tail -n 1 "$LAB/qemu.out" "$LAB/console.log" 2>&1 | tr -s '\n' ' ')"
	stop
	return 1
}

start() {
	[ -s "$LAB/base.img" ] || die "there is no image: lab.sh build"
	if runs; then
		say "it runs already"
		put_tools
		return
	fi
	make_disks
	local accel=${LAB_ACCEL:-auto}
	if [ "$accel" = auto ]; then
		accel=tcg
		if [ -w /dev/kvm ] && [ ! -e "$LAB/kvm-is-no-use" ]; then
			if boot kvm 40; then accel=; else touch "$LAB/kvm-is-no-use"; fi
		fi
	fi
	[ -z "$accel" ] || boot "$accel" 300 || die "the machine did not come up; see $LAB/console.log"
	put_tools
}

qmp() {
	{
		printf '%s\n' '{"execute": "qmp_capabilities"}' "$1"
		sleep 0.5
	} | socat -t1 - "UNIX-CONNECT:$QMP" | tail -n +3
}

stop() {
	if runs; then
		local user
		for user in root op; do
			ssh -O exit -o "ControlPath=$LAB/ssh-%r" "$user@127.0.0.1" -p "$PORT" 2>/dev/null || true
		done
		qmp '{"execute": "system_powerdown"}' >/dev/null 2>&1 || true
		if ! within "${LAB_STOP:-40}" runs_not; then
			kill -TERM "$(pid)" 2>/dev/null || true
			within 10 runs_not || kill -KILL "$(pid)" 2>/dev/null || true
		fi
		say "stopped"
	fi
	rm -f "$LAB/qemu.pid" "$QMP" "$LAB"/ssh-*
}

case "${1:-up}" in
up)
	build
	start
	;;
build) build ;;
start) start ;;
stop) stop ;;
wipe)
	LAB_STOP=3 stop
	rm -rf "$LAB"
	;;
reset)
	runs_not || die "it runs: lab.sh stop"
	rm -f "$LAB"/{root.qcow2,nvme.img,sata.img,swap.img}
	;;
status)
	runs || { echo "down" && exit 3; }
	echo "up  pid $(pid)  $(ps -o rss= -p "$(pid)" | awk '{printf "%d MiB", $1 / 1024}')"
	;;
ssh) inside "${@:2}" ;;
put) put "$2" "$3" ;;
qmp) qmp "$2" ;;
*)
	sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"
	exit 2
	;;
esac
