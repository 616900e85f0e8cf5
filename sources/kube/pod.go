package kube

import (
	"encoding/json"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// pod is what strata reads of a Pod, from protobuf or JSON. Its texts lie in the answer's buffer.
type pod struct {
	Meta   meta      `json:"metadata"`
	Spec   podSpec   `json:"spec"`
	Status podStatus `json:"status"`
}

type podSpec struct {
	Node       text        `json:"nodeName"`
	Containers []struct{}  `json:"containers"`
	Init       []container `json:"initContainers"`
	Volumes    podVolumes  `json:"volumes"`
}

// podVolumes is which sorts of data on its node a pod has.
type podVolumes struct{ local fleet.LocalData }

// UnmarshalJSON reads a list of volumes.
func (v *podVolumes) UnmarshalJSON(b []byte) error {
	var all []struct {
		EmptyDir maybe[struct{}] `json:"emptyDir"`
		HostPath maybe[struct{}] `json:"hostPath"`
	}
	err := json.Unmarshal(b, &all)
	for i := range all {
		if all[i].EmptyDir.is {
			v.local |= fleet.EmptyDir
		}
		if all[i].HostPath.is {
			v.local |= fleet.HostPath
		}
	}
	return err
}

type container struct {
	Name    text `json:"name"`
	Restart text `json:"restartPolicy"` // Always makes an init container a sidecar
}

type podStatus struct {
	Phase      text              `json:"phase"`
	Reason     text              `json:"reason"`
	Message    text              `json:"message"`
	IP         text              `json:"podIP"`
	Conditions []podCondition    `json:"conditions"`
	Containers []containerStatus `json:"containerStatuses"`
	Init       []containerStatus `json:"initContainerStatuses"`
}

type podCondition struct {
	Type    text `json:"type"`
	Status  text `json:"status"`
	Reason  text `json:"reason"`
	Message text `json:"message"`
}

type containerStatus struct {
	Name     text           `json:"name"`
	State    containerState `json:"state"`
	Last     containerState `json:"lastState"`
	Ready    bool           `json:"ready"`
	Started  bool           `json:"started"`
	Restarts int32          `json:"restartCount"`
}

type containerState struct {
	Waiting    maybe[waiting]    `json:"waiting"`
	Running    maybe[struct{}]   `json:"running"`
	Terminated maybe[terminated] `json:"terminated"`
}

type waiting struct {
	Reason  text `json:"reason"`
	Message text `json:"message"`
}

type terminated struct {
	Code     int32 `json:"exitCode"`
	Signal   int32 `json:"signal"`
	Reason   text  `json:"reason"`
	Message  text  `json:"message"`
	Finished stamp `json:"finishedAt"`
}

func (p *pod) head() *meta { return &p.Meta }

// reset keeps the slices: a cluster of 50,000 pods is read through one value.
func (p *pod) reset() {
	*p = pod{
		Meta: meta{Owners: p.Meta.Owners[:0]},
		Spec: podSpec{Containers: p.Spec.Containers[:0], Init: p.Spec.Init[:0]},
		Status: podStatus{
			Conditions: p.Status.Conditions[:0], Containers: p.Status.Containers[:0], Init: p.Status.Init[:0],
		},
	}
}

// fact makes the pod as strata knows it, with strings of its own.
func (p *pod) fact(source string, in *interner) fleet.Object {
	why := p.why()
	name, uid, ip := apart(p.Meta.Name, p.Meta.UID, p.Status.IP)
	f := &fleet.Pod{
		Source:    source,
		Namespace: in.of(p.Meta.Namespace),
		Name:      name,
		UID:       uid,
		IP:        ip,
		Node:      in.of(p.Spec.Node),
		Owner:     p.Meta.controller(in),
		Created:   p.Meta.Created.Time,
		Deleting:  p.Meta.Deleted.Time,
		LastExit:  p.lastExit(in),
		Run: fleet.PodRun{
			Phase:    in.of(p.Status.Phase),
			Ready:    p.ready(),
			Total:    p.total(),
			Restarts: p.restarts(),
			Local:    p.Spec.Volumes.local,
			Message:  in.message(why.message),
		},
	}
	if !why.is(string(p.Status.Phase)) {
		f.Run.Reason = why.word(in)
	}
	if c := p.condition("Ready"); c != nil {
		f.Run.PodReady = fleet.Some(c.Status.is("True"))
	}
	return f
}

// apart makes three strings of one allocation: they live and die together.
func apart(a, b, c text) (x, y, z string) {
	var room [256]byte
	all := string(append(append(append(room[:0], a...), b...), c...))
	return all[:len(a)], all[len(a) : len(a)+len(b)], all[len(a)+len(b):]
}

func (p *pod) condition(kind string) *podCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type.is(kind) {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func (p *pod) isSidecar(name text) bool {
	for i := range p.Spec.Init {
		if string(p.Spec.Init[i].Name) == string(name) {
			return p.Spec.Init[i].Restart.is("Always")
		}
	}
	return false
}

func (p *pod) total() int32 {
	n := len(p.Spec.Containers)
	for i := range p.Spec.Init {
		if p.Spec.Init[i].Restart.is("Always") {
			n++
		}
	}
	return int32(n) //nolint:gosec // a pod has a few containers
}

func (p *pod) ready() (n int32) {
	for i := range p.Status.Containers {
		if c := &p.Status.Containers[i]; c.Ready && c.State.Running.is {
			n++
		}
	}
	for i := range p.Status.Init {
		if c := &p.Status.Init[i]; c.Ready && c.Started && !c.State.Terminated.is && p.isSidecar(c.Name) {
			n++
		}
	}
	return n
}

func (p *pod) restarts() (n int32) {
	for i := range p.Status.Containers {
		n += p.Status.Containers[i].Restarts
	}
	for i := range p.Status.Init {
		n += p.Status.Init[i].Restarts
	}
	return n
}

// lastExit is the most recent end of a container that was started again since.
func (p *pod) lastExit(in *interner) *fleet.Exit {
	var last *terminated
	var name text
	for _, all := range [][]containerStatus{p.Status.Init, p.Status.Containers} {
		for i := range all {
			t := &all[i].Last.Terminated
			if t.is && (last == nil || t.v.Finished.After(last.Finished.Time)) {
				last, name = &t.v, all[i].Name
			}
		}
	}
	if last == nil {
		return nil
	}
	return &fleet.Exit{
		Container: in.of(name), Reason: in.of(last.Reason), Code: last.Code, Signal: last.Signal,
		Finished: last.Finished.Time,
	}
}

// reason is a word for a pod's state, put together only when it is kept.
type reason struct {
	prefix  string // Init:, Signal:, ExitCode:
	text    text
	message text
}

func (r reason) is(s string) bool { return r.prefix == "" && r.text.is(s) }

func (r reason) word(in *interner) string {
	if r.prefix == "" {
		return in.of(r.text)
	}
	return in.of(append([]byte(r.prefix), r.text...))
}

func number(n int32) text { return strconv.AppendInt(nil, int64(n), 10) }

// ended is the reason of a container that ended: the one given, else its signal, else its code.
func ended(prefix string, t *terminated) reason {
	switch {
	case len(t.Reason) > 0:
		return reason{prefix, t.Reason, t.Message}
	case t.Signal != 0:
		return reason{prefix + "Signal:", number(t.Signal), t.Message}
	}
	return reason{prefix + "ExitCode:", number(t.Code), t.Message}
}

// progress reports how far the init containers are: Init:1/3.
func progress(done, all int) reason {
	return reason{prefix: "Init:", text: text(strings.Join([]string{strconv.Itoa(done), strconv.Itoa(all)}, "/"))}
}
