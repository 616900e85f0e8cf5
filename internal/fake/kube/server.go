// Package kube is a Kubernetes API server in process, over real HTTPS on the loopback: for the demo and for tests. It
// knows nodes, leases, pods and their logs, events, volumes, claims, workloads, disruption budgets and applications, lists
// and watches them as kube-apiserver does, in JSON only, takes merge patches, deletions and evictions, and fails in every
// way that one can. It must not know who reads it.
package kube

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// User is the one user of the server, as refusals name it, and token what it shows.
const (
	User  = "operator"
	token = "demo-token"
)

// Options of a server.
type Options struct {
	Context string           // name of the context in the kubeconfig; "demo" if empty
	Now     func() time.Time // time.Now if nil
	Old     bool             // it knows no initial events of a watch, as servers before 1.32
	// Controllers is how long its controllers and kubelets take for each step. 0 is none: then whoever made the server
	// deletes and makes pods.
	Controllers time.Duration
}

// Request is a request that came.
type Request struct{ Method, Path, Query, Accept, Agent string }

// Server is a fake API server.
type Server struct {
	options     Options
	certificate tls.Certificate
	authority   []byte // its certificate in PEM
	address     string

	mu       sync.Mutex
	stop     func() // nil while stopped
	version  uint64
	tables   map[string]*table
	faults   map[string]Fault  // by resource, "" for all
	denied   map[string]denial // by resource
	cut      map[string]chan struct{}
	changed  chan struct{} // closed at the next change
	requests []Request
	acts
	controllers
}

// acts is what becomes of requests that change something, and of logs.
type acts struct {
	deniedVerbs map[string]bool // "patch nodes"
	beforeWrite func(method, path string)
	afterWrite  func(method, path string)
	logs        map[string][]written
	followed    map[[3]string]int
	hasApps     bool
}

// controllers is the state of the controllers.
type controllers struct {
	looking *time.Timer // nil when no look is due
	closed  bool
	made    int // pods
}

// New starts a server without any objects.
func New(o Options) (*Server, error) {
	if o.Context == "" {
		o.Context = "demo"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	certificate, authority, err := certificate()
	if err != nil {
		return nil, fmt.Errorf("starting the fake API server: %w", err)
	}
	s := &Server{
		options: o, certificate: certificate, authority: authority, address: "127.0.0.1:0", version: 1, tables: map[string]*table{}, faults: map[string]Fault{},
		denied: map[string]denial{}, cut: map[string]chan struct{}{}, changed: make(chan struct{}),
		acts: acts{deniedVerbs: map[string]bool{}, logs: map[string][]written{}, followed: map[[3]string]int{}},
	}
	for _, r := range resources() {
		s.tables[r.name] = &table{resource: r, objects: map[string]*entry{}}
		s.cut[r.name] = make(chan struct{})
	}
	s.cut["pods/log"] = make(chan struct{})
	return s, s.Start()
}

// Start serves again after Stop, at the same address and with the same objects.
func (s *Server) Start() error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("starting the fake API server: %w", err)
	}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{s.certificate}, MinVersion: tls.VersionTLS12},
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(listener, "", "") // ends with Stop
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = listener.Addr().String()
	s.stop = func() {
		_ = server.Close() // the listener is closed either way
		<-served
	}
	return nil
}

// Stop ends the server and all connections to it. The objects stay.
func (s *Server) Stop() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Close ends the server for good.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.looking != nil {
		s.looking.Stop()
	}
	s.mu.Unlock()
	s.Stop()
}

// URL is the server's address.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "https://" + s.address
}

// Kubeconfig describes the server as a kubeconfig file does.
func (s *Server) Kubeconfig() []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: %[1]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[3]s, namespace: default}
clusters:
- name: %[1]s
  cluster: {server: %[2]q, certificate-authority-data: %[5]s}
users:
- name: %[3]s
  user: {token: %[4]s}
`, s.options.Context, s.URL(), User, token, base64.StdEncoding.EncodeToString(s.authority))
}

// Requests are all that came so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[:len(s.requests):len(s.requests)]
}

// requestsMost bounds the memory of a long demo.
const requestsMost = 10_000

func (s *Server) record(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= requestsMost {
		s.requests = append([]Request(nil), s.requests[requestsMost/2:]...)
	}
	s.requests = append(s.requests, Request{
		r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Accept"), r.Header.Get("User-Agent"),
	})
}
