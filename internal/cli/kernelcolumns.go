package cli

import (
	"strconv"
	"time"

	"strata/internal/fleet"
)

func kernelColumns(kind fleet.Kind) []column {
	if kind == fleet.KindKernelLog {
		return []column{
			{"HOST", false, on(func(l *fleet.KernelLog) string { return l.Host })},
			{"READER", false, on(func(l *fleet.KernelLog) string { return l.Reader })},
			{"FROM", false, on(func(l *fleet.KernelLog) string { return moment(l.From) })},
			{"BOOTS", true, on(func(l *fleet.KernelLog) string { return strconv.Itoa(len(l.Boots)) })},
			{"LINES", true, on(func(l *fleet.KernelLog) string { return strconv.Itoa(len(l.Lines)) })},
			{"LOST", true, on(func(l *fleet.KernelLog) string { return strconv.Itoa(l.Dropped) })},
			{"LAST", false, on(func(l *fleet.KernelLog) string {
				if len(l.Lines) == 0 {
					return ""
				}
				return l.Lines[len(l.Lines)-1].Text
			})},
		}
	}
	if kind == fleet.KindBoot {
		return []column{
			{"HOST", false, on(func(b *fleet.BootRecord) string { return b.Host })},
			{"BEGAN", false, on(func(b *fleet.BootRecord) string { return moment(b.Begin) })},
			{"ENDED", false, on(func(b *fleet.BootRecord) string { return moment(b.End) })},
			{"STATUS", false, on(func(b *fleet.BootRecord) string { return b.Health().Word })},
			{"BOOT", false, on(func(b *fleet.BootRecord) string { return b.ID })},
			{"LAST LINE", false, on(func(b *fleet.BootRecord) string { return b.Last })},
		}
	}
	return []column{
		{"TIME", false, on(func(e *fleet.KernelEvent) string { return moment(e.At) })},
		{"HOST", false, on(func(e *fleet.KernelEvent) string { return e.Host })},
		{"CLASS", false, on(func(e *fleet.KernelEvent) string { return e.Class })},
		{"SEVERITY", false, on(func(e *fleet.KernelEvent) string { return e.Severity.String() })},
		{"SUBJECT", false, on(func(e *fleet.KernelEvent) string { return e.Subject })},
		{"TIMES", true, on(func(e *fleet.KernelEvent) string { return strconv.Itoa(e.Count) })},
		{"CAUSE", false, on(func(e *fleet.KernelEvent) string { return e.Cause })},
		{"LINE", false, on(func(e *fleet.KernelEvent) string { return e.Line })},
	}
}

// moment is a time in UTC, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
