#!/bin/bash
# Takes the pictures of the documentation: `strata demo` in a terminal on an X server without a screen, once with the
# cause of the breakdown on it (demo.png), then the finding with its evidence and remedies (why.png), the chain through the
# layers (chain.png), the timeline of a server (timeline.png), and the dialog that asks before anything is done (confirm.png).
#
# Usage: picture.sh [FOLDER]      default: docs
#
# Environment: STRATA_BIN=file takes them of that program instead of building one. SPEED=5 is how fast the demo goes.
# It needs Xvfb, xterm, tmux, ImageMagick and the DejaVu fonts (Debian: xvfb xterm tmux imagemagick fonts-dejavu-core).
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
ROOT=$(readlink -f "$HERE/..")
case ${1:-} in -*) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac
OUT=$(readlink -f "${1:-$ROOT/docs}")

WORK=$(mktemp -d)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	[ -z "${XTERM:-}" ] || kill "$XTERM" 2>/dev/null
	[ -z "${XVFB:-}" ] || kill "$XVFB" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

start_x() {
	mkfifo "$WORK/display"
	Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3>"$WORK/display" 2>"$WORK/xvfb.log" &
	XVFB=$!
	read -r -t 20 number <"$WORK/display" || return 1
	export DISPLAY=:$number
}

# take FILE: a picture of the terminal, of few colours so that it stays small.
take() {
	until_true 1 false # what is drawn is drawn by then
	import -window root "$WORK/all.png"
	convert "$WORK/all.png" -trim +repage -strip -colors 64 "PNG8:$OUT/$1"
	echo "$OUT/$1: $(identify -format '%wx%h' "$OUT/$1"), $(wc -c <"$OUT/$1") bytes"
}

build_strata || exit 1
private_environment
export TMPDIR=$WORK # for what the demo plays with
mkdir -p "$OUT"
start_x || { echo "Xvfb did not start: $(cat "$WORK/xvfb.log")" && exit 1; }
LINES_WANTED=36 screen_open demo "$STRATA" demo --no-mouse --speed "${SPEED:-5}"
in_tmux set-option -g status off \; set-option -sa terminal-overrides ',xterm*:Tc' \; set-option -g default-terminal tmux-256color
xterm -fa 'DejaVu Sans Mono' -fs 11 -geometry 120x36+0+0 -b 8 -bg '#10151a' -fg '#d7dde3' +sb -T strata \
	-e tmux -S "$WORK/tmux.sock" attach -t demo &
XTERM=$!

see "the demo breaks" demo 240 'k8s-worker-1 .*SHUTOFF' && see "the screen says who stopped it" demo 20 'nova' || exit 1
take demo.png
press demo 5 Enter
see "the finding has its evidence" demo 5 'Evidence' || exit 1
take why.png
press demo Escape Escape 6 x
see "the chain goes up to the pods" demo 5 'k8s-worker-[12].novalocal' || exit 1
take chain.png
press demo Escape Escape 1 t
see "the timeline has its strip" demo 5 'Timeline of server' || exit 1
take timeline.png
press demo Escape Escape 1 m s
see "the dialog asks" demo 5 'Do it' || exit 1
take confirm.png
