#!/bin/bash
# strata against a real Keystone and Nova (lab.sh): brings them up, looks and acts, and prints a PASS or FAIL line for
# each thing a user relies on, with what was measured. It takes about 10 minutes, ends what it started, and its exit
# code is 0 when all passed. The parts are in check_seen.sh (what strata shows) and check_acts.sh (what it does)
# and check_why.sh (what it names as the cause).
#
# Usage: check.sh          everything
#        check.sh keep     leave the lab running and its folder in place; a second run then starts in seconds
#        check.sh keep PART...   only these parts, such as acts_as_admin
#
# Environment: STRATA_BIN=file tests that program instead of building one; LAB_DIR, LAB_PORT: see lab.sh.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 2400 "$0" "$@"
fi
KEEP=${1:-}
shift $(($# > 0))
case $KEEP in '' | keep) ;; *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac

export LAB_COMPUTES=2 LAB_NEW_POLICY=true
export LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/strata-lab-openstack} LAB_PORT=${LAB_PORT:-15000}
KEYSTONE=http://127.0.0.1:$LAB_PORT/v3
NOVA=http://127.0.0.1:$((LAB_PORT + 1))/v2.1
WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"
# shellcheck source=check_seen.sh
. "$HERE/check_seen.sh"
# shellcheck source=check_acts.sh
. "$HERE/check_acts.sh"
# shellcheck source=check_why.sh
. "$HERE/check_why.sh"

cleanup() {
	trap '' INT TERM
	[ ! -e "$WORK/tmux.sock" ] || in_tmux kill-server 2>/dev/null
	[ "$KEEP" = keep ] || "$HERE/lab.sh" wipe
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# ---- what Nova itself says, asked with curl ------------------------------------------------------------------------

token() { # USER: one that is asked for once
	local project file=$WORK/token-$1
	case $1 in admin) project="admin" ;; *) project="demo" ;; esac
	if [ ! -s "$file" ]; then
		curl -s -o /dev/null -D "$WORK/headers" -H 'Content-Type: application/json' "$KEYSTONE/auth/tokens" -d '{"auth": {
			"identity": {"methods": ["password"],
				"password": {"user": {"name": "'"$1"'", "domain": {"id": "default"}, "password": "lab"}}},
			"scope": {"project": {"name": "'$project'", "domain": {"id": "default"}}}}}'
		sed -n 's/\r$//; s/^[Xx]-[Ss]ubject-[Tt]oken: //p' "$WORK/headers" >"$file"
	fi
	cat "$file"
}

api() { # USER METHOD URL [BODY]
	curl -s --max-time 10 -X "$2" -H "X-Auth-Token: $(token "$1")" -H 'OpenStack-API-Version: compute 2.90' \
		-H 'Content-Type: application/json' "$3" ${4:+-d "$4"}
}

id_of() { api alice GET "$NOVA/servers" | jq -r --arg name "$1" '.servers[] | select(.name == $name).id'; }
status_of() { api alice GET "$NOVA/servers/$1" | jq -r '.server | .status + (.["OS-EXT-STS:task_state"] // "")'; }
is() { [ "$(status_of "$1")" = "$2" ]; }
starts_of() { api alice GET "$NOVA/servers/$1/os-instance-actions" | jq '[.instanceActions[] | select(.action == "start")] | length'; }
stop_server() { api "$1" POST "$NOVA/servers/$2/action" '{"os-stop": null}'; }
start_server() { api "$1" POST "$NOVA/servers/$2/action" '{"os-start": null}'; }

host_of() { api admin GET "$NOVA/servers/$1" | jq -r '.server["OS-EXT-SRV-ATTR:host"]'; }
service_of() { api admin GET "$NOVA/os-services?binary=nova-compute&host=$1" | jq -r ".services[0].$2"; } # HOST FIELD
compute_is() { [ "$(service_of "$1" state)" = "$2" ]; }                                                    # HOST STATE

# both_active puts the servers into the state in which each part begins.
both_active() {
	local id
	for id in "$ONE" "$TWO"; do
		is "$id" ACTIVE || start_server alice "$id" >/dev/null
		until_true 30 is "$id" ACTIVE || fail "nova starts $id between two parts"
	done
}

# stopped_and_seen NAME SCREEN SERVER ID: after Nova says SHUTOFF, how long until the screen does?
stopped_and_seen() {
	until_true 60 is "$4" SHUTOFF || {
		fail "$1" "nova did not get it to SHUTOFF"
		return 1
	}
	see "$1" "$2" 7 "$3 .*SHUTOFF"
}

row() { screen "$1" | grep -F "$2" | head -1 | tr -s ' '; }

# ---- all of it -----------------------------------------------------------------------------------------------------

"$HERE/lab.sh" install && "$HERE/lab.sh" start && "$HERE/lab.sh" seed || exit 1
build_strata || exit 1
private_environment
export OS_CLIENT_CONFIG_FILE=$LAB_DIR/clouds.yaml
sed 's/password: lab/password: wrong/' "$LAB_DIR/clouds.yaml" >"$WORK/wrong.yaml"
ONE=$(id_of k8s-worker-1) TWO=$(id_of k8s-worker-2)
both_active

cockpit() {
	screen_open alice "$STRATA" --no-host --cloud lab-alice
	see "the cockpit shows both workers" alice 8 '(?s)k8s-worker-1 +ACTIVE'
	note "the first line: $(row alice 'strata ')"
}

if [ $# -gt 0 ]; then
	for part in "$@"; do "$part"; done
	verdict
	exit
fi
snapshots
doctors
cockpit
stops_are_seen
bulk_start
single_start
bulk_stop
watch_does_nothing
nova_api_hangs
nova_api_restarts
token_dies
compute_down
screen_close alice
acts_as_admin
acts_as_member
acts_as_reader
acts_refused
stop_behind_a_start
evacuation
verdicts
figures
verdict
