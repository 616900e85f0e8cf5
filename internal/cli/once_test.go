package cli

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
)

// placesFor are the fake cloud and cluster, found through files in home as an operator's are.
func placesFor(t *testing.T) places {
	t.Helper()
	home := t.TempDir()
	configured(t, home)
	nothing := func(string) string { return "" }
	return places{
		openstack: connect.Search{Getenv: nothing, Dir: home, Home: home, System: home},
		kube:      connect.KubeSearch{Getenv: nothing, Home: home},
	}
}

func TestLookingOnceSeesEverythingAndLeavesNothingRunning(t *testing.T) {
	at := placesFor(t)
	before := goleak.IgnoreCurrent()
	defer goleak.VerifyNone(t, before)
	c := config.Default(func(string) string { return "" })
	c.Audit.Path = t.TempDir() + "/audit.jsonl"
	a := assemble(at, c, everything)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := a.once(ctx, a.awaited)
	if err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	for _, one := range answers(s, a.awaited, time.Second) {
		if one.err != "" {
			t.Errorf("%s %s: %s", one.source, one.scope, one.err)
		}
	}
	for kind, want := range map[fleet.Kind]int{fleet.KindServer: 3, fleet.KindPod: 2, fleet.KindNode: 1, fleet.KindHypervisor: 1} {
		if got := s.Tally(kind).Total(); got != want {
			t.Errorf("%d of kind %s are seen, want %d", got, kind, want)
		}
	}
	if part, ok := s.Part("host", ""); !ok || !part.Unconfigured {
		t.Errorf("that no host is watched is told by %+v", part)
	}
	for server := range fleet.All[*fleet.Server](s, fleet.KindServer) {
		if server.Run.Status == "SHUTOFF" && len(server.Actions) == 0 {
			t.Errorf("%s is off and its history was not waited for", server.Name)
		}
	}
}

func TestAPanicOfTheDiagnosisIsToldAndKeepsWhatWasKnown(t *testing.T) {
	t.Parallel()
	a := &assembly{broke: make(chan error, 1)}
	prev := fleet.NewSnapshot(1, time.Unix(1, 0), nil, nil, []fleet.Finding{{Rule: "a"}})
	derive := a.guarded(func(_, _ *fleet.Snapshot, _ []fleet.Change) ([]fleet.Link, []fleet.Finding) { panic("ouch") })
	for range 2 { // a second panic must not block
		if _, findings := derive(prev, prev, nil); len(findings) != 1 {
			t.Errorf("the findings are %v, want those from before", findings)
		}
	}
	if err := <-a.broke; err == nil {
		t.Error("nobody was told")
	}
}
