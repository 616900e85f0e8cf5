package diagnose_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/klog"
	"strata/internal/wire"
)

// story is a world that lives by itself between the lines of a scenario: leases are renewed, services check in, the control
// plane judges nodes that fell silent, hypervisors tell their uptime. testdata/README.md tells its words.
type story struct {
	*world
	logs   map[string]*klog.Log            // of kernels, by machine
	clocks map[string]time.Duration        // how far a machine's or an API's clock is ahead, by source
	silent map[fleet.Ref]time.Time         // nodes and services that do not report, since when
	booted map[fleet.Ref]time.Time         // hypervisors, for their uptime
	acts   map[string][]fleet.ServerAction // of servers that were stopped or started, by id
	boots  int
	runs   map[string]string // the kernel that a machine boots next, by machine
	tape   bytes.Buffer
	record *wire.Recorder
}

func newStory(t testing.TB) *story {
	t.Helper()
	s := &story{
		world: newWorld(diagnose.Derive(diagnose.Rules())), logs: map[string]*klog.Log{}, clocks: map[string]time.Duration{},
		silent: map[fleet.Ref]time.Time{}, booted: map[fleet.Ref]time.Time{}, acts: map[string][]fleet.ServerAction{}, runs: map[string]string{},
	}
	s.keep = true
	var err error
	if s.record, err = wire.NewRecorder(&s.tape, wire.Hello{Build: "test", Host: "test"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// tell plays the sections of a scenario: each is called with its snapshot, truths besides with their text.
func (s *story) tell(t testing.TB, archive *txtar.Archive, each func(), truth func(text string)) {
	t.Helper()
	for _, f := range archive.Files {
		words := strings.Fields(f.Name)
		switch {
		case f.Name == "truth":
			truth(string(f.Data))
			continue
		case len(words) == 2 && words[0] == "at":
			at, err := time.Parse(time.RFC3339, words[1])
			if err != nil {
				t.Fatal(err)
			}
			s.now = at
		case len(words) == 2 && words[0] == "after":
			s.now = s.now.Add(s.long(t, words[1]))
		case len(words) == 4 && words[0] == "after" && words[2] == "by":
			end, by := s.now.Add(s.long(t, words[1])), s.long(t, words[3])
			for s.now.Add(by).Before(end) {
				s.now = s.now.Add(by)
				s.live(t, each)
			}
			s.now = end
		default:
			t.Fatalf("section %q", f.Name)
		}
		for line := range strings.Lines(string(f.Data)) {
			if err := s.say(strings.TrimSpace(line)); err != nil {
				t.Fatalf("%s: %v: %s", f.Name, err, line)
			}
		}
		s.live(t, each)
	}
}

func (s *story) long(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := duration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// duration is a time.Duration that may be so many days.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// live lets a moment pass: what reports by itself does, and what is seen is judged.
func (s *story) live(t testing.TB, each func()) {
	s.reports()
	s.step(t)
	if err := s.record.Take(s.last); err != nil {
		t.Fatal(err)
	}
	each()
}

// say takes one line of a scenario.
func (s *story) say(line string) error {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	line, err := s.times(line)
	if err != nil {
		return err
	}
	word, rest, _ := strings.Cut(line, " ")
	f := strings.Fields(rest)
	switch word {
	case "include":
		return s.include(rest)
	case "set":
		return s.set(rest)
	case "count":
		return s.count(f)
	case "condition":
		return s.condition(f)
	case "silent", "talks":
		return s.reporting(word == "silent", f)
	case "up":
		s.booted[fleet.Ref{Kind: fleet.KindHypervisor, Source: f[0], Name: f[1]}] = at(f[2])
		return nil
	case "stops", "starts":
		return s.power(word == "stops", f)
	case "acts":
		return s.act(f)
	case "runs":
		s.runs[f[0]] = f[1]
		return nil
	case "boots":
		return s.boot(f, rest)
	case "kernel":
		return s.kernel(f[0], at(f[1]), strings.SplitN(rest, " ", 3)[2])
	case "clock":
		d, err := duration(f[1])
		s.clocks[f[0]] = d
		return err
	case "without":
		maps.DeleteFunc(s.objects, func(r fleet.Ref, _ fleet.Object) bool { return r.Source == rest })
		return nil
	case "forget": // a journal that keeps nothing
		delete(s.logs, rest)
		maps.DeleteFunc(s.objects, func(r fleet.Ref, _ fleet.Object) bool {
			return r.Source == "host/"+rest && (r.Kind == fleet.KindKernel || r.Kind == fleet.KindBoot)
		})
		return nil
	case "restart":
		s.derive, s.last = diagnose.Derive(diagnose.Rules()), fleet.NewSnapshot(s.last.Seq, time.Time{}, nil, nil, nil)
		for r := range s.objects {
			if r.Kind == fleet.KindLease {
				change(s, r, func(l *fleet.Lease) { l.Seen, l.Watched = s.now, false })
			}
		}
		return nil
	}
	before := maps.Clone(s.objects)
	if err := s.read(line); err != nil {
		return err
	}
	for r, o := range s.objects {
		if before[r] == o {
			continue
		}
		if s.objects[r], err = s.corrected(o); err != nil {
			return err
		}
	}
	return nil
}

var moment = regexp.MustCompile(`(^|[ "])@([-+0-9a-z.]*)`)

// times replaces each @, @-73s, @-97d that begins a word or a text by that time.
func (s *story) times(line string) (string, error) {
	var bad error
	now := s.now
	if w := strings.SplitN(line, " ", 3); len(w) == 3 && blank(fleet.Kind(w[0])) != nil {
		now = now.Add(s.clocks[w[1]])
	}
	line = moment.ReplaceAllStringFunc(line, func(m string) string {
		lead, ago, _ := strings.Cut(m, "@")
		var d time.Duration
		if ago != "" {
			var err error
			if d, err = duration(ago); err != nil {
				bad = err
			}
		}
		return lead + now.Add(d).UTC().Format(time.RFC3339Nano)
	})
	return line, bad
}

func at(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text) // made by times
	return t
}

func (s *story) include(name string) error {
	text, err := os.ReadFile(filepath.Join("testdata", "scenarios", name+".lines"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if err := s.say(strings.TrimSpace(line)); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, line)
		}
	}
	return nil
}

// named finds an object by its ref's name or by what people call it.
func (s *story) named(kind, source, name string) (fleet.Object, error) {
	if o := s.objects[fleet.Ref{Kind: fleet.Kind(kind), Source: source, Name: name}]; o != nil {
		return o, nil
	}
	for r, o := range s.objects {
		if r.Kind == fleet.Kind(kind) && r.Source == source && fleet.NameOf(o) == name {
			return o, nil
		}
	}
	return nil, fmt.Errorf("there is no %s %s in %s", kind, name, source)
}

// change replaces an object by a copy that how has changed.
func change[T any, P interface {
	*T
	fleet.Object
}](s *story, r fleet.Ref, how func(P)) {
	old, ok := s.objects[r].(P)
	if !ok {
		return
	}
	next := *old
	how(P(&next))
	s.objects[r] = P(&next)
}

// set is KIND SOURCE NAME {merge patch}.
func (s *story) set(rest string) error {
	w := strings.SplitN(rest, " ", 4)
	if len(w) < 4 {
		return errors.New("set KIND SOURCE NAME {...}")
	}
	o, err := s.named(w[0], w[1], w[2])
	if err != nil {
		return err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var is, patch any
	if err := json.Unmarshal(b, &is); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(w[3]), &patch); err != nil {
		return err
	}
	if b, err = json.Marshal(merged(is, patch)); err != nil {
		return err
	}
	delete(s.objects, o.Ref())
	return s.read(w[0] + " " + w[1] + " " + string(b))
}

// merged is a JSON merge patch (RFC 7396).
func merged(is, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	m, ok := is.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = merged(m[k], v)
		}
	}
	return m
}

// count is KIND SOURCE NAME COUNTER VALUE: a counter now reads that.
func (s *story) count(f []string) error {
	o, err := s.named(f[0], f[1], f[2])
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(f[4], 10, 64)
	if err != nil {
		return err
	}
	read := func(all []fleet.Counter) []fleet.Counter {
		all = slices.Clone(all)
		for i := range all {
			if all[i].Name == f[3] {
				all[i].Value = n
				return all
			}
		}
		return append(all, fleet.Counter{Name: f[3], Value: n, First: n, Since: s.now})
	}
	change(s, o.Ref(), func(d *fleet.Disk) { d.Counters = read(d.Counters) })
	change(s, o.Ref(), func(d *fleet.Filesystem) { d.Counters = read(d.Counters) })
	return nil
}

// condition is SOURCE NODE TYPE STATUS REASON MESSAGE...
func (s *story) condition(f []string) error {
	o, err := s.named("node", f[0], f[1])
	if err != nil {
		return err
	}
	s.turn(o.Ref(), fleet.NodeCondition{Type: f[2], Status: f[3], Reason: f[4], Message: strings.Join(f[5:], " "), Since: s.now, Heartbeat: s.now})
	return nil
}

func (s *story) turn(r fleet.Ref, c fleet.NodeCondition) {
	skew := s.clocks[r.Source]
	c.Since, c.Heartbeat = c.Since.Add(skew).Truncate(time.Second), c.Heartbeat.Add(skew).Truncate(time.Second)
	change(s, r, func(n *fleet.Node) {
		n.Conditions = slices.DeleteFunc(slices.Clone(n.Conditions), func(o fleet.NodeCondition) bool { return o.Type == c.Type })
		n.Conditions = append(n.Conditions, c)
	})
}

// power is SOURCE SERVER WHO TIME [REQUEST]; nova itself is nobody.
func (s *story) power(stops bool, f []string) error {
	o, err := s.named("server", f[0], f[1])
	if err != nil {
		return err
	}
	how, run := "start", fleet.ServerRun{Status: "ACTIVE", VMState: "active", Power: fleet.Some(fleet.PowerRunning)}
	if stops {
		how, run = "stop", fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped", Power: fleet.Some(fleet.PowerShutdown)}
	}
	change(s, o.Ref(), func(v *fleet.Server) {
		run.HostStatus, run.Locked = v.Run.HostStatus, v.Run.Locked
		v.Run, v.Times.Updated = run, at(f[3])
	})
	return s.act(append([]string{f[0], f[1], how}, f[2:]...))
}

// act is SOURCE SERVER ACTION WHO TIME [REQUEST].
func (s *story) act(f []string) error {
	o, err := s.named("server", f[0], f[1])
	if err != nil {
		return err
	}
	id := o.Ref().Name
	a := fleet.ServerAction{Action: f[2], Request: fmt.Sprintf("req-%s-%d", f[1], len(s.acts[id])), Start: at(f[4])}
	if f[3] != "nova" {
		a.User, a.Project = f[3], "demo"
	}
	if len(f) > 5 {
		a.Request = f[5]
	}
	s.acts[id] = append(s.acts[id], a)
	slices.SortStableFunc(s.acts[id], func(a, b fleet.ServerAction) int { return b.Start.Compare(a.Start) })
	change(s, o.Ref(), func(v *fleet.Server) {
		if v.Run.Status != "ACTIVE" || v.Actions != nil {
			v.Actions = slices.Clone(s.acts[id])
		}
	})
	return nil
}

// boot is MACHINE TIME [shut|cut END LAST LINE]: it started then, and the boot before ended so.
func (s *story) boot(f []string, rest string) error {
	source := "host/" + f[0]
	s.boots++
	id := fmt.Sprintf("%032x", 0xb007000+s.boots)
	for r, o := range s.objects {
		if b, ok := o.(*fleet.BootRecord); ok && b.Source == source && b.Current {
			change(s, r, func(b *fleet.BootRecord) {
				b.Current = false
				if len(f) > 2 {
					b.End, b.Last = at(f[3]), strings.SplitN(rest, " ", 5)[4]
					b.Ended = map[string]string{"shut": fleet.BootShutDown, "cut": fleet.BootCut}[f[2]]
				}
			})
		}
	}
	change(s, fleet.Ref{Kind: fleet.KindHost, Source: source, Name: f[0]}, func(h *fleet.Host) {
		h.Boot, h.BootID = at(f[1]), id[:8]+"-"+id[8:12]+"-"+id[12:16]+"-"+id[16:20]+"-"+id[20:]
	})
	b := &fleet.BootRecord{Source: source, Host: f[0], ID: id, Begin: at(f[1]), Current: true}
	s.objects[b.Ref()] = b
	return s.kernel(f[0], at(f[1]), "Linux version "+cmp.Or(s.runs[f[0]], "5.14.0-503.26.1.el9_5.x86_64")+" (mockbuild@host)")
}

// kernel is a line that a machine's kernel wrote at a time.
func (s *story) kernel(machine string, when time.Time, text string) error {
	source := "host/" + machine
	log := s.logs[machine]
	if log == nil {
		log = klog.NewLog(source, machine)
		s.logs[machine] = log
	}
	boot, began := fmt.Sprintf("%032x", 1), when
	for _, o := range s.objects {
		if b, ok := o.(*fleet.BootRecord); ok && b.Source == source && !b.Begin.After(when) && (b.End.IsZero() || !when.After(b.End)) {
			boot, began = b.ID, b.Begin
		}
	}
	log.Add(klog.Line{Boot: boot, At: when.Add(s.clocks[source]), Mono: when.Sub(began), Priority: 4, Text: text})
	for _, o := range append(log.Events(), log.Tail("journalctl")) {
		o, err := s.corrected(o)
		if err != nil {
			return err
		}
		s.objects[o.Ref()] = o
	}
	return nil
}

// corrected sends what a machine with a wrong clock tells through the conversation with its agent, which knows by how much
// it is wrong. An API's clock nobody corrects.
func (s *story) corrected(o fleet.Object) (fleet.Object, error) {
	r := o.Ref()
	skew := s.clocks[r.Source]
	if skew == 0 || !strings.HasPrefix(r.Source, "host/") && !strings.HasPrefix(r.Source, "libvirt/") {
		return o, nil
	}
	var sender wire.Sender
	lines, err := sender.Next(fleet.NewSnapshot(1, s.now, []fleet.Part{{Source: r.Source, Scope: r.Kind.Scope(), Kind: r.Kind, Facts: fleet.Facts{o}}}, nil, nil))
	if err != nil {
		return nil, err
	}
	var receiver wire.Receiver
	seen, ok := receiver.Take(lines[0].Scope, -skew)
	if !ok || len(seen.Facts) != 1 {
		return nil, fmt.Errorf("%s did not come through: %w", r, seen.Err)
	}
	return seen.Facts[0], nil
}
