package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// wishing is a model that keeps what it wishes for.
type wishing struct {
	*Model
	store  *fleet.Store
	wishes []string
	seq    int
}

func kubeModel(t *testing.T) *wishing {
	t.Helper()
	store := fleet.NewStore(nil)
	web := pod("web-58589d7bdc-r98zf", "w1", "Running", "")
	web.Owner, web.Run.Local = "ReplicaSet/web-58589d7bdc", fleet.EmptyDir
	web.LastExit = &fleet.Exit{Container: "main", Reason: "OOMKilled", Code: 137, Signal: 9, Finished: at.Add(-time.Hour)}
	workload := func(typ, name string, want, ready int32) *fleet.Workload {
		return &fleet.Workload{
			Source: "kube/home", Namespace: "default", Type: typ, Name: name, Selector: "app=" + name, Created: at.AddDate(0, -1, 0),
			Replicas: fleet.Replicas{Want: want, Total: want, Ready: ready, Updated: want, Available: ready},
			Version:  fleet.Rollout{Generation: 2, Observed: 2, Strategy: "RollingUpdate", Restarted: at.Add(-3 * time.Hour)},
		}
	}
	job := func(name, condition, reason, message string, succeeded int32) *fleet.Workload {
		return &fleet.Workload{
			Source: "kube/home", Namespace: "default", Type: "Job", Name: name, Message: message, Created: at.Add(-9 * time.Hour), Replicas: fleet.Replicas{Want: 1, Ready: succeeded},
			Job: &fleet.JobRun{Condition: condition, Reason: reason, Failed: 1, Parallel: 1, Backoff: fleet.Some[int32](6), Started: at.Add(-9 * time.Hour), Ended: at.Add(-8 * time.Hour)},
		}
	}
	stuck := workload("Deployment", "web", 2, 1)
	stuck.Message = "ReplicaSet has timed out progressing"
	app := func(name, sync, health string) *fleet.App {
		return &fleet.App{
			Objects: &fleet.AppObjects{Count: 12, More: 1, Off: []fleet.AppObject{
				{Kind: "ConfigMap", Namespace: "shop", Name: "conf", Sync: "OutOfSync"},
				{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web", Sync: "Synced", Health: "Degraded", Message: "it exceeded its\x1b[2J deadline"},
			}},
			Source: "kube/home", Namespace: "argocd", Name: name, Project: "shop", Repo: fleet.AppRepo{URL: "https://git.example/shop", Path: "deploy"},
			Sync: fleet.AppSync{Status: sync, Revision: "9f4c1e7a02d8"}, Condition: fleet.AppHealth{Status: health, Message: "a pod crashes"},
			Operation: fleet.AppOperation{Phase: "Succeeded"}, Reconciled: at.Add(-2 * time.Minute),
		}
	}
	put(t, store,
		obs("kube/home", "nodes", node("w1", "", "True")),
		obs("kube/home", "pods/default", web),
		obs("kube/home", "workloads/deployments", stuck, workload("Deployment", "zero", 0, 0)),
		obs("kube/home", "workloads/daemonsets", workload("DaemonSet", "agent", 3, 3)),
		obs("kube/home", "workloads/jobs", job("dump-29927670", "Complete", "CompletionsReached", "", 1), job("dump-29929110", "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit", 0)),
		obs("kube/home", "apps", app("dev", "OutOfSync", "Healthy"), app("shop", "Synced", "Degraded")),
		fleet.Observation{Source: fleet.ClockSource, At: at},
		obs("kube/home", "leases", &fleet.Lease{Source: "kube/home", Node: "w1", Renewed: at, Duration: 40 * time.Second}),
	)
	w := &wishing{Model: model(t, store, 120, 40), store: store}
	w.o.Follow = func(pod fleet.Ref, container string, previous bool) {
		w.wishes = append(w.wishes, strings.TrimSpace(fmt.Sprintf("follow %s %s %v", pod.Name, container, previous)))
	}
	w.o.Read = func(r fleet.Ref) { w.wishes = append(w.wishes, strings.TrimSpace("read "+r.Name)) }
	return w
}

func (w *wishing) see(t *testing.T, scope string, objects ...fleet.Object) {
	t.Helper()
	w.seq++
	o := obs("kube/home", scope, objects...)
	o.At = at.Add(time.Duration(w.seq) * time.Second)
	w.Update(snapshotMsg{s: put(t, w.store, o)})
}

func logOf(container string, lines int) *fleet.Log {
	l := &fleet.Log{Source: "kube/home", Pod: "default/web-58589d7bdc-r98zf", Container: container, Containers: []string{"main", "side"}, Says: "following"}
	for i := range lines {
		l.Lines = append(l.Lines, fleet.LogLine{At: at.Add(time.Duration(i) * time.Second), Text: fmt.Sprintf("line %d of %s \x1b[2J", i, container)})
	}
	return l
}

func TestALogIsFollowedUntilItIsScrolledAndClosed(t *testing.T) {
	m := kubeModel(t)
	press(t, m.Model, ":", "p", "o", "d", "s", "enter", "l")
	m.see(t, "log", logOf("main", 100))
	if s := screenOf(t, m.Model); !strings.Contains(s, "line 99 of main ·[2J") || strings.Contains(s, "line 9 of main") || !strings.Contains(s, "container main (1 of 2)") {
		t.Errorf("the end is not shown, or is not clean:\n%s", s)
	}
	m.see(t, "log", logOf("main", 120))
	if s := screenOf(t, m.Model); !strings.Contains(s, "line 119 of main") {
		t.Errorf("it does not follow:\n%s", s)
	}
	press(t, m.Model, "up")
	before := screenOf(t, m.Model)
	m.see(t, "log", logOf("main", 140))
	if s := screenOf(t, m.Model); strings.Contains(s, "line 139") || !strings.Contains(before, "line 118") || !strings.Contains(s, "line 118") {
		t.Errorf("it moves under who scrolled up:\n%s", s)
	}
	press(t, m.Model, "G")
	if s := screenOf(t, m.Model); !strings.Contains(s, "line 139") {
		t.Errorf("G does not go to the end:\n%s", s)
	}
	press(t, m.Model, "tab")
	m.see(t, "log", logOf("side", 1))
	press(t, m.Model, "p", "esc")
	want := []string{
		"follow default/web-58589d7bdc-r98zf  false", "follow default/web-58589d7bdc-r98zf side false",
		"follow default/web-58589d7bdc-r98zf side true", "follow   false",
	}
	if !slices.Equal(m.wishes, want) {
		t.Errorf("it wished %q", m.wishes)
	}
}

func TestOnlyPodsHaveLogs(t *testing.T) {
	m := kubeModel(t)
	press(t, m.Model, ":", "n", "o", "d", "e", "s", "enter", "l")
	if len(m.over) != 0 || !strings.Contains(m.status.text, "only pods have logs") || len(m.wishes) != 0 {
		t.Errorf("it said %q and wished %q", m.status.text, m.wishes)
	}
}

func TestTheManifestIsShownOnceItIsRead(t *testing.T) {
	m := kubeModel(t)
	press(t, m.Model, ":", "p", "o", "d", "s", "enter", "y")
	if s := screenOf(t, m.Model); !strings.Contains(s, "as strata knows it") || !strings.Contains(s, "owner: ReplicaSet/web-58589d7bdc") {
		t.Errorf("until it is read, what strata knows is shown:\n%s", s)
	}
	about := fleet.Ref{Kind: fleet.KindPod, Source: "kube/home", Name: "default/web-58589d7bdc-r98zf"}
	m.see(t, "manifest", &fleet.Manifest{Source: "kube/home", About: about, Text: `{"kind":"Pod","spec":{"nodeName":"w1"}}`})
	if s := screenOf(t, m.Model); !strings.Contains(s, "nodeName: w1") || strings.Contains(s, "as strata knows it") {
		t.Errorf("the manifest is not shown:\n%s", s)
	}
	press(t, m.Model, "y")
	if s := screenOf(t, m.Model); !strings.Contains(s, `"nodeName": "w1"`) {
		t.Errorf("y does not turn it into JSON:\n%s", s)
	}
	m.see(t, "manifest", &fleet.Manifest{Source: "kube/home", About: about, Error: "pods is forbidden"})
	if s := screenOf(t, m.Model); !strings.Contains(s, "pods is forbidden") || !strings.Contains(s, "as strata knows it") {
		t.Errorf("why it cannot be read is not shown:\n%s", s)
	}
	press(t, m.Model, "esc")
	if want := []string{"read default/web-58589d7bdc-r98zf", "read"}; !slices.Equal(m.wishes, want) {
		t.Errorf("it wished %q", m.wishes)
	}
}

func TestKubernetesScreens(t *testing.T) {
	for name, keys := range map[string][]string{
		"workloads": {":", "w", "o", "r", "k", "l", "o", "a", "d", "s", "enter"}, "apps": {":", "a", "p", "p", "s", "enter"}, "describe-app": {":", "a", "p", "p", "s", "enter", "d"},
		"log": {":", "p", "o", "d", "s", "enter", "l"}, "describe-pod": {":", "p", "o", "d", "s", "enter", "d"},
		"describe-node": {":", "n", "o", "d", "e", "s", "enter", "d"}, "describe-job": {":", "w", "o", "r", "k", "l", "o", "a", "d", "s", "enter", "d"},
		"describe-workload": {":", "w", "o", "r", "k", "l", "o", "a", "d", "s", "enter", "down", "d"},
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := kubeModel(t)
				m.screen.w, m.screen.h = size[0], size[1]
				m.see(t, "log", logOf("main", 8))
				press(t, m.Model, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m.Model))
			})
		}
	}
}

func TestWhatIsNotInstalledIsNoFailure(t *testing.T) {
	m := kubeModel(t)
	m.store.Put(fleet.Observation{Source: "kube/home", Scope: "apps", At: at, Facts: fleet.Facts{}})
	m.see(t, "log")
	m.store.Put(fleet.Observation{Source: "kube/home", Scope: "apps", At: at, Err: &fleet.Trouble{Doing: "looking for Argo CD in cluster home", Fix: "it is looked for again each minute", Unconfigured: true}})
	m.see(t, "log")
	press(t, m.Model, ":", "a", "p", "p", "s", "enter")
	if s := screenOf(t, m.Model); strings.Contains(s, "failing") || !strings.Contains(s, "looking for Argo CD") {
		t.Errorf("the screen says\n%s", s)
	}
}
