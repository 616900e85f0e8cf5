# shellcheck shell=bash disable=SC2086,SC2154 # names without spaces; set by those that source this
# The cockpit on the machine's own terminal. To be sourced by check.sh.

# keep_screen NAME: what the pane looks like, for whoever reads the check's output.
keep_screen() {
	note "the pane $1:"
	screen c | sed 's/ *$//; /^$/d; /^│ *│$/d; s/^/      | /'
}

cockpit() {
	COLUMNS_WANTED=150 LINES_WANTED=36 screen_open c "$HERE/lab.sh" ssh env TERM=xterm-256color LC_ALL=C.UTF-8 strata
	see "the cockpit comes up on the machine" c 60 $HOST
}

panes_look_right() {
	on lab swap fill 50 >/dev/null
	cockpit
	press c :units z
	see "units: the guest's scope, what it writes and where" c 30 "instance.*00001c.*$DISK.* [\d.]+MB/s +none"
	keep_screen units
	press c z :vms z
	see "domains: the guest runs" c 30 "instanc.*00001c.*running"
	keep_screen domains
	press c z :swap z
	see "swaps: the area, its use, and that fstab has it on" c 30 "$SWAP +on .*fstab"
	keep_screen swaps
	press c z :disks z
	see "disks: the NVMe drive with what SMART says" c 30 "$DISK +PASSED"
	keep_screen disks
	press c z q
}

# ten_below_limit: the guest wrote at most 2.4 MB/s for a second.
limited() { grep -q wbps=2000000 <<<"$(limits_of_guest)"; }

limited_from_the_keyboard() {
	local from
	press c :units / i n s t a n c e Enter g m
	see "the menu offers to limit the guest's scope" c 30 'limit disk I/O'
	press c l
	see "the form offers its disk" c 30 "device +$DISK"
	press c Down Down C-u 2 M
	see "and shows the command for what is typed" c 30 'IOWriteBandwidthMax.*2M|IOWriteBandwidthMax.*2000000'
	keep_screen "form"
	press c Enter
	see "the dialog tells what will happen" c 30 'it runs without'
	keep_screen "dialog"
	expect "nothing is done before the yes" "" "$(limits_of_guest)"
	from=$(now_ms)
	press c y
	until_true 20 limited
	note "from the key to io.max: $(($(now_ms) - from)) ms, as seen over ssh"
	see "the cockpit sees it work" c 30 "limit $GUEST on $DISK: seen"
	note "from the key to seen: $(($(now_ms) - from)) ms"
	keep_screen "after it"
	between "the guest writes 2 MB/s" 1600000 2400000 "$(rate)"
	screen_close c
}
