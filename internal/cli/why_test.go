package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/internal/wire"
)

func keysOf(s *fleet.Snapshot) (keys []string) {
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Shown {
			keys = append(keys, f.Key()+" under "+f.Under)
		}
	}
	slices.Sort(keys)
	return keys
}

// TestARecordingIsJudgedAsTheWorldWas records the incident, and asks the file why.
func TestARecordingIsJudgedAsTheWorldWas(t *testing.T) {
	d := playKube(t, incident.Options{Speed: 20})
	var file bytes.Buffer
	to, err := wire.NewRecorder(&file, wire.Hello{Build: "test", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	live := d.until("the reboot explains why a worker is off", func(s *fleet.Snapshot) bool {
		if err := to.Take(s); err != nil {
			t.Fatal(err)
		}
		keys := keysOf(s)
		under := func(rule, cause string) bool {
			return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, rule+"|") && strings.Contains(k, "under "+cause+"|") })
		}
		return under("X-01", "KRN-APF") && under("KRN-APF", "X-03")
	})
	if keys := keysOf(live); !slices.Contains(keys, "NOVA-04|hypervisor|openstack/home|compute under X-01|hypervisor|openstack/home|compute") {
		t.Errorf("nothing tells that compute does not start its guests again:\n%s", strings.Join(keys, "\n"))
	}
	path := filepath.Join(t.TempDir(), "trouble.jsonl")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	replayed, err := recorded(path, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keysOf(replayed), keysOf(live); !slices.Equal(got, want) {
		t.Errorf("replayed:\n%s\nlive:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	ask := func(args ...string) (string, int) {
		var out, errs bytes.Buffer
		p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		code := p.main(append(args, "--from", path))
		return out.String() + errs.String(), code
	}
	says, code := ask("why", "server/k8s-worker-1")
	if code != exitFailed || !strings.Contains(says, "server k8s-worker-1: SHUTOFF") || !strings.Contains(says, "X-03, confidence") && !strings.Contains(says, "MEM-03, confidence") || !strings.Contains(says, "evidence: ") || !strings.Contains(says, "repair:   openstack --os-cloud home server start") {
		t.Errorf("code %d:\n%s", code, says)
	}
	says, _ = ask("why", "-o", "json")
	var told struct {
		Causes []struct {
			Rule     string   `json:"rule"`
			Explains []string `json:"explains"`
		} `json:"causes"`
	}
	if err := json.Unmarshal([]byte(says), &told); err != nil || len(told.Causes) == 0 || told.Causes[0].Rule != "X-03" && told.Causes[0].Rule != "MEM-03" || !slices.ContainsFunc(told.Causes[0].Explains, func(e string) bool { return strings.Contains(e, "nova left k8s-worker-1") }) {
		t.Errorf("%v: the first cause is not the swap of the host below, with what it explains:\n%s", err, says)
	}
	if says, code := ask("why", "--at", live.At.Add(-time.Hour).Format(time.RFC3339)); code != exitFailed || !strings.Contains(says, "nothing of that time") {
		t.Errorf("before it began: code %d, %s", code, says)
	}
	if says, code := ask("snapshot", "--findings"); code != 0 || !strings.Contains(says, "X-03") {
		t.Errorf("snapshot: code %d, %s", code, says)
	}
}

func TestWhatIsAskedForMustBeThere(t *testing.T) {
	var out, errs bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	none := filepath.Join(t.TempDir(), "none.txt")
	if err := os.WriteFile(none, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitFailed, "no recording of strata", []string{"why", "--from", none}},
		{exitUsage, "is no time", []string{"why", "--from", none, "--at", "noon"}},
		{exitUsage, "no rule", []string{"explain", "NOVA-99"}},
		{exitFailed, "file exists", []string{"record", none}},
		{0, "", []string{"explain", "nova-01"}},
	} {
		errs.Reset()
		if code := p.main(c.args); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%v: code %d, %s", c.args, code, errs.String())
		}
	}
	if !strings.Contains(out.String(), "rests on") {
		t.Errorf("explain says %s", out.String())
	}
}
