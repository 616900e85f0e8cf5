#!/bin/bash
# strata against a real Prometheus, Alertmanager and node_exporters of Debian's packages, on the loopback (fleet.sh). It
# prints a PASS or FAIL line for each thing a user relies on, with what was measured. It takes about 4 minutes, needs
# root (for names of its own for the machines) and installs nothing; it ends what it started, and its exit code is 0 when
# all passed.
#
# Usage: check.sh
#
# Environment: STRATA_BIN=file tests that program instead of building one. STRATA_LAB_BIN=folder has the programs of
# the lab, or gets them.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 1500 "$0" "$@"
fi
[ $# = 0 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2; }

WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
# shellcheck source=fleet.sh
. "$HERE/fleet.sh"

cleanup() {
	trap '' INT TERM
	exec 2>/dev/null # of what bash says of the programs it ends
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	fleet_down
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

settings() { # FILE [LINE...]: a configuration with more lines for the Prometheus
	local file=$1
	shift
	{
		printf 'poll: {prometheus: 5s}\nprometheus:\n  name: lab\n  url: https://localhost:%s\n' $PROM_PORT
		printf '  %s\n' "$@"
	} >"$WORK/$file.yaml"
}

strata() { # FILE VERB...: strata with this configuration, without the machine it runs on
	local file=$1
	shift
	"$STRATA" "$@" --no-host --config "$WORK/$file.yaml"
}

# of JQ: what a snapshot has of the fleet, by a filter over its objects.
of() { strata good snapshot -o json --only hosts,sensors,disks,filesystems | jq -r "[.parts[].objects[]] | $1"; }

near() { # NAME WANT GOT SHARE: passes when they differ by less than that share of WANT, or by 0.3
	if jq -ne --argjson want "$2" --argjson got "${3:-null}" --argjson share "$4" \
		'$got != null and (($want - $got) | fabs) <= ([$want * $share, 0.3] | max)' >/dev/null; then
		pass "$1" "$3"
	else
		fail "$1" "wanted about $2, got ${3:-nothing}"
	fi
}

meminfo() { awk -v key="$1:" '$1 == key {printf "%.0f", $2 * 1024}' /proc/meminfo; }

looks() {
	local all
	all=$(strata good snapshot -o json --only hosts,sensors,disks,filesystems)
	ask() { jq -r "[.parts[].objects[]] | $1" <<<"$all"; }
	expect "the three machines are there, by the names they give themselves" "$OWN lab-a lab-b" \
		"$(ask '[.[] | select(.memory) | .name] | unique | sort_by(. != "'"$OWN"'") | join(" ")')"
	expect "boot time is that of the kernel" "$(awk '$1 == "btime" {print $2}' /proc/stat)" \
		"$(ask '.[] | select(.memory and .name == "lab-a") | .boot | sub("[+-]..:..$"; "Z") | fromdate' 2>/dev/null ||
			ask '.[] | select(.memory and .name == "lab-a") | .boot')"
	near "load is that of /proc/loadavg" "$(awk '{print $1}' /proc/loadavg)" "$(ask '.[] | select(.memory and .name == "lab-a") | .load[0]')" 0.3
	expect "memory is that of /proc/meminfo" "$(meminfo MemTotal)" "$(ask '.[] | select(.memory and .name == "lab-a") | .memory.totalBytes')"
	near "available memory too" "$(meminfo MemAvailable)" "$(ask '.[] | select(.memory and .name == "lab-a") | .memory.availableBytes')" 0.1
	expect "CPUs" "$(nproc --all)" "$(ask '.[] | select(.memory and .name == "lab-a") | .cpus')"
	expect "the share of busy CPU is between 0 and 1" true "$(ask '.[] | select(.memory and .name == "lab-a") | .busy | . >= 0 and . <= 1')"
	expect "kernel" "$(uname -r)" "$(ask '.[] | select(.memory and .name == "lab-a") | .identity.kernel')"
	near "the size of / is that of df" "$(df -B1 --output=size / | tail -1)" "$(ask '.[] | select(.mount == "/" and .host == "lab-a") | .totalBytes')" 0.01
	near "what is free on / too" "$(df -B1 --output=avail / | tail -1)" "$(ask '.[] | select(.mount == "/" and .host == "lab-a") | .availableBytes')" 0.05
	expect "the sensor of lab-b, with its label and limits" "Package id 0 71 84 100" \
		"$(ask '.[] | select(.celsius) | "\(.label) \(.celsius) \(.maxCelsius) \(.critCelsius)"')"
	expect "SMART of lab-b" "SAMSUNG MZVLB512HBJQ 44 7 media_errors=5 num_err_log_entries=2787" \
		"$(ask '.[] | select(.smart) | "\(.model) \(.smart.celsius) \(.smart.usedPct) " + ([.counters[] | "\(.name)=\(.value)"] | join(" "))')"
	expect "a disk of lab-a has rates" true "$(ask '[.[] | select(.io and .host == "lab-a" and .io.writeBytesPerSec != null)] | length > 0')"
	at_most "a snapshot of the fleet takes a second (median of 5)" 1000 "$(median 5 strata good snapshot -o json --only hosts)"
	strata good doctor >"$WORK/doctor"
	contains "doctor: the version of Prometheus" 'ok +answers +version 2\.\d+' "$(cat "$WORK/doctor")"
	contains "doctor: the version of the Alertmanager" 'ok +alertmanager +version 0\.\d+' "$(cat "$WORK/doctor")"
	contains "doctor: node_exporter on 3 machines" 'ok +node_exporter +on 3 machines' "$(cat "$WORK/doctor")"
	contains "doctor: the virtual machine of a libvirt exporter" 'ok +libvirt exporter +1 virtual machine' "$(cat "$WORK/doctor")"
	expect "the domain of libvirt's test driver, on its machine" "test lab-a running 6695eb01-f6a4-8304-79aa-97f2502e193f 2 8589934592 vda" \
		"$(strata good snapshot -o json --only domains | jq -r '.parts[].objects[] |
			"\(.name) \(.host) \(.state) \(.uuid) \(.size.vcpus) \(.size.memoryBytes) \([.disks[].target] | join(" "))"')"
}

alerts_show() {
	expect "the alert that fires is there, the silenced one as such" "LabFires active, LabSilenced suppressed" \
		"$(strata good snapshot -o json --only alerts | jq -r '[.parts[].objects[] | "\(.name) \(.status.state)"] | sort | join(", ")')"
	press k :alerts
	see "the pane shows the alert" k 10 '✖ LabFires +firing +critical .*the lab is on fire'
	see "the pane marks the silenced one" k 5 '● LabSilenced +silenced .*silence [0-9a-f-]{8}'
	press k :findings
	see "the findings tell of the alerts beside them" k 5 '1 alert \(:alerts\)'
}

machine_stops() {
	press k :hosts
	see "the hosts pane says who sees them" k 10 'lab-b .*prometheus/lab'
	end node-lab-b
	see "its node_exporter stops: the machine is lost, within two polls" k 15 '✖ lab-b +lost'
	see "and why" k 2 'lab-b .*Prometheus cannot scrape'
	see "no figure of it is shown as fresh" k 2 'lab-b +lost +(— +)+'
	see "the others are well" k 2 '● lab-a +up'
	press k :temps
	see "its sensor has no reading" k 15 '○ lab-b +Package id 0 .* lost'
	until_true 60 fires LabDown
	press k :alerts
	see "its alert comes" k 15 'LabDown +firing'
	expect "snapshot: no load, no memory" "null null" "$(of '.[] | select(.identity.lost) | "\(.load) \(.memory.totalBytes)"')"
	node_b
	press k :hosts
	see "its node_exporter is back: so is the machine" k 20 '● lab-b +up'
}

prometheus_stops() {
	press k :hosts
	end prometheus
	see "Prometheus stops: the screen says so" k 15 'prometheus:lab failing'
	see "the last known machines stay, as old ones" k 2 'lab-a .*up'
	press k :sources
	see "the reason is told in words" k 5 'dial tcp'
	press k :hosts
	prometheus_up
	see_not "Prometheus is back: the screen recovers" k 40 'prometheus:lab failing'
	see "with its machines" k 20 '● lab-a +up'
}

own_machine() {
	screen_open own "$STRATA" --config "$WORK/good.yaml"
	see "the cockpit is up" own 30 'hosts [●✖▲]'
	press own :hosts
	see "with the machine that strata runs on: the others are the fleet's" own 15 'lab-a .*prometheus/lab'
	see "this machine is there" own 5 "$OWN +"
	see_not "and not the fleet's row of it" own 12 "$OWN .*prometheus/lab"
	expect "in a snapshot too" "host/$OWN" \
		"$("$STRATA" snapshot -o json --only hosts --config "$WORK/good.yaml" | jq -r '[.parts[].objects[] | select(.name == "'"$OWN"'") | .source] | unique | join(" ")')"
	screen_close own
}

# agent_is_lost: an agent on lab-a, through an ssh that is a script here.
agent_is_lost() {
	mkdir -p "$WORK/path"
	cat >"$WORK/path/ssh" <<-END
		#!/bin/sh
		[ ! -e "$WORK/cut" ] || { echo "ssh: connect to host lab-a port 22: No route to host" >&2; exit 255; }
		for last; do :; done
		echo \$\$ >"$WORK/agent.pid"
		exec sh -c "\$last"
	END
	chmod +x "$WORK/path/ssh"
	screen_open agent env PATH="$WORK/path:$PATH" "$STRATA" --no-host --host lab-a=root@lab-a --config "$WORK/good.yaml"
	see "the cockpit is up, with an agent" agent 30 'hosts [●✖▲]'
	press agent :hosts
	see "the agent tells of lab-a" agent 20 'lab-a +up'
	see_not "and the fleet does no more" agent 12 'lab-a .*prometheus/lab'
	see "the fleet tells of lab-b" agent 10 'lab-b .*prometheus/lab'
	touch "$WORK/cut"
	kill "$(cat "$WORK/agent.pid")"
	rm -f "$WORK/agent.pid"
	see "the agent is lost: the screen says so" agent 15 'lab-a.* failing'
	see "a minute later lab-a is the fleet's again" agent 80 'lab-a .*prometheus/lab' && note "after $((WAITED / 1000)) s"
	rm "$WORK/cut"
	see_not "the agent is back: it tells of lab-a again" agent 90 'lab-a .*prometheus/lab'
	screen_close agent
}

logins() {
	local said
	said=$(strata bad doctor)
	contains "a wrong password is told in words" 'HTTP 401' "$said"
	contains "with what to do" 'does not take the login: check user and password' "$said"
	said=$(strata bad snapshot --only hosts 2>&1)
	contains "snapshot says it too" 'HTTP 401' "$said"
	said=$(strata open doctor)
	contains "no password: it wants a login" 'it wants a login' "$said"
	said=$(strata untrusted doctor)
	contains "without its CA file: who signed it is not known" 'name who signed its certificate: caFile' "$said"
	expect "no password is in any log" 0 "$(grep -rlF "$PASSWORD-wrong" "$XDG_STATE_HOME" 2>/dev/null | wc -l)"
}

# ---- all of it -----------------------------------------------------------------------------------------------------

for program in curl jq tmux openssl unshare dpkg; do
	command -v $program >/dev/null || { echo "check.sh needs $program" && exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "check.sh needs root" && exit 1; }
fleet_programs && build_strata || exit 1
private_environment
OWN=$(uname -n)
echo "$PASSWORD" >"$WORK/password"
echo "$PASSWORD-wrong" >"$WORK/wrong"
settings good "alertmanager: http://127.0.0.1:$ALERT_PORT" "user: strata" "passwordFile: $WORK/password" "caFile: $WORK/ca.pem"
settings bad "user: strata" "passwordFile: $WORK/wrong" "caFile: $WORK/ca.pem"
settings open "caFile: $WORK/ca.pem"
settings untrusted "user: strata" "passwordFile: $WORK/password"
fleet_up || exit 1

looks
# Wide enough for all columns.
export COLUMNS_WANTED=220 LINES_WANTED=40
screen_open k "$STRATA" --no-host --config "$WORK/good.yaml"
see "the cockpit shows the fleet" k 30 'hosts [●✖▲]'
alerts_show
machine_stops
prometheus_stops
screen_close k
own_machine
agent_is_lost
logins
verdict
