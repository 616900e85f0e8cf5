// Package kube is a Kubernetes API server in process, over real HTTP on the loopback: for the demo and for tests. It
// knows nodes, leases, pods, events, volumes and claims, lists and watches them as kube-apiserver does, in JSON only,
// and fails in every way that one can. It must not know who reads it.
package kube

import (
	"fmt"
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
}

// Request is a request that came.
type Request struct{ Method, Path, Query, Accept, Agent string }

// Server is a fake API server.
type Server struct {
	options  Options
	listener net.Listener
	http     *http.Server
	served   chan struct{}

	mu       sync.Mutex
	version  uint64
	tables   map[string]*table
	faults   map[string]Fault  // by resource, "" for all
	denied   map[string]denial // by resource
	cut      map[string]chan struct{}
	changed  chan struct{} // closed at the next change
	requests []Request
}

// New starts a server without any objects.
func New(o Options) (*Server, error) {
	if o.Context == "" {
		o.Context = "demo"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the fake API server: %w", err)
	}
	s := &Server{
		options: o, listener: listener, served: make(chan struct{}), version: 1, tables: map[string]*table{},
		faults: map[string]Fault{}, denied: map[string]denial{}, cut: map[string]chan struct{}{}, changed: make(chan struct{}),
	}
	for _, r := range resources() {
		s.tables[r.name] = &table{resource: r, objects: map[string]*entry{}}
		s.cut[r.name] = make(chan struct{})
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener) // ends with Close
	}()
	return s, nil
}

// Close ends the server and all connections to it.
func (s *Server) Close() {
	_ = s.http.Close() // the listener is closed either way
	<-s.served
}

// URL is the server's address.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

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
  cluster: {server: %[2]q}
users:
- name: %[3]s
  user: {token: %[4]s}
`, s.options.Context, s.URL(), User, token)
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
