package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// Moment is something that happened at a time, as one object of a snapshot tells it. It is a fleet.Object of a kind of its
// own, so that it can be a row of a table.
type Moment struct {
	At time.Time
	Of fleet.Object // what tells of it
	N  int          // which of the things that it tells, for those that tell several
}

// KindMoment is the kind of a moment's Ref. No snapshot has objects of it.
const KindMoment fleet.Kind = "moment"

// What N means for those that tell something beside their list.
const (
	itself  = 0  // the one thing, or the first of two: began
	ended   = 1  // the second of two
	fault   = -1 // a server's fault
	started = -1 // a domain's start
)

// Ref of a moment is the same in later snapshots, as long as what tells of it does.
func (m *Moment) Ref() fleet.Ref {
	of := m.Of.Ref()
	return fleet.Ref{Kind: KindMoment, Source: of.Source, Name: string(of.Kind) + "/" + of.Name + "/" + m.tag()}
}

// tag tells a moment from others that the same object tells.
func (m *Moment) tag() string {
	switch o := m.Of.(type) {
	case *fleet.Server:
		if m.N >= 0 {
			return o.Actions[m.N].Request + "/" + o.Actions[m.N].Action
		}
	case *fleet.Domain:
		if m.N >= 0 {
			return m.At.Format(time.RFC3339) + o.Log.Lines[m.N].Text
		}
	case *fleet.Disk:
		return o.Counters[m.N].Name
	case *fleet.Filesystem:
		return o.Counters[m.N].Name
	case *fleet.Sensor:
		return o.Turns[m.N].At.Format(time.RFC3339)
	case *fleet.Node:
		return o.Conditions[m.N].Type
	case *fleet.Unit:
		return o.Lost[m.N].Disk
	}
	return [...]string{"first", "", "end"}[m.N+1]
}

// Health is how bad it was, with its word for it.
func (m *Moment) Health() fleet.Health {
	word, state := m.word()
	return fleet.Health{State: state, Word: word}
}

// About is what it happened to. It need not be in the snapshot.
func (m *Moment) About() fleet.Ref {
	switch o := m.Of.(type) {
	case *fleet.Finding:
		return o.About
	case *fleet.Deed:
		return o.Target
	case *fleet.Event:
		return fleet.Ref{Kind: o.About.Kind, Source: cmp.Or(o.About.Source, o.Source), Name: o.About.Name}
	case *fleet.KernelEvent:
		if l := stated(o)[0]; l.To != (fleet.Ref{}) {
			return l.To
		}
		return m.Machine()
	case *fleet.BootRecord:
		return m.Machine()
	}
	return m.Of.Ref()
}

// Machine is the host it happened on, as far as what tells of it names one; empty where it does not.
func (m *Moment) Machine() fleet.Ref {
	switch o := m.Of.(type) {
	case *fleet.KernelEvent:
		return fleet.Ref{Kind: fleet.KindHost, Source: o.Source, Name: o.Host}
	case *fleet.BootRecord:
		return fleet.Ref{Kind: fleet.KindHost, Source: o.Source, Name: o.Host}
	}
	return fleet.Ref{}
}

// word says in a word or two what happened, and how bad that is.
func (m *Moment) word() (string, fleet.State) {
	switch o := m.Of.(type) {
	case *fleet.Server:
		if m.N == fault {
			return "fault", fleet.StateBad
		}
		return actionWord(o.Actions[m.N])
	case *fleet.Event:
		return o.Reason, fleet.StateWarn
	case *fleet.KernelEvent:
		return o.Class, o.Severity.State()
	case *fleet.BootRecord:
		if m.N == itself {
			return "booted", fleet.StateOK
		}
		h := o.Health()
		return h.Word, h.State
	case *fleet.Host, *fleet.Hypervisor:
		return "booted", fleet.StateOK
	case *fleet.Domain:
		if m.N == started {
			return "qemu started", fleet.StateOK
		}
		return "qemu " + o.Log.Lines[m.N].Class, qemuState(o.Log.Lines[m.N])
	case *fleet.Disk:
		return counterWord(o.Counters[m.N].Name), fleet.StateWarn
	case *fleet.Filesystem:
		return counterWord(o.Counters[m.N].Name), fleet.StateWarn
	case *fleet.Sensor:
		return turnWord(o, o.Turns[m.N])
	case *fleet.Finding:
		if m.N == ended {
			return "over", fleet.StateOK
		}
		return "found", o.Severity.State()
	case *fleet.Deed:
		return "strata " + o.Phase, o.Health().State
	case *fleet.Node:
		x := o.Conditions[m.N]
		if (x.Type == "Ready") == (x.Status == "True") {
			return x.Type + " " + x.Status, fleet.StateOK
		}
		return x.Type + " " + x.Status, fleet.StateBad
	case *fleet.Pod:
		if o.LastExit.Code == 0 {
			return "container ended", fleet.StateOK
		}
		return cmp.Or(o.LastExit.Reason, "container ended"), fleet.StateBad
	case *fleet.Unit:
		return "limit lost", fleet.StateWarn
	}
	h := m.Of.Health()
	return h.Word, h.State
}

// actionWord is an action of nova; a stop that nobody asked for is worse than others.
func actionWord(a fleet.ServerAction) (string, fleet.State) {
	switch {
	case a.Failed():
		return a.Action + " failed", fleet.StateBad
	case a.Action == "stop" && a.ByNova():
		return a.Action, fleet.StateBad
	}
	return a.Action, fleet.StateOK
}

func qemuState(l fleet.QemuLine) fleet.State {
	switch l.Class {
	case fleet.QemuCorrupt, fleet.QemuKVM, fleet.QemuMemory, fleet.QemuAbort:
		return fleet.StateBad
	case fleet.QemuRepair, fleet.QemuSignal:
		return fleet.StateWarn
	}
	return fleet.StateOK
}

// Says tells it in full, with its word first.
func (m *Moment) Says() string {
	word, _ := m.word()
	if more := m.more(); more != "" {
		return word + ": " + more
	}
	return word
}

func (m *Moment) more() string {
	switch o := m.Of.(type) {
	case *fleet.Server:
		if m.N == fault {
			return fmt.Sprintf("%d %s", o.Fault.Code, o.Fault.Message)
		}
		return actionSays(o.Actions[m.N])
	case *fleet.Event:
		return eventSays(o, m.N)
	case *fleet.KernelEvent:
		if o.Count > 1 {
			return fmt.Sprintf("%s (%d times)", o.Line, o.Count)
		}
		return o.Line
	case *fleet.BootRecord:
		if m.N == ended {
			return o.Last
		}
	case *fleet.Hypervisor:
		return "within this minute, by its uptime:" + strings.TrimRight(o.Uptime, " ")
	case *fleet.Domain:
		if m.N != started {
			return o.Log.Lines[m.N].Text
		}
	case *fleet.Disk:
		return counterSays(o.Counters[m.N])
	case *fleet.Filesystem:
		return counterSays(o.Counters[m.N])
	case *fleet.Sensor:
		return turnSays(o, o.Turns[m.N])
	case *fleet.Finding:
		return o.Says
	case *fleet.Deed:
		return strings.TrimSpace(o.Title + " " + o.Error)
	case *fleet.Node:
		return strings.TrimPrefix(o.Conditions[m.N].Reason+" "+o.Conditions[m.N].Message, " ")
	case *fleet.Pod:
		return fmt.Sprintf("container %s ended with code %d", o.LastExit.Container, o.LastExit.Code)
	case *fleet.Check:
		return o.Says
	case *fleet.Alert:
		return strings.TrimSpace(o.Name + " " + o.Says)
	case *fleet.App:
		return "sync " + strings.ToLower(o.Operation.Phase) + " " + o.Operation.Message
	case *fleet.Unit:
		return o.Lost[m.N].Limit.String() + " on " + o.Lost[m.N].Disk + " ended with its scope" // one that systemd never set has no time
	}
	return ""
}

func actionSays(a fleet.ServerAction) string {
	says := "by nova itself"
	if !a.ByNova() {
		says = "by " + a.Who()
	}
	return strings.TrimSpace(says + " " + a.Message)
}

func eventSays(e *fleet.Event, n int) string {
	switch {
	case n == ended:
		return e.Message + " (the first of " + fmt.Sprint(e.Count) + ")"
	case e.Count > 1:
		return fmt.Sprintf("%s (%d times)", e.Message, e.Count)
	}
	return e.Message
}

// From is the system that it was read from.
func (m *Moment) From() string {
	switch m.Of.(type) {
	case *fleet.Server, *fleet.Hypervisor:
		return "nova"
	case *fleet.Event, *fleet.Node, *fleet.Pod:
		return "kubernetes"
	case *fleet.KernelEvent:
		return "kernel log"
	case *fleet.BootRecord:
		return "journal"
	case *fleet.Host, *fleet.Unit:
		return "host"
	case *fleet.Domain:
		return "qemu log"
	case *fleet.Disk, *fleet.Filesystem:
		return "counters"
	case *fleet.Sensor:
		return "sensor"
	case *fleet.Finding:
		return "finding"
	case *fleet.Deed:
		return "audit log"
	case *fleet.Check:
		return "check"
	case *fleet.Alert:
		return "alertmanager"
	}
	return "argo cd"
}
