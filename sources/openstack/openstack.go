// Package openstack watches one OpenStack cloud: its servers with their action lists, nova services, hypervisors and flavors.
// It reads only, through a client that lets nothing else out. What the token may not read is missing, not an error of
// what it may.
package openstack

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources"
)

// The scopes of a cloud, one kind each.
const (
	ScopeServers     = "servers"
	ScopeServices    = "services"
	ScopeHypervisors = "hypervisors"
	ScopeFlavors     = "flavors"
)

// wanted is the newest compute microversion that is made use of. An older Nova gets what it has; the same code reads it.
const wanted = 93

// pollLimit ends a poll that hangs.
const pollLimit = 30 * time.Second

// Options are how often to look; zero values mean the defaults.
type Options struct {
	Every       time.Duration // changed servers; 5 s
	Full        time.Duration // the whole list of servers; 3 min
	Services    time.Duration // 5 s
	Hypervisors time.Duration // 1 min; a look asks each compute host for its uptime
	Flavors     time.Duration // 1 min
	// Rarely is for what was not allowed a moment ago; 10 min.
	Rarely  time.Duration
	Wishes  *sources.Wishes
	Version string           // of strata, for the User-Agent
	Now     func() time.Time // for Observation.At; time.Now
}

func (o Options) filled() Options {
	o.Every = cmp.Or(o.Every, 5*time.Second)
	o.Full = cmp.Or(o.Full, 3*time.Minute)
	o.Services = cmp.Or(o.Services, 5*time.Second)
	o.Hypervisors = cmp.Or(o.Hypervisors, time.Minute)
	o.Flavors = cmp.Or(o.Flavors, time.Minute)
	o.Rarely = cmp.Or(o.Rarely, 10*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// New makes the source of a cloud. It does not use the network.
func New(cloud connect.Cloud, options Options) sources.Source {
	return &source{cloud: cloud, options: options.filled(), limit: pollLimit}
}

type source struct {
	cloud   connect.Cloud
	options Options
	limit   time.Duration // of one poll
}

// Name is "openstack/" and the cloud's name.
func (s *source) Name() string { return s.cloud.Source() }

// Watch keeps four loops going, so that one API that hangs does not make the others late. What a poll learnt is
// forgotten when Watch ends.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	clients := s.cloud.ForReading(s.options.Version)
	defer clients.Close()
	w := &watch{
		source: s, clients: clients, see: oneByOne(see),
		services: make(chan struct{}, 1), hypervisors: make(chan struct{}, 1), whole: make(chan struct{}, 1),
		flavors: make(chan struct{}, 1), listed: make(chan struct{}),
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, loop := range []func(context.Context){
		newServers(w).loop, w.watchServices, w.watchHypervisors, w.watchFlavors,
	} {
		group.Go(func() error { return guarded(s.Name(), func() { loop(ctx) }) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("watching %s: %w", s.Name(), err)
	}
	return ctx.Err()
}

// guarded turns a panic into an error: only Watch's own goroutine is guarded by sources.Run.
func guarded(source string, do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sources.Panicked(source, "looking", p)
		}
	}()
	do()
	return nil
}

func oneByOne(see func(fleet.Observation)) func(fleet.Observation) {
	var mu sync.Mutex
	return func(o fleet.Observation) {
		mu.Lock()
		defer mu.Unlock()
		see(o)
	}
}

// watch is one run of Watch: what its loops share.
type watch struct {
	*source
	clients *connect.OpenStack
	see     func(fleet.Observation)

	services    chan struct{} // asks for a look at the services
	hypervisors chan struct{} // asks for a look at the hypervisors
	flavors     chan struct{} // asks for a look at the flavors
	listed      chan struct{} // closed once the servers were listed, or could not be
	told        sync.Once
	whole       chan struct{} // asks for the whole list of servers: something changed that updated_at does not tell
}

// tell pushes what a look found. An error with facts beside it means that some of them could be read in part only.
func (w *watch) tell(ctx context.Context, scope string, every time.Duration, facts fleet.Facts, err error) {
	if ctx.Err() != nil {
		return
	}
	w.see(fleet.Observation{Source: w.Name(), Scope: scope, At: w.options.Now(), Facts: facts, Err: err, Every: every})
}

// nudge asks without waiting; one request at a time is enough.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
