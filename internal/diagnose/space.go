package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// spaceRules judge the room that the disk images of virtual machines have.
func spaceRules() []Rule {
	reads := Reads{Kinds: []fleet.Kind{fleet.KindDomain}, Around: []fleet.Kind{fleet.KindFilesystem}}
	return []Rule{{
		ID: "X-05", Title: "virtual machine paused as its disk image has no room", Kind: fleet.KindDomain, Severity: fleet.Critical,
		Source:   "paused (I/O error) with the block error no space, or on a filesystem that is full: qemu pauses at the write that finds no room",
		Explains: []string{"VIRT-04"}, Remedies: []string{"domain-resume"},
		Reads: Reads{Kinds: []fleet.Kind{fleet.KindHost}, Far: []fleet.Kind{fleet.KindFilesystem}}, Judge: on(pausedForRoom),
	}, {
		ID: "VIRT-06", Title: "disk images are short of room", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "a filesystem that holds images of virtual machines with less than 10 % left: the write that finds no room pauses them",
		Reads:  reads, Judge: on(imagesShort),
	}, {
		ID: "VIRT-09", Title: "disk images may outgrow their filesystem", Kind: fleet.KindHost, Severity: fleet.Info,
		Source: "the sum of the sizes that the guests see against that of the filesystem; a risk, not a trouble",
		Reads:  reads, Judge: on(imagesMayGrow),
	}}
}

// onFilesystem finds the filesystem of a host that a domain's disk is a file of.
func onFilesystem(s *fleet.Snapshot, h *fleet.Host, disk *fleet.DomainDisk) (*fleet.Filesystem, bool) {
	if disk.Path.Mount == "" {
		return nil, false
	}
	return fleet.Find[*fleet.Filesystem](s, fleet.OfHost(fleet.KindFilesystem, h.Source, h.Name, disk.Path.Mount))
}

func pausedForRoom(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	v, told := stateTold(d)
	if !told || d.State != "paused" || d.Reason != "I/O error" {
		return v
	}
	h, watched := below[*fleet.Host](s, d.Ref(), fleet.KindHost)
	v = Verdict{State: OK}
	var unknown []string
	for i := range d.Disks {
		disk := &d.Disks[i]
		stopped := strings.Contains(disk.Error, "no space")
		if stopped {
			v.Because = append(v.Because, because(d, time.Time{}, "virsh domblkerror "+d.Name, "%s: %s", disk.Target, disk.Error))
		}
		var f *fleet.Filesystem
		found := false
		if watched {
			f, found = onFilesystem(s, h, disk)
		}
		switch {
		case found && f.UsedShare().OK && (stopped || f.UsedShare().V >= 0.995):
			v.State, v.On = Bad, f.Ref()
			v.Says = fmt.Sprintf("%s on %s is paused because %s there has no room for its disk %s: make room, then resume it", whichDomain(d), d.Host, f.Mount, disk.Target)
			v.Because = append(v.Because, because(f, time.Time{}, "statfs "+f.Mount+" on "+f.Host, "%s of %s used, %s available", bytes(f.Used), bytes(f.Total), bytes(f.Available)))
			return v
		case stopped:
			v.State = Bad
			v.Says = fmt.Sprintf("%s on %s is paused because there is no room for its disk %s (%s): make room, then resume it", whichDomain(d), d.Host, disk.Target, disk.File)
			v.Missing = []string{"what is full: df -h " + disk.File + ", or lvs, on " + d.Host}
		case !found && disk.Error == "":
			unknown = append(unknown, "whether there is room for "+disk.Target+": df -h "+disk.File+" on "+d.Host)
		}
	}
	if v.State == OK && (len(unknown) > 0 || len(d.Disks) == 0) {
		return Verdict{State: CannotTell, Missing: append(unknown, "virsh domblkerror "+d.Name+" on "+d.Host)}
	}
	return v
}

// imagesOn is what the domains of a host have on one of its filesystems.
type imagesOn struct {
	fs      *fleet.Filesystem
	domains []string
	may     uint64 // bytes that the images may take, as far as known
}

func imagesOf(s *fleet.Snapshot, h *fleet.Host) (all []*imagesOn, missing []string) {
	for l := range s.Down(h.Ref()) {
		d, ok := fleet.Find[*fleet.Domain](s, l.From)
		if !ok || l.How != "its host" {
			continue
		}
		for i := range d.Disks {
			f, ok := onFilesystem(s, h, &d.Disks[i])
			if !ok {
				if d.Disks[i].Path.Mount != "" {
					missing = append(missing, "room for the images: df -h "+d.Disks[i].Path.Mount+" on "+h.Name)
				}
				continue
			}
			at := slices.IndexFunc(all, func(o *imagesOn) bool { return o.fs == f })
			if at < 0 {
				at, all = len(all), append(all, &imagesOn{fs: f})
			}
			all[at].may += d.Disks[i].Capacity.Or(0)
			if name := whichDomain(d); !slices.Contains(all[at].domains, name) {
				all[at].domains = append(all[at].domains, name)
			}
		}
	}
	for _, o := range all {
		slices.Sort(o.domains)
	}
	slices.SortFunc(all, func(a, b *imagesOn) int { return strings.Compare(a.fs.Mount, b.fs.Mount) })
	return all, missing
}

func imagesShort(s *fleet.Snapshot, h *fleet.Host) Verdict {
	all, missing := imagesOf(s, h)
	v := Verdict{State: OK}
	for _, o := range all {
		switch used := o.fs.UsedShare(); {
		case !used.OK:
			missing = append(missing, "room for the images: df -h "+o.fs.Mount+" on "+h.Name)
		case used.V >= full:
			if v.State != Bad {
				v.On = o.fs.Ref()
				v.Says = fmt.Sprintf("%s on %s is short of room and holds disk images of %s: a write that finds none pauses them", o.fs.Mount, h.Name, names(o.domains))
			}
			v.State, v.Because = Bad, append(v.Because, because(o.fs, time.Time{}, "statfs "+o.fs.Mount+" on "+h.Name, "%s of %s used, %s available", bytes(o.fs.Used), bytes(o.fs.Total), bytes(o.fs.Available)))
		case used.V >= full-relief && v.State == OK:
			v.State = Lingering
		}
	}
	return orMissing(v, missing)
}

func imagesMayGrow(s *fleet.Snapshot, h *fleet.Host) Verdict {
	all, missing := imagesOf(s, h)
	v := Verdict{State: OK}
	for _, o := range all {
		switch {
		case o.fs.Total == 0 || o.may == 0:
			missing = append(missing, "how large the images may grow: virsh domblkinfo DOMAIN --all on "+h.Name)
		case o.may > o.fs.Total:
			if v.State != Bad {
				v.Says = fmt.Sprintf("the disk images on %s of %s may grow to more than it holds", o.fs.Mount, h.Name)
			}
			v.State, v.Because = Bad, append(v.Because, because(o.fs, time.Time{}, "virsh domblkinfo, statfs "+o.fs.Mount, "images of %s may take %s, it holds %s", names(o.domains), bytes(o.may), bytes(o.fs.Total)))
		}
	}
	return orMissing(v, missing)
}

// orMissing is a verdict that cannot be ok while something was not seen.
func orMissing(v Verdict, missing []string) Verdict {
	if v.State != OK || len(missing) == 0 {
		return v
	}
	slices.Sort(missing)
	return Verdict{State: CannotTell, Missing: slices.Compact(missing)}
}
