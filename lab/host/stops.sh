# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# A domain that qemu pauses because a write failed. To be sourced by check.sh.

STOPS=stops

stops_state() { on virsh domstate $STOPS --reason | head -1; }
stops_runs() { grep -q ^running <<<"$(stops_state)"; }

# guest_stops NAME CAUSE ERROR WARNING
guest_stops() {
	local cause=$2 line
	on lab stops $cause
	expect "$1: libvirt has it paused" "paused (I/O error)" "$(stops_state)"
	line=$(objects domains "select(.name == \"$STOPS\")")
	expect "$1: strata sees it paused, and why" "paused I/O error" "$(jq -r '"\(.state) \(.reason)"' <<<"$line")"
	contains "$1: and which disk it stopped for" "$3" "$(jq -r '.disks[0].error' <<<"$line")"
	contains "$1: its table says so" 'stops.*(I/O error)' "$(on strata snapshot --only domains)"
	act domain-resume $STOPS
	contains "$1: the plan to resume it warns of the cause" "$4" "$(jq -r '.against | join("; ")' <<<"$REPORT")"
	act domain-resume $STOPS --yes
	expect "$1: resumed while the cause stands it fails: exit code" 1 $CODE
	contains "$1: because it stopped again" 'it stopped again' "$(all_said)"
	note "$(all_said), after $TOOK ms"
	until_true 20 stops_is_paused || true
	expect "$1: resumed while the cause stands it stops again" "paused (I/O error)" "$(stops_state)"
	on lab stops mend
	done_to domain-resume $STOPS
	sleep 10
	expect "$1: mended and resumed it goes on" "running" "$(stops_state | cut -d' ' -f1)"
	expect "$1: strata sees no error any more" "running " "$(objects domains "select(.name == \"$STOPS\")" | jq -r '"\(.state) \(.disks[0].error // "")"')"
	on lab stops off
}

stops_is_paused() { grep -q ^paused <<<"$(stops_state)"; }

stops() {
	on lab vm off 2>/dev/null
	guest_stops "full filesystem" full 'no space' 'no space for vda .*make space first'
	guest_stops "broken disk" broken 'error' 'vda .*check the disk below it first|check space'
}
