#!/bin/bash
# strata on a machine that is all its own (lab.sh): systemd, an NVMe drive, swap, and libvirt with a guest that writes at
# full speed. It prints a PASS or FAIL line for each thing a user relies on, with what was measured. Without KVM it takes
# about an hour; it ends what it started, and its exit code is 0 when all passed.
#
# Usage: check.sh                everything
#        check.sh keep           leave the machine running and its folder in place; a second run starts in seconds
#        check.sh keep PART...   only these: limits rights screens services domains stops swaps audit kernel agent
#
# Environment: STRATA_BIN=file tests that program instead of building one; LAB_DIR, LAB_PORT, LAB_ACCEL: see lab.sh.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 10800 "$0" "$@"
fi
KEEP=${1:-}
case $KEEP in '' | keep) ;; *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac
PARTS=${*:2}
PARTS=${PARTS:-limits rights screens services domains stops swaps audit kernel agent}

export LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/strata-lab-host}
WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
# shellcheck source=inside.sh
. "$HERE/inside.sh"
# shellcheck source=limits.sh
. "$HERE/limits.sh"
# shellcheck source=swaps.sh
. "$HERE/swaps.sh"
# shellcheck source=services.sh
. "$HERE/services.sh"
# shellcheck source=stops.sh
. "$HERE/stops.sh"
# shellcheck source=domains.sh
. "$HERE/domains.sh"
# shellcheck source=rights.sh
. "$HERE/rights.sh"
# shellcheck source=agent.sh
. "$HERE/agent.sh"
# shellcheck source=kernel.sh
. "$HERE/kernel.sh"
# shellcheck source=screens.sh
. "$HERE/screens.sh"

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	[ "$KEEP" = keep ] || "$HERE/lab.sh" wipe
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# fresh brings the machine into the state in which each part begins. A guest that runs goes on: its start is slow.
fresh() {
	shell "lab ram free; lab swap off; systemctl reset-failed; rm -f /etc/polkit-1/rules.d/50-strata.rules
		for scope in \$(systemctl list-units --plain --no-legend 'machine-qemu*.scope' | cut -d' ' -f1); do
			systemctl set-property --runtime \"\$scope\" IOReadBandwidthMax= IOWriteBandwidthMax= IOReadIOPSMax= IOWriteIOPSMax= MemorySwapMax=
		done" >/dev/null 2>&1
}

limits() {
	on lab vm start
	guest_is_seen
	limit_holds
	undo_is_per_device
	mistakes_are_refused
	limit_is_lost
	limit_expires
	limits_of_others_are_seen
	limit_without_effect_is_seen
}

swaps() {
	swap_is_seen
	swap_goes_off
	swap_needs_memory
	swap_off_is_aborted
	all_swap_goes_off
	fstab_is_changed_and_undone
	swappiness_is_set
}

domains() {
	guest_is_shut_down_and_started
	disk_is_checked
	disk_is_repaired
	limit_is_kept
	guest_is_kept_from_swapping
	plug_is_pulled
}

rights() {
	on lab swap on >/dev/null
	on lab vm start
	rights_are_named
	rule_is_enough
}

screens() {
	on lab swap on >/dev/null
	on lab vm start
	panes_look_right
	limited_from_the_keyboard
}

# What the audit log costs, for the actions of the parts before.
audit() {
	local log=/root/.local/state/strata/audit.jsonl
	on lab swap on >/dev/null
	done_to swappiness $HOST value=17
	done_to undo "$(undo_id swappiness)"
	on cat $log >"$WORK/audit"
	note "bytes of the audit log for each action: $(jq -rs 'group_by(.action) | map("\(.[0].action) " +
		(((map(tostring | length + 1) | add) / (map(.id) | unique | length) | floor) | tostring)) | join(", ")' "$WORK/audit")"
	note "ms from begin to end, and to seen: $(jq -rs 'def ms: (sub("\\..*Z$"; "Z") | fromdate) * 1000 +
			(capture("\\.(?<f>[0-9]+)").f | (. + "00")[0:3] | tonumber);
		group_by(.id) | map((map({(.phase): (.at | ms)}) | add) as $t | select($t.seen and $t.begin) |
			"\(.[0].action) \(($t.end // $t.seen) - $t.begin) \($t.seen - $t.begin)") | join(", ")' "$WORK/audit")"
	expect "the audit log is readable by its owner only" 600 "$(on stat -c %a $log)"
	expect "each line of it is JSON" "$(wc -l <"$WORK/audit")" "$(jq -c . "$WORK/audit" | wc -l)"
}

build_strata
"$HERE/lab.sh" up || exit 1
"$HERE/lab.sh" put "$STRATA" /usr/local/bin/strata.new
shell 'mv /usr/local/bin/strata.new /usr/local/bin/strata'
note "$(on strata version | head -1) is $(($(stat -c %s "$STRATA") / 1000000)) MB; $(on systemctl --version | head -1); $(on uname -r); load here: $(cut -d' ' -f1 /proc/loadavg)"
shell 'rm -rf /root/.local/state/strata /home/op/.local/state/strata'
for part in $PARTS; do
	echo "== $part"
	fresh
	$part
done
fresh
verdict
