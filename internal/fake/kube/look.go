package kube

// Nodes returns the nodes as they are, by name.
func (s *Server) Nodes() []Node { return values[Node](s, "nodes") }

// Pods returns the pods as they are, by namespace and name.
func (s *Server) Pods() []Pod { return values[Pod](s, "pods") }

func values[T any](s *Server, resource string) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[resource]
	all := make([]T, 0, len(t.objects))
	for _, key := range t.keys() {
		if v, ok := t.objects[key].value.(T); ok {
			all = append(all, v)
		}
	}
	return all
}

// Version grows with every change of any object.
func (s *Server) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}
