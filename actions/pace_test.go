package actions

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

// paced is an action that does nothing and notes when.
type paced struct {
	source, name string
	fails        bool
}

func (a paced) Name() string      { return "paced" }
func (a paced) Target() fleet.Ref { return serverRef(a.source, a.name) }

func (a paced) Plan(*fleet.Snapshot) Plan { return Plan{Action: a, Title: a.name, Reads: true} }

func (a paced) apply(context.Context, Hands, func(Step)) error {
	if a.fails {
		return errors.New("it broke")
	}
	return nil
}
func (a paced) seen(*fleet.Snapshot, time.Time) (verdict, string) { return done, "" }

// several runs four actions, of which the second fails, and tells when they began and how they ended.
func several(t *testing.T, dir string, halt bool) (began []time.Duration, ended []Phase) {
	t.Helper()
	audit, err := OpenAudit(dir + "/audit.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	r := NewRunner(Setup{Store: fleet.NewStore(nil), Audit: audit, Wake: func(string) {}})
	var approved []Approved
	for _, a := range []paced{{"openstack/a", "1", false}, {"openstack/a", "2", true}, {"openstack/b", "1", false}, {"openstack/a", "3", false}} {
		ok, err := r.Approve(a.Plan(nil), "")
		if err != nil {
			t.Fatal(err)
		}
		approved = append(approved, ok)
	}
	from := time.Now()
	r.RunAll(t.Context(), approved, halt, func(p Progress) {
		if p.Phase == Begun {
			began = append(began, time.Since(from))
		} else if p.Phase.Over() {
			ended = append(ended, p.Phase)
		}
	})
	return began, ended
}

func TestSeveralActionsOnOneSourceBeginASecondApart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		began, ended := several(t, dir, false)
		if want := []time.Duration{0, time.Second, time.Second, 2 * time.Second}; !slices.Equal(began, want) {
			t.Errorf("they began after %v, want %v", began, want)
		}
		if want := []Phase{Seen, Failed, Seen, Seen}; !slices.Equal(ended, want) {
			t.Errorf("they ended %v, want %v", ended, want)
		}
	})
}

func TestTheFirstThatFailsEndsTheRestOnRequest(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if _, ended := several(t, dir, true); !slices.Equal(ended, []Phase{Seen, Failed, Refused, Refused}) {
			t.Errorf("they ended %v", ended)
		}
	})
}
