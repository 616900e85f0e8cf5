#!/bin/bash
# How long it takes from the key that agrees to an action until strata asks the world for it, in the demo: the moment at
# which the terminal is given the key, against the line "begin" of the audit log, which is written right before the request.
#
# Usage: keys.sh
#
# Environment: STRATA_BIN=file measures that program instead of building one. It needs tmux and jq.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/..")
[ $# = 0 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2; }

WORK=$(mktemp -d)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# began ACTION: the last line "begin" of an action in the demo's audit log.
began() { jq -c --arg a "$1" 'select(.action == $a and .phase == "begin")' "$DEEDS" 2>/dev/null | tail -1; }

has_begun() { [ -n "$(began "$1")" ]; }

# measured ACTION PANE FILTER KEY [KEY...]: the row that the filter leaves is acted on, with the menu's key and those for
# its form.
measured() {
	local action=$1 from ms
	press d Escape Escape ":$2" "/"
	in_tmux send-keys -t =d: -l "$3"
	press d Enter g m "${@:4}"
	if ! see "$action: the dialog asks" d 10 'Do it'; then
		press d Escape Escape
		return
	fi
	from=$(now_ms)
	in_tmux send-keys -t =d: y
	if ! until_true 20 has_begun "$action"; then
		fail "$action: it begins" "$(screen d | tail -5)"
		return
	fi
	ms=$(($(began "$action" | jq -r '.at | (sub("(\\.[0-9]+)?Z$"; "Z") | fromdate) * 1000 + ((capture("\\.(?<f>[0-9]+)Z") // {f: "0"}).f + "000" | .[0:3] | tonumber)') - from))
	at_most "$action: from the key to the request" 200 $ms
}

build_strata || exit 1
private_environment
screen_open d "$STRATA" demo --no-mouse --speed 20
DEMO=$(in_tmux list-panes -t =d: -F '#{pane_pid}')
see "the demo is up" d 60 'k8s-worker-1' || exit 1
DEEDS=$(echo /dev/shm/strata-demo-"$DEMO"-*/audit.jsonl)
see "the demo breaks" d 120 'SHUTOFF'
note "load here: $(cut -d' ' -f1 /proc/loadavg)"
measured server-start servers k8s-worker-1 s
measured node-cordon nodes k8s-worker-2 c
measured workload-restart workloads '' r
measured unit-limit units compute l Down Down 2 M Enter
measured swap-off swap compute f Enter
measured swappiness hosts kubernetes-host w C-u 1 0 Enter
measured domain-start vms 1d s
verdict
