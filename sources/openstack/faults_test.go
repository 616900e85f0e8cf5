package openstack

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
	"strata/sources"
)

func TestFaultsAreShownAndSurvived(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		api       nova.API
		fault     nova.Fault
		says, fix string
	}{
		{"nova refuses its tokens", nova.Nova, nova.Unauthorized(), "HTTP 401", "keystone_authtoken"},
		{"rate limit", nova.Nova, nova.RateLimit(0), "HTTP 429", "rate"},
		{"no backend", nova.Nova, nova.Unavailable(0), "HTTP 503: 503 Service Unavailable", "nova-api"},
		{"asks to wait", nova.Nova, nova.Unavailable(time.Second), "it asks to wait 1s", "nova-api"},
		{"hangs", nova.Nova, nova.Hang(), "deadline exceeded", "did not answer"},
		{"cut in the middle", nova.Nova, nova.CutBody(), "unexpected EOF", "server list"},
		{"garbage", nova.Nova, nova.Garbage(), "invalid character '<'", "proxy"},
		{"no list", nova.Nova, nova.Replace(`"servers":`, `"cats":`), "no list of servers", "server list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, nova.Config{})
			f.AddServer(nova.Server{Name: "a"})
			f.AddServer(nova.Server{Name: "b", State: "stopped"})
			s := New(connectTo(t, f, "admin"), quick()).(*source)
			s.limit = time.Second
			w := see(t, s)
			w.until("all well", ScopeServers, whole(2))
			f.Break(c.api, c.fault)
			p := w.until("the fault", ScopeServers, func(p fleet.Part) bool { return p.Err != "" })
			if len(p.Facts) != 2 || !strings.Contains(p.Err, "listing servers of cloud home: ") ||
				!strings.Contains(p.Err, c.says) || !strings.Contains(p.Fix, c.fix) {
				t.Errorf("%d facts, error %q, fix %q", len(p.Facts), p.Err, p.Fix)
			}
			f.Heal()
			f.AddServer(nova.Server{Name: "c"})
			w.until("all well again", ScopeServers, whole(3))
		})
	}
}

func TestKeystoneDownAndTokensGone(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "a"})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	w.until("all well", ScopeServers, whole(1))

	f.ExpireTokens()
	f.AddServer(nova.Server{Name: "b"})
	p := w.until("a new login, unnoticed", ScopeServers, whole(2))
	if !p.ErrAt.IsZero() {
		t.Errorf("expired tokens showed: %v", p.ErrAt)
	}

	f.Break(nova.Keystone, nova.Unavailable(0))
	f.ExpireTokens()
	p = w.until("the failing login", ScopeServers, func(p fleet.Part) bool { return p.Err != "" })
	if len(p.Facts) != 2 || !strings.Contains(p.Err, "logging in: HTTP 503") || !strings.Contains(p.Fix, "keystone") {
		t.Errorf("%d facts, error %q, fix %q", len(p.Facts), p.Err, p.Fix)
	}
	f.Heal()
	w.until("all well again", ScopeServers, whole(2))
}

func TestAWaitThatNovaAsksForIsKept(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "a"})
	o := quick()
	o.Wishes = sources.NewWishes()
	w := see(t, New(connectTo(t, f, "alice"), o))
	w.until("all well", ScopeServers, whole(1))
	f.Break(nova.Nova, nova.Only("/servers", nova.RateLimit(2*time.Second)))
	w.until("the limit", ScopeServers, func(p fleet.Part) bool { return p.Err != "" })
	at, n := time.Now(), len(asked(f, "/servers/detail"))
	f.Heal()
	o.Wishes.Refresh(name) // even when asked to
	w.until("all well again", ScopeServers, whole(1))
	if took := time.Since(at); took < 1500*time.Millisecond {
		t.Errorf("asked again after %v and %d requests, Nova asked for 2 s", took, len(asked(f, "/servers/detail"))-n)
	}
}

func TestOddRowsShowAndDoNotHideTheOthers(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "good"})
	id := f.AddServer(nova.Server{Name: "odd"})
	f.Break(nova.Nova, nova.Replace(`"name":"odd"`, `"name":["odd"]`))
	w := see(t, New(connectTo(t, f, "alice"), quick()))
	p := w.until("both rows and the error", ScopeServers, func(p fleet.Part) bool { return len(p.Facts) == 2 && p.Err != "" })
	if !strings.Contains(p.Err, "1 row could be read in part only; server "+id) || !strings.Contains(p.Fix, "server show "+id) {
		t.Errorf("error %q, fix %q", p.Err, p.Fix)
	}
	odd := w.server("the odd one", id, func(*fleet.Server) bool { return true })
	if odd.Name != "" || odd.Run.Status != "ACTIVE" {
		t.Errorf("%+v", odd)
	}
	f.Heal()
	f.Lock(id, true) // a change, so that it is listed again
	w.until("both rows whole", ScopeServers, whole(2))
}

func TestAHistoryThatFailsIsSaidAndRetried(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	id := f.AddServer(nova.Server{Name: "off", State: "stopped"})
	f.Break(nova.Nova, func(w http.ResponseWriter, r *http.Request, rest http.HandlerFunc) {
		if strings.Contains(r.URL.Path, "os-instance-actions") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		rest(w, r)
	})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	s := w.server("the failure", id, func(s *fleet.Server) bool { return s.ActionsErr != "" })
	if !strings.Contains(s.ActionsErr, "HTTP 500") || s.Actions != nil {
		t.Errorf("%q, %v", s.ActionsErr, s.Actions)
	}
	w.until("no error of the servers", ScopeServers, whole(1))
	f.Heal()
	w.server("the history", id, func(s *fleet.Server) bool { return wellRead(s) && s.ActionsErr == "" })
}

// Nova forgets the actions of old servers when its database is archived.
func TestAHistoryThatIsEmptyIsRead(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	id := f.AddServer(nova.Server{Name: "off", State: "stopped"})
	f.Break(nova.Nova, func(w http.ResponseWriter, r *http.Request, rest http.HandlerFunc) {
		if strings.HasSuffix(r.URL.Path, "os-instance-actions") {
			_, _ = w.Write([]byte(`{"instanceActions": []}`))
			return
		}
		rest(w, r)
	})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	s := w.server("the history", id, func(s *fleet.Server) bool { return s.Actions != nil })
	if len(s.Actions) != 0 || s.ActionsErr != "" {
		t.Errorf("actions %v, error %q", s.Actions, s.ActionsErr)
	}
}

func TestABrokenCloudSaysSo(t *testing.T) {
	t.Parallel()
	found, _ := connect.Clouds(connect.Search{Names: []string{"home"}, Getenv: func(string) string { return "" }, Dir: t.TempDir()})
	w := see(t, New(found[0], quick()))
	p := w.until("the error", ScopeServers, func(p fleet.Part) bool { return p.Err != "" })
	if !strings.Contains(p.Err, "looking for cloud home") || p.Fix == "" {
		t.Errorf("error %q, fix %q", p.Err, p.Fix)
	}
}
