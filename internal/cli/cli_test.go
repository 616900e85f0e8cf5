package cli

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/google/go-cmp/cmp"

	"strata/internal/fleet"
)

func withEnv(vars map[string]string) *program {
	return &program{getenv: func(name string) string { return vars[name] }}
}

func TestASCIIWhereUTF8IsNotPromised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vars map[string]string
		want bool
	}{
		{map[string]string{}, true},
		{map[string]string{"LANG": "C"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8"}, false},
		{map[string]string{"LANG": "C.utf8"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, true},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, false},
		{map[string]string{"LANG": "en_US.UTF-8", "TERM": "linux"}, true},
	} {
		if got := withEnv(c.vars).onlyASCII(); got != c.want {
			t.Errorf("with %v: %v, want %v", c.vars, got, c.want)
		}
	}
}

func TestNoColorIsObeyedWhateverItSays(t *testing.T) {
	t.Parallel()
	if got := withEnv(map[string]string{"NO_COLOR": "yes", "TERM": "xterm-256color"}).profile(); got != colorprofile.ASCII {
		t.Errorf("with NO_COLOR=yes the profile is %v", got)
	}
}

func TestWhoTellsWhereTheOperatorCameFrom(t *testing.T) {
	t.Parallel()
	got := withEnv(map[string]string{"SUDO_USER": "alice", "SSH_CONNECTION": "10.0.0.7 50022 10.0.0.1 22"}).who()
	if !strings.HasSuffix(got, " (alice) from 10.0.0.7") {
		t.Errorf("who is %q, want the account, alice and 10.0.0.7", got)
	}
}

func TestTheLogIsPrivateAndStartsOverWhenItIsLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "strata.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, mostLog+1), 0o644); err != nil {
		t.Fatal(err)
	}
	q, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	q.close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v (%v), want it empty and for its owner only", info, err)
	}

	// A symlink somebody put there is not followed; the cockpit opens all the same.
	victim := filepath.Join(t.TempDir(), "victim")
	link := filepath.Join(t.TempDir(), "strata.log")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if q, err = openLog(link); err != nil {
		t.Fatal(err)
	}
	q.close()
	if _, err := os.Stat(victim); err == nil {
		t.Error("the log was written through a symlink")
	}
}

func TestWritableTouchesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writable(filepath.Join(dir, "a", "b", "audit.jsonl")); err != nil {
		t.Errorf("a file that can be made: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it made %v (%v)", left, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writable(filepath.Join(file, "audit.jsonl")); err == nil {
		t.Error("a file below a file counts as one that can be made")
	}
}

func TestOnlyKeepsWhatWasChosen(t *testing.T) {
	t.Parallel()
	parts := []fleet.Part{
		{Source: "kube/a", Scope: "nodes", Facts: fleet.Facts{&fleet.Node{Source: "kube/a", Name: "n"}}},
		{Source: "kube/a", Scope: "pods/x", Facts: fleet.Facts{&fleet.Pod{Source: "kube/a", Namespace: "x", Name: "p"}}},
		{Source: "kube/a", Scope: "pods", At: time.Unix(1, 0)},
	}
	findings := []fleet.Finding{
		{Rule: "a", About: fleet.Ref{Kind: fleet.KindNode, Source: "kube/a", Name: "n"}},
		{Rule: "b", About: fleet.Ref{Kind: fleet.KindPod, Source: "kube/a", Name: "x/p"}},
	}
	s := fleet.NewSnapshot(1, time.Unix(1, 0), parts, nil, findings)
	for words, want := range map[string][]string{
		"pods":     {"pods", "pods/x", "b"},
		"node":     {"nodes", "a"},
		"pod,node": {"nodes", "pods", "pods/x", "a", "b"},
		"findings": {"a", "b"},
	} {
		kinds, err := kindsOf(strings.Split(words, ","))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		kept := kinds.keep(s)
		for _, p := range kept.Parts {
			got = append(got, p.Scope)
		}
		for _, f := range kept.Findings {
			got = append(got, f.Rule)
		}
		if !slices.Equal(got, want) {
			t.Errorf("--only %s keeps %v, want %v", words, got, want)
		}
	}
}

func TestEveryKindHasWordsAndColumns(t *testing.T) {
	t.Parallel()
	for _, k := range kindTable() {
		if got := kindOfScope(k.kind.Scope()); got != k.kind {
			t.Errorf("scope %q is taken as %q, want %q", k.kind.Scope(), got, k.kind)
		}
		heads := map[string]bool{}
		for _, c := range columnsOf(k.kind) {
			if heads[c.head] {
				t.Errorf("%s has two columns %s", k.kind, c.head)
			}
			heads[c.head] = true
			if c.cell(&fleet.Deed{}, time.Time{}) == "" && c.cell(nil, time.Time{}) != "" {
				t.Errorf("%s, column %s: a stranger has a cell", k.kind, c.head)
			}
		}
		if len(heads) < 3 {
			t.Errorf("%s has only the columns %v", k.kind, heads)
		}
	}
}

func TestTheDoctorTellsWhatWouldBeSeenFromWhatNeverCan(t *testing.T) {
	t.Parallel()
	p := withEnv(nil)
	h := &fleet.Host{
		Source: "host/a", Name: "a", Identity: fleet.HostID{Virtual: "kvm"},
		Missing: []string{"temperatures: no sensor in /sys/class/hwmon (virtual machine: kvm)", "pressure: /proc/pressure/cpu: no such file (boot with psi=1)"},
	}
	disks := fleet.Facts{
		&fleet.Disk{Source: "host/a", Name: "sda", Bus: "ata", Missing: []string{"SMART: smartctl is not installed"}},
		&fleet.Disk{Source: "host/a", Name: "vda", Bus: "virtio", Missing: []string{"SMART: a virtio disk has none"}},
	}
	s := fleet.NewSnapshot(1, time.Unix(1, 0), []fleet.Part{{Source: "host/a", Scope: "disks", Facts: disks}}, nil, nil)
	got := map[string]grade{}
	for _, c := range p.examineHost(t.Context(), s, h).checks {
		got[c.Name+": "+c.Says] = c.Grade
	}
	for says, want := range map[string]grade{
		"cannot see: " + h.Missing[0]:                note,
		"cannot see: " + h.Missing[1]:                missing,
		"disk sda: SMART: smartctl is not installed": missing,
		"disk vda: SMART: a virtio disk has none":    note,
	} {
		if got[says] != want {
			t.Errorf("%q is %q, want %q", says, got[says], want)
		}
	}
}

func TestTheVerdictOfTheDoctor(t *testing.T) {
	t.Parallel()
	type verdict struct {
		code int
		says string
	}
	for _, c := range []struct {
		report report
		want   verdict
	}{
		{report{seen: 1, Checks: []check{{Grade: fine}, {Grade: note}}}, verdict{0, "fine"}},
		{report{seen: 1, Checks: []check{{Grade: fine}, {Grade: missing}}}, verdict{1, "degraded"}},
		{report{seen: 1, Checks: []check{{Grade: broken}}}, verdict{1, "degraded"}},
		{report{Checks: []check{{Grade: note}}}, verdict{2, "nothing works"}},
	} {
		got := verdict{code: c.report.code()}
		got.says = c.report.Verdict
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(verdict{})); d != "" {
			t.Errorf("%+v: %s", c.report.Checks, d)
		}
	}
}

// Not parallel: it takes the standard error of this process, while os.Stderr is another file as it is when a client is
// made.
func TestStandardErrorIsTakenWhateverOSStderrIs(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	q, err := openLog(filepath.Join(t.TempDir(), "strata.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	stderr := os.Stderr
	os.Stderr = q.file
	defer func() { os.Stderr = stderr }()
	release, err := q.takeStderr(stderr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stderr.WriteString("torn")
	release()
	if said, rerr := os.ReadFile(q.path); err != nil || rerr != nil || string(said) != "torn" {
		t.Errorf("the log holds %q (%v, %v)", said, err, rerr)
	}
}
