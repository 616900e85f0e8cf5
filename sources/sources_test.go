package sources_test

import (
	"context"
	"errors"
	"strings"
	"sync"
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
		"panics":  func() error { panic("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				starts := 0
				l := &log{}
				done := make(chan error)
				go func() {
					done <- sources.Run(ctx, l.put, source(func(ctx context.Context, see func(fleet.Observation)) error {
						if starts++; starts < 4 {
							return fail()
						}
						see(fleet.Observation{Source: "test", Scope: "things", At: time.Now()})
						<-ctx.Done()
						return ctx.Err()
					}))
				}()
				time.Sleep(30 * time.Second)
				synctest.Wait()
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
				if starts != 4 {
					t.Errorf("started %d times within 30 s, want 4: after about 1, 2 and 4 s", starts)
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

func TestPollLooksAtOnceAndSlowsDownWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		broken := false
		l := &log{}
		p := sources.Poll("test", "things", time.Second, func(context.Context) (fleet.Facts, error) {
			if broken {
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
		broken = true
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
