# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# Swap off and on, with progress, refused, aborted, now and at boot. To be sourced by check.sh.

area() { objects swaps "select(.name == \"$SWAP\") | $1"; } # FILTER: what strata sees of the area
half_is_used() { on lab swap fill 500 >/dev/null; }
fstab() { on md5sum /etc/fstab | cut -d' ' -f1; }
gone() { [ "$(swapped $SWAP)" = off ]; }

# progress prints the shares that strata told on standard error, in per cent.
progress() { grep -oP 'begin \K\d+(?= %)' "$WORK/progress"; }

swap_is_seen() {
	on lab swap on >/dev/null
	half_is_used
	local used
	used=$(swapped $SWAP)
	expect "swaps: the area is on, a partition" 'true partition' "$(area '[.active, .type] | join(" ")' | jq -r .)"
	local told
	told=$(($(area .usedBytes) / 1048576))
	if [ $((told - used / 1024)) -ge -30 ] && [ $((told - used / 1024)) -le 30 ]; then
		pass "swaps: so much is used" "$told MiB"
	else
		fail "swaps: so much is used" "$told MiB, the kernel says $((used / 1024))"
	fi
	contains "swaps: its line of fstab" 'LABEL=labswap' "$(area .fstab)"
	expect "swaps: one area, though systemd has a unit for each name of it" 1 "$(objects swaps .name | wc -l)"
}

# swapoff of about 500 MB, with progress.
swap_goes_off() {
	local used from took shares
	used=$(swapped $SWAP)
	note "the plan: $(on strata act swap-off $SWAP | tr '\n' '|')"
	from=$(now_ms)
	on strata act swap-off $SWAP --yes 2>"$WORK/progress" >"$WORK/out"
	expect "swap-off of $((used / 1024)) MiB: exit code" 0 $?
	took=$(($(now_ms) - from))
	note "it took $took ms: $((used * 1000 / 1024 / took)) MiB/s"
	shares=$(progress)
	if [ "$(wc -w <<<"$shares")" -ge 3 ] && [ "$(sort -n <<<"$shares")" = "$shares" ]; then
		pass "its progress is told, and grows" "$(tr '\n' ' ' <<<"$shares")%"
	else
		fail "its progress is told, and grows" "$(cat "$WORK/progress")"
	fi
	expect "the kernel has it off" off "$(swapped $SWAP)"
	expect "strata sees it off" false "$(area .active)"
	contains "though fstab has it on at the next boot" 'LABEL=labswap' "$(area .fstab)"
	done_to swap-on $SWAP
	expect "the kernel has it on again" 0 "$(swapped $SWAP)"
}

# Refused when memory is short; with the host's name typed it is done all the same.
swap_needs_memory() {
	half_is_used
	note "$(on lab ram hold 950 | xargs) when 950 MiB are held"
	refused "swap-off is refused when memory is short, with the figures" '\d+ MiB in swap.* \d+ MiB available' swap-off $SWAP
	expect "and nothing is done" true "$(area .active)"
	act swap-off $SWAP override=yes
	expect "to do it all the same, the host's name must be typed" $HOST "$(jq -r .ask <<<"$REPORT")"
	contains "and the figures stand against it" 'safety gate: .*MiB' "$(jq -r '.against | join("; ")' <<<"$REPORT")"
	act swap-off $SWAP override=yes --yes --typed another
	expect "another name does not do: exit code, area" "3 true" "$CODE $(area .active)"
	done_to swap-off $SWAP override=yes --typed $HOST
	expect "the kernel has it off" off "$(swapped $SWAP)"
	on lab ram free >/dev/null
	done_to undo "$(undo_id swap-off)"
	expect "undo turns it on again" 0 "$(swapped $SWAP)"
}

# An abort in the middle: what strata says of what is left, against what is left.
swap_off_is_aborted() {
	half_is_used
	local used code left pid from at
	used=$(swapped $SWAP)
	shell "echo \$\$ >/run/strata.pid; exec strata act swap-off $SWAP --yes 2>&1" >"$WORK/progress" &
	pid=$!
	until_true 60 grep -qP 'begin [1-9]\d* %' "$WORK/progress" || fail "it has begun" "$(cat "$WORK/progress")"
	at=$(progress | tail -1)
	from=$(now_ms)
	shell 'kill -INT $(cat /run/strata.pid)'
	wait $pid
	code=$?
	left=$(swapped $SWAP)
	note "aborted at $at %; strata ended $(($(now_ms) - from)) ms later and says: $(tail -1 "$WORK/progress")"
	expect "an aborted swap-off: exit code" 5 $code
	if [ "$left" != off ] && [ "$left" -lt "$used" ]; then
		pass "the area stays on with what is left" "$((used / 1024)) MiB, then $((left / 1024)) MiB"
	else
		fail "the area stays on with what is left" "$left of $used KiB"
	fi
	contains "strata says that it is on still" 'still on|on, ' "$(tail -1 "$WORK/progress")"
	contains "and how much is left" "$((left / 1024))|$((left / 1024 + 1))" "$(tail -1 "$WORK/progress")"
	contains "the audit log has it as aborted" aborted "$(on tail -1 /root/.local/state/strata/audit.jsonl)"
	expect "no swapoff runs on" "" "$(on pgrep -x swapoff)"
}

# Two areas of the same priority, both in use.
all_swap_goes_off() {
	local second=/var/lib/lab-swap used also shares from
	shell "lab swap off; lab swap on; lab swap second" >/dev/null
	half_is_used
	used=$(swapped $SWAP) also=$(swapped $second)
	if [ "$used" -gt 10240 ] && [ "$also" -gt 10240 ]; then
		pass "two areas are in use" "$((used / 1024)) and $((also / 1024)) MiB"
	else
		fail "two areas are in use" "$used and $also KiB"
	fi
	expect "swaps: both are seen" "$SWAP true $second true" "$(objects swaps '"\(.name) \(.active)"' | jq -r . | LC_ALL=C sort | xargs)"
	from=$(now_ms)
	on strata act host-swap-off $HOST --yes 2>"$WORK/progress" >"$WORK/out"
	expect "host-swap-off of $(((used + also) / 1024)) MiB: exit code" 0 $?
	note "it took $(($(now_ms) - from)) ms; $(grep -m1 ^command "$WORK/out")"
	shares=$(progress)
	if [ "$(wc -w <<<"$shares")" -ge 3 ] && [ "$(sort -n <<<"$shares")" = "$shares" ]; then
		pass "its progress is one over both, and grows" "$(tr '\n' ' ' <<<"$shares")%"
	else
		fail "its progress is one over both, and grows" "$(cat "$WORK/progress")"
	fi
	expect "the kernel has both off" "off off" "$(swapped $SWAP) $(swapped $second)"
	done_to undo "$(undo_id host-swap-off)"
	expect "undo turns both on, as they were" "$SWAP 10 $second 10" "$(on awk 'NR > 1 {print $1, $5}' /proc/swaps | LC_ALL=C sort | xargs)"
	shell "swapoff $second; rm -f $second"
}

fstab_is_changed_and_undone() {
	local before
	before=$(fstab)
	on systemctl stop lab-hog
	done_to swap-off $SWAP boot=now+boot
	expect "the kernel has it off" off "$(swapped $SWAP)"
	note "fstab: $(on cat /etc/fstab | tr '\n' '|')"
	expect "no line of fstab turns it on" "" "$(shell "grep -v '^ *#' /etc/fstab | grep labswap")"
	shell "systemctl daemon-reload; systemctl restart swap.target"
	expect "what starts swap at boot leaves it off" off "$(swapped $SWAP)"
	note "beside it: $(shell 'ls /etc/fstab*' | tr '\n' ' ')"
	done_to undo "$(undo_id swap-off)"
	expect "undo brings fstab back byte for byte" "$before" "$(fstab)"
	expect "and the swap with it" 0 "$(swapped $SWAP)"
}

swappiness_is_set() {
	local before
	before=$(on cat /proc/sys/vm/swappiness)
	done_to swappiness $HOST value=10
	expect "the kernel has it" 10 "$(on cat /proc/sys/vm/swappiness)"
	done_to undo "$(undo_id swappiness)"
	expect "undo brings the value before back" "$before" "$(on cat /proc/sys/vm/swappiness)"
}

guest_is_kept_from_swapping() {
	local unit
	unit=$(unit_of_guest)
	done_to unit-noswap "$unit"
	expect "the kernel has it" 0 "$(on cat "$(group_of_guest)/memory.swap.max")"
	done_to undo "$(undo_id unit-noswap)"
	expect "undo takes it away" max "$(on cat "$(group_of_guest)/memory.swap.max")"
}
