package diagnose

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// Up returns what an object stands on, one layer down: the stored links, strongest first, then those it states itself.
// What it names need not be in the snapshot.
func Up(s *fleet.Snapshot, r fleet.Ref) []fleet.Link { return slices.Collect(up(s, r)) }

// Step is one stop on the way down from an object.
type Step struct {
	Ref   fleet.Ref
	Depth int              // 0 for the object itself
	How   string           // what ties it to the step above it; "" for the object itself
	Sure  fleet.Confidence // of that tie
	Known bool             // whether the snapshot has the object
}

// Chain returns an object and all it stands on, depth first, each once.
func Chain(s *fleet.Snapshot, r fleet.Ref) []Step {
	_, known := s.Get(r)
	steps := []Step{{Ref: r, Known: known}}
	seen := map[fleet.Ref]bool{r: true}
	var walk func(fleet.Ref, int)
	walk = func(r fleet.Ref, depth int) {
		for l := range up(s, r) {
			if seen[l.To] {
				continue
			}
			seen[l.To] = true
			_, known := s.Get(l.To)
			steps = append(steps, Step{l.To, depth, l.How, l.Sure, known})
			walk(l.To, depth+1)
		}
	}
	walk(r, 1)
	return steps
}

// Over returns all that stands on an object, layer upon layer, by what it stands on: each thing once, by the strongest of its
// links that do not lead back. It looks once for each layer through all objects of the kinds that may be in it. Events and
// leases are told of the object only.
func Over(s *fleet.Snapshot, r fleet.Ref) map[fleet.Ref][]fleet.Link {
	layers := map[fleet.Ref]int{r: 0}
	var all []fleet.Ref
	for next := []fleet.Ref{r}; len(next) > 0; {
		layer, found := next, len(all)
		add := func(ref fleet.Ref) {
			if _, known := layers[ref]; !known {
				layers[ref], all = layers[layer[0]]+1, append(all, ref)
			}
		}
		kinds := map[fleet.Kind]map[fleet.Ref]bool{} // what may stand on which of the layer
		for _, ref := range layer {
			for l := range s.Down(ref) {
				add(l.From)
			}
			for _, kind := range statedAbove(ref.Kind) {
				if kinds[kind] == nil {
					kinds[kind] = map[fleet.Ref]bool{}
				}
				kinds[kind][ref] = ref == r || kind != fleet.KindEvent && kind != fleet.KindLease
			}
		}
		for kind, below := range kinds {
			for o := range s.Each(kind) {
				for l := range states(o) {
					if below[l.To] {
						add(o.Ref())
					}
				}
			}
		}
		next = all[found:]
	}
	over := make(map[fleet.Ref][]fleet.Link, len(all))
	for _, ref := range all {
		for l := range up(s, ref) {
			below, found := layers[l.To]
			if found && (below < layers[ref] || below == layers[ref] && Depth(l.To.Kind) > Depth(ref.Kind)) {
				l.From = ref
				over[l.To] = append(over[l.To], l)
				break
			}
		}
	}
	return over
}

// up yields all links of an object.
func up(s *fleet.Snapshot, r fleet.Ref) iter.Seq[fleet.Link] {
	return func(yield func(fleet.Link) bool) {
		if stored(r.Kind) {
			for l := range s.Up(r) {
				if !yield(l) {
					return
				}
			}
		}
		if r.Kind == fleet.KindLease { // it names its node even when it is gone
			yield(fleet.Link{From: r, To: fleet.Ref{Kind: fleet.KindNode, Source: r.Source, Name: r.Name}, How: "name", Sure: fleet.High})
			return
		}
		if len(statedBy(r.Kind)) == 0 {
			return
		}
		o, ok := s.Get(r)
		if !ok {
			return
		}
		for l := range states(o) {
			if l.From = r; !yield(l) {
				return
			}
		}
	}
}

// ground yields the links that causes are looked for along: of several claims about the same layer only the strongest.
func ground(s *fleet.Snapshot, r fleet.Ref) iter.Seq[fleet.Link] {
	return func(yield func(fleet.Link) bool) {
		var kinds [4]fleet.Kind
		n := 0
		for l := range up(s, r) {
			if slices.Contains(kinds[:n], l.To.Kind) {
				continue
			}
			if n < len(kinds) {
				kinds[n] = l.To.Kind
				n++
			}
			if !yield(l) {
				return
			}
		}
	}
}

// below returns the object of one type that another stands on, by the strongest link.
func below[T fleet.Object](s *fleet.Snapshot, r fleet.Ref, kind fleet.Kind) (T, bool) {
	for l := range up(s, r) {
		if l.To.Kind == kind {
			return fleet.Find[T](s, l.To)
		}
	}
	var none T
	return none, false
}

// statedBy returns the kinds that objects of a kind may name as what they stand on; statedAbove the other way round.
func statedBy(kind fleet.Kind) []fleet.Kind {
	switch kind {
	case fleet.KindPod:
		return []fleet.Kind{fleet.KindNode, fleet.KindWorkload}
	case fleet.KindLease:
		return []fleet.Kind{fleet.KindNode}
	case fleet.KindClaim:
		return []fleet.Kind{fleet.KindVolume}
	case fleet.KindVolume:
		return []fleet.Kind{fleet.KindNode}
	case fleet.KindSensor, fleet.KindFilesystem, fleet.KindUnit, fleet.KindSwap:
		return []fleet.Kind{fleet.KindDisk, fleet.KindHost}
	case fleet.KindDisk, fleet.KindKernelLog, fleet.KindBoot:
		return []fleet.Kind{fleet.KindHost}
	case fleet.KindKernel:
		return []fleet.Kind{fleet.KindDisk, fleet.KindHost}
	case fleet.KindEvent:
		return []fleet.Kind{fleet.KindPod, fleet.KindNode, fleet.KindVolume, fleet.KindClaim}
	case fleet.KindDomain:
		return []fleet.Kind{fleet.KindUnit, fleet.KindDisk}
	}
	return nil
}

func statedAbove(kind fleet.Kind) []fleet.Kind {
	var above []fleet.Kind
	for _, k := range [...]fleet.Kind{
		fleet.KindPod, fleet.KindLease, fleet.KindEvent, fleet.KindClaim, fleet.KindVolume,
		fleet.KindDisk, fleet.KindFilesystem, fleet.KindSensor, fleet.KindUnit, fleet.KindSwap, fleet.KindDomain,
	} {
		if slices.Contains(statedBy(k), kind) {
			above = append(above, k)
		}
	}
	return above
}

// states yields the links that an object states itself, without their From.
func states(o fleet.Object) iter.Seq[fleet.Link] {
	return func(yield func(fleet.Link) bool) {
		if d, ok := o.(*fleet.Domain); ok {
			for _, l := range domainStates(d) {
				if !yield(l) {
					return
				}
			}
			return
		}
		for _, l := range stated(o) {
			if l.To != (fleet.Ref{}) && !yield(l) {
				return
			}
		}
	}
}

// domainStates are the scope that a domain runs in and the whole disks that its disks are on.
func domainStates(d *fleet.Domain) (all []fleet.Link) {
	host := "host/" + d.Host
	if d.Process.Unit != "" {
		all = append(all, fleet.Link{To: fleet.Ref{Kind: fleet.KindUnit, Source: host, Name: d.Process.Unit}, How: "scope", Sure: fleet.High})
	}
	for i := range d.Disks {
		for _, name := range d.Disks[i].Path.Disks {
			to := fleet.Ref{Kind: fleet.KindDisk, Source: host, Name: name}
			if !slices.ContainsFunc(all, func(l fleet.Link) bool { return l.To == to }) {
				all = append(all, fleet.Link{To: to, How: "file", Sure: fleet.High})
			}
		}
	}
	return all
}

// stated returns the links that an object states itself, of those that state at most two; From is left to the caller, To is empty where it names nothing.
func stated(o fleet.Object) [2]fleet.Link {
	switch o := o.(type) {
	case *fleet.Pod:
		l := one(fleet.KindNode, o.Source, o.Node, "spec.nodeName")
		l[1].To, _ = jobOf(o)
		l[1].How, l[1].Sure = "owner", fleet.High
		return l
	case *fleet.Lease:
		return one(fleet.KindNode, o.Source, o.Node, "name")
	case *fleet.Claim:
		return one(fleet.KindVolume, o.Source, o.Volume, "spec.volumeName")
	case *fleet.Volume:
		return one(fleet.KindNode, o.Source, o.Node, "nodeAffinity")
	case *fleet.Event:
		return one(o.About.Kind, cmp.Or(o.About.Source, o.Source), o.About.Name, "involvedObject")
	case *fleet.Disk:
		return one(fleet.KindHost, o.Source, o.Host, "its host")
	case *fleet.Sensor:
		l := onDisk(o.Source, o.Host, o.Disk, "hwmon device")
		l[1] = one(fleet.KindHost, o.Source, o.Host, "its host")[0]
		return l
	case *fleet.Filesystem:
		disk := wholeDisk(o.Device)
		if len(o.Disks) > 0 {
			disk = o.Disks[0]
		}
		l := onDisk(o.Source, o.Host, disk, "mounted device")
		l[1] = one(fleet.KindHost, o.Source, o.Host, "its host")[0]
		return l
	case *fleet.Unit:
		var l [2]fleet.Link
		if d := o.Busiest(); d != nil {
			l = one(fleet.KindDisk, o.Source, d.Disk, "io.stat")
		}
		l[1] = one(fleet.KindHost, o.Source, o.Host, "its host")[0]
		return l
	case *fleet.BootRecord:
		return one(fleet.KindHost, o.Source, o.Host, "its host")
	case *fleet.KernelLog:
		return one(fleet.KindHost, o.Source, o.Host, "its host")
	case *fleet.KernelEvent:
		var l [2]fleet.Link
		if o.Class == fleet.ClassIO {
			l = one(fleet.KindDisk, o.Source, cmp.Or(o.Disk, wholeDisk("/dev/"+o.Subject)), "the device it names")
		}
		l[1] = one(fleet.KindHost, o.Source, o.Host, "its host")[0]
		return l
	case *fleet.SwapArea:
		l := one(fleet.KindDisk, o.Source, o.Disk, "what it is on")
		l[1] = one(fleet.KindHost, o.Source, o.Host, "its host")[0]
		return l
	}
	return [2]fleet.Link{}
}

func one(kind fleet.Kind, source, name, how string) (l [2]fleet.Link) {
	if name != "" {
		l[0] = fleet.Link{To: fleet.Ref{Kind: kind, Source: source, Name: name}, How: how, Sure: fleet.High}
	}
	return l
}

func onDisk(source, host, name, how string) (l [2]fleet.Link) {
	if name != "" {
		l[0] = fleet.Link{To: fleet.OfHost(fleet.KindDisk, source, host, name), How: how, Sure: fleet.High}
	}
	return l
}

// wholeDisk returns the disk that a device file is, or is a partition of; "" when the name does not tell.
func wholeDisk(device string) string {
	name, ok := strings.CutPrefix(device, "/dev/")
	if !ok || strings.Contains(name, "/") || strings.HasPrefix(name, "dm-") {
		return ""
	}
	// One of several paths to an NVMe disk: nvme1c0n1 leads to nvme1n1.
	if path, ok := strings.CutPrefix(name, "nvme"); ok {
		controller, space, _ := strings.Cut(path, "n")
		if subsystem, _, ok := strings.Cut(controller, "c"); ok {
			name = "nvme" + subsystem + "n" + space
		}
	}
	bare := strings.TrimRight(name, "0123456789")
	// A disk whose own name ends with a number has a p before that of a partition.
	for _, numbered := range [...]string{"nvme", "mmcblk", "md", "nbd", "loop", "rbd", "drbd", "zram", "pmem", "sr"} {
		if strings.HasPrefix(name, numbered) {
			if disk, ok := strings.CutSuffix(bare, "p"); ok && bare != name && strings.TrimRight(disk, "0123456789") != disk {
				return disk
			}
			return name
		}
	}
	return bare
}
