package actions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// ScaleWorkload sets how many pods a Deployment or StatefulSet wants.
type ScaleWorkload struct {
	Source   string           `json:"source"`
	Workload string           `json:"workload"` // namespace/type/name
	Replicas int32            `json:"replicas"`
	From     fleet.Opt[int32] `json:"from,omitzero"` // how many it must want now; missing until it was planned
}

// Name is workload-scale.
func (a ScaleWorkload) Name() string { return "workload-scale" }

// Target is the workload.
func (a ScaleWorkload) Target() fleet.Ref { return workloadRef(a.Source, a.Workload) }

// Plan refuses DaemonSets, which follow the nodes, Jobs, and a number that is wanted already.
func (a ScaleWorkload) Plan(s *fleet.Snapshot) Plan {
	namespace, object := split(a.Workload)
	p := Plan{
		Action: a, Title: fmt.Sprintf("scale %s to %d", a.Workload, a.Replicas),
		Command: kubectlArgv(a.Source, "scale", object, "--namespace", namespace, "--replicas="+strconv.Itoa(int(a.Replicas))),
	}
	w, ok := workloadOf(s, &p)
	if !ok {
		return p
	}
	if w.IsJob() {
		p.Refused = append(p.Refused, "a Job has no replicas: how many of its pods run at once is its spec.parallelism")
		return p
	}
	want := w.Replicas.Want
	switch {
	case w.Type == "DaemonSet":
		p.Refused = append(p.Refused, "a DaemonSet has a pod on each node it fits: it cannot be scaled")
	case a.From.OK && a.From.V != want:
		p.Refused = append(p.Refused, fmt.Sprintf("it wants %d by now, not %d: somebody else scaled it", want, a.From.V))
	case want == a.Replicas:
		p.Refused = append(p.Refused, fmt.Sprintf("it wants %d already", want))
	}
	a.From = fleet.Some(want)
	p.Action, p.Undo = a, ScaleWorkload{Source: a.Source, Workload: a.Workload, Replicas: want}
	p.Command = append(p.Command, "--current-replicas="+strconv.Itoa(int(want)))
	p.Effects = []string{fmt.Sprintf("from %d to %d pods; a HorizontalPodAutoscaler that aims at it would set that right again: whether there is one is looked up before", want, a.Replicas)}
	if a.Replicas == 0 {
		p.Ask = w.Name
		p.Effects = append(p.Effects, "nothing of it runs then")
	}
	if w.Type == "StatefulSet" && a.Replicas < want {
		p.Effects = append(p.Effects, "the volumes of the pods that go stay")
	}
	if w.Message != "" {
		p.Against = append(p.Against, w.Message)
	}
	return p
}

func (a ScaleWorkload) apply(ctx context.Context, hands Hands, say func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	at, err := workloadPath(a.Workload, "scale")
	if err != nil {
		return err
	}
	if warning := k.autoscaler(ctx, a.Workload); warning != "" {
		say(Step{Says: warning})
	}
	var scale struct {
		Meta kubeMeta `json:"metadata"`
		Spec struct {
			Replicas int32 `json:"replicas"`
		} `json:"spec"`
	}
	return k.patch(ctx, at, &scale, &scale.Meta, func() (map[string]any, error) {
		now := scale.Spec.Replicas
		scale.Spec.Replicas = 0 // the next answer may leave it out
		if a.From.OK && now != a.From.V {
			return nil, fmt.Errorf("it wants %d by now, not %d: somebody else scaled it", now, a.From.V)
		}
		return map[string]any{"spec": map[string]any{"replicas": a.Replicas}}, nil
	})
}

// autoscaler warns of one that aims at a workload, "" if there is none. Who may not look is told that.
func (k kubeAPI) autoscaler(ctx context.Context, workload string) string {
	parts := strings.Split(workload, "/")
	var all struct {
		Items []struct {
			Meta kubeMeta `json:"metadata"`
			Spec struct {
				Target struct{ Kind, Name string } `json:"scaleTargetRef"`
				Min    int32                       `json:"minReplicas"`
				Max    int32                       `json:"maxReplicas"`
			} `json:"spec"`
		} `json:"items"`
	}
	at := kubePath{group: "apis/autoscaling/v2", namespace: parts[0], resource: "horizontalpodautoscalers"}
	if err := k.do(ctx, kubeCall{verb: "list", path: at}, &all); err != nil {
		if isKube(err, 404) {
			return ""
		}
		return "whether an autoscaler aims at it cannot be seen: " + err.Error()
	}
	for _, h := range all.Items {
		if strings.EqualFold(h.Spec.Target.Kind, parts[1]) && h.Spec.Target.Name == parts[2] {
			return fmt.Sprintf("the autoscaler %s keeps it between %d and %d pods and may set it back", h.Meta.Name, max(h.Spec.Min, 1), h.Spec.Max)
		}
	}
	return ""
}

// seen waits until as many pods as are wanted are available, and no more are there.
func (a ScaleWorkload) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	w, ok := fleet.Find[*fleet.Workload](s, a.Target())
	switch {
	case !ok:
		return failed, "the workload is gone"
	case w.Version.Observed < w.Version.Generation:
		return waiting, rolloutText(w)
	case w.Replicas.Want != a.Replicas:
		return waiting, fmt.Sprintf("it wants %d", w.Replicas.Want)
	case w.Replicas.Available == a.Replicas && w.Replicas.Total == a.Replicas:
		return done, fmt.Sprintf("%d of %d available", w.Replicas.Available, a.Replicas)
	}
	return waiting, rolloutText(w)
}
