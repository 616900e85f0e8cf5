// Package cli is the command line: a file for each verb, and the one place where sources, store, screen and actions are
// put together. What it says on standard error is one sentence with what to do next.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"strata/internal/fleet"
	"strata/internal/plain"
)

// Exit codes that all verbs share. Verbs with others say so in their help.
const (
	exitFailed = 1
	exitUsage  = 2
)

// program is what a verb may touch of the process.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// Main runs the command line args (without the program's name) and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv}
	return p.main(args)
}

func (p *program) main(args []string) int {
	root := p.root()
	root.SetArgs(args)
	if err := root.ExecuteContext(context.Background()); err != nil {
		return p.end(err)
	}
	return 0
}

// end says what went wrong and returns the exit code.
func (p *program) end(err error) int {
	var e *exit
	if !errors.As(err, &e) {
		// What is left comes from cobra: a flag or a verb that does not exist.
		e = &exit{exitUsage, &fleet.Trouble{Doing: err.Error(), Fix: "see strata --help"}}
	}
	if e.err != nil {
		fmt.Fprintln(p.stderr, "strata: "+sentence(e.err))
	}
	return e.code
}

// exit ends the program with a code. Its error, if there is one, is said on standard error.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func failed(err error) error {
	if err == nil {
		return nil
	}
	var e *exit
	if errors.As(err, &e) {
		return err
	}
	return &exit{exitFailed, err}
}

// sentence is an error with what to do about it, on one line.
func sentence(err error) string {
	says := plain.Text(err.Error())
	if fix := fleet.FixOf(err); fix != "" {
		says += "; " + plain.Text(fix)
	}
	return says
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "strata",
		Short: "A cockpit for a small private cloud",
		Long: `strata shows the layers of a small private cloud at once (pods, nodes, Nova servers, hypervisors, hosts, disks),
says which of them is the cause when something above it breaks, and repairs from the keyboard.

Without a verb it opens the cockpit. It finds clouds and clusters where their own tools do: clouds.yaml or the OS_*
variables, and the kubeconfig. strata doctor tells what it found and what it may see.`,
		Example: `  strata                               the cockpit
  strata watch                         the cockpit without the ability to change anything
  strata --cloud home --context prod   only this cloud and this cluster
  strata demo                          a simulated cloud that breaks in interesting ways
  strata snapshot -o json              what is seen, once, as JSON
  strata act server-start web-1        plan an action; --yes does it
  strata hosts add root@10.0.0.2       try another machine over ssh and keep it
  strata doctor                        what is found, what may be seen, and what is missing`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	var o options
	o.cockpit(root)
	root.RunE = func(c *cobra.Command, _ []string) error { return failed(p.cockpit(c.Context(), o)) }
	root.AddCommand(p.watchVerb(), p.demoVerb(), p.snapshotVerb(), p.whyVerb(), p.explainVerb(), p.recordVerb(), p.actVerb(), p.agentVerb(), p.hostsVerb(), p.doctorVerb(), p.configVerb(), p.versionVerb())
	return root
}
