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

// start runs approved plans one after the other.
func (m *Model) start(approved []actions.Approved) tea.Cmd {
	ctx, runner, ch := m.ctx, m.o.Runner, m.runs.ch
	return func() tea.Msg {
		for _, ok := range approved {
			if ctx.Err() != nil {
				return nil // nothing of what is left is begun
			}
			// What came of it is said by its last progress and stands in the audit log.
			_ = runner.Run(ctx, ok, func(p actions.Progress) {
				select {
				case ch <- p:
				case <-ctx.Done():
				}
			})
		}
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
	case actions.Failed, actions.Refused:
		style = badInk
	}
	says := p.Title + ": " + string(p.Phase)
	if p.Says != "" && !strings.HasPrefix(p.Says, p.Title) {
		says += ": " + p.Says
	} else if p.Says != "" {
		says = p.Says
	}
	m.say(style, says)
}
