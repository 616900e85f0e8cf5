#!/bin/bash
# What a fleet of simulated machines costs strata: from start to the first hosts on the screen, CPU and memory of the
# cockpit over a minute, and of one snapshot. The simulated Prometheus is a process of its own.
#
# Usage: cost.sh [MACHINES]     5000 without
#
# Environment: STRATA_BIN=file measures that program instead of building one.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
ROOT=$(readlink -f "$HERE/../..")
MACHINES=${1:-5000}
case $MACHINES in *[!0-9]*) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac
WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
cleanup() {
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	[ -z "${MANY:-}" ] || kill "$MANY" 2>/dev/null
	rm -rf "$WORK"
}
trap cleanup EXIT

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
rss() { awk '$1 == "'"$2"':" {printf "%d", $2 / 1024}' "/proc/$1/status"; }

build_strata && (cd "$ROOT" && go build -o "$WORK/many" ./lab/prometheus/many) || exit 1
private_environment
"$WORK/many" "$MACHINES" >"$WORK/url" &
MANY=$!
until_true 20 test -s "$WORK/url" || exit 1
printf 'prometheus: {name: many, url: "%s"}\n' "$(cat "$WORK/url")" >"$WORK/many.yaml"

# Once before, so that the simulated Prometheus has its answers ready and none of its own time is measured.
"$STRATA" snapshot -o json --no-host --config "$WORK/many.yaml" >/dev/null

export COLUMNS_WANTED=160 LINES_WANTED=45
from=$(now_ms)
screen_open k "$STRATA" --no-host --config "$WORK/many.yaml"
until_true 60 shows k "hosts ✖" || { screen k && exit 1; }
note "$MACHINES machines: the first on the screen after $(($(now_ms) - from)) ms"
PID=$(in_tmux list-panes -t k -F '#{pane_pid}')
press k :hosts
see "the pane has them all" k 20 "$MACHINES hosts|\\b$((MACHINES / 100)) "
sleep 30 # filesystems and SMART too
before=$(ticks "$PID") fake=$(ticks "$MANY")
sleep 60
note "the cockpit over a minute: $(awk "BEGIN {printf \"%.1f\", ($(ticks "$PID") - $before) / 60}") % of a core, RSS $(rss "$PID" VmRSS) MB, at most $(rss "$PID" VmHWM) MB"
note "the simulated Prometheus meanwhile: $(awk "BEGIN {printf \"%.1f\", ($(ticks "$MANY") - $fake) / 60}") % of a core"
note "a snapshot of all hosts takes $(median 3 "$STRATA" snapshot -o json --no-host --only hosts --config "$WORK/many.yaml") ms"
note "a snapshot of all kinds takes $(median 3 "$STRATA" snapshot -o json --no-host --config "$WORK/many.yaml") ms"
verdict
