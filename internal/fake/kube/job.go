package kube

import "time"

// Job is a Job of the fake cluster. No controller looks after it: who makes it says how it goes on.
type Job struct {
	Namespace, Name string
	CronJob         string // that made it
	Completions     int    // 1 if 0
	Backoff         int    // spec.backoffLimit
	Suspended       bool
	Active          int
	Succeeded       int
	Failed          int
	Condition       string // Complete, Failed, ...; it is True
	Reason, Message string // of the condition
	Created         time.Time
	Started, Ended  time.Time
}

// Owner is the controller of its pods.
func (j Job) Owner() string { return "Job/" + j.Name }

// render makes the JSON of a Job.
func (j Job) render(now time.Time) jsonObject {
	labels := jsonObject{"batch.kubernetes.io/job-name": j.Name}
	meta := metadata("jobs", j.Namespace, j.Name, first(j.Created, now))
	meta["generation"] = 1
	if j.CronJob != "" {
		meta["ownerReferences"] = []any{jsonObject{
			"apiVersion": "batch/v1", "kind": "CronJob", "name": j.CronJob, "uid": uid("CronJob", j.Namespace, j.CronJob), "controller": true,
		}}
	}
	spec := jsonObject{
		"parallelism": 1, "completions": max(1, j.Completions), "backoffLimit": j.Backoff, "suspend": j.Suspended,
		"selector": jsonObject{"matchLabels": labels},
		"template": jsonObject{
			"metadata": jsonObject{"labels": labels},
			"spec":     jsonObject{"restartPolicy": "Never", "containers": []any{jsonObject{"name": "main", "image": "registry.example/" + j.Name + ":1"}}},
		},
	}
	status := jsonObject{}.with("active", j.Active).with("succeeded", j.Succeeded).with("failed", j.Failed).with("startTime", j.Started)
	if j.Condition != "" {
		status["conditions"] = []any{jsonObject{"type": j.Condition, "status": "True"}.with("reason", j.Reason).with("message", j.Message).with("lastTransitionTime", j.Ended)}
	}
	if j.Condition == "Complete" {
		status.with("completionTime", j.Ended)
	}
	return jsonObject{"metadata": meta, "spec": spec, "status": status}
}

// AddJob makes or replaces a Job.
func (s *Server) AddJob(j Job) {
	s.change(func(at uint64) { s.put(at, "jobs", j.Namespace, j.Name, j.render(s.options.Now()), j) })
}
