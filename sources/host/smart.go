package host

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/tree"
)

// smartBook reads SMART in a loop of its own, one disk at a time, and keeps the last report of each disk for the scope
// "disks" to take.
type smartBook struct {
	at       tree.Tree
	smartctl func(ctx context.Context, args ...string) ([]byte, int, error)
	every    time.Duration
	ledger   *sources.Ledger
	notes    *notes
	wake     chan struct{} // somebody is looking
	changed  chan struct{} // disks came or went

	mu    sync.Mutex
	disks []block
	pages map[string]page // by the disk's owner key

	asking string // the owner key of the disk that is asked now, which had so many errors before
	before uint64
}

// page is what is known of one disk. Pages are replaced, never changed.
type page struct {
	smart         *fleet.Smart
	counters      []fleet.Counter
	missing       []string
	model, serial string
	hung          int    // how often in a row smartctl did not end
	own           uint64 // by how much asking the disk has made the kernel's ioerr_cnt grow so far
	notBefore     time.Time
}

// Time-outs of smartctl: a disk that takes longer than this is not asked again for a while, as each try may leave a
// process behind that nothing can kill.
const (
	smartDeadline = 20 * time.Second
	longestRest   = time.Hour
	// restless is the least time between two rounds that somebody's looking causes.
	restless = time.Minute
)

func installedSmartctl(ctx context.Context, args ...string) ([]byte, int, error) {
	r, err := sh.Run(ctx, sh.Cmd{Argv: append([]string{"smartctl"}, args...), Deadline: smartDeadline})
	return r.Stdout, r.Code, err
}

func newSmartBook(s *source, n *notes) *smartBook {
	return &smartBook{
		at: s.at, smartctl: s.conf.Smartctl, every: s.conf.SmartEvery, ledger: s.ledger, notes: n,
		wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), pages: map[string]page{},
	}
}

// follow tells which disks there are.
func (b *smartBook) follow(found []block) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.disks, found) {
		b.disks = found
		poke(b.changed)
	}
}

// addTo completes a disk with its page as it is at now.
func (b *smartBook) addTo(d *fleet.Disk, now time.Time) {
	b.mu.Lock()
	p, ok := b.pages[d.Name+" "+d.Serial]
	b.mu.Unlock()
	switch {
	case ok:
		d.Smart = b.aged(p.smart, now)
		d.Counters = append(d.Counters, p.counters...)
		d.Missing = append(d.Missing, p.missing...)
		if d.Model == "" {
			d.Model = p.model
		}
		if d.Serial == "" {
			d.Serial = p.serial
		}
	case !hasSmart(d.Bus):
		d.Missing = append(d.Missing, fmt.Sprintf("SMART: a %s disk has none", d.Bus))
	default:
		d.Missing = append(d.Missing, "SMART: not read yet")
	}
}

// aged marks a report as old once two readings in a row should have replaced it. A sleeping disk is left in peace.
func (b *smartBook) aged(s *fleet.Smart, now time.Time) *fleet.Smart {
	if s == nil || s.Asleep || now.Sub(s.At) <= 2*b.every {
		return s
	}
	old := *s
	old.Old = true
	return &old
}

// notOurs is what of a disk's ioerr_cnt is not from asking it for SMART: one that does not know one of smartctl's commands
// makes the kernel count an error each time.
func (b *smartBook) notOurs(d *block, count uint64) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.pages[d.owner()].own
	if b.asking == d.owner() {
		own += count - min(b.before, count)
	}
	return count - min(count, own)
}

func hasSmart(bus string) bool { return slices.Contains([]string{"nvme", "ata", "scsi", "usb"}, bus) }

// run reads all disks when they become known, when they change, and then every so often, until ctx ends.
func (b *smartBook) run(ctx context.Context) {
	var types map[string]string
	var ended time.Time
	for {
		again := time.NewTimer(b.every)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				again.Stop()
				return
			case <-b.changed:
				types, waiting = nil, false
			case <-again.C:
				waiting = false
			case <-b.wake:
				waiting = time.Since(ended) < restless
			}
		}
		again.Stop()
		b.mu.Lock()
		disks := b.disks
		b.mu.Unlock()
		if types == nil {
			types = b.scan(ctx, disks)
		}
		for i := range disks {
			if hasSmart(disks[i].bus) && ctx.Err() == nil {
				b.turn(ctx, &disks[i], types["/dev/"+disks[i].name])
			}
		}
		ended = time.Now()
	}
}

// scan asks smartctl for the types of disks. Given the type it does not have to find out each time, which can wake a
// sleeping disk. NVMe disks need no scan.
func (b *smartBook) scan(ctx context.Context, disks []block) map[string]string {
	types := map[string]string{}
	if b.smartctl == nil || !slices.ContainsFunc(disks, func(d block) bool { return hasSmart(d.bus) && d.bus != "nvme" }) {
		return types
	}
	out, _, err := b.smartctl(ctx, "--json=c", "--scan-open")
	if err != nil {
		return types // the reading of each disk says what is wrong
	}
	if found, err := parseScan(out); err == nil {
		types = found
	}
	return types
}

// turn reads one disk and turns its page.
func (b *smartBook) turn(ctx context.Context, d *block, kind string) {
	key, now := d.owner(), time.Now()
	b.mu.Lock()
	old := b.pages[key]
	b.mu.Unlock()
	if now.Before(old.notBefore) {
		return
	}
	before, counts := ioErrors(b.at, d.name)
	b.mu.Lock()
	b.asking, b.before = key, before
	b.mu.Unlock()
	next := b.read(ctx, d, kind, old, now)
	next.own = old.own
	if after, ok := ioErrors(b.at, d.name); ok && counts {
		next.own += after - min(before, after)
	}
	b.mu.Lock()
	b.asking = ""
	b.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	b.pages[key] = next
	b.mu.Unlock()
}

func (b *smartBook) read(ctx context.Context, d *block, kind string, old page, now time.Time) (next page) {
	defer func() {
		if p := recover(); p != nil {
			next = old.failed(d.bus, sources.Panicked("host", "reading SMART of "+d.name, p).Error())
		}
	}()
	if b.smartctl == nil {
		return old.failed(d.bus, "there is no smartctl for this machine")
	}
	if d.bus == "nvme" {
		kind = "nvme"
	}
	args := []string{"--json=co", "-n", "standby,3", "-H", "-A", "-i", "-l", "error"}
	if d.bus == "ata" {
		args = append(args, "-l", "selftest")
	}
	if kind != "" {
		args = append(args, "-d", kind)
	}
	out, code, err := b.smartctl(ctx, append(args, "/dev/"+d.name)...)
	if err != nil {
		return b.notRun(d, old, err, now)
	}
	b.notes.set("smart", "")
	r, err := parseSmart(out, code, now)
	if err != nil {
		return old.failed(d.bus, err.Error())
	}
	return b.page(d, r, old, now)
}

// notRun is the page after smartctl could not be run to its end.
func (b *smartBook) notRun(d *block, old page, err error, now time.Time) page {
	if errors.Is(err, sh.ErrMissing) {
		why := "smartctl is not installed (apt install smartmontools, or dnf install smartmontools)"
		b.notes.set("smart", "SMART: "+why)
		return old.failed(d.bus, why)
	}
	next := old.failed(d.bus, err.Error())
	if errors.Is(err, sh.ErrDeadline) {
		next.hung = old.hung + 1
		next.notBefore = now.Add(min(b.every<<min(next.hung, 8), longestRest))
	}
	return next
}

// page makes the new page of a disk from a report.
func (b *smartBook) page(d *block, r report, old page, now time.Time) page {
	if r.asleep {
		next := old
		next.hung, next.notBefore, next.missing = 0, time.Time{}, nil
		s := fleet.Smart{At: now}
		if old.smart != nil {
			s = *old.smart
		} else {
			next.missing = []string{"SMART: the disk sleeps and was not read yet"}
		}
		s.Asleep = true
		next.smart = &s
		return next
	}
	if r.smart == nil {
		why := strings.Join(r.troubles, "; ")
		if why == "" {
			why = "smartctl gave no verdict"
		}
		return old.failed(d.bus, why+remedy(d.bus, why))
	}
	next := page{smart: r.smart, model: r.model, serial: r.serial}
	for _, t := range r.tallies {
		next.counters = append(next.counters, b.ledger.Count(d.owner(), t.name, t.value, now))
	}
	for _, t := range r.troubles {
		next.missing = append(next.missing, "SMART: "+t)
	}
	if !r.smart.Passed.OK {
		next.missing = append(next.missing, "SMART: no overall verdict"+remedy(d.bus, ""))
	}
	if len(r.absent) > 0 {
		next.missing = append(next.missing, "SMART: this disk does not tell "+strings.Join(r.absent, ", "))
	}
	return next
}

// failed is the page after a failure: what was read before stays.
func (p page) failed(bus, why string) page {
	line := "SMART: " + why
	switch names := counterNames(bus); {
	case p.smart != nil:
		line += "; shown is what was read before"
	case len(names) > 0:
		line += "; so there is no " + strings.Join(names, ", ")
	}
	p.missing = []string{line}
	return p
}

// remedy says what would grant the right to read SMART, for a failure that looks like a missing right. Without
// CAP_SYS_RAWIO smartctl ends well on a SATA disk and just tells nothing.
func remedy(bus, why string) string {
	if why != "" && !strings.HasPrefix(why, "smartctl ") && !regexp.MustCompile(`(?i)permission denied|not permitted`).MatchString(why) {
		return ""
	}
	if bus == "nvme" {
		return " (needs CAP_SYS_ADMIN: run as root)"
	}
	return " (needs CAP_SYS_RAWIO: run as root)"
}
