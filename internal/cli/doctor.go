package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/plain"
	"strata/internal/wire"
	"strata/sources"
)

// grade is the outcome of one check.
type grade string

const (
	fine    grade = "ok"
	missing grade = "missing" // a right, a program or a probe is not there, and less is seen
	broken  grade = "failed"
	note    grade = "note" // worth knowing, and nothing to mend
)

// check is one thing the doctor looked at.
type check struct {
	Subject string `json:"subject"` // what was looked at: "cloud home (clouds.yaml:2)"
	Name    string `json:"name"`
	Grade   grade  `json:"grade"`
	Says    string `json:"says"`
	Fix     string `json:"fix,omitempty"` // the one thing to do about it
}

// report is what the doctor found. Its JSON form is described by its tags; schema changes as the snapshot's does.
type report struct {
	Schema  string  `json:"schema"`
	Verdict string  `json:"verdict"` // fine, degraded, nothing works
	Checks  []check `json:"checks"`

	seen int // scopes that were read well
}

// of collects the checks of one subject.
type of struct {
	subject string
	checks  []check
}

func (s *of) add(g grade, name, says, fix string) {
	s.checks = append(s.checks, check{s.subject, name, g, says, fix})
}

// trouble adds an error with what it says to do.
func (s *of) trouble(name string, err error) { s.add(broken, name, err.Error(), fleet.FixOf(err)) }

type doctorOptions struct {
	options
	output string
	wait   time.Duration
}

func (p *program) doctorVerb() *cobra.Command {
	var o doctorOptions
	verb := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what is found, what may be seen, and what is missing",
		Long: `doctor looks at every layer as the cockpit would and tells where it was found, whether it answers, who strata is
there, which rights and probes it has, and for each that is missing the one command that grants it. It only reads.

Exit codes: 0 everything is fine, 1 something is missing or fails, 2 nothing works.`,
		Example: `  strata doctor
  strata doctor --cloud home --context prod
  strata doctor -o json | jq '.checks[] | select(.grade != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(p.doctor(c.Context(), o)) },
	}
	o.looking(verb)
	verb.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	verb.Flags().DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for answers")
	// Completion is a service: without it the flag works all the same.
	_ = verb.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return verb
}

func (p *program) doctor(ctx context.Context, o doctorOptions) error {
	if o.output != "text" && o.output != "json" {
		return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("there is no output %q", o.output), Fix: "choose -o text or json"}}
	}
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	a := assemble(here(c, o.noHost), c, everything)
	r, err := p.examine(ctx, a, o.wait)
	if err != nil {
		return err
	}
	r.Checks = append(r.Checks, p.examineSelf(o.options, c)...)
	if err := r.print(p.stdout, o.output); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	if code := r.code(); code != 0 {
		return &exit{code: code}
	}
	return nil
}

// examine asks every cloud and cluster who strata is there, and then looks once as the cockpit would. Who is refused at
// the login is not asked again: Keystone may lock an account that fails often.
func (p *program) examine(ctx context.Context, a *assembly, waited time.Duration) (*report, error) {
	clouds, clusters, fleets := make([]*of, len(a.clouds)), make([]*of, len(a.clusters)), make([]*of, len(a.fleets))
	me := make([]connect.Identity, len(a.clouds))
	in := make([]bool, len(a.clouds))
	var group sync.WaitGroup
	for i, cloud := range a.clouds {
		group.Go(func() { clouds[i], me[i], in[i] = examineCloud(ctx, cloud) })
	}
	for i, cluster := range a.clusters {
		group.Go(func() { clusters[i] = examineCluster(ctx, cluster) })
	}
	for i, f := range a.fleets {
		group.Go(func() { fleets[i] = examinePrometheus(ctx, f) })
	}
	group.Wait()

	refused := func(source string) bool {
		i := slices.IndexFunc(a.clouds, func(c connect.Cloud) bool { return c.Source() == source })
		return i >= 0 && !in[i]
	}
	want := slices.DeleteFunc(slices.Clone(a.awaited), func(w awaited) bool { return refused(w.source) })
	a.sources = slices.DeleteFunc(a.sources, func(s sources.Source) bool { return refused(s.Name()) })
	s, err := a.once(ctx, want)
	if err != nil {
		return nil, err
	}
	r := &report{Schema: "strata-doctor/v1"}
	for _, o := range a.absent {
		r.Checks = append(r.Checks, check{layerName(o.Source), "configured", note, "no: " + o.Err.Error(), fleet.FixOf(o.Err)})
	}
	all := answers(s, want, waited)
	for i, cloud := range a.clouds {
		r.addScopes(clouds[i], s, cloud.Source(), all)
		adminAttributes(clouds[i], s, cloud.Source(), me[i])
		r.Checks = append(r.Checks, clouds[i].checks...)
	}
	for i, cluster := range a.clusters {
		r.addScopes(clusters[i], s, "kube/"+cluster.Name, all)
		r.Checks = append(r.Checks, clusters[i].checks...)
	}
	for _, l := range a.libvirts {
		subject := &of{subject: "libvirt " + l.Name}
		r.addScopes(subject, s, "libvirt/"+l.Name, all)
		libvirtRights(subject)
		r.Checks = append(r.Checks, subject.checks...)
	}
	here := &of{subject: "endpoints"}
	r.addScopes(here, s, "checks/"+a.name, all)
	r.Checks = append(r.Checks, here.checks...)
	for _, remote := range a.remotes {
		subject := &of{subject: "host " + remote.Name + " (" + remote.Destination + ")"}
		if !examineRemote(subject, s, remote) {
			r.Checks = append(r.Checks, subject.checks...)
			continue // each of its scopes would say the same
		}
		r.addScopes(subject, s, "host/"+remote.Name, all)
		r.addScopes(subject, s, "checks/"+remote.Name, all)
		r.Checks = append(r.Checks, subject.checks...)
	}
	for i, f := range a.fleets {
		r.addScopes(fleets[i], s, f.Source(), all)
		exporters(fleets[i], s, f.Source())
		r.Checks = append(r.Checks, fleets[i].checks...)
	}
	for o := range s.Each(fleet.KindHost) {
		host, _ := o.(*fleet.Host)
		if strings.HasPrefix(host.Source, fleet.FleetSource) {
			continue // what is not there is told for all of them together
		}
		if slices.ContainsFunc(a.remotes, func(r connect.Remote) bool { return host.Source == "host/"+r.Name }) {
			continue
		}
		subject := p.examineHost(ctx, s, host)
		r.addScopes(subject, s, host.Source, all)
		r.Checks = append(r.Checks, subject.checks...)
	}
	return r, nil
}

// addScopes tells for each scope of a source what was seen, or why not.
func (r *report) addScopes(subject *of, s *fleet.Snapshot, source string, all []answer) {
	for _, one := range all {
		if one.source != source {
			continue
		}
		name := "reads " + one.scope
		switch {
		case one.err == "" && one.part != nil && one.part.Unconfigured:
			subject.add(fine, name, one.part.Err, "")
		case one.err == "":
			r.seen++
			subject.add(fine, name, fmt.Sprintf("%d seen", count(s, source, one.scope)), "")
		case one.part != nil && one.part.Unconfigured:
			subject.add(note, name, one.err, one.fix)
		case strings.Contains(one.err, "HTTP 403") || strings.Contains(one.err, "forbidden"):
			subject.add(missing, name, one.err, one.fix)
		default:
			subject.add(broken, name, one.err, one.fix)
		}
	}
}

// count is how many objects a source has in a scope and those below it.
func count(s *fleet.Snapshot, source, scope string) (n int) {
	for i := range s.Parts {
		if p := &s.Parts[i]; p.Source == source && (p.Scope == scope || strings.HasPrefix(p.Scope, scope+"/")) {
			n += len(p.Facts)
		}
	}
	return n
}

// code judges the report.
func (r *report) code() int {
	r.Verdict = "fine"
	code := 0
	for _, c := range r.Checks {
		if c.Grade == missing || c.Grade == broken {
			r.Verdict, code = "degraded", exitFailed
		}
	}
	if r.seen == 0 {
		r.Verdict, code = "nothing works", exitNone
	}
	return code
}

func (r *report) print(w io.Writer, output string) error {
	r.code() // the verdict is part of what is printed
	if output == "json" {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
		_, err := w.Write(wire.Printable(text.Bytes()))
		return err
	}
	if err := r.printChecks(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.Verdict)
	return err
}

// printChecks writes the checks below their subjects.
func (r *report) printChecks(w io.Writer) error {
	out := bufio.NewWriter(w)
	subject := ""
	for _, c := range r.Checks {
		if c.Subject != subject {
			subject = c.Subject
			fmt.Fprintf(out, "%s\n", plain.Text(subject))
		}
		fmt.Fprintf(out, "  %-8s %-20s %s\n", c.Grade, plain.Text(c.Name), plain.Text(c.Says))
		if c.Fix != "" {
			fmt.Fprintf(out, "  %-8s %-20s to do: %s\n", "", "", plain.Text(c.Fix))
		}
	}
	return out.Flush()
}

// firstLine is the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// whole is an error with its cause and without a fix, for what failed on the way to a check.
func whole(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
