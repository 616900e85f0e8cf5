package actions

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/connect"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/openstack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a fake cloud that strata watches and may write to.
type lab struct {
	cloud  *nova.Cloud
	store  *fleet.Store
	runner *Runner
	audit  string
	id     string
	source string
}

func start(t *testing.T, patience time.Duration) *lab {
	t.Helper()
	return startAs(t, "admin", patience)
}

// startAs starts it with strata logged in as admin, alice or viewer.
func startAs(t *testing.T, user string, patience time.Duration) *lab {
	t.Helper()
	l := &lab{cloud: nova.Start(nova.Config{Delay: 50 * time.Millisecond}), store: fleet.NewStore(nil)}
	t.Cleanup(l.cloud.Close)
	l.cloud.AddHost("compute", time.Now())
	l.cloud.AddHost("compute2", time.Now())
	l.id = l.cloud.AddServer(nova.Server{Name: "k8s-worker-1", Host: "compute", Project: "demo"})
	l.cloud.PowerOff(l.id)

	dir := t.TempDir()
	file := filepath.Join(dir, "clouds.yaml")
	if err := os.WriteFile(file, []byte(l.cloud.CloudsYAML("home="+user)), 0o600); err != nil {
		t.Fatal(err)
	}
	clouds, _ := connect.Clouds(connect.Search{Getenv: func(string) string { return "" }, Dir: dir, Home: dir, System: dir})
	if len(clouds) != 1 || clouds[0].Err() != nil {
		t.Fatalf("found clouds %+v", clouds)
	}
	l.source = clouds[0].Source()
	wishes := sources.NewWishes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sources.Run(ctx, l.store.Put, openstack.New(clouds[0], openstack.Options{Every: 200 * time.Millisecond, Wishes: wishes}))
	}()
	t.Cleanup(func() { cancel(); <-ended })

	l.audit = filepath.Join(dir, "state", "audit.jsonl")
	audit, err := OpenAudit(l.audit)
	if err != nil {
		t.Fatal(err)
	}
	writing := connect.ForWriting("test", connect.Reach{Clouds: clouds})
	t.Cleanup(func() { writing.Close(); _ = audit.Close() })
	l.runner = NewRunner(Setup{
		Hands: NewHands(writing), Store: l.store, Audit: audit, Who: "tester", Wake: wishes.Refresh, Patient: patience, Locks: filepath.Join(dir, "locks"),
	})
	l.until(t, func(s *fleet.Snapshot) bool {
		sv, ok := fleet.Find[*fleet.Server](s, l.target())
		return ok && sv.Run.Status == "SHUTOFF" && len(sv.Actions) > 0 && s.Tally(fleet.KindFlavor).Total() > 0 && (user != "admin" || s.Tally(fleet.KindCompute).Total() > 0)
	})
	return l
}

func (l *lab) target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindServer, Source: l.source, Name: l.id}
}

func (l *lab) plan() Plan { return StartServer{l.source, l.id}.Plan(l.store.Snapshot()) }

// until waits for a snapshot.
func (l *lab) until(t *testing.T, ok func(*fleet.Snapshot) bool) *fleet.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for seq := uint64(0); ; {
		s, err := l.store.Next(ctx, seq)
		if err != nil {
			t.Fatalf("waiting for a snapshot: %v", err)
		}
		if seq = s.Seq; ok(s) {
			return s
		}
	}
}

// deeds reads the audit log.
func (l *lab) deeds(t *testing.T) (all []fleet.Deed) {
	t.Helper()
	text, err := os.ReadFile(l.audit)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var d fleet.Deed
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		all = append(all, d)
	}
	return all
}

func phases(all []fleet.Deed) string {
	var p []string
	for _, d := range all {
		p = append(p, d.Phase)
	}
	return strings.Join(p, " ")
}

func (l *lab) run(t *testing.T) ([]Progress, error) {
	t.Helper()
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	var said []Progress
	err = l.runner.Run(t.Context(), ok, func(p Progress) { said = append(said, p) })
	return said, err
}

func TestStartIsDoneWhenItIsSeen(t *testing.T) {
	l := start(t, 20*time.Second)
	p := l.plan()
	if got, want := strings.Join(p.Command, " "), "openstack --os-cloud home server start "+l.id; got != want {
		t.Errorf("the plan shows %q, a person would type %q", got, want)
	}
	if len(p.Refused) > 0 || !strings.Contains(p.Now, "stopped by nova itself") {
		t.Errorf("plan %+v", p)
	}
	said, err := l.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if last := said[len(said)-1]; last.Phase != Seen || last.Says != "ACTIVE" {
		t.Errorf("it ended with %+v", last)
	}
	if writes := l.cloud.Writes(); len(writes) != 1 {
		t.Errorf("writing requests: %v", writes)
	}
	all := l.deeds(t)
	if phases(all) != "begin end seen" {
		t.Errorf("audit phases %s", phases(all))
	}
	if d := all[0]; d.Who != "tester" || d.Target != l.target() || d.Before == "" || !strings.Contains(d.Params, l.id) || d.At.IsZero() {
		t.Errorf("audit line %+v", d)
	}
	info, err := os.Stat(l.audit)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the audit log's mode is %v, %v", info.Mode(), err)
	}
}

func TestStartIsRefused(t *testing.T) {
	l := start(t, 20*time.Second)
	for name, c := range map[string]struct {
		change func()
		until  func(*fleet.Server, *fleet.Snapshot) bool
		why    string
	}{
		"locked":  {func() { l.cloud.Lock(l.id, true) }, func(s *fleet.Server, _ *fleet.Snapshot) bool { return s.Run.Locked.V }, "locked"},
		"running": {func() { l.cloud.Lock(l.id, false); l.cloud.PowerOn(l.id) }, func(s *fleet.Server, _ *fleet.Snapshot) bool { return s.Run.Status == "ACTIVE" }, "ACTIVE already"},
	} {
		c.change()
		l.until(t, func(s *fleet.Snapshot) bool {
			sv, ok := fleet.Find[*fleet.Server](s, l.target())
			return ok && c.until(sv, s)
		})
		p := l.plan()
		if !strings.Contains(strings.Join(p.Refused, ";"), c.why) {
			t.Errorf("%s: refused because of %q, want %q", name, p.Refused, c.why)
		}
		if _, err := l.runner.Approve(p, ""); err == nil {
			t.Errorf("%s: a refused plan was approved", name)
		}
	}
	if writes := l.cloud.Writes(); len(writes) != 0 {
		t.Errorf("writing requests: %v", writes)
	}
}

func TestStartIsRefusedWhileNovaComputeIsDown(t *testing.T) {
	s := fleet.NewSnapshot(1, time.Now(), []fleet.Part{
		{Source: "openstack/home", Scope: "servers", Facts: fleet.Facts{&fleet.Server{Source: "openstack/home", ID: "a", Name: "w", Run: fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped"}, Place: fleet.Place{Host: "compute"}}}},
		{Source: "openstack/home", Scope: "services", Facts: fleet.Facts{&fleet.ComputeService{Source: "openstack/home", Binary: "nova-compute", Host: "compute", State: "down"}}},
	}, nil, nil)
	p := StartServer{"openstack/home", "a"}.Plan(s)
	if len(p.Refused) != 1 || !strings.Contains(p.Refused[0], "powering-on") {
		t.Errorf("refused: %q", p.Refused)
	}
}

func TestTheWorldMovedBetweenPlanAndRun(t *testing.T) {
	l := start(t, 20*time.Second)
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.PowerOn(l.id)
	l.until(t, func(s *fleet.Snapshot) bool {
		sv, found := fleet.Find[*fleet.Server](s, l.target())
		return found && sv.Run.Status == "ACTIVE"
	})
	err = l.runner.Run(t.Context(), ok, func(Progress) {})
	if err == nil || !strings.Contains(err.Error(), "ACTIVE already") {
		t.Errorf("it ran against a world that moved: %v", err)
	}
	if got := phases(l.deeds(t)); got != "refused" {
		t.Errorf("audit phases %q", got)
	}
}

func TestALostAnswerIsNotAFailure(t *testing.T) {
	l := start(t, 20*time.Second)
	l.cloud.Break(nova.Nova, nova.Only("/servers/"+l.id+"/action", nova.LoseAnswer()))
	said, err := l.run(t)
	if err != nil {
		t.Fatalf("nova did start it, and it was seen, yet: %v", err)
	}
	if last := said[len(said)-1]; last.Phase != Seen {
		t.Errorf("it ended with %+v", last)
	}
	if n := len(l.cloud.Writes()); n != 1 {
		t.Errorf("%d writing requests: a lost answer must not be tried again", n)
	}
}

func TestAcceptedButNotSeen(t *testing.T) {
	l := start(t, time.Second)
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.SetHostDown("compute", true) // nova accepts, and nobody carries it out; the snapshot does not know yet
	err = l.runner.Run(t.Context(), ok, func(Progress) {})
	if !errors.Is(err, ErrNotSeen) {
		t.Errorf("outcome %v, want %v", err, ErrNotSeen)
	}
	if got := phases(l.deeds(t)); got != "begin end not-seen" {
		t.Errorf("audit phases %q", got)
	}
}

func TestARefusalByNovaIsAFailure(t *testing.T) {
	l := start(t, 20*time.Second)
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.Break(nova.Nova, nova.Only("/servers/"+l.id+"/action", nova.Unauthorized()))
	if err := l.runner.Run(t.Context(), ok, func(Progress) {}); err == nil || errors.Is(err, ErrNotSeen) {
		t.Errorf("outcome %v", err)
	}
	if got := phases(l.deeds(t)); got != "begin failed" {
		t.Errorf("audit phases %q", got)
	}
}

func TestNothingIsDoneWithoutAnAuditLog(t *testing.T) {
	l := start(t, 20*time.Second)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	l.runner.Audit = &Audit{file: full}
	_, err = l.run(t)
	if err == nil || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("outcome %v", err)
	}
	if writes := l.cloud.Writes(); len(writes) != 0 {
		t.Errorf("writing requests: %v", writes)
	}
}

func TestOneActionAtATimeForEachTarget(t *testing.T) {
	l := start(t, 20*time.Second)
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	var second error
	err = l.runner.Run(t.Context(), ok, func(p Progress) {
		if p.Phase == Begun && second == nil {
			second = l.runner.Run(t.Context(), ok, func(Progress) {})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "still running") {
		t.Errorf("the second run: %v", second)
	}
}

func TestAnApprovalOfAnotherRunnerIsWorthNothing(t *testing.T) {
	l := start(t, 20*time.Second)
	if err := l.runner.Run(t.Context(), Approved{plan: l.plan()}, func(Progress) {}); err == nil {
		t.Error("an approval that nobody gave was run")
	}
}

func TestWhoLeavesWhileWaitingIsOnRecord(t *testing.T) {
	l := start(t, 20*time.Second)
	ok, err := l.runner.Approve(l.plan(), "")
	if err != nil {
		t.Fatal(err)
	}
	l.cloud.SetHostDown("compute", true)
	ctx, leave := context.WithCancel(t.Context())
	err = l.runner.Run(ctx, ok, func(p Progress) {
		if p.Phase == Applied {
			leave()
		}
	})
	if !errors.Is(err, ErrNotSeen) || !strings.Contains(err.Error(), "strata was left") {
		t.Errorf("outcome %v", err)
	}
	all := l.deeds(t)
	if phases(all) != "begin end not-seen" || !strings.Contains(all[2].Error, "strata was left") {
		t.Errorf("audit %+v", all)
	}
	// What stood behind it in a queue is not begun.
	if err := l.runner.Run(ctx, ok, func(Progress) {}); err == nil || len(l.deeds(t)) != 3 || len(l.cloud.Writes()) != 1 {
		t.Errorf("a run after leaving: %v, audit %s, %d writes", err, phases(l.deeds(t)), len(l.cloud.Writes()))
	}
	l.runner.Wait(t.Context())
}

func TestAPlanSaysThatItsFactsAreOld(t *testing.T) {
	now := time.Now()
	s := fleet.NewSnapshot(1, now, []fleet.Part{{
		Source: "openstack/home", Scope: "servers", At: now.Add(-30 * time.Minute), Every: 5 * time.Second, Err: "listing servers: 503",
		Facts: fleet.Facts{&fleet.Server{Source: "openstack/home", ID: "a", Name: "w", Run: fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped"}}},
	}}, nil, nil)
	p := StartServer{"openstack/home", "a"}.Plan(s)
	if all := strings.Join(p.Against, ";"); !strings.Contains(all, "30m0s ago") || !strings.Contains(all, "503") {
		t.Errorf("against: %q", p.Against)
	}
}

func TestATornLineSwallowsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte(`{"id":"1","phase":"begin"}`+"\n"+`{"id":"2","pha`), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if err := a.Append(fleet.Deed{ID: "3", Phase: "begin"}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var d fleet.Deed
	if len(lines) != 3 || json.Unmarshal([]byte(lines[2]), &d) != nil || d.ID != "3" {
		t.Errorf("the log is %q", text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
}

func TestOnlyAFileIsAnAuditLog(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, dir} {
		if a, err := OpenAudit(path); err == nil {
			_ = a.Close()
			t.Errorf("%s was taken as an audit log", path)
		}
	}
}
