# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# A guest started, shut down, its plug pulled, its disk checked, its limit kept. To be sourced by check.sh.

stored_limit() { on virsh dumpxml --inactive $GUEST | grep -oP '(?<=<write_bytes_sec>)\d+'; }

guest_is_shut_down_and_started() {
	on lab vm make
	on rm -f /var/log/libvirt/qemu/guest.log
	done_to domain-start $GUEST
	expect "libvirt has it running" running "$(state_of_guest)"
	refused "what runs cannot be started" 'runs|running' domain-start $GUEST
	refused "nor can the disk of what runs be checked" 'runs|running|off' disk-check $GUEST disk=vda
	until_true 200 guest_writes || fail "the guest writes"
	done_to domain-shutdown $GUEST
	expect "libvirt has it off" "shut off" "$(state_of_guest)"
	refused "what is off cannot be shut down" 'off' domain-shutdown $GUEST
}

guest_writes() { on grep -qa 'GUEST UP' /var/log/libvirt/qemu/guest.log; }

disk_is_checked() {
	on qemu-img create -q -f qcow2 -o preallocation=off /mnt/nv/check.qcow2 64M
	shell "qemu-io -f qcow2 -c 'write 0 1M' /mnt/nv/check.qcow2 >/dev/null; virsh -q attach-disk $GUEST /mnt/nv/check.qcow2 vdb --subdriver qcow2 --config"
	act disk-check $GUEST disk=vdb --yes
	expect "qemu-img check of a disk that is well: exit code" 0 $CODE
	contains "and what qemu-img says is shown" 'No errors|no errors' "$(all_said)"
	# A cluster that nothing counts: the reference count of the first data cluster is written over with zeros.
	shell "printf '\\0\\0' | dd of=/mnt/nv/check.qcow2 bs=1 seek=\$((0x20000 + 2 * 5)) conv=notrunc status=none"
	act disk-check $GUEST disk=vdb --yes
	note "damaged: exit code $CODE: $(all_said | head -c 400)"
	contains "damage is said" 'error|corrupt|leak' "$(all_said)"
	shell "virsh -q detach-disk $GUEST vdb --config; rm -f /mnt/nv/check.qcow2"
}

limit_is_kept() {
	done_to domain-limit $GUEST disk=vda write=4M
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
