package kube

import "strings"

// change does something to the objects and wakes all watches.
func (s *Server) change(do func(at uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	do(s.version)
	s.renewBudgets(s.version)
	close(s.changed)
	s.changed = make(chan struct{})
}

// put makes or changes an object, and its namespace if that is new.
func (s *Server) put(at uint64, resource, namespace, name string, body jsonObject, value any) {
	if spaces := s.tables["namespaces"]; namespace != "" && spaces.objects["/"+namespace] == nil {
		spaces.put(at, "", namespace, jsonObject{
			"metadata": metadata("namespaces", "", namespace, s.options.Now()), "status": jsonObject{"phase": "Active"},
		}, nil)
	}
	s.tables[resource].put(at, namespace, name, body, value)
}

// AddNode makes or replaces a node and renews its lease.
func (s *Server) AddNode(n Node) {
	s.change(func(at uint64) {
		now := s.options.Now()
		s.put(at, "nodes", "", n.Name, n.render(now), n)
		s.put(at, "leases", leaseNamespace, n.Name, leaseOf(n.Name, now), nil)
	})
}

// ChangeNode changes a node. It reports whether there is one of that name.
func (s *Server) ChangeNode(name string, edit func(*Node)) (ok bool) {
	s.change(func(at uint64) {
		e := s.tables["nodes"].objects["/"+name]
		if e == nil {
			return
		}
		n := e.value.(Node)
		edit(&n)
		s.put(at, "nodes", "", name, n.render(s.options.Now()), n)
		ok = true
	})
	return ok
}

// SetNodeReady sets a node's Ready condition: True, False or Unknown.
func (s *Server) SetNodeReady(name, status, reason, message string) bool {
	now := s.options.Now()
	return s.ChangeNode(name, func(n *Node) {
		next := []Condition{{Type: "Ready", Status: status, Reason: reason, Message: message, Since: now}}
		for _, c := range n.Conditions {
			if c.Type != "Ready" {
				next = append(next, c)
			}
		}
		n.Conditions = next
	})
}

// RenewLease renews the lease of a node, as its kubelet does every 10 s.
func (s *Server) RenewLease(node string) {
	s.change(func(at uint64) { s.put(at, "leases", leaseNamespace, node, leaseOf(node, s.options.Now()), nil) })
}

// AddPod makes or replaces a pod.
func (s *Server) AddPod(p Pod) {
	s.change(func(at uint64) { s.put(at, "pods", p.Namespace, p.Name, p.render(s.options.Now()), p) })
}

// ChangePod changes a pod. It reports whether there is one of that name.
func (s *Server) ChangePod(namespace, name string, edit func(*Pod)) (ok bool) {
	s.change(func(at uint64) {
		e := s.tables["pods"].objects[namespace+"/"+name]
		if e == nil {
			return
		}
		p := e.value.(Pod)
		edit(&p)
		s.put(at, "pods", namespace, name, p.render(s.options.Now()), p)
		ok = true
	})
	return ok
}

// SetPodPhase puts a pod and its containers into a phase.
func (s *Server) SetPodPhase(namespace, name, phase string) bool {
	return s.ChangePod(namespace, name, func(p *Pod) { p.Phase, p.Containers, p.Conditions = phase, nil, nil })
}

// DeletePod deletes a pod at once.
func (s *Server) DeletePod(namespace, name string) bool { return s.Delete("pods", namespace, name) }

// AddEvent makes or replaces an event.
func (s *Server) AddEvent(e Event) {
	if e.Namespace == "" {
		e.Namespace = "default"
		if namespace, _, ok := strings.Cut(e.About, "/"); ok {
			e.Namespace = namespace
		}
	}
	s.change(func(at uint64) {
		if e.Name == "" {
			e.Name = strings.ReplaceAll(e.About, "/", ".") + "." + version(at)
		}
		s.put(at, "events", e.Namespace, e.Name, e.render(s.options.Now()), e)
	})
}

// AddVolume makes or replaces a volume.
func (s *Server) AddVolume(v Volume) {
	s.change(func(at uint64) { s.put(at, "persistentvolumes", "", v.Name, v.render(s.options.Now()), v) })
}

// AddClaim makes or replaces a claim.
func (s *Server) AddClaim(c Claim) {
	s.change(func(at uint64) {
		s.put(at, "persistentvolumeclaims", c.Namespace, c.Name, c.render(s.options.Now()), c)
	})
}

// Delete deletes an object of any resource, by its plural name. It reports whether it was there.
func (s *Server) Delete(resource, namespace, name string) (ok bool) {
	s.change(func(at uint64) { ok = s.tables[resource].drop(at, namespace+"/"+name) })
	return ok
}
