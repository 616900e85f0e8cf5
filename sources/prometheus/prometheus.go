// Package prometheus watches machines through one Prometheus that scrapes them: what node_exporter, smartctl_exporter and
// the libvirt exporters tell becomes the same hosts, sensors, disks, filesystems and domains that strata reads itself, and
// what its Alertmanager has becomes alerts. It asks one question for each metric, for all machines at once, and only reads.
package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources"
)

// Scopes of the source, one kind of object each.
const (
	ScopeHosts       = "host"
	ScopeSensors     = "sensors"
	ScopeDisks       = "disks"
	ScopeFilesystems = "filesystems"
	ScopeDomains     = "domains"
	ScopeAlerts      = "alerts"
)

// slowly is how many rounds go by between two looks at what changes slowly or costs much: filesystems, SMART, names and
// limits of sensors, who made a machine.
const slowly = 4

// longestWait caps Retry-After.
const longestWait = 2 * time.Minute

// Options are how to look; zero values mean the defaults.
type Options struct {
	Every    time.Duration // 15 s
	Patience time.Duration // for one question; 20 s
	Agent    string        // User-Agent
	Wishes   *sources.Wishes
}

// New makes the source "prometheus/NAME". It does not use the network.
func New(at connect.Prometheus, o Options) sources.Source {
	o.Every = cmp.Or(o.Every, 15*time.Second)
	o.Patience = cmp.Or(o.Patience, 20*time.Second)
	return &source{at: at, o: o, name: at.Source(), ledger: sources.NewLedger(), turns: sources.NewTurns()}
}

// Scopes are those that a Prometheus is asked for.
func Scopes(at connect.Prometheus) []string {
	scopes := []string{ScopeHosts, ScopeSensors, ScopeDisks, ScopeFilesystems, ScopeDomains}
	if at.Alertmanager != "" {
		scopes = append(scopes, ScopeAlerts)
	}
	return scopes
}

type source struct {
	at     connect.Prometheus
	o      Options
	name   string
	ledger *sources.Ledger // outlives a restart of Watch: counters grow since strata began
	turns  *sources.Turns  // and so do these
}

// Name is "prometheus/" and the name in the configuration.
func (s *source) Name() string { return s.name }

// look is one look at a scope. Facts need not be sorted.
type look func(ctx context.Context, now time.Time, r *roster) (fleet.Facts, error)

// scope is what is remembered of a scope between two rounds.
type scope struct {
	name    string
	look    look
	asker   *asker
	sampled bool // its objects have a trend
	slow    bool
	before  fleet.Facts
	failed  bool // the last look did, so that the next does not wait for its turn
}

// Watch looks in rounds: first which machines there are, then each scope beside the others. What a round could not find
// out leaves the last good facts as they are, with the reason.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	client, err := s.at.ForReading(s.o.Agent)
	if err != nil {
		return err
	}
	defer client.Close()
	w := s.watch(client, see)
	wake := s.o.Wishes.Wake(s.name)
	for round := 0; ; round++ {
		timer := time.NewTimer(w.round(ctx, round))
		ended := time.Now()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
			// Whoever walks through a table looks at each row; a round is about all machines.
			sources.Sleep(ctx, w.o.Every/3-time.Since(ended))
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// watch makes what one run of Watch needs.
func (s *source) watch(client *connect.PrometheusReading, see func(fleet.Observation)) *watch {
	d := newDesk(client, s.o.Patience)
	asks := func() *asker { return newAsker(d) }
	hosts, sensors, disks, files, domains := asks(), asks(), asks(), asks(), asks()
	w := &watch{source: s, roll: asks(), see: oneByOne(see), scopes: []*scope{
		{name: ScopeHosts, asker: hosts, look: (&hostLook{source: s.name, ask: hosts}).look},
		{name: ScopeSensors, asker: sensors, look: (&sensorLook{source: s.name, ask: sensors, turns: s.turns}).look, sampled: true},
		{name: ScopeDisks, asker: disks, look: (&diskLook{source: s.name, ask: disks, ledger: s.ledger}).look},
		{name: ScopeFilesystems, asker: files, look: (&fileLook{source: s.name, ask: files, ledger: s.ledger}).look, slow: true},
		{name: ScopeDomains, asker: domains, look: (&domainLook{source: s.name, ask: domains}).look},
	}}
	if s.at.Alertmanager != "" {
		alerts := asks()
		w.scopes = append(w.scopes, &scope{name: ScopeAlerts, asker: alerts, look: (&alertLook{source: s.name, ask: alerts}).look})
	}
	return w
}

// watch is one run of Watch.
type watch struct {
	*source
	roll   *asker
	roster *roster
	see    func(fleet.Observation)
	scopes []*scope
	failed int // rounds in a row that could not even tell which machines there are
}

// round looks once and says how long to wait for the next.
func (w *watch) round(ctx context.Context, n int) time.Duration {
	began := time.Now()
	w.roll.next()
	r, err := guarded(w.name, func() (*roster, error) { return call(ctx, w.roll, began, w.roster) })
	if ctx.Err() != nil {
		return 0
	}
	var all sync.WaitGroup
	for _, sc := range w.scopes {
		if err != nil && sc.name != ScopeAlerts {
			sc.failed = true
			w.see(fleet.Observation{Source: w.name, Scope: sc.name, At: time.Now(), Every: w.every(sc), Err: w.trouble("listing the machines", err)})
			continue
		}
		if !sc.slow || n%slowly == 0 || sc.failed {
			all.Go(func() { w.look(ctx, sc, r) })
		}
	}
	all.Wait()
	if err == nil {
		w.roster, w.failed = r, 0
		return max(w.o.Every-time.Since(began), w.o.Every/4)
	}
	w.failed = min(w.failed+1, 2)
	if a, ok := connect.AnswerOf(err); ok && a.RetryAfter > 0 {
		return min(max(a.RetryAfter, w.o.Every), longestWait)
	}
	return sources.Jitter(w.o.Every << (w.failed - 1))
}

func (w *watch) every(sc *scope) time.Duration {
	if sc.slow {
		return slowly * w.o.Every
	}
	return w.o.Every
}

// look looks at one scope.
func (w *watch) look(ctx context.Context, sc *scope, r *roster) {
	now := time.Now()
	sc.asker.next()
	facts, err := guarded(w.name, func() (fleet.Facts, error) { return sc.look(ctx, now, r) })
	if ctx.Err() != nil {
		return
	}
	o := fleet.Observation{Source: w.name, Scope: sc.name, At: now, Every: w.every(sc)}
	if sc.failed = err != nil; sc.failed {
		o.Err = w.trouble("reading "+sc.name, err)
	} else {
		if r != nil {
			facts = append(facts, lostOf(sc.before, facts, r)...)
		}
		if facts == nil {
			facts = fleet.Facts{}
		}
		sc.before = sources.Settle(sc.before, facts, sc.sampled)
		o.Facts = sc.before
	}
	w.see(o)
}

func (w *watch) trouble(doing string, err error) error { return w.at.Trouble(doing, err) }

// guarded turns a panic into an error: only Watch's own goroutine is guarded by sources.Run.
func guarded[T any](source string, do func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sources.Panicked(source, "looking", p)
		}
	}()
	return do()
}

func oneByOne(see func(fleet.Observation)) func(fleet.Observation) {
	var mu sync.Mutex
	return func(o fleet.Observation) {
		mu.Lock()
		defer mu.Unlock()
		see(o)
	}
}

// lostOf are what was known of machines that are lost, without any figure: they are there, and nothing is told of them.
func lostOf(before, now fleet.Facts, r *roster) (all fleet.Facts) {
	if len(r.lost) == 0 {
		return nil
	}
	told := map[fleet.Ref]bool{}
	for _, o := range now {
		if r.lost[fleet.MachineOf(o)] != "" {
			told[o.Ref()] = true
		}
	}
	for _, o := range before {
		if why := r.lost[fleet.MachineOf(o)]; why != "" && !told[o.Ref()] {
			if b := blank(o, why); b != nil {
				all = append(all, b)
			}
		}
	}
	return all
}

// blank is an object of a lost machine.
func blank(o fleet.Object, why string) fleet.Object {
	switch o := o.(type) {
	case *fleet.Sensor:
		b := *o
		b.Celsius, b.Alarm, b.NoData = fleet.Opt[float64]{}, false, "lost: "+why
		return &b
	case *fleet.Disk:
		b := *o
		b.IO, b.Smart, b.Counters, b.Missing = fleet.DiskIO{}, nil, nil, []string{"lost: " + why}
		return &b
	case *fleet.Filesystem:
		b := *o
		b.Total, b.Used, b.Available, b.InodesTotal, b.InodesFree, b.Counters, b.NoData = 0, 0, 0, 0, 0, nil, "lost: "+why
		return &b
	case *fleet.Domain:
		b := *o
		b.State, b.Reason, b.Process, b.Missing = "not seen", "", fleet.DomainRun{}, []string{"lost: " + why}
		b.Disks = nil
		return &b
	}
	return nil // a host is told of by the look itself
}

// whole is a value as bytes or a count. What is negative or too large for one is none.
func whole(v float64) (uint64, bool) {
	if v < 0 || v >= 1<<63 {
		return 0, false
	}
	return uint64(v), true
}

// key names a thing of a machine.
type key struct{ host, name string }

// missing is how a figure that an exporter does not tell is named.
func missing(what, exporter, metric string) string {
	return fmt.Sprintf("%s: %s tells no %s", what, exporter, metric)
}
