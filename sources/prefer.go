package sources

import (
	"maps"
	"strings"
	"sync"
	"time"

	"strata/internal/fleet"
)

// LostFor is how long strata's own view of a machine may fail before what a source of many machines tells of it counts.
const LostFor = time.Minute

// Prefer passes observations on, without those machines in sources of many (fleet.FleetSource) that strata watches by
// itself: through an agent, or as the machine it runs on. Those come back when that fails for longer than lostFor. It looks
// at the scope "host" of both sides; every later observation, as the clock's, tells it how late it is.
func Prefer(put func(fleet.Observation), lostFor time.Duration) func(fleet.Observation) {
	p := &preference{put: put, lostFor: lostFor, own: map[string]*ownMachine{}, fleets: map[string]*fleetView{}}
	return p.see
}

type preference struct {
	put     func(fleet.Observation)
	lostFor time.Duration

	mu     sync.Mutex
	own    map[string]*ownMachine // by source
	fleets map[string]*fleetView  // by source
}

// ownMachine is one that strata watches by itself.
type ownMachine struct {
	host    *fleet.Host
	failed  time.Time // since when; zero is well
	counted bool      // its fleet's rows are hidden, as far as it was looked at last
}

// counts reports whether it is to be believed.
func (m *ownMachine) counts(now time.Time, lostFor time.Duration) bool {
	return m.failed.IsZero() || now.Sub(m.failed) <= lostFor
}

// fleetView is what a source of many told last.
type fleetView struct {
	seen   map[string]fleet.Observation // by scope, with facts
	failed map[string]fleet.Observation // by scope: the first failure since
	pairs  map[string]string            // own source by host name: they were the same machine once
	hidden map[string]bool              // host names
}

const hostScope = "host"

func (p *preference) see(o fleet.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.HasPrefix(o.Source, fleet.FleetSource):
		p.fleet(o)
		return
	case strings.HasPrefix(o.Source, "host/") && o.Scope == hostScope:
		p.machine(o)
	}
	p.put(o)
	p.review(o.At)
}

// machine takes in how strata itself sees a machine.
func (p *preference) machine(o fleet.Observation) {
	m := p.own[o.Source]
	for _, f := range o.Facts {
		if h, ok := f.(*fleet.Host); ok {
			counted := m != nil && m.counted && m.host.Name == h.Name && m.host.Boot.Equal(h.Boot) && m.host.Identity.SystemUUID == h.Identity.SystemUUID
			m = &ownMachine{host: h, counted: counted}
			p.own[o.Source] = m
		}
	}
	if m != nil && o.Facts == nil && o.Err != nil && m.failed.IsZero() {
		m.failed = o.At
	}
}

// fleet takes in what a source of many tells.
func (p *preference) fleet(o fleet.Observation) {
	v := p.fleets[o.Source]
	if v == nil {
		v = &fleetView{seen: map[string]fleet.Observation{}, failed: map[string]fleet.Observation{}, pairs: map[string]string{}}
		p.fleets[o.Source] = v
	}
	if o.Facts != nil || o.Err == nil {
		v.seen[o.Scope] = o
		delete(v.failed, o.Scope)
	} else if _, again := v.failed[o.Scope]; !again {
		v.failed[o.Scope] = o
	}
	if o.Scope == hostScope {
		p.hide(v, o.At, o.Scope)
	}
	p.put(v.without(o))
}

// review finds out anew what is hidden when one of strata's own machines came, became another, or is lost for too long.
func (p *preference) review(now time.Time) {
	changed := false
	for _, m := range p.own {
		if counts := m.counts(now, p.lostFor); counts != m.counted {
			m.counted, changed = counts, true
		}
	}
	if changed {
		for _, v := range p.fleets {
			p.hide(v, now, "")
		}
	}
}

// hide finds out which machines of a fleet are hidden now, and tells its scopes anew when that has changed, but for one
// that is told anyway.
func (p *preference) hide(v *fleetView, now time.Time, but string) {
	if len(p.own) == 0 {
		return
	}
	hidden := map[string]bool{}
	for _, f := range v.seen[hostScope].Facts {
		h, ok := f.(*fleet.Host)
		if !ok {
			continue
		}
		for source, m := range p.own {
			if v.pairs[h.Name] != source && !same(m.host, h) {
				continue
			}
			v.pairs[h.Name] = source
			if m.counts(now, p.lostFor) {
				hidden[h.Name] = true
			}
		}
	}
	if maps.Equal(hidden, v.hidden) {
		return
	}
	v.hidden = hidden
	for scope, o := range v.seen {
		if scope == but {
			continue
		}
		p.put(v.without(o))
		if f, ok := v.failed[scope]; ok {
			p.put(f)
		}
	}
}

// without is an observation without what is of hidden machines.
func (v *fleetView) without(o fleet.Observation) fleet.Observation {
	if len(v.hidden) == 0 || len(o.Facts) == 0 {
		return o
	}
	kept := make(fleet.Facts, 0, len(o.Facts))
	for _, f := range o.Facts {
		if !v.hidden[fleet.MachineOf(f)] {
			kept = append(kept, f)
		}
	}
	o.Facts = kept
	return o
}

// bootsAlike is how far apart two tellings of one boot may be: each machine's clock has its own idea of now.
const bootsAlike = time.Minute

// same reports whether both are one machine: of one name or one system UUID, and of one boot as far as that is known. A
// machine that is lost may have booted since.
func same(own, h *fleet.Host) bool {
	if h.Identity.Lost == "" && !own.Boot.IsZero() && !h.Boot.IsZero() && own.Boot.Sub(h.Boot).Abs() > bootsAlike {
		return false
	}
	if strings.EqualFold(own.Name, h.Name) || within(own.Name, h.Name) || within(h.Name, own.Name) {
		return true
	}
	return own.Identity.SystemUUID != "" && own.Identity.SystemUUID == h.Identity.SystemUUID
}

// within reports whether a is b with a domain behind it.
func within(a, b string) bool {
	return len(a) > len(b) && a[len(b)] == '.' && strings.EqualFold(a[:len(b)], b)
}
