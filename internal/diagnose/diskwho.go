package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// load is what one unit, or the virtual machine in it, does to a disk.
type load struct {
	unit *fleet.Unit
	io   *fleet.UnitIO
}

// loaders adds to a verdict the units that load a disk most, three at most, and how to learn of those whose I/O is not counted
// unless they cannot matter. It returns the one that does most of it, nil for none. Without a disk it is about all of the host. The
// total is what the disk does, in bytes per second.
func loaders(s *fleet.Snapshot, source, host, disk string, total fleet.Opt[float64], v *Verdict) *fleet.Unit {
	p, ok := s.Part(source, fleet.KindUnit.Scope())
	if !ok || len(p.Facts) == 0 {
		v.Missing = append(v.Missing, "who loads it: iotop -o on "+host)
		return nil
	}
	var loads []load
	var guests, uncounted []string
	for _, o := range p.Facts {
		u, ok := o.(*fleet.Unit)
		if !ok || u.Host != host {
			continue
		}
		switch {
		case !u.Lacks("disks"):
		case u.Domain != "":
			guests = append(guests, u.Domain)
		default:
			uncounted = append(uncounted, unitName(u))
		}
		for i := range u.IO {
			if io := &u.IO[i]; (disk == "" || io.Disk == disk) && io.Bytes().V > 64<<10 {
				loads = append(loads, load{u, io})
			}
		}
	}
	slices.SortStableFunc(loads, func(a, b load) int { return cmp.Compare(b.io.Bytes().V, a.io.Bytes().V) })
	for _, l := range loads[:min(3, len(loads))] {
		which := l.io.Disk
		if disk != "" {
			which = "it"
		}
		v.Because = append(v.Because, because(l.unit, time.Time{}, "io.stat of "+l.unit.Name, "%s loads %s with %s%s", unitName(l.unit), which, flow(l.io), part(l.io.Bytes().V, total)))
	}
	if uncounted = append(guests, uncounted...); len(uncounted) > 0 && (len(loads) == 0 || total.OK && loads[0].io.Bytes().V < total.V/2) {
		v.Missing = append(v.Missing, fmt.Sprintf("what these do to it, as their I/O is not counted: %s; systemctl set-property --runtime UNIT IOAccounting=yes, or iotop -o, on %s", names(uncounted), host))
	}
	if len(loads) == 0 || !total.OK || loads[0].io.Bytes().V < total.V/2 {
		return nil
	}
	return loads[0].unit
}

func unitName(u *fleet.Unit) string { return cmp.Or(u.Domain, u.Name) }

// flow words what a unit reads and writes each second.
func flow(io *fleet.UnitIO) string {
	var all []string
	for _, way := range []struct {
		rate fleet.Opt[float64]
		word string
	}{{io.WriteBytesSec, "written"}, {io.ReadBytesSec, "read"}} {
		if way.rate.V > 0 {
			all = append(all, bytes(way.rate.V)+"/s "+way.word)
		}
	}
	return strings.Join(all, " and ")
}

// part words what part of all that a disk does something is, where it is most of it.
func part(of float64, total fleet.Opt[float64]) string {
	switch {
	case !total.OK || of < total.V/2:
		return ""
	case of < total.V*9/10:
		return ", most of what it does"
	}
	return ", nearly all that it does"
}
