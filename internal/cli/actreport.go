package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"strata/actions"
	"strata/internal/plain"
	"strata/internal/wire"
)

// actReport is what act says: its JSON form, and the same as text.
type actReport struct {
	Action  string   `json:"action"`
	Target  string   `json:"target"`
	Title   string   `json:"title"`
	Command string   `json:"command"` // as it can be pasted into a shell
	Now     string   `json:"now,omitempty"`
	Effects []string `json:"effects,omitempty"`
	Against []string `json:"against,omitempty"`
	Refused []string `json:"refused,omitempty"`
	Ask     string   `json:"ask,omitempty"`     // what --typed must give
	Undo    string   `json:"undo,omitempty"`    // what would take it back, or why nothing does
	Outcome string   `json:"outcome,omitempty"` // seen, not-seen, failed, aborted, refused; absent when it was only planned
	Says    string   `json:"says,omitempty"`
	Output  string   `json:"output,omitempty"`
}

func newActReport(p actions.Plan) *actReport {
	r := &actReport{
		Title: p.Title, Command: p.Line(), Now: p.Now, Effects: p.Effects, Against: p.Against, Refused: p.Refused, Ask: p.Ask, Undo: p.NoUndo,
		Action: p.Action.Name(), Target: p.Action.Target().String(),
	}
	if p.Undo != nil {
		r.Undo = p.Undo.Name() + " on " + p.Undo.Target().String()
	}
	return r
}

// planned prints a plan that is not run.
func (p *program) planned(r *actReport, output string) error {
	if output == "json" {
		if err := r.json(p.stdout); err != nil {
			return err
		}
	} else {
		r.print(p.stdout)
	}
	if len(r.Refused) > 0 {
		return &exit{code: exitRefused}
	}
	return nil
}

func (r *actReport) print(w io.Writer) {
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-8s %s\n", label, plain.Text(text))
		}
	}
	line("action", r.Title)
	line("command", r.Command)
	line("now", r.Now)
	for _, s := range r.Effects {
		line("then", s)
	}
	for _, s := range r.Against {
		line("against", s)
	}
	for _, s := range r.Refused {
		line("refused", s)
	}
	line("type", r.Ask)
	line("undo", r.Undo)
}

func (r *actReport) json(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", wire.Printable(b))
	return err
}
