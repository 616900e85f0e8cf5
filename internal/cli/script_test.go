package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"

	"strata/internal/fake/kube"
	"strata/internal/fake/nova"
	"strata/internal/fake/prometheus"
	"strata/internal/wire"
)

// world is what a script can break: a cloud and a cluster over real HTTP on the loopback.
type world struct {
	nova  *nova.Cloud
	kube  *kube.Server
	fleet *prometheus.Server
}

type worldKey struct{}

func newWorld() (*world, error) {
	w := &world{nova: nova.Start(nova.Config{}), fleet: prometheus.Start(3)}
	var err error
	if w.kube, err = kube.New(kube.Options{Context: "prod"}); err != nil {
		return nil, err
	}
	now := time.Now()
	w.nova.AddHost("compute-1", now.Add(-time.Hour))
	w.nova.AddServer(nova.Server{Name: "web-1", Host: "compute-1", IPs: []string{"10.0.0.11"}})
	off := w.nova.AddServer(nova.Server{Name: "db-1", Host: "compute-1", IPs: []string{"10.0.0.12"}, State: "stopped", Created: now.Add(-time.Hour)})
	w.nova.AddAction(off, "stop", "", now.Add(-10*time.Minute))
	w.nova.AddServer(nova.Server{Name: "evil\x1b[31m\u202e-1", Host: "compute-1"})
	w.kube.AddNode(kube.Node{Name: "worker-1", IP: "10.0.0.11", CPU: "4", Memory: "16Gi"})
	w.kube.AddPod(kube.Pod{Namespace: "shop", Name: "web-6d5f", Node: "worker-1", IP: "10.1.0.4"})
	w.kube.AddPod(kube.Pod{Namespace: "default", Name: "sick", Node: "worker-1", Containers: []kube.Container{{Name: "a", Waiting: "CrashLoopBackOff", Restarts: 7}}})
	w.kube.AddEvent(kube.Event{Namespace: "default", Name: "sick.1", Reason: "BackOff", Message: "Back-off restarting failed container", Kind: "Pod", About: "default/sick", Count: 3})
	return w, nil
}

func (w *world) close() {
	w.nova.Close()
	w.kube.Close()
	w.fleet.Close()
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			w, err := newWorld()
			if err != nil {
				return err
			}
			e.Defer(w.close)
			e.Values[worldKey{}] = w
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("TERM", "dumb")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cloud": addCloud, "cluster": addCluster, "fleet": addFleet, "break": breakWorld, "exits": exits, "decodes": decodes, "nowrites": noWrites, "lastdeed": lastDeed,
		},
	})
}

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("the script has no world")
	}
	return w
}

// addCloud: cloud NAME=USER... describes the fake cloud in clouds.yaml once for each.
func addCloud(ts *testscript.TestScript, _ bool, args []string) {
	put(ts, ".config/openstack/clouds.yaml", []byte(worldOf(ts).nova.CloudsYAML(args...)))
}

// addCluster describes the fake cluster in the kubeconfig.
func addCluster(ts *testscript.TestScript, _ bool, _ []string) {
	put(ts, ".kube/config", worldOf(ts).kube.Kubeconfig())
}

// addFleet describes the fake Prometheus in the configuration: fleet [down] [password]. down takes a machine away, password
// makes it want one.
func addFleet(ts *testscript.TestScript, _ bool, args []string) {
	f := worldOf(ts).fleet
	f.SetAlerts(prometheus.Alert{Fingerprint: "a1", Name: "Down", Severity: "critical", Summary: "gone"}, prometheus.Alert{Fingerprint: "a2", Name: "Slow", Silenced: true})
	for _, arg := range args {
		switch arg {
		case "down":
			f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
				all[1].Down = true
				return all
			})
		case "password":
			f.Want("op:secret", "")
		}
	}
	put(ts, ".config/strata/config.yaml", []byte("prometheus: {name: lab, url: '"+f.URL+"', alertmanager: '"+f.Alertmanager+"'}\n"))
}

func put(ts *testscript.TestScript, below string, text []byte) {
	path := filepath.Join(ts.Getenv("HOME"), below)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, text, 0o600))
}

// breakWorld: break keystone | nova | nova-hangs | pods | kube.
func breakWorld(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch args[0] {
	case "keystone":
		w.nova.Break(nova.Keystone, nova.Unauthorized())
	case "nova":
		w.nova.Break(nova.Nova, nova.Unavailable(0))
	case "nova-hangs":
		w.nova.Break(nova.Nova, nova.Hang())
	case "nodes-denied":
		w.kube.Deny("nodes")
	case "kube":
		w.kube.Stop()
	default:
		ts.Fatalf("nobody knows how to break %s", args[0])
	}
}

// exits: exits CODE COMMAND... runs a command and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// decodes: decodes FILE reads a snapshot back and checks that nothing is lost. YAML must hold the same.
func decodes(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(ts.ReadFile(args[0]))
	if strings.HasSuffix(args[0], ".yaml") {
		var tree any
		ts.Check(yaml.Unmarshal(text, &tree))
		var err error
		text, err = json.Marshal(tree)
		ts.Check(err)
	}
	s, err := wire.DecodeSnapshot(text)
	ts.Check(err)
	again, err := wire.EncodeSnapshot(s)
	ts.Check(err)
	if strings.HasSuffix(args[0], ".json") && strings.TrimSpace(string(again)) != strings.TrimSpace(string(text)) {
		ts.Fatalf("written again the snapshot differs:\n%s", again)
	}
	if len(s.Parts) == 0 {
		ts.Fatalf("the snapshot is empty")
	}
}

// lastDeed puts the id of the last line of the audit log into $DEED.
func lastDeed(ts *testscript.TestScript, _ bool, _ []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(filepath.Join(ts.Getenv("HOME"), ".local/state/strata/audit.jsonl"))), "\n")
	var d struct{ ID string }
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &d))
	ts.Setenv("DEED", d.ID)
}

// noWrites checks that nothing but reading requests and logins came.
func noWrites(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	if writes := w.nova.Writes(); len(writes) > 0 {
		ts.Fatalf("the cloud was written to: %v", writes)
	}
	for _, r := range w.kube.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			ts.Fatalf("the cluster was written to: %v", r)
		}
	}
}
