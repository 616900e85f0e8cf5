package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/agent"
)

// knownSource is the source of the machines that are known of and have no agent.
const knownSource = "known"

// knownEvery is the least time between two looks at what is known.
const knownEvery = 2 * time.Second

// known tells of the machines that the other sources tell of and that are not watched, as agents that are not there.
type known struct {
	store *fleet.Store
	told  map[string]*fleet.Agent
}

func (k *known) Name() string { return knownSource }

// Watch follows the snapshots. What did not change is not told again.
func (k *known) Watch(ctx context.Context, see func(fleet.Observation)) error {
	for last := fleet.NewSnapshot(0, time.Time{}, nil, nil, nil); ; {
		s, err := k.store.Next(ctx, last.Seq)
		if err != nil {
			return err
		}
		if !s.Same(last) {
			if facts, changed := k.look(s); changed {
				see(fleet.Observation{Source: knownSource, Scope: agent.Scope, At: cmp.Or(s.At, time.Now()), Facts: facts})
			}
		}
		last = s
		if !sources.Sleep(ctx, knownEvery) {
			return ctx.Err()
		}
	}
}

func (k *known) look(s *fleet.Snapshot) (facts fleet.Facts, changed bool) {
	now := map[string]*fleet.Agent{}
	for _, m := range diagnose.Unwatched(s) {
		a := fleet.Agent{
			Source: knownSource, Name: m.Name, Destination: cmp.Or(m.Address, m.Name), State: fleet.AgentKnown, Since: s.At, Says: strings.Join(m.How, ", "),
		}
		if before := k.told[m.Name]; before != nil {
			if a.Since = before.Since; a == *before {
				now[m.Name] = before
				facts = append(facts, before)
				continue
			}
		}
		now[m.Name], changed = &a, true
		facts = append(facts, &a)
	}
	changed = changed || len(now) != len(k.told)
	k.told = now
	slices.SortFunc(facts, fleet.Compare)
	return facts, changed
}
