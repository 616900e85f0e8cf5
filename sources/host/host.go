// Package host watches one machine through /proc, /sys and smartctl: load, memory, swap and pressure, temperatures,
// disks and their SMART, filesystems, control groups with their I/O and limits, swap areas, and the kernel's log. It only reads; it starts no self-test, wakes no sleeping disk and needs no rights
// for what ordinary users may see. What it cannot see it says, in Host.Missing and Disk.Missing.
package host

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/tree"
)

// Scopes of the source, one kind of object each.
const (
	ScopeHost        = "host"
	ScopeSensors     = "sensors"
	ScopeDisks       = "disks"
	ScopeFilesystems = "filesystems"
	ScopeUnits       = "units"
	ScopeSwaps       = "swaps"
	ScopeKernel      = "kernel"
	ScopeKernelLogs  = "kernellogs"
	ScopeBoots       = "boots"
)

// Config says which machine to watch and how. The zero value is the machine strata runs on.
type Config struct {
	Name string // shown, and part of the source's name; default the host name
	Root string // a folder that holds proc, sys and etc; "" is the real machine
	// Every is how often load, temperatures and disk rates are read; default 2 s. Filesystems take five times as long.
	Every time.Duration
	// SmartEvery is how often each disk's SMART is read; default 5 min.
	SmartEvery time.Duration
	// Smartctl runs smartctl with these arguments and returns its stdout and exit code; an error only if it could not
	// run or did not end. Default the installed smartctl; with a Root there is no default.
	Smartctl func(ctx context.Context, args ...string) (stdout []byte, code int, err error)
	// Statfs is statfs(2) of a mount point. Default the real one, below Root.
	Statfs func(mount string, into *syscall.Statfs_t) error
	// Run runs journalctl there to its end, for the boots that are over. Default sh.Run; with a Root there is no default.
	Run    func(context.Context, sh.Cmd) (sh.Result, error)
	Wishes *sources.Wishes
}

// New returns the source "host/NAME" with nine scopes: host, sensors, disks, filesystems, units, swaps, boots, kernel
// and kernellogs. Each fails alone but the last two, which come from one log.
func New(c Config) sources.Source {
	at := tree.Tree(c.Root)
	if c.Name == "" {
		c.Name = Name(c.Root)
	}
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	if c.SmartEvery == 0 {
		c.SmartEvery = 5 * time.Minute
	}
	if c.Smartctl == nil && c.Root == "" {
		c.Smartctl = installedSmartctl
	}
	if c.Run == nil && c.Root == "" {
		c.Run = sh.Run
	}
	if c.Statfs == nil {
		c.Statfs = func(mount string, into *syscall.Statfs_t) error { return syscall.Statfs(at.Path(mount), into) }
	}
	return &source{conf: c, name: "host/" + c.Name, at: at, ledger: sources.NewLedger(), turns: sources.NewTurns()}
}

// Name is the name that the machine at a root gives itself; "" is the machine strata runs on.
func Name(root string) string {
	at := tree.Tree(root)
	if at == "" {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	if name, err := at.Text("/proc/sys/kernel/hostname"); err == nil && name != "" {
		return name
	}
	return "localhost"
}

type source struct {
	conf   Config
	name   string
	at     tree.Tree
	ledger *sources.Ledger // outlives a restart of Watch: counters grow since strata began
	turns  *sources.Turns  // and so do these
}

func (s *source) Name() string { return s.name }

// Watch reads each scope in a loop of its own, so that a hung disk or mount stops nothing but its own scope.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	var one sync.Mutex
	say := func(o fleet.Observation) {
		one.Lock()
		defer one.Unlock()
		see(o)
	}
	notes := newNotes()
	smart := newSmartBook(s, notes)
	slow := 5 * s.conf.Every
	machine := newHostReader(s, notes)
	sensors := newSensors(s, notes)
	disks := newDisks(s, smart, notes)
	mounts := newMounts(s, notes)
	units := newUnits(s, notes)
	swaps := newSwaps(s, notes)
	boots := newBoots(s, notes)
	loops := []*loop{
		{source: s.name, scope: ScopeHost, every: s.conf.Every, look: machine.look},
		{source: s.name, scope: ScopeSensors, every: s.conf.Every, look: sensors.look, sampled: true},
		{source: s.name, scope: ScopeDisks, every: s.conf.Every, look: disks.look},
		{source: s.name, scope: ScopeFilesystems, every: slow, look: mounts.look, wake: make(chan struct{}, 1)},
		{source: s.name, scope: ScopeUnits, every: s.conf.Every, look: units.look, wake: make(chan struct{}, 1)},
		{source: s.name, scope: ScopeSwaps, every: s.conf.Every, look: swaps.look, wake: make(chan struct{}, 1)},
		{source: s.name, scope: ScopeBoots, every: slow, look: boots.look},
	}
	var all sync.WaitGroup
	for _, l := range loops {
		all.Go(func() { l.run(ctx, say) })
	}
	all.Go(func() { smart.run(ctx) })
	all.Go(func() { newKernel(s, notes).run(ctx, say) })
	all.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.conf.Wishes.Wake(s.name):
				units.all.Store(true)
				swaps.all.Store(true)
				for _, l := range loops {
					poke(l.wake)
				}
				poke(smart.wake)
			}
		}
	})
	all.Wait()
	return ctx.Err()
}

// poke wakes whoever waits on a channel with room for one; a nil channel has nobody.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
