# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# What a user without rights is told, and that what doctor prints is enough. To be sourced by check.sh.

act_as_op() { # ARGUMENT...
	REPORT=$(as_op strata act "$@" -o json 2>"$WORK/stderr")
	CODE=$?
	[ -n "$REPORT" ] || REPORT=$(jq -n --rawfile says "$WORK/stderr" '{says: $says}')
}

# lacks NAME REGEX ARGUMENT...: op must be told what is missing, by the plan or by what came of it.
lacks() {
	local name=$1 regex=$2
	shift 2
	act_as_op "$@" --yes
	local said
	said=$(jq -r '[.refused[]?, .against[]?, .says] | map(select(. != null and . != "")) | join("; ")' <<<"$REPORT")
	if [ $CODE != 0 ] && grep -Piq -- "$regex" <<<"$said"; then
		pass "$name" "$(head -c 400 <<<"$said")"
	else
		fail "$name" "exit code $CODE, no /$regex/ in: $said"
	fi
}

rights_are_named() {
	local unit
	unit=$(unit_of_guest)
	lacks "without rights: unit-limit says what it lacks" 'polkit|sudo|root' unit-limit "$unit" device=$DISK write=2M
	lacks "without rights: unit-noswap says what it lacks" 'polkit|sudo|root' unit-noswap "$unit"
	lacks "without rights: swap-off says what it lacks" 'CAP_SYS_ADMIN|sudo|root' swap-off $SWAP
	lacks "without rights: swappiness says what it lacks" 'sudo|root' swappiness $HOST value=10
	lacks "without rights: domain-shutdown says what it lacks" 'group libvirt|polkit|sudo|root|no domain' domain-shutdown $GUEST
	expect "and nothing was done" " running" "$(limits_of_guest) $(state_of_guest)"
}

rule_is_enough() {
	local unit rule
	unit=$(unit_of_guest)
	as_op strata doctor >"$WORK/doctor" 2>&1
	note "doctor of op:"
	sed 's/^/      | /' "$WORK/doctor"
	rule=$(grep -oP 'polkit\.addRule\(.*\}\);' "$WORK/doctor" | head -1)
	if [ -z "$rule" ]; then
		fail "doctor prints a rule for polkit" "$(grep -i polkit "$WORK/doctor")"
		return
	fi
	pass "doctor prints a rule for polkit" "$rule"
	echo "$rule" >"$WORK/rule"
	"$HERE/lab.sh" put "$WORK/rule" /etc/polkit-1/rules.d/50-strata.rules
	shell 'chmod 644 /etc/polkit-1/rules.d/50-strata.rules; systemctl restart polkit'
	act_as_op unit-limit "$unit" device=$DISK write=2M --yes
	expect "with it op may limit the guest" 0 $CODE
	contains "the kernel has the limit" 'wbps=2000000' "$(limits_of_guest)"
	as_op systemctl stop --no-ask-password "$unit" 2>/dev/null
	expect "with it op still may not stop the guest" running "$(state_of_guest)"
	act_as_op unit-unlimit "$unit" --yes
	expect "and clear the limit" "0 ''" "$CODE '$(limits_of_guest)'"
	on rm -f /etc/polkit-1/rules.d/50-strata.rules
}
