package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata/actions"
	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/plain"
)

type whyOptions struct {
	options
	past
	output string
	wait   time.Duration
}

// past is a recording to look at in place of the world.
type past struct {
	from, at string
}

func (o *past) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "look at this recording (`file`) instead of the world")
	f.StringVar(&o.at, "at", "", "as of this `time` of the recording: 2025-07-07T15:48:00Z; its end when not given")
}

// recording is the snapshot of the recording.
func (o *past) recording() (*fleet.Snapshot, error) {
	var at time.Time
	if o.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, o.at); err != nil {
			return nil, &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("%q is no time", o.at), Fix: "write it as 2025-07-07T15:48:00Z"}}
		}
	}
	return recorded(o.from, at)
}

func (p *program) whyVerb() *cobra.Command {
	var o whyOptions
	verb := &cobra.Command{
		Use:   "why [OBJECT]",
		Short: "Tell what is wrong with an object, or with all, and what repairs it",
		Long: `why looks once, as snapshot does, and tells the causes: what is found on the object and on everything it stands on, the
evidence with where it came from, what could not be seen, and the commands that repair it, to run or to hand to somebody who may.
Without OBJECT it tells the causes of everything, worst first. OBJECT is a name, KIND/NAME, or SOURCE:NAME where several have one name.

Exit codes: 0 nothing was found, 1 something was (or looking failed), 2 wrong call.`,
		Example: `  strata why
  strata why k8s-worker-1
  strata why pod/shop/web-1
  strata why --from trouble.jsonl --at 2025-07-07T15:48:00Z node/k8s-worker-2`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return failed(p.why(c.Context(), o, strings.Join(args, "")))
		},
	}
	o.looking(verb)
	o.flags(verb)
	verb.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	verb.Flags().DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for answers")
	return verb
}

func (p *program) why(ctx context.Context, o whyOptions, object string) error {
	if o.output != "text" && o.output != "json" {
		return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("there is no output %q", o.output), Fix: "choose -o text or json"}}
	}
	s, err := p.lookedAt(ctx, o)
	if err != nil {
		return err
	}
	told := whyTold{At: s.At}
	if object != "" {
		r, err := anyNamed(s, object)
		if err != nil {
			return &exit{exitUsage, err}
		}
		told.Object = &r
		told.Chain = chainOf(s, r)
	}
	told.Causes = causesOf(s, told.Chain)
	out := bufio.NewWriter(p.stdout)
	if o.output == "json" {
		b, err := json.MarshalIndent(told, "", "  ")
		if err != nil {
			return fmt.Errorf("writing it out: %w", err)
		}
		fmt.Fprintln(out, string(b))
	} else {
		told.print(out, s)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if len(told.Causes) > 0 {
		return &exit{code: exitFailed}
	}
	return nil
}

// lookedAt is the snapshot to explain: of a recording, or of one look at everything.
func (p *program) lookedAt(ctx context.Context, o whyOptions) (*fleet.Snapshot, error) {
	if o.from != "" {
		return o.recording()
	}
	c, err := p.settings(o.options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	a := assemble(here(c, o.noHost), c, everything)
	return a.once(ctx, a.awaited)
}

// whyTold is what why tells, as JSON.
type whyTold struct {
	At     time.Time  `json:"at"`
	Object *fleet.Ref `json:"object,omitempty"`
	Chain  []whyStep  `json:"chain,omitempty"` // the object and what it stands on
	Causes []whyCause `json:"causes"`
}

type whyStep struct {
	fleet.Ref
	Depth int    `json:"depth"`
	State string `json:"state"`
	How   string `json:"how,omitempty"` // what ties it to the one before
}

type whyCause struct {
	fleet.Finding
	Explains []string         `json:"explains,omitempty"` // what is found and follows from it
	Repairs  []actions.Repair `json:"repairs,omitempty"`  // of it and of what follows from it
}

func chainOf(s *fleet.Snapshot, r fleet.Ref) (chain []whyStep) {
	for _, step := range diagnose.Chain(s, r) {
		state := "not seen"
		if o, ok := s.Get(step.Ref); ok {
			state = o.Health().Word
		}
		chain = append(chain, whyStep{step.Ref, step.Depth, state, step.How})
	}
	return chain
}

// causesOf are the findings that are explained by none other, by rank: all of them, or those of a chain and of what its own
// findings follow from.
func causesOf(s *fleet.Snapshot, chain []whyStep) []whyCause {
	byKey := map[string]*fleet.Finding{}
	for i := range s.Findings {
		byKey[s.Findings[i].Key()] = &s.Findings[i]
	}
	root := func(f *fleet.Finding) *fleet.Finding {
		for range s.Findings {
			up := byKey[f.Under]
			if up == nil {
				break
			}
			f = up
		}
		return f
	}
	follow := map[*fleet.Finding][]*fleet.Finding{}
	var roots []*fleet.Finding
	for i := range s.Findings {
		f := &s.Findings[i]
		concerns := chain == nil || slices.ContainsFunc(chain, func(step whyStep) bool { return step.Ref == f.About })
		if !f.Shown || !f.Cleared.IsZero() || !concerns || chain == nil && f.Severity < fleet.Warn {
			continue
		}
		r := root(f)
		if !slices.Contains(roots, r) {
			roots = append(roots, r)
		}
		if r != f {
			follow[r] = append(follow[r], f)
		}
	}
	causes := []whyCause{}
	for i := range s.Findings {
		f := &s.Findings[i]
		if !slices.Contains(roots, f) {
			continue
		}
		c := whyCause{Finding: *f, Repairs: actions.Repairs(s, append([]*fleet.Finding{f}, follow[f]...)...)}
		for _, effect := range follow[f] {
			c.Explains = append(c.Explains, effect.Says)
		}
		causes = append(causes, c)
	}
	return causes
}

// anyNamed finds an object of any kind by its name, or of one as KIND/NAME. What findings may be about comes before what only
// belongs to it, as leases and events do.
func anyNamed(s *fleet.Snapshot, object string) (fleet.Ref, error) {
	if word, name, ok := strings.Cut(object, "/"); ok {
		if kinds, err := kindsOf([]string{word}); err == nil && len(kinds) == 1 {
			return find(s, kinds[0], name)
		}
	}
	var found []fleet.Ref
	for _, k := range kindTable() {
		switch k.kind {
		case fleet.KindLease, fleet.KindEvent, fleet.KindDeed, fleet.KindFinding, fleet.KindAgent, fleet.KindKernelLog:
			continue
		}
		if r, err := find(s, k.kind, object); err == nil {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return fleet.Ref{}, &fleet.Trouble{Doing: fmt.Sprintf("nothing called %q is seen", object), Fix: "strata snapshot lists what is"}
	case 1:
		return found[0], nil
	}
	var names []string
	for _, r := range found {
		names = append(names, string(r.Kind)+"/"+object)
	}
	return fleet.Ref{}, &fleet.Trouble{Doing: fmt.Sprintf("several things are called %q", object), Fix: "choose of " + strings.Join(names, ", ")}
}

func (t *whyTold) print(w io.Writer, s *fleet.Snapshot) {
	say := func(indent int, format string, args ...any) {
		fmt.Fprintln(w, strings.Repeat(" ", indent)+plain.Text(fmt.Sprintf(format, args...)))
	}
	for _, step := range t.Chain {
		how := ""
		if step.How != "" {
			how = " (by " + step.How + ")"
		}
		name := step.Name
		if o, ok := s.Get(step.Ref); ok {
			name = fleet.NameOf(o)
		}
		say(2*step.Depth, "%s %s: %s%s", step.Kind, name, step.State, how)
	}
	if len(t.Causes) == 0 {
		say(0, "no finding in what can be read")
	}
	for _, c := range t.Causes {
		fmt.Fprintln(w)
		say(0, "%s: %s", c.Severity, c.Says)
		say(2, "%s, confidence %s, since %s", c.Rule, c.Confidence, c.Since.UTC().Format(time.RFC3339))
		for _, e := range c.Because {
			at := ""
			if !e.At.IsZero() {
				at = e.At.UTC().Format(time.RFC3339) + "  "
			}
			say(2, "evidence: %s%s   [%s]", at, e.Says, e.Where)
		}
		for _, m := range c.Missing {
			say(2, "not seen: %s", m)
		}
		for _, f := range c.Explains {
			say(2, "explains: %s", f)
		}
		for _, r := range c.Repairs {
			say(2, "repair:   %s", r.Line())
			for _, why := range r.Refused {
				say(4, "not now: %s", why)
			}
		}
	}
}
