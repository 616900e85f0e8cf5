# shellcheck shell=bash disable=SC2154,SC2317 # sourced by check.sh, which sets what is not set here
# Parts of check.sh: what strata shows of a Nova that changes, fails and comes back.

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
	see "the screen says that alice stopped it" alice 8 'k8s-worker-1 .*SHUTOFF +.*alice'
	"$HERE/lab.sh" guest off "$TWO"
	stopped_and_seen "a guest that shut itself down is on the screen within a poll" alice k8s-worker-2 "$TWO"
	see "the screen says that nova itself stopped it" alice 8 'k8s-worker-2 .*SHUTOFF +.*(nova itself|stopped by nova|off again)'
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
	see "the dialog says who stopped it" alice 3 'stopped by alice'
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
	local before host
	before=$(starts_of "$TWO")
	host=$(host_of "$TWO")
	"$HERE/lab.sh" halt "nova-compute-${host##*-}"
	until_true 40 compute_is "$host" down || fail "nova says that nova-compute is down"
	screen_open admin "$STRATA" --no-host --cloud lab-admin
	see "admin sees the stopped server" admin 8 'k8s-worker-2 .*SHUTOFF'
	press admin :services
	see "admin sees that nova-compute is down" admin 10 "nova-compute@$host +down"
	press admin :servers
	in_tmux send-keys -t =admin: / \; send-keys -t =admin: -l worker-2 \; send-keys -t =admin: Enter
	press admin m
	see "the menu says why it cannot be started" admin 3 "nova-compute on $host is down"
	press admin s y Enter
	until_true 3 false
	expect "nova was not asked for a start" "$before" "$(starts_of "$TWO")"
	"$HERE/lab.sh" run "nova-compute-${host##*-}"
	until_true 60 compute_is "$host" up
	press admin Escape :services C-r
	see "nova-compute is back: the screen says so" admin 10 "nova-compute@$host +up"
	screen_close admin
}
