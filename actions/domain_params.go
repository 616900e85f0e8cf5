package actions

import (
	"fmt"
	"strconv"
	"strings"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// Words of domain-limit's params.
const (
	noLimit   = "none"
	limitLive = "live"
	limitKept = "kept"
	limitBoth = "both"
)

// limitParams are what domain-limit asks for. What is left as it is suggested stays as it is.
func limitParams() []Param {
	value := func(name, help string, of func(connect.LibvirtTune) uint64, more func(*fleet.DomainDisk) fleet.Opt[float64]) Param {
		return Param{Name: name, Help: help, Suggest: func(s *fleet.Snapshot, r fleet.Ref) []string {
			disk := firstDisk(s, r)
			if disk == nil {
				return []string{noLimit}
			}
			is := tuneOf(disk.Tune)
			if !disk.Tune.Any() {
				is = tuneOf(disk.Kept)
			}
			all := []string{rateWord(of(is))}
			if of(is) > 0 {
				all = append(all, noLimit)
			}
			if more != nil {
				if now := more(disk); now.OK && now.V >= 2e5 {
					all = append(all, half(now.V))
				}
			}
			return all
		}}
	}
	const bytes, iops = "bytes per second, such as 2M (2,000,000); none is no limit", "operations per second; none is no limit"
	return []Param{
		{Name: "disk", Help: "the disk, as the domain has it: vda", Suggest: diskTargets},
		value("read", bytes, func(t connect.LibvirtTune) uint64 { return t.ReadBytes }, func(d *fleet.DomainDisk) fleet.Opt[float64] { return d.Read }),
		value("write", bytes, func(t connect.LibvirtTune) uint64 { return t.WriteBytes }, func(d *fleet.DomainDisk) fleet.Opt[float64] { return d.Write }),
		value("total", "reads and writes together, "+bytes, func(t connect.LibvirtTune) uint64 { return t.TotalBytes }, nil),
		value("reads", iops, func(t connect.LibvirtTune) uint64 { return t.ReadIOPS }, nil),
		value("writes", iops, func(t connect.LibvirtTune) uint64 { return t.WriteIOPS }, nil),
		value("ops", "reads and writes together, "+iops, func(t connect.LibvirtTune) uint64 { return t.TotalIOPS }, nil),
		{Name: "for", Help: "live: at once, until it is started anew; kept: from its next start on; both", Suggest: limitPlaces},
	}
}

func half(rate float64) string { return rateWord(uint64(rate/2/1e5) * 1e5) }

// mendDomainLimit is half of what a domain writes to its first disk now.
func mendDomainLimit(s *fleet.Snapshot, r fleet.Ref) Args {
	disk := firstDisk(s, r)
	if disk == nil || disk.Write.V < 2e5 {
		return nil
	}
	return Args{"write": half(disk.Write.V)}
}

func newDomainLimit(r fleet.Ref, args Args) (Action, error) {
	var t connect.LibvirtTune
	for name, into := range map[string]*uint64{
		"read": &t.ReadBytes, "write": &t.WriteBytes, "total": &t.TotalBytes, "reads": &t.ReadIOPS, "writes": &t.WriteIOPS, "ops": &t.TotalIOPS,
	} {
		n, err := parseRate(name, args[name])
		if err != nil {
			return nil, err
		}
		*into = n
	}
	a := LimitDomain{Source: r.Source, UUID: r.Name, Disk: args["disk"]}
	where := args["for"]
	if where == limitLive || where == limitBoth {
		a.Live = fleet.Some(t)
	}
	if where == limitKept || where == limitBoth {
		a.Kept = fleet.Some(t)
	}
	if where != limitLive && where != limitKept && where != limitBoth {
		return nil, fmt.Errorf("for: %q is none of live, kept, both", where)
	}
	return a, nil
}

// parseRate reads a limit: zero is none, which is what libvirt takes zero for.
func parseRate(param, text string) (uint64, error) {
	n, err := parseLimit(param, text)
	switch {
	case err != nil:
		return 0, err
	case !n.OK || n.V == connect.Infinity:
		return 0, nil
	case n.V == 0:
		return 0, fmt.Errorf("%s=0 would be taken for no limit: say none", param)
	}
	return n.V, nil
}

// rateWord is a rate as parseRate reads it, exactly: 2M, 209715200, none for 0.
func rateWord(n uint64) string {
	switch {
	case n == 0:
		return noLimit
	case n%1e6 == 0:
		return strconv.FormatUint(n/1e6, 10) + "M"
	case n%1e3 == 0:
		return strconv.FormatUint(n/1e3, 10) + "K"
	}
	return strconv.FormatUint(n, 10)
}

// tuneText is a limit for people.
func tuneText(t connect.LibvirtTune) string {
	var parts []string
	for _, v := range []struct {
		name, unit string
		value      uint64
	}{
		{"read", "B/s", t.ReadBytes},
		{"write", "B/s", t.WriteBytes},
		{"read+write", "B/s", t.TotalBytes},
		{"read", " ops/s", t.ReadIOPS},
		{"write", " ops/s", t.WriteIOPS},
		{"read+write", " ops/s", t.TotalIOPS},
	} {
		if v.value > 0 {
			parts = append(parts, v.name+" "+decimal(float64(v.value))+v.unit)
		}
	}
	if len(parts) == 0 {
		return "no limit"
	}
	return strings.Join(parts, ", ")
}

func firstDisk(s *fleet.Snapshot, r fleet.Ref) *fleet.DomainDisk {
	d, ok := fleet.Find[*fleet.Domain](s, r)
	if !ok || len(d.Disks) == 0 {
		return nil
	}
	return &d.Disks[0]
}

func diskTargets(s *fleet.Snapshot, r fleet.Ref) (all []string) {
	if d, ok := fleet.Find[*fleet.Domain](s, r); ok {
		for _, disk := range d.Disks {
			all = append(all, disk.Target)
		}
	}
	return all
}

func diskNames(d *fleet.Domain) string {
	var names []string
	for _, disk := range d.Disks {
		names = append(names, disk.Target)
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(names, ", ")
}

// limitPlaces: a kept limit first where nothing runs that a live one could hold.
func limitPlaces(s *fleet.Snapshot, r fleet.Ref) []string {
	d, ok := fleet.Find[*fleet.Domain](s, r)
	switch {
	case ok && !domainOn(d):
		return []string{limitKept}
	case ok && (d.Nova != "" || !d.Set.Persistent):
		return []string{limitLive}
	}
	return []string{limitLive, limitBoth, limitKept}
}

// diskFiles are the files of a domain that qemu-img can check.
func diskFiles(s *fleet.Snapshot, r fleet.Ref) (all []string) {
	if d, ok := fleet.Find[*fleet.Domain](s, r); ok {
		for _, disk := range d.Disks {
			if strings.HasPrefix(disk.File, "/") && disk.Format != "raw" {
				all = append(all, disk.File)
			}
		}
	}
	return all
}
