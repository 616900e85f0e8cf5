package actions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// DrainNode cordons a node and evicts its pods, as fast as their disruption budgets allow.
type DrainNode struct {
	Source    string         `json:"source"`
	Node      string         `json:"node"`
	LocalData bool           `json:"localData,omitempty"` // emptyDir data may be lost
	Force     bool           `json:"force,omitempty"`     // pods that nothing makes again may be lost
	Grace     fleet.Opt[int] `json:"grace,omitzero"`      // seconds; missing is what each pod says
	Timeout   time.Duration  `json:"timeoutNs"`
}

// Name is node-drain.
func (a DrainNode) Name() string { return "node-drain" }

// Target is the node.
func (a DrainNode) Target() fleet.Ref { return nodeRef(a.Source, a.Node) }

// Plan says which pods go and which stay, and refuses what would be lost unless that was asked for.
func (a DrainNode) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "drain " + a.Node, Command: a.command(),
		Undo:    UncordonNode{a.Source, a.Node},
		Effects: []string{"the node is cordoned, then its pods are evicted; disruption budgets may hold that up"},
	}
	n, ok := nodeOf(s, &p)
	if !ok {
		return p
	}
	if n.Unschedulable {
		p.Undo, p.NoUndo = nil, "it is cordoned already, and stays so; the pods do not come back by themselves"
	}
	load := loadOf(s, a.Target())
	p.Effects = append(p.Effects, load.words()...)
	p.Effects = append(p.Effects, "pods that left do not come back by themselves when it is uncordoned")
	if len(load.bare) > 0 && !a.Force {
		p.Refused = append(p.Refused, fmt.Sprintf("nothing would make %s again: force=yes evicts them all the same", some(load.bare)))
	}
	if len(load.local) > 0 && !a.LocalData {
		p.Refused = append(p.Refused, fmt.Sprintf("%s would lose what is in their emptyDir: local-data=delete allows that", some(load.local)))
	}
	if a.Force && len(load.bare) > 0 || a.LocalData && len(load.local) > 0 {
		p.Ask = a.Node
	}
	if len(load.fixed) > 0 {
		p.Against = append(p.Against, some(load.fixed)+" keep data in a hostPath, which stays on this node")
	}
	if part, known := s.Part(a.Source, "pods"); known && part.Err != "" {
		p.Against = append(p.Against, "not all of its pods are seen: "+part.Err)
	}
	if notReady(n) {
		p.Against = append(p.Against, "it is not ready: evicted pods stay Terminating until its kubelet is back")
	}
	if othersThatTake(s, n) == 0 && len(load.going) > 0 {
		p.Against = append(p.Against, "no other node that is ready takes pods: what is evicted will stay Pending")
	}
	return p
}

func (a DrainNode) command() []string {
	args := []string{"drain", a.Node, "--ignore-daemonsets", "--timeout=" + a.Timeout.String()}
	if a.LocalData {
		args = append(args, "--delete-emptydir-data")
	}
	if a.Force {
		args = append(args, "--force")
	}
	if a.Grace.OK {
		args = append(args, "--grace-period="+strconv.Itoa(a.Grace.V))
	}
	return kubectlArgv(a.Source, args...)
}

// load is what is on a node, by what a drain does to it.
type load struct {
	going []string // evicted
	stay  []string // of DaemonSets, and static ones
	bare  []string // without a controller, among those that go
	local []string // with data in an emptyDir, among those that go
	fixed []string // with data in a hostPath, among those that go
}

// loadOf sorts the pods of a node.
func loadOf(s *fleet.Snapshot, node fleet.Ref) (l load) {
	for p := range fleet.All[*fleet.Pod](s, fleet.KindPod) {
		if p.Source != node.Source || p.Node != node.Name {
			continue
		}
		name := p.Namespace + "/" + p.Name
		if p.KeptByNode() {
			l.stay = append(l.stay, name)
			continue
		}
		l.going = append(l.going, name)
		if p.Over() {
			continue // nothing of it runs, and nothing is lost
		}
		if p.Owner == "" {
			l.bare = append(l.bare, name)
		}
		if p.Run.Local&fleet.EmptyDir != 0 {
			l.local = append(l.local, name)
		}
		if p.Run.Local&fleet.HostPath != 0 {
			l.fixed = append(l.fixed, name)
		}
	}
	return l
}

func (l load) words() (says []string) {
	if len(l.going) == 0 {
		says = append(says, "there is no pod to evict")
	} else {
		says = append(says, fmt.Sprintf("%d pods go: %s", len(l.going), some(l.going)))
	}
	if len(l.stay) > 0 {
		says = append(says, fmt.Sprintf("%d pods of DaemonSets and static ones stay: %s", len(l.stay), some(l.stay)))
	}
	return says
}

// some lists the first few of many.
func some(all []string) string {
	const most = 6
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

func (a DrainNode) apply(ctx context.Context, hands Hands, say func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	d := &drain{DrainNode: a, k: k, say: say, sent: map[string]bool{}, held: map[string]string{}}
	if err := d.cordon(ctx); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	err = d.run(limit)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && limit.Err() != nil {
		err = fmt.Errorf("not all pods left within %s", a.Timeout)
	} else if ctx.Err() != nil {
		err = errAbort
	}
	return fmt.Errorf("draining %s: %w; %s", a.Node, err, d.left(ctx))
}

// seen waits until the node is cordoned and nothing that a drain evicts is on it.
func (a DrainNode) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	n, ok := fleet.Find[*fleet.Node](s, a.Target())
	if !ok {
		return failed, "the node is gone"
	}
	l := loadOf(s, a.Target())
	switch {
	case len(l.going) > 0:
		return waiting, fmt.Sprintf("%d pods are still on it: %s", len(l.going), some(l.going))
	case !n.Unschedulable:
		return failed, "somebody uncordoned it"
	}
	return done, fmt.Sprintf("drained; %d pods of DaemonSets and static ones stay", len(l.stay))
}
