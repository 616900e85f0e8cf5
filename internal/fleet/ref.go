// Package fleet holds the nouns that every other package speaks, and the Store that joins observations of them
// into snapshots. It imports the standard library only, reads no clock and starts no I/O.
package fleet

import (
	"encoding/json"
	"strings"
)

// Kind says what sort of thing a Ref points at. Its values are also the words of the command line and the schema.
type Kind string

// The kinds of things strata sees.
const (
	KindServer     Kind = "server"     // a Nova server
	KindCompute    Kind = "compute"    // a nova service (os-services)
	KindHypervisor Kind = "hypervisor" // os-hypervisors
	KindNode       Kind = "node"
	KindLease      Kind = "lease" // a node's lease in kube-node-lease
	KindPod        Kind = "pod"
	KindEvent      Kind = "event" // a Kubernetes Warning event
	KindVolume     Kind = "pv"
	KindClaim      Kind = "pvc"
	KindHost       Kind = "host" // a machine strata runs on or reads through an agent
	KindSensor     Kind = "sensor"
	KindDisk       Kind = "disk"
	KindFilesystem Kind = "filesystem"
	KindUnit       Kind = "unit"      // a systemd scope or service with its control group
	KindSwap       Kind = "swap"      // a swap area
	KindKernel     Kind = "kernel"    // what a line of a kernel's log means
	KindKernelLog  Kind = "kernellog" // the end of a machine's kernel log
	KindBoot       Kind = "boot"      // a boot of a machine
	KindDomain     Kind = "domain"    // a libvirt domain
	KindWorkload   Kind = "workload"  // a Deployment, StatefulSet, DaemonSet or Job
	KindApp        Kind = "app"       // an Argo CD application
	KindLog        Kind = "log"       // the last lines of a container's log
	KindManifest   Kind = "manifest"  // an object as its API server has it
	KindFlavor     Kind = "flavor"
	KindAgent      Kind = "agent" // strata on another machine
	KindCheck      Kind = "check" // an endpoint that is dialled
	KindFinding    Kind = "finding"
	KindAlert      Kind = "alert" // an alert of Alertmanager
	KindDeed       Kind = "deed"  // a line of strata's own audit log
)

// Scope is the word that scopes of a kind begin with ("pods/default").
func (k Kind) Scope() string {
	switch k {
	case KindCompute:
		return "services"
	case KindVolume:
		return "volumes"
	case KindClaim:
		return "claims"
	case KindHost, KindKernel, KindLog, KindManifest:
		return string(k) // there is one, one at a time, or no plural
	}
	return string(k) + "s"
}

// Ref names one thing across all systems. It is comparable and a stable map key.
//
// Source is the name of the source that sees it ("openstack/home", "kube/prod", "host/alpha"). Name is unique in that
// source and kind: a server's id, "namespace/name" of a pod, a node's name, a device's name.
type Ref struct {
	Kind   Kind   `json:"kind"`
	Source string `json:"source"`
	Name   string `json:"name"`
}

// String is for people: kind and name.
func (r Ref) String() string { return string(r.Kind) + " " + r.Name }

// Compare orders refs by kind, source and name.
func (r Ref) Compare(o Ref) int {
	if r.Kind != o.Kind {
		return strings.Compare(string(r.Kind), string(o.Kind))
	}
	if r.Source != o.Source {
		return strings.Compare(r.Source, o.Source)
	}
	return strings.Compare(r.Name, o.Name)
}

// FleetSource begins the names of sources that watch many machines through one system ("prometheus/home"). All other
// sources of machines watch one each.
const FleetSource = "prometheus/"

// OfHost names a thing of a machine: by its own name in a source of that machine only, behind the machine's name in one
// of many machines.
func OfHost(kind Kind, source, host, name string) Ref {
	if strings.HasPrefix(source, FleetSource) {
		name = host + "/" + name
	}
	return Ref{kind, source, name}
}

// Object is one thing seen. It never changes once it was put into a Store: a source makes a new value instead, and
// keeps the old pointer for what did not change, so that readers can tell by comparing pointers.
type Object interface {
	Ref() Ref
	Health() Health
}

// Compare orders objects by their refs. Of those there are many of, and whose names are made of two, it does so without
// making them.
func Compare(a, b Object) int {
	if p, ok := a.(*Pod); ok {
		if q, ok := b.(*Pod); ok {
			if c := strings.Compare(p.Source, q.Source); c != 0 {
				return c
			}
			return compareNested(p.Namespace, p.Name, q.Namespace, q.Name)
		}
	}
	p, ok := a.(placed)
	q, also := b.(placed)
	if !ok || !also {
		return a.Ref().Compare(b.Ref())
	}
	one, other := p.place(), q.place()
	if c := strings.Compare(string(one.kind), string(other.kind)); c != 0 {
		return c
	}
	if c := strings.Compare(one.source, other.source); c != 0 {
		return c
	}
	if !strings.HasPrefix(one.source, FleetSource) {
		return strings.Compare(one.name, other.name)
	}
	return compareNested(one.host, one.name, other.host, other.name)
}

// placed is a thing of a machine.
type placed interface{ place() place }

// place is what OfHost makes a ref of.
type place struct {
	kind               Kind
	source, host, name string
}

func (p place) ref() Ref { return OfHost(p.kind, p.source, p.host, p.name) }

// compareNested compares above/name with above/name.
func compareNested(above, name, otherAbove, otherName string) int {
	if c := strings.Compare(above, otherAbove); c != 0 && !prefixed(above, otherAbove) {
		return c
	} else if c != 0 {
		return strings.Compare(above+"/"+name, otherAbove+"/"+otherName)
	}
	return strings.Compare(name, otherName)
}

// prefixed reports whether one starts with the other: then the slash between namespace and name decides.
func prefixed(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// State is how a thing is, as its own system tells it. The zero value is "not known".
type State uint8

// States, in the order a table shows them last to first.
const (
	StateUnknown State = iota
	StateOK
	StateWarn
	StateBad
)

var stateWords = [...]string{"unknown", "ok", "warn", "bad"}

func (s State) String() string { return stateWords[s] }

// Rank orders states worst first: bad, warn, unknown, ok.
func (s State) Rank() int { return [...]int{2, 3, 1, 0}[s] }

// Health is an object's own state with the word its system has for it ("SHUTOFF", "CrashLoopBackOff").
type Health struct {
	State State
	Word  string
}

// Opt is a value that may be missing. Missing is not zero. In JSON a missing value is null.
type Opt[T any] struct {
	V  T
	OK bool
}

// Some wraps a value that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, OK: true} }

// Or returns the value, or alt when it is missing.
func (o Opt[T]) Or(alt T) T {
	if o.OK {
		return o.V
	}
	return alt
}

// IsZero lets encoding/json leave out missing values under omitzero.
func (o Opt[T]) IsZero() bool { return !o.OK }

// MarshalJSON writes null for a missing value.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.OK {
		return []byte("null"), nil
	}
	return json.Marshal(o.V)
}

// UnmarshalJSON reads null as missing.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	o.OK = true
	return json.Unmarshal(b, &o.V)
}
