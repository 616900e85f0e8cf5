package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
)

// Whoever leaves while an action runs finds in the audit log how far it was seen.
func TestAnActionThatIsLeftGoesOnRecord(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	configured(t, home)
	nothing := func(string) string { return "" }
	c := config.Config{Audit: config.Audit{Path: filepath.Join(home, "audit.jsonl")}}
	a := assemble(places{openstack: connect.Search{Getenv: nothing, Dir: home, Home: home, System: home}, kube: connect.KubeSearch{Getenv: nothing}}, c, everything)
	h, err := withEnv(nil).hands(a, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	looked, acted := make(chan struct{}), make(chan error, 1)
	go func() { defer close(looked); _ = a.run(ctx) }()

	var off *fleet.Server
	s := a.until(ctx, func(s *fleet.Snapshot) bool {
		for o := range s.Each(fleet.KindServer) {
			if server, ok := o.(*fleet.Server); ok && server.Name == "db-1" && len(server.Actions) > 0 {
				off = server
			}
		}
		return off != nil && s.Tally(fleet.KindCompute).Total() > 0
	})
	if off == nil {
		t.Fatal("the server that is off was not seen")
	}
	plan := actions.StartServer{Source: off.Source, ID: off.ID}.Plan(s)
	approved, err := h.runner.Approve(plan, plan.Ask)
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{}, 9)
	go func() { acted <- h.runner.Run(ctx, approved, func(actions.Progress) { begun <- struct{}{} }) }()
	<-begun
	cancel()
	h.putDown()
	<-looked
	<-acted
	text, err := os.ReadFile(c.Audit.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var last fleet.Deed
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if !actions.Phase(last.Phase).Over() || last.Phase == "end" {
		t.Errorf("the last line of %d says %q: %+v", len(lines), last.Phase, last)
	}
}
