// Package prometheus is a Prometheus and its Alertmanager in process, over real HTTP: it answers instant queries of a few
// forms for as many simulated machines as are wanted, with node_exporter, smartctl_exporter and a libvirt exporter on them.
package prometheus

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"strata/internal/fake/nova"
)

// Machine is a simulated one. Change it in Server.Change only.
type Machine struct {
	Node     string // nodename
	Instance string // of its node_exporter; the others have the same host and another port
	Down     bool   // its exporters cannot be scraped
	Boot     time.Time
	UUID     string // DMI product_uuid
	Load     float64
	CPUs     int
	Busy     float64 // share
	Memory   float64 // bytes
	Free     float64 // bytes available
	Celsius  float64 // of all its sensors
	Media    float64 // media errors of its NVMe disk; below 0 it has no smartctl_exporter
	Mounts   []string
	Domains  []string
	Odd      map[string]string // values of metrics by name, as they stand in the answer, instead of what would
}

// Alert is what Alertmanager has.
type Alert struct {
	Fingerprint, Name, Severity, Instance, Summary string
	Silenced, Inhibited                            bool
}

// Server is the fake.
type Server struct {
	// URL is where Prometheus answers; Alertmanager is below it too, as behind a proxy.
	URL, Alertmanager string

	web    *httptest.Server
	closed chan struct{}

	mu          sync.Mutex
	machines    []*Machine
	alerts      []Alert
	fault       nova.Fault
	user, token string // "user:password"
	asked       []string
	answers     map[string][]byte // by query
}

// Start starts a Prometheus that watches n machines.
func Start(n int) *Server {
	s := &Server{closed: make(chan struct{})}
	boot := time.Now().Add(-30 * 24 * time.Hour).Truncate(time.Second)
	for i := range n {
		s.machines = append(s.machines, NewMachine(i, boot))
	}
	s.web = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL, s.Alertmanager = s.web.URL, s.web.URL+"/alertmanager"
	return s
}

// NewMachine is the i-th machine.
func NewMachine(i int, boot time.Time) *Machine {
	return &Machine{
		Node: fmt.Sprintf("node-%04d", i), Instance: fmt.Sprintf("10.%d.%d.%d:9100", i>>16, i>>8&255, i&255), Boot: boot.Add(time.Duration(i) * time.Second),
		UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Load: float64(i%80) / 10, CPUs: 16, Busy: float64(i%100) / 100,
		Memory: 64 << 30, Free: 32 << 30, Celsius: 45 + float64(i%10), Mounts: []string{"/", "/boot", "/srv", "/var/lib/nova"},
	}
}

// Close stops it.
func (s *Server) Close() {
	close(s.closed)
	s.web.CloseClientConnections()
	s.web.Close()
}

// Quiet ends idle connections.
func (s *Server) Quiet() { s.web.CloseClientConnections() }

// Change changes the machines.
func (s *Server) Change(how func(all []*Machine) []*Machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machines, s.answers = how(s.machines), nil
}

// SetAlerts says what Alertmanager has.
func (s *Server) SetAlerts(all ...Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = all
}

// Want makes it ask for a login: basic auth ("user:password") or a bearer token; "" is none.
func (s *Server) Want(user, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.token = user, token
}

// Break spoils answers until Heal: those to queries, or requests of paths, that have only in them; "" is all.
func (s *Server) Break(only string, fault nova.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(w http.ResponseWriter, r *http.Request, whole http.HandlerFunc) {
		if strings.Contains(r.URL.Path+" "+r.FormValue("query"), only) {
			fault(w, r, whole)
			return
		}
		whole(w, r)
	}
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
}

// Asked returns the queries so far and forgets them.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.asked
	s.asked = nil
	return all
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault := s.fault
	if r.Method != http.MethodGet {
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	} else if q := r.FormValue("query"); q != "" {
		s.asked = append(s.asked, q)
	}
	if len(s.asked) > 10_000 {
		s.asked = slices.Clone(s.asked[5_000:])
	}
	s.mu.Unlock()
	if fault != nil {
		fault(w, r, s.whole)
		return
	}
	s.whole(w, r)
}

func (s *Server) whole(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allowed(r) {
		w.Header().Set("WWW-Authenticate", "Basic")
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/api/v1/query":
		s.query(w, r.FormValue("query"))
	case "/api/v1/status/buildinfo":
		reply(w, map[string]any{"status": "success", "data": map[string]string{"version": "2.42.0", "goVersion": "go1.19.8"}})
	case "/alertmanager/api/v2/status":
		reply(w, map[string]any{"versionInfo": map[string]string{"version": "0.25.0"}})
	case "/alertmanager/api/v2/alerts":
		all := []map[string]any{}
		for _, a := range s.alerts {
			all = append(all, a.wire())
		}
		reply(w, all)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) allowed(r *http.Request) bool {
	switch user, password, _ := r.BasicAuth(); {
	case s.user != "":
		return user+":"+password == s.user
	case s.token != "":
		return r.Header.Get("Authorization") == "Bearer "+s.token
	}
	return true
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is no matter
}

func (a Alert) wire() map[string]any {
	silenced, inhibited, state := []string{}, []string{}, "active"
	if a.Silenced {
		silenced, state = []string{"5b1f0e1c-silence"}, "suppressed"
	}
	if a.Inhibited {
		inhibited, state = []string{"feedfacecafebeef"}, "suppressed"
	}
	return map[string]any{
		"fingerprint": a.Fingerprint, "startsAt": "2025-06-30T07:00:00.000Z", "updatedAt": "2025-06-30T07:20:00.000Z", "endsAt": "2025-06-30T07:25:00.000Z",
		"generatorURL": "http://prometheus:9090/graph?g0.expr=up", "receivers": []map[string]string{{"name": "default"}},
		"labels":      map[string]string{"alertname": a.Name, "severity": a.Severity, "instance": a.Instance},
		"annotations": map[string]string{"summary": a.Summary},
		"status":      map[string]any{"state": state, "silencedBy": silenced, "inhibitedBy": inhibited},
	}
}
