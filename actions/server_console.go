package actions

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"strata/internal/fleet"
)

// ReadConsole reads the end of a Nova server's console (POST /servers/{id}/action {"os-getConsoleOutput": ...}).
type ReadConsole struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Lines  int    `json:"lines"`
}

// mostConsole is how many lines of a console are read at most.
const mostConsole = 10_000

// newConsole reads the number of lines.
func newConsole(r fleet.Ref, args Args) (Action, error) {
	n, err := strconv.Atoi(args["lines"])
	if err != nil || n < 1 || n > mostConsole {
		return nil, fmt.Errorf("lines %q is no number from 1 to %d", args["lines"], mostConsole)
	}
	return ReadConsole{r.Source, r.Name, n}, nil
}

// Name is server-console.
func (a ReadConsole) Name() string { return "server-console" }

// Target is the server.
func (a ReadConsole) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses only what would hang.
func (a ReadConsole) Plan(s *fleet.Snapshot) Plan {
	p, sv := planServer(s, Plan{
		Action: a, Command: openstackArgv(a.Source, "console", "log", "show", "--lines", strconv.Itoa(a.Lines), a.ID),
		Effects: []string{fmt.Sprintf("the last %d lines of its console are shown", a.Lines)}, NoUndo: "it changes nothing", Reads: true,
	}, "read the console of", serverGuard{anyTask: true, unlocks: true, hangs: "wait for it in vain"})
	if sv != nil && vmState(sv) == "building" {
		p.Refused = append(p.Refused, "it has no console yet: vm_state building")
	}
	return p
}

func (a ReadConsole) apply(ctx context.Context, hands Hands, say func(Step)) error {
	var answer struct{ Output string }
	err := tellNova{
		source: a.Source, id: a.ID, doing: "reading the console of", role: "member", answer: &answer,
		body: map[string]any{"os-getConsoleOutput": map[string]int{"length": a.Lines}},
	}.send(ctx, hands)
	if err != nil {
		return err
	}
	say(Step{Output: cmp.Or(answer.Output, "(the console is empty)\n")})
	return nil
}

// seen is not asked: it is over when it has answered.
func (a ReadConsole) seen(*fleet.Snapshot, time.Time) (verdict, string) { return done, "" }
