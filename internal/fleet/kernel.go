package fleet

import "time"

// Classes of kernel events.
const (
	ClassBoot     = "boot"       // a kernel starts
	ClassOOM      = "oom"        // the kernel killed a process for memory
	ClassHung     = "hung-task"  // a task waits, uninterruptible, for minutes
	ClassLockup   = "lockup"     // a CPU does not come back: soft and hard lockups, RCU stalls
	ClassPanic    = "panic"      // the end of a boot
	ClassOops     = "oops"       // the kernel broke and goes on
	ClassRefcount = "refcount"   // a use after free that was caught
	ClassIO       = "io-error"   // a block device failed to read or write
	ClassNVMe     = "nvme"       // timeouts, resets, a controller that is down
	ClassATA      = "ata"        // exceptions and resets of a SATA link, SCSI devices that went offline
	ClassExt4     = "ext4"       // errors of these filesystems
	ClassXFS      = "xfs"        //
	ClassBtrfs    = "btrfs"      //
	ClassReadOnly = "remount-ro" // a filesystem that cannot be written any more
	ClassMCE      = "mce"        // machine checks
	ClassEDAC     = "edac"       // memory errors
	ClassThermal  = "thermal"    // a CPU slows down for heat, or no more
	ClassMD       = "md"         // an array lost a disk
	ClassAER      = "aer"        // PCI Express errors
	ClassLink     = "link"       // a network card's link
)

// KernelEvent is what a line of a kernel's log means, with its repeats: the same class and subject within ten seconds.
type KernelEvent struct {
	Source string `json:"source"`
	Host   string `json:"host"`
	Name   string `json:"name"`   // boot, time since boot and class: unique on the host, the same whoever reads the log
	Boot   string `json:"bootId"` // of the boot that wrote it
	// At and Last are when the first and the last of its lines were written, on the wall clock.
	At   time.Time `json:"at"`
	Last time.Time `json:"last"`
	// Mono is how long the machine was up at the first one, in seconds.
	Mono     float64  `json:"monoSec"`
	Class    string   `json:"class"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject,omitempty"` // a device, a process with its pid (of a panic the one that ran), a CPU
	Disk     string   `json:"disk,omitempty"`    // the whole disk below a device whose name does not tell, as dm-2
	// Cause names what the class alone does not: the stack frame that a hung task waits in, the reason of a panic.
	Cause  string `json:"cause,omitempty"`
	CGroup string `json:"cgroup,omitempty"` // of the process that was killed
	Line   string `json:"line"`             // verbatim, cut at 500 bytes
	Count  int    `json:"count"`            // lines folded into it, 1 for a single one
}

// Ref of a kernel event is its name.
func (e *KernelEvent) Ref() Ref { return Ref{KindKernel, e.Source, e.Name} }

// Health is how bad such a line is.
func (e *KernelEvent) Health() Health { return Health{e.Severity.State(), e.Class} }

// KernelLog is the end of a machine's kernel log, and the span that was read: that there is no event says something only
// inside it.
type KernelLog struct {
	Source string `json:"source"`
	Host   string `json:"host"`
	Reader string `json:"reader,omitempty"` // journalctl or /dev/kmsg; "" when neither can be read
	// From is when the first line was written after which none is missing; zero when there was none.
	From    time.Time    `json:"from,omitzero"`
	Boots   []Boot       `json:"boots,omitempty"`   // that the span holds lines of, oldest first
	Lines   []KernelLine `json:"lines,omitempty"`   // the last ones, oldest first
	Dropped int          `json:"dropped,omitempty"` // lines that were lost before they could be read
	Missing []string     `json:"missing,omitempty"` // what could not be read and why
}

// Boot is a boot of which there are lines.
type Boot struct {
	ID    string    `json:"bootId"`
	First time.Time `json:"first"` // its first line that was read
	Last  time.Time `json:"last"`  // its last one
}

// KernelLine is a line of a kernel's log.
type KernelLine struct {
	At       time.Time `json:"at"`
	Priority int       `json:"priority"` // 0 is an emergency, 3 an error, 7 for debugging
	Text     string    `json:"text"`     // cut at 500 bytes
}

// Ref of a kernel log is its host.
func (l *KernelLog) Ref() Ref { return Ref{KindKernelLog, l.Source, l.Host} }

// Health is whether the log is followed.
func (l *KernelLog) Health() Health {
	if l.Reader == "" {
		return Health{StateUnknown, "not followed"}
	}
	return Health{StateOK, "followed"}
}

// Covers reports whether every line written since then was read, while the log is followed.
func (l *KernelLog) Covers(since time.Time) bool {
	return l.Reader != "" && !l.From.IsZero() && !l.From.After(since)
}
