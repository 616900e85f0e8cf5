// Package kube watches the API server of one Kubernetes cluster. It reads nodes, their leases, pods, Warning events,
// volumes, claims, workloads and Argo CD's applications: each is listed once and watched from then on. One log and one
// manifest are read besides, while somebody looks at them.
package kube

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources"
)

// Options of a source.
type Options struct {
	Agent string           // User-Agent, "strata/VERSION"
	Now   func() time.Time // time.Now if nil
	// Wishes are whose log and manifest to read, and when to make sure that the server is there; nil for none.
	Wishes *sources.Wishes
}

// New makes the source of one cluster, "kube/" and its context. Its scopes are nodes, leases, events, volumes, claims,
// workloads/RESOURCE, apps, log, manifest, and pods/NAMESPACE for each namespace that has pods. The scope pods has no
// facts; it says how it is with pods at all.
func New(cluster connect.Cluster, o Options) sources.Source {
	if o.Agent == "" {
		o.Agent = "strata"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &source{cluster: cluster, name: "kube/" + cluster.Name, options: o, silence: usualSilence}
}

type source struct {
	cluster connect.Cluster
	name    string
	options Options
	silence time.Duration
}

func (s *source) Name() string { return s.name }

func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	client, err := s.cluster.ForReading(s.options.Agent)
	if err != nil {
		return err
	}
	defer client.Close()
	in := newInterner()
	var one sync.Mutex
	tell := func(o fleet.Observation) {
		one.Lock()
		defer one.Unlock()
		o.Source = s.name
		see(o)
	}
	group, ctx := errgroup.WithContext(ctx)
	var shelves []*shelf
	for _, k := range kinds() {
		w := s.watcher(k, client, in)
		shelves = append(shelves, w.shelf)
		group.Go(guard(s.Name(), k.resource, func() { w.run(ctx) }))
		group.Go(guard(s.Name(), k.resource, func() { s.publish(ctx, w.shelf, tell) }))
	}
	if s.options.Wishes != nil {
		a := &attendant{source: s, client: client, shelves: shelves, tell: tell}
		group.Go(guard(s.Name(), "what is looked at", func() { a.run(ctx) }))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// guard turns a panic into an error, after which the source is started again: it must not take the cockpit down.
func guard(source, what string, do func()) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = sources.Panicked(source, "watching "+what, p)
			}
		}()
		do()
		return nil
	}
}

// expiry is how often a kind whose facts grow old is looked through for those.
const expiry = time.Minute

// A shelf that has not rested for steady is told each slower, if its kind does not say seldomer.
const (
	steady = 3 * time.Second
	slower = 800 * time.Millisecond
)

// publish tells what changed on a shelf: at once after a quiet time, and otherwise as seldom as the kind says.
func (s *source) publish(ctx context.Context, shelf *shelf, tell func(fleet.Observation)) {
	var old <-chan time.Time
	if shelf.kind.trim != nil {
		ticker := time.NewTicker(expiry)
		defer ticker.Stop()
		old = ticker.C
	}
	var rested time.Time
	for {
		resting := len(shelf.wake) == 0
		select {
		case <-ctx.Done():
			return
		case <-shelf.wake:
		case <-old:
			shelf.grownOld(s.options.Now())
		}
		if resting {
			rested = time.Now()
		}
		for _, o := range shelf.flush(s.options.Now()) {
			if ctx.Err() != nil {
				return
			}
			tell(o)
		}
		pause := shelf.kind.every
		if time.Since(rested) > steady {
			pause = max(pause, slower)
		}
		if !sources.Sleep(ctx, pause) {
			return
		}
	}
}
