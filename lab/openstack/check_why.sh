# shellcheck shell=bash
# Why a server is off: by a person, by its guest, by its hypervisor; and what strata names as the cause, within ten seconds
# of when Nova has the data. To be sourced by check.sh.

VERDICT_WITHIN=10

# told NAME REGEX: the findings on the screen say so in time.
told() { see "$1" why $VERDICT_WITHIN "$2"; }

# why_of SERVER FILTER: of the causes that strata why names.
why_of() { "$STRATA" why --no-host --cloud lab-admin -o json "server/$1" 2>/dev/null | jq -r "[.causes[] | $2] | join(\"; \")"; }

why_names() { why_of "$1" .rule | grep -qw -- "$2"; } # SERVER RULE

stopped_by_a_person() {
	stop_server alice "$ONE"
	until_true 30 is "$ONE" SHUTOFF
	told "stopped by a person: named within 10 s" 'k8s-worker-1 is off: stopped by user alice'
	contains "and strata why names it" 'NOVA-20' "$(why_of k8s-worker-1 .rule)"
	contains "with the person's id as evidence" 'user_id=[0-9a-f]{32} project_id=' "$(why_of k8s-worker-1 '.because[].says')"
	start_server alice "$ONE"
	until_true 30 is "$ONE" ACTIVE
	see_not "it runs again: nothing is said any more" why $VERDICT_WITHIN 'k8s-worker-1 is off'
}

guest_goes_off() { # WHAT SECONDS: off is an event, a crash is found by nova's periodic look
	"$HERE/lab.sh" guest "$1" "$TWO"
	until_true "$2" is "$TWO" SHUTOFF
	told "guest: $1: named within 10 s" 'k8s-worker-2 (is off: stopped by nova itself|was stopped by nova \d+ times)'
	contains "guest: $1: nobody asked for it" 'user_id=null project_id=null' "$(why_of k8s-worker-2 '.because[].says')"
}

guest_flaps() {
	contains "what is not seen is said" 'virsh domstate --reason' "$("$STRATA" snapshot --no-host --cloud lab-admin --findings -o json |
		jq -r '.findings[] | select(.rule == "NOVA-01") | .missing[]?')"
	start_server alice "$TWO"
	until_true 30 is "$TWO" ACTIVE
	guest_goes_off crash 60
	told "twice in an hour: named as flapping" 'k8s-worker-2 was stopped by nova \d+ times in 1 h'
	start_server alice "$TWO"
	until_true 30 is "$TWO" ACTIVE
}

hypervisor_reboots() {
	local host
	host=$(host_of "$ONE")
	"$HERE/lab.sh" reboot "${host##*-}"
	until_true 90 is "$ONE" SHUTOFF
	until_true 60 compute_is "$host" up # Nova tells the uptime of no machine that does not check in
	told "hypervisor rebooted: named within 10 s as the cause" "$host rebooted .* nova left .*k8s-worker-1.* off"
	until_true 30 why_names k8s-worker-1 X-01 # the service may seem silent once more until its second sign of life
	contains "and strata why names it for the server" 'X-01' "$(why_of k8s-worker-1 .rule)"
	press why :servers
	note "the first lines: $(screen why | sed -n 2p | tr -s ' ')"
	press why :findings
	start_server alice "$ONE"
	until_true 60 is "$ONE" ACTIVE
}

compute_is_silent() {
	local host
	host=$(host_of "$ONE")
	"$HERE/lab.sh" halt "nova-compute-${host##*-}"
	until_true 60 compute_is "$host" down
	told "nova-compute silent: named within 10 s" "nova-compute on $host"
	contains "and what it hides" 'NOVA-05' "$(why_of k8s-worker-1 '.rule')"
	"$HERE/lab.sh" run "nova-compute-${host##*-}"
	until_true 60 compute_is "$host" up
	see_not "it is back: nothing is said any more" why 40 "nova-compute on $host"
}

verdicts() {
	both_active
	screen_open why "$STRATA" --no-host --cloud lab-admin
	see "admin sees both" why 10 'k8s-worker-2 +ACTIVE'
	press why :findings
	stopped_by_a_person
	guest_goes_off off 30
	guest_flaps
	hypervisor_reboots
	compute_is_silent
	screen_close why
}
