package klog

import (
	"regexp"
	"strings"

	"strata/internal/fleet"
)

// Match is what a line tells of.
type Match struct {
	Class    string
	Severity fleet.Severity
	Subject  string
	Cause    string
	CGroup   string
	// Detail marks a line that belongs to another of the same class, and alone is no trouble.
	Detail bool
}

// rule is one pattern of the kernel's own words. Subject, cause and cgroup are made of its groups.
type rule struct {
	class    string
	severity fleet.Severity
	has      string // a line without it does not match: that is quicker to tell
	pattern  *regexp.Regexp
	subject  string
	cause    string
	cgroup   string
	detail   bool
	not      *regexp.Regexp // subjects that mean nothing
}

// Classifier tells what lines mean. It may be used from several goroutines.
type Classifier struct{ rules []rule }

// Classify returns what a line means; false for most.
func (c *Classifier) Classify(text string) (Match, bool) {
	for i := range c.rules {
		r := &c.rules[i]
		if !strings.Contains(text, r.has) {
			continue
		}
		at := r.pattern.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		fill := func(template string) string {
			if !strings.Contains(template, "$") {
				return template
			}
			return strings.TrimSpace(string(r.pattern.ExpandString(nil, template, text, at)))
		}
		m := Match{Class: r.class, Severity: r.severity, Subject: fill(r.subject), Cause: fill(r.cause), CGroup: fill(r.cgroup), Detail: r.detail}
		if r.not != nil && r.not.MatchString(m.Subject) {
			continue
		}
		return m, true
	}
	return Match{}, false
}

// NewClassifier compiles the patterns.
func NewClassifier() *Classifier {
	var all []rule
	for _, part := range [][]rule{coreRules(), storageRules(), filesystemRules(), hardwareRules()} {
		all = append(all, part...)
	}
	return &Classifier{rules: all}
}

func re(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

// coreRules are about processes, CPUs and the kernel itself: mm/oom_kill.c, kernel/hung_task.c, watchdog.c, panic.c.
func coreRules() []rule {
	return []rule{
		{class: fleet.ClassBoot, severity: fleet.Info, has: "Linux version", pattern: re(`^Linux version (\S+)`), subject: "$1"},
		{class: fleet.ClassPanic, severity: fleet.Critical, has: "Kernel panic", pattern: re(`Kernel panic - not syncing: (.+?)(?: \]---)?$`), cause: "$1"},

		{class: fleet.ClassOOM, severity: fleet.Warn, has: "Memory cgroup out", pattern: re(`\bMemory cgroup out of memory: Kill(?:ed)? process (\d+) \(([^)]+)\)`), subject: "$2[$1]", cause: "limit of its control group"},
		{class: fleet.ClassOOM, severity: fleet.Serious, has: "Out of memory", pattern: re(`\bOut of memory[^:]*: Kill(?:ed)? process (\d+) \(([^)]+)\)`), subject: "$2[$1]"},
		{class: fleet.ClassOOM, severity: fleet.Info, has: "oom-kill:", pattern: re(`oom-kill:constraint=(CONSTRAINT_\w+),.*task_memcg=([^,]+),task=([^,]+),pid=(\d+)`), subject: "$3[$4]", cgroup: "$2", detail: true},
		{class: fleet.ClassOOM, severity: fleet.Info, has: "invoked oom-killer", pattern: re(`(\S+) invoked oom-killer: gfp_mask=`), subject: "$1", detail: true},

		{class: fleet.ClassHung, severity: fleet.Serious, has: "blocked for more", pattern: re(`INFO: task (.+):(\d+) blocked for more than (\d+) seconds`), subject: "$1[$2]"},
		{class: fleet.ClassLockup, severity: fleet.Serious, has: "soft lockup", pattern: re(`BUG: soft lockup - CPU#(\d+) stuck for (\d+)s! \[(.+):(\d+)\]`), subject: "CPU $1", cause: "$3[$4]"},
		{class: fleet.ClassLockup, severity: fleet.Critical, has: "ard ", pattern: re(`(?i)watchdog detected hard lockup on cpu ?(\d+)`), subject: "CPU $1"},
		{class: fleet.ClassLockup, severity: fleet.Serious, has: "rcu", pattern: re(`rcu: INFO: (rcu_\w+) (?:self-)?detected (?:expedited )?stalls? on CPU`), subject: "$1"},

		{class: fleet.ClassRefcount, severity: fleet.Serious, has: "refcount_t:", pattern: re(`refcount_t: (.+?)\.?$`), cause: "$1"},
		{class: fleet.ClassOops, severity: fleet.Serious, has: "BUG: ", pattern: re(`^BUG: (unable to handle .+|kernel NULL pointer dereference.*|Bad (?:page state|page map|rss-counter state)(?: in process \S+)?)`), cause: "$1"},
		{class: fleet.ClassOops, severity: fleet.Serious, has: "kernel BUG at", pattern: re(`kernel BUG at (\S+?)!?$`), cause: "$1"},
		{class: fleet.ClassOops, severity: fleet.Serious, has: "general protection", pattern: re(`^(general protection fault\b.*)`), cause: "$1"},
		{class: fleet.ClassOops, severity: fleet.Serious, has: "Oops:", pattern: re(`^Oops: (.*)`), cause: "$1"},
	}
}

// storageRules are about disks and their links: block/blk-core.c, drivers/nvme/host, drivers/ata, drivers/scsi, drivers/md.
func storageRules() []rule {
	// A machine without a floppy or a disc says so each time somebody looks.
	const failing = `\b(I/O|critical medium|critical target|critical space allocation|timeout|recoverable transport|critical nexus|protection|device offline) error, dev `
	return []rule{
		{class: fleet.ClassIO, severity: fleet.Info, has: " error, dev ", pattern: re(failing + `((?:fd|sr)\d+), sector (\d+)`), subject: "$2", cause: "$1 error"},
		{class: fleet.ClassIO, severity: fleet.Serious, has: " error, dev ", pattern: re(failing + `([\w!-]+), sector (\d+)`), subject: "$2", cause: "$1 error"},
		{class: fleet.ClassIO, severity: fleet.Info, has: "Buffer I/O error", pattern: re(`Buffer I/O error on dev(?:ice)? ((?:fd|sr)\d+), logical block (\d+)`), subject: "$1", cause: "buffer I/O error"},
		{class: fleet.ClassIO, severity: fleet.Serious, has: "Buffer I/O error", pattern: re(`Buffer I/O error on dev(?:ice)? ([\w!-]+), logical block (\d+)`), subject: "$1", cause: "buffer I/O error"},
		{class: fleet.ClassIO, severity: fleet.Serious, has: "rejecting I/O to", pattern: re(`(\d+:\d+:\d+:\d+): .*rejecting I/O to (?:offline|dead) device`), subject: "scsi $1", cause: "it went offline"},
		{class: fleet.ClassIO, severity: fleet.Serious, has: "Device offlined", pattern: re(`(\d+:\d+:\d+:\d+): .*Device offlined - not ready`), subject: "scsi $1", cause: "it went offline"},

		{class: fleet.ClassNVMe, severity: fleet.Warn, has: "completion polled", pattern: re(`nvme (nvme\d+): I/O .*QID (\d+) timeout, completion polled`), subject: "$1", cause: "an interrupt was lost"},
		{class: fleet.ClassNVMe, severity: fleet.Serious, has: " timeout, ", pattern: re(`nvme (nvme\d+): I/O .*QID (\d+) timeout, (aborting|reset controller|disable controller)`), subject: "$1", cause: "timeout"},
		{class: fleet.ClassNVMe, severity: fleet.Serious, has: "controller is down", pattern: re(`nvme (nvme\d+): controller is down; will reset`), subject: "$1", cause: "controller is down"},
		{class: fleet.ClassNVMe, severity: fleet.Critical, has: "nvme", pattern: re(`nvme (nvme\d+): (Device not ready; aborting|Removing after probe failure|Disabling device after reset failure)`), subject: "$1", cause: "$2"},
		{class: fleet.ClassNVMe, severity: fleet.Serious, has: "nvme", pattern: re(`nvme (nvme\d+): frozen state error detected, reset controller`), subject: "$1", cause: "frozen by a PCIe error"},

		// Each empty port says at boot that its link is down.
		{class: fleet.ClassATA, severity: fleet.Info, has: "SATA link down", pattern: re(`\b(ata\d+(?:\.\d+)?): SATA link down`), subject: "$1", cause: "link down"},
		{class: fleet.ClassATA, severity: fleet.Serious, has: "ata", pattern: re(`\b(ata\d+(?:\.\d+)?): (failed command: .+|reset failed, giving up)`), subject: "$1", cause: "$2"},
		{class: fleet.ClassATA, severity: fleet.Warn, has: "ata", pattern: re(`\b(ata\d+(?:\.\d+)?): (exception Emask 0x[0-9a-f]+|hard resetting link|link is slow to respond|limiting SATA link speed)`), subject: "$1", cause: "$2"},

		{class: fleet.ClassMD, severity: fleet.Serious, has: "Disk failure on", pattern: re(`md/raid\d*:(\S+): Disk failure on (\w+), disabling device`), subject: "$1", cause: "$2 failed"},
		{class: fleet.ClassMD, severity: fleet.Warn, has: "Operation continuing", pattern: re(`md/raid\d*:(\S+): Operation continuing on (\d+) devices`), subject: "$1", cause: "$2 disks left"},
	}
}

// filesystemRules are about filesystems: fs/ext4/super.c, fs/jbd2, fs/xfs, fs/btrfs.
func filesystemRules() []rule {
	return []rule{
		{class: fleet.ClassReadOnly, severity: fleet.Critical, has: "Remounting filesystem", pattern: re(`(?:EXT4-fs \(([^)]+)\): )?Remounting filesystem read-only`), subject: "$1"},
		{class: fleet.ClassReadOnly, severity: fleet.Critical, has: "Aborting journal", pattern: re(`Aborting journal on device (\S+?)(?:-\d+)?\.?$`), subject: "$1", cause: "its journal was aborted"},
		{class: fleet.ClassReadOnly, severity: fleet.Critical, has: "forced readonly", pattern: re(`BTRFS\S* \w+ \(device (\S+?):?(?: state \w+)?\): forced readonly`), subject: "$1"},
		{class: fleet.ClassExt4, severity: fleet.Serious, has: "EXT4-fs error", pattern: re(`EXT4-fs error \(device ([^)]+)\)(?:: (\w+))?`), subject: "$1", cause: "$2"},
		{class: fleet.ClassXFS, severity: fleet.Critical, has: "hutting down filesystem", pattern: re(`(?i)XFS \(([^)]+)\): .*Shutting down filesystem`), subject: "$1", cause: "it was shut down"},
		{class: fleet.ClassXFS, severity: fleet.Serious, has: "XFS (", pattern: re(`(?i)XFS \(([^)]+)\): .*(Corruption detected|metadata I/O error|log I/O error)`), subject: "$1", cause: "$2"},
		{class: fleet.ClassBtrfs, severity: fleet.Serious, has: "BTRFS", pattern: re(`BTRFS:? (?:error|critical) \(device (\S+?):?(?: state \w+)?\)`), subject: "$1"},
	}
}

// hardwareRules are about CPUs, memory, buses and network cards: arch/x86/kernel/cpu/mce, drivers/edac, thermal, pci/pcie.
func hardwareRules() []rule {
	virtual := re(`^(?:tap|vnet|veth|cali|virbr|docker|br-|cni|flannel)`)
	return []rule{
		{class: fleet.ClassMCE, severity: fleet.Critical, has: "[Hardware Error]", pattern: re(`\[Hardware Error\]: event severity: (fatal|recoverable)`), cause: "$1"},
		{class: fleet.ClassMCE, severity: fleet.Critical, has: "Machine Check Exception", pattern: re(`\[Hardware Error\]: CPU (\d+): Machine Check Exception`), subject: "CPU $1"},
		{class: fleet.ClassMCE, severity: fleet.Warn, has: "[Hardware Error]", pattern: re(`\[Hardware Error\]: (?:CPU \d+: Machine Check|(Machine check events logged)|event severity: (corrected))`), cause: "$1$2"},
		{class: fleet.ClassEDAC, severity: fleet.Warn, has: "EDAC MC", pattern: re(`EDAC MC(\d+): (\d+) CE `), subject: "MC$1", cause: "corrected"},
		{class: fleet.ClassEDAC, severity: fleet.Critical, has: "EDAC MC", pattern: re(`EDAC MC(\d+): (\d+) UE `), subject: "MC$1", cause: "not corrected"},
		{class: fleet.ClassThermal, severity: fleet.Warn, has: "above threshold", pattern: re(`CPU(\d+): (Core|Package) temperature (?:is )?above threshold, cpu clock (?:is )?throttled`), subject: "$2"},
		{class: fleet.ClassThermal, severity: fleet.Info, has: "temperature/speed normal", pattern: re(`CPU(\d+): (Core|Package) temperature/speed normal`), subject: "$2", cause: "cooled down"},
		{class: fleet.ClassThermal, severity: fleet.Critical, has: "critical temperature", pattern: re(`(?i)(thermal_zone\d+)?: ?critical temperature reached`), subject: "$1", cause: "critical temperature"},
		{class: fleet.ClassAER, severity: fleet.Info, has: "PCIe Bus Error", pattern: re(`(?:(\S+): )?(?:AER: )?PCIe Bus Error: severity=Corrected`), subject: "$1", cause: "corrected"},
		{class: fleet.ClassAER, severity: fleet.Serious, has: "PCIe Bus Error", pattern: re(`(?:(\S+): )?(?:AER: )?PCIe Bus Error: severity=(Uncorrected \((?:Non-)?Fatal\))`), subject: "$1", cause: "$2"},
		{class: fleet.ClassLink, severity: fleet.Serious, has: "NETDEV WATCHDOG", pattern: re(`NETDEV WATCHDOG: (?:CPU: \d+: )?(\S+).*transmit queue (\d+) timed out`), subject: "$1", cause: "a transmit queue timed out"},
		{class: fleet.ClassLink, severity: fleet.Serious, has: "Hardware Unit Hang", pattern: re(`(\S+): Detected Hardware Unit Hang`), subject: "$1", cause: "the card hangs"},
		{class: fleet.ClassLink, severity: fleet.Warn, has: "Link is Down", pattern: re(`(\S+?):? (?:NIC )?Link is Down\b`), subject: "$1", cause: "down", not: virtual},
		{class: fleet.ClassLink, severity: fleet.Info, has: "Link is Up", pattern: re(`(\S+?):? (?:NIC )?Link is Up\b`), subject: "$1", cause: "up", not: virtual},
	}
}
