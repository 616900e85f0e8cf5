package actions

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

// slow is an action that does nothing and notes when.
type slow struct{ source, name string }

func (a slow) Name() string      { return "slow" }
func (a slow) Target() fleet.Ref { return serverRef(a.source, a.name) }

func (a slow) Plan(*fleet.Snapshot) Plan                         { return Plan{Action: a, Title: a.name, Reads: true} }
func (a slow) apply(context.Context, Hands, func(Step)) error    { return nil }
func (a slow) seen(*fleet.Snapshot, time.Time) (verdict, string) { return done, "" }

func TestSeveralActionsOnOneSourceBeginASecondApart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		audit, err := OpenAudit(dir + "/audit.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		defer audit.Close() //nolint:errcheck // a test
		r := NewRunner(Setup{Store: fleet.NewStore(nil), Audit: audit, Wake: func(string) {}})
		var approved []Approved
		for _, a := range []slow{{"openstack/a", "1"}, {"openstack/a", "2"}, {"openstack/b", "1"}, {"openstack/a", "3"}} {
			ok, err := r.Approve(a.Plan(nil), "")
			if err != nil {
				t.Fatal(err)
			}
			approved = append(approved, ok)
		}
		from := time.Now()
		var began []time.Duration
		r.RunAll(t.Context(), approved, false, func(p Progress) {
			if p.Phase == Begun {
				began = append(began, time.Since(from))
			}
		})
		if want := []time.Duration{0, time.Second, time.Second, 2 * time.Second}; !slices.Equal(began, want) {
			t.Errorf("they began after %v, want %v", began, want)
		}
	})
}
