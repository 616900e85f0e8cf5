package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"strata/internal/fake/kube"
)

// docs/act.md describes every field that act may print and every exit code, and none that there is not.
func TestEveryFieldOfActIsDescribed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/act.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `?([a-z0-9]+)`?(\\??) \\| (.+) \\|$").FindAllStringSubmatch(string(text), -1) {
		described[m[1]+m[2]] = m[3]
	}
	want := map[string]bool{"code": true, "field": true}
	for i := range reflect.TypeFor[actReport]().NumField() {
		name, omit, _ := strings.Cut(reflect.TypeFor[actReport]().Field(i).Tag.Get("json"), ",")
		if omit != "" {
			name += "?"
		}
		want[name] = true
	}
	for _, code := range []int{0, exitFailed, exitUsage, exitRefused, exitNotSeen, exitAborted} {
		want[fmt.Sprint(code)] = true
	}
	for name := range want {
		if described[name] == "" {
			t.Errorf("docs/act.md does not describe %s", name)
		}
	}
	for name := range described {
		if !want[name] {
			t.Errorf("docs/act.md describes %s, which there is not", name)
		}
	}
}

// script runs strata as a script would, and interrupts it once ready says so. It returns its exit code and output.
func script(t *testing.T, home string, ready func(stderr string) bool, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	says, err := os.CreateTemp(home, "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer says.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "strata"
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=dumb"}
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, says, home
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		b, err := os.ReadFile(says.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	looks := time.NewTicker(20 * time.Millisecond)
	defer looks.Stop()
	for ready != nil && !ready(said()) {
		select {
		case <-looks.C:
		case <-ctx.Done():
			t.Fatalf("%q was never where it should be interrupted: %s", args, said())
		}
	}
	if ready != nil {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	err = cmd.Wait()
	if bad := (*exec.ExitError)(nil); err != nil && !errors.As(err, &bad) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said()
}

func outcome(t *testing.T, stdout string) actReport {
	t.Helper()
	var r actReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	return r
}

// Nobody carries out what a Deployment wants in this cluster: the change is accepted and never seen.
func TestActEndsWith4WhenItsEffectIsNotSeen(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	w := configured(t, home)
	w.kube.AddWorkload(kube.Workload{Kind: "Deployment", Namespace: "shop", Name: "web", Replicas: 1})
	wrote := func() bool {
		for _, r := range w.kube.Requests() {
			if r.Method != http.MethodGet {
				return true
			}
		}
		return false
	}
	code, stdout, stderr := script(t, home, func(said string) bool { return wrote() && strings.Contains(said, "waiting to see it") },
		"act", "workload-scale", "shop/deployment/web", "replicas=4", "--yes", "--no-host")
	if code != exitNotSeen || !strings.Contains(stderr, "not-seen") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func TestActEndsWith5WhenItIsInterruptedAndSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	w := configured(t, home)
	w.kube.AddWorkload(kube.Workload{Kind: "Deployment", Namespace: "shop", Name: "web", Replicas: 1})
	w.kube.AddPod(kube.Pod{Namespace: "shop", Name: "web-1", Node: "worker-1", Owner: "ReplicaSet/web-1"})
	w.kube.AddBudget(kube.Budget{Namespace: "shop", Name: "web", Workload: "web", MinAvailable: 1})
	code, stdout, _ := script(t, home, func(string) bool {
		for _, r := range w.kube.Requests() {
			if strings.HasSuffix(r.Path, "web-1/eviction") {
				return true
			}
		}
		return false
	}, "act", "node-drain", "worker-1", "force=yes", "--yes", "--no-host", "-o", "json", "--typed", "worker-1")
	if r := outcome(t, stdout); code != exitAborted || r.Outcome != "aborted" || !strings.Contains(r.Says, "it is cordoned; ") {
		t.Errorf("exit code %d, %+v", code, r)
	}
}

func TestActSaysInJSONWhyItWasNotAgreedTo(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	w := configured(t, home)
	code, stdout, _ := script(t, home, nil, "act", "server-reset-state", "web-1", "state=error", "--yes", "--no-host", "-o", "json")
	if r := outcome(t, stdout); code != exitRefused || r.Outcome != "refused" || r.Ask != "web-1" || !strings.Contains(r.Says, "to agree") {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if writes := w.nova.Writes(); len(writes) != 0 {
		t.Errorf("the cloud was written to: %v", writes)
	}
}
