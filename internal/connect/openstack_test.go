package connect

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// search looks only into a folder of this test.
func search(t *testing.T, env map[string]string, names ...string) Search {
	t.Helper()
	root := t.TempDir()
	return Search{
		Names: names, Getenv: func(n string) string { return env[n] },
		Dir: filepath.Join(root, "here"), Home: filepath.Join(root, "home"), System: filepath.Join(root, "etc"),
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fakeCloud starts a fake and returns it as the cloud that connect finds for a user.
func fakeCloud(t *testing.T, user string, c nova.Config) (*nova.Cloud, Cloud) {
	t.Helper()
	f := nova.Start(c)
	t.Cleanup(f.Close)
	s := search(t, nil)
	write(t, filepath.Join(s.Dir, "clouds.yaml"), f.CloudsYAML("home="+user))
	found, looked := Clouds(s)
	if len(found) != 1 || found[0].Err() != nil {
		t.Fatalf("found %v, looked at %s", found, looked)
	}
	return f, found[0]
}

func reading(t *testing.T, c Cloud) *OpenStack {
	t.Helper()
	o := c.ForReading("test")
	t.Cleanup(o.Close)
	return o
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestLoginIsSharedAndRenewed(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "admin", nova.Config{})
	f.AddServer(nova.Server{Name: "a"})
	o := reading(t, cloud)
	list := func() error {
		c, err := o.Compute(within(t), 93)
		if err != nil {
			return err
		}
		_, err = c.Get(within(t), c.ServiceURL("servers", "detail"), nil, nil)
		return err
	}
	all := func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := list(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	all()
	if n := logins(f); n != 1 {
		t.Errorf("%d logins for 8 requests at once, want 1", n)
	}
	f.ExpireTokens()
	all()
	if n := logins(f); n != 2 {
		t.Errorf("%d logins after the token expired, want 2", n)
	}
	if len(f.Writes()) != 0 {
		t.Errorf("writing requests %v", f.Writes())
	}
}

func logins(f *nova.Cloud) int {
	n := 0
	for _, r := range f.Requests() {
		if r.Method == http.MethodPost && r.Path == "/auth/tokens" {
			n++
		}
	}
	return n
}

func TestReadingCannotWrite(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "admin", nova.Config{})
	id := f.AddServer(nova.Server{Name: "a", State: "stopped"})
	c, err := reading(t, cloud).Compute(within(t), 93)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Post(within(t), c.ServiceURL("servers", id, "action"), map[string]any{"os-start": nil}, nil, nil)
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Errorf("starting through a reading client: %v", err)
	}
	if len(f.Writes()) != 0 {
		t.Errorf("it got through: %v", f.Writes())
	}
}

func TestWritingStartsAServer(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "alice", nova.Config{})
	id := f.AddServer(nova.Server{Name: "a", State: "stopped"})
	w := ForWriting("test", Reach{Clouds: []Cloud{cloud}})
	t.Cleanup(w.Close)
	c, err := w.Compute(within(t), "openstack/home", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Post(within(t), c.ServiceURL("servers", id, "action"), map[string]any{"os-start": nil}, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err = c.Post(within(t), c.ServiceURL("servers", id, "action"), map[string]any{"os-start": nil}, nil, nil)
	if a, ok := AnswerOf(err); !ok || a.Error() != "HTTP 409: Cannot 'start' instance "+id+" while it is in vm_state active" {
		t.Errorf("a second start: %v", err)
	}
	if _, err := w.Compute(within(t), "openstack/other", 1); err == nil {
		t.Error("a cloud that is not there gave a client")
	}
	f.Break(nova.Nova, nova.LoseAnswer())
	_, err = c.Post(within(t), c.ServiceURL("servers", id, "action"), map[string]any{"os-stop": nil}, nil, nil)
	var lost *Lost
	if !errors.As(err, &lost) {
		t.Errorf("a lost answer: %v", err)
	}
}

func TestALostLoginIsNoLostDeed(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "alice", nova.Config{})
	f.Break(nova.Keystone, nova.LoseAnswer())
	w := ForWriting("test", Reach{Clouds: []Cloud{cloud}})
	t.Cleanup(w.Close)
	_, err := w.Compute(within(t), "openstack/home", 1)
	var lost *Lost
	if err == nil || errors.As(err, &lost) {
		t.Errorf("a lost login: %v", err)
	}
}

func TestMicroversionIsTheNewestBothKnow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		there, want int
		got         string
	}{{93, 93, "2.93"}, {60, 93, "2.60"}, {93, 87, "2.87"}, {1, 93, "2.1"}} {
		_, cloud := fakeCloud(t, "alice", nova.Config{MaxMinor: c.there})
		client, err := reading(t, cloud).Compute(within(t), c.want)
		if err != nil || client.Microversion != c.got {
			t.Errorf("there 2.%d, wanted 2.%d: %s, %v", c.there, c.want, client.Microversion, err)
		}
	}
}

func TestWhoamiTellsWhoLoggedIn(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "alice", nova.Config{})
	me, err := reading(t, cloud).Whoami(within(t))
	if err != nil || me.User != "alice" || me.Project != "demo" || me.UserID != f.UserID("alice") ||
		!slices.Equal(me.Roles, []string{"member"}) || me.Expires.IsZero() {
		t.Errorf("%+v, %v", me, err)
	}
}

func TestARefusedLoginIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	f := nova.Start(nova.Config{})
	t.Cleanup(f.Close)
	s := search(t, nil)
	write(t, filepath.Join(s.Dir, "clouds.yaml"), strings.ReplaceAll(f.CloudsYAML("home=alice"), nova.Password, "wrong"))
	found, _ := Clouds(s)
	o := reading(t, found[0])
	for range 3 {
		_, err := o.Compute(within(t), 93)
		trouble := found[0].Trouble("listing servers", err)
		if !strings.Contains(trouble.Error(), "listing servers of cloud home: logging in: HTTP 401") ||
			!strings.Contains(trouble.Fix, "clouds.yaml:2; try: openstack --os-cloud home token issue") ||
			strings.Contains(trouble.Error()+trouble.Fix, "wrong") {
			t.Errorf("trouble %v, fix %s", trouble, trouble.Fix)
		}
	}
	if n := logins(f); n != 1 {
		t.Errorf("%d logins with a wrong password, want 1: Keystone locks accounts", n)
	}
}

func TestTroublesSayWhatToDo(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "alice", nova.Config{})
	ask := func(ctx context.Context) *fleet.Trouble {
		c, err := reading(t, cloud).Compute(ctx, 93)
		if err == nil {
			_, err = c.Get(ctx, c.ServiceURL("os-services"), &map[string]any{}, nil)
		}
		return cloud.Trouble("listing", err)
	}
	for _, c := range []struct {
		name       string
		api        nova.API
		fault      nova.Fault
		says, fix  string
		retryAfter time.Duration
	}{
		{"403", nova.Nova, nil, "HTTP 403: Policy doesn't allow os_compute_api:os-services:list", "role assignment list", 0},
		{"429", nova.Nova, nova.RateLimit(7 * time.Second), "HTTP 429: This request was rate-limited.", "rate", 7 * time.Second},
		{"503 of a proxy", nova.Nova, nova.Unavailable(0), "HTTP 503: 503 Service Unavailable", "nova-api", 0},
		{"keystone down", nova.Keystone, nova.Unavailable(time.Minute), "logging in: HTTP 503", "keystone", time.Minute},
		{"garbage", nova.Nova, nova.Garbage(), "invalid character '<'", "proxy", 0},
		{"cut", nova.Nova, nova.CutBody(), "unexpected EOF", "server list", 0},
	} {
		f.Heal()
		if c.fault != nil {
			f.Break(c.api, c.fault)
		}
		got := ask(within(t))
		if !strings.Contains(got.Error(), c.says) || !strings.Contains(got.Fix, c.fix) {
			t.Errorf("%s: %v, fix %q", c.name, got, got.Fix)
		}
		if a, ok := AnswerOf(got); c.retryAfter > 0 && (!ok || a.RetryAfter != c.retryAfter) {
			t.Errorf("%s: answer %+v", c.name, a)
		}
	}
	f.Heal()
	f.Break(nova.Nova, nova.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := ask(ctx); !errors.Is(got, context.DeadlineExceeded) || !strings.Contains(got.Fix, "did not answer") {
		t.Errorf("hanging: %v, fix %q", got, got.Fix)
	}
	f.Close()
	if got := ask(within(t)); !strings.Contains(got.Error(), "connection refused") || !strings.Contains(got.Fix, "curl") {
		t.Errorf("down: %v, fix %q", got, got.Fix)
	}
}

func TestRedirectsDoNotCarryTheTokenAway(t *testing.T) {
	t.Parallel()
	f, cloud := fakeCloud(t, "alice", nova.Config{})
	thief := nova.Start(nova.Config{})
	t.Cleanup(thief.Close)
	f.Break(nova.Nova, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		http.Redirect(w, r, thief.AuthURL(), http.StatusFound)
	})
	_, err := reading(t, cloud).Compute(within(t), 93)
	if err == nil || !strings.Contains(err.Error(), "redirected to another host") || len(thief.Requests()) != 0 {
		t.Errorf("%v; the other host saw %v", err, thief.Requests())
	}
}
