package fleet

import "time"

// Classes of lines of a qemu's log.
const (
	QemuStop    = "stop"    // libvirt's "shutting down" with its reason
	QemuSignal  = "signal"  // a process told qemu to end
	QemuCorrupt = "corrupt" // a qcow2 image that contradicts itself
	QemuRepair  = "repair"  // qemu mends the counts of a qcow2 image that was not closed
	QemuKVM     = "kvm"     // the processor or KVM refused to run the guest
	QemuMemory  = "memory"  // no memory for the guest
	QemuAbort   = "abort"   // qemu found itself wrong
)

// QemuLog is what the end of a domain's log tells of it (/var/log/libvirt/qemu/NAME.log and the one rotated before it).
type QemuLog struct {
	File    string    `json:"file"`
	Started time.Time `json:"started,omitzero"` // the last start that was read
	Stopped time.Time `json:"stopped,omitzero"` // the last end that was read
	Reason  string    `json:"reason,omitempty"` // of that end: shutdown, destroyed, crashed, ...
	// Unclean tells that the run before the last start has no end: qemu went with libvirt or with its host.
	Unclean bool       `json:"unclean,omitempty"`
	Lines   []QemuLine `json:"lines,omitempty"`  // the last ones that mean something, oldest first
	NoData  string     `json:"noData,omitempty"` // why it could not be read
}

// QemuLine is a line of a qemu's log that means something.
type QemuLine struct {
	// At is when it was written; where the line does not tell, of the last line before it that does.
	At    time.Time `json:"at,omitzero"`
	Class string    `json:"class"`
	Text  string    `json:"text"`  // verbatim without its time, cut at 200 bytes
	Count int       `json:"count"` // lines alike in a row, 1 for a single one
}

// Last returns the last line of one of some classes since a time.
func (l *QemuLog) Last(since time.Time, classes ...string) (last QemuLine, ok bool) {
	if l == nil {
		return last, false
	}
	for _, line := range l.Lines {
		for _, c := range classes {
			if line.Class == c && !line.At.Before(since) {
				last, ok = line, true
			}
		}
	}
	return last, ok
}
