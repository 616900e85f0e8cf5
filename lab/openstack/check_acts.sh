# shellcheck shell=bash disable=SC2154,SC2153,SC2016,SC2317 # sourced by check.sh, which sets what is not set here
# Parts of check.sh: everything strata does to Nova, as admin, as member (alice) and as reader (viewer).

# act_as USER ACTION TARGET [NAME=VALUE...]: does it; SAID is what it said, CODE how it ended.
act_as() {
	local user=$1
	shift
	SAID=$("$STRATA" act "$@" --yes --typed "$TYPED" -o json --no-host --cloud "lab-$user" 2>>"$WORK/act.err")
	CODE=$?
}
TYPED='' SAID='' CODE=0

says() { jq -r '[.outcome, .says] | map(select(.)) | join(": ")' <<<"$SAID"; }

# seen NAME: the last act was seen to work.
seen() { expect "$1" "0 seen" "$CODE $(jq -r .outcome <<<"$SAID")"; }

# forbidden NAME ROLE: Nova forbade the last act, and strata says who needs what.
forbidden() {
	expect "$1: exit code" 1 "$CODE"
	contains "$1: in words" "HTTP 403: Policy doesn't allow os_compute_api:\\S+ to be performed: user \\S+ has the role .* needs $2; an admin grants it: openstack role add " "$(says)"
}

# refused NAME REGEX: the last act was refused before anything was sent.
refused() {
	expect "$1: exit code" 3 "$CODE"
	contains "$1: says why" "$2" "$(jq -r '.refused // [] | join("; ")' <<<"$SAID")"
}

# undo_last USER: takes back what was done last.
undo_last() {
	local user=$1
	act_as "$user" undo "$(jq -r 'select(.phase == "begin") | .id' "$AUDIT" | tail -1)"
}

field() { api admin GET "$NOVA/servers/$1" | jq -r ".server$2"; }
flavor_spec() { # KEY
	api admin GET "$NOVA/flavors/detail" | jq -r --arg k "$1" '.flavors[] | select(.name == "k8s.worker").extra_specs[$k]'
}

acts_as_admin() {
	local from key=quota:disk_write_bytes_sec
	both_active
	act_as admin server-stop k8s-worker-1
	seen "admin stops"
	undo_last admin
	seen "admin undoes the stop"
	act_as admin server-reboot k8s-worker-1 kind=soft
	seen "admin reboots (soft)"
	act_as admin server-reboot k8s-worker-1 kind=hard
	seen "admin reboots (hard)"
	act_as admin server-lock k8s-worker-1 'reason=disk being replaced; $(touch /tmp/no)'
	seen "admin locks"
	expect "nova has the reason, letter by letter" 'disk being replaced; $(touch /tmp/no)' "$(field "$ONE" .locked_reason)"
	act_as admin server-stop k8s-worker-1
	refused "a stop of a locked server is refused" 'locked by admin \(disk being replaced'
	act_as admin server-unlock k8s-worker-1
	seen "admin unlocks"
	undo_last admin
	seen "the undo of the unlock locks"
	expect "with the reason that was there" 'disk being replaced; $(touch /tmp/no)' "$(field "$ONE" .locked_reason)"
	act_as alice server-unlock k8s-worker-1
	forbidden "alice unlocks what the admin locked" admin
	act_as admin server-unlock k8s-worker-1
	seen "admin unlocks again"
	act_as admin server-reset-state k8s-worker-1 state=error
	expect "a reset of the state wants the name typed" 3 "$CODE"
	TYPED=k8s-worker-1
	act_as admin server-reset-state k8s-worker-1 state=error
	seen "admin resets the state"
	expect "nova has it in ERROR" ERROR "$(status_of "$ONE")"
	undo_last admin
	seen "admin undoes the reset"
	TYPED=''
	expect "nova has it ACTIVE" ACTIVE "$(status_of "$ONE")"
	act_as admin server-console k8s-worker-1 lines=2
	seen "admin reads the console"
	expect "the last two lines of it" $'ANOTHER\nLAST LINE' "$(jq -r .output <<<"$SAID")"
	from=$(host_of "$ONE")
	act_as admin server-migrate-live k8s-worker-1
	seen "admin live-migrates"
	note "$from -> $(host_of "$ONE")"
	[ "$(host_of "$ONE")" != "$from" ] || fail "it is on another host"
	undo_last admin
	seen "admin undoes the migration"
	expect "it is where it was" "$from" "$(host_of "$ONE")"
	act_as admin flavor-quota k8s.worker write_bytes_sec=2M read_iops_sec=500
	seen "admin sets disk limits of a flavor"
	expect "nova has the limit" 2000000 "$(flavor_spec $key)"
	contains "the plan names who does not get it" 'not these.*k8s-worker-1, k8s-worker-2' "$(jq -r '.effects | join(";")' <<<"$SAID")"
	expect "a server that was there keeps its flavor" null "$(field "$ONE" ".flavor.extra_specs[\"$key\"]")"
	undo_last admin
	seen "admin undoes the disk limits"
	expect "nova has no limit" null "$(flavor_spec $key)"
}

acts_as_member() {
	both_active
	act_as alice server-stop k8s-worker-2
	seen "alice stops"
	act_as alice server-start k8s-worker-2
	seen "alice starts"
	act_as alice server-reboot k8s-worker-2
	seen "alice reboots (soft)"
	act_as alice server-reboot k8s-worker-2 kind=hard
	seen "alice reboots (hard)"
	act_as alice server-lock k8s-worker-2
	seen "alice locks"
	act_as alice server-unlock k8s-worker-2
	seen "alice unlocks"
	act_as alice server-console k8s-worker-2
	seen "alice reads the console"
	TYPED=k8s-worker-2
	act_as alice server-reset-state k8s-worker-2 state=error
	forbidden "alice resets the state" admin
	act_as alice server-evacuate k8s-worker-2
	refused "alice evacuates" 'the role admin is needed'
	TYPED=''
	act_as alice server-migrate-live k8s-worker-2
	forbidden "alice live-migrates" admin
	act_as alice flavor-quota k8s.worker write_bytes_sec=2M
	forbidden "alice sets disk limits of a flavor" admin
	expect "nothing of that happened" "ACTIVE null" "$(status_of "$TWO") $(flavor_spec quota:disk_write_bytes_sec)"
}

acts_as_reader() {
	local before
	both_active
	before=$(api admin GET "$NOVA/servers/$TWO/os-instance-actions" | jq '.instanceActions | length')
	act_as viewer server-stop k8s-worker-2
	forbidden "viewer stops" member
	act_as viewer server-reboot k8s-worker-2 kind=hard
	forbidden "viewer reboots" member
	act_as viewer server-lock k8s-worker-2
	forbidden "viewer locks" member
	act_as viewer server-console k8s-worker-2
	forbidden "viewer reads the console" member
	act_as viewer server-migrate-live k8s-worker-2
	forbidden "viewer live-migrates" admin
	act_as viewer flavor-quota k8s.worker write_bytes_sec=2M
	forbidden "viewer sets disk limits of a flavor" admin
	TYPED=k8s-worker-2
	act_as viewer server-reset-state k8s-worker-2 state=error
	forbidden "viewer resets the state" admin
	act_as viewer server-evacuate k8s-worker-2
	refused "viewer evacuates" 'the role admin is needed'
	TYPED=''
	expect "nova's list has nothing of the viewer" "$before" "$(api admin GET "$NOVA/servers/$TWO/os-instance-actions" | jq '.instanceActions | length')"
	stop_server alice "$TWO"
	until_true 30 is "$TWO" SHUTOFF
	act_as viewer server-start k8s-worker-2
	forbidden "viewer starts" member
	api alice POST "$NOVA/servers/$TWO/action" '{"lock": null}'
	act_as viewer server-unlock k8s-worker-2
	forbidden "viewer unlocks" member
	api alice POST "$NOVA/servers/$TWO/action" '{"unlock": null}'
}

acts_refused() {
	both_active
	act_as admin server-start k8s-worker-1
	refused "a start of a running server" 'ACTIVE already'
	act_as admin server-unlock k8s-worker-1
	refused "an unlock of an open server" 'not locked'
	act_as admin server-migrate-live k8s-worker-1 "host=$(host_of "$ONE")"
	refused "a migration to where it is" 'already'
	TYPED=k8s-worker-1
	act_as admin server-evacuate k8s-worker-1
	refused "an evacuation from a host that is up" 'nova-compute on lab-cmp-. is up'
	TYPED=''
	act_as alice server-stop k8s-worker-1
	act_as alice server-stop k8s-worker-1
	refused "a stop of a stopped server" 'off already; .*vm_state is stopped'
	act_as alice server-reboot k8s-worker-1 kind=soft
	refused "a soft reboot of a stopped server" 'only active servers; vm_state is stopped'
}

# stop_behind_a_start: somebody stops the server the moment Nova has started it. strata either saw it running in between,
# or says what happened; it does not wait in vain.
stop_behind_a_start() {
	stop_server alice "$ONE" >/dev/null
	until_true 30 is "$ONE" SHUTOFF
	(
		stopped() { api admin POST "$NOVA/servers/$ONE/action" '{"os-stop": null}' | grep -q . && return 1 || return 0; }
		before=$(starts_of "$ONE")
		until [ "$(starts_of "$ONE")" -gt "$before" ]; do sleep 0.05; done
		until_true 30 stopped
	) &
	local other=$! from
	from=$(now_ms)
	act_as alice server-start k8s-worker-1
	note "after $(($(now_ms) - from)) ms: $(says)"
	wait $other
	until_true 30 is "$ONE" SHUTOFF
	contains "a stop behind a start: the outcome is what happened" '^0 seen: ACTIVE$|^1 failed: .*after that a stop by' "$CODE $(says)"
}

bulk_stop() {
	: >"$AUDIT"
	press alice :servers / C-u Enter g Space Space m t
	see "the dialog stops both" alice 3 'stop server: 2 of 2'
	press alice y
	see "the screen shows worker 1 off" alice 25 'k8s-worker-1 +SHUTOFF +.*alice'
	see "the screen shows worker 2 off" alice 25 'k8s-worker-2 +SHUTOFF +.*alice'
	until_true 15 test "$(jq -r .phase "$AUDIT" | grep -c seen)" = 2
	local apart
	apart=$(python3 - "$AUDIT" <<-'P'
		import datetime, json, sys
		at = [datetime.datetime.strptime(d["at"][:26].rstrip("Z"), "%Y-%m-%dT%H:%M:%S.%f")
		      for d in map(json.loads, open(sys.argv[1])) if d["phase"] == "begin"]
		print(int((at[1] - at[0]).total_seconds() * 1000))
	P
	)
	# The pace is kept from request to request; the log has the times a moment before.
	if [ "${apart:-0}" -ge 950 ]; then pass "the second began a second after the first" "$apart ms"; else fail "the second began a second after the first" "$apart ms"; fi
	both_active
	see "worker 1 runs again" alice 12 'k8s-worker-1 +ACTIVE'
	see "worker 2 runs again" alice 12 'k8s-worker-2 +ACTIVE'
}

evacuation() {
	both_active
	local host other id
	host=$(host_of "$ONE")
	"$HERE/lab.sh" halt "nova-compute-${host##*-}"
	id=$(service_of "$host" id)
	api admin PUT "$NOVA/os-services/$id" '{"forced_down": true}' >/dev/null
	until_true 40 compute_is "$host" down || fail "nova says that nova-compute is down"
	act_as admin server-reboot k8s-worker-1 kind=hard
	refused "a reboot while nova-compute is down" 'would accept the reboot and leave it in rebooting_hard'
	TYPED=k8s-worker-1
	act_as admin server-evacuate k8s-worker-1
	TYPED=''
	seen "admin evacuates"
	contains "the plan says that the old host must be off" 'must really be off' "$(jq -r '.effects | join(";")' <<<"$SAID")"
	other=$(host_of "$ONE")
	note "$host -> $other: $(says)"
	expect "nova has it running" ACTIVE "$(status_of "$ONE")"
	[ "$other" != "$host" ] || fail "it is on another host"
	"$HERE/lab.sh" run "nova-compute-${host##*-}"
	# Nova refuses until the old host has deleted what was evacuated from it.
	no_longer_forced() { api admin PUT "$NOVA/os-services/$id" '{"forced_down": false}' | jq -e '.service.forced_down == false' >/dev/null; }
	until_true 60 no_longer_forced || fail "nova takes the mark off the old host"
	until_true 60 compute_is "$host" up || fail "nova says that nova-compute is back"
	act_as admin server-migrate-live k8s-worker-1 "host=$host"
	seen "admin live-migrates it back to the host that is up again"
}

# figures prints, of what was seen: from the begin on record to the answer, and from there to seen, in ms.
figures() {
	note "action: request answered, then seen, in ms; the middle of so many"
	python3 - "$AUDIT" <<-'P'
		import collections, datetime, json, statistics, sys
		when = lambda d: datetime.datetime.strptime(d["at"].rstrip("Z").ljust(20, ".")[:26].ljust(26, "0"), "%Y-%m-%dT%H:%M:%S.%f")
		deeds, found = collections.defaultdict(dict), collections.defaultdict(list)
		for d in map(json.loads, open(sys.argv[1])):
		    deeds[d["id"]][d["phase"]] = d
		for d in deeds.values():
		    if "begin" in d and "seen" in d:
		        begin, seen = when(d["begin"]), when(d["seen"])
		        end = when(d["end"]) if "end" in d else seen
		        found[d["begin"]["action"]].append(((end - begin).total_seconds() * 1000, (seen - end).total_seconds() * 1000))
		for name, all in sorted(found.items()):
		    print("      %-22s %5d %6d  of %d" % (name, statistics.median(a for a, _ in all), statistics.median(b for _, b in all), len(all)))
	P
}
