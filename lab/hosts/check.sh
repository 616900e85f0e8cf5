#!/bin/bash
# strata watches many machines at once: 50 addresses in a network namespace of its own, each reached through the system's
# ssh and a real sshd, each with an agent of its own. (All of them are this machine; their agents read the same host.) It
# prints a PASS or FAIL line for each thing a user relies on, with what was measured. It takes about five minutes, needs
# root, openssh-server, iproute2, tmux and jq, ends what it started, and its exit code is 0 when all passed.
#
# Usage: check.sh
#
# Environment: STRATA_BIN=file tests that program instead of building one. HOSTS=50.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
[ $# = 0 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2; }
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 1200 unshare --net "$0"
fi
HOSTS=${HOSTS:-50}
WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"

SSHD_PID=

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	sshd_down
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

address() { echo "10.77.0.$1"; }

network() {
	ip link set lo up
	for i in $(seq "$HOSTS"); do ip addr add "$(address "$i")/32" dev lo; done
}

# keys makes the keys of both sides, an ssh that uses only them, and the settings of strata.
keys() {
	mkdir -p "$WORK/bin" /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
	for i in $(seq "$HOSTS"); do echo "$(address "$i") $(cut -d' ' -f1,2 "$WORK/host.pub")"; done >"$WORK/known_hosts"
	cat >"$WORK/sshd_config" <<-END
		ListenAddress 0.0.0.0
		HostKey $WORK/host
		PidFile none
		AuthorizedKeysFile $WORK/user.pub
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		MaxStartups 200
		SetEnv XDG_CACHE_HOME=$WORK/there
	END
	cat >"$WORK/ssh_config" <<-END
		Host *
		  User root
		  IdentityFile $WORK/user
		  IdentitiesOnly yes
		  UserKnownHostsFile $WORK/known_hosts
	END
	printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$WORK/ssh_config" >"$WORK/bin/ssh"
	chmod +x "$WORK/bin/ssh"
	export PATH=$WORK/bin:$PATH
	mkdir -p "$XDG_CONFIG_HOME/strata"
	{
		echo hosts:
		for i in $(seq "$HOSTS"); do printf '  - name: h%02d\n    ssh: %s\n' "$i" "$(address "$i")"; done
	} >"$XDG_CONFIG_HOME/strata/config.yaml"
}

# sshd runs in a session of its own: ending it with its group ends the conversations too.
sshd_up() {
	setsid /usr/sbin/sshd -D -f "$WORK/sshd_config" -E "$WORK/sshd.log" &
	SSHD_PID=$!
	until_true 10 listening || fail "sshd listens"
}

listening() { ssh -o BatchMode=yes "$(address 1)" true 2>/dev/null; }

conversations() { pgrep -f '^sshd: root@notty' --ns $$ --nslist net; }

sshd_down() {
	[ -z "$SSHD_PID" ] || kill "$SSHD_PID" 2>/dev/null
	SSHD_PID=
	# shellcheck disable=SC2046 # one word each
	kill $(conversations) 2>/dev/null
}

cockpit_pid() { in_tmux list-panes -t "=$1:" -F '#{pane_pid}'; }

# ticks PID: processor time used so far, in ticks of 10 ms.
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

states() { screen h | grep -c " $1  "; } # STATE: how many agents are in it
are() { [ "$(states "$1")" = "$2" ]; }

# they_are NAME STATE SECONDS: all agents must come to be in a state.
they_are() {
	if until_true "$3" are "$2" "$HOSTS"; then
		pass "$1" "after $WAITED ms"
	else
		fail "$1" "$(states "$2") of $HOSTS within $3 s; the screen:"
		screen h | sed 's/ *$//; /^$/d; s/^/        /'
	fi
}

cockpit() {
	screen_open h "$STRATA" --no-host
	until_true 10 shows h 'strata +WRITE'
	press h :agents
	PID=$(cockpit_pid h)
}

# figures of all agents, from the cockpit's own view of them.
agents() { "$STRATA" snapshot --no-host -o json --only agents --wait 30s; }

network
private_environment
build_strata || exit 1
keys
sshd_up

echo "== $HOSTS fresh hosts"
export LINES_WANTED=$((HOSTS + 12)) COLUMNS_WANTED=200
cockpit
they_are "all agents are connected, the program copied to a fresh machine first" connected 240
note "sshd saw $(grep -c 'Accepted publickey' "$WORK/sshd.log") logins"
expect "there is one copy of the program, under its hash" 1 "$(find "$WORK/there/strata" -name strata -perm -100 -type f | wc -l)"

echo "== at rest"
sleep 20 # the first looks are over
before=$(ticks "$PID") from=$(now_ms)
sleep 30
used=$(($(ticks "$PID") - before)) ms=$(($(now_ms) - from))
pass "the cockpit with $HOSTS agents" "$((used * 1000 / ms)).$((used * 10000 / ms % 10)) % of a core, $(awk '/VmRSS/{print int($2 / 1024)}' "/proc/$PID/status") MB"
screen h | sed -n 4,12p
press h q
screen_close h

echo "== started again"
cockpit
they_are "all agents are connected" connected 60
figures=$(agents)
expect "a snapshot has all of them" "$HOSTS" "$(jq '[.parts[].objects[]? | select(.state == "connected")] | length' <<<"$figures")"

echo "== one conversation is cut"
one=$(pgrep -P "$PID" -f -- "-- $(address 3) " | head -1)
kill "$one"
see "its agent is lost at once, and said to be" h 10 'h03 +failing'
expect "the others are not" $((HOSTS - 1)) "$(states connected)"
they_are "it comes back" connected 40

echo "== sshd stops"
sshd_down
they_are "all are lost" failing 30
contains "the reason is in ssh's words" 'refused|reset|closed' "$(screen h)"
press h g
see "the cockpit still answers" h 1 '› *◌? *✖? *h01'
sshd_up
they_are "all come back" connected 120
see_not "and nothing is said to fail" h 40 'failing'
press h q
verdict
