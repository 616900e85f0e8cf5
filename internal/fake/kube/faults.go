package kube

import (
	"fmt"
	"net/http"
	"time"
)

// Fault is how requests go wrong. The zero value is no fault.
type Fault struct {
	Status  int           // answer with this status: 401, 410, 429, 503
	Hang    bool          // take the request and never answer
	Cut     bool          // break off in the middle of the answer
	Garbage bool          // answer 200 and nonsense
	Slow    time.Duration // answer later
	Lose    bool          // carry it out and break off instead of answering
}

// Break makes requests for a resource go wrong from now on, and ends its open watches without a word. "" is all.
func (s *Server) Break(resource string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[resource] = f
	s.cutWatches(resource)
}

// Heal ends all faults and denials.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	clear(s.denied)
	clear(s.deniedVerbs)
	s.cutWatches("")
}

// CutWatches breaks the connections of all open watches of a resource, "" of all.
func (s *Server) CutWatches(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutWatches(resource)
}

func (s *Server) cutWatches(resource string) {
	for name, c := range s.cut {
		if resource == "" || resource == name {
			close(c)
			s.cut[name] = make(chan struct{})
		}
	}
}

// Expire forgets the past: a watch that is to go on from an older version is told 410 Gone.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	for _, t := range s.tables {
		t.log, t.floor = nil, s.version
	}
}

// denial is what of a resource is denied.
type denial struct{ wide, all bool }

// Deny forbids to look at a resource.
func (s *Server) Deny(resource string) { s.deny(resource, denial{wide: true, all: true}) }

// DenyWide forbids to look at a resource in all namespaces at once.
func (s *Server) DenyWide(resource string) { s.deny(resource, denial{wide: true}) }

func (s *Server) deny(resource string, d denial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[resource] = d
	s.cutWatches(resource)
}

// fault returns how a request for a resource goes wrong, and what is closed when a watch that begins now is to break.
func (s *Server) fault(resource string) (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.faults[resource]; ok {
		return f, s.cut[resource]
	}
	return s.faults[""], s.cut[resource]
}

// refusal is the message of a 403, "" when the request may pass.
func (s *Server) refusal(t *table, namespace string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.denied[t.name]
	if !d.all && (!d.wide || namespace != "") {
		return ""
	}
	where := "at the cluster scope"
	if namespace != "" {
		where = fmt.Sprintf("in the namespace %q", namespace)
	}
	return fmt.Sprintf("%s is forbidden: User %q cannot list resource %q in API group %q %s", t.name, User, t.name, t.group(), where)
}

// goWrong carries out a fault and reports whether the request is done with.
func (s *Server) goWrong(f Fault, w http.ResponseWriter, r *http.Request) bool {
	if f.Slow > 0 {
		select {
		case <-time.After(f.Slow):
		case <-r.Context().Done():
			return true
		}
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
	case f.Status != 0:
		answerStatus(w, f.Status, "")
	case f.Garbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"PodList","items":[{"metadata":`)) // the client may be gone
	default:
		return false
	}
	return true
}
