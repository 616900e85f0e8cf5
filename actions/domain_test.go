package actions

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/libvirt"
)

const (
	plainDomain = "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001"
	novaDomain  = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
)

// virtLab is a simulated machine whose libvirt strata watches and may act on.
type virtLab struct {
	*lab
	machine *machine.Machine
}

func startVirt(t *testing.T, patience time.Duration) *virtLab {
	t.Helper()
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []machine.Domain{
		{
			Name: "compute", UUID: plainDomain, VCPUs: 4, Memory: 8 << 30, State: "running", Reason: "booted",
			Disks: []machine.DomainDisk{{Target: "vda", File: "/home/vms/compute.qcow2", Format: "qcow2", Size: 30 << 30, Kept: map[string]uint64{"total_iops_sec": 900}}},
		},
		{
			Name: "instance-0000001c", UUID: novaDomain, Nova: "k8s-worker-1", VCPUs: 2, Memory: 3 << 30, State: "running", Reason: "booted",
			Disks: []machine.DomainDisk{{Target: "vda", File: "/var/lib/nova/disk", Format: "qcow2", Size: 17 << 30, Kept: map[string]uint64{"total_bytes_sec": 200e6}}},
		},
	} {
		if err := m.Define(d); err != nil {
			t.Fatal(err)
		}
	}
	run := func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
		out, errs, code, err := m.Program(ctx, c.Argv...)
		if errors.Is(err, fs.ErrNotExist) {
			err = sh.ErrMissing
		}
		return sh.Result{Stdout: out, Stderr: strings.TrimSpace(string(errs)), Code: code}, err
	}
	l := &virtLab{lab: &lab{store: fleet.NewStore(nil), source: "libvirt/alpha"}, machine: m}
	wishes := sources.NewWishes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sources.Run(ctx, l.store.Put, libvirt.New(libvirt.Config{
			LibvirtAt: connect.LibvirtAt{Name: "alpha", Root: m.Root(), Run: run}, Every: 30 * time.Millisecond, Wishes: wishes,
		}))
	}()
	t.Cleanup(func() { cancel(); <-ended })
	dir := t.TempDir()
	l.audit = filepath.Join(dir, "audit.jsonl")
	audit, err := OpenAudit(l.audit)
	if err != nil {
		t.Fatal(err)
	}
	writing := connect.ForWriting("test", connect.Reach{Machines: []connect.Machine{{Name: "alpha", Root: m.Root(), Run: run}}})
	t.Cleanup(func() { writing.Close(); _ = audit.Close() })
	l.runner = NewRunner(Setup{
		Hands: NewHands(writing), Store: l.store, Audit: audit, Who: "tester", Wake: wishes.Refresh, Patient: patience, Locks: filepath.Join(dir, "locks"),
	})
	l.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindDomain).Total() == 2 })
	return l
}

func (l *virtLab) make(t *testing.T, name, uuid string, args Args) Action {
	t.Helper()
	o, ok := Find(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	a, err := o.Make(l.store.Snapshot(), domainRef(l.source, uuid), args)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// do plans an action, agrees to it and runs it.
func (l *virtLab) do(t *testing.T, a Action) ([]Progress, error) {
	t.Helper()
	p := a.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, p.Ask)
	if err != nil {
		t.Fatal(err)
	}
	var said []Progress
	err = l.runner.Run(t.Context(), ok, func(p Progress) { said = append(said, p) })
	return said, err
}

// become changes a domain behind strata's back and waits until that is seen.
func (l *virtLab) become(t *testing.T, uuid, state, reason string) {
	t.Helper()
	if _, err := l.machine.ChangeDomain(uuid, func(d *machine.Domain) { d.State, d.Reason = state, reason }); err != nil {
		t.Fatal(err)
	}
	l.seen(t, uuid, func(d *fleet.Domain) bool { return d.State == state && d.Reason == reason })
}

func (l *virtLab) seen(t *testing.T, uuid string, ok func(*fleet.Domain) bool) {
	t.Helper()
	l.until(t, func(s *fleet.Snapshot) bool {
		d, found := fleet.Find[*fleet.Domain](s, domainRef(l.source, uuid))
		return found && ok(d)
	})
}

func TestADomainIsShutDownStartedAndDestroyed(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	for _, step := range []struct{ action, want, ask string }{
		{"domain-shutdown", "shut off (shutdown)", ""},
		{"domain-start", "running (booted)", ""},
		{"domain-destroy", "shut off (destroyed)", "compute"},
	} {
		a := l.make(t, step.action, plainDomain, nil)
		p := a.Plan(l.store.Snapshot())
		if p.Ask != step.ask || len(p.Refused) > 0 || (p.NoUndo == "") == (p.Undo == nil) {
			t.Errorf("%s: plan %+v", step.action, p)
		}
		if want := "virsh -c qemu:///system " + strings.TrimPrefix(step.action, "domain-") + " " + plainDomain; p.Line() != want {
			t.Errorf("%s shows %q, want %q", step.action, p.Line(), want)
		}
		said, err := l.do(t, a)
		if err != nil || said[len(said)-1].Says != step.want {
			t.Fatalf("%s: %v, said %+v", step.action, err, said[len(said)-1])
		}
		l.seen(t, plainDomain, func(d *fleet.Domain) bool { return d.Health().Word == step.want })
	}
	if got := phases(l.deeds(t)); got != "begin end seen begin end seen begin end seen" {
		t.Errorf("audit phases %s", got)
	}
}

func TestADomainIsOnlyTreatedAsItsStateAllows(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	check := func(state string, refused map[string]string) {
		t.Helper()
		for name, why := range refused {
			p := l.make(t, name, plainDomain, nil).Plan(l.store.Snapshot())
			if got := strings.Join(p.Refused, "; "); why == "" && got != "" || !strings.Contains(got, why) {
				t.Errorf("%s, %s: refused %q, want %q", state, name, got, why)
			}
		}
	}
	check("running", map[string]string{
		"domain-start": "only a domain that is off", "domain-shutdown": "", "domain-destroy": "", "domain-resume": "only a paused domain",
		"domain-limit": "", "disk-check": "only be checked while it is off", "disk-repair": "only be repaired while it is off",
	})
	l.become(t, plainDomain, "paused", "I/O error")
	check("paused", map[string]string{
		"domain-start": "only a domain that is off", "domain-shutdown": "cannot hear", "domain-destroy": "", "domain-resume": "",
		"domain-limit": "", "disk-check": "while it is off",
	})
	l.become(t, plainDomain, "shut off", "crashed")
	check("off", map[string]string{
		"domain-start": "", "domain-shutdown": "off already", "domain-destroy": "off already", "domain-resume": "only a paused domain",
		"domain-limit": "", "disk-check": "", "disk-repair": "",
	})
	if p := l.make(t, "domain-start", plainDomain, nil).Plan(l.store.Snapshot()); !strings.Contains(strings.Join(p.Against, ";"), "it crashed") {
		t.Errorf("against a start after a crash: %q", p.Against)
	}
	p := l.make(t, "domain-limit", plainDomain, Args{"for": "live", "write": "2M"}).Plan(l.store.Snapshot())
	if !strings.Contains(strings.Join(p.Refused, ";"), "only a kept limit") {
		t.Errorf("a live limit on a domain that is off: %q", p.Refused)
	}
	if err := l.machine.Undefine("compute"); err != nil {
		t.Fatal(err)
	}
	l.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindDomain).Total() == 1 })
	for _, o := range domainOffers() {
		if p := l.make(t, o.Name, plainDomain, nil).Plan(l.store.Snapshot()); len(p.Refused) == 0 {
			t.Errorf("%s of a domain that is gone is not refused", o.Name)
		}
	}
}

func TestPlansOnDomainsOfNovaSayWhatNovaWillDo(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	for name, want := range map[string]string{
		"domain-shutdown": "nova will see this as a stop", "domain-destroy": "nova will see this as a crash", "domain-start": "server-start",
		"domain-limit": "nova does not know of it",
	} {
		p := l.make(t, name, novaDomain, nil).Plan(l.store.Snapshot())
		if !strings.Contains(strings.Join(p.Against, ";"), want) {
			t.Errorf("%s: against %q", name, p.Against)
		}
	}
	p := l.make(t, "domain-limit", novaDomain, Args{"for": "kept"}).Plan(l.store.Snapshot())
	if !strings.Contains(strings.Join(p.Refused, ";"), "nova rewrites the definition") {
		t.Errorf("a kept limit on a domain of nova: refused %q", p.Refused)
	}
}

func TestResumeAfterAnIOError(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	set := func(word string) {
		if _, err := l.machine.ChangeDomain(plainDomain, func(d *machine.Domain) {
			d.State, d.Reason, d.Disks[0].Error = "paused", "I/O error", word
		}); err != nil {
			t.Fatal(err)
		}
		l.seen(t, plainDomain, func(d *fleet.Domain) bool { return d.State == "paused" && d.Disks[0].Error == word })
	}
	set("no space")
	a := l.make(t, "domain-resume", plainDomain, nil)
	if p := a.Plan(l.store.Snapshot()); !strings.Contains(strings.Join(p.Against, ";"), "make space first") {
		t.Errorf("against: %q", p.Against)
	}
	if _, err := l.do(t, a); err == nil || !strings.Contains(err.Error(), "it stopped again: no space for") {
		t.Errorf("while there is no space: %v", err)
	}
	set("")
	if said, err := l.do(t, a); err != nil || said[len(said)-1].Says != "running (unpaused)" {
		t.Errorf("once there is: %v, %+v", err, said)
	}
}

// A guest whose disk still fails runs until its next write: what is seen before that proves nothing.
func TestAResumedDomainMustGoOnRunning(t *testing.T) {
	t.Parallel()
	a := ResumeDomain{Source: "libvirt/a", UUID: "u"}
	since := time.Date(2025, 7, 1, 8, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]verdict{time.Second: waiting, 4 * time.Second: done} {
		s := fleet.NewSnapshot(1, since.Add(after), []fleet.Part{{
			Source: a.Source, Scope: "domains", Kind: fleet.KindDomain, At: since.Add(after),
			Facts: fleet.Facts{&fleet.Domain{Source: a.Source, UUID: a.UUID, State: "running"}},
		}}, nil, nil)
		if v, says := a.seen(s, since); v != want {
			t.Errorf("running %s after it: %v, %s", after, v, says)
		}
	}
}

func (l *virtLab) tunes(t *testing.T, uuid string) (live, kept map[string]uint64) {
	t.Helper()
	d, ok := l.machine.Domain(uuid)
	if !ok {
		t.Fatal("the domain is gone")
	}
	bare := func(m map[string]uint64) map[string]uint64 {
		all := map[string]uint64{}
		for k, v := range m {
			if v > 0 {
				all[k] = v
			}
		}
		return all
	}
	return bare(d.Disks[0].Tune), bare(d.Disks[0].Kept)
}

func TestALimitIsSetAndTakenBackExactly(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	for name, c := range map[string]struct {
		uuid string
		args Args
	}{
		"live":          {plainDomain, Args{"write": "2M", "for": "live"}},
		"kept":          {plainDomain, Args{"read": "1048576", "for": "kept"}},
		"both":          {plainDomain, Args{"write": "3M", "read": "2M", "ops": "none", "for": "both"}},
		"live of nova":  {novaDomain, Args{"total": "none", "write": "2M"}},
		"none of all":   {plainDomain, Args{"ops": "none", "for": "both"}},
		"nothing to do": {plainDomain, Args{"for": "live"}},
	} {
		live, kept := l.tunes(t, c.uuid)
		a := l.make(t, "domain-limit", c.uuid, c.args)
		p := a.Plan(l.store.Snapshot())
		if _, err := l.do(t, a); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		set := a.(LimitDomain)
		for _, place := range []struct {
			what string
			want fleet.Opt[connect.LibvirtTune]
			is   func(*fleet.DomainDisk) fleet.DomainTune
		}{
			{"live", set.Live, func(d *fleet.DomainDisk) fleet.DomainTune { return d.Tune }},
			{"kept", set.Kept, func(d *fleet.DomainDisk) fleet.DomainTune { return d.Kept }},
		} {
			d, _ := fleet.Find[*fleet.Domain](l.store.Snapshot(), domainRef(l.source, c.uuid))
			if place.want.OK && tuneOf(place.is(&d.Disks[0])) != place.want.V {
				t.Errorf("%s: %s is %+v, want %+v", name, place.what, place.is(&d.Disks[0]), place.want.V)
			}
		}
		text, err := json.Marshal(p.Undo) // as the audit log holds it
		if err != nil {
			t.Fatal(err)
		}
		undo, err := Decode(fleet.Recipe{Action: p.Undo.Name(), Params: string(text)})
		if err != nil || undo != p.Undo {
			t.Fatalf("%s: the undo is read back as %+v, %v", name, undo, err)
		}
		if _, err := l.do(t, undo); err != nil {
			t.Fatalf("%s: undo: %v", name, err)
		}
		if nowLive, nowKept := l.tunes(t, c.uuid); !reflect.DeepEqual(nowLive, live) || !reflect.DeepEqual(nowKept, kept) {
			t.Errorf("%s: after the undo live is %v, was %v; kept is %v, was %v", name, nowLive, live, nowKept, kept)
		}
	}
}

func TestALimitThatCannotHoldIsRefused(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	for want, args := range map[string]Args{
		"not both":         {"ops": "10", "reads": "5", "for": "live"},
		`no disk "vdz"`:    {"disk": "vdz", "for": "live"},
		"takes a limit on": {"total": "1M", "write": "1M", "for": "kept"},
	} {
		p := l.make(t, "domain-limit", plainDomain, args).Plan(l.store.Snapshot())
		if !strings.Contains(strings.Join(p.Refused, ";"), want) {
			t.Errorf("%v: refused %q, want %q", args, p.Refused, want)
		}
	}
	o, _ := Find("domain-limit")
	for _, args := range []Args{{"write": "0"}, {"write": "-1"}, {"write": "2X"}, {"write": "9999999999G"}, {"write": "2M; reboot"}, {"for": "ever"}, {"nosuch": "1"}} {
		if a, err := o.Make(l.store.Snapshot(), domainRef(l.source, plainDomain), args); err == nil {
			t.Errorf("%v made %+v", args, a)
		}
	}
}

func TestALostAnswerOfLibvirtIsNotAFailure(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	a := l.make(t, "domain-shutdown", plainDomain, nil)
	l.machine.BreakLibvirt(machine.Loses)
	said, err := l.do(t, a)
	if err != nil || said[len(said)-1].Phase != Seen {
		t.Errorf("libvirt did it, and it was seen, yet: %v, %+v", err, said)
	}
}

func TestARefusalByLibvirtIsAFailure(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	a := l.make(t, "domain-shutdown", plainDomain, nil)
	l.machine.BreakLibvirt(machine.Denied)
	_, err := l.do(t, a)
	if err == nil || errors.Is(err, ErrNotSeen) || !strings.Contains(fleet.FixOf(err), "org.libvirt.unix.manage") {
		t.Errorf("outcome %v; %s", err, fleet.FixOf(err))
	}
	if got := phases(l.deeds(t)); got != "begin failed" {
		t.Errorf("audit phases %q", got)
	}
}

func TestADiskIsCheckedAndRepairedAfterACopy(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	if _, err := l.machine.ChangeDomain(plainDomain, func(d *machine.Domain) {
		d.State, d.Reason, d.Disks[0].Corruptions = "shut off", "shutdown", 3
	}); err != nil {
		t.Fatal(err)
	}
	l.seen(t, plainDomain, func(d *fleet.Domain) bool { return d.State == "shut off" })
	check := l.make(t, "disk-check", plainDomain, nil)
	said, err := l.do(t, check)
	if last := said[len(said)-1]; err == nil || last.Phase != Failed || !strings.Contains(last.Says, "DAMAGED") || !strings.Contains(last.Output, "3 errors were found") {
		t.Fatalf("%v, said %+v", err, last)
	}
	repair := l.make(t, "disk-repair", plainDomain, nil)
	if p := repair.Plan(l.store.Snapshot()); p.Ask != "compute" || !strings.Contains(p.NoUndo, "/home/vms/compute.qcow2.strata-") {
		t.Errorf("plan %+v", p)
	}
	if _, err := l.do(t, repair); err != nil {
		t.Fatal(err)
	}
	if copies := l.machine.Copies(); len(copies) != 1 || !strings.HasPrefix(copies[0], "/home/vms/compute.qcow2.strata-") {
		t.Errorf("copies: %q", copies)
	}
	if said, err = l.do(t, check); err != nil || !strings.Contains(said[len(said)-1].Output, "No errors were found") {
		t.Errorf("%v, said %+v", err, said[len(said)-1])
	}
}

func TestNoRepairWithoutRoomForTheCopy(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	if _, err := l.machine.ChangeDomain(novaDomain, func(d *machine.Domain) {
		d.State, d.Reason, d.Disks[0].Corruptions = "shut off", "shutdown", 1
	}); err != nil {
		t.Fatal(err)
	}
	l.seen(t, novaDomain, func(d *fleet.Domain) bool { return d.State == "shut off" })
	_, err := l.do(t, l.make(t, "disk-repair", novaDomain, nil))
	if err == nil || !strings.Contains(err.Error(), "nothing was done") || !strings.Contains(err.Error(), "no room") {
		t.Errorf("outcome %v", err)
	}
	if d, _ := l.machine.Domain(novaDomain); d.Disks[0].Corruptions != 1 || len(l.machine.Copies()) != 0 {
		t.Error("something was done all the same")
	}
}
