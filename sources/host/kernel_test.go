package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/klog"
	"strata/sources/tree"
)

// kernelOf watches a kernel's log and keeps what was last said of each scope.
type kernelOf struct {
	t    *testing.T
	said chan fleet.Observation
	last map[string]fleet.Observation
	k    *kernel
}

func watchKernel(t *testing.T, root string, ways ...way) *kernelOf {
	t.Helper()
	s := &source{conf: Config{Name: "alpha"}, name: "host/alpha", at: tree.Tree(root)}
	w := &kernelOf{t: t, said: make(chan fleet.Observation, 1000), last: map[string]fleet.Observation{}, k: newKernel(s, newNotes())}
	if len(ways) > 0 {
		w.k.ways = ways
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.k.run(ctx, func(o fleet.Observation) { w.said <- o })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return w
}

// until waits for a state of the two scopes.
func (w *kernelOf) until(what string, is func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool) {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		var events []*fleet.KernelEvent
		for _, o := range w.last[ScopeKernel].Facts {
			events = append(events, o.(*fleet.KernelEvent))
		}
		var log *fleet.KernelLog
		if f := w.last[ScopeKernelLogs].Facts; len(f) == 1 {
			log = f[0].(*fleet.KernelLog)
		}
		if is(events, log, w.last[ScopeKernel].Err) {
			return
		}
		select {
		case o := <-w.said:
			if o.Err != nil {
				o.Facts = w.last[o.Scope].Facts
			}
			w.last[o.Scope] = o
		case <-limit:
			w.t.Fatalf("waiting for %s: last said %+v", what, w.last)
		}
	}
}

func has(events []*fleet.KernelEvent, class, subject string) *fleet.KernelEvent {
	for _, e := range events {
		if e.Class == class && e.Subject == subject {
			return e
		}
	}
	return nil
}

func TestTheLogOfAMachineIsFollowed(t *testing.T) {
	t.Parallel()
	m, err := machine.New(t.TempDir(), machine.Compute())
	if err != nil {
		t.Fatal(err)
	}
	w := watchKernel(t, m.Root())
	w.until("the boot", func(events []*fleet.KernelEvent, log *fleet.KernelLog, _ error) bool {
		return len(events) == 1 && events[0].Class == fleet.ClassBoot && log != nil && len(log.Lines) == 4
	})
	if err := m.Kernel(3, "INFO: task nova-compute:1069 blocked for more than 122 seconds.\nCall Trace:\n kvm_async_pf_task_wait_schedule+0xf3/0x180"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.until("the hung task", func(events []*fleet.KernelEvent, log *fleet.KernelLog, _ error) bool {
		e := has(events, fleet.ClassHung, "nova-compute[1069]")
		return e != nil && e.Cause == "kvm_async_pf_task_wait_schedule" && time.Since(e.At) < time.Minute && len(log.Lines) == 7
	})
	t.Logf("seen after %v", time.Since(began))
	if err := m.Kernel(3, "Buffer I/O error on dev dm-0, logical block 5, lost async page write"); err != nil {
		t.Fatal(err)
	}
	w.until("an error of a mapped device, with its disk", func(events []*fleet.KernelEvent, _ *fleet.KernelLog, _ error) bool {
		e := has(events, fleet.ClassIO, "dm-0")
		return e != nil && e.Disk == "vda"
	})
	if err := m.Reboot(); err != nil {
		t.Fatal(err)
	}
	w.until("another boot", func(events []*fleet.KernelEvent, log *fleet.KernelLog, _ error) bool {
		return len(events) == 4 && len(log.Boots) == 2 && log.Boots[0].ID != log.Boots[1].ID && log.Covers(log.Boots[0].First)
	})
	// Rotated: another file, and the lines of the old one are gone.
	path := filepath.Join(m.Root(), SimulatedKernelLog)
	if err := os.WriteFile(path+".new", []byte("-- Boot b 2026-01-01T00:00:00Z --\n3,0,1000000,-;ata1: hard resetting link\n3,1,2000000,-;half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	w.until("the new file", func(events []*fleet.KernelEvent, log *fleet.KernelLog, _ error) bool {
		return len(events) == 1 && events[0].Class == fleet.ClassATA && events[0].Line == "ata1: hard resetting link" && len(log.Lines) == 1
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.until("that it is gone", func(events []*fleet.KernelEvent, _ *fleet.KernelLog, err error) bool {
		return len(events) == 1 && err != nil && strings.Contains(err.Error(), "following the kernel log of host alpha")
	})
}

const journalLine = `{"__CURSOR":"c%s","__REALTIME_TIMESTAMP":"1764111600500000","__MONOTONIC_TIMESTAMP":"1000000","_BOOT_ID":"b1","PRIORITY":"3","MESSAGE":"%s"}`

// program is a journalctl made of a shell script, which gets the arguments of the real one.
func program(script string) way {
	return way{"journalctl", journal("sh", "-c", "line() { printf '"+journalLine+"\\n' \"$1\" \"$2\"; }\n"+script, "journalctl")}
}

// A journalctl that dies is started again where it ended, and what was seen stays.
func TestAJournalThatEndsIsReadOn(t *testing.T) {
	t.Parallel()
	w := watchKernel(t, "", program(`
		case "$*" in
		*--after-cursor=c1*) line 2 "I/O error, dev vda, sector 2"; exec sleep 60 ;;
		*--lines=5000*_TRANSPORT=kernel*) line 1 "I/O error, dev sda, sector 1"; echo it fell over >&2; exit 3 ;;
		esac`))
	w.until("the first line, and that it ended", func(events []*fleet.KernelEvent, _ *fleet.KernelLog, err error) bool {
		return err != nil && strings.Contains(err.Error(), "ended with code 3: it fell over")
	})
	w.until("both lines", func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
		return err == nil && log != nil && has(events, fleet.ClassIO, "sda") != nil && has(events, fleet.ClassIO, "vda") != nil && log.Reader == "journalctl"
	})
}

// A cursor of a journal that is gone leads nowhere: all is read anew.
func TestAJournalThatIsGoneIsReadAnew(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "gone")
	w := watchKernel(t, "", program(`
		case "$*" in
		*--after-cursor=c1*) touch `+mark+`; echo "Failed to seek to cursor: Invalid argument" >&2; exit 1 ;;
		*--after-cursor=c9*) exec sleep 60 ;;
		*) if test -e `+mark+`; then line 9 "I/O error, dev vda, sector 2"; exit; fi; line 1 "I/O error, dev sda, sector 1" ;;
		esac`))
	w.until("the lines of the new one alone", func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
		return err == nil && log != nil && len(events) == 1 && has(events, fleet.ClassIO, "vda") != nil
	})
}

// A journal that may not be read, and no kmsg either: nothing fails, and what to do about it is said.
func TestWithoutRightsThereIsNoLog(t *testing.T) {
	t.Parallel()
	for _, script := range []string{
		`echo "No journal files were opened due to insufficient permissions." >&2; exit 1`,
		`echo "Hint: You are currently not seeing messages from other users and the system." >&2; exec sleep 60`,
	} {
		w := watchKernel(t, "", program(script), way{"/dev/kmsg", kmsg(filepath.Join(t.TempDir(), "kmsg"))})
		w.until("what is missing", func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
			return err == nil && log != nil && log.Reader == "" && len(log.Missing) == 2 && !log.Covers(time.Now()) &&
				strings.Contains(log.Missing[0], "systemd-journal")
		})
		if got := strings.Join(w.k.notes.all(), ""); !strings.HasPrefix(got, "kernel log: ") || !strings.Contains(got, "CAP_SYSLOG") {
			t.Errorf("for Host.Missing: %q", got)
		}
	}
}

// A journal without a line of the kernel says nothing about it: /dev/kmsg is tried, and without that nothing is covered.
func TestAnEmptyJournalCoversNothing(t *testing.T) {
	t.Parallel()
	w := watchKernel(t, "", program("exec sleep 60"), way{"/dev/kmsg", kmsg(filepath.Join(t.TempDir(), "kmsg"))})
	w.until("what is missing", func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
		return err == nil && log != nil && log.Reader == "" && len(log.Missing) == 2 && strings.Contains(log.Missing[0], "no line of the kernel") && !log.Covers(time.Now())
	})
}

// A journal that was rotated away in between begins where its new lines do.
func TestARotatedJournalCoversItsOwnLinesOnly(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "gone")
	later := strings.Replace(journalLine, "1764111600500000", "1764115200500000", 1)
	w := watchKernel(t, "", program(`
		case "$*" in
		*--after-cursor=c1*) touch `+mark+`; echo "Failed to seek to cursor: Invalid argument" >&2; exit 1 ;;
		*) if test -e `+mark+`; then printf '`+later+`\n' 9 "I/O error, dev vda, sector 2"; exec sleep 60; fi; line 1 "I/O error, dev sda, sector 1" ;;
		esac`))
	w.until("the span of the new one", func(events []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
		before, after := time.UnixMicro(1764111600500000), time.UnixMicro(1764115200500000)
		return err == nil && log != nil && len(events) == 1 && !log.Covers(before) && log.Covers(after)
	})
}

// ring is a /dev/kmsg: each read is one record, or an error.
type ring struct {
	records []any
	asked   int
}

func (r *ring) Read(b []byte) (int, error) {
	if len(b) < 8192 {
		return 0, syscall.EINVAL
	}
	if r.asked++; r.asked > len(r.records) {
		return 0, io.EOF
	}
	if err, ok := r.records[r.asked-1].(error); ok {
		return 0, err
	}
	return copy(b, r.records[r.asked-1].(string)), nil
}

// Lines that were overwritten before they were read are counted, and a read that says so is no end.
func TestOverwrittenLinesAreCounted(t *testing.T) {
	t.Parallel()
	k := newKernel(&source{conf: Config{Name: "alpha"}, name: "host/alpha"}, newNotes())
	err := k.records(&ring{records: []any{
		"6,10,1000000,-;first\n SUBSYSTEM=block\n", "3,11,2000000,-;I/O error, dev vda, sector 1\n", syscall.EPIPE, "6,52,3000000,-;after\n", "nonsense",
	}}, "b1", func() time.Duration { return time.Minute })
	if !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	tail := k.log.Tail("")
	if tail.Dropped != 41 || len(tail.Lines) != 3 || len(k.log.Events()) != 1 || tail.Lines[0].Text != "first" {
		t.Errorf("got %+v", tail)
	}
	if age := time.Since(tail.Lines[0].At); age < 58*time.Second || age > 90*time.Second {
		t.Errorf("the first line is %v old, want 59 s", age)
	}
	k = newKernel(&source{conf: Config{Name: "alpha"}, name: "host/alpha"}, newNotes())
	if err := k.records(&ring{records: []any{&fs.PathError{Op: "read", Path: "/dev/kmsg", Err: syscall.EPERM}}}, "b1", sinceBoot); !errors.Is(err, errNoLog) {
		t.Errorf("without rights: %v", err)
	}
}

func TestALineThatIsTooLongIsLost(t *testing.T) {
	t.Parallel()
	var got []string
	lost := uint64(0)
	eachLine(strings.NewReader("one\n"+strings.Repeat("x", 3*maxRecord)+"\ntwo\nhalf"), func(n uint64) { lost += n }, func(b []byte) { got = append(got, string(b)) })
	if strings.Join(got, "") != "one\ntwo\n" || lost != 1 {
		t.Errorf("got %q, lost %d", got, lost)
	}
}

// While a kernel chatters, events come at once, the long tail seldom; when it is quiet nothing is said.
func TestAChattyKernelCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(&source{conf: Config{Name: "alpha"}, name: "host/alpha"}, newNotes())
		lines := make(chan string)
		k.ways = []way{{"test", func(ctx context.Context, k *kernel) error {
			k.follows("test")
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case text := <-lines:
					k.take(klog.Line{Boot: "b", At: time.Now(), Mono: time.Since(time.Unix(946684800, 0)), Text: text})
				}
			}
		}}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tails, seen := 0, map[string]time.Time{}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			k.run(ctx, func(o fleet.Observation) {
				if o.Scope == ScopeKernelLogs {
					tails++
				}
				for _, e := range o.Facts {
					if e, ok := e.(*fleet.KernelEvent); ok && seen[e.Subject].IsZero() {
						seen[e.Subject] = o.At
					}
				}
			})
		}()
		for range 600 {
			lines <- "IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2"
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if tails > 9 {
			t.Errorf("%d tails in a minute of chatter", tails)
		}
		at := time.Now()
		lines <- "I/O error, dev vda, sector 1"
		time.Sleep(time.Second)
		synctest.Wait()
		if took := seen["vda"].Sub(at); took < 0 || took > time.Second {
			t.Errorf("an event was told after %v", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		before := tails
		time.Sleep(time.Hour)
		synctest.Wait()
		if tails != before {
			t.Error("a quiet log was told again")
		}
		lines <- "quiet again"
		time.Sleep(time.Second)
		synctest.Wait()
		if tails != before+1 {
			t.Error("one line after a long silence was not told within a second")
		}
		cancel()
		<-ended
	})
}

// What a journal holds of earlier boots is not told by one that is followed, and comes in over seconds on a machine that
// is slow: half of it must not pass for all.
func TestWhatAJournalHoldsIsToldWhole(t *testing.T) {
	t.Parallel()
	w := watchKernel(t, "", program(`
		case "$*" in
		*--follow*--after-cursor=c3*) exec sleep 60 ;;
		*--follow*) line 3 "I/O error, dev vdc, sector 1"; exec sleep 60 ;;
		*) line 1 "I/O error, dev vda, sector 1"; sleep 0.5; line 2 "I/O error, dev vdb, sector 1"; sleep 0.5; line 3 "I/O error, dev vdc, sector 1" ;;
		esac`))
	for o := range w.said {
		if o.Scope == ScopeKernel {
			if len(o.Facts) != 3 {
				t.Errorf("first told were %d events: %v", len(o.Facts), o.Err)
			}
			break
		}
	}
}

// The real /dev/kmsg, where it may be read: a read that waits for a line ends with its context.
func TestTheRingOfThisMachine(t *testing.T) {
	t.Parallel()
	if file, err := os.Open("/dev/kmsg"); err != nil {
		t.Skip(err)
	} else if _, err = file.Read(make([]byte, 16<<10)); err != nil {
		t.Skip(err)
	} else {
		_ = file.Close()
	}
	w := watchKernel(t, "", way{"/dev/kmsg", kmsg("/dev/kmsg")})
	w.until("its lines", func(_ []*fleet.KernelEvent, log *fleet.KernelLog, err error) bool {
		return err == nil && log != nil && log.Reader == "/dev/kmsg" && len(log.Lines) > 0 && log.From.Before(time.Now())
	})
}
