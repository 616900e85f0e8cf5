// Package checks dials the endpoints that users reach, from this machine, again and again: whether each answers as it
// should, how fast, and since when. It dials what it was given and nothing else, asks for no more than a greeting or a
// page, and logs in nowhere.
package checks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// Scope is the one scope of the source.
const Scope = "checks"

// Config says what is dialled.
type Config struct {
	Host string // the name of this machine; the source is "checks/HOST"
	// Endpoints gives what shall be dialled now. It is asked before each round and must be quick.
	Endpoints func() ([]fleet.Endpoint, error)
	Wishes    *sources.Wishes
}

// Bounds on what one machine is asked for.
const (
	most   = 200 // endpoints
	atOnce = 16  // dials at the same time
)

// Fixed is for Config.Endpoints: always the same ones. Of those that cannot be dialled it says so.
func Fixed(all []fleet.Endpoint) func() ([]fleet.Endpoint, error) {
	var good []fleet.Endpoint
	var bad error
	for _, e := range all {
		twice := slices.ContainsFunc(good, func(o fleet.Endpoint) bool { return o.Name == e.Name })
		switch err := e.Fault(); {
		case err != nil:
			bad = err
		case twice:
			bad = fmt.Errorf("there are two checks %q", e.Name)
		case len(good) == most:
			bad = fmt.Errorf("there are %d checks; %d is the most", len(all), most)
		default:
			good = append(good, e)
		}
	}
	return func() ([]fleet.Endpoint, error) { return good, bad }
}

// New returns the source.
func New(c Config) sources.Source {
	return &source{c: c, name: "checks/" + c.Host, all: map[string]*watched{}}
}

type source struct {
	c    Config
	name string
	all  map[string]*watched
}

// watched is an endpoint with what is known of it.
type watched struct {
	is      *fleet.Check
	turns   []time.Time // when its state changed
	due     time.Time
	running bool
}

// looked is a dial that ended.
type looked struct {
	at     *watched
	began  time.Time
	answer answer
}

func (s *source) Name() string { return s.name }

// Watch dials each endpoint at its own pace, a few at once.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	ctx, stop := context.WithCancel(ctx)
	var dials sync.WaitGroup
	defer dials.Wait()
	defer stop()
	for _, w := range s.all {
		w.running = false
	}
	done := make(chan looked)
	wake := s.c.Wishes.Wake(s.name)
	tell := true
	for {
		list, err := s.c.Endpoints()
		changed := (err == nil || list != nil) && s.follow(list)
		if tell || changed || err != nil && list == nil {
			see(s.observation(err, list == nil && err != nil))
		}
		wait := time.Second
		if list != nil || err == nil {
			wait = s.dial(ctx, &dials, done)
		}
		timer := time.NewTimer(wait)
		tell = false
		select {
		case <-ctx.Done():
		case l := <-done:
			tell = true
			s.take(l)
		case <-wake:
			for _, w := range s.all {
				w.due = time.Time{}
			}
		case <-timer.C:
			tell = err != nil && list == nil
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// follow takes over what shall be dialled now and reports whether that differs.
func (s *source) follow(list []fleet.Endpoint) (changed bool) {
	wanted := make(map[string]bool, len(list))
	for _, e := range list {
		wanted[e.Name] = true
		if w := s.all[e.Name]; w != nil && w.is.Endpoint == e {
			continue
		}
		s.all[e.Name] = &watched{is: &fleet.Check{Source: s.name, Host: s.c.Host, Endpoint: e}}
		changed = true
	}
	for name := range s.all {
		if !wanted[name] {
			delete(s.all, name)
			changed = true
		}
	}
	return changed
}

// observation is all that is known. nothing tells that it is not even known what shall be dialled.
func (s *source) observation(err error, nothing bool) fleet.Observation {
	o := fleet.Observation{Source: s.name, Scope: Scope, At: time.Now(), Err: err}
	if nothing {
		return o
	}
	o.Facts = make(fleet.Facts, 0, len(s.all))
	for _, w := range s.all {
		o.Facts = append(o.Facts, w.is)
		if every := w.is.Endpoint.Every + w.is.Endpoint.Timeout; o.Every == 0 || every < o.Every {
			o.Every = every
		}
	}
	slices.SortFunc(o.Facts, fleet.Compare)
	return o
}

// dial starts what is due and returns how long nothing more is.
func (s *source) dial(ctx context.Context, dials *sync.WaitGroup, done chan<- looked) time.Duration {
	now := time.Now()
	running := 0
	for _, w := range s.all {
		if w.running {
			running++
		}
	}
	wait := time.Minute
	for _, w := range s.all {
		switch {
		case w.running:
		case w.due.After(now):
			wait = min(wait, w.due.Sub(now))
		case running < atOnce: // else one that ends makes room
			running++
			w.running = true
			endpoint := w.is.Endpoint
			dials.Go(func() {
				l := looked{at: w, began: now, answer: guarded(ctx, endpoint)}
				select {
				case done <- l:
				case <-ctx.Done():
				}
			})
		}
	}
	return wait
}

// guarded turns a panic over what the world sent into an answer.
func guarded(ctx context.Context, e fleet.Endpoint) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{wrong: "failed", says: sources.Panicked("checks", "dialling "+e.Name, p).Error()}
		}
	}()
	return ask(ctx, e)
}

// again is how soon a first failure is looked at once more.
const again = 2 * time.Second

// take notes how a dial ended and when the next one is due.
func (s *source) take(l looked) {
	w, e := l.at, l.at.is.Endpoint
	w.running = false
	now := *w.is
	now.Wrong, now.Says, now.Server = l.answer.wrong, l.answer.says, l.answer.server
	state, next := fleet.CheckUp, e.Every
	if now.Fails, now.Latency = 0, fleet.Some(l.answer.took.Round(10*time.Microsecond)); now.Wrong != "" {
		state, now.Fails, now.Latency = fleet.CheckDown, w.is.Fails+1, fleet.Opt[time.Duration]{}
	}
	switch {
	case l.answer.blocked:
		next *= 10 // who is blocked for having come too often comes less often
	case now.Fails == 1:
		next = min(next, again)
	}
	if now.State != state {
		if now.State != "" {
			w.turns = append(w.turns, l.began)
		}
		now.State, now.Since = state, l.began
	}
	w.turns = slices.DeleteFunc(w.turns, func(t time.Time) bool { return l.began.Sub(t) > time.Hour })
	now.Flaps = len(w.turns)
	w.is, w.due = &now, l.began.Add(sources.Jitter(next))
}
