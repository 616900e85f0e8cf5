package kube

import (
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// event is what strata reads of a core/v1 Event.
type event struct {
	Meta      meta        `json:"metadata"`
	About     reference   `json:"involvedObject"`
	Reason    text        `json:"reason"`
	Message   text        `json:"message"`
	Source    eventSource `json:"source"`
	First     stamp       `json:"firstTimestamp"`
	Last      stamp       `json:"lastTimestamp"`
	Count     int32       `json:"count"`
	Time      stamp       `json:"eventTime"`
	Series    eventSeries `json:"series"`
	Component text        `json:"reportingComponent"`
}

type reference struct {
	Kind      text `json:"kind"`
	Namespace text `json:"namespace"`
	Name      text `json:"name"`
}

type eventSource struct {
	Component text `json:"component"`
	Host      text `json:"host"`
}

type eventSeries struct {
	Count int32 `json:"count"`
	Last  stamp `json:"lastObservedTime"`
}

func (e *event) head() *meta { return &e.Meta }

func (e *event) reset() { *e = event{} }

// fact makes the event as strata knows it. Events come in two dialects: with count and two timestamps, or with
// eventTime and a series.
func (e *event) fact(source string, in *interner) fleet.Object {
	f := &fleet.Event{
		Source:    source,
		Namespace: in.of(e.Meta.Namespace),
		Name:      string(e.Meta.Name),
		Reason:    in.of(e.Reason),
		Message:   in.message(e.Message),
		About:     e.about(source, in),
		Component: in.of(e.Source.Component),
		Host:      in.of(e.Source.Host),
		Count:     max(e.Count, e.Series.Count),
		First:     earliest(e.First.Time, e.Time.Time, e.Meta.Created.Time),
		Last:      latest(e.Last.Time, e.Series.Last.Time, e.Time.Time),
	}
	if f.Component == "" {
		f.Component = in.of(e.Component)
	}
	if f.Last.IsZero() {
		f.Last = f.First
	}
	return f
}

func (e *event) about(source string, in *interner) fleet.Ref {
	api := strings.ToLower(string(e.About.Kind))
	r := fleet.Ref{Kind: ourKind(in.of(text(api))), Source: source, Name: e.About.ref()}
	if r.Kind == fleet.KindWorkload {
		r.Name = fleet.WorkloadName(string(e.About.Namespace), api, string(e.About.Name))
	}
	return r
}

// ref is the name as in a fleet.Ref: namespace/name, or name alone for what has no namespace. Events about a node name
// the namespace of the event.
func (o *reference) ref() string {
	if len(o.Namespace) == 0 || o.Kind.is("Node") || o.Kind.is("PersistentVolume") {
		return string(o.Name)
	}
	return string(o.Namespace) + "/" + string(o.Name)
}

func earliest(all ...time.Time) (t time.Time) {
	for _, a := range all {
		if !a.IsZero() && (t.IsZero() || a.Before(t)) {
			t = a
		}
	}
	return t
}

func latest(all ...time.Time) (t time.Time) {
	for _, a := range all {
		if a.After(t) {
			t = a
		}
	}
	return t
}

// unmarshal reads a message Event.
func (e *event) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(e.Meta.unmarshal(r.data, nil))
		case 2:
			r.fail(e.About.unmarshal(r.data))
		case 3:
			e.Reason = r.data
		case 4:
			e.Message = r.data
		case 5:
			p := r.pair() // component 1, host 2
			e.Source = eventSource{Component: p.key, Host: p.value}
		case 6:
			e.First = r.time()
		case 7:
			e.Last = r.time()
		case 8:
			e.Count = r.number()
		case 10:
			e.Time = r.time()
		case 11:
			r.fail(e.Series.unmarshal(r.data))
		case 14:
			e.Component = r.data
		}
	}
	return r.err
}

// unmarshal reads a message ObjectReference.
func (o *reference) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			o.Kind = r.data
		case 2:
			o.Namespace = r.data
		case 3:
			o.Name = r.data
		}
	}
	return r.err
}

func (s *eventSeries) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Count = r.number()
		case 2:
			s.Last = r.time()
		}
	}
	return r.err
}

// Warning events are kept for an hour, as the API server does, and only the newest of a flood.
const (
	eventsMost = 2000
	eventsAge  = time.Hour
)

// recent keeps the events worth keeping, in their order.
func recent(facts fleet.Facts, now time.Time) fleet.Facts {
	at := func(o fleet.Object) time.Time { return o.(*fleet.Event).Last }
	since := now.Add(-eventsAge)
	if len(facts) > eventsMost {
		if cut := newest(facts, eventsMost, at); cut.After(since) {
			since = cut
		}
	}
	kept := make(fleet.Facts, 0, min(len(facts), eventsMost))
	for _, o := range facts {
		if !at(o).Before(since) && len(kept) < eventsMost {
			kept = append(kept, o)
		}
	}
	return kept
}

// newest returns the time of the n-th newest of the facts.
func newest(facts fleet.Facts, n int, at func(fleet.Object) time.Time) time.Time {
	times := make([]time.Time, 0, len(facts))
	for _, o := range facts {
		times = append(times, at(o))
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times[n-1]
}

// ourKind is our kind for one of the API's, lower-cased.
func ourKind(api string) fleet.Kind {
	switch api {
	case "persistentvolume":
		return fleet.KindVolume
	case "persistentvolumeclaim":
		return fleet.KindClaim
	case "deployment", "statefulset", "daemonset", "job":
		return fleet.KindWorkload
	case "application":
		return fleet.KindApp
	}
	return fleet.Kind(api)
}
