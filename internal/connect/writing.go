package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/notes"
)

// Reach is what may be written to.
type Reach struct {
	Clouds   []Cloud
	Clusters []Cluster
	Machines []Machine
	Remotes  []Remote
	Marks    *notes.Marks // of error counters; nil where none are kept
}

// Writing holds the clients that may change something. The read-only program never makes one. Logins are made when
// they are first needed, apart from those for reading.
type Writing struct {
	agent    string
	clouds   map[string]*OpenStack // by source name
	machines map[string]Machine    // by name
	marks    *notes.Marks

	mu       sync.Mutex
	remotes  map[string]Remote     // by name
	clusters map[string]*kubeHands // by source name
}

// kubeHands is a cluster with its writing client, once that was needed.
type kubeHands struct {
	cluster Cluster
	client  *KubeWriting
}

// ForWriting makes the writing clients of what is in reach. It does not use the network. version goes into the
// User-Agent.
func ForWriting(version string, reach Reach) *Writing {
	w := &Writing{
		agent: "strata/" + version, clouds: map[string]*OpenStack{}, clusters: map[string]*kubeHands{}, machines: map[string]Machine{},
		remotes: map[string]Remote{}, marks: reach.Marks,
	}
	for _, c := range reach.Clouds {
		base := newTransport(c.tls)
		w.clouds[c.Source()] = newOpenStack(c, version, base, &exceptLogin{
			login: c.loginURL(), plain: base, noticing: noticeLost(base),
		})
	}
	for _, c := range reach.Clusters {
		w.clusters[c.Source()] = &kubeHands{cluster: c}
	}
	for _, m := range reach.Machines {
		w.machines[m.Name] = m
	}
	for _, r := range reach.Remotes {
		w.remotes[r.Name] = r
	}
	return w
}

// exceptLogin lets a lost login be an ordinary failure: it changed nothing.
type exceptLogin struct {
	login           string
	plain, noticing http.RoundTripper
}

func (t *exceptLogin) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.String() == t.login {
		return t.plain.RoundTrip(req)
	}
	return t.noticing.RoundTrip(req)
}

// Compute returns a client of Nova that may POST, for the source "openstack/NAME", at microversion 2.minor or the
// newest that is there.
func (w *Writing) Compute(ctx context.Context, source string, minor int) (*gophercloud.ServiceClient, error) {
	o, err := w.OpenStack(source)
	if err != nil {
		return nil, err
	}
	return o.Compute(ctx, minor)
}

// OpenStack returns all clients of the source "openstack/NAME" that may write.
func (w *Writing) OpenStack(source string) (*OpenStack, error) {
	if w == nil || w.clouds[source] == nil {
		return nil, fmt.Errorf("connecting to %s for writing: it is not among the clouds", source)
	}
	return w.clouds[source], nil
}

// Kube returns the client of the source "kube/NAME" that may write.
func (w *Writing) Kube(source string) (*KubeWriting, error) {
	if w == nil || w.clusters[source] == nil {
		return nil, fmt.Errorf("connecting to %s for writing: it is not among the clusters", source)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	hands := w.clusters[source]
	if hands.client == nil {
		client, err := hands.cluster.forWriting(w.agent)
		if err != nil {
			return nil, err
		}
		hands.client = client
	}
	return hands.client, nil
}

// Marks returns where it is kept from which value error counters count.
func (w *Writing) Marks() (*notes.Marks, error) {
	if w == nil || w.marks == nil {
		return nil, errors.New("this strata keeps no marks of error counters")
	}
	return w.marks, nil
}

// Machine returns the machine of a source of it: "host/NAME", "libvirt/NAME".
func (w *Writing) Machine(source string) (Machine, error) {
	kind, name, _ := strings.Cut(source, "/")
	if w != nil && (kind == "host" || kind == "libvirt") {
		if m, ok := w.machines[name]; ok {
			return m, nil
		}
	}
	return Machine{}, fmt.Errorf("acting on %s: strata does not run on that machine", name)
}

// Remote returns the machine over ssh that a source is of, if it is one.
func (w *Writing) Remote(source string) (Remote, bool) {
	if w == nil {
		return Remote{}, false
	}
	kind, name, _ := strings.Cut(source, "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.remotes[name]
	return r, ok && (kind == "host" || kind == "libvirt")
}

// Add takes in a machine over ssh that came later. Where there are no hands it adds none.
func (w *Writing) Add(r Remote) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remotes[r.Name] = r
}

// Close drops idle connections.
func (w *Writing) Close() {
	for _, o := range w.clouds {
		o.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clusters {
		if c.client != nil {
			c.client.connections.CloseAll()
		}
	}
}
