package diagnose

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

func jobRules() []Rule {
	return []Rule{{
		ID: "K8S-27", Title: "job failed", Kind: fleet.KindWorkload, Severity: fleet.Warn,
		Source: "job status.conditions Failed: BackoffLimitExceeded, DeadlineExceeded, PodFailurePolicy, ...; heuristic: a warning for 24 h, so that who comes in the morning sees what failed at night; then a note",
		Fold:   Fold{Named: true, Whole: true, Least: fleet.Warn}, Explains: []string{"ARGO-02", "K8S-25"}, Judge: on(jobFailed),
	}}
}

// jobNews is how long a Job that failed is worth a warning.
const jobNews = 24 * time.Hour

func jobFailed(s *fleet.Snapshot, w *fleet.Workload) Verdict {
	j := w.Job
	switch {
	case !w.IsJob() || j.Done():
		return Verdict{State: OK}
	case j == nil, !j.Lost() && !w.Paused && j.Started.IsZero():
		return Verdict{State: CannotTell, Missing: []string{"its status, of which its controller has written nothing: kubectl -n " + w.Namespace + " describe job " + w.Name}}
	case !j.Lost():
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Since: j.Ended, Because: []fleet.Evidence{jobEvidence(w)},
		Says:    fmt.Sprintf("Job %s/%s failed: %s", w.Namespace, w.Name, cmp.Or(j.Reason, "no reason given")),
		Missing: []string{"what its pods said: kubectl -n " + w.Namespace + " logs job/" + w.Name},
	}
	if w.Message != "" {
		verdict.Says += ", " + sentence(w.Message)
	}
	if old := j.Ended.Add(jobNews); !j.Ended.IsZero() && !s.At.Before(old) {
		verdict.Severity = fleet.Info
	} else if !j.Ended.IsZero() {
		verdict.Again = old
	}
	return verdict
}

func jobEvidence(w *fleet.Workload) fleet.Evidence {
	j, limit := w.Job, "?"
	if j.Backoff.OK {
		limit = strconv.Itoa(int(j.Backoff.V))
	}
	return because(w, j.Ended, "job status", "condition=%s reason=%s active=%d succeeded=%d/%d failed=%d backoffLimit=%s message=%s",
		cmp.Or(j.Condition, "-"), cmp.Or(j.Reason, "-"), w.Replicas.Total, w.Replicas.Ready, w.Replicas.Want, j.Failed, limit, cmp.Or(sentence(w.Message), "-"))
}

// jobOf is the Job that made a pod, by the pod's word.
func jobOf(p *fleet.Pod) (fleet.Ref, bool) {
	name, ok := strings.CutPrefix(p.Owner, "Job/")
	if !ok {
		return fleet.Ref{}, false
	}
	return fleet.Ref{Kind: fleet.KindWorkload, Source: p.Source, Name: fleet.WorkloadName(p.Namespace, "job", name)}, true
}

// attempt makes of the verdict on a failed pod that on one of a Job's attempts: the Job tells what it is worth. Where that is
// not seen it may be the last.
func attempt(s *fleet.Snapshot, job fleet.Ref, verdict *Verdict) {
	w, ok := fleet.Find[*fleet.Workload](s, job)
	switch {
	case !ok || w.Job == nil || !w.Job.Done() && !w.Job.Lost() && unseen(s, job):
		namespace, name, _ := strings.Cut(job.Name, "/job/")
		verdict.Missing = []string{"how its Job went on: kubectl -n " + namespace + " get job " + name}
		return
	case w.Job.Done():
		verdict.Says += "; its Job is done all the same"
	case w.Job.Lost():
		verdict.Says += "; its Job failed"
	case w.Paused:
		verdict.Says += "; its Job is suspended"
	default:
		verdict.Says += "; its Job goes on"
	}
	verdict.Severity = fleet.Info
	verdict.Because = append(verdict.Because, jobEvidence(w))
}

// attempts collects the judgements that hang on the Jobs that changed. From a Job to its pods nothing leads, but what may
// be said differently stands already.
func (e *engine) attempts(s *fleet.Snapshot, changed []fleet.Change, near map[id]struct{}) {
	jobs := map[fleet.Ref]bool{}
	for _, c := range changed {
		o := c.New
		if o == nil {
			o = c.Old
		}
		if w, ok := o.(*fleet.Workload); ok && w.IsJob() {
			jobs[w.Ref()] = true
		}
	}
	if len(jobs) > 0 {
		e.attemptsOf(s, func(job fleet.Ref) bool { return jobs[job] }, near)
	}
}

func (e *engine) attemptsOf(s *fleet.Snapshot, of func(job fleet.Ref) bool, near map[id]struct{}) {
	for _, f := range e.folder.order {
		if f.gone || !e.rules[f.id.rule].Reads.Job {
			continue
		}
		if p, ok := fleet.Find[*fleet.Pod](s, f.id.ref); ok {
			if job, ok := jobOf(p); ok && of(job) {
				near[f.id] = struct{}{}
			}
		}
	}
}
