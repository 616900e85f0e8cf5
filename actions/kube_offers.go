package actions

import (
	"fmt"
	"strconv"
	"time"

	"strata/internal/fleet"
)

// kubeOffers are the actions on what Kubernetes runs.
func kubeOffers() []Offer {
	return append(nodeOffers(),
		offer[DeletePod](Offer{
			Key: "d", Title: "delete pod", Kind: fleet.KindPod,
			Params: []Param{{Name: "grace", Help: "seconds its containers have to end; empty is what the pod says, at least 1"}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				a := DeletePod{Source: r.Source, Pod: r.Name}
				err := args.seconds("grace", 1, &a.Grace)
				return a, err
			},
		}),
		offer[ForceDeletePod](Offer{
			Key: "F", Title: "force-delete pod of a machine that is off", Kind: fleet.KindPod,
			New: plainly(func(r fleet.Ref) ForceDeletePod { return ForceDeletePod{Source: r.Source, Pod: r.Name} }),
		}),
		offer[RestartWorkload](Offer{
			Key: "r", Title: "restart workload", Kind: fleet.KindWorkload,
			New: plainly(func(r fleet.Ref) RestartWorkload { return RestartWorkload{r.Source, r.Name} }),
		}),
		offer[ScaleWorkload](Offer{
			Key: "s", Title: "scale workload", Kind: fleet.KindWorkload,
			Params: []Param{{Name: "replicas", Help: "how many pods it shall have", Suggest: replicasNow}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				n, err := strconv.ParseInt(args["replicas"], 10, 32)
				if err != nil || n < 0 || n > 10_000 {
					return nil, fmt.Errorf("replicas must be a number from 0 to 10000, not %q", args["replicas"])
				}
				return ScaleWorkload{Source: r.Source, Workload: r.Name, Replicas: int32(n)}, nil
			},
		}),
		offer[RefreshApp](Offer{
			Key: "r", Title: "refresh application", Kind: fleet.KindApp,
			Params: []Param{{Name: "mode", Help: "normal, or hard to make the manifests anew", Suggest: choices("normal", "hard")}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				mode, err := args.among("mode", "normal", "hard")
				return RefreshApp{r.Source, r.Name, mode}, err
			},
		}),
		offer[SyncApp](Offer{
			Key: "s", Title: "sync application", Kind: fleet.KindApp,
			Params: []Param{
				{Name: "revision", Help: "commit, branch or tag; empty is what it follows"},
				{Name: "prune", Help: "yes deletes what the repository no longer has", Suggest: choices("no", "yes")},
			},
			New: func(r fleet.Ref, args Args) (Action, error) {
				prune, err := args.among("prune", "no", "yes")
				return SyncApp{r.Source, r.Name, args["revision"], prune == "yes"}, err
			},
		}),
	)
}

func nodeOffers() []Offer {
	return []Offer{
		offer[CordonNode](Offer{
			Key: "c", Title: "cordon node", Kind: fleet.KindNode,
			New: plainly(func(r fleet.Ref) CordonNode { return CordonNode{r.Source, r.Name} }),
		}),
		offer[UncordonNode](Offer{
			Key: "u", Title: "uncordon node", Kind: fleet.KindNode,
			New: plainly(func(r fleet.Ref) UncordonNode { return UncordonNode{r.Source, r.Name} }),
		}),
		offer[DrainNode](Offer{
			Key: "d", Title: "drain node", Kind: fleet.KindNode,
			Params: []Param{
				{Name: "local-data", Help: "refuse, or delete the emptyDir data of its pods", Suggest: choices("refuse", "delete")},
				{Name: "force", Help: "yes also evicts pods that nothing makes again", Suggest: choices("no", "yes")},
				{Name: "grace", Help: "seconds each pod has to end; empty is what the pod says"},
				{Name: "timeout", Help: "how long all of it may take, such as 10m", Suggest: choices("10m", "30m", "2m")},
			},
			New: newDrain,
		}),
		offer[TaintNode](Offer{
			Key: "t", Title: "taint node", Kind: fleet.KindNode,
			Params: []Param{{Name: "taint", Help: "KEY=VALUE:EFFECT; the effect is NoSchedule, PreferNoSchedule or NoExecute", Suggest: choices("maintenance=yes:NoSchedule")}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				key, value, effect, err := parseTaint(args["taint"])
				return TaintNode{r.Source, r.Name, key, value, effect}, err
			},
		}),
		offer[UntaintNode](Offer{
			Key: "T", Title: "take a taint off node", Kind: fleet.KindNode,
			Params: []Param{{Name: "taint", Help: "KEY:EFFECT", Suggest: taintsOf}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				if args["taint"] == "" {
					return nil, fmt.Errorf("it has no taint that could be taken off")
				}
				key, _, effect, err := parseTaint(args["taint"])
				return UntaintNode{r.Source, r.Name, key, effect}, err
			},
		}),
	}
}

func newDrain(r fleet.Ref, args Args) (Action, error) {
	a := DrainNode{Source: r.Source, Node: r.Name}
	local, err := args.among("local-data", "refuse", "delete")
	if err != nil {
		return nil, err
	}
	force, err := args.among("force", "no", "yes")
	if err != nil {
		return nil, err
	}
	if err := args.seconds("grace", 1, &a.Grace); err != nil {
		return nil, err
	}
	limit, err := time.ParseDuration(args["timeout"])
	if err != nil || limit < time.Second || limit > 24*time.Hour {
		return nil, fmt.Errorf("timeout must be a time such as 10m, not %q", args["timeout"])
	}
	a.LocalData, a.Force, a.Timeout = local == "delete", force == "yes", limit
	return a, nil
}

// choices suggests fixed values.
func choices(all ...string) func(*fleet.Snapshot, fleet.Ref) []string {
	return func(*fleet.Snapshot, fleet.Ref) []string { return all }
}

func replicasNow(s *fleet.Snapshot, r fleet.Ref) []string {
	w, ok := fleet.Find[*fleet.Workload](s, r)
	if !ok {
		return nil
	}
	n := int(w.Replicas.Want)
	return []string{strconv.Itoa(n), strconv.Itoa(n + 1), strconv.Itoa(max(0, n-1))}
}

// among returns a value that must be one of those.
func (args Args) among(name string, all ...string) (string, error) {
	for _, one := range all {
		if args[name] == one {
			return one, nil
		}
	}
	return "", fmt.Errorf("%s must be one of %q, not %q", name, all, args[name])
}

// seconds reads a number of seconds that may be left out.
func (args Args) seconds(name string, least int, into *fleet.Opt[int]) error {
	if args[name] == "" {
		return nil
	}
	n, err := strconv.Atoi(args[name])
	if err != nil || n < least || n > 86_400 {
		return fmt.Errorf("%s must be a number of seconds from %d to 86400, not %q", name, least, args[name])
	}
	*into = fleet.Some(n)
	return nil
}
