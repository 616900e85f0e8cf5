package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// far is a runner whose target is on another machine, which a shell script plays.
func far(t *testing.T, script, allow string) *Runner {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "strata")
	if err := os.WriteFile(binary, []byte("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, _ := bare(t)
	r.Hands = NewHands(connect.ForWriting("test", connect.Reach{Remotes: []connect.Remote{{
		Name: "x", Destination: "root@x", Binary: binary, Allow: allow,
		Program: func(ctx context.Context, c sh.Cmd) (*sh.Talk, error) {
			if last := c.Argv[len(c.Argv)-1]; !strings.HasSuffix(last, `"$p" agent --hands`) {
				t.Errorf("ssh is given %q", last)
			}
			return sh.Start(ctx, sh.Cmd{Argv: []string{"sh", "-c", script}})
		},
	}}}))
	return r
}

func TestAnActionIsDoneByTheAgentOverThere(t *testing.T) {
	t.Parallel()
	const hello = `echo '{"hello":{"protocol":1}}'; read start; read do; `
	for name, c := range map[string]struct {
		script, allow string
		phase         Phase
		says          string
		lost          bool
	}{
		"done": {
			script: hello + `case "$do" in *'"action":"slow"'*'"who":"tester"'*) ;; *) exit 9;; esac; echo '{"did":{"phase":"begin","share":0.5}}'; echo '{"did":{"phase":"seen","output":"boot ok"}}'`,
			phase:  Seen,
		},
		"refused there":      {script: hello + `echo '{"did":{"phase":"refused","says":"it is locked"}}'`, phase: Failed, says: "it is locked"},
		"failed there":       {script: hello + `echo '{"did":{"phase":"failed","says":"it is damaged","output":"boot ok"}}'`, phase: Failed, says: "it is damaged"},
		"cut before an end":  {script: hello + `echo '{"did":{"phase":"begin"}}'; echo 'Connection reset' >&2`, phase: Failed, says: "Connection reset", lost: true},
		"never reached":      {script: `echo 'No route to host' >&2; exit 255`, phase: Failed, says: "No route to host"},
		"not allowed there":  {script: hello, allow: "swap-off swap-on", phase: Failed, says: "slow is not among the actions that the configuration allows on x"},
		"allowed among them": {script: hello + `echo '{"did":{"phase":"not-seen"}}'`, allow: "swap-off slow", phase: Seen},
	} {
		t.Run(name, func(t *testing.T) {
			r := far(t, c.script, c.allow)
			ok, err := r.Approve(slow{"x", "reads"}.Plan(nil), "")
			if err != nil {
				t.Fatal(err)
			}
			var last Progress
			err = r.Run(t.Context(), ok, func(p Progress) { last = p })
			var lost *connect.Lost
			if last.Phase != c.phase || errors.As(err, &lost) != c.lost || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("it ended with %+v, %v", last, err)
			}
			if (name == "done" || name == "failed there") && last.Output != "boot ok" {
				t.Errorf("it answered %q", last.Output)
			}
		})
	}
}

func TestAbortReachesTheAgentOverThere(t *testing.T) {
	t.Parallel()
	r := far(t, `echo '{"hello":{"protocol":1}}'; read start; read do; echo '{"did":{"phase":"begin","share":0.5}}'; read abort
		case "$abort" in *abort*) echo '{"did":{"phase":"aborted","says":"300 MB are left"}}';; esac`, "")
	act := slow{Name_: "x"}
	ok, err := r.Approve(act.Plan(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	err = r.Run(t.Context(), ok, func(p Progress) {
		if last = p; p.Share == fleet.Some(0.5) {
			r.Abort(act.Target())
		}
	})
	if err == nil || last.Phase != Aborted || !strings.Contains(last.Says, "300 MB are left") {
		t.Errorf("it ended with %+v, %v", last, err)
	}
}
