package kube

import (
	"strata/internal/fleet"
)

// job is what strata reads of a Job. Field numbers are those of generated.proto in k8s.io/api/batch/v1.
type job struct {
	Meta   meta      `json:"metadata"`
	Spec   jobSpec   `json:"spec"`
	Status jobStatus `json:"status"`
}

type jobSpec struct {
	Parallelism maybe[int32] `json:"parallelism"`
	Completions maybe[int32] `json:"completions"`
	Selector    selector     `json:"selector"`
	Backoff     maybe[int32] `json:"backoffLimit"`
	Suspend     bool         `json:"suspend"`
}

type jobStatus struct {
	Conditions []condition `json:"conditions"`
	Started    stamp       `json:"startTime"`
	Completed  stamp       `json:"completionTime"`
	Active     int32       `json:"active"`
	Succeeded  int32       `json:"succeeded"`
	Failed     int32       `json:"failed"`
}

func (j *job) head() *meta { return &j.Meta }

func (j *job) reset() { *j = job{} }

// fact makes the workload as strata knows it.
func (j *job) fact(source string, in *interner) fleet.Object {
	s := &j.Status
	run := &fleet.JobRun{Failed: s.Failed, Parallel: 1, Started: s.Started.Time, Ended: s.Completed.Time} // what the API server makes of none
	w := &fleet.Workload{
		Source: source, Namespace: in.of(j.Meta.Namespace), Type: "Job", Name: string(j.Meta.Name), Job: run,
		Replicas: fleet.Replicas{Want: 1, Total: s.Active, Ready: s.Succeeded}, Selector: in.of(j.Spec.Selector.text()),
		Paused: j.Spec.Suspend, Created: j.Meta.Created.Time, Version: fleet.Rollout{Generation: j.Meta.Generation},
	}
	if j.Spec.Completions.is {
		w.Replicas.Want = j.Spec.Completions.v
	}
	if j.Spec.Parallelism.is {
		run.Parallel = j.Spec.Parallelism.v
	}
	if j.Spec.Backoff.is {
		run.Backoff = fleet.Some(j.Spec.Backoff.v)
	}
	if c := s.telling(); c != nil {
		run.Condition, run.Reason, w.Message = in.of(c.Type), in.of(c.Reason), in.message(c.Message)
		if run.Lost() {
			run.Ended = c.Since.Time
		}
	}
	return w
}

// telling is the condition that is True and tells most: how it ended before that it is about to, that before why it waits.
func (s *jobStatus) telling() *condition {
	for _, typ := range [...]string{"Failed", "Complete", "FailureTarget", "SuccessCriteriaMet", "Suspended"} {
		for i := range s.Conditions {
			if c := &s.Conditions[i]; c.Type.is(typ) && c.Status.is("True") {
				return c
			}
		}
	}
	return nil
}

// unmarshal reads a message Job.
func (j *job) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(j.Meta.unmarshal(r.data, nil))
		case 2:
			r.fail(j.Spec.unmarshal(r.data))
		case 3:
			r.fail(j.Status.unmarshal(r.data))
		}
	}
	return r.err
}

func (s *jobSpec) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Parallelism = maybe[int32]{true, r.number()}
		case 2:
			s.Completions = maybe[int32]{true, r.number()}
		case 4:
			r.fail(s.Selector.unmarshal(r.data))
		case 7:
			s.Backoff = maybe[int32]{true, r.number()}
		case 10:
			s.Suspend = r.bits != 0
		}
	}
	return r.err
}

func (s *jobStatus) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(more(&s.Conditions).unmarshal(r.data))
		case 2:
			s.Started = r.time()
		case 3:
			s.Completed = r.time()
		case 4:
			s.Active = r.number()
		case 5:
			s.Succeeded = r.number()
		case 6:
			s.Failed = r.number()
		}
	}
	return r.err
}
