package diagnose

import "strata/internal/fleet"

// neighbours are an object, what it stands on and what stands on it. Of a machine among them its parts belong to it, too:
// its sensors, disks, filesystems and swap areas.
type neighbours struct {
	s     *fleet.Snapshot
	of    fleet.Ref
	below map[fleet.Ref]bool // the object and what it stands on
	known map[fleet.Ref]bool // what was asked before
}

// near returns the neighbours of an object; of none, everything.
func near(s *fleet.Snapshot, r fleet.Ref) *neighbours {
	n := &neighbours{s: s, of: r, below: map[fleet.Ref]bool{}, known: map[fleet.Ref]bool{}}
	if r != (fleet.Ref{}) {
		for _, step := range Chain(s, r) {
			n.below[step.Ref] = true
		}
	}
	return n
}

// holds reports whether a moment is one of theirs.
func (n *neighbours) holds(m *Moment) bool {
	if n.of == (fleet.Ref{}) {
		return true
	}
	if p, ok := m.Of.(*fleet.Pod); ok && n.of.Kind != fleet.KindPod {
		return n.on(p)
	}
	return n.has(m.About()) || n.has(m.Machine())
}

func (n *neighbours) has(r fleet.Ref) bool {
	switch {
	case r == (fleet.Ref{}):
		return false
	case r == n.of:
		return true
	case r.Kind == fleet.KindPod: // there are many, and none stands on another
		p, ok := fleet.Find[*fleet.Pod](n.s, r)
		return ok && n.of.Kind != fleet.KindPod && n.on(p)
	}
	has, asked := n.known[r]
	if !asked {
		n.known[r] = false // who stands on itself stands on nothing
		has = n.below[r] || n.above(r) || n.part(r)
		n.known[r] = has
	}
	return has
}

// on reports whether a pod's node is the object or stands on it.
func (n *neighbours) on(p *fleet.Pod) bool {
	node := fleet.Ref{Kind: fleet.KindNode, Source: p.Source, Name: p.Node}
	return node == n.of || !n.below[node] && n.has(node)
}

// above reports whether a thing stands on the object.
func (n *neighbours) above(r fleet.Ref) bool {
	for l := range up(n.s, r) {
		if l.To == n.of || !n.below[l.To] && !machinePart(l.To.Kind) && n.has(l.To) {
			return true
		}
	}
	return false
}

// part reports whether a thing is a part of one of the machines.
func (n *neighbours) part(r fleet.Ref) bool {
	if !machinePart(r.Kind) {
		return false
	}
	for l := range up(n.s, r) {
		if l.To.Kind == fleet.KindHost && n.below[l.To] {
			return true
		}
	}
	return false
}

func machinePart(k fleet.Kind) bool {
	switch k {
	case fleet.KindSensor, fleet.KindDisk, fleet.KindFilesystem, fleet.KindSwap:
		return true
	}
	return false
}
