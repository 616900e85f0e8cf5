# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# What the kernel there writes, on the screen here: disks that fail, memory that is short, tasks that hang, heat. To be
# sourced by check.sh, after agent.sh.

# finds NAME RULE REGEX: a shown finding of that rule on the right machine says so.
finds() {
	local line
	line=$(findings "select(.rule == \"$2\") | \"\(.about.source): \(.says)\"")
	if grep -Pq -- "^host/$FAR: .*($3)" <<<"$line"; then pass "$1" "$line"; else fail "$1" "no /$3/ in: $line"; fi
}

# on_screen NAME CLASS SUBJECT VERDICT TROUBLE...: the trouble is made there, and the kernel pane here must show it within
# two seconds of the kernel's line, and the pane of findings the verdict (a regex) within ten.
on_screen() {
	local name=$1 class=$2 subject=$3 verdict=$4 at shown='' judged='' from
	shift 4
	from=$(now_ms)
	on lab "$@" >/dev/null 2>&1 &
	if until_true 150 shows f "$FAR +$class +$subject"; then shown=$(now_ms); fi
	press f :findings
	if until_true 20 shows f "$verdict"; then judged=$(now_ms); fi
	note "$name: $(screen f | grep -Po "[^│›]*$verdict[^│]*" | head -1 | tr -s ' ' | cut -c1-160)"
	press f :kernel
	wait $!
	if [ -z "$shown" ]; then
		fail "$name: on the screen" "$(screen f | sed 's/ *$//; /^$/d')"
		return
	fi
	# The first of them since then: the clock there may be off by some.
	at=$(objects kernel "select(.class == \"$class\") | select(.subject // \"\" | test(\"^$subject\")) | .at" | jq -rs --argjson from "$from" '
		[.[] | (sub("(\\.[0-9]+)?Z$"; "Z") | fromdate) * 1000 + ((capture("\\.(?<f>[0-9]+)Z") // {f: "0"}).f + "000" | .[0:3] | tonumber)]
		| map(select(. > $from - 2000)) | min // 0')
	at_most "$name: from the kernel's line to the screen" 2000 $((shown - at))
	if [ -n "$judged" ]; then
		at_most "$name: and to the verdict" 10000 $((judged - at))
	else
		fail "$name: and to the verdict" "no /$verdict/ among: $(findings .says | head -c 600)"
	fi
}

heat_is_seen() {
	if ! on lab temp 101 92 60 >"$WORK/temp" 2>&1; then
		note "the image has no sensor that can be set: $(head -1 "$WORK/temp")"
		return
	fi
	press f :temps
	see "a sensor made hot is on the screen" f 20 "101"
	keep_far temps
	finds "and found" TMP-01 "critical temperature"
	on lab temp 45 44 43 >/dev/null
	see_not "cooled down it is no more" f 20 "101"
}

kernel() {
	# What was written before is forgotten, so that what is seen is new.
	shell 'journalctl --rotate; journalctl --vacuum-time=1s; echo "lab: begins" >/dev/kmsg' >/dev/null 2>&1
	far_begins
	far_cockpit
	press f :dmesg
	see "its kernel log is followed" f 60 ' begins'
	press f :kernel
	# First of all: beside a disk that fails, a hung task is told as its effect.
	on_screen "hung task" hung-task 'dd' "dd\[\d+\] on $FAR hangs in .* KRN-HUNG" hang 40
	note "it hangs in: $(objects kernel 'select(.class == "hung-task") | "\(.subject) in \(.cause)"' | sort -u | xargs)"
	finds "hung task: found, with the frame it waits in" KRN-HUNG "dd\[\d+\] on $FAR hangs in \w+"
	on_screen "NVMe read error" io-error $DISK "$DISK .*error.* KRN-IO" badread nvme
	finds "NVMe read error: found on the drive" KRN-IO "$DISK|LABNVME"
	on_screen "SATA read error" io-error sda "sda .*error.* KRN-IO" badread sata
	on_screen "out of memory" oom python3 "killed python3.* KRN-OOM" oom cgroup
	finds "out of memory: found, with its cause" KRN-OOM "killed python3.*limit of its control group"
	on_screen "filesystem gone read-only" remount-ro '' "$FAR.* KRN-FS" fserror
	finds "filesystem gone read-only: found" KRN-FS "cannot be written any more|found errors"
	keep_far kernel
	heat_is_seen
	far_ends
}
