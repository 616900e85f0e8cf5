package ui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// describe tells of an object what an operator asks first.
func describe(m *Model, o fleet.Object) []line {
	c := &m.screen.scene
	switch o := o.(type) {
	case *fleet.Host:
		return describeHost(c, o)
	case *fleet.Domain:
		return describeDomain(o)
	case *fleet.Node:
		return describeNode(c, o)
	case *fleet.Pod:
		return describePod(m, o)
	case *fleet.Workload:
		return describeWorkload(c, o)
	case *fleet.App:
		return describeApp(c, o)
	}
	return nil
}

func fact(name, value string) line {
	return line{cells: []cell{{"  " + fit(name, 14, false) + " ", dim}, {value, plain}}}
}

func describeNode(c *scene, n *fleet.Node) []line {
	out := []line{{}, says(bold, "Conditions")}
	for _, x := range n.Conditions {
		style := dim
		if (x.Type == "Ready") != (x.Status == "True") {
			style = badInk
		}
		out = append(out, line{cells: []cell{{"  " + fit(x.Type, 16, false) + " ", plain}, {fit(x.Status, 8, false), style}, {" for " + age(x.Since, c.now()) + "  ", dim}, {x.Reason + ": " + x.Message, dim}}})
	}
	if len(n.Taints) > 0 {
		out = append(out, line{}, says(bold, "Taints"))
	}
	for _, t := range n.Taints {
		key := t.Key
		if t.Value != "" {
			key += "=" + t.Value
		}
		out = append(out, says(plain, "  "+key+":"+t.Effect))
	}
	var names []string
	states := map[string]int{}
	for p := range fleet.All[*fleet.Pod](c.s, fleet.KindPod) {
		if p.Source == n.Source && p.Node == n.Name {
			names = append(names, p.Namespace+"/"+p.Name)
			states[p.Health().Word]++
		}
	}
	var words []string
	for word, count := range states {
		words = append(words, fmt.Sprintf("%d %s", count, word))
	}
	slices.Sort(words)
	out = append(out, line{}, says(bold, fmt.Sprintf("Pods on it: %d", len(names))), says(dim, "  "+strings.Join(words, ", ")))
	return append(out, says(plain, "  "+strings.Join(names, ", ")))
}

func describePod(m *Model, p *fleet.Pod) []line {
	c := &m.screen.scene
	out := []line{{}}
	if w, ok := fleet.WorkloadOf(c.s, p); ok {
		out = append(out, fact("kept by", w.Type+" "+w.Name+", "+w.Health().Word))
	} else {
		out = append(out, fact("kept by", or(p.Owner, "nothing: once it is gone it does not come again")))
	}
	out = append(out, fact("node", or(p.Node, "none yet")))
	if p.Run.Local != 0 {
		out = append(out, fact("data on node", p.Run.Local.String()))
	}
	if p.Run.Message != "" {
		out = append(out, fact("message", p.Run.Message))
	}
	if e := p.LastExit; e != nil {
		out = append(out, fact("last exit", fmt.Sprintf("%s: %s, code %d, signal %d, %s ago", e.Container, or(e.Reason, "no reason"), e.Code, e.Signal, age(e.Finished, c.now()))))
	}
	if x := manifestOf(m, p.Ref()); x != nil {
		out = append(out, containers(c, x.Text)...)
	}
	return out
}

// podPage is what a description reads of a pod's manifest.
type podPage struct {
	Status struct {
		Conditions []struct{ Type, Status, Reason, Message string } `json:"conditions"`
		Init       []containerPage                                  `json:"initContainerStatuses"`
		Main       []containerPage                                  `json:"containerStatuses"`
	} `json:"status"`
}

type containerPage struct {
	Name     string               `json:"name"`
	Image    string               `json:"image"`
	Ready    bool                 `json:"ready"`
	Restarts int                  `json:"restartCount"`
	State    map[string]statePage `json:"state"`
	Last     map[string]statePage `json:"lastState"`
}

type statePage struct {
	Reason   string    `json:"reason"`
	Message  string    `json:"message"`
	Code     int       `json:"exitCode"`
	Started  time.Time `json:"startedAt"`
	Finished time.Time `json:"finishedAt"`
}

// containers tells the containers and conditions of a pod from its manifest.
func containers(c *scene, text string) (out []line) {
	var page podPage
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		return []line{says(warnInk, "reading the manifest: "+err.Error())}
	}
	out = append(out, line{}, says(bold, "Containers"))
	for _, x := range append(page.Status.Init, page.Status.Main...) {
		style := okInk
		if !x.Ready {
			style = warnInk
		}
		out = append(out, line{cells: []cell{{"  " + fit(x.Name, 18, false) + " ", plain}, {stateText(c, x.State), style}, {fmt.Sprintf("  %d restarts  %s", x.Restarts, x.Image), dim}}})
		if last := stateText(c, x.Last); last != "" {
			out = append(out, line{cells: []cell{{"    before: ", dim}, {last, plain}}})
		}
	}
	out = append(out, line{}, says(bold, "Conditions"))
	for _, x := range page.Status.Conditions {
		style := dim
		if x.Status != "True" {
			style = warnInk
		}
		out = append(out, line{cells: []cell{{"  " + fit(x.Type, 26, false) + " ", plain}, {fit(x.Status, 8, false), style}, {strings.TrimSpace(x.Reason + " " + x.Message), dim}}})
	}
	return out
}

func stateText(c *scene, state map[string]statePage) string {
	for word, x := range state {
		switch word {
		case "running":
			return "running for " + age(x.Started, c.now())
		case "waiting":
			return strings.TrimSpace("waiting: " + x.Reason + " " + x.Message)
		case "terminated":
			return strings.TrimSpace(fmt.Sprintf("ended: %s, code %d, %s ago %s", or(x.Reason, "no reason"), x.Code, age(x.Finished, c.now()), x.Message))
		}
	}
	return ""
}

func describeWorkload(c *scene, w *fleet.Workload) []line {
	r := w.Replicas
	out := []line{{}}
	if w.Job != nil {
		out = append(out, describeJob(c, w)...)
	} else {
		out = append(out, fact("pods", fmt.Sprintf("%d wanted, %d there, %d updated, %d ready, %d available", r.Want, r.Total, r.Updated, r.Ready, r.Available)),
			fact("strategy", w.Version.Strategy))
	}
	out = append(out, fact("selector", w.Selector))
	if w.Message != "" {
		out = append(out, fact("message", w.Message))
	}
	out = append(out, line{}, says(bold, "Its pods"))
	for p := range fleet.All[*fleet.Pod](c.s, fleet.KindPod) {
		if of, ok := fleet.WorkloadOf(c.s, p); ok && of == w {
			h := p.Health()
			out = append(out, line{cells: []cell{{"  " + p.Name + "  ", plain}, {h.Word, c.t.state(h.State)}, {"  " + p.Node, dim}}, ref: p.Ref()})
		}
	}
	return out
}

// describeJob tells how far a Job is.
func describeJob(c *scene, w *fleet.Workload) []line {
	j, since := w.Job, func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return age(t, c.now()) + " ago"
	}
	limit := "not told"
	if j.Backoff.OK {
		limit = itoa(int(j.Backoff.V))
	}
	return []line{
		fact("pods", fmt.Sprintf("%d must end well, %d did, %d failed, %d at it, at most %d at once", w.Replicas.Want, w.Replicas.Ready, j.Failed, w.Replicas.Total, j.Parallel)),
		fact("may fail", limit), fact("condition", or(strings.TrimSpace(j.Condition+" "+j.Reason), "none")),
		fact("begun", or(since(j.Started), "not yet")), fact("ended", or(since(j.Ended), "not yet")),
	}
}
