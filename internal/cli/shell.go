package cli

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// shell makes a shell on a machine: this one, or one that is watched over ssh. Nodes are often called by their whole
// name, and machines by the first part of it.
func (p *program) shell(machines []connect.Machine, remotes func() []connect.Remote) func(string) (tea.ExecCommand, error) {
	return func(name string) (tea.ExecCommand, error) {
		for _, m := range machines {
			if m.Root == "" && sameMachine(m.Name, name) {
				return &sh.Shell{Argv: []string{cmp.Or(p.getenv("SHELL"), "/bin/sh")}, Says: "a shell on " + m.Name + "; exit comes back to strata"}, nil
			}
		}
		for _, r := range remotes() {
			if sameMachine(r.Name, name) {
				return &sh.Shell{Argv: []string{"ssh", "-t", "--", r.Destination}, Says: "ssh " + r.Destination + "; exit comes back to strata"}, nil
			}
		}
		return nil, &fleet.Trouble{Doing: fmt.Sprintf("%s is not watched over ssh: name it under hosts in the configuration, or start with --host %s=user@machine", name, name)}
	}
}

func sameMachine(a, b string) bool {
	first := func(s string) string { return strings.SplitN(s, ".", 2)[0] }
	return a == b || first(a) == b || a == first(b)
}
