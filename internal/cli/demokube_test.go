package cli

import (
	"slices"
	"strings"
	"testing"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/sources"
)

// playKube is the demo with its cluster seen and linked.
func playKube(t *testing.T, o incident.Options) playing {
	t.Helper()
	d := play(t, o, config.Default(func(string) string { return "" }))
	d.until("all is seen and linked", func(s *fleet.Snapshot) bool {
		return s.Tally(fleet.KindWorkload).Total() >= 18 && s.Tally(fleet.KindApp).Total() == 2 && s.Tally(fleet.KindPod).Total() >= 30 && len(s.Links) > 1
	})
	return d
}

func (d playing) podsOf(owner string) (pods []*fleet.Pod) {
	for p := range fleet.All[*fleet.Pod](d.now(), fleet.KindPod) {
		if w, ok := fleet.WorkloadOf(d.now(), p); ok && w.Name == owner {
			pods = append(pods, p)
		}
	}
	return pods
}

// TestEveryKubernetesActionWorksInTheDemo goes through them while all is well there.
func TestEveryKubernetesActionWorksInTheDemo(t *testing.T) {
	d := playKube(t, incident.Options{Speed: 3, Quiet: true})
	const worker = "k8s-worker-1.novalocal"
	d.run(d.act("node-cordon", worker, nil))
	d.run(d.act("node-taint", worker, actions.Args{"taint": "a=b:NoSchedule"}))
	d.act("app-refresh", "wwwm", nil)
	d.act("app-sync", "wwwm-dev", nil)
	d.run(d.act("workload-scale", "grafana", actions.Args{"replicas": "2"}))
	d.act("workload-restart", "wwwm-spring-be-deployment", nil)
	gone := d.podsOf("grafana")[0]
	d.act("pod-delete", gone.Namespace+"/"+gone.Name, nil)
	d.until("another pod takes its place", func(*fleet.Snapshot) bool {
		return len(d.podsOf("grafana")) == 1 && d.podsOf("grafana")[0].UID != gone.UID
	})
	undo := d.act("node-drain", worker, actions.Args{"local-data": "delete"})
	for p := range fleet.All[*fleet.Pod](d.now(), fleet.KindPod) {
		if p.Node == worker && !p.KeptByNode() {
			t.Errorf("%s is still on the drained node", p.Ref())
		}
	}
	d.run(undo)
}

// TestAPodOfAMachineThatIsOffIsForceDeletedInTheDemo: not before Nova shows that the machine is off.
func TestAPodOfAMachineThatIsOffIsForceDeletedInTheDemo(t *testing.T) {
	d := playKube(t, incident.Options{Speed: 6})
	const pod = "monitoring/prometheus-0"
	forced, _ := actions.Find("pod-delete-force")
	plan := func() actions.Plan {
		s := d.now()
		r, err := find(s, fleet.KindPod, pod)
		if err != nil {
			return actions.Plan{Refused: []string{err.Error()}}
		}
		act, err := forced.Make(s, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return act.Plan(s)
	}
	d.until("it is refused while its machine runs", func(*fleet.Snapshot) bool {
		return strings.Contains(strings.Join(plan().Refused, "; "), "is ACTIVE")
	})
	d.until("it hangs on a machine that is off", func(s *fleet.Snapshot) bool {
		r, err := find(s, fleet.KindPod, pod)
		p, ok := fleet.Find[*fleet.Pod](s, r)
		return err == nil && ok && !p.Deleting.IsZero() && len(plan().Refused) == 0
	})
	if says := strings.Join(plan().Effects, "; "); !strings.Contains(says, "SHUTOFF") {
		t.Errorf("the proof is not said: %s", says)
	}
	d.act("pod-delete-force", pod, nil)
}

// TestLogsAndManifestsAreReadInTheDemo needs no hands.
func TestLogsAndManifestsAreReadInTheDemo(t *testing.T) {
	d := playKube(t, incident.Options{Speed: 3, Quiet: true})
	pod := d.podsOf("grafana")[0].Ref()
	d.a.wishes.Follow(sources.LogWish{Pod: pod})
	d.until("the log grows", func(s *fleet.Snapshot) bool {
		for l := range fleet.All[*fleet.Log](s, fleet.KindLog) {
			return l.Pod == pod.Name && len(l.Lines) >= 2 && slices.Equal(l.Containers, []string{"grafana"})
		}
		return false
	})
	d.a.wishes.Read(pod)
	d.until("the manifest is there", func(s *fleet.Snapshot) bool {
		for m := range fleet.All[*fleet.Manifest](s, fleet.KindManifest) {
			return m.About == pod && strings.Contains(m.Text, `"kind":"Pod"`) && !strings.Contains(m.Text, "managedFields")
		}
		return false
	})
	d.a.wishes.Follow(sources.LogWish{})
	d.a.wishes.Read(fleet.Ref{})
	d.until("nothing is read any more", func(s *fleet.Snapshot) bool {
		return s.Tally(fleet.KindLog).Total() == 0 && s.Tally(fleet.KindManifest).Total() == 0
	})
}
