package incident

import (
	"fmt"
	"time"

	"strata/internal/fake/kube"
)

// furnishWork makes the workloads and what Argo CD keeps of them.
func (c *cluster) furnishWork(now time.Time) {
	for i := range c.work {
		w := &c.work[i]
		w.want = len(w.pods)
		if w.kind == static {
			continue
		}
		n := len(w.pods)
		c.kube.AddWorkload(kube.Workload{
			Kind: w.typ(), Namespace: w.namespace, Name: w.name, Hash: w.hash, Replicas: n, Created: now.Add(-w.age), Generation: 4,
			Status: kube.WorkloadStatus{Observed: 4, Total: n, Ready: n, Updated: n, Available: n},
		})
	}
	const repo = "https://git.example/wwwm/deploy.git"
	for _, a := range []kube.App{
		{Name: "wwwm", Path: "overlays/prod", Revision: "9f4c1e7a02d85b36", Resources: `[
			{"version":"v1","kind":"Service","namespace":"default","name":"wwwm-spring-be","status":"Synced"},
			{"version":"v1","kind":"PersistentVolumeClaim","namespace":"default","name":"wwwm-mysql-pvc","status":"Synced"},
			{"group":"apps","version":"v1","kind":"Deployment","namespace":"default","name":"wwwm-mysql","status":"Synced"},
			{"group":"apps","version":"v1","kind":"Deployment","namespace":"default","name":"wwwm-spring-be-deployment","status":"Synced"}]`},
		{Name: "wwwm-dev", Path: "overlays/dev", Revision: "41b7730cd9ee1f58", Sync: "OutOfSync", Resources: `[
			{"version":"v1","kind":"Service","namespace":"default","name":"wwwm-spring-be-v2-dev","status":"Synced"},
			{"group":"apps","version":"v1","kind":"Deployment","namespace":"default","name":"wwwm-spring-be-v2-dev","status":"OutOfSync"}]`},
	} {
		a.HealthSource = "appTree"
		a.Namespace, a.Project, a.Repo, a.Reconciled = "argocd", "wwwm", repo, now.Add(-2*time.Minute)
		a.Operation = kube.Operation{Phase: "Succeeded", Message: "successfully synced (all tasks run)", Started: now.Add(-46 * time.Hour), Finished: now.Add(-46 * time.Hour)}
		c.kube.AddApp(a)
	}
}

// furnishDump makes the Job by which a CronJob dumped the database the night before, and its pod.
func (c *cluster) furnishDump() {
	at := c.now.UTC().Truncate(24 * time.Hour).Add(150 * time.Minute)
	if at.After(c.now.Add(-time.Hour)) {
		at = at.Add(-24 * time.Hour)
	}
	end := at.Add(83 * time.Second)
	j := kube.Job{
		Namespace: "default", Name: fmt.Sprintf("nightly-dump-%d", at.Unix()/60), CronJob: "nightly-dump", Backoff: 6,
		Succeeded: 1, Condition: "Complete", Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods",
		Created: at, Started: at, Ended: end,
	}
	c.kube.AddJob(j)
	c.kube.AddPod(kube.Pod{
		Namespace: j.Namespace, Name: j.Name + "-k4xwp", Owner: j.Owner(), Node: master, IP: "10.244.0.17", Phase: "Succeeded", Created: at,
		Containers: []kube.Container{{Name: "dump", Ended: &kube.Exit{Reason: "Completed", Finished: end}}},
	})
}

// hear takes over what workloads want now.
func (c *cluster) hear() {
	wants := map[string]kube.Workload{}
	for _, k := range c.kube.Workloads() {
		wants[k.Kind+"/"+k.Namespace+"/"+k.Name] = k
	}
	for i := range c.work {
		w := &c.work[i]
		if k, ok := wants[w.typ()+"/"+w.namespace+"/"+w.name]; ok {
			w.want, w.restarted = k.Replicas, k.RestartedAt
			if w.kind == deployment {
				w.hash = k.Hash
			}
		}
	}
}

// report is what the controllers say of the workloads. What has not changed is not said: every change wakes whoever
// watches.
func (c *cluster) report(pods []kube.Pod) {
	said := map[string]kube.Workload{}
	for _, k := range c.kube.Workloads() {
		said[k.Kind+"/"+k.Namespace+"/"+k.Name] = k
	}
	for i := range c.work {
		w := &c.work[i]
		if w.kind == static {
			continue
		}
		c.behind(w, pods)
		var s kube.WorkloadStatus
		for _, p := range pods {
			old := w.before(p)
			if !old && !w.owns(p) || !p.Deleting.IsZero() {
				continue
			}
			s.Total++
			if !old {
				s.Updated++
			}
			if up(p) && c.ready[p.Node] {
				s.Ready++
			}
		}
		s.Available = s.Ready
		before := said[w.typ()+"/"+w.namespace+"/"+w.name]
		if s.Observed = before.Generation; s == before.Status {
			continue
		}
		c.kube.ChangeWorkload(w.typ(), w.namespace, w.name, func(k *kube.Workload) {
			s.Observed = k.Generation
			k.Status = s
		})
	}
}

// How long Argo CD takes.
const (
	compareFor = 2 * time.Second
	syncFor    = 5 * time.Second
)

// manage is Argo CD's application controller.
func (c *cluster) manage() {
	for _, a := range c.kube.Apps() {
		key := "app " + a.Name
		switch {
		case a.Operation.Phase == "Running":
			if c.isDue(key+" sync", syncFor) {
				delete(c.due, key+" sync")
				c.kube.ChangeApp(a.Namespace, a.Name, func(a *kube.App) {
					a.Sync, a.Reconciled = "Synced", c.now
					a.Operation.Phase, a.Operation.Message, a.Operation.Finished = "Succeeded", "successfully synced (all tasks run)", c.now
				})
			}
		case a.Asked:
			c.kube.ChangeApp(a.Namespace, a.Name, func(a *kube.App) {
				a.Asked, a.Operation = false, kube.Operation{Phase: "Running", Message: "waiting for healthy state", Started: c.now}
			})
		case a.Refresh != "":
			if c.isDue(key+" refresh", compareFor) {
				delete(c.due, key+" refresh")
				c.kube.ChangeApp(a.Namespace, a.Name, func(a *kube.App) { a.Refresh, a.Reconciled = "", c.now })
			}
		}
	}
}

// speakEvery is how often a container whose log is being read writes a line.
const speakEvery = 800 * time.Millisecond

// speak has the containers whose logs are being read write.
func (c *cluster) speak() {
	if c.at < c.speakAt {
		return
	}
	c.speakAt = c.at + speakEvery
	for _, who := range c.kube.Followed() {
		for _, p := range c.kube.Pods() {
			if p.Namespace == who[0] && p.Name == who[1] && up(p) && c.alive(p.Node) {
				c.kube.Log(who[0], who[1], who[2], fmt.Sprintf("level=info msg=%q took=%dms", []string{
					"GET /healthz 200", "GET /api/v1/items 200", "flushed 12 rows", "connection pool: 4 of 16 in use",
				}[c.rng.IntN(4)], 1+c.rng.IntN(40)))
			}
		}
	}
}
