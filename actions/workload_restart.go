package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// restartedAt is the annotation by which kubectl rollout restart makes a workload's template another one.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// RestartWorkload replaces all pods of a workload, as its strategy has it.
type RestartWorkload struct {
	Source   string `json:"source"`
	Workload string `json:"workload"` // namespace/type/name
}

// Name is workload-restart.
func (a RestartWorkload) Name() string { return "workload-restart" }

// Target is the workload.
func (a RestartWorkload) Target() fleet.Ref { return workloadRef(a.Source, a.Workload) }

// Plan refuses what would not lead to a rollout.
func (a RestartWorkload) Plan(s *fleet.Snapshot) Plan {
	namespace, object := split(a.Workload)
	p := Plan{
		Action: a, Title: "restart " + a.Workload,
		Command: kubectlArgv(a.Source, "rollout", "restart", object, "--namespace", namespace),
		NoUndo:  "the pods that ended are gone; kubectl rollout undo " + object + " would go back to the template before, and restart them once more",
	}
	w, ok := workloadOf(s, &p)
	if !ok {
		return p
	}
	if w.IsJob() {
		p.Refused = append(p.Refused, "a Job runs to its end and is not restarted: delete it and make it anew, from its CronJob with kubectl create job NAME --from=cronjob/CRONJOB")
		return p
	}
	p.Effects = []string{map[string]string{
		"Recreate": "all its pods end, then new ones start: it is away in between",
		"OnDelete": "",
	}[w.Version.Strategy]}
	if p.Effects[0] == "" {
		p.Effects[0] = "its pods are replaced one after the other, as its strategy has it"
	}
	switch {
	case w.Paused:
		p.Refused = append(p.Refused, "it is paused: nothing would be rolled out before kubectl rollout resume "+object)
	case w.Version.Strategy == "OnDelete":
		p.Refused = append(p.Refused, "its strategy is OnDelete: only deleting its pods replaces them")
	case w.Replicas.Want == 0:
		p.Refused = append(p.Refused, "it is scaled to 0: there is nothing to restart")
	}
	if !w.Settled() {
		p.Against = append(p.Against, "its last change is not rolled out yet: "+rolloutText(w))
	}
	return p
}

func (a RestartWorkload) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	at, err := workloadPath(a.Workload, "")
	if err != nil {
		return err
	}
	var w struct {
		Meta kubeMeta `json:"metadata"`
		Spec struct {
			Paused bool `json:"paused"`
		} `json:"spec"`
	}
	return k.patch(ctx, at, &w, &w.Meta, func() (map[string]any, error) {
		if w.Spec.Paused {
			return nil, errors.New("it was paused in the meantime")
		}
		note := map[string]any{restartedAt: time.Now().UTC().Format(time.RFC3339)}
		return map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": note}}}}, nil
	})
}

// seen waits until the version with our annotation, or a later one, is rolled out.
func (a RestartWorkload) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	w, ok := fleet.Find[*fleet.Workload](s, a.Target())
	switch {
	case !ok:
		return failed, "the workload is gone"
	case w.Version.Restarted.Before(since.Truncate(time.Second)):
		return waiting, "the annotation is not there yet"
	case w.Settled():
		return done, fmt.Sprintf("rolled out: %d of %d updated and available", w.Replicas.Updated, w.Replicas.Want)
	case w.Message != "" && strings.Contains(w.Message, "exceeded"):
		return failed, w.Message
	}
	return waiting, rolloutText(w)
}

func rolloutText(w *fleet.Workload) string {
	r := w.Replicas
	if w.Version.Observed < w.Version.Generation {
		return "its controller has not taken it up yet"
	}
	says := fmt.Sprintf("%d of %d updated, %d available", r.Updated, r.Want, r.Available)
	if r.Total > r.Want {
		says += fmt.Sprintf(", %d too many", r.Total-r.Want)
	}
	if w.Message != "" {
		says += ": " + w.Message
	}
	return says
}

func workloadRef(source, name string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindWorkload, Source: source, Name: name}
}

// workloadOf finds the workload a plan is for.
func workloadOf(s *fleet.Snapshot, p *Plan) (*fleet.Workload, bool) {
	return found[*fleet.Workload](s, p, "workload")
}

// workloadPath is where the API server has a workload of that name, namespace/type/name.
func workloadPath(name, sub string) (kubePath, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return kubePath{}, fmt.Errorf("%q is no workload: NAMESPACE/TYPE/NAME", name)
	}
	return kubePath{group: "apis/apps/v1", namespace: parts[0], resource: parts[1] + "s", name: parts[2], sub: sub}, nil
}
