package kube

import (
	"fmt"
	"slices"
	"time"
)

// control has the controllers and kubelets look, a moment later, if the server has any.
func (s *Server) control() {
	if s.options.Controllers == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.looking != nil {
		return
	}
	s.looking = time.AfterFunc(s.options.Controllers, s.act)
}

// act is one round of the controllers and kubelets: deleted pods go, missing ones come and run, and statuses follow.
func (s *Server) act() {
	s.mu.Lock()
	s.looking = nil
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	again := false
	for _, p := range s.Pods() {
		if !p.Deleting.IsZero() && s.works(p.Node) {
			s.DeletePod(p.Namespace, p.Name)
			again = true
		}
	}
	for _, w := range s.Workloads() {
		if w.Kind != "DaemonSet" && s.keep(w) {
			again = true
		}
	}
	if again {
		s.control()
	}
}

// works reports whether a node's kubelet does.
func (s *Server) works(node string) bool {
	for _, n := range s.Nodes() {
		if n.Name == node {
			return !slices.ContainsFunc(n.Conditions, func(c Condition) bool { return c.Type == "Ready" && c.Status != "True" })
		}
	}
	return true
}

// keep makes one step towards what a workload wants, and reports whether there is more to do.
func (s *Server) keep(w Workload) (again bool) {
	var old, now []Pod
	for _, p := range s.Pods() {
		switch {
		case !w.Owns(p) || !p.Deleting.IsZero():
		case p.Owner == w.Owner() && p.Created.After(restarted(w)):
			now = append(now, p)
		default:
			old = append(old, p)
		}
	}
	switch {
	case w.Paused:
	case len(now) < w.Replicas && len(now)+len(old) <= w.Replicas:
		s.create(w)
		again = true
	case len(old) > 0:
		s.markDeleted(old[0])
		again = true
	case len(now) > w.Replicas:
		s.markDeleted(now[len(now)-1])
		again = true
	}
	total, ready := 0, 0
	for _, p := range s.Pods() {
		if w.Owns(p) && p.Deleting.IsZero() {
			total++
			if p.ready() {
				ready++
			}
		}
	}
	updated := min(total, len(now))
	s.ChangeWorkload(w.Kind, w.Namespace, w.Name, func(w *Workload) {
		w.Status = WorkloadStatus{Observed: w.Generation, Total: total, Ready: ready, Updated: updated, Available: ready}
	})
	return again
}

// restarted is when a StatefulSet's template was changed: its pods keep their owner.
func restarted(w Workload) time.Time {
	if w.Kind == "Deployment" || w.RestartedAt == "" {
		return time.Time{}.Add(-time.Hour)
	}
	at, _ := time.Parse(time.RFC3339, w.RestartedAt) // it was rendered as such
	return at.Add(-time.Second)
}

func (s *Server) markDeleted(p Pod) {
	s.ChangePod(p.Namespace, p.Name, func(p *Pod) { p.Deleting = s.options.Now() })
}

// create makes one pod of a workload, on the node with the fewest that takes it.
func (s *Server) create(w Workload) {
	s.made++
	p := Pod{
		Namespace: w.Namespace, Name: fmt.Sprintf("%s-%s-%05d", w.Name, w.Hash, s.made), Owner: w.Owner(), Created: s.options.Now(), Phase: "Pending",
	}
	if w.Kind == "StatefulSet" {
		for i := 0; ; i++ {
			p.Name = fmt.Sprintf("%s-%d", w.Name, i)
			if !slices.ContainsFunc(s.Pods(), func(q Pod) bool { return q.Namespace == p.Namespace && q.Name == p.Name }) {
				break
			}
		}
	}
	crowd, least := map[string]int{}, -1
	for _, q := range s.Pods() {
		crowd[q.Node]++
	}
	for _, n := range s.Nodes() {
		if n.Unschedulable || len(n.Taints) > 0 || !s.works(n.Name) {
			continue
		}
		if least < 0 || crowd[n.Name] < least {
			p.Node, p.Phase, least = n.Name, "Running", crowd[n.Name]
		}
	}
	s.AddPod(p)
}
