package ui

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// runs keeps what running actions said last.
type runs struct {
	now map[fleet.Ref]actions.Progress
	ch  chan actions.Progress
}

type progressMsg actions.Progress

func newRuns() runs {
	return runs{now: map[fleet.Ref]actions.Progress{}, ch: make(chan actions.Progress, 64)}
}

func (r runs) await(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case p := <-r.ch:
			return progressMsg(p)
		case <-ctx.Done():
			return nil
		}
	}
}

// start runs approved plans one after the other; with halt the first that fails is the last.
func (m *Model) start(approved []actions.Approved, halt bool) tea.Cmd {
	ctx, runner, ch := m.ctx, m.o.Runner, m.runs.ch
	return func() tea.Msg {
		say := func(p actions.Progress) {
			select {
			case ch <- p:
			case <-ctx.Done():
			}
		}
		runner.RunAll(ctx, approved, halt, say)
		return nil
	}
}

// progress takes what an action says: it stays on the target's row until the action ended.
func (m *Model) progress(p actions.Progress) {
	if before := m.runs.now[p.Target]; p.Phase == actions.Refused && before.Phase != actions.Queued && before.Phase != "" {
		m.say(badInk, p.Says) // another run has it
		return
	}
	if p.Phase.Over() {
		delete(m.runs.now, p.Target)
	} else {
		m.runs.now[p.Target] = p
	}
	style := plain
	switch p.Phase {
	case actions.Seen:
		style = okInk
	case actions.NotSeen:
		style = warnInk
	case actions.Failed, actions.Aborted, actions.Refused:
		style = badInk
	}
	if p.Phase.Over() && p.Output != "" {
		m.open(outputPage(p))
	}
	says := p.Title + ": " + string(p.Phase)
	if p.Share.OK {
		says += " " + m.o.Theme.bar(p.Share.V, 20)
	}
	if p.Says != "" && !strings.HasPrefix(p.Says, p.Title) {
		says += ": " + p.Says
	} else if p.Says != "" {
		says = p.Says
	}
	m.say(style, says)
}

// outputPage is the text that an action was asked for.
func outputPage(p actions.Progress) *pager {
	lines := strings.Split(strings.TrimRight(p.Output, "\n"), "\n")
	return &pager{
		title: func(*Model) string { return p.Title },
		lines: func(*Model, int) (out []line) {
			for _, l := range lines {
				out = append(out, says(plain, l))
			}
			return out
		},
		copies: func(*Model) string { return p.Output },
	}
}

// abort asks the action that runs on the row to stop.
func (m *Model) abort() tea.Cmd {
	r := m.table().at.Ref()
	switch {
	case m.o.Runner == nil:
		m.say(warnInk, "read-only: "+m.mode().Closed)
	case m.o.Runner.Abort(r):
		m.say(warnInk, "aborting "+m.runs.now[r].Title+": what is left will be said")
	default:
		m.say(warnInk, "nothing runs on this row")
	}
	return nil
}
