package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"strata/internal/fleet"
	"strata/internal/plain"
)

// column is one column of a table. Its text comes from the world and is cleaned before it is printed.
type column struct {
	head  string
	right bool
	cell  func(o fleet.Object, now time.Time) string
}

// on makes a cell of a function over one type.
func on[T fleet.Object](cell func(T) string) func(fleet.Object, time.Time) string {
	return func(o fleet.Object, _ time.Time) string {
		t, ok := o.(T)
		if !ok {
			return ""
		}
		return cell(t)
	}
}

// aged is on for cells that tell how long ago something was.
func aged[T fleet.Object](when func(T) time.Time) func(fleet.Object, time.Time) string {
	return func(o fleet.Object, now time.Time) string {
		t, ok := o.(T)
		if !ok {
			return ""
		}
		return age(when(t), now)
	}
}

// printTables prints a table for each kind that is there. Lines written to w cannot be taken back: w keeps its first
// error, as a bufio.Writer does.
func printTables(w io.Writer, s *fleet.Snapshot, chosen, colours bool) {
	first := true
	for _, k := range kindTable() {
		if !chosen && (k.kind == fleet.KindLease || k.kind == fleet.KindDeed) {
			continue // they are many and tell little on their own
		}
		rows := rowsOf(s, k.kind)
		if len(rows) == 0 {
			continue
		}
		if !first {
			fmt.Fprintln(w)
		}
		first = false
		fmt.Fprintf(w, "%s: %d\n", k.words[0], len(rows))
		printTable(w, columnsOf(k.kind), rows, s.At, colours)
	}
}

// rowsOf are the objects of a kind, worst first.
func rowsOf(s *fleet.Snapshot, kind fleet.Kind) []fleet.Object {
	var rows []fleet.Object
	if kind == fleet.KindFinding {
		for i := range s.Findings {
			if s.Findings[i].Under == "" && s.Findings[i].Cleared.IsZero() {
				rows = append(rows, &s.Findings[i])
			}
		}
		return rows
	}
	for o := range s.Each(kind) {
		rows = append(rows, o)
	}
	slices.SortStableFunc(rows, func(a, b fleet.Object) int {
		if c := cmp.Compare(a.Health().State.Rank(), b.Health().State.Rank()); c != 0 {
			return c
		}
		one, ok := a.(*fleet.Server) // their refs are ids, which nobody sorts by
		other, also := b.(*fleet.Server)
		if !ok || !also {
			return 0
		}
		return strings.Compare(one.Name, other.Name)
	})
	return rows
}

func printTable(w io.Writer, columns []column, rows []fleet.Object, now time.Time, colours bool) {
	all := []column{{head: "STATE", cell: func(o fleet.Object, _ time.Time) string { return o.Health().State.String() }}}
	if several(rows) {
		all = append(all, column{head: "SOURCE", cell: func(o fleet.Object, _ time.Time) string { return o.Ref().Source }})
	}
	if ofSeveral(rows) {
		all = append(all, column{head: "HOST", cell: func(o fleet.Object, _ time.Time) string { return fleet.MachineOf(o) }})
	}
	all = append(all, columns...)
	cells := make([][]string, 0, len(rows)+1)
	head := make([]string, len(all))
	for i, c := range all {
		head[i] = c.head
	}
	cells = append(cells, head)
	for _, o := range rows {
		line := make([]string, len(all))
		for i, c := range all {
			line[i] = plain.Text(c.cell(o, now))
			if line[i] == "" {
				line[i] = "-"
			}
		}
		cells = append(cells, line)
	}
	widths := make([]int, len(all))
	for _, line := range cells {
		for i, text := range line {
			widths[i] = max(widths[i], ansi.StringWidth(text))
		}
	}
	for n, line := range cells {
		var b strings.Builder
		for i, text := range line {
			padded := pad(text, widths[i], all[i].right)
			if i == len(line)-1 && !all[i].right {
				padded = text
			}
			if i == 0 && n > 0 && colours {
				padded = coloured(rows[n-1].Health().State) + padded + "\x1b[m"
			}
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(padded)
		}
		fmt.Fprintln(w, b.String())
	}
}

func several(rows []fleet.Object) bool {
	for _, o := range rows {
		if o.Ref().Source != rows[0].Ref().Source {
			return true
		}
	}
	return false
}

// ofSeveral reports whether the rows are things of many machines that one source tells of.
func ofSeveral(rows []fleet.Object) bool {
	return rows[0].Ref().Kind != fleet.KindHost && slices.ContainsFunc(rows, func(o fleet.Object) bool {
		return strings.HasPrefix(o.Ref().Source, fleet.FleetSource) && fleet.MachineOf(o) != ""
	})
}

func coloured(s fleet.State) string {
	return [...]string{fleet.StateUnknown: "\x1b[2m", fleet.StateOK: "\x1b[32m", fleet.StateWarn: "\x1b[33m", fleet.StateBad: "\x1b[1;31m"}[s]
}

// age is how long ago something was, in one or two units; "" when that is not known.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := max(0, now.Sub(t))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// size is a number of bytes with a binary unit: 15.3G.
func size[N int64 | uint64 | float64](bytes N) string {
	const units = "BKMGTPE"
	n, i := float64(bytes), 0
	for n >= 1000 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if i == 0 || n >= 100 {
		return fmt.Sprintf("%.0f%c", n, units[i])
	}
	return fmt.Sprintf("%.1f%c", n, units[i])
}

// maybe formats a value that may be missing; a missing one is "".
func maybe[T any](o fleet.Opt[T], text func(T) string) string {
	if !o.OK {
		return ""
	}
	return text(o.V)
}
