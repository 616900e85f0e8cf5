# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# A guest started, shut down, its plug pulled, its disk checked, its limit kept. To be sourced by check.sh.

stored_limit() { on virsh dumpxml --inactive $GUEST | grep -oP '(?<=<write_bytes_sec>)\d+'; }

guest_is_shut_down_and_started() {
	on lab vm off 2>/dev/null
	on lab vm make
	on rm -f /var/log/libvirt/qemu/guest.log
	done_to domain-start $GUEST
	expect "libvirt has it running" running "$(state_of_guest)"
	refused "what runs cannot be started" 'runs|running' domain-start $GUEST
	refused "nor can the disk of what runs be checked" 'only be checked while it is off' disk-check $GUEST file=/mnt/nv/inst.raw
	until_true 200 guest_writes || fail "the guest writes"
	done_to domain-shutdown $GUEST
	expect "libvirt has it off" "shut off" "$(state_of_guest)"
	refused "what is off cannot be shut down" 'off' domain-shutdown $GUEST
}

guest_writes() { on grep -qa 'GUEST UP' /var/log/libvirt/qemu/guest.log; }

disk_is_checked() {
	local file=/mnt/nv/check.qcow2
	on qemu-img create -q -f qcow2 $file 64M
	shell "qemu-io -f qcow2 -c 'write 0 1M' $file >/dev/null; virsh -q attach-disk $GUEST $file vdb --targetbus virtio --subdriver qcow2 --config"
	act disk-check $GUEST file=$file --yes
	expect "disk-check of an image that is well: exit code" 0 $CODE
	contains "it says that it is well" 'no error in the tables|image is sound' "$(all_said)"
	contains "and what qemu-img says is shown" 'No errors were found on the image' "$(jq -r .output <<<"$REPORT")"
	refused "a raw disk has nothing to be checked" 'raw disk has no tables' disk-check $GUEST file=/mnt/nv/inst.raw
	refused "a file that is no disk of it is not checked" 'no disk in' disk-check $GUEST file=/etc/passwd
	# The reference count of a cluster in use, the sixth of the block at 128 KiB, is set to zero.
	shell "printf '\\0\\0' | dd of=$file bs=1 seek=\$((0x20000 + 2 * 5)) conv=notrunc status=none"
	act disk-check $GUEST file=$file --yes
	expect "disk-check of a damaged image: exit code" 1 $CODE
	contains "damage is said" 'THE IMAGE IS DAMAGED' "$(all_said)"
	contains "and what qemu-img says of it is shown" 'Data may be corrupted' "$(jq -r .output <<<"$REPORT")"
	act disk-repair $GUEST file=$file --yes --typed $GUEST
	contains "no repair without room for a copy" 'nothing was done: no room for a copy' "$(all_said)"
	shell "virsh -q detach-disk $GUEST vdb --config; rm -f $file"
}

# On the filesystem of the root there is room for the copy.
disk_is_repaired() {
	local file=/var/lib/libvirt/images/check.qcow2 before copy
	shell "qemu-img create -q -f qcow2 $file 64M; qemu-io -f qcow2 -c 'write -P 7 0 1M' $file >/dev/null
		printf '\\0\\0' | dd of=$file bs=1 seek=\$((0x20000 + 2 * 5)) conv=notrunc status=none
		virsh -q attach-disk $GUEST $file vdb --targetbus virtio --subdriver qcow2 --config"
	before=$(on md5sum $file | cut -d' ' -f1)
	act disk-repair $GUEST file=$file
	expect "to repair a disk the domain's name must be typed" $GUEST "$(jq -r .ask <<<"$REPORT")"
	done_to disk-repair $GUEST file=$file --typed $GUEST
	copy=$(shell "ls $file.strata-*")
	expect "the copy is the image as it was" "$before" "$(on md5sum "$copy" | cut -d' ' -f1)"
	act disk-check $GUEST file=$file --yes
	expect "the repaired image is sound: exit code" 0 $CODE
	contains "what the guest wrote is there" 'read 1048576/1048576' "$(shell "qemu-io -f qcow2 -c 'read -P 7 0 1M' $file")"
	shell "virsh -q detach-disk $GUEST vdb --config; rm -f $file $copy"
}

limit_is_kept() {
	done_to domain-limit $GUEST disk=vda write=4M for=kept
	expect "libvirt's stored definition has it" 4000000 "$(stored_limit)"
	done_to domain-start $GUEST
	until_true 200 guest_writes || fail "the guest writes"
	between "a guest started with a kept limit holds it" 3200000 4800000 "$(rate)"
	done_to undo "$(undo_id domain-limit)"
	expect "undo takes it out of the definition" "" "$(stored_limit)"
	note "the guest writes $(mb "$(rate)") after the undo"
}

plug_is_pulled() {
	act domain-destroy $GUEST
	expect "to pull the plug its name must be typed" $GUEST "$(jq -r .ask <<<"$REPORT")"
	act domain-destroy $GUEST --yes --typed wrong
	expect "another name does not do: exit code, state" "3 running" "$CODE $(state_of_guest)"
	done_to domain-destroy $GUEST --typed $GUEST
	expect "libvirt has it off" "shut off" "$(state_of_guest)"
}
