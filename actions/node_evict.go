package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// How a drain waits.
const (
	drainLook = time.Second     // between two looks at what is left
	drainHeld = 5 * time.Second // before a pod is asked for again that was held
	leftFor   = 10 * time.Second
)

// drain is a drain at work.
type drain struct {
	DrainNode
	k   kubeAPI
	say func(Step)

	all  int               // pods to evict
	sent map[string]bool   // uids whose eviction was accepted, or may have been
	held map[string]string // why a pod is not evicted yet, by namespace/name
}

// drainPod is what a drain reads of a pod.
type drainPod struct {
	Meta struct {
		kubeMeta
		Owners []struct {
			Kind       string `json:"kind"`
			Controller bool   `json:"controller"`
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		Volumes []struct {
			Name     string          `json:"name"`
			EmptyDir *map[string]any `json:"emptyDir"`
		} `json:"volumes"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

func (p *drainPod) called() string { return p.Meta.Namespace + "/" + p.Meta.Name }

func (p *drainPod) controller() string {
	for _, o := range p.Meta.Owners {
		if o.Controller {
			return o.Kind
		}
	}
	return ""
}

// cordon cordons the node unless it is.
func (d *drain) cordon(ctx context.Context) error {
	d.say(Step{Says: "cordoning it"})
	var n kubeNode
	err := d.k.patch(ctx, nodePath(d.Node), &n, &n.Meta, func() (map[string]any, error) {
		if n.Spec.Unschedulable {
			return nil, errAlready
		}
		return map[string]any{"spec": map[string]any{"unschedulable": true}}, nil
	})
	var lost *connect.Lost
	if errors.Is(err, errAlready) {
		return nil
	}
	if errors.As(err, &lost) {
		// Whether it was done can be read.
		if d.k.do(ctx, kubeCall{verb: "get", path: nodePath(d.Node)}, &n) == nil && n.Spec.Unschedulable {
			return nil
		}
	}
	return err
}

// run evicts until nothing is left, or ctx ends.
func (d *drain) run(ctx context.Context) error {
	retry := map[string]time.Time{}
	for {
		pods, err := d.pods(ctx)
		if err != nil {
			return err
		}
		if err := d.allowed(pods); err != nil {
			return err
		}
		d.all = max(d.all, len(pods))
		if len(pods) == 0 {
			d.progress(pods)
			return nil
		}
		for i := range pods {
			p := &pods[i]
			if d.sent[p.Meta.UID] || p.Meta.Deleted != nil || time.Now().Before(retry[p.Meta.UID]) {
				continue
			}
			if err := d.evict(ctx, p); err != nil {
				return err
			}
			if d.held[p.called()] != "" {
				retry[p.Meta.UID] = time.Now().Add(drainHeld)
			}
		}
		d.progress(pods)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(drainLook):
		}
	}
}

// pods are those on the node that a drain evicts, as they are now.
func (d *drain) pods(ctx context.Context) ([]drainPod, error) {
	var list struct {
		Items []drainPod `json:"items"`
	}
	q := url.Values{"fieldSelector": {"spec.nodeName=" + d.Node}}
	if err := d.k.do(ctx, kubeCall{verb: "list", path: kubePath{group: "api/v1", resource: "pods"}, query: q}, &list); err != nil {
		return nil, fmt.Errorf("listing its pods: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(p drainPod) bool {
		_, mirror := p.Meta.Annotations["kubernetes.io/config.mirror"]
		kind := p.controller()
		return mirror || kind == "DaemonSet" || kind == "Node"
	}), nil
}

// allowed refuses pods that came in the meantime and would be lost.
func (d *drain) allowed(pods []drainPod) error {
	for i := range pods {
		p := &pods[i]
		if p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" || d.sent[p.Meta.UID] {
			continue
		}
		if p.controller() == "" && !d.Force {
			return fmt.Errorf("nothing would make %s again, and force=yes was not given", p.called())
		}
		for _, v := range p.Spec.Volumes {
			if v.EmptyDir != nil && !d.LocalData {
				return fmt.Errorf("%s would lose its emptyDir %s, and local-data=delete was not given", p.called(), v.Name)
			}
		}
	}
	return nil
}

// evict asks for the eviction of one pod. That a budget holds it, or that the server cannot now, is no error. An answer that was
// lost is not asked for again: the pod is looked at, and goes or not.
func (d *drain) evict(ctx context.Context, p *drainPod) error {
	options := map[string]any{"preconditions": map[string]any{"uid": p.Meta.UID}}
	if d.Grace.OK {
		options["gracePeriodSeconds"] = d.Grace.V
	}
	at := kubePath{group: "api/v1", namespace: p.Meta.Namespace, resource: "pods", name: p.Meta.Name, sub: "eviction"}
	err := d.k.do(ctx, kubeCall{verb: "create", path: at, body: map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata": map[string]any{"name": p.Meta.Name, "namespace": p.Meta.Namespace}, "deleteOptions": options,
	}}, nil)
	var lost *connect.Lost
	switch {
	case err == nil, errors.As(err, &lost), isKube(err, http.StatusNotFound), isKube(err, http.StatusConflict):
		d.sent[p.Meta.UID] = true
		delete(d.held, p.called())
		return nil
	case isKube(err, http.StatusTooManyRequests):
		d.held[p.called()] = d.budget(ctx, p, err)
		return nil
	case isKube(err, http.StatusServiceUnavailable), isKube(err, http.StatusGatewayTimeout):
		d.held[p.called()] = err.Error() // asked again it evicts none twice: the request names this very pod
		return nil
	}
	return fmt.Errorf("evicting %s: %w", p.called(), err)
}

// budget says which disruption budget holds a pod, and what it allows.
func (d *drain) budget(ctx context.Context, p *drainPod, err error) string {
	var e *kubeError
	errors.As(err, &e)
	for _, c := range e.Causes {
		m := regexp.MustCompile(`disruption budget (\S+)`).FindStringSubmatch(c.Message)
		if c.Reason != "DisruptionBudget" || m == nil {
			continue
		}
		var b struct {
			Status struct {
				Allowed int `json:"disruptionsAllowed"`
				Healthy int `json:"currentHealthy"`
				Desired int `json:"desiredHealthy"`
			} `json:"status"`
		}
		at := kubePath{group: "apis/policy/v1", namespace: p.Meta.Namespace, resource: "poddisruptionbudgets", name: m[1]}
		if d.k.do(ctx, kubeCall{verb: "get", path: at}, &b) != nil {
			return c.Message // it says most of it
		}
		return fmt.Sprintf("the disruption budget %s/%s allows %d disruptions now: %d healthy, %d needed",
			p.Meta.Namespace, m[1], b.Status.Allowed, b.Status.Healthy, b.Status.Desired)
	}
	return e.Message
}

// progress tells how many pods are gone and what holds the others.
func (d *drain) progress(left []drainPod) {
	gone, leaving := d.all-len(left), 0
	for i := range left {
		if d.sent[left[i].Meta.UID] || left[i].Meta.Deleted != nil {
			leaving++
		}
	}
	says := fmt.Sprintf("%d of %d pods gone", gone, d.all)
	if leaving > 0 {
		says += fmt.Sprintf(", %d on their way", leaving)
	}
	for i := range left {
		if why := d.held[left[i].called()]; why != "" {
			says += "; " + left[i].called() + " waits: " + why
			if len(d.held) > 1 {
				says += fmt.Sprintf(" (and %d more wait)", len(d.held)-1)
			}
			break
		}
	}
	share := 1.0
	if d.all > 0 {
		share = float64(gone) / float64(d.all)
	}
	d.say(Step{Says: says, Share: fleet.Some(share)})
}

// left reads what a drain leaves behind that did not come to its end.
func (d *drain) left(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leftFor)
	defer cancel()
	var n kubeNode
	says := "whether it is cordoned cannot be read"
	if err := d.k.do(ctx, kubeCall{verb: "get", path: nodePath(d.Node)}, &n); err == nil {
		says = map[bool]string{true: "it is cordoned", false: "it is not cordoned"}[n.Spec.Unschedulable]
	}
	pods, err := d.pods(ctx)
	if err != nil {
		return says + "; what is left on it cannot be read: " + err.Error()
	}
	leaving, stay := 0, []string(nil)
	for i := range pods {
		if pods[i].Meta.Deleted != nil {
			leaving++
		} else {
			stay = append(stay, pods[i].called())
		}
	}
	says += fmt.Sprintf("; %d pods evicted and gone, %d on their way, %d left", max(0, d.all-len(pods)), leaving, len(stay))
	if len(stay) > 0 {
		says += ": " + some(stay)
	}
	for _, name := range slices.Sorted(maps.Keys(d.held)) {
		if slices.Contains(stay, name) {
			says += "; " + name + ": " + d.held[name]
			break
		}
	}
	return says
}
