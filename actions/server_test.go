package actions

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// server returns the lab's server as it is seen now.
func (l *lab) server() *fleet.Server {
	sv, _ := fleet.Find[*fleet.Server](l.store.Snapshot(), l.target())
	return sv
}

// when waits until the server is seen so.
func (l *lab) when(t *testing.T, ok func(*fleet.Server) bool) *fleet.Server {
	t.Helper()
	s := l.until(t, func(s *fleet.Snapshot) bool {
		sv, found := fleet.Find[*fleet.Server](s, l.target())
		return found && ok(sv)
	})
	sv, _ := fleet.Find[*fleet.Server](s, l.target())
	return sv
}

// do plans, agrees to and runs an action.
func (l *lab) do(t *testing.T, a Action) (Plan, []Progress, error) {
	t.Helper()
	p := a.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, p.Ask)
	if err != nil {
		t.Fatalf("%s: %v", a.Name(), err)
	}
	var said []Progress
	err = l.runner.Run(t.Context(), ok, func(p Progress) { said = append(said, p) })
	return p, said, err
}

func (l *lab) on(t *testing.T) {
	t.Helper()
	l.cloud.PowerOn(l.id)
	l.when(t, func(s *fleet.Server) bool { return s.Run.Status == "ACTIVE" })
}

// each is every action on a server, from what state, and what it must have done. undone is looked at after its undo.
type each struct {
	name         string
	off          bool // it begins with a server that is off
	prepare      func(*testing.T, *lab)
	act          func(source, id string) Action
	says         string
	done, undone func(*fleet.Server) bool
}

// begin starts a cloud in the state from which the action begins.
func (c each) begin(t *testing.T) *lab {
	t.Helper()
	l := start(t, 20*time.Second)
	if !c.off {
		l.on(t)
	}
	if c.prepare != nil {
		c.prepare(t, l)
	}
	return l
}

func everyServerAction() []each {
	running := func(s *fleet.Server) bool { return s.Run.Status == "ACTIVE" && s.Run.TaskState == "" }
	off := func(s *fleet.Server) bool { return s.Run.Status == "SHUTOFF" && s.Run.TaskState == "" }
	return []each{
		{"start", true, nil, func(s, id string) Action { return StartServer{s, id} }, "ACTIVE", running, off},
		{"stop", false, nil, func(s, id string) Action { return StopServer{s, id} }, "SHUTOFF", off, running},
		{"reboot", false, nil, func(s, id string) Action { return RebootServer{s, id, false} }, "list has the reboot", running, nil},
		{"hard reboot", true, nil, func(s, id string) Action { return RebootServer{s, id, true} }, "list has the reboot", running, nil},
		{
			"lock", true, nil, func(s, id string) Action { return LockServer{s, id, "being looked at; $(rm)"} }, "locked",
			func(s *fleet.Server) bool { return s.Run.Locked.V && s.Run.LockedReason == "being looked at; $(rm)" },
			func(s *fleet.Server) bool { return !s.Run.Locked.V },
		},
		{
			"unlock", true, func(t *testing.T, l *lab) {
				if _, _, err := l.do(t, LockServer{l.source, l.id, "a reason"}); err != nil {
					t.Fatal(err)
				}
			}, func(s, id string) Action { return UnlockServer{s, id} }, "not locked",
			func(s *fleet.Server) bool { return !s.Run.Locked.V },
			func(s *fleet.Server) bool { return s.Run.Locked.V && s.Run.LockedReason == "a reason" },
		},
		{
			"reset state", false, nil, func(s, id string) Action { return ResetServerState{s, id, "error"} }, "vm_state error",
			func(s *fleet.Server) bool { return s.Run.VMState == "error" }, running,
		},
		{
			"migrate", false, nil, func(s, id string) Action { return MigrateServer{s, id, ""} }, "ACTIVE on compute2",
			func(s *fleet.Server) bool { return s.Place.Host == "compute2" && running(s) },
			func(s *fleet.Server) bool { return s.Place.Host == "compute" },
		},
		{
			"evacuate", false, func(t *testing.T, l *lab) {
				l.cloud.SetHostDown("compute", true)
				l.cloud.ForceDown("compute", true)
				l.runner.Wake(l.source)
				l.until(t, func(s *fleet.Snapshot) bool {
					c, _ := computeOf(s, l.server())
					return c.ForcedDown
				})
			}, func(s, id string) Action { return EvacuateServer{s, id, "compute2"} }, "ACTIVE on compute2",
			func(s *fleet.Server) bool { return s.Place.Host == "compute2" && running(s) }, nil,
		},
	}
}

func TestEveryServerActionIsDoneSeenAndUndone(t *testing.T) {
	t.Parallel()
	for _, c := range everyServerAction() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := c.begin(t)
			before := len(l.cloud.Writes())
			p, said, err := l.do(t, c.act(l.source, l.id))
			if err != nil {
				t.Fatal(err)
			}
			if last := said[len(said)-1]; last.Phase != Seen || !strings.Contains(last.Says, c.says) {
				t.Errorf("it ended with %+v", last)
			}
			if n := len(l.cloud.Writes()) - before; n != 1 {
				t.Errorf("%d writing requests", n)
			}
			if sv := l.server(); !c.done(sv) {
				t.Errorf("the server is %+v on %+v", sv.Run, sv.Place)
			}
			if c.undone == nil {
				if p.Undo != nil || p.NoUndo == "" {
					t.Errorf("undo %v, or why not %q", p.Undo, p.NoUndo)
				}
				return
			}
			undo, err := Decode(*recipe(p.Undo))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := l.do(t, undo); err != nil {
				t.Fatal(err)
			}
			if sv := l.server(); !c.undone(sv) {
				t.Errorf("after the undo the server is %+v on %+v", sv.Run, sv.Place)
			}
		})
	}
}

func TestALostAnswerOfAnyServerActionIsSeen(t *testing.T) {
	t.Parallel()
	for _, c := range everyServerAction() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := c.begin(t)
			before := len(l.cloud.Writes())
			l.cloud.Break(nova.Nova, nova.Only("/servers/"+l.id+"/action", nova.LoseAnswer()))
			_, said, err := l.do(t, c.act(l.source, l.id))
			if err != nil || said[len(said)-1].Phase != Seen {
				t.Errorf("nova did it: %v, %+v", err, said[len(said)-1])
			}
			if n := len(l.cloud.Writes()) - before; n != 1 {
				t.Errorf("%d writing requests: a lost answer must not be tried again", n)
			}
		})
	}
}

func TestNovaForbidsInWords(t *testing.T) {
	t.Parallel()
	for _, c := range everyServerAction() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := startAs(t, "viewer", 20*time.Second)
			if !c.off {
				l.on(t)
			}
			if c.name == "unlock" {
				l.cloud.Lock(l.id, true)
				l.when(t, func(s *fleet.Server) bool { return s.Run.Locked.V })
			}
			act := c.act(l.source, l.id)
			if c.name == "evacuate" {
				if p := act.Plan(l.store.Snapshot()); len(p.Refused) != 1 || !strings.Contains(p.Refused[0], "the role admin is needed") {
					t.Errorf("refused: %q", p.Refused)
				}
				return
			}
			before := l.server().Run
			_, _, err := l.do(t, act)
			if err == nil {
				t.Fatal("a reader did it")
			}
			role := "member"
			if c.name == "migrate" || c.name == "reset state" {
				role = "admin"
			}
			for _, want := range []string{"HTTP 403", "os_compute_api:", "viewer has the role reader in project demo", "needs " + role, "openstack role add --user viewer --project demo " + role} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if l.server().Run != before {
				t.Errorf("the server changed: %+v", l.server().Run)
			}
			if got := phases(l.deeds(t)); got != "begin failed" {
				t.Errorf("audit phases %s", got)
			}
		})
	}
}

func TestAMemberMayNotUnlockWhatAnAdminLocked(t *testing.T) {
	t.Parallel()
	admin := start(t, 20*time.Second)
	if _, _, err := admin.do(t, LockServer{admin.source, admin.id, "hands off"}); err != nil {
		t.Fatal(err)
	}
	p := StartServer{admin.source, admin.id}.Plan(admin.store.Snapshot())
	if all := strings.Join(p.Refused, ";"); !strings.Contains(all, "locked by admin (hands off)") {
		t.Errorf("refused: %q", all)
	}
}

// world is a snapshot of one server and the nova-computes of two hosts.
func world(sv fleet.Server, computes ...fleet.ComputeService) *fleet.Snapshot {
	sv.Source, sv.ID, sv.Name = "openstack/home", "a", "w"
	var services fleet.Facts
	for _, c := range computes {
		c.Source, c.Binary = "openstack/home", "nova-compute"
		services = append(services, &c)
	}
	return fleet.NewSnapshot(1, time.Now(), []fleet.Part{
		{Source: "openstack/home", Scope: "servers", Kind: fleet.KindServer, Facts: fleet.Facts{&sv}},
		{Source: "openstack/home", Scope: "services", Kind: fleet.KindCompute, Facts: services},
	}, nil, nil)
}

func run(vm, task string) fleet.ServerRun {
	status := map[string]string{"active": "ACTIVE", "stopped": "SHUTOFF", "error": "ERROR", "paused": "PAUSED", "suspended": "SUSPENDED", "building": "BUILD"}[vm]
	return fleet.ServerRun{Status: status, VMState: vm, TaskState: task, Locked: fleet.Some(false)}
}

func TestServerActionsAreRefusedAsNovaWould(t *testing.T) {
	t.Parallel()
	up := fleet.ComputeService{Host: "one", State: "up", Status: "enabled"}
	down := fleet.ComputeService{Host: "one", State: "down", Status: "enabled"}
	other := fleet.ComputeService{Host: "two", State: "up", Status: "enabled"}
	off := fleet.ComputeService{Host: "two", State: "up", Status: "disabled"}
	locked := run("active", "")
	locked.Locked, locked.LockedReason = fleet.Some(true), "mine"
	type computes = []fleet.ComputeService
	for name, c := range map[string]struct {
		act  Action
		run  fleet.ServerRun
		with computes
		why  string // "" is allowed
	}{
		"stop runs":                   {StopServer{}, run("active", ""), computes{up}, ""},
		"stop of one in error":        {StopServer{}, run("error", ""), computes{up}, ""},
		"stop of a stopped":           {StopServer{}, run("stopped", ""), computes{up}, "vm_state is stopped"},
		"stop of a paused":            {StopServer{}, run("paused", ""), computes{up}, "nova stops only active, error servers; vm_state is paused"},
		"stop of a busy":              {StopServer{}, run("active", "rebooting"), computes{up}, "task_state rebooting"},
		"stop of a locked":            {StopServer{}, locked, computes{up}, "locked (mine)"},
		"stop with compute down":      {StopServer{}, run("active", ""), computes{down}, "leave it in powering-off"},
		"soft of a stopped":           {RebootServer{}, run("stopped", ""), computes{up}, "only active servers"},
		"soft of a rebooting":         {RebootServer{}, run("active", "rebooting"), computes{up}, "task_state rebooting"},
		"hard of a rebooting":         {RebootServer{Hard: true}, run("active", "rebooting"), computes{up}, ""},
		"hard of a stopped":           {RebootServer{Hard: true}, run("stopped", ""), computes{up}, ""},
		"hard of one being built":     {RebootServer{Hard: true}, run("building", "spawning"), computes{up}, "vm_state is building"},
		"hard with compute down":      {RebootServer{Hard: true}, run("active", ""), computes{down}, "leave it in rebooting_hard"},
		"lock of a locked":            {LockServer{}, locked, computes{up}, "locked already (mine)"},
		"unlock of an open":           {UnlockServer{}, run("active", ""), computes{up}, "it is not locked"},
		"reset to what it is":         {ResetServerState{State: "active"}, run("active", ""), computes{up}, "active already"},
		"reset of a stuck":            {ResetServerState{State: "active"}, run("active", "deleting"), computes{down}, ""},
		"migrate":                     {MigrateServer{}, run("active", ""), computes{up, other}, ""},
		"migrate to two":              {MigrateServer{Host: "two"}, run("paused", ""), computes{up, other}, ""},
		"migrate to itself":           {MigrateServer{Host: "one"}, run("active", ""), computes{up, other}, "on one already"},
		"migrate to nowhere":          {MigrateServer{}, run("active", ""), computes{up}, "no other host can take it"},
		"migrate to a disabled host":  {MigrateServer{}, run("active", ""), computes{up, off}, "no other host can take it"},
		"migrate to an unknown":       {MigrateServer{Host: "three"}, run("active", ""), computes{up, other}, "there is two"},
		"migrate of a stopped":        {MigrateServer{}, run("stopped", ""), computes{up, other}, "only active, paused"},
		"migrate from a dead host":    {MigrateServer{}, run("active", ""), computes{down, other}, "evacuate is for"},
		"evacuate from a living host": {EvacuateServer{}, run("active", ""), computes{up, other}, "is up: nova evacuates only"},
		"evacuate":                    {EvacuateServer{}, run("active", "powering-off"), computes{down, other}, ""},
		"evacuate to nowhere":         {EvacuateServer{}, run("active", ""), computes{down}, "no other host can take it"},
		"evacuate of a paused":        {EvacuateServer{}, run("paused", ""), computes{down, other}, "vm_state is paused"},
		"console":                     {ReadConsole{Lines: 5}, run("error", ""), computes{up}, ""},
		"console with compute down":   {ReadConsole{Lines: 5}, run("active", ""), computes{down}, "in vain"},
	} {
		s := world(fleet.Server{Run: c.run, Place: fleet.Place{Host: "one"}}, c.with...)
		p := at(c.act, "openstack/home", "a").Plan(s)
		switch all := strings.Join(p.Refused, ";"); {
		case c.why == "" && all != "":
			t.Errorf("%s: refused: %s", name, all)
		case c.why != "" && !strings.Contains(all, c.why):
			t.Errorf("%s: refused because of %q, want %q", name, all, c.why)
		}
		if p := at(c.act, "openstack/home", "b").Plan(s); len(p.Refused) == 0 || p.Title == "" {
			t.Errorf("%s: a server that is not there: %+v", name, p)
		}
	}
}

// at gives an action its target.
func at(a Action, source, id string) Action {
	switch a := a.(type) {
	case StopServer:
		return StopServer{source, id}
	case RebootServer:
		a.Source, a.ID = source, id
		return a
	case LockServer:
		a.Source, a.ID = source, id
		return a
	case UnlockServer:
		return UnlockServer{source, id}
	case ResetServerState:
		a.Source, a.ID = source, id
		return a
	case MigrateServer:
		a.Source, a.ID = source, id
		return a
	case EvacuateServer:
		a.Source, a.ID = source, id
		return a
	case ReadConsole:
		a.Source, a.ID = source, id
		return a
	}
	panic("an action this test does not know: " + a.Name())
}

func TestDestructiveServerActionsWantTheName(t *testing.T) {
	t.Parallel()
	s := world(fleet.Server{Run: run("active", "")})
	for _, a := range []Action{EvacuateServer{"openstack/home", "a", ""}, ResetServerState{"openstack/home", "a", "error"}} {
		if p := a.Plan(s); p.Ask != "w" {
			t.Errorf("%s asks for %q", a.Name(), p.Ask)
		}
	}
}

func TestAStopBehindAStartIsSaid(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := world(fleet.Server{Run: run("stopped", ""), Actions: []fleet.ServerAction{
		{Action: "stop", User: "u", UserName: "alice", Start: began.Add(3 * time.Second)},
		{Action: "start", User: "me", Start: began.Add(time.Second), Events: []fleet.ActionEvent{{Event: "compute_start_instance", Result: "Success", Finish: began.Add(2 * time.Second)}}},
	}})
	v, says := StartServer{"openstack/home", "a"}.seen(s, began)
	if v != failed || !strings.Contains(says, "after that a stop by alice") {
		t.Errorf("verdict %v: %s", v, says)
	}
	v, says = StartServer{"openstack/home", "a"}.seen(world(fleet.Server{Run: run("stopped", "powering-on")}), began)
	if v != waiting {
		t.Errorf("verdict %v: %s", v, says)
	}
}

func TestAStopByStrataIsAPersons(t *testing.T) {
	t.Parallel()
	l := start(t, 20*time.Second)
	l.on(t)
	if _, _, err := l.do(t, StopServer{l.source, l.id}); err != nil {
		t.Fatal(err)
	}
	sv := l.when(t, func(s *fleet.Server) bool { _, ok := s.LastStop(); return ok && s.Run.Status == "SHUTOFF" })
	if stop, _ := sv.LastStop(); stop.ByNova() || stop.User != l.cloud.UserID("admin") || sv.Health().State != fleet.StateWarn {
		t.Errorf("the stop is %+v, the server is %+v", stop, sv.Health())
	}
	s := l.store.Snapshot()
	_, findings := diagnose.Derive(diagnose.Rules())(fleet.NewSnapshot(0, s.At, nil, nil, nil), s, nil)
	for _, f := range findings {
		if f.About == l.target() && strings.Contains(f.Says, "nova itself") {
			t.Errorf("the diagnosis says %s", f.Says)
		}
	}
}

func TestAConsoleIsRead(t *testing.T) {
	t.Parallel()
	l := start(t, 20*time.Second)
	l.cloud.Console(l.id, "one\ntwo\nthree")
	_, said, err := l.do(t, ReadConsole{l.source, l.id, 2})
	if err != nil || said[len(said)-1].Output != "two\nthree" {
		t.Errorf("%v, %+v", err, said)
	}
	if got := phases(l.deeds(t)); got != "begin seen" {
		t.Errorf("audit phases %s", got)
	}
	reader := startAs(t, "viewer", 20*time.Second)
	if _, _, err := reader.do(t, ReadConsole{reader.source, reader.id, 2}); err == nil || !strings.Contains(err.Error(), "os-console-output") {
		t.Errorf("a reader reads it: %v", err)
	}
}

func TestARebootThatNobodyCarriesOutIsNotSeen(t *testing.T) {
	t.Parallel()
	l := start(t, 2*time.Second)
	l.on(t)
	a := RebootServer{l.source, l.id, true}
	ok, err := l.runner.Approve(a.Plan(l.store.Snapshot()), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.SetHostDown("compute", true)
	if err := l.runner.Run(t.Context(), ok, func(Progress) {}); !errors.Is(err, ErrNotSeen) && !strings.Contains(err.Error(), "is down") {
		t.Errorf("outcome %v", err)
	}
}

func TestNovaSaysWhyAMoveFailed(t *testing.T) {
	t.Parallel()
	l := start(t, 20*time.Second)
	l.on(t)
	a := MigrateServer{l.source, l.id, "compute2"}
	ok, err := l.runner.Approve(a.Plan(l.store.Snapshot()), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.Disable("compute2", "maintenance")
	err = l.runner.Run(t.Context(), ok, func(Progress) {})
	if err == nil || !strings.Contains(err.Error(), "No valid host was found") && !strings.Contains(err.Error(), "no other host") {
		t.Errorf("outcome %v", err)
	}
}

func TestWrongValuesOfServerActions(t *testing.T) {
	t.Parallel()
	s := world(fleet.Server{Run: run("active", "")})
	for _, c := range []struct{ action, param, value, says string }{
		{"server-reboot", "kind", "gentle", "neither soft nor hard"},
		{"server-reset-state", "state", "stopped", "neither active nor error"},
		{"server-console", "lines", "0", "from 1 to 10000"},
		{"server-stop", "now", "yes", "it takes none"},
	} {
		o, ok := Find(c.action)
		if !ok {
			t.Fatalf("no action %s", c.action)
		}
		if _, err := o.Make(s, serverRef("openstack/home", "a"), Args{c.param: c.value}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s=%s: %v", c.action, c.param, c.value, err)
		}
	}
	o, _ := Find("server-migrate-live")
	a, err := o.Make(s, serverRef("openstack/home", "a"), nil)
	if err != nil || a != (MigrateServer{"openstack/home", "a", ""}) {
		t.Errorf("without a host: %+v, %v", a, err)
	}
}

func TestWhatNovaRefusesIsSaidInWords(t *testing.T) {
	t.Parallel()
	l := start(t, 20*time.Second)
	for want, a := range map[string]Action{
		"HTTP 409: Cannot 'stop' instance " + l.id + " while it is in vm_state stopped: it changed meanwhile": StopServer{l.source, l.id},
		"HTTP 404: Instance nobody could not be found: it is gone, or the project":                            StartServer{l.source, "nobody"},
		"HTTP 400: Compute service of compute is still in use.":                                               EvacuateServer{l.source, l.id, ""},
		"HTTP 400: Compute host three could not be found.":                                                    MigrateServer{l.source, l.other(), "three"},
		"HTTP 404: Flavor f could not be found: it is gone":                                                   FlavorQuota{Source: l.source, ID: "f", ReadIOPS: "5"},
	} {
		err := a.apply(t.Context(), l.runner.Hands, func(Step) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", a.Name(), err, want)
		}
	}
}

// other is another server of the lab, which runs.
func (l *lab) other() string {
	return l.cloud.AddServer(nova.Server{Name: "other", Host: "compute", Project: "demo"})
}
