// Package nova is a Keystone and a Nova in this process, spoken to over real HTTP on the loopback. It behaves rather
// than replays: tokens expire, servers have states with Nova's own guards, actions take time, and faults can be
// switched on. It serves the demo and the tests, and never a real cloud.
package nova

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is how a fake cloud differs from the default; the zero value will do.
type Config struct {
	Now       func() time.Time // the cloud's clock, time.Now by default; a demo may run a fast one
	Delay     time.Duration    // how long an action keeps its task_state, by the cloud's clock
	TokenLife time.Duration    // an hour by default
	PageLimit int              // most servers in an answer, 1000 by default as in Nova
	MaxMinor  int              // newest microversion 2.n, 93 by default
	Region    string           // "RegionOne" by default
	// LetReadersAct is the policy of Nova before 2023.1, where a reader may stop a server.
	LetReadersAct bool
	// OnAction is told of every action that was accepted, without any lock held.
	OnAction func(server, action string)
}

// Cloud is a running fake. It is safe for concurrent use.
type Cloud struct {
	config Config
	url    string
	server *http.Server
	served chan struct{} // closed when serving ended
	closed chan struct{} // closed by Close: hanging requests end

	mu       sync.Mutex
	users    []*user
	projects []project
	tokens   map[string]*token
	servers  []*server // oldest first
	hosts    []*host
	flavors  []*Flavor
	faults   map[API]Fault
	requests []Request
	serial   int // of everything that needs a new id
}

// Start runs a fake with the users admin (of project admin and, with all rights, of the whole cloud), alice (member of
// demo) and viewer (reader of demo), whose password is Password, and with one controller and no servers.
func Start(c Config) *Cloud {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.TokenLife = cmp.Or(c.TokenLife, time.Hour)
	c.PageLimit = cmp.Or(c.PageLimit, 1000)
	c.MaxMinor = cmp.Or(c.MaxMinor, 93)
	c.Region = cmp.Or(c.Region, "RegionOne")
	f := &Cloud{
		config: c, tokens: map[string]*token{}, faults: map[API]Fault{},
		served: make(chan struct{}), closed: make(chan struct{}),
	}
	f.projects = []project{{f.id(), "admin"}, {f.id(), "demo"}}
	f.users = []*user{
		{id: f.id(), name: "admin", role: "admin", project: "admin"},
		{id: f.id(), name: "alice", role: "member", project: "demo"},
		{id: f.id(), name: "viewer", role: "reader", project: "demo"},
	}
	f.hosts = []*host{
		{id: f.uuid(), name: "controller", binary: "nova-scheduler", zone: "internal"},
		{id: f.uuid(), name: "controller", binary: "nova-conductor", zone: "internal"},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("starting the fake cloud: " + err.Error()) // no loopback: nothing else would work either
	}
	f.url = "http://" + listener.Addr().String()
	f.server = &http.Server{
		Handler: f.routes(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		defer close(f.served)
		_ = f.server.Serve(listener) // always ErrServerClosed, by Close
	}()
	return f
}

// Close ends all conversations and stops listening.
func (f *Cloud) Close() {
	select {
	case <-f.closed:
		return
	default:
		close(f.closed)
	}
	_ = f.server.Close()
	<-f.served
}

// AuthURL is the address of the fake Keystone, as auth_url of clouds.yaml wants it.
func (f *Cloud) AuthURL() string { return f.url + "/identity/v3" }

// Password is every user's password.
const Password = "not-a-secret"

// CloudsYAML is a clouds.yaml that describes this cloud, once for each name given as "cloud=user".
func (f *Cloud) CloudsYAML(clouds ...string) string {
	var b strings.Builder
	b.WriteString("clouds:\n")
	for _, c := range clouds {
		name, who, _ := strings.Cut(c, "=")
		u := f.user(who)
		fmt.Fprintf(&b, `  %s:
    auth:
      auth_url: %s
      username: %s
      password: %s
      project_name: %s
      user_domain_name: Default
      project_domain_name: Default
    region_name: %s
`, name, f.AuthURL(), u.name, Password, u.project, f.config.Region)
	}
	return b.String()
}

func (f *Cloud) user(name string) *user {
	i := slices.IndexFunc(f.users, func(u *user) bool { return u.name == name })
	if i < 0 {
		panic("the fake cloud has no user " + name)
	}
	return f.users[i]
}

// ProjectID returns the id of project "admin" or "demo".
func (f *Cloud) ProjectID(name string) string {
	for _, p := range f.projects {
		if p.name == name {
			return p.id
		}
	}
	panic("the fake cloud has no project " + name)
}

// UserID returns the id of user "admin", "alice" or "viewer".
func (f *Cloud) UserID(name string) string { return f.user(name).id }

// Request is one request that came in.
type Request struct {
	At           time.Time
	API          API
	Method, Path string // the path below the API's root, with the query: "/servers/detail?limit=2"
	Microversion string
	User         string // "" without a valid token
}

// Requests returns every request so far, in order.
func (f *Cloud) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Writes returns the requests that could have changed something: all but GET, HEAD and the login.
func (f *Cloud) Writes() []Request {
	var all []Request
	for _, r := range f.Requests() {
		login := r.API == Keystone && r.Method == http.MethodPost && r.Path == "/auth/tokens"
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !login {
			all = append(all, r)
		}
	}
	return all
}

// id returns a new id of Keystone's kind, the same ones in the same order in every fake.
func (f *Cloud) id() string {
	f.serial++
	return fmt.Sprintf("%08x%024x", 0xfa4e0000+f.serial, f.serial*7919)
}

// uuid returns a new id of Nova's kind.
func (f *Cloud) uuid() string {
	f.serial++
	return fmt.Sprintf("%08x-fa4e-4fa4-8fa4-%012x", f.serial*2654435761&0xffffffff, f.serial)
}
