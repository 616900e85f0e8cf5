package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/fleet"
	"strata/internal/plain"
	"strata/internal/wire"
)

// exitNone is the code of a snapshot in which nothing answered, and of a doctor who finds nothing that works.
const exitNone = 2

type snapshotOptions struct {
	options
	output string
	only   []string
	wait   time.Duration
	past

	findings bool
}

func (p *program) snapshotVerb() *cobra.Command {
	var o snapshotOptions
	verb := &cobra.Command{
		Use:   "snapshot",
		Short: "Print what is seen, once",
		Long: `snapshot waits until every source has answered or failed, prints what was seen, and says on standard error what
failed. It only reads.

Exit codes: 0 everything answered, 1 something failed, 2 nothing answered.`,
		Example: `  strata snapshot
  strata snapshot --only servers
  strata snapshot -o json --only pods,nodes | jq '.parts[].objects[].name'
  strata snapshot -o yaml --wait 30s > before.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(p.snapshot(c.Context(), o)) },
	}
	o.looking(verb)
	f := verb.Flags()
	f.StringVarP(&o.output, "output", "o", "table", "table, json or yaml; docs/snapshot.md describes the last two")
	f.StringSliceVar(&o.only, "only", nil, "look at these `kinds` only: "+strings.Join(kindWords(), ", "))
	o.flags(verb)
	f.BoolVar(&o.findings, "findings", false, "the findings only: short for --only findings")
	f.DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for answers")
	// Completion is a service: without it the flags work all the same.
	_ = verb.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	_ = verb.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(kindWords(), cobra.ShellCompDirectiveNoFileComp))
	return verb
}

func (p *program) snapshot(ctx context.Context, o snapshotOptions) error {
	if !slices.Contains([]string{"table", "json", "yaml"}, o.output) {
		return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("there is no output %q", o.output), Fix: "choose -o table, json or yaml"}}
	}
	if o.findings {
		o.only = append(o.only, "findings")
	}
	kinds, err := kindsOf(o.only)
	if err != nil {
		return &exit{exitUsage, err}
	}
	if o.from != "" {
		s, err := o.recording()
		if err != nil {
			return err
		}
		return p.print(kinds.keep(s), o.output, len(kinds) > 0)
	}
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()

	a := assemble(here(c, o.noHost), c, kinds.wanted)
	var want []awaited
	for _, w := range a.awaited {
		if kinds.wanted(kindOfScope(w.scope)) {
			want = append(want, w)
		}
	}
	s, err := a.once(ctx, want)
	if err != nil {
		return err
	}
	if err := p.print(kinds.keep(s), o.output, len(kinds) > 0); err != nil {
		return fmt.Errorf("printing the snapshot: %w", err)
	}
	if len(kinds) == 0 {
		p.mention(a)
	}
	return p.judge(a, answers(s, want, o.wait))
}

func (p *program) print(s *fleet.Snapshot, output string, chosen bool) error {
	out := bufio.NewWriter(p.stdout)
	if output == "table" {
		printTables(out, s, chosen, p.colours())
		return out.Flush()
	}
	b, err := wire.EncodeSnapshot(s)
	if err != nil {
		return err
	}
	if output == "yaml" {
		if b, err = wire.YAML(b); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimSuffix(b, []byte("\n"))); err != nil {
		return err
	}
	return out.Flush()
}

// judge says on standard error what failed, and turns it into the exit code. A layer that is not there is no failure,
// unless nothing else is.
func (p *program) judge(a *assembly, all []answer) error {
	good, bad := 0, 0
	said := map[string]bool{}
	var absent []error
	for _, one := range all {
		switch {
		case one.err == "":
			good++
			continue
		case one.part != nil && one.part.Unconfigured:
			absent = append(absent, &fleet.Trouble{Doing: one.err, Fix: one.fix})
			continue
		}
		bad++
		line := one.source + " " + one.scope + ": " + one.err
		if one.part != nil && one.part.Scope == "" {
			line = one.source + ": " + one.err
		}
		if one.fix != "" {
			line += "; " + one.fix
		}
		if !said[line] {
			said[line] = true
			fmt.Fprintln(p.stderr, "strata: "+plain.Text(line))
		}
	}
	switch {
	case good == 0:
		for _, o := range a.absent {
			absent = append(absent, o.Err)
		}
		for _, err := range absent {
			fmt.Fprintln(p.stderr, "strata: "+sentence(err))
		}
		return &exit{code: exitNone}
	case bad > 0:
		return &exit{code: exitFailed}
	}
	return nil
}

// mention tells a reader at a terminal which layers are not there at all. A script knows what it asked for.
func (p *program) mention(a *assembly) {
	for _, o := range a.absent {
		if name := layerName(o.Source); o.Source != "host" && isTerminal(p.stderr) {
			fmt.Fprintf(p.stderr, "strata: %s is not configured; strata doctor tells where it was looked for\n", name)
		}
	}
}

// colours reports whether tables may be coloured: on a terminal whose owner did not say otherwise.
func (p *program) colours() bool {
	return isTerminal(p.stdout) && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
}
