package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/tree"
)

const cgroupRoot = "/sys/fs/cgroup"

// There may be hundreds of groups, and nearly all of them are idle. An idle one is asked each restFor looks whether it
// still is, and read whole each time that came so often.
const (
	restFor   = 5
	restTurns = 3
)

// units reads the scope "units": scopes and services of systemd that have processes.
type units struct {
	source, host string
	at           tree.Tree
	notes        *notes
	wishes       *sources.Wishes
	all          atomic.Bool // the next look is at all groups

	known   map[string]*group // by folder
	folders []string          // of known, in the order they were found
	turn    int
	devices map[string]device // by number
	foundAt time.Time         // when devices was emptied
	buffer  []byte
	limits  limits
	told    map[string][]string // folders of what systemd was told, by unit
}

// group is what is known of one unit's control group.
type group struct {
	unit  *fleet.Unit
	at    time.Time
	usage uint64
	io    []ioLine
	have  bool // usage and io are of at
	idle  bool
	rest  int // the looks in which an idle group is asked
	rests int // how often it was
	seen  bool
	argv  process
}

// process is who a process is, which is read once.
type process struct {
	pid             int
	command, domain string
}

type device struct {
	name  string
	whole bool
}

func newUnits(s *source, n *notes) *units {
	return &units{
		source: s.name, host: s.conf.Name, at: s.at, notes: n, wishes: s.conf.Wishes,
		known: map[string]*group{}, limits: limits{}, buffer: make([]byte, 64<<10),
	}
}

func (u *units) look(_ context.Context, now time.Time) (fleet.Facts, error) {
	if !u.at.Exists(cgroupRoot + "/cgroup.controllers") {
		if len(u.known) > 0 {
			return nil, fmt.Errorf("listing the control groups of host %s: %s", u.host, u.whyNone())
		}
		u.notes.set("units", "units: "+u.whyNone())
		return fleet.Facts{}, nil
	}
	u.notes.set("units", u.lacking())
	all := u.all.Swap(false)
	if now.Sub(u.foundAt) >= findEvery {
		u.devices, u.foundAt = map[string]device{}, now
	}
	u.turn++
	u.told = u.toldOf()
	u.folders = u.folders[:0]
	for _, g := range u.known {
		g.seen = false
	}
	if err := u.walk(cgroupRoot, 0); err != nil {
		return nil, fmt.Errorf("listing the control groups of host %s: %w", u.host, err)
	}
	looking, _ := u.wishes.Looking(u.source)
	facts := make(fleet.Facts, 0, len(u.known))
	taken := map[string]bool{}
	maps.DeleteFunc(u.known, func(_ string, g *group) bool { return !g.seen })
	for _, folder := range u.folders {
		g := u.known[folder]
		if all || !g.idle || g.unit != nil && looking == g.unit.Ref() || u.turn%restFor == g.rest && u.wakes(folder, g, now) {
			u.read(folder, g, now)
		}
		// Names are unique to systemd; that of a nested one of a container is not ours to show.
		if g.unit != nil && !taken[g.unit.Name] {
			taken[g.unit.Name] = true
			facts = append(facts, g.unit)
		}
	}
	return facts, nil
}

// whyNone says why there are no groups to look at.
func (u *units) whyNone() string {
	switch {
	case !u.at.Exists(cgroupRoot):
		return "there is no " + cgroupRoot
	case u.at.Exists(cgroupRoot + "/unified/cgroup.controllers"):
		return "this machine has control groups of version 1 beside version 2 (hybrid): boot with systemd.unified_cgroup_hierarchy=1"
	case u.at.Exists(cgroupRoot + "/blkio"):
		return "this machine has control groups of version 1: boot with systemd.unified_cgroup_hierarchy=1"
	}
	return "there are no control groups of version 2 in " + cgroupRoot
}

// lacking says which controllers there are none of, for any group.
func (u *units) lacking() string {
	have := strings.Fields(u.at.Word(cgroupRoot + "/cgroup.controllers"))
	var lack []string
	for _, c := range []string{"io", "memory"} {
		if !slices.Contains(have, c) {
			lack = append(lack, c)
		}
	}
	if len(lack) == 0 {
		return ""
	}
	return "units: the kernel has no controller of version 2 for " + strings.Join(lack, " and ")
}

// walk finds scopes and services. Only slices are looked into: what is below a service is the service's own.
func (u *units) walk(folder string, depth int) error {
	names, err := u.at.Folders(folder)
	if err != nil && depth > 0 && errors.Is(err, fs.ErrNotExist) {
		return nil // it went away meanwhile
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		at := folder + "/" + name
		switch path.Ext(name) {
		case ".slice":
			if depth < 16 {
				if err := u.walk(at, depth+1); err != nil {
					return err
				}
			}
		case ".scope", ".service":
			g := u.known[at]
			if g == nil {
				g = &group{rest: len(u.known) % restFor}
				u.known[at] = g
			}
			g.seen = true
			u.folders = append(u.folders, at)
		}
	}
	return nil
}

// wakes reports whether a group that was idle has to be read.
func (u *units) wakes(folder string, g *group, now time.Time) bool {
	if g.rests++; g.rests >= restTurns || !g.have {
		return true
	}
	b, _ := u.file(folder, "cpu.stat")
	usage, ok := parseUsage(b)
	return !ok || usage < g.usage || float64(usage-g.usage)/1e6 > idleCPU*now.Sub(g.at).Seconds()
}

// idleCPU is the share of a core that a group may use and still be called idle, if it does nothing to any disk.
const idleCPU = 0.005

// read looks at one group. One without processes is nothing to show.
func (u *units) read(folder string, g *group, now time.Time) {
	g.rests = 0
	events, err := u.file(folder, "cgroup.events")
	if err != nil || !strings.Contains(string(events), "populated 1") {
		g.unit, g.have, g.idle = nil, false, true
		return
	}
	unit := &fleet.Unit{Source: u.source, Host: u.host, Name: path.Base(folder), CGroup: strings.TrimPrefix(folder, cgroupRoot+"/")}
	miss := func(what string, err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unit.Missing = append(unit.Missing, what+": "+reason(err))
		}
	}
	seconds := now.Sub(g.at).Seconds()
	b, err := u.file(folder, "cpu.stat")
	miss("cpu", err)
	usage, counted := parseUsage(b)
	if counted && g.have && usage >= g.usage && seconds > 0 {
		unit.CPU = fleet.Some(float64(usage-g.usage) / 1e6 / seconds)
	}
	u.memory(unit, folder, miss)
	io := u.ios(unit, folder, g, seconds, miss)
	if b, err := u.file(folder, "io.pressure"); err == nil {
		if s, err := parseStall(b); err == nil {
			unit.Pressure = &s
		}
	}
	u.who(unit, folder, g)
	u.limits.follow(unit, now)
	unit.Lost = append(slices.Clip(unit.Lost), u.inert(unit)...)
	g.unit, g.at, g.usage, g.io, g.have = unit, now, usage, io, counted
	g.idle = unit.CPU.OK && unit.CPU.V < idleCPU && !slices.ContainsFunc(unit.IO, func(d fleet.UnitIO) bool {
		return d.ReadsSec.Or(0)+d.WritesSec.Or(0) > 0
	})
}

func (u *units) memory(unit *fleet.Unit, folder string, miss func(string, error)) {
	for _, f := range []struct {
		name string
		into *fleet.Opt[uint64]
	}{{"memory.current", &unit.Memory}, {"memory.swap.current", &unit.Swapped}, {"memory.swap.max", &unit.SwapMax}} {
		b, err := u.file(folder, f.name)
		miss(f.name, err)
		// "max" is no number, and no limit.
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
			*f.into = fleet.Some(n)
		}
	}
	switch {
	case len(unit.Missing) > 0:
	case !unit.Memory.OK:
		unit.Missing = append(unit.Missing, "memory: its memory controller is off")
	case !unit.Swapped.OK:
		unit.Missing = append(unit.Missing, "swap: the kernel does not count it for groups: boot with swapaccount=1")
	}
}

// ios adds what the unit does to disks and its limits. Without the io controller there is neither; no io.max is no limit.
func (u *units) ios(unit *fleet.Unit, folder string, g *group, seconds float64, miss func(string, error)) []ioLine {
	b, err := u.file(folder, "io.stat")
	if errors.Is(err, fs.ErrNotExist) {
		unit.Missing = append(unit.Missing, "disks: its io controller is off, as it is until a limit is set")
		return nil
	}
	miss("io.stat", err)
	now := parseIOStat(b)
	if now == nil {
		now = []ioLine{}
	}
	b, err = u.file(folder, "io.max")
	miss("io.max", err)
	limits := fleet.ParseIOMax(string(b))
	var libvirt map[string]fleet.IOLimit
	if isQemu(unit.Name) {
		b, err = u.file(folder, "libvirt/io.max")
		miss("libvirt/io.max", err)
		libvirt = fleet.ParseIOMax(string(b))
	}
	before := g.io
	if !g.have {
		before = nil
	}
	unit.IO = unitIO(now, before, seconds, limits, libvirt, u.device)
	return now
}

func isQemu(unit string) bool { return strings.HasPrefix(unit, `machine-qemu`) }

// who adds the unit's main process. That of a domain is qemu, in the folder libvirt.
func (u *units) who(unit *fleet.Unit, folder string, g *group) {
	name := "cgroup.procs"
	if isQemu(unit.Name) {
		name = "libvirt/cgroup.procs"
	}
	b, err := u.file(folder, name)
	if err != nil && isQemu(unit.Name) {
		b, _ = u.file(folder, "cgroup.procs") // an old libvirt, or one that makes no groups of its own
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 0 {
		pid = 0
	}
	if pid != g.argv.pid || pid == 0 {
		g.argv = process{pid: pid}
		if domain, ok := domainOf(unit.Name); ok {
			g.argv.domain = domain
		}
		if pid > 0 {
			argv := u.at.Argv(pid)
			g.argv.command = u.at.Comm(pid)
			if len(argv) > 0 && strings.HasPrefix(path.Base(argv[0]), g.argv.command) {
				g.argv.command = path.Base(argv[0]) // the kernel keeps 15 letters of it
			}
			// What libvirt left out of the scope's name stands here.
			if guest := guestOf(argv); guest != "" && isQemu(unit.Name) {
				g.argv.domain = guest
			}
		}
	}
	unit.PID, unit.Command, unit.Domain = g.argv.pid, g.argv.command, g.argv.domain
}

// device is the name of a block device by its number, and whether it is a whole disk. An unknown one keeps its number.
func (u *units) device(number string) (name string, whole bool) {
	if d, ok := u.devices[number]; ok {
		return d.name, d.whole
	}
	d := device{name: number}
	if folder := u.at.Resolve("/sys/dev/block/" + number); folder != "" {
		d.name = path.Base(folder)
		d.whole = !u.at.Exists(folder+"/partition") && isDisk(d.name, 1) && !strings.HasPrefix(d.name, "md")
	}
	u.devices[number] = d
	return d.name, d.whole
}

func (u *units) file(folder, name string) ([]byte, error) {
	return u.at.Small(folder+"/"+name, u.buffer)
}
