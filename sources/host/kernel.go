package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"strata/internal/fleet"
	"strata/internal/klog"
	"strata/sources"
	"strata/sources/tree"
)

// Times of following the kernel's log.
const (
	kernelSoon    = 200 * time.Millisecond // lines that come together are told together
	kernelOld     = 10 * time.Second       // those that a journal holds already are waited for, for so long
	kernelPace    = time.Second            // between two tails of the log, at first
	kernelPaceMax = 16 * time.Second       // and while there is always a new one: a tail is long
	kernelSilent  = time.Second            // between two looks at a journal that tells nothing yet
	kernelAgain   = 10 * time.Minute       // between attempts at a log that cannot be read
)

// errNoLog is a way to read the kernel's log that does not exist here. The next one may.
var errNoLog = errors.New("cannot be read")

// kernel reads the scopes "kernel" and "kernellogs". Nothing is asked for again and again: it sleeps until there is a line.
type kernel struct {
	source, host string
	at           tree.Tree
	notes        *notes
	ways         []way
	moved        chan struct{}

	mu      sync.Mutex
	log     *klog.Log
	reader  string
	missing []string // why earlier ways cannot be used
	failed  error
	fresh   bool // the tail is to be told
	all     bool // and the events even when they did not change
	cursor  string
	past    bool // what a journal holds already is being read
}

// way is one way to follow a log. It calls take for each line and returns errNoLog when it cannot work here.
type way struct {
	name   string
	follow func(ctx context.Context, k *kernel) error
}

func newKernel(s *source, n *notes) *kernel {
	k := &kernel{source: s.name, host: s.conf.Name, at: s.at, notes: n, moved: make(chan struct{}, 1)}
	k.log = k.newLog()
	k.ways = []way{{"journalctl", journal("journalctl")}, {"/dev/kmsg", kmsg("/dev/kmsg")}}
	if s.at != "" {
		k.ways = []way{{SimulatedKernelLog, simulatedLog}}
	}
	return k
}

// newLog is an empty log that knows which disk a mapped device of this boot is on; of earlier ones nobody does.
func (k *kernel) newLog() *klog.Log {
	l := klog.NewLog(k.source, k.host)
	l.Below(func(boot, device string) string {
		disks := k.at.Below(device).Disks
		if len(disks) != 1 || boot != strings.ReplaceAll(k.at.Word("/proc/sys/kernel/random/boot_id"), "-", "") {
			return ""
		}
		return disks[0]
	})
	return l
}

// run follows the log until ctx ends.
func (k *kernel) run(ctx context.Context, see func(fleet.Observation)) {
	var both sync.WaitGroup
	both.Go(func() { k.tell(ctx, see) })
	both.Go(func() { k.keep(ctx) })
	both.Wait()
}

// keep goes from one way to the next while they cannot work here, and starts again, later each time, one that broke.
func (k *kernel) keep(ctx context.Context) {
	delay := time.Second
	for at := 0; ctx.Err() == nil; {
		w := k.ways[at]
		began := time.Now()
		err := k.once(ctx, w)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoLog) && !k.works():
			k.lack(err.Error())
			if at++; at < len(k.ways) {
				continue
			}
			at = 0
			k.blind()
			if !sources.Sleep(ctx, kernelAgain) {
				return
			}
			k.forget()
			continue
		}
		if time.Since(began) > 2*time.Minute {
			delay = time.Second
		}
		k.fail(fmt.Errorf("following the kernel log of host %s with %s: %w", k.host, w.name, err))
		if !sources.Sleep(ctx, sources.Jitter(delay)) {
			return
		}
		delay = min(2*delay, time.Minute)
	}
}

// once follows the log in one way; a panic costs no more than that.
func (k *kernel) once(ctx context.Context, w way) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sources.Panicked(k.source, "reading the kernel log of "+k.source, p)
		}
	}()
	return w.follow(ctx, k)
}

// works reports whether a way has worked so far.
func (k *kernel) works() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reader != ""
}

// follows notes that a way works.
func (k *kernel) follows(reader string) {
	k.mu.Lock()
	changed := k.reader != reader || k.failed != nil
	if changed {
		k.reader, k.failed, k.fresh, k.all = reader, nil, true, true
	}
	k.mu.Unlock()
	if changed {
		k.notes.set("kernel", "")
		poke(k.moved)
	}
}

// take takes in a line.
func (k *kernel) take(l klog.Line) {
	k.mu.Lock()
	k.log.Add(l)
	k.fresh = true
	if l.Cursor != "" {
		k.cursor = l.Cursor
	}
	k.mu.Unlock()
	poke(k.moved)
}

// reads says whether what a journal holds already is being read: half of it must not pass for all.
func (k *kernel) reads(past bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.past = past
}

func (k *kernel) reading() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.past
}

// lost notes lines that nobody could read.
func (k *kernel) lost(n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log.Lost(n)
	k.fresh = true
}

// restart forgets all lines: another log begins.
func (k *kernel) restart() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log, k.cursor = k.newLog(), ""
	k.fresh, k.all = true, true
}

func (k *kernel) after() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cursor
}

// lack notes why a way cannot be used.
func (k *kernel) lack(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missing = append(k.missing, why)
}

func (k *kernel) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missing = nil
}

// blind says that the log cannot be read here. That is no failure of this machine.
func (k *kernel) blind() {
	k.mu.Lock()
	k.fresh, k.all = true, true
	why := strings.Join(k.missing, "; ")
	k.mu.Unlock()
	k.notes.set("kernel", "kernel log: "+why)
	poke(k.moved)
}

func (k *kernel) fail(err error) {
	k.mu.Lock()
	k.failed, k.all = err, true
	k.mu.Unlock()
	poke(k.moved)
}

// tell says what there is: events soon after their lines, the tail of the log less often the more there is in it.
func (k *kernel) tell(ctx context.Context, see func(fleet.Observation)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due time.Time // when the timer rings; zero when nothing waits for it
	var told fleet.Facts
	pace, last := kernelPace, time.Time{}
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.moved:
			if at := time.Now().Add(kernelSoon); due.IsZero() || at.Before(due) {
				due = at
				timer.Reset(kernelSoon)
			}
			continue
		case <-timer.C:
		}
		now := time.Now()
		if k.reading() && now.Sub(began) < kernelOld {
			due = now.Add(kernelSoon)
			timer.Reset(kernelSoon)
			continue
		}
		due = time.Time{}
		tail := now.Sub(last) >= pace
		events, log, whole, more, err := k.now(tail)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			see(fleet.Observation{Source: k.source, Scope: ScopeKernel, At: now, Err: err})
			see(fleet.Observation{Source: k.source, Scope: ScopeKernelLogs, At: now, Err: err})
			continue
		}
		if whole || !alike(told, events) {
			see(fleet.Observation{Source: k.source, Scope: ScopeKernel, At: now, Facts: events})
			told = events
		}
		if log != nil {
			see(fleet.Observation{Source: k.source, Scope: ScopeKernelLogs, At: now, Facts: fleet.Facts{log}})
			if now.Sub(last) < 2*pace {
				pace = min(2*pace, kernelPaceMax)
			} else {
				pace = kernelPace
			}
			last = now
		}
		if more {
			due = last.Add(max(pace, kernelSoon))
			timer.Reset(due.Sub(now))
		}
	}
}

// now returns what is to be told: the events, the tail if it changed and is wanted; more is whether the tail has yet to be
// told.
func (k *kernel) now(tail bool) (events fleet.Facts, log *fleet.KernelLog, whole, more bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	whole, k.all = k.all, false
	if k.failed != nil {
		return nil, nil, true, false, k.failed
	}
	events = k.log.Events()
	if k.fresh && (tail || whole) {
		log, k.fresh = k.log.Tail(k.reader), false
		log.Missing = k.missing
	}
	return events, log, whole, k.fresh, nil
}

// alike reports whether two lists hold the same pointers.
func alike(a, b fleet.Facts) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
