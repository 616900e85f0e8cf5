# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# The machine watched and acted on from this one, through strata's agent over sshd. To be sourced by check.sh.

FAR=vm # what strata here calls it

# far_begins gives strata here settings of its own, and an ssh that knows the machine by name: ssh reads its settings in
# the home of the user, whatever HOME says.
far_begins() {
	private_environment
	mkdir -p "$WORK/bin"
	cat >"$WORK/ssh_config" <<-E
		Host $FAR
			HostName 127.0.0.1
			Port ${LAB_PORT:-22022}
			User root
			IdentityFile $LAB_DIR/id_ed25519
			IdentitiesOnly yes
			StrictHostKeyChecking no
			UserKnownHostsFile $WORK/known_hosts
	E
	printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$WORK/ssh_config" >"$WORK/bin/ssh"
	chmod 755 "$WORK/bin/ssh"
	RUN=(from_here)
	# It is there already; that strata brings it by itself is fresh_host_answers' to see.
	on install -D -m 700 /usr/local/bin/strata "/root/.cache/strata/$(sha256sum <"$STRATA" | cut -d' ' -f1)/strata"
}

far_ends() {
	screen_close f 2>/dev/null
	RUN=(there)
}

# from_here VERB ARGUMENT...: strata on this machine, which looks at the other one only.
from_here() { PATH=$WORK/bin:$PATH "$STRATA" "$1" --no-host --host $FAR --wait 240s "${@:2}"; }

# findings FILTER: what strata here finds, as a line for each.
findings() { from_here snapshot -o json 2>/dev/null | jq -r ".findings[]? | select(.shown) | $1"; }

# agent_line: what strata here knows of the agent, once there is something of the host.
agent_line() { objects agents,hosts "select(.destination == \"$FAR\")"; }

far_cockpit() {
	COLUMNS_WANTED=180 LINES_WANTED=40 screen_open f env PATH="$WORK/bin:$PATH" TERM=xterm-256color LC_ALL=C.UTF-8 \
		"$STRATA" --no-host --host $FAR
	until_true 30 shows f Servers
	press f :agents
	see "the cockpit here has the agent there" f 240 "$FAR +connected"
}

# ssh_of_cockpit: the ssh that the cockpit talks through.
ssh_of_cockpit() { pgrep -f "^[^ ]*ssh .*ServerAliveInterval.* -- $FAR .*agent\$" | head -1; }

fresh_host_answers() {
	local line from
	on rm -rf /root/.cache/strata
	from=$(now_ms)
	line=$(agent_line)
	expect "a machine that never had strata answers" connected "$(jq -r .state <<<"$line")"
	note "start to first data on a fresh host: $(($(now_ms) - from)) ms, $(stat -c %s "$STRATA" | numfmt --to=si) copied over"
	from=$(now_ms)
	line=$(agent_line)
	note "and the second time: $(($(now_ms) - from)) ms"
	expect "the program there is this one, for its user only" "$(sha256sum <"$STRATA" | cut -d' ' -f1) 700" \
		"$(shell 'sha256sum /root/.cache/strata/*/strata | cut -d" " -f1; stat -c %a /root/.cache/strata/*/strata' | xargs)"
}

acts_there() {
	local unit
	unit=$(unit_of_guest)
	done_to unit-limit "$unit" device=$DISK write=2M
	expect "the kernel there has the limit" "$(number_of $DISK) rbps=max wbps=2000000 riops=max wiops=max" "$(limits_of_guest)"
	between "and the guest writes 2 MB/s" 1600000 2400000 "$(rate)"
	done_to undo "$(undo_id unit-limit)"
	expect "undone from here" "" "$(limits_of_guest)"
	refused "a device that is not there is refused" 'nvme9n1' unit-limit "$unit" device=/dev/nvme9n1 write=2M
	on lab swap fill 200 >/dev/null
	done_to swap-off $SWAP
	expect "swap there is off" off "$(swapped $SWAP)"
	done_to undo "$(undo_id swap-off)"
	expect "and on again" 0 "$(swapped $SWAP)"
	contains "the audit log there says who" 'through its agent here' "$(on tail -n 3 /root/.local/state/strata/audit.jsonl)"
}

smart_is_seen() {
	press f :disks
	see "SMART of the NVMe drive is seen" f 120 "$FAR +$DISK +PASSED"
	keep_far disks
	press f :agents
}

agent_costs() {
	sleep 30 # it has settled
	keep_far agents
}

keep_far() {
	note "the pane $1:"
	screen f | sed 's/ *$//; /^$/d; /^│ *│$/d; s/^/      | /'
}

is_lost() { # NAME SECONDS WORDS
	see "$1: the cockpit says that it is lost" f "$2" "$FAR +failing.*($3)"
}

is_back() { # NAME SECONDS
	see "$1: and has it back by itself" f "$2" "$FAR +connected"
}

ssh_is_cut() {
	local pid
	pid=$(ssh_of_cockpit)
	kill -KILL "$pid" || fail "the ssh of the cockpit is found" "$(pgrep -af ServerAlive)"
	see "ssh killed: the cockpit says that it is lost" f 10 "$FAR +(failing|connecting)" && is_back "ssh killed" 60
}

# The network is silent: nothing is closed, nothing is refused.
network_is_cut() {
	"$HERE/lab.sh" qmp '{"execute": "set_link", "arguments": {"name": "net", "up": false}}' >/dev/null
	is_lost "network silent" 40 "no sign of life|timed out|Timeout|not responding|refused|closed"
	keep_far agents
	press f :hosts
	see "its hosts pane says so too" f 10 "◌ $FAR failing"
	keep_far hosts
	press f :agents
	"$HERE/lab.sh" qmp '{"execute": "set_link", "arguments": {"name": "net", "up": true}}' >/dev/null
	is_back "network silent" 120
}

# sshd is stopped for a minute; what keeps this check's own connection open stays.
sshd_is_stopped() {
	local from
	shell "systemd-run --quiet --on-active=60 systemctl start ssh.service
		systemctl stop ssh.service; pkill -x strata"
	from=$(now_ms)
	is_lost "sshd stopped" 40 "refused|closed|reset|timed out|banner|kex"
	keep_far agents
	is_back "sshd stopped" 180
	note "it was away for $((($(now_ms) - from) / 1000)) s"
}

boot_id() { on cat /proc/sys/kernel/random/boot_id; }
booted_anew() { [ "$(boot_id 2>/dev/null || echo "$1")" != "$1" ]; }

reboot_is_seen() {
	local before up id from line
	before=$(boot_id)
	from=$(now_ms)
	expect "the boot is known" "$before" "$(objects hosts .bootId | jq -r .)"
	shell "systemctl reboot" 2>/dev/null
	see "a reboot: the cockpit says that it is lost" f 120 "$FAR +failing"
	if until_true 300 booted_anew "$before"; then pass "it boots again" "after $WAITED ms"; else fail "it boots again"; fi
	is_back "a reboot" 180
	note "from the reboot to data again: $((($(now_ms) - from) / 1000)) s"
	line=$(objects hosts)
	id=$(boot_id) up=$(on cut -d. -f1 /proc/uptime)
	expect "strata has another boot" "$id" "$(jq -r .bootId <<<"$line")"
	up=$((up - ($(date +%s) - $(jq -r '.boot | sub("\\..*Z$"; "Z") | fromdate' <<<"$line"))))
	if [ "${up#-}" -le 5 ]; then pass "since when, to some seconds" "$up s off"; else fail "since when, to some seconds" "$up s off"; fi
	contains "its kernel log has both boots" '^[2-9]' "$(objects kernellogs '.boots | length')"
	press f :kernel
	see "the kernel log has the boot as an event" f 20 "$FAR +boot"
	keep_far kernel
	press f :agents
}

agent() {
	on lab swap on >/dev/null
	on lab vm start
	far_begins
	fresh_host_answers
	acts_there
	on lab vm off 2>/dev/null
	far_cockpit
	smart_is_seen
	agent_costs
	ssh_is_cut
	network_is_cut
	sshd_is_stopped
	reboot_is_seen
	far_ends
}
