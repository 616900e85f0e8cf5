package actions

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// serverGuard is where Nova's own guards (the decorators of nova/compute/api.py) allow an action on a server, and
// what would become of it while the nova-compute of the server's host is down.
type serverGuard struct {
	does    string   // "starts", for "nova starts only stopped servers"
	states  []string // vm_states; none allows all
	tasks   []string // task_states in which it is allowed, beside none
	anyTask bool
	unlocks bool   // it is allowed on locked servers too
	hangs   string // what nova makes of it while nova-compute is down; "" when that does not matter
}

// serverRef is the ref of a server by its id.
func serverRef(source, id string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindServer, Source: source, Name: id}
}

// planServer completes a plan with what all actions on servers have: the name, the state now, what forbids it and what
// speaks against it. The server is nil when it is not there, and the plan refused.
func planServer(s *fleet.Snapshot, p Plan, verb string, g serverGuard) (Plan, *fleet.Server) {
	target := p.Action.Target()
	p.Title = verb + " " + target.Name
	sv, ok := fleet.Find[*fleet.Server](s, target)
	if !ok {
		p.Refused = append(p.Refused, "no such server is seen in "+target.Source)
		return p, nil
	}
	p.Title, p.Now = verb+" "+sv.Name, serverNow(sv)
	p.Refused = append(p.Refused, g.refuses(sv)...)
	compute, seen := computeOf(s, sv)
	switch {
	case g.hangs == "":
	case seen && compute.State == "down":
		p.Refused = append(p.Refused, fmt.Sprintf("nova-compute on %s is down: nova would %s", compute.Host, g.hangs))
	case seen && compute.Status == "disabled":
		p.Against = append(p.Against, fmt.Sprintf("nova-compute on %s is disabled (%s)", compute.Host, compute.DisabledReason))
	case !seen:
		p.Against = append(p.Against, "whether nova-compute of its host is up cannot be seen with this token")
	}
	p.Against = append(append(p.Against, old(s, target)...), against(s, p.Action)...)
	return p, sv
}

// lastAsked names the newest entry of a server's history: of a task under way that is who asked for it.
func lastAsked(sv *fleet.Server) string {
	if len(sv.Actions) == 0 {
		return ""
	}
	act := slices.MaxFunc(sv.Actions, func(a, b fleet.ServerAction) int { return a.Start.Compare(b.Start) })
	who := cmp.Or(act.Who(), "nova itself")
	return fmt.Sprintf("; last in its history: %s by %s at %s", act.Action, who, act.Start.UTC().Format("15:04:05Z"))
}

// refuses names the state that forbids it.
func (g serverGuard) refuses(sv *fleet.Server) (why []string) {
	if task := sv.Run.TaskState; task != "" && !g.anyTask && !slices.Contains(g.tasks, task) {
		why = append(why, "nova is busy with it: task_state "+task+lastAsked(sv))
	}
	if vm := vmState(sv); len(g.states) > 0 && !slices.Contains(g.states, vm) {
		told := "vm_state is " + vm
		if sv.Run.VMState == "" {
			told = "status is " + sv.Run.Status
		}
		why = append(why, fmt.Sprintf("nova %s only %s servers; %s", g.does, strings.Join(g.states, ", "), told))
	}
	if sv.Run.Locked.V && !g.unlocks {
		why = append(why, fmt.Sprintf("it is locked%s: unlock it first (openstack server unlock)", lockedBy(sv)))
	}
	return why
}

// vmState is Nova's vm_state, made from the status for a token that is not told.
func vmState(sv *fleet.Server) string {
	switch {
	case sv.Run.VMState != "":
		return sv.Run.VMState
	case sv.Run.Status == "SHUTOFF":
		return "stopped"
	}
	return strings.ToLower(sv.Run.Status)
}

// lockedBy is who locked a server and why, as far as Nova tells: only its list of actions has the user.
func lockedBy(sv *fleet.Server) (says string) {
	for _, a := range sv.Actions {
		if a.Action == "lock" {
			says = " by " + whoDid(a)
			break
		}
	}
	if sv.Run.LockedReason != "" {
		return says + " (" + sv.Run.LockedReason + ")"
	}
	return says + " (no reason given)"
}

func serverNow(sv *fleet.Server) string {
	now := sv.Run.Status
	if sv.Run.TaskState != "" {
		now += " " + sv.Run.TaskState
	}
	stop, ok := sv.LastStop()
	switch {
	case !ok:
	case stop.ByNova():
		now += " since " + stop.Start.UTC().Format("15:04:05Z Jan 2") + ", stopped by nova itself, not by a person"
	default:
		now += " since " + stop.Start.UTC().Format("15:04:05Z Jan 2") + ", stopped by " + whoDid(stop)
	}
	return now
}

// computeOf is the nova-compute of a server's host.
func computeOf(s *fleet.Snapshot, sv *fleet.Server) (*fleet.ComputeService, bool) {
	if sv.Place.Host == "" {
		return nil, false
	}
	return fleet.Find[*fleet.ComputeService](s, fleet.Ref{Kind: fleet.KindCompute, Source: sv.Source, Name: "nova-compute@" + sv.Place.Host})
}

// otherHosts are the hosts that could take a server: those whose nova-compute is enabled and up, but for its own.
// seen is false where this token is not told of any.
func otherHosts(s *fleet.Snapshot, sv *fleet.Server) (hosts []string, seen bool) {
	for c := range fleet.All[*fleet.ComputeService](s, fleet.KindCompute) {
		if c.Source != sv.Source || c.Binary != "nova-compute" {
			continue
		}
		seen = true
		if c.Host != sv.Place.Host && c.State == "up" && c.Status == "enabled" && !c.ForcedDown {
			hosts = append(hosts, c.Host)
		}
	}
	return hosts, seen
}

// anyHost leaves the choice of a host to Nova's scheduler.
const anyHost = "none"

// hostParam asks for the host a server goes to.
func hostParam() Param {
	return Param{
		Name: "host", Help: "where it goes: a host whose nova-compute is enabled and up, or none to let nova's scheduler choose",
		Suggest: func(s *fleet.Snapshot, r fleet.Ref) []string {
			all := []string{anyHost}
			if sv, ok := fleet.Find[*fleet.Server](s, r); ok {
				hosts, _ := otherHosts(s, sv)
				all = append(all, hosts...)
			}
			return all
		},
	}
}

// chosenHost reads what hostParam asked for: "" is the scheduler's choice.
func chosenHost(args Args) string {
	if host := args["host"]; host != anyHost {
		return host
	}
	return ""
}

// refuseHost says why a server cannot go to a host, or nowhere at all.
func refuseHost(s *fleet.Snapshot, sv *fleet.Server, to string) []string {
	hosts, seen := otherHosts(s, sv)
	switch {
	case !seen:
		return nil
	case len(hosts) == 0:
		return []string{"no other host can take it: none has a nova-compute that is enabled and up"}
	case to == sv.Place.Host:
		return []string{"it is on " + to + " already"}
	case to != "" && !slices.Contains(hosts, to):
		return []string{fmt.Sprintf("%s is no host with a nova-compute that is enabled and up; there is %s", to, strings.Join(hosts, ", "))}
	}
	return nil
}

// tellNova sends POST /servers/{id}/action at microversion 2.minor, or the newest there is when that is older but at
// least 2.least. role is who may do it by Nova's default policy; answer takes the body, nil when there is none.
type tellNova struct {
	source, id    string
	doing         string // "stopping"
	role          string
	minor, least  int
	body, answer  any
	leastIsNeeded string // for what
}

func (t tellNova) send(ctx context.Context, hands Hands) error {
	cloud, err := hands.writing.OpenStack(t.source)
	if err != nil {
		return err
	}
	doing := t.doing + " server " + t.id
	client, err := cloud.Compute(ctx, max(1, t.minor))
	if err != nil {
		return inWords(ctx, cloud, t.role, doing, err)
	}
	if have := minorOf(client.Microversion); have < t.least {
		return fmt.Errorf("%s: this nova has no microversion newer than 2.%d: %s needs 2.%d", doing, have, t.leastIsNeeded, t.least)
	}
	if _, err := client.Post(ctx, client.ServiceURL("servers", t.id, "action"), t.body, t.answer, okOrAccepted()); err != nil {
		return inWords(ctx, cloud, t.role, doing, err)
	}
	return nil
}

// actionSince returns the newest entry of Nova's list of a kind that began at that time or later.
func actionSince(sv *fleet.Server, kind string, since time.Time) (fleet.ServerAction, bool) {
	since = since.Add(-clockSlack)
	for _, act := range sv.Actions {
		if act.Action == kind && !act.Start.Before(since) {
			return act, true
		}
	}
	return fleet.ServerAction{}, false
}

// clockSlack is for Nova's times, which have whole seconds and its own clock.
const clockSlack = 2 * time.Second

// novaFailed says that Nova itself reports the failure of an action that began since.
func novaFailed(sv *fleet.Server, kind string, since time.Time) (string, bool) {
	if sv.Fault != nil && sv.Fault.Created.After(since.Add(-clockSlack)) {
		return fmt.Sprintf("nova's fault: %s (%d)", sv.Fault.Message, sv.Fault.Code), true
	}
	act, ok := actionSince(sv, kind, since)
	if !ok {
		return "", false
	}
	for _, e := range act.Events {
		if e.Result == "Error" {
			return strings.TrimSpace("nova's " + e.Event + " ended in Error " + lastLine(e.Details)), true
		}
	}
	return "", false
}

// novaFinished reports whether Nova's list has an action that began since, with all its events over and well.
func novaFinished(sv *fleet.Server, kind string, since time.Time) bool {
	act, ok := actionSince(sv, kind, since)
	if !ok || sv.Run.TaskState != "" || sv.Times.Updated.Before(act.Start.Truncate(time.Second)) {
		return false
	}
	for _, e := range act.Events {
		if e.Finish.IsZero() || e.Result == "Error" {
			return false
		}
	}
	return true
}

// overtaken says that what an action did was undone by another before it was seen.
func overtaken(sv *fleet.Server, kind, by string, since time.Time) (string, bool) {
	since = since.Add(-clockSlack)
	for i, act := range sv.Actions {
		if act.Action != by || act.Start.Before(since) {
			continue
		}
		for _, before := range sv.Actions[i+1:] {
			if before.Action == kind && !before.Start.Before(since) {
				return fmt.Sprintf("nova carried out the %s, and after that a %s by %s", kind, by, whoDid(act)), true
			}
		}
	}
	return "", false
}

// whoDid names who did it, for a sentence.
func whoDid(act fleet.ServerAction) string {
	switch {
	case act.ByNova():
		return "nova itself"
	case act.UserName == "":
		return "user " + act.User
	}
	return act.UserName
}

// lastLine is the sentence at the end of a traceback.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// openstackArgv returns the argv of the openstack client for a source.
func openstackArgv(source string, args ...string) []string {
	argv := []string{"openstack"}
	if cloud := strings.TrimPrefix(source, "openstack/"); cloud != "" && cloud != connect.EnvCloud {
		argv = append(argv, "--os-cloud", cloud)
	}
	return append(argv, args...)
}
