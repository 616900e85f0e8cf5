# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# Limits on the disk I/O of a guest: seen, set, measured, lost, cleared. To be sourced by check.sh.

# unit_line prints what strata sees of the guest's scope: its name, and its limit.
unit_line() {
	objects units "select(.domain == \"$GUEST\") | .name + \" \" + (.io[]? | select(.disk == \"$DISK\") | .limit.writeBytesPerSec // \"none\" | tostring)" |
		jq -r .
}

# told_rate: bytes a second that the guest writes, as a plan of strata tells them.
told_rate() {
	act unit-limit "$(unit_of_guest)" device=$DISK write=2M
	jq -r .now <<<"$REPORT" | grep -oP 'writing \K[\d.]+[KMG]?(?=B/s)' | numfmt --from=si
}

guest_is_seen() {
	local line
	line=$(unit_line)
	expect "units: the guest's scope, by its domain" "$(unit_of_guest)" "$(cut -d' ' -f1 <<<"$line")"
	BEFORE=$(rate)
	note "the guest writes $(mb "$BEFORE")"
	between "strata tells that it writes much, over its own second" 3000000 $((BEFORE * 4)) "$(told_rate)"
	expect "units: it has no limit" none "$(cut -d' ' -f2 <<<"$line")"
	line=$(objects domains "select(.name == \"$GUEST\")")
	expect "domains: it runs" running "$(jq -r .state <<<"$line")"
	expect "domains: its scope" "$(unit_of_guest)" "$(jq -r .run.unit <<<"$line")"
	expect "domains: qemu's process" "$(pid_of_guest)" "$(jq -r .run.pid <<<"$line")"
	expect "domains: the way of its file to the drive" "/mnt/nv/inst.raw on /mnt/nv (ext4) on $DISK" \
		"$(jq -r '.disks[0] | "\(.file) on \(.path.mount) (\(.path.filesystem)) on \(.path.disks | join(","))"' <<<"$line")"
}

limit_holds() {
	local unit number
	unit=$(unit_of_guest) number=$(number_of $DISK)
	act unit-limit "$unit" device=$DISK write=2M
	expect "without --yes nothing is done" "0, " "$CODE, $(limits_of_guest)"
	note "the command: $(jq -r .command <<<"$REPORT")"
	done_to unit-limit "$unit" device=$DISK write=2M
	expect "the kernel has the limit" "$number rbps=max wbps=2000000 riops=max wiops=max" "$(limits_of_guest)"
	LIMITED=$(rate)
	between "and the guest writes 2 MB/s" 1600000 2400000 "$LIMITED"
	expect "units: the limit is seen" 2000000 "$(unit_line | cut -d' ' -f2)"
	done_to unit-unlimit "$unit"
	CLEARED=$(rate)
	between "cleared, it writes as before" $((BEFORE / 3)) $((BEFORE * 3)) "$CLEARED"
}

undo_is_per_device() {
	local unit number other
	unit=$(unit_of_guest) number=$(number_of $DISK) other=$(number_of sda)
	done_to unit-limit "$unit" device=$DISK write=2M
	done_to unit-limit "$unit" device=/dev/sda read=5M riops=100
	done_to undo "$(undo_id unit-limit)"
	expect "undo takes the one device's limit away and leaves the other's" "$number 2000000" \
		"$(limits_of_guest | sed -n 's/ rbps=.*wbps=\([0-9]*\).*/ \1/p')"
	done_to unit-limit "$unit" device=/dev/sda read=5M riops=100
	done_to unit-limit "$unit" device=$DISK write=7M
	done_to undo "$(undo_id unit-limit)"
	done_to unit-unlimit "$unit"
	done_to undo "$(undo_id unit-unlimit)"
	expect "undo of the clearing brings both back" \
		"$(printf '%s\n' "$number rbps=max wbps=2000000 riops=max wiops=max" "$other rbps=5000000 wbps=max riops=100 wiops=max" | sort)" \
		"$(limits_of_guest | sort)"
	done_to unit-unlimit "$unit"
}

# The mistake of the incident: a number that was right on another machine.
mistakes_are_refused() {
	local unit rc
	unit=$(unit_of_guest)
	shell "systemctl set-property --runtime $(printf %q "$unit") 'IOWriteBandwidthMax=/dev/block/253:0 2M'"
	rc=$?
	expect "systemctl alone: 253:0 is accepted, and limits nothing" "0 ''" "$rc '$(limits_of_guest)'"
	note "systemctl show says all the same: $(on systemctl show "$unit" -p IOWriteBandwidthMax)"
	shell "systemctl set-property --runtime $(printf %q "$unit") IOWriteBandwidthMax="
	refused "strata refuses 253:0" '253:0' unit-limit "$unit" device=253:0 write=2M
	refused "strata refuses a device that is not there" 'nvme9n1' unit-limit "$unit" device=/dev/nvme9n1 write=2M
	refused "strata refuses the value 0" '0 limits nothing' unit-limit "$unit" device=$DISK write=0
	refused "strata refuses a negative value" '-5' unit-limit "$unit" device=$DISK write=-5
	refused "strata refuses to keep a limit on a guest's scope" 'cannot be kept' unit-limit "$unit" device=$DISK write=2M for=kept
	refused 'a unit named $(reboot) is just not there' 'no unit' unit-limit '$(reboot)' device=$DISK write=2M
	expect "nothing of that did anything" "" "$(limits_of_guest)"
}

# A cockpit that was there all the time says what was lost.
limit_is_lost() {
	local before after
	cockpit
	before=$(unit_of_guest)
	done_to unit-limit "$before" device=$DISK write=2M
	contains "the plan says that a restart loses it" 'starts again it runs without a limit' "$(jq -r '.effects | join("; ")' <<<"$REPORT")"
	on lab vm stop
	on lab vm start
	after=$(unit_of_guest)
	if [ "$before" = "$after" ]; then fail "the restarted guest has a scope of another name" "$after"; else pass "the restarted guest has a scope of another name" "$after"; fi
	expect "which strata sees, without a limit" "$after none" "$(unit_line)"
	refused "the old scope is not there any more" 'no unit' unit-unlimit "$before"
	between "it writes at full speed again" $((BEFORE / 4)) $((BEFORE * 4)) "$(rate)"
	press c :findings
	see "a cockpit that saw the limit says that it is lost" c 30 "$GUEST on $HOST was started again and lost its I/O limit|lost its I/O limit"
	screen_close c
}

# A number that came from another machine, typed by hand: systemctl takes it and nothing is limited.
limit_without_effect_is_seen() {
	local set="for scope in \$(systemctl list-units --plain --no-legend 'machine-qemu*.scope' | cut -d' ' -f1); do systemctl set-property --runtime \"\$scope\""
	shell "$set 'IOReadBandwidthMax=253:0 50M'; done"
	expect "systemctl takes a limit on 253:0, and the kernel has none" "" "$(limits_of_guest)"
	contains "strata says that it does not hold" "systemd was told to limit $GUEST on $HOST and the kernel does not: rbps=50000000 on 253:0" \
		"$("${RUN[@]}" snapshot --findings -o json | jq -r '.findings[] | select(.rule == "IO-07") | .says')"
	shell "$set IOReadBandwidthMax=; done"
	expect "taken back it is not told any more" "" "$("${RUN[@]}" snapshot --findings -o json | jq -r '.findings[] | select(.rule == "IO-07") | .says')"
}

no_limit() { [ -z "$(limits_of_guest)" ]; }
strata_is_gone() { ! on pgrep -f '[s]trata act' >/dev/null; }

# A limit for a while is cleared by systemd, whether strata is there or not.
limit_expires() {
	local unit
	unit=$(unit_of_guest)
	done_to unit-limit "$unit" device=$DISK write=2M for=30s
	contains "a limit for 30 s is there" 'wbps=2000000' "$(limits_of_guest)"
	until_true 5 strata_is_gone || fail "strata has ended"
	note "systemd's timer: $(shell "systemctl list-timers 'strata*' --no-pager --no-legend")"
	if until_true 90 no_limit; then pass "strata gone, systemd clears it" "$WAITED ms after"; else fail "strata gone, systemd clears it" "$(limits_of_guest)"; fi
	between "and the guest writes at full speed" $((BEFORE / 4)) $((BEFORE * 4)) "$(rate)"
	expect "nothing of it is left in systemd" "" "$(shell "systemctl list-units --all 'strata*' --no-legend --plain")"
}

# The three places where a limit can sit.
limits_of_others_are_seen() {
	shell "virsh -q blkiotune $GUEST --device-write-bytes-sec /dev/$DISK,3000000 && virsh -q blkdeviotune $GUEST vda --write-bytes-sec 4000000 --live"
	expect "units: the limit of virsh blkiotune" 3000000 \
		"$(objects units "select(.domain == \"$GUEST\") | .io[] | select(.disk == \"$DISK\") | .libvirtLimit.writeBytesPerSec")"
	expect "domains: the limit of virsh blkdeviotune" 4000000 \
		"$(objects domains "select(.name == \"$GUEST\") | .disks[0].tune.writeBytesPerSec")"
	act unit-limit "$(unit_of_guest)" device=$DISK write=2M
	contains "the plan of another limit says that libvirt has one" 'libvirt has a limit of its own' "$(jq -r '.against | join("; ")' <<<"$REPORT")"
	shell "virsh -q blkiotune $GUEST --device-write-bytes-sec /dev/$DISK,0; virsh -q blkdeviotune $GUEST vda --write-bytes-sec 0 --live"
}
