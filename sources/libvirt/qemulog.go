package libvirt

import (
	"regexp"
	"strings"
	"time"

	"strata/internal/fleet"
)

// Bounds of what is kept of a log.
const (
	maxQemuLines = 8
	maxQemuText  = 200
)

// qemuRule is what a line of a qemu's log means.
type qemuRule struct {
	class   string
	pattern *regexp.Regexp
}

// qemuRules are the words of qemu (softmmu/runstate.c, block/qcow2*.c, accel/kvm) and of libvirt (src/qemu/qemu_domain.c).
func qemuRules() []qemuRule {
	return []qemuRule{
		{fleet.QemuStop, regexp.MustCompile(`^shutting down(?:, reason=([\w ]+))?$`)},
		{fleet.QemuSignal, regexp.MustCompile(`\bterminating on signal \d+(?: from pid \d+.*)?$`)},
		{fleet.QemuCorrupt, regexp.MustCompile(`qcow2: (?:Marking image as corrupt|Image is corrupt)|Could not repair dirty image|\bqcow2: Preventing invalid (?:write|allocation)`)},
		{fleet.QemuRepair, regexp.MustCompile(`^(?:ERROR|Repairing|Leaked) cluster \d+ refcount=\d+ reference=\d+|^Rebuilding refcount structure`)},
		{fleet.QemuKVM, regexp.MustCompile(`\bKVM: entry failed|\bKVM internal error\b|\bkvm run failed\b`)},
		{fleet.QemuMemory, regexp.MustCompile(`[Cc]annot (?:allocate memory|set up guest memory)`)},
		{fleet.QemuAbort, regexp.MustCompile("\\bAssertion [`'].+ failed\\b|: assertion failed\\b")},
	}
}

// parseQemuLog reads the end of a log; a first line that is cut must be left out by the caller.
func parseQemuLog(text string, rules []qemuRule) (l fleet.QemuLog) {
	var at time.Time
	ran := false // a run began and has not ended
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if when, rest, ok := qemuTime(line); ok {
			at, line = when, rest
		}
		if strings.HasPrefix(line, "starting up") {
			l.Started, l.Unclean, ran = at, ran, true
			continue
		}
		for _, r := range rules {
			m := r.pattern.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if r.class == fleet.QemuStop {
				l.Stopped, l.Reason, ran = at, m[1], false
			}
			l.Lines = addQemuLine(l.Lines, fleet.QemuLine{At: at, Class: r.class, Text: shortText(line), Count: 1})
			break
		}
	}
	return l
}

// addQemuLine keeps the last lines. A repair is thousands of lines, each of another cluster: they are one.
func addQemuLine(all []fleet.QemuLine, next fleet.QemuLine) []fleet.QemuLine {
	if n := len(all); n > 0 && all[n-1].Class == next.Class && (next.Class == fleet.QemuRepair || all[n-1].Text == next.Text) {
		all[n-1].Count++
		return all
	}
	if all = append(all, next); len(all) > maxQemuLines {
		all = append(all[:0:0], all[1:]...)
	}
	return all
}

// qemuTime takes the time from the head of a line: libvirt writes "2018-11-23 23:37:59.352+0000: ", qemu
// "2018-11-23T23:37:57.946548Z ".
func qemuTime(line string) (at time.Time, rest string, ok bool) {
	const day = len("2006-01-02")
	if len(line) <= day || line[4] != '-' {
		return at, "", false
	}
	var err error
	switch line[day] {
	case ' ':
		head, after, found := strings.Cut(line, ": ")
		if !found {
			return at, "", false
		}
		rest = after
		at, err = time.Parse("2006-01-02 15:04:05.999-0700", head)
	case 'T':
		head, after, found := strings.Cut(line, " ")
		if !found {
			return at, "", false
		}
		rest = after
		at, err = time.Parse(time.RFC3339Nano, head)
	default:
		return at, "", false
	}
	return at.UTC(), rest, err == nil
}

func shortText(s string) string {
	if len(s) > maxQemuText {
		s = s[:maxQemuText]
	}
	return strings.ToValidUTF8(s, "?")
}
