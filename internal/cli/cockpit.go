package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources"
	"strata/ui"
)

// patience is how long the effect of an action is waited for before it counts as not seen.
const patience = 2 * time.Minute

func (p *program) watchVerb() *cobra.Command {
	o := options{readOnly: true, why: "started with `strata watch`"}
	verb := &cobra.Command{
		Use:   "watch",
		Short: "Open the cockpit without the ability to change anything",
		Long: `watch is the cockpit without hands: it makes no client that could write, and its transports let nothing but
reading requests out.`,
		Example: `  strata watch
  strata watch --cloud home --no-host`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(p.cockpit(c.Context(), o)) },
	}
	o.cockpit(verb)
	return verb
}

func (p *program) cockpit(ctx context.Context, o options) error {
	t, err := p.terminal()
	if err != nil {
		return err
	}
	c, err := p.settings(o)
	if err != nil {
		return err
	}
	why := o.why
	switch {
	case why != "":
		c.ReadOnly = true
	case o.readOnly:
		why = "started with --read-only"
	case c.ReadOnly:
		why = "readOnly is set in the configuration"
	}
	return p.open(ctx, t, c, why, here(c, o.noHost))
}

// open runs the cockpit over what is found at these places until its reader leaves.
func (p *program) open(ctx context.Context, t *terminal, c config.Config, why string, at places) error {
	quiet, err := openLog(p.logPath())
	if err != nil {
		return err
	}
	defer quiet.close()
	connect.QuietKlog(quiet.handler)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := assemble(at, c, everything)
	h := &hands{}
	if !c.ReadOnly {
		if h, err = p.hands(a, c); err != nil {
			h, why = &hands{}, sentence(err)
		}
	}
	defer h.putDown()
	a.sources = append(a.sources, &known{store: a.store})
	more := &joined{ctx: ctx, a: a, writing: h.writing}
	model := ui.New(ctx, ui.Options{
		Store: a.store, Theme: ui.NewTheme(c.UI.ASCII || p.onlyASCII(), p.profile() <= colorprofile.ANSI), Title: a.title(), Runner: h.runner, ReadOnly: why,
		Look: a.wishes.Look, Refresh: a.wishes.Refresh, Read: a.wishes.Read, Follow: func(pod fleet.Ref, container string, previous bool) {
			a.wishes.Follow(sources.LogWish{Pod: pod, Container: container, Previous: previous})
		}, Shell: p.shell(a.machines, more.all), Connect: at.connecting(more), Version: versionOf().Version, Mouse: c.UI.Mouse,
	})
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		_ = a.run(ctx) // ends with the context only
		more.running.Wait()
	}()
	go func() {
		select {
		case err := <-a.broke:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err = p.play(ctx, cancel, model, t, quiet)
	cancel(nil)
	// Sources end at once. One that hangs in the kernel must not keep its reader from leaving.
	select {
	case <-looked:
	case <-time.After(time.Second):
	}
	return err
}

// lastDeeds is how long the cockpit waits for running actions to go on record when it is left.
const lastDeeds = 2 * time.Second

// hands are the writing half of the cockpit. A cockpit that cannot act has empty ones.
type hands struct {
	runner  *actions.Runner
	audit   *actions.Audit
	writing *connect.Writing
}

// putDown lets actions that still run write their last line. Their context has ended before.
func (h *hands) putDown() {
	if h.runner == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastDeeds)
	defer cancel()
	h.runner.Wait(ctx)
	_ = h.audit.Close() // every line was synced when it was written
	h.writing.Close()
}

// hands makes the writing half of the cockpit. Without an audit log there is none.
func (p *program) hands(a *assembly, c config.Config) (*hands, error) {
	audit, err := actions.OpenAudit(c.Audit.Path)
	if err != nil {
		return nil, &fleet.Trouble{Doing: "nothing can be done without the audit log", Cause: err, Fix: "set audit.path in the configuration"}
	}
	writing := connect.ForWriting(versionOf().Version, a.reach())
	runner := actions.NewRunner(actions.Setup{
		Hands: actions.NewHands(writing), Store: a.store, Audit: audit, Who: cmp.Or(c.Who, p.who()), Wake: a.wishes.Refresh, Patient: patience,
		Locks: p.locks(c),
	})
	if c.Write == config.Ask {
		runner.Close(":write 10m REASON opens it for writing")
	}
	return &hands{runner, audit, writing}, nil
}

// locks is the folder in which all who act from this machine exclude each other: root's for root, else the operator's own.
func (p *program) locks(c config.Config) string {
	if os.Getuid() == 0 && c.Audit.Path == config.Default(p.getenv).Audit.Path {
		return "/run/strata/locks"
	}
	return filepath.Join(filepath.Dir(c.Audit.Path), "locks")
}

// play shows a model on the terminal until it ends, and leaves the terminal as it was found, whatever happened.
func (p *program) play(ctx context.Context, cancel context.CancelCauseFunc, model tea.Model, t *terminal, quiet *quietLog) error {
	release, err := quiet.takeStderr(p.stderr)
	if err != nil {
		return err
	}
	watched := t.guard(ctx, cancel, release)
	out := t.out(cancel, p.profile())
	// Once a second does for the terminal's modes; the cockpit's frames do not wait for it, and each wake-up costs.
	_, err = tea.NewProgram(sure{model, out.screen, cancel},
		tea.WithContext(ctx), tea.WithFPS(1), tea.WithInput(t.in(cancel)), tea.WithOutput(out),
		tea.WithoutSignalHandler(), tea.WithColorProfile(p.profile()),
	).Run()
	out.screen.Leave()
	watched()
	t.restore()
	release()

	var gone *gone
	var panicked *panicked
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return nil
	case errors.As(cause, &gone):
		return &exit{gone.code, gone}
	case errors.As(cause, &panicked):
		fmt.Fprintln(p.stderr, panicked)
		return &exit{exitFailed, &fleet.Trouble{Doing: "the cockpit panicked", Fix: "this is a bug; please report it with the lines above"}}
	case errors.Is(err, tea.ErrProgramPanic):
		return &exit{exitFailed, &fleet.Trouble{Doing: "the cockpit panicked", Fix: "this is a bug; please report it with the end of " + quiet.path}}
	}
	return &exit{exitFailed, &fleet.Trouble{Doing: "showing the screen", Cause: err, Fix: "use `strata snapshot`"}}
}

// profile is which colours the terminal has. Bubble Tea would start tmux to find out.
func (p *program) profile() colorprofile.Profile {
	if p.getenv("NO_COLOR") != "" {
		return colorprofile.ASCII
	}
	return max(colorprofile.Env(os.Environ()), colorprofile.Terminfo(p.getenv("TERM")))
}
