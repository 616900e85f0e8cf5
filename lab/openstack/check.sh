#!/bin/bash
# strata against a real Keystone and Nova (lab.sh): brings them up, looks and acts, and prints a PASS or FAIL line for
# each thing a user relies on, with what was measured. It takes about 6 minutes, ends what it started, and its exit
# code is 0 when all passed.
#
# Usage: check.sh          everything
#        check.sh keep     leave the lab running and its folder in place; a second run then starts in seconds
#
# Environment: STRATA_BIN=file tests that program instead of building one; LAB_DIR, LAB_PORT: see lab.sh.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck disable=SC2034 # for lib.sh
ROOT=$(readlink -f "$HERE/../..")
if [ -z "${CHECK_BOUNDED:-}" ]; then
	CHECK_BOUNDED=yes exec timeout --kill-after=60 1500 "$0" "$@"
fi
KEEP=${1:-}
case $KEEP in '' | keep) ;; *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac

export LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/strata-lab-openstack} LAB_PORT=${LAB_PORT:-15000}
KEYSTONE=http://127.0.0.1:$LAB_PORT/v3
NOVA=http://127.0.0.1:$((LAB_PORT + 1))/v2.1
WORK=$(mktemp -d)
# shellcheck source=../lib.sh
. "$HERE/../lib.sh"

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

# ---- the parts -----------------------------------------------------------------------------------------------------

snapshots() {
	local user statuses
	for user in admin alice viewer; do
		statuses=$("$STRATA" snapshot -o json --only servers --no-host --cloud lab-$user |
			jq -r '[.parts[].objects[] | .name + " " + .run.status] | sort | join(", ")')
		expect "snapshot of lab-$user shows both workers" "k8s-worker-1 ACTIVE, k8s-worker-2 ACTIVE" "$statuses"
	done
	local ours theirs
	ours=$(median 5 "$STRATA" snapshot -o json --only servers --no-host --cloud lab-alice)
	theirs=$(median 3 openstack --os-cloud lab-alice server list)
	at_most "snapshot takes half a second (median of 5)" 500 "$ours"
	note "openstack server list takes $theirs ms (median of 3)"
}

doctors() {
	local user said code
	for user in admin alice viewer; do
		said=$("$STRATA" doctor --no-host --cloud lab-$user)
		code=$?
		case $user in
		admin) expect "doctor of admin: exit code" 0 $code ;;
		*)
			expect "doctor of $user: exit code" 1 $code
			contains "doctor of $user says which right is missing" 'missing +reads services.*403.*os-services:list' "$said"
			contains "doctor of $user says how to get it" "openstack role add --user $user --project demo" "$said"
			contains "doctor of $user says that servers are read" 'ok +reads servers +2 seen' "$said"
			;;
		esac
	done
	said=$(OS_CLIENT_CONFIG_FILE=$WORK/wrong.yaml "$STRATA" doctor --no-host --cloud lab-alice)
	expect "doctor with a wrong password: exit code" 2 $?
	contains "doctor with a wrong password says so" '401|password' "$said"
}

stops_are_seen() {
	stop_server alice "$ONE"
	stopped_and_seen "a stop by alice is on the screen within a poll" alice k8s-worker-1 "$ONE"
	see "the screen says that alice stopped it" alice 8 'k8s-worker-1 .*SHUTOFF +alice'
	"$HERE/lab.sh" guest off "$TWO"
	stopped_and_seen "a guest that shut itself down is on the screen within a poll" alice k8s-worker-2 "$TWO"
	see "the screen says that nova itself stopped it" alice 8 'k8s-worker-2 .*SHUTOFF +nova itself'
	note "the line of the cause: $(screen alice | sed -n 2p | xargs -0 | head -1)"
}

bulk_start() {
	local before=$(($(starts_of "$ONE") + $(starts_of "$TWO")))
	press alice :servers g Space Space
	see "two rows are marked" alice 3 '2 marked'
	press alice m
	see "the menu offers a start of both" alice 3 'Actions on 2 marked'
	press alice s
	see "the dialog shows the command" alice 3 'openstack --os-cloud lab-alice server start'
	expect "nothing is started before the yes" $before $(($(starts_of "$ONE") + $(starts_of "$TWO")))
	press alice y
	until_true 40 is "$ONE" ACTIVE && until_true 40 is "$TWO" ACTIVE
	expect "nova has worker 1 running" ACTIVE "$(status_of "$ONE")"
	expect "nova has worker 2 running" ACTIVE "$(status_of "$TWO")"
	expect "nova was asked twice and no more" $((before + 2)) $(($(starts_of "$ONE") + $(starts_of "$TWO")))
	see "the screen shows worker 1 running" alice 12 'k8s-worker-1 +ACTIVE'
	see "the screen shows worker 2 running" alice 12 'k8s-worker-2 +ACTIVE'
	local phases
	until_true 15 test "$(jq -r .phase "$AUDIT" | grep -c seen)" = 2
	phases=$(jq -r .phase "$AUDIT" | sort | uniq -c | xargs)
	expect "the audit log has begin, end and seen of both" "2 begin 2 end 2 seen" "$phases"
	expect "the audit log is its owner's alone" 600 "$(stat -c %a "$AUDIT")"
}

single_start() {
	stop_server alice "$ONE"
	stopped_and_seen "a second stop is on the screen within a poll" alice k8s-worker-1 "$ONE"
	press alice :servers
	in_tmux send-keys -t =alice: / \; send-keys -t =alice: -l worker-1 \; send-keys -t =alice: Enter
	press alice m s
	see "the dialog says who stopped it" alice 3 'stopped by user alice'
	in_tmux send-keys -t =alice: y
	see "the row says that the start is waited for" alice 5 'k8s-worker-1 +start'
	see "the row says ACTIVE once it is" alice 20 'k8s-worker-1 +ACTIVE'
	expect "nova has it running" ACTIVE "$(status_of "$ONE")"
	press alice Escape Escape
}

watch_does_nothing() {
	stop_server alice "$ONE"
	until_true 30 is "$ONE" SHUTOFF
	local before
	before=$(starts_of "$ONE")
	screen_open watch "$STRATA" watch --no-host --cloud lab-alice
	see "watch says READ-ONLY" watch 5 'READ-ONLY'
	see "watch shows the stopped server" watch 8 'k8s-worker-1 .*SHUTOFF'
	press watch :servers g m
	see "watch says why it does nothing" watch 3 'read-only: started with .strata watch.'
	press watch s y Enter y
	until_true 3 false
	expect "nova was not asked for a start" "$before" "$(starts_of "$ONE")"
	expect "the server is still off" SHUTOFF "$(status_of "$ONE")"
	screen_close watch
}

nova_api_hangs() {
	local leader
	leader=$("$HERE/lab.sh" pid nova-api)
	press alice :servers
	kill -STOP -- "-$leader"
	see "nova-api hangs: the screen says so" alice 25 'failing for|\d+s old'
	note "the pane says: $(screen alice | grep -Po '[^─]*(failing|old)[^─]*(?=─)' | head -1 | xargs)"
	see "nova-api hangs: the last known servers stay" alice 1 'k8s-worker-2 +ACTIVE'
	until_true 10 false
	kill -CONT -- "-$leader"
	see_not "nova-api answers again: the screen recovers" alice 25 'failing for|\d+s old'
}

nova_api_restarts() {
	"$HERE/lab.sh" halt nova-api
	see "nova-api is down: the screen says so" alice 12 'failing for'
	press alice :sources
	see "nova-api is down: the sources say what failed" alice 5 'servers +failing'
	press alice :servers
	"$HERE/lab.sh" run nova-api
	until_true 60 is "$ONE" SHUTOFF
	see_not "nova-api is back: the screen recovers" alice 30 'failing for|\d+s old'
	start_server alice "$ONE"
	until_true 30 is "$ONE" ACTIVE
	see "nova-api is back: a change is seen" alice 7 'k8s-worker-1 +ACTIVE'
}

token_dies() {
	local user old code
	old=$(token alice)
	user=$(api admin GET "$KEYSTONE/users?name=alice" | jq -r '.users[0].id')
	api admin PATCH "$KEYSTONE/users/$user" '{"user": {"password": "lab"}}' >/dev/null # revokes every token of hers
	rm "$WORK/token-alice"
	dead() {
		code=$(curl -s -o /dev/null -w '%{http_code}' -H "X-Auth-Token: $old" "$NOVA/servers")
		[ "$code" = 401 ]
	}
	until_true 20 dead
	expect "the tokens of alice are revoked" 401 "$code"
	until_true 2 false # Keystone counts in seconds: a token of the same second would be revoked too
	stop_server alice "$TWO"
	stopped_and_seen "strata logs in again: a stop is on the screen within a poll" alice k8s-worker-2 "$TWO"
	see_not "strata logs in again: nothing is stale" alice 10 'failing for|\d+s old'
}

compute_down() {
	until_true 30 is "$TWO" SHUTOFF
	local before
	before=$(starts_of "$TWO")
	"$HERE/lab.sh" halt nova-compute-1
	compute_is() { api admin GET "$NOVA/os-services?binary=nova-compute" | jq -e --arg s "$1" '.services[0].state == $s' >/dev/null; }
	until_true 40 compute_is down || fail "nova says that nova-compute is down"
	screen_open admin "$STRATA" --no-host --cloud lab-admin
	see "admin sees the stopped server" admin 8 'k8s-worker-2 .*SHUTOFF'
	press admin :services
	see "admin sees that nova-compute is down" admin 10 'nova-compute@lab-cmp-1 +down'
	press admin :servers
	in_tmux send-keys -t =admin: / \; send-keys -t =admin: -l worker-2 \; send-keys -t =admin: Enter
	press admin m
	see "the menu says why it cannot be started" admin 3 'nova-compute on lab-cmp-1 is down'
	press admin s y Enter
	until_true 3 false
	expect "nova was not asked for a start" "$before" "$(starts_of "$TWO")"
	"$HERE/lab.sh" run nova-compute-1
	until_true 60 compute_is up
	press admin Escape :services C-r
	see "nova-compute is back: the screen says so" admin 10 'nova-compute@lab-cmp-1 +up'
	screen_close admin
}

# ---- all of it -----------------------------------------------------------------------------------------------------

"$HERE/lab.sh" install && "$HERE/lab.sh" start && "$HERE/lab.sh" seed || exit 1
build_strata || exit 1
private_environment
export OS_CLIENT_CONFIG_FILE=$LAB_DIR/clouds.yaml
sed 's/password: lab/password: wrong/' "$LAB_DIR/clouds.yaml" >"$WORK/wrong.yaml"
ONE=$(id_of k8s-worker-1) TWO=$(id_of k8s-worker-2)
both_active

snapshots
doctors
screen_open alice "$STRATA" --no-host --cloud lab-alice
see "the cockpit shows both workers" alice 8 '(?s)k8s-worker-1 +ACTIVE'
note "the first line: $(row alice 'strata ')"
stops_are_seen
bulk_start
single_start
watch_does_nothing
nova_api_hangs
nova_api_restarts
token_dies
compute_down
verdict
