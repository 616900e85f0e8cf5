package diagnose

import (
	"cmp"
	"fmt"
	"time"

	"strata/internal/fleet"
)

func volumeRules() []Rule {
	return []Rule{{
		ID: "K8S-09", Title: "claim without volume", Kind: fleet.KindClaim, Severity: fleet.Serious,
		Source: "persistentvolumeclaim status.phase; Pending for 2 min. pv-controller: it notes who is to make the volume as soon as it wants one made, which of a class with WaitForFirstConsumer is when a pod comes",
		Hold:   2 * time.Minute, Explains: []string{"ARGO-02"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindEvent}}, Judge: on(claimUnbound),
	}, {
		ID: "K8S-26", Title: "volume failed", Kind: fleet.KindVolume, Severity: fleet.Critical,
		Source: "persistentvolume status.phase Failed", Explains: []string{"K8S-09"}, Judge: on(volumeFailed),
	}, {
		ID: "K8S-10", Title: "data tied to one node, the pod is not", Kind: fleet.KindVolume, Severity: fleet.Info, // a risk, not a fault: nothing is lost while its pod stays
		Source:     "hostPath volume without nodeAffinity: on another node its path is another, empty one",
		Confidence: fleet.Medium, Judge: on(hostPathTrap),
	}}
}

func claimUnbound(s *fleet.Snapshot, c *fleet.Claim) Verdict {
	name := c.Namespace + "/" + c.Name
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{claimEvidence(c)}}
	switch c.Phase {
	case "":
		return Verdict{State: CannotTell, Missing: []string{"kubectl -n " + c.Namespace + " get pvc " + c.Name}}
	case "Lost":
		verdict.Severity, verdict.Now = fleet.Critical, true
		verdict.Says = fmt.Sprintf("%s lost its volume %s", name, cmp.Or(c.Volume, "(no name)"))
	case "Pending":
		verdict.Since, verdict.Confidence = c.Created, fleet.Medium
		verdict.Says = fmt.Sprintf("%s waits for a volume of class %s", name, cmp.Or(c.Class, "(none)"))
		why, warned := warning(s, c.Ref())
		switch {
		case warned:
			verdict.Says += ": " + ending(why.Message)
			verdict.Because = append(verdict.Because, eventEvidence(why))
		case c.Provisioner != "":
			verdict.Says += ", which " + c.Provisioner + " was asked to make"
			verdict.Missing = []string{"what became of that: kubectl -n " + c.Namespace + " describe pvc " + c.Name}
		case c.Class != "" && c.Volume == "":
			verdict.Severity = fleet.Info
			verdict.Says += ", which nobody was asked to make yet: it waits for its first pod, or for a volume made by hand"
		default:
			verdict.Missing = []string{"what it waits for: kubectl -n " + c.Namespace + " describe pvc " + c.Name}
		}
	default:
		return Verdict{State: OK}
	}
	return verdict
}

func claimEvidence(c *fleet.Claim) fleet.Evidence {
	return because(c, time.Time{}, "pvc", "phase=%s volumeName=%s storageClassName=%s storage-provisioner=%s",
		c.Phase, cmp.Or(c.Volume, "-"), cmp.Or(c.Class, "-"), cmp.Or(c.Provisioner, "-"))
}

func volumeEvidence(v *fleet.Volume) fleet.Evidence {
	return because(v, time.Time{}, "pv", "phase=%s claim=%s backing=%s path=%s reclaim=%s message=%s",
		v.Phase, cmp.Or(v.Claim, "-"), cmp.Or(v.Backing, "?"), cmp.Or(v.HostPath, "-"), cmp.Or(v.Reclaim, "?"), cmp.Or(sentence(v.Message), "-"))
}

func volumeFailed(_ *fleet.Snapshot, v *fleet.Volume) Verdict {
	switch v.Phase {
	case "":
		return Verdict{State: CannotTell, Missing: []string{"kubectl get pv " + v.Name}}
	case "Failed":
		return Verdict{
			State: Bad, Because: []fleet.Evidence{volumeEvidence(v)},
			Says: fmt.Sprintf("volume %s failed: %s", v.Name, cmp.Or(sentence(v.Message), "no message")),
		}
	}
	return Verdict{State: OK}
}

func hostPathTrap(_ *fleet.Snapshot, v *fleet.Volume) Verdict {
	switch {
	case v.Backing == "":
		return Verdict{State: CannotTell, Missing: []string{"what backs it: kubectl describe pv " + v.Name}}
	case v.Backing != "hostPath" || v.Pinned || v.Claim == "":
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Because: []fleet.Evidence{volumeEvidence(v)},
		Says:    fmt.Sprintf("%s keeps its data in %s of whichever node its pod runs on: on another node it seems lost", v.Claim, cmp.Or(v.HostPath, "a hostPath")),
		Missing: []string{"whether its pods are pinned to a node themselves: kubectl get pods -o wide, spec.nodeSelector"},
	}
}
