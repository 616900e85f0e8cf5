package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/fleet"
)

// follow is a log that a page wants read.
type follow struct {
	pod       fleet.Ref
	container string // "" is the one that kubectl would take
	previous  bool
}

// logPage shows the end of a pod's log, and what comes, until it is scrolled up.
func logPage(pod fleet.Ref) *pager {
	want := &follow{pod: pod}
	now := func(m *Model) *fleet.Log {
		for l := range fleet.All[*fleet.Log](m.screen.scene.s, fleet.KindLog) {
			if l.Source == pod.Source && l.Pod == pod.Name && l.Previous == want.previous && (want.container == "" || l.Container == want.container) {
				return l
			}
		}
		return nil
	}
	return &pager{
		follows: want, tail: true,
		title: func(m *Model) string { return logTitle(pod, want, now(m)) },
		lines: func(m *Model, _ int) []line { return logText(m, now(m)) },
		copies: func(m *Model) string {
			var all []string
			if l := now(m); l != nil {
				for _, one := range l.Lines {
					all = append(all, one.Text)
				}
			}
			return strings.Join(all, "\n")
		},
		own: own{hint: "p container before  tab next container", keys: func(m *Model, k string) bool {
			switch k {
			case "p":
				want.previous = !want.previous
			case "tab":
				l := now(m)
				if l == nil || len(l.Containers) == 0 {
					return true
				}
				want.container = l.Containers[(slices.Index(l.Containers, l.Container)+1)%len(l.Containers)]
			default:
				return false
			}
			return true
		}},
	}
}

func logTitle(pod fleet.Ref, want *follow, l *fleet.Log) string {
	title := "Log of " + clean(pod.Name)
	if l != nil && l.Container != "" {
		title += ", container " + clean(l.Container)
		if n := len(l.Containers); n > 1 {
			title += fmt.Sprintf(" (%d of %d)", slices.Index(l.Containers, l.Container)+1, n)
		}
	}
	if want.previous {
		title += ", the one before"
	}
	return title
}

func logText(m *Model, l *fleet.Log) (out []line) {
	if m.o.Follow == nil {
		return []line{says(warnInk, "logs cannot be read here")}
	}
	if l == nil {
		return []line{says(dim, "waiting for the log"+m.o.Theme.or("…", "..."))}
	}
	if l.Dropped > 0 {
		out = append(out, says(dim, fmt.Sprintf("%d older lines are not kept", l.Dropped)))
	}
	if l.Cut > 0 {
		out = append(out, says(dim, fmt.Sprintf("%d lines were longer than 16 KiB and are cut", l.Cut)))
	}
	for _, one := range l.Lines {
		when := ""
		if !one.At.IsZero() {
			when = one.At.UTC().Format("15:04:05.000") + " "
		}
		out = append(out, line{cells: []cell{{when, dim}, {one.Text, plain}}})
	}
	style := dim
	if l.Failing {
		style = warnInk
	}
	return append(out, says(style, "— "+l.Says))
}

// wish tells the sources which log and which manifest are being read: those of the uppermost pages that want one.
func (m *Model) wish() {
	var log follow
	var manifest fleet.Ref
	for _, o := range m.over {
		if p, ok := o.(*pager); ok {
			if p.follows != nil {
				log = *p.follows
			}
			if p.reads != (fleet.Ref{}) {
				manifest = p.reads
			}
		}
	}
	if log != m.screen.wished.log && m.o.Follow != nil {
		m.o.Follow(log.pod, log.container, log.previous)
	}
	if manifest != m.screen.wished.manifest && m.o.Read != nil {
		m.o.Read(manifest)
	}
	m.screen.wished.log, m.screen.wished.manifest = log, manifest
}

// wished is what the sources were told last.
type wished struct {
	log      follow
	manifest fleet.Ref
}

// needPod: only pods have logs.
func needPod(m *Model) string {
	if why := needObject(m); why != "" {
		return why
	}
	if r, _ := m.table().subject(); r.Kind != fleet.KindPod {
		return "only pods have logs"
	}
	return ""
}

// logs opens the log of the pod under the cursor.
func (m *Model) logs() tea.Cmd {
	if r, ok := m.table().subject(); ok {
		m.open(logPage(r))
	}
	return nil
}
