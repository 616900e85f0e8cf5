// Package libvirt watches the domains of one machine's libvirt: their state and why, their disks and the limits on
// them, and the process and scope each runs in. It reads over the daemon's read-only socket, or through `virsh -r` where
// no socket lets it in.
package libvirt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/tree"
)

// Scope is the one scope of the source.
const Scope = "domains"

// Config says whose libvirt to watch and how.
type Config struct {
	connect.LibvirtAt
	// Every is how often states and counters are read; default 5 s. Definitions are read when something changed, and
	// each minute.
	Every  time.Duration
	Wishes *sources.Wishes
}

const (
	rereadAfter = time.Minute
	patience    = 20 * time.Second // for one look; a daemon that has to start first gets more, see connect
	slowest     = 8                // while it fails it is looked at so many times less often
)

// New returns the source "libvirt/NAME".
func New(c Config) sources.Source {
	if c.Every == 0 {
		c.Every = 5 * time.Second
	}
	return &source{Config: c, name: "libvirt/" + c.Name}
}

type source struct {
	Config
	name string
}

func (s *source) Name() string { return s.name }

// Watch looks until ctx ends.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	w := &watcher{source: s, at: tree.Tree(s.Root), known: map[string]*known{}, rules: qemuRules()}
	defer w.drop()
	delay, all := s.Every, true
	for {
		facts, err := w.look(ctx, time.Now(), all)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		see(fleet.Observation{Source: s.name, Scope: Scope, At: time.Now(), Facts: facts, Err: err, Every: s.Every})
		if err == nil {
			delay = s.Every
		} else {
			delay = min(2*delay, slowest*s.Every)
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			all = false
		case <-s.Wishes.Wake(s.name):
			timer.Stop()
			all = true
		}
	}
}

// watcher is the source at work. It belongs to one goroutine.
type watcher struct {
	*source
	at     tree.Tree
	mounts []tree.Mount
	daemon daemon // nil while there is no connection

	known      map[string]*known // by UUID
	rules      []qemuRule        // of the lines of qemu's logs
	persistent map[string]bool
	autostart  map[string]bool
	read       time.Time // when all definitions were read
	before     fleet.Facts
}

// look sees all domains. all has every definition read again.
func (w *watcher) look(ctx context.Context, now time.Time, all bool) (fleet.Facts, error) {
	fresh := w.daemon == nil
	facts, err := w.lookOnce(ctx, now, all)
	if err != nil && !fresh && ctx.Err() == nil && time.Since(now) < patience/2 {
		// A daemon that idled out or was restarted has closed the connection; a new one starts it again. One that hung
		// will not do better at once.
		facts, err = w.lookOnce(ctx, now, true)
	}
	return facts, err
}

func (w *watcher) lookOnce(ctx context.Context, now time.Time, all bool) (facts fleet.Facts, err error) {
	if w.daemon == nil {
		if w.daemon, err = open(ctx, w.LibvirtAt); err != nil {
			return nil, err
		}
	}
	within, cancel := context.WithTimeoutCause(ctx, patience, errors.New("no answer within "+patience.String()))
	defer cancel()
	defer func() {
		if err != nil {
			w.drop()
			err = &fleet.Trouble{Doing: "reading " + w.name, Cause: err, Fix: "see journalctl -u libvirtd -u virtqemud; virsh -r -c " + connect.LibvirtURI + " list"}
		}
	}()
	domains, err := w.daemon.Domains(within)
	if err != nil {
		return nil, err
	}
	all = all || now.Sub(w.read) >= rereadAfter
	if all {
		if w.persistent, w.autostart, err = w.daemon.Kept(within); err != nil {
			return nil, err
		}
	}
	w.mounts, _ = w.at.Mounts() // without them only the paths of disks are not known
	facts = fleet.Facts{}
	for _, d := range domains {
		seen, err := w.domain(within, now, d, all)
		if err != nil {
			return nil, err
		}
		if seen != nil {
			facts = append(facts, seen)
		}
	}
	if all {
		w.read = now
	}
	return w.settle(facts), nil
}

// drop ends the connection.
func (w *watcher) drop() {
	if w.daemon != nil {
		w.daemon.Close()
	}
	w.daemon = nil
}

// settle sorts facts, keeps the pointers of those that did not change and forgets those that are gone.
func (w *watcher) settle(facts fleet.Facts) fleet.Facts {
	slices.SortFunc(facts, fleet.Compare)
	facts = slices.CompactFunc(facts, func(a, b fleet.Object) bool { return a.Ref() == b.Ref() })
	before := make(map[fleet.Ref]fleet.Object, len(w.before))
	for _, o := range w.before {
		before[o.Ref()] = o
	}
	here := make(map[string]bool, len(facts))
	for i, o := range facts {
		here[o.Ref().Name] = true
		if old, ok := before[o.Ref()]; ok && reflect.DeepEqual(old, o) {
			facts[i] = old
		}
	}
	for uuid := range w.known {
		if !here[uuid] {
			delete(w.known, uuid)
		}
	}
	w.before = facts
	return facts
}

// nowhere says that this machine has no libvirt that can be asked.
func nowhere(at connect.LibvirtAt) error {
	return &fleet.Trouble{
		Doing:        fmt.Sprintf("no libvirt on %s: nothing at %s, and virsh finds none", at.Name, strings.Join(at.Paths(), ", ")),
		Fix:          "where there are virtual machines: dnf install libvirt-daemon-kvm (Debian: apt install libvirt-daemon-system), then systemctl enable --now libvirtd.socket (or virtqemud.socket)",
		Unconfigured: true,
	}
}
