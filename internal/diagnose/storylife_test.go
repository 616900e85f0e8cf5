package diagnose_test

import (
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// reporting is KIND SOURCE NAME [TIME]: a node or service falls silent, or talks again.
func (s *story) reporting(silent bool, f []string) error {
	o, err := s.named(f[0], f[1], f[2])
	if err != nil {
		return err
	}
	since := s.now
	if len(f) > 3 {
		since = at(f[3])
	}
	if silent {
		s.silent[o.Ref()] = since
		return nil
	}
	delete(s.silent, o.Ref())
	if c, ok := o.(*fleet.ComputeService); ok {
		change(s, o.Ref(), func(c *fleet.ComputeService) { c.State = "up" })
		s.hypervisors(c, "up")
		return nil
	}
	change(s, o.Ref(), func(n *fleet.Node) {
		n.Taints = slices.DeleteFunc(slices.Clone(n.Taints), func(t fleet.Taint) bool { return t.Key == "node.kubernetes.io/unreachable" })
	})
	s.turn(o.Ref(), fleet.NodeCondition{Type: "Ready", Status: "True", Reason: "KubeletReady", Since: s.now, Heartbeat: s.now})
	for _, p := range s.podsOn(o.Ref()) {
		if !p.Deleting.IsZero() {
			delete(s.objects, p.Ref())
			continue
		}
		change(s, p.Ref(), func(p *fleet.Pod) { p.Run.PodReady = fleet.Some(true) })
	}
	return nil
}

func (s *story) podsOn(node fleet.Ref) (all []*fleet.Pod) {
	for _, o := range s.objects {
		if p, ok := o.(*fleet.Pod); ok && p.Source == node.Source && p.Node == node.Name {
			all = append(all, p)
		}
	}
	return all
}

func (s *story) hypervisors(of *fleet.ComputeService, state string) {
	for r, o := range s.objects {
		if h, ok := o.(*fleet.Hypervisor); ok && h.Source == of.Source && h.ServiceHost == of.Host {
			change(s, r, func(h *fleet.Hypervisor) { h.State = state })
		}
	}
}

// reports is what happens by itself.
func (s *story) reports() {
	for r, o := range s.objects {
		if s.dead[r.Source] != "" {
			continue // what happens there nobody sees
		}
		switch o := o.(type) {
		case *fleet.Lease:
			s.renew(r, o)
		case *fleet.Node:
			s.judgeNode(r)
		case *fleet.ComputeService:
			s.checkIn(r, o)
		}
	}
	for r, o := range s.objects {
		h, ok := o.(*fleet.Hypervisor)
		if !ok || s.booted[r].IsZero() || s.dead[r.Source] != "" {
			continue
		}
		up := ""
		if h.State == "up" {
			long := s.now.Sub(s.booted[r])
			up = fmt.Sprintf(" %s up %d days, %2d:%02d,  1 user,  load average: 0.31, 0.20, 0.09", s.now.UTC().Format(time.TimeOnly),
				long/(24*time.Hour), long%(24*time.Hour)/time.Hour, long%time.Hour/time.Minute)
		}
		change(s, r, func(h *fleet.Hypervisor) { h.Uptime = up })
	}
}

// renew renews a lease every ten seconds, each at its own moment.
func (s *story) renew(r fleet.Ref, l *fleet.Lease) {
	node := fleet.Ref{Kind: fleet.KindNode, Source: r.Source, Name: l.Node}
	moment := s.now
	if since, ok := s.silent[node]; ok {
		moment = since
	}
	own := time.Duration(len(l.Node)%10) * time.Second
	moment = moment.Add(-own).Truncate(10 * time.Second).Add(own).Add(s.clocks[r.Source])
	if !l.Renewed.Equal(moment) {
		change(s, r, func(l *fleet.Lease) { l.Watched, l.Renewed, l.Seen = !l.Renewed.IsZero(), moment, s.now })
	}
}

// judgeNode is what the node controller does about a silent node: Unknown after 50 s, its pods not ready, five minutes
// later those that may go are told to.
func (s *story) judgeNode(r fleet.Ref) {
	since, ok := s.silent[r]
	if !ok || s.now.Before(since.Add(50*time.Second)) {
		return
	}
	lost := since.Add(50 * time.Second)
	if c, _ := s.objects[r].(*fleet.Node).Condition("Ready"); c.Status != "Unknown" {
		change(s, r, func(n *fleet.Node) {
			n.Taints = append(slices.Clone(n.Taints), fleet.Taint{Key: "node.kubernetes.io/unreachable", Effect: "NoExecute", Since: lost.Add(s.clocks[r.Source])})
		})
		s.turn(r, fleet.NodeCondition{Type: "Ready", Status: "Unknown", Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.", Since: lost, Heartbeat: since})
		for _, p := range s.podsOn(r) {
			change(s, p.Ref(), func(p *fleet.Pod) { p.Run.PodReady = fleet.Some(false) })
		}
	}
	if s.now.Before(lost.Add(5 * time.Minute)) {
		return
	}
	for _, p := range s.podsOn(r) {
		if !p.KeptByNode() && p.Deleting.IsZero() {
			change(s, p.Ref(), func(p *fleet.Pod) { p.Deleting = lost.Add(5*time.Minute + 30*time.Second) })
		}
	}
}

// checkIn is a service that reports every ten seconds, and is down a minute after it stopped to.
func (s *story) checkIn(r fleet.Ref, c *fleet.ComputeService) {
	since, silent := s.silent[r]
	switch {
	case !silent:
		if moment := s.now.Truncate(10 * time.Second); !c.Updated.Equal(moment) {
			change(s, r, func(c *fleet.ComputeService) { c.Updated = moment })
		}
	case c.State == "up" && !s.now.Before(since.Add(time.Minute)):
		change(s, r, func(c *fleet.ComputeService) { c.State, c.Updated = "down", since.Truncate(10*time.Second) })
		if c.Binary == "nova-compute" {
			s.hypervisors(c, "down")
		}
	}
}
