# shellcheck shell=bash
# What the checks share: they report PASS and FAIL lines, drive strata in a tmux server of their own, and read its
# screen. To be sourced; WORK must be a folder.

PASSED=0 FAILED=0

pass() { # NAME [FIGURE]
	PASSED=$((PASSED + 1))
	printf 'PASS  %-62s %s\n' "$1" "${2:-}"
}

fail() { # NAME [WHY]
	FAILED=$((FAILED + 1))
	printf 'FAIL  %-62s %s\n' "$1" "${2:-}"
}

note() { printf '      %s\n' "$*"; }

# expect NAME WANT GOT
expect() {
	if [ "$2" = "$3" ]; then pass "$1" "$3"; else fail "$1" "wanted $2, got $3"; fi
}

# contains NAME REGEX TEXT
contains() {
	if grep -Pq -- "$2" <<<"$3"; then pass "$1"; else fail "$1" "no /$2/ in: $(head -c 300 <<<"$3")"; fi
}

# at_most NAME LIMIT_MS MS
at_most() {
	if [ "$3" -le "$2" ]; then pass "$1" "$3 ms"; else fail "$1" "$3 ms, the limit is $2 ms"; fi
}

# verdict prints the sum and returns 1 when anything failed.
verdict() {
	echo "$PASSED passed, $FAILED failed"
	[ "$FAILED" = 0 ]
}

now_ms() { date +%s%3N; }

# until_true SECONDS COMMAND...: runs it until it succeeds; WAITED is how many ms that took.
until_true() {
	local from end
	from=$(now_ms)
	end=$((from + $1 * 1000))
	shift
	until "$@"; do
		WAITED=$(($(now_ms) - from))
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
	WAITED=$(($(now_ms) - from))
}

# median COMMAND RUNS: the median of how many ms the command takes.
median() { # RUNS COMMAND...
	local runs=$1 from
	shift
	for _ in $(seq "$runs"); do
		from=$(now_ms)
		"$@" >/dev/null 2>&1
		echo $(($(now_ms) - from))
	done | sort -n | sed -n "$((runs / 2 + 1))p"
}

# build_strata puts the program to test into $STRATA: the one named by STRATA_BIN, or one that is built.
build_strata() {
	STRATA=${STRATA_BIN:-$WORK/strata}
	[ -n "${STRATA_BIN:-}" ] || (cd "$ROOT" && CGO_ENABLED=0 go build -o "$STRATA" .)
}

# private_environment keeps strata away from the settings, clouds and clusters of whoever runs the check.
private_environment() {
	export XDG_CONFIG_HOME=$WORK/config XDG_STATE_HOME=$WORK/state XDG_CACHE_HOME=$WORK/cache
	export HOME=$WORK/home
	mkdir -p "$XDG_CONFIG_HOME" "$XDG_STATE_HOME" "$XDG_CACHE_HOME" "$HOME"
	unset "${!OS_@}" KUBECONFIG NO_COLOR TMUX
	# shellcheck disable=SC2034 # for those who source this
	AUDIT=$XDG_STATE_HOME/strata/audit.jsonl
}

# ---- the screen ----------------------------------------------------------------------------------------------------

in_tmux() { tmux -S "$WORK/tmux.sock" -f /dev/null "$@"; }

# screen_open NAME COMMAND...: a terminal of 120x40 that stays when its program ends.
screen_open() {
	local name=$1
	shift
	in_tmux new-session -d -s "$name" -x "${COLUMNS_WANTED:-120}" -y "${LINES_WANTED:-40}" "$(printf '%q ' "$@")" \; \
		set-option -t "$name" remain-on-exit on
}

screen_close() { in_tmux kill-session -t "=$1"; }
screen() { in_tmux capture-pane -p -t "=$1:"; }
shows() { screen "$1" | grep -Pq -- "$2"; }
shows_not() { ! shows "$@"; }

# press NAME KEY...: keys as tmux names them; ":word" types a command of strata and enter.
press() {
	local name=$1 key
	shift
	for key in "$@"; do
		case $key in
		:?*) in_tmux send-keys -t "=$name:" -l "$key" \; send-keys -t "=$name:" Enter ;;
		*) in_tmux send-keys -t "=$name:" "$key" ;;
		esac
		sleep 0.2 # a person types no faster, and esc must not run into what follows
	done
}

# see NAME SCREEN SECONDS REGEX: passes when the screen shows it in time, and prints the screen when not.
see() {
	if until_true "$3" shows "$2" "$4"; then
		pass "$1" "after $WAITED ms"
	else
		fail "$1" "no /$4/ within $3 s; the screen:"
		screen "$2" | sed 's/ *$//; /^$/d; s/^/        /'
		return 1
	fi
}

# see_not: passes when the screen stops showing it in time.
see_not() {
	if until_true "$3" shows_not "$2" "$4"; then
		pass "$1" "after $WAITED ms"
	else
		fail "$1" "still /$4/ after $3 s; the screen:"
		screen "$2" | sed 's/ *$//; /^$/d; s/^/        /'
		return 1
	fi
}
