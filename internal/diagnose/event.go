package diagnose

import (
	"sort"
	"strings"

	"strata/internal/fleet"
)

// warning is the newest warning about something in a namespace of a cluster. It is looked for by its name: who tells of a thing names
// the event after it (client-go tools/record: NAME.TIME).
func warning(s *fleet.Snapshot, r fleet.Ref) (newest *fleet.Event, ok bool) {
	p, known := s.Part(r.Source, fleet.KindEvent.Scope())
	if !known {
		return nil, false
	}
	begin := r.Name + "."
	from := sort.Search(len(p.Facts), func(i int) bool { return p.Facts[i].Ref().Name >= begin })
	for _, o := range p.Facts[from:] {
		e, is := o.(*fleet.Event)
		if !is || !strings.HasPrefix(e.Ref().Name, begin) {
			break
		}
		if e.About == r && (!ok || e.Last.After(newest.Last)) {
			newest, ok = e, true
		}
	}
	return newest, ok
}

func eventEvidence(e *fleet.Event) fleet.Evidence {
	return because(e, e.Last, "kubernetes events", "%s %s: %s", e.Reason, e.About.Name, sentence(e.Message))
}
