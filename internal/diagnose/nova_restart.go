package diagnose

import (
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// restartRules judge what starting a server again leads to.
func restartRules() []Rule {
	return []Rule{{
		ID: "NOVA-09", Title: "start without effect", Kind: fleet.KindServer, Severity: fleet.Serious, Confidence: fleet.Medium,
		Source:   "heuristic: a stop by nova within 5 min after a start; for a day, or until a later start has lasted for longer",
		Explains: []string{"NOVA-01"}, Fold: Fold{Within: time.Minute}, Judge: on(startInVain),
	}, {
		ID: "X-08", Title: "restarts hide the cause", Kind: fleet.KindServer, Severity: fleet.Warn,
		Source: "heuristic: 3 starts in 7 d, each within 5 min after a stop by nova; systemd, Masakari and node health checks all give up after a few tries",
		Judge:  on(masked),
	}}
}

// pair is an action on a server's power and the one that followed it.
type pair struct{ first, then fleet.ServerAction }

// powerPairs returns what followed what, newest first, as far back as since.
func powerPairs(v *fleet.Server, since time.Time) (all []pair) {
	var then fleet.ServerAction
	for _, a := range v.Actions {
		if !ofPower(a) {
			continue
		}
		if a.Start.Before(since) {
			return all
		}
		if then.Action != "" {
			all = append(all, pair{a, then})
		}
		then = a
	}
	return all
}

func ofPower(a fleet.ServerAction) bool {
	return slices.Contains([]string{"start", "stop", "reboot", "rebuild", "create"}, a.Action)
}

// holds tells when a server that runs will have done so for longer than one that was started in vain; false where it does not run.
func holds(v *fleet.Server) (from time.Time, ok bool) {
	i := slices.IndexFunc(v.Actions, ofPower)
	if v.Run.Status != "ACTIVE" || i < 0 || v.Actions[i].Action != "start" && v.Actions[i].Action != "reboot" {
		return time.Time{}, false
	}
	return v.Actions[i].Start.Add(soon), true
}

func (p pair) gap() time.Duration { return p.then.Start.Sub(p.first.Start) }

func (p pair) is(first, then string, within time.Duration) bool {
	return p.first.Action == first && p.then.Action == then && p.gap() <= within
}

// soon is how quickly a stop must follow a start, or a start a stop, for one to have led to the other.
const soon = 5 * time.Minute

func startInVain(s *fleet.Snapshot, v *fleet.Server) Verdict {
	const lasts = 24 * time.Hour
	if v.Actions == nil {
		return actionsUnread(v)
	}
	verdict := Verdict{State: OK}
	again, runs := holds(v)
	if runs && !s.At.Before(again) {
		return verdict
	}
	n := 0
	for _, p := range powerPairs(v, s.At.Add(-lasts-soon)) {
		end := p.then.Start.Add(lasts)
		if !p.is("start", "stop", soon) || !p.then.ByNova() || !s.At.Before(end) {
			continue
		}
		if n++; n == 1 {
			verdict.State, verdict.Since = Bad, p.then.Start
			verdict.Says = fmt.Sprintf("%s went off %s after it was started at %s", v.Name, p.gap(), clock(s, p.first.Start))
		}
		verdict.Again = sooner(again, end) // of the oldest: then they are fewer
		verdict.Because = append(verdict.Because, actionEvidence(v, p.first)[0], actionEvidence(v, p.then)[0])
	}
	if n > 1 {
		verdict.Says += fmt.Sprintf(", the %s such start in a day", ordinal(n))
	}
	if n > 0 {
		verdict.Says += ": another start will hardly hold; memory and disk of its host, and its own console, come first"
		verdict.Missing = []string{"how it died: openstack console log show " + v.ID + ", and " + whyOff(v)}
	}
	return verdict
}

func ordinal(n int) string {
	if n < 6 {
		return [...]string{"zeroth", "first", "second", "third", "fourth", "fifth"}[n]
	}
	return fmt.Sprintf("%dth", n)
}

func masked(s *fleet.Snapshot, v *fleet.Server) Verdict {
	const lasts, undo = 7 * 24 * time.Hour, 2 * time.Minute
	if v.Actions == nil {
		return actionsUnread(v)
	}
	var quick, undone []pair
	for _, p := range powerPairs(v, s.At.Add(-lasts)) {
		switch {
		case !s.At.Before(p.first.Start.Add(lasts)):
		case p.is("stop", "start", soon) && p.first.ByNova():
			quick = append(quick, p)
		case p.is("stop", "start", undo) && p.first.User != "" && p.first.User == p.then.User:
			undone = append(undone, p)
		}
	}
	if len(quick) < 3 {
		return Verdict{State: OK}
	}
	var who []string
	verdict := Verdict{State: Bad, Since: quick[0].then.Start, Again: quick[len(quick)-1].first.Start.Add(lasts)}
	for _, p := range quick {
		if name := person(p.then); !slices.Contains(who, name) {
			who = append(who, name)
		}
		verdict.Because = append(verdict.Because, actionEvidence(v, p.first)[0], actionEvidence(v, p.then)[0])
	}
	verdict.Says = fmt.Sprintf("%s was started again within minutes of %d stops by nova in 7 d, by %s: that hides why it goes off; let it stay off after a few tries, and look first",
		v.Name, len(quick), names(who))
	if len(undone) < 2 {
		return verdict
	}
	verdict.Says += fmt.Sprintf("; %d stops that %s made were undone the same way", len(undone), person(undone[0].first))
	for _, p := range undone {
		verdict.Again = sooner(verdict.Again, p.first.Start.Add(lasts))
		verdict.Because = append(verdict.Because, because(v, p.then.Start, "nova os-instance-actions",
			"a stop with a user_id at %s, and a start by the same user %s later: a script that starts whatever is off undoes what people do", p.first.Start.UTC().Format(time.RFC3339), p.gap()))
	}
	return verdict
}
