package diagnose

import (
	"cmp"
	"fmt"
	"time"

	"strata/internal/fleet"
)

func resizeRules() []Rule {
	return []Rule{{
		ID: "NOVA-08", Title: "resized again and again", Kind: fleet.KindServer, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "nova/compute/api.py resize: from ACTIVE and STOPPED only, and one that works waits in RESIZED for confirmResize or revertResize; " +
			"two within an hour, for a day",
		Judge: on(resizeChurn),
	}}
}

// resizeRun returns the newest resizes that nobody confirmed or reverted, at most an hour from one to the next, newest first.
func resizeRun(v *fleet.Server) (run []fleet.ServerAction) {
	for _, a := range v.Actions {
		switch {
		case a.Action == "confirmResize" || a.Action == "revertResize":
			return run
		case a.Action != "resize":
		case len(run) > 0 && run[len(run)-1].Start.Sub(a.Start) > time.Hour:
			return run
		default:
			run = append(run, a)
		}
	}
	return run
}

func resizeChurn(s *fleet.Snapshot, v *fleet.Server) Verdict {
	const lasts = 24 * time.Hour
	if v.Actions == nil {
		return actionsUnread(v)
	}
	run := resizeRun(v)
	if len(run) < 2 || !s.At.Before(run[0].Start.Add(lasts)) {
		return Verdict{State: OK}
	}
	newest, oldest := run[0], run[len(run)-1]
	verdict := Verdict{
		State: Bad, Since: oldest.Start, Again: newest.Start.Add(lasts),
		Says: fmt.Sprintf("%s was resized %d times from %s to %s and none was confirmed or reverted: at least all but the last failed",
			v.Name, len(run), clock(s, oldest.Start), clock(s, newest.Start)),
	}
	told := false
	for _, a := range run {
		verdict.Because = append(verdict.Because, actionEvidence(v, a)[0])
		for _, e := range a.Events {
			if e.Result == "Error" || e.Details != "" {
				verdict.Because = append(verdict.Because, because(v, e.Start, "nova os-instance-actions events", "%s %s %s", e.Event, cmp.Or(e.Result, "running"), sentence(e.Details)))
				told = told || e.Details != ""
			}
		}
	}
	if !told {
		verdict.Missing = []string{"why they failed: openstack server event show " + v.ID + " " + newest.Request}
	}
	return verdict
}
