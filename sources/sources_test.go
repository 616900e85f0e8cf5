package sources_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fleet"
	"strata/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log keeps observations.
type log struct {
	mu  sync.Mutex
	all []fleet.Observation
}

func (l *log) put(o fleet.Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, o)
}

type source func(context.Context, func(fleet.Observation)) error

func (source) Name() string { return "test" }

func (s source) Watch(ctx context.Context, see func(fleet.Observation)) error { return s(ctx, see) }

func TestASourceThatFailsIsStartedAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"returns": func() error { return errors.New("broken") },
		"panics":  func() error { panic("broken\nin two") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var starts atomic.Int32
				l, end := run(t, func(ctx context.Context, see func(fleet.Observation)) error {
					if starts.Add(1) < 4 {
						return fail()
					}
					see(fleet.Observation{Source: "test", Scope: "things", At: time.Now()})
					<-ctx.Done()
					return ctx.Err()
				})
				time.Sleep(30 * time.Second)
				end()
				if n := starts.Load(); n != 4 {
					t.Errorf("started %d times within 30 s, want 4: after about 1, 2 and 4 s", n)
				}
				if first := l.all[0]; first.Err == nil || !strings.Contains(first.Err.Error(), "broken") {
					t.Errorf("first it said %+v", first)
				}
				if last := l.all[len(l.all)-1]; last.Scope != "" || last.Err != nil {
					t.Errorf("the error was not taken back: %+v", last)
				}
			})
		})
	}
}

// run runs a source until end, which waits for it.
func run(t *testing.T, s source) (l *log, end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	l = &log{}
	done := make(chan error)
	go func() { done <- sources.Run(ctx, l.put, s) }()
	return l, func() {
		t.Helper()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	}
}

// TestAPanicIsOneLineOnTheScreenAndAStackInTheLog is not parallel: it takes the log of this process.
func TestAPanicIsOneLineOnTheScreenAndAStackInTheLog(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		l, end := run(t, func(context.Context, func(fleet.Observation)) error { panic("broken\nin two") })
		synctest.Wait()
		end()
		said := l.all[0].Err
		if said.Error() != "watching test: panic: broken" || !strings.Contains(fleet.FixOf(said), "strata.log") {
			t.Errorf("it said %q; %s", said, fleet.FixOf(said))
		}
	})
	for _, want := range []string{"level=ERROR", "source=test", `broken\nin two`, "goroutine", "sources_test.go"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &logged)
		}
	}
}

// standing is when the error of scope "" was taken back, counted from the failure; negative when it still stands.
func standing(t *testing.T, l *log) time.Duration {
	t.Helper()
	var failed time.Time
	for _, o := range l.all {
		switch {
		case o.Source != "test":
		case o.Scope == "" && o.Err != nil:
			failed = o.At
		case o.Scope == "":
			return o.At.Sub(failed)
		}
	}
	if failed.IsZero() {
		t.Error("it never failed")
	}
	return -1
}

func TestTheErrorOfASourceStandsUntilAllOfItIsSeenAgain(t *testing.T) {
	type told struct {
		after time.Duration // since the restart, or the telling before
		scope string
		err   error
		some  bool   // there are facts
		of    string // another source it speaks for
	}
	bad := errors.New("not now")
	for name, c := range map[string]struct {
		before, after []told
		from, to      time.Duration // when it is taken back, the delay of the restart included; from < 0 is never
	}{
		"one of two": {
			before: []told{{scope: "pods"}, {scope: "nodes"}},
			after:  []told{{scope: "pods"}, {after: 10 * time.Second, scope: "nodes"}},
			from:   10 * time.Second, to: 12 * time.Second,
		},
		"it speaks for others": {
			before: []told{{scope: "pods"}, {scope: "nodes", of: "other"}},
			after:  []told{{scope: "pods"}, {after: 10 * time.Second, scope: "nodes", of: "other"}},
			from:   10 * time.Second, to: 12 * time.Second,
		},
		"one never comes again": {
			before: []told{{scope: "pods"}, {scope: "nodes"}},
			after:  []told{{scope: "pods"}, {after: 2 * time.Minute, scope: "pods"}},
			from:   0, to: 2 * time.Second, // it is At of the good observation; when it was put is told below
		},
		"one fails by itself": {
			before: []told{{scope: "pods"}, {scope: "nodes"}},
			after:  []told{{scope: "pods"}, {after: 5 * time.Second, scope: "nodes", err: bad}},
			from:   0, to: 2 * time.Second,
		},
		"nothing is seen well":            {before: []told{{scope: "pods"}}, after: []told{{scope: "pods", err: bad}}, from: -1},
		"it hangs":                        {before: []told{{scope: "pods"}}, from: -1},
		"nothing was known":               {after: []told{{after: time.Second, scope: "pods"}}, from: time.Second, to: 3 * time.Second},
		"an empty namespace is not owed":  {before: []told{{scope: "pods"}, {scope: "pods/x", some: true}, {scope: "pods/x"}}, after: []told{{scope: "pods"}}, to: 2 * time.Second},
		"a namespace with pods is waited": {before: []told{{scope: "pods"}, {scope: "pods/x", some: true}}, after: []told{{scope: "pods"}, {after: 9 * time.Second, scope: "pods/x", some: true}}, from: 9 * time.Second, to: 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tell := func(see func(fleet.Observation), all []told) {
					for _, one := range all {
						time.Sleep(one.after)
						o := fleet.Observation{Source: cmp.Or(one.of, "test"), Scope: one.scope, At: time.Now(), Err: one.err}
						if one.some {
							o.Facts = fleet.Facts{&fleet.Pod{Source: "test", Namespace: "x", Name: "a"}}
						}
						see(o)
					}
				}
				var starts atomic.Int32
				l, end := run(t, func(ctx context.Context, see func(fleet.Observation)) error {
					if starts.Add(1) == 1 {
						tell(see, c.before)
						return errors.New("broken")
					}
					tell(see, c.after)
					<-ctx.Done()
					return ctx.Err()
				})
				time.Sleep(5 * time.Minute)
				end()
				if got := standing(t, l); c.from < 0 && got >= 0 || c.from >= 0 && (got < c.from || got > c.to) {
					t.Errorf("taken back after %v, want %v to %v", got, c.from, c.to)
				}
			})
		})
	}
}

func TestTheErrorOfASourceIsTakenBackHalfAMinuteAfterTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts atomic.Int32
		l, end := run(t, func(ctx context.Context, see func(fleet.Observation)) error {
			see(fleet.Observation{Source: "test", Scope: "pods", At: time.Now()})
			if starts.Add(1) == 1 {
				see(fleet.Observation{Source: "test", Scope: "nodes", At: time.Now()})
				return errors.New("broken")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		back := func() bool {
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			last := l.all[len(l.all)-1]
			return last.Scope == "" && last.Err == nil
		}
		time.Sleep(29 * time.Second) // the restart came after 0.75 to 1.25 s
		if back() {
			t.Error("taken back before nodes were seen again")
		}
		time.Sleep(3 * time.Second)
		if !back() {
			t.Errorf("still standing: %+v", l.all[len(l.all)-1])
		}
		end()
	})
}

func TestPollLooksAtOnceAndSlowsDownWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var broken atomic.Bool
		l := &log{}
		p := sources.Poll("test", "things", time.Second, func(context.Context) (fleet.Facts, error) {
			if broken.Load() {
				return nil, errors.New("broken")
			}
			return fleet.Facts{}, nil
		})
		done := make(chan struct{})
		go func() { defer close(done); _ = p.Watch(ctx, l.put) }()
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		if n := len(l.all); n != 5 {
			t.Errorf("%d looks in 4.5 s, want 5", n)
		}
		broken.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(l.all) - 5; n < 7 || n > 12 {
			t.Errorf("%d looks in a minute of failures, want about 9", n)
		}
		cancel()
		<-done
	})
}

func TestWishesReachTheirSource(t *testing.T) {
	w := sources.NewWishes()
	server := fleet.Ref{Kind: fleet.KindServer, Source: "openstack/a", Name: "1"}
	w.Look(server)
	select {
	case <-w.Wake("openstack/a"):
	default:
		t.Error("looking at an object did not wake its source")
	}
	if r, ok := w.Looking("openstack/a"); !ok || r != server {
		t.Errorf("looking at %v, %v", r, ok)
	}
	if _, ok := w.Looking("openstack/b"); ok {
		t.Error("another source is looked at")
	}
	w.Refresh("openstack/a")
	w.Refresh("openstack/a")
	<-w.Wake("openstack/a")
	select {
	case <-w.Wake("openstack/a"):
		t.Error("two wishes woke twice")
	default:
	}
	var none *sources.Wishes
	none.Look(server)
	none.Refresh("openstack/a")
	if _, ok := none.Looking("openstack/a"); ok || none.Wake("openstack/a") != nil {
		t.Error("no wishes wish something")
	}
}

func TestTheClockTicksEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &log{}
		done := make(chan struct{})
		go func() { defer close(done); _ = sources.Clock().Watch(ctx, l.put) }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(l.all); n < 10 || n > 11 {
			t.Errorf("%d ticks in 10 s", n)
		}
		cancel()
		<-done
	})
}
