package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fleet"
	"strata/internal/plain"
)

// Exit codes of act beside those all verbs share.
const (
	exitRefused = 3
	exitNotSeen = 4
	exitAborted = 5
)

type actOptions struct {
	options
	dry, yes bool
	typed    string
	output   string
	wait     time.Duration
}

func (p *program) actVerb() *cobra.Command {
	var o actOptions
	verb := &cobra.Command{
		Use:   "act ACTION TARGET [NAME=VALUE...]",
		Short: "Do one thing to one object: planned, and with --yes done, written down and seen",
		Long: `act plans an action and prints the command a person would type, what will happen, what speaks against it and what
forbids it. With --yes it does it, writes it into the audit log, and waits until it is seen to work.

TARGET is a name or an id; SOURCE:NAME where several sources have it. "undo" as ACTION takes back a line of the audit
log, by the id that stands there.

` + actionList() + `
Exit codes: 0 seen, or planned and allowed; 1 failed; 2 wrong call; 3 refused; 4 accepted but not seen; 5 aborted.`,
		Example: `  strata act server-start k8s-worker-1
  strata act server-start k8s-worker-1 --yes
  strata act server-start k8s-worker-1 --dry-run -o json | jq .refused`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return &exit{exitUsage, &fleet.Trouble{Doing: "act needs an action and a target", Fix: "strata act --help lists the actions"}}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return failed(p.act(c.Context(), o, args)) },
	}
	o.looking(verb)
	f := verb.Flags()
	f.BoolVar(&o.dry, "dry-run", false, "plan only, whatever else is said")
	f.BoolVar(&o.yes, "yes", false, "do it")
	f.StringVar(&o.typed, "typed", "", "what the plan wants typed, for actions that destroy")
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	f.DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for what is looked at; for the target itself three times as long")
	// Completion is a service: without it the arguments work all the same.
	_ = verb.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	verb.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, one := range actions.Offers() {
			names = append(names, one.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return verb
}

// actionList lists the actions with their params, for the help.
func actionList() string {
	var b strings.Builder
	b.WriteString("Actions:\n")
	for _, o := range actions.Offers() {
		if o.Key == "" {
			continue
		}
		fmt.Fprintf(&b, "  %-22s %s (%s)\n", o.Name, o.Title, o.Kind)
		for _, param := range o.Params {
			fmt.Fprintf(&b, "  %-22s   %s=  %s\n", "", param.Name, param.Help)
		}
	}
	return b.String()
}

func (p *program) act(ctx context.Context, o actOptions, args []string) error {
	if !slices.Contains([]string{"text", "json"}, o.output) {
		return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("there is no output %q", o.output), Fix: "choose -o text or json"}}
	}
	wish, err := parseWish(args)
	if err != nil {
		return &exit{exitUsage, err}
	}
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	a := assemble(here(c, o.noHost), c, everything)
	return p.running(ctx, a, o.wait, func(ctx context.Context, s *fleet.Snapshot) error {
		return p.grant(ctx, a, c, o, wish, a.still(ctx, s, o.wait, wish))
	})
}

// still waits on for a target that is not seen while not all has answered: a machine that swaps is slow to tell of itself,
// and just then it is to be acted on.
func (a *assembly) still(ctx context.Context, s *fleet.Snapshot, wait time.Duration, w wish) *fleet.Snapshot {
	if w.there(s) || allAnswered(s, a.awaited) {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, 2*wait)
	defer cancel()
	return a.until(ctx, func(s *fleet.Snapshot) bool { return w.there(s) || allAnswered(s, a.awaited) })
}

// grant plans what is wished for and, if it may, does it.
func (p *program) grant(ctx context.Context, a *assembly, c config.Config, o actOptions, w wish, s *fleet.Snapshot) error {
	act, err := w.action(s)
	if err != nil {
		return &exit{exitUsage, err}
	}
	plan := act.Plan(s)
	report := newActReport(plan)
	if o.dry || !o.yes || len(plan.Refused) > 0 {
		return p.planned(report, o.output)
	}
	if !c.ReadOnly {
		h, err := p.hands(a, c)
		if err != nil {
			return err
		}
		defer h.putDown()
		return p.do(ctx, h.runner, plan, report, o)
	}
	report.Refused = append(report.Refused, "readOnly is set in the configuration")
	return p.planned(report, o.output)
}

// running keeps an assembly looking while something is done with it, once all of it has answered or wait is over.
func (p *program) running(ctx context.Context, a *assembly, wait time.Duration, do func(context.Context, *fleet.Snapshot) error) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.run(ctx) // ends with the context only
	}()
	defer func() {
		stop()
		select {
		case <-ended:
		case <-time.After(settleFor):
		}
	}()
	within, cancel := context.WithTimeout(ctx, wait)
	s := a.settled(within, a.awaited)
	cancel()
	return do(ctx, s)
}

// do approves and runs a plan, telling its progress on standard error.
func (p *program) do(ctx context.Context, r *actions.Runner, plan actions.Plan, report *actReport, o actOptions) error {
	if o.output == "text" {
		report.print(p.stdout)
	}
	ok, err := r.Approve(plan, o.typed)
	if err != nil {
		report.Outcome, report.Says = string(actions.Refused), err.Error()
		if o.output == "json" {
			err = errors.Join(err, report.json(p.stdout))
		}
		return &exit{exitRefused, &fleet.Trouble{Doing: err.Error(), Fix: "--typed gives what must be typed"}}
	}
	defer interruptible(func() { r.Abort(plan.Action.Target()) })()
	var last actions.Progress
	err = r.Run(ctx, ok, func(now actions.Progress) {
		last = now
		if o.output == "text" {
			fmt.Fprintln(p.stderr, plain.Text(progressLine(now)))
		}
	})
	report.Outcome, report.Says, report.Output = string(last.Phase), last.Says, last.Output
	if err != nil {
		report.Says = err.Error()
	}
	if o.output == "json" {
		if err := report.json(p.stdout); err != nil {
			return err
		}
	} else if last.Output != "" {
		fmt.Fprintln(p.stdout, plain.Lines(last.Output))
	}
	switch last.Phase {
	case actions.Seen:
		return nil
	case actions.NotSeen:
		return &exit{code: exitNotSeen}
	case actions.Aborted:
		return &exit{code: exitAborted}
	case actions.Refused:
		return &exit{code: exitRefused}
	}
	return &exit{code: exitFailed}
}

func progressLine(now actions.Progress) string {
	line := now.Title + ": " + string(now.Phase)
	if now.Share.OK {
		line += fmt.Sprintf(" %.0f %%", now.Share.V*100)
	}
	if now.Says != "" {
		line += ": " + now.Says
	}
	return line
}

// interruptible has an action stop where it safely can when its operator presses ctrl-c, or ends the program.
func interruptible(abort func()) (ignore func()) {
	signals, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				abort()
			case <-over:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(over)
	}
}
