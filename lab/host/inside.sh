# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# How the checks reach into the machine: strata is run there, and what it says is compared with what the machine itself
# says. To be sourced after lib.sh.

GUEST=instance-0000001c
DISK=nvme0n1
SWAP=/dev/vdb
HOST=hostlab

on() { "$HERE/lab.sh" ssh "$@" </dev/null; }              # COMMAND... as root
as_op() { LAB_USER=op "$HERE/lab.sh" ssh "$@" </dev/null; } # COMMAND... as a user without rights
shell() { on bash -c "$1"; }                              # one line of shell

# RUN is how strata is run: there, or here with an agent there. A machine that is emulated is slow to answer.
RUN=(there)
there() { on strata "$1" --wait 60s "${@:2}"; }

# act ARGUMENT...: strata acts; REPORT is what it says, CODE its exit code, TOOK how many ms that was, with ssh.
act() {
	local from
	from=$(now_ms)
	REPORT=$("${RUN[@]}" act "$@" -o json 2>"$WORK/stderr")
	CODE=$?
	TOOK=$(($(now_ms) - from))
	[ -n "$REPORT" ] || REPORT=$(jq -n --rawfile says "$WORK/stderr" '{says: $says}')
}

# done_to ARGUMENT...: strata acts, and must see it.
done_to() {
	act "$@" --yes
	if [ $CODE = 0 ]; then
		pass "strata act ${*/machine-qemu*scope/SCOPE}" "$TOOK ms, seen: $(says)"
	else
		fail "strata act ${*/machine-qemu*scope/SCOPE}" "exit code $CODE: $(all_said)"
		return 1
	fi
}

# refused NAME REGEX ARGUMENT...: strata must refuse, for a reason like that, and do nothing.
refused() {
	local name=$1 regex=$2
	shift 2
	act "$@" --yes
	if [ $CODE != 3 ] && [ $CODE != 2 ]; then
		fail "$name" "exit code $CODE: $(all_said)"
	elif grep -Piq -- "$regex" <<<"$(all_said)"; then
		pass "$name" "$(all_said | head -c 300)"
	else
		fail "$name" "no /$regex/ in: $(all_said)"
	fi
}

says() { jq -r '.says // ""' <<<"$REPORT" | tr '\n' ' '; }
all_said() { jq -r '[.refused[]?, .ask, .says, .output] | map(select(. != null and . != "")) | join("; ")' <<<"$REPORT"; }

# objects KIND [FILTER]: what strata sees of a kind, an object a line.
objects() { "${RUN[@]}" snapshot -o json --only "$1" | jq -c "[.parts[].objects[]?][] | ${2:-.}"; }

# undo_id NAME: the id under which the audit log has the last action of that name.
undo_id() {
	local deeds=(on cat /root/.local/state/strata/audit.jsonl)
	[ "${RUN[0]}" = there ] || deeds=(cat "$AUDIT")
	"${deeds[@]}" | jq -r --arg name "$1" 'select(.action == $name and .phase == "begin").id' | tail -1
}

# ---- what the machine says -----------------------------------------------------------------------------------------

pid_of_guest() { on cat /run/libvirt/qemu/$GUEST.pid; }
group_of_guest() { shell "sed 's,^0::,/sys/fs/cgroup,; s,/libvirt/.*,,' /proc/\$(cat /run/libvirt/qemu/$GUEST.pid)/cgroup"; }
unit_of_guest() { basename "$(group_of_guest)"; }
number_of() { on cat "/sys/block/$1/dev"; }
limits_of_guest() { on cat "$(group_of_guest)/io.max"; }

# rate: bytes a second that the guest's control group wrote in ten seconds.
rate() { on lab vm rate 10; }
mb() { awk -v b="$1" 'BEGIN {printf "%.2f MB/s", b / 1000000}'; }

# between NAME LOW HIGH BYTES_A_SECOND
between() {
	if [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then pass "$1" "$(mb "$4")"; else fail "$1" "$(mb "$4")"; fi
}

swapped() { on awk -v d="$1" '$1 == d {print $4; f = 1} END {if (!f) print "off"}' /proc/swaps; } # KiB, or off
state_of_guest() { on virsh domstate $GUEST | head -1; }
guest_is() { [ "$(state_of_guest)" = "$1" ]; }
