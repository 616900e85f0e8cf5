package checks

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve plays a server on the loopback until the test ends; every connection it takes is played on its own.
func serve(t *testing.T, play func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				play(c)
			})
		}
	})
	return l.Addr().String()
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func tcp(name, address string) fleet.Endpoint {
	return fleet.Endpoint{Name: name, Type: fleet.EndpointTCP, Address: address, Every: 5 * time.Millisecond, Timeout: time.Second}
}

func TestConformance(t *testing.T) {
	at := serve(t, func(net.Conn) {})
	var mu sync.Mutex
	list, broken := []fleet.Endpoint{tcp("one", at)}, error(nil)
	set := func(how func()) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			how()
		}
	}
	sourcetest.Run(t, sourcetest.Harness{
		New: func() sources.Source {
			return New(Config{Host: "alpha", Endpoints: func() ([]fleet.Endpoint, error) {
				mu.Lock()
				defer mu.Unlock()
				if broken != nil {
					return nil, broken
				}
				return list, nil
			}})
		},
		Scope: Scope, Extra: fleet.Ref{Kind: fleet.KindCheck, Source: "checks/alpha", Name: "two"},
		Add:    set(func() { list = []fleet.Endpoint{tcp("one", at), tcp("two", at)} }),
		Remove: set(func() { list = []fleet.Endpoint{tcp("one", at)} }),
		Break:  set(func() { broken = errors.New("nobody says what to dial") }), Heal: set(func() { broken = nil }),
	})
}

// A server goes and comes back: the check follows, knows since when, and counts.
func TestDownAndUpAgain(t *testing.T) {
	var mu sync.Mutex
	refuse := false
	at := serve(t, func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if !refuse {
			_, _ = c.Write(hello("8.0.39"))
		}
	})
	e := fleet.Endpoint{Name: "db", Type: fleet.EndpointMySQL, Address: at, Every: 5 * time.Millisecond, Timeout: 5 * time.Second}
	seen := make(chan *fleet.Check, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- New(Config{Host: "h", Endpoints: func() ([]fleet.Endpoint, error) { return []fleet.Endpoint{e}, nil }}).Watch(ctx, func(o fleet.Observation) {
			if c, ok := o.Facts[0].(*fleet.Check); ok {
				select {
				case seen <- c:
				default:
				}
			}
		})
	}()
	defer func() {
		cancel()
		<-ended
	}()
	until := func(what string, ok func(*fleet.Check) bool) *fleet.Check {
		t.Helper()
		for late := time.After(10 * time.Second); ; {
			select {
			case c := <-seen:
				if ok(c) {
					return c
				}
			case <-late:
				t.Fatalf("never %s", what)
			}
		}
	}
	turn := func(to bool) {
		mu.Lock()
		defer mu.Unlock()
		refuse = to
	}
	if c := <-seen; c.State != "" || c.Health().State != fleet.StateUnknown {
		t.Errorf("before the first dial: %+v", c)
	}
	up := until("up", func(c *fleet.Check) bool { return c.State == fleet.CheckUp })
	if !up.Latency.OK || up.Server != "MySQL 8.0.39" || up.Flaps != 0 || up.Since.IsZero() {
		t.Errorf("up: %+v", up)
	}
	turn(true)
	down := until("down twice", func(c *fleet.Check) bool { return c.Fails == 2 })
	if down.State != fleet.CheckDown || down.Wrong != "cut" || down.Latency.OK || down.Flaps != 1 || !down.Since.After(up.Since) {
		t.Errorf("down: %+v", down)
	}
	turn(false)
	back := until("up again", func(c *fleet.Check) bool { return c.State == fleet.CheckUp })
	if back.Fails != 0 || back.Wrong != "" || back.Flaps != 2 || !back.Since.After(down.Since) {
		t.Errorf("up again: %+v", back)
	}
}

func TestOfBadEndpointsTheGoodOnesAreDialled(t *testing.T) {
	at := serve(t, func(net.Conn) {})
	all := []fleet.Endpoint{tcp("a", at), tcp("a", at), {Name: "b", Type: "ftp"}}
	all[0].Every, all[1].Every = time.Second, time.Second
	list, err := Fixed(all)()
	if len(list) != 1 || err == nil {
		t.Fatalf("%v, %v", list, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := fleet.Observation{}
	_ = New(Config{Host: "h", Endpoints: Fixed(all)}).Watch(ctx, func(o fleet.Observation) {
		if c, ok := o.Facts[0].(*fleet.Check); ok && c.State == fleet.CheckUp {
			first = o
			cancel()
		}
	})
	if first.Err == nil || len(first.Facts) != 1 {
		t.Errorf("%+v", first)
	}
}

// A server that says this machine is blocked is left alone for longer: coming often is what blocked it.
func TestWhoIsBlockedComesLessOften(t *testing.T) {
	e := fleet.Endpoint{Name: "db", Every: time.Minute}
	w := &watched{is: &fleet.Check{Endpoint: e}}
	at := time.Now()
	s := &source{name: "checks/h"}
	s.take(looked{at: w, began: at, answer: answer{wrong: "mysql", blocked: true}})
	if wait := w.due.Sub(at); wait < 7*time.Minute {
		t.Errorf("blocked, it comes back after %v", wait)
	}
	w = &watched{is: &fleet.Check{Endpoint: e}}
	s.take(looked{at: w, began: at, answer: answer{wrong: "refused"}})
	if wait := w.due.Sub(at); wait > 2*again {
		t.Errorf("a first failure is looked at again after %v", wait)
	}
}
