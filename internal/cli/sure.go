package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	tea "charm.land/bubbletea/v2"

	"strata/internal/paint"
)

// panicked is a panic that was caught, with the stack it came from.
type panicked struct {
	doing string
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("panic while %s: %v\n\n%s", p.doing, p.value, p.stack)
}

// caught turns a recovered value into an error; nil when nothing panicked.
func caught(doing string, value any) error {
	if value == nil {
		return nil
	}
	return &panicked{doing, value, debug.Stack()}
}

// sure is a model whose panics end the program in order. Bubble Tea catches panics too, but prints its report while the
// program may be gone already.
//
// It also paints each frame as soon as it is drawn; Bubble Tea, which would wait for its next tick, is given an empty one
// and sees to the terminal's modes.
type sure struct {
	model  tea.Model
	screen *paint.Screen
	cancel context.CancelCauseFunc
}

func (s sure) Init() tea.Cmd { return s.cmd(s.model.Init()) }

func (s sure) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	defer func() {
		if err := caught("taking in a key or a snapshot", recover()); err != nil {
			s.cancel(err)
			next, cmd = s, nil
		}
	}()
	model, cmd := s.model.Update(msg)
	return sure{model, s.screen, s.cancel}, s.cmd(cmd)
}

func (s sure) View() (view tea.View) {
	defer func() {
		if err := caught("drawing", recover()); err != nil {
			s.cancel(err)
			view = tea.View{AltScreen: true}
		}
	}()
	view = s.model.View()
	_ = s.screen.Paint(view.Content) // a terminal that is gone ends the program by itself
	view.Content = " "
	return view
}

// cmd guards a command and those it brings.
func (s sure) cmd(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if err := caught("waiting for data", recover()); err != nil {
				s.cancel(err)
				msg = nil
			}
		}()
		msg = cmd()
		if batch, ok := msg.(tea.BatchMsg); ok {
			for i := range batch {
				batch[i] = s.cmd(batch[i])
			}
		}
		return msg
	}
}
