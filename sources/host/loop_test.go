package host

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// watched runs a loop for a while of fake time and returns what it said.
func watched(t *testing.T, l *loop, d time.Duration) (seen []fleet.Observation) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	l.run(ctx, func(o fleet.Observation) { seen = append(seen, o) })
	return seen
}

func TestHungLookIsSaidOnceAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		var looks atomic.Int32
		l := &loop{source: "host/alpha", scope: "sensors", every: 2 * time.Second, look: func(context.Context, time.Time) (fleet.Facts, error) {
			if looks.Add(1) == 2 {
				<-stuck
			}
			return fleet.Facts{}, nil
		}}
		seen := watched(t, l, time.Minute)
		close(stuck)
		if looks.Load() != 2 || len(seen) != 2 {
			t.Fatalf("%d looks, %d observations; want 2 and 2", looks.Load(), len(seen))
		}
		if seen[0].Err != nil || seen[1].Err == nil || !strings.Contains(seen[1].Err.Error(), "reading sensors of host/alpha: no answer for 10s") || fleet.FixOf(seen[1].Err) == "" {
			t.Errorf("said %v, then %v", seen[0].Err, seen[1].Err)
		}
	})
}

func TestPanicCostsOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		l := &loop{source: "host/alpha", scope: "disks", every: 2 * time.Second, look: func(context.Context, time.Time) (fleet.Facts, error) {
			if looks++; looks == 1 {
				panic("odd file")
			}
			return fleet.Facts{}, nil
		}}
		seen := watched(t, l, 3*time.Second)
		if len(seen) != 2 || seen[0].Err == nil || !strings.HasSuffix(seen[0].Err.Error(), "panic: odd file") || seen[1].Err != nil {
			t.Errorf("said %+v", seen)
		}
	})
}

func TestWakeLooksSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loop{every: time.Hour, wake: make(chan struct{}, 1), look: func(context.Context, time.Time) (fleet.Facts, error) { return nil, nil }}
		time.AfterFunc(time.Minute, func() { poke(l.wake) })
		if seen := watched(t, l, 2*time.Minute); len(seen) != 2 || seen[1].At.Sub(seen[0].At) != time.Minute {
			t.Errorf("said %+v", seen)
		}
	})
}

// asked is a smartctl that remembers what it was asked and when.
type asked struct {
	mu    sync.Mutex
	began time.Time
	calls map[string][]time.Duration
	reply func(args []string) ([]byte, int, error)
}

func (a *asked) smartctl(_ context.Context, args ...string) ([]byte, int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line := strings.Join(args, " ")
	a.calls[line] = append(a.calls[line], time.Since(a.began))
	return a.reply(args)
}

// smartFor runs the SMART loop for a while of fake time.
func smartFor(t *testing.T, d time.Duration, disks []block, reply func([]string) ([]byte, int, error), during func(*smartBook)) (*asked, *smartBook) {
	a := &asked{began: time.Now(), calls: map[string][]time.Duration{}, reply: reply}
	s := New(Config{Root: "/nowhere", Name: "alpha", Smartctl: a.smartctl}).(*source)
	b := newSmartBook(s, newNotes())
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	b.follow(disks)
	if during != nil {
		go during(b)
	}
	b.run(ctx)
	synctest.Wait()
	return a, b
}

const (
	askNVMe = "--json=co -n standby,3 -H -A -i -l error -d nvme /dev/nvme0n1"
	askSATA = "--json=co -n standby,3 -H -A -i -l error -l selftest -d sat /dev/sda"
	askScan = "--json=c --scan-open"
)

func smartReply(t *testing.T) func([]string) ([]byte, int, error) {
	scan, nvme := fixture(t, "smartctl/smartctl-scan-open.json"), fixture(t, "smartctl/smartctl-a-nvme0.json")
	return func(args []string) ([]byte, int, error) {
		if slices.Contains(args, "--scan-open") {
			return scan, 0, nil
		}
		return nvme, 0, nil
	}
}

func TestSmartIsReadAtStartAndSeldom(t *testing.T) {
	disks := []block{{name: "nvme0n1", bus: "nvme"}, {name: "sda", bus: "ata"}, {name: "vda", bus: "virtio"}}
	reply := smartReply(t)
	synctest.Test(t, func(t *testing.T) {
		a, _ := smartFor(t, 11*time.Minute, disks, reply, nil)
		want := map[string][]time.Duration{
			askScan: {0},
			askNVMe: {0, 5 * time.Minute, 10 * time.Minute},
			askSATA: {0, 5 * time.Minute, 10 * time.Minute},
		}
		if fmt.Sprint(a.calls) != fmt.Sprint(want) {
			t.Errorf("asked %v\nwant  %v", a.calls, want)
		}
	})
	// Somebody scrolls over the disks all the time.
	synctest.Test(t, func(t *testing.T) {
		a, _ := smartFor(t, 150*time.Second, disks[:1], reply, func(b *smartBook) {
			for range 140 {
				time.Sleep(time.Second)
				poke(b.wake)
			}
		})
		if got := a.calls[askNVMe]; len(got) != 3 || got[1] < time.Minute {
			t.Errorf("asked at %v, want once a minute at most", got)
		}
	})
	// Another disk comes: all types are found anew.
	synctest.Test(t, func(t *testing.T) {
		a, _ := smartFor(t, 2*time.Minute, disks[:1], reply, func(b *smartBook) {
			time.Sleep(time.Minute)
			b.follow(disks)
		})
		if got := a.calls[askScan]; len(got) != 1 || got[0] != time.Minute || len(a.calls[askSATA]) != 1 {
			t.Errorf("asked %v", a.calls)
		}
	})
}

func TestHungSmartctlIsAskedEverLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func([]string) ([]byte, int, error) {
			return nil, 0, fmt.Errorf("running smartctl: %w", sh.ErrDeadline)
		}
		a, b := smartFor(t, 3*time.Hour, []block{{name: "nvme0n1", bus: "nvme"}}, hang, nil)
		want := []time.Duration{0, 10 * time.Minute, 30 * time.Minute, 70 * time.Minute, 130 * time.Minute}
		if got := a.calls[askNVMe]; !slices.Equal(got, want) {
			t.Errorf("asked at %v, want %v", got, want)
		}
		d := &fleet.Disk{Name: "nvme0n1", Bus: "nvme"}
		if b.addTo(d, time.Now()); d.Smart != nil || !strings.Contains(strings.Join(d.Missing, ""), "did not end in time") {
			t.Errorf("missing %q", d.Missing)
		}
	})
}

// A report that two readings should have replaced is not current, and is not changed in place.
func TestSmartThatIsNotReadAnyMoreGetsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, good := 0, smartReply(t)
		reply := func(args []string) ([]byte, int, error) {
			if reads++; reads > 2 {
				return nil, 0, fmt.Errorf("running smartctl: %w", sh.ErrDeadline)
			}
			return good(args)
		}
		began := time.Now()
		_, b := smartFor(t, 11*time.Minute, []block{{name: "nvme0n1", bus: "nvme"}}, reply, nil)
		for _, c := range []struct {
			after time.Duration
			old   bool
		}{{11 * time.Minute, false}, {16 * time.Minute, true}} {
			d := &fleet.Disk{Name: "nvme0n1", Bus: "nvme"}
			if b.addTo(d, began.Add(c.after)); d.Smart == nil || d.Smart.Old != c.old {
				t.Errorf("after %v: %+v, want old %v", c.after, d.Smart, c.old)
			}
		}
		if b.pages["nvme0n1 "].smart.Old {
			t.Error("the page itself was changed")
		}
	})
}

func TestSmartctlNotInstalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := func([]string) ([]byte, int, error) {
			return nil, 0, fmt.Errorf("starting smartctl: %w", &exec.Error{Name: "smartctl", Err: exec.ErrNotFound})
		}
		_, b := smartFor(t, time.Minute, []block{{name: "sda", bus: "ata"}}, none, nil)
		d := &fleet.Disk{Name: "sda", Bus: "ata"}
		b.addTo(d, time.Now())
		want := "SMART: smartctl is not installed (apt install smartmontools, or dnf install smartmontools); so there is no reallocated, "
		if len(d.Missing) != 1 || !strings.HasPrefix(d.Missing[0], want) {
			t.Errorf("missing %q", d.Missing)
		}
		if got := b.notes.all(); len(got) != 1 || !strings.HasPrefix(got[0], "SMART: smartctl is not installed") {
			t.Errorf("the host misses %q", got)
		}
	})
}

func TestSmartPanicStaysInItsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := func([]string) ([]byte, int, error) { panic(errors.New("odd")) }
		_, b := smartFor(t, time.Minute, []block{{name: "nvme0n1", bus: "nvme"}}, odd, nil)
		d := &fleet.Disk{Name: "nvme0n1", Bus: "nvme"}
		if b.addTo(d, time.Now()); !strings.Contains(strings.Join(d.Missing, ""), "panic: odd") || strings.Contains(strings.Join(d.Missing, ""), "\n") {
			t.Errorf("missing %q", d.Missing)
		}
	})
}
