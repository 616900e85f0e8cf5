# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# Limits on a service: kept over restarts, and on a disk that lies below mapped devices or a partition. To be sourced by
# check.sh.

SERVICE=lab-writer.service

limits_of_service() { shell "cat /sys/fs/cgroup/system.slice/$SERVICE/io.max 2>/dev/null"; }
# What the drop-in says in the end: systemd writes an empty line that takes back what was before, then the limit.
dropins() { shell "cat /etc/systemd/system.control/$SERVICE.d/* 2>/dev/null | grep = | tail -n 1"; }
service_rate() { on lab writer rate 10; }

# A drop-in of systemd holds it, over daemon-reload and over a restart of the service.
limit_of_service_is_kept() {
	local before held
	shell 'lab vm make; lab writer /mnt/nv'
	before=$(service_rate)
	note "the service writes $(mb "$before")"
	done_to unit-limit $SERVICE device=$DISK write=2M for=kept
	held="$(number_of $DISK) rbps=max wbps=2000000 riops=max wiops=max"
	expect "the kernel has the service's limit" "$held" "$(limits_of_service)"
	expect "a drop-in of systemd keeps it" "IOWriteBandwidthMax=/dev/$DISK 2000000" "$(dropins)"
	between "the service writes 2 MB/s" 1600000 2400000 "$(service_rate)"
	on systemctl daemon-reload
	expect "it survives a daemon-reload" "$held" "$(limits_of_service)"
	on systemctl restart $SERVICE
	expect "it survives a restart of the service" "$held" "$(limits_of_service)"
	between "which writes 2 MB/s again" 1600000 2400000 "$(service_rate)"
	done_to undo "$(undo_id unit-limit)"
	expect "undo takes it away" "" "$(limits_of_service)"
	expect "and what systemd keeps of its drop-in limits nothing" "IOWriteBandwidthMax=" "$(dropins)"
	shell "systemctl daemon-reload; systemctl restart $SERVICE"
	expect "and it does not come back with a restart of the service" "" "$(limits_of_service)"
	between "which writes as before" $((before / 3)) $((before * 3)) "$(service_rate)"
	on lab writer off
}

# What the kernel can limit is the whole disk, whatever lies on it.
disk_below_is_limited() { # KIND NAMES...
	local kind=$1 number name before
	shift
	number=$(number_of sda)
	shell "lab volume $kind; lab writer /mnt/volume"
	before=$(service_rate)
	note "on $kind the service writes $(mb "$before")"
	for name in "$@"; do
		done_to unit-limit $SERVICE device=$name write=1M
		contains "the plan says that the disk below is meant" "is (a partition of|on) sda; the kernel limits whole disks only" "$(jq -r '.effects | join("; ")' <<<"$REPORT")"
		expect "the kernel limits the disk below $name" "$number rbps=max wbps=1000000 riops=max wiops=max" "$(limits_of_service)"
		[ "$name" != "$1" ] || between "the service on $name writes 1 MB/s" 800000 1200000 "$(service_rate)"
		done_to unit-unlimit $SERVICE device=$name
		expect "cleared by the same name" "" "$(limits_of_service)"
	done
	on lab volume off
}

services() {
	on lab vm off 2>/dev/null
	limit_of_service_is_kept
	disk_below_is_limited linear /dev/mapper/labvolume /mnt/volume
	disk_below_is_limited crypt /dev/mapper/labsecret
	disk_below_is_limited part /dev/sda1
}
