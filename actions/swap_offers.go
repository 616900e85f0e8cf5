package actions

import (
	"fmt"
	"strconv"

	"strata/internal/fleet"
)

// swapOffers are the actions on swap areas and how hosts swap.
func swapOffers() []Offer {
	when := Param{"boot", "now: until the next boot; boot: only at boot (fstab or unit); now+boot: both", func(*fleet.Snapshot, fleet.Ref) []string {
		return []string{swapNowOnly, swapBoth, swapAtBoot}
	}}
	override := Param{"override", "yes: even if memory looks too short; the host's name must be typed then", func(*fleet.Snapshot, fleet.Ref) []string {
		return []string{"no", "yes"}
	}}
	return []Offer{
		offer[SwapOff](Offer{
			Key: "f", Title: "turn swap off", Kind: fleet.KindSwap, Params: []Param{when, override},
			New: turning(func(t turn) Action { return SwapOff{t} }),
		}),
		offer[SwapOn](Offer{
			Key: "o", Title: "turn swap on", Kind: fleet.KindSwap, Params: []Param{when},
			New: turning(func(t turn) Action { return SwapOn{t} }),
		}),
		offer[HostSwapOff](Offer{
			Key: "f", Title: "turn all swap off", Kind: fleet.KindHost, Params: []Param{when, override},
			New: turning(func(t turn) Action { return HostSwapOff{t} }),
		}),
		offer[HostSwapOn](Offer{
			Key: "o", Title: "turn all swap on", Kind: fleet.KindHost, Params: []Param{when},
			New: turning(func(t turn) Action { return HostSwapOn{t} }),
		}),
		offer[Swappiness](Offer{
			Key: "w", Title: "set swappiness", Kind: fleet.KindHost, New: newSwappiness,
			Params: []Param{
				{"value", "vm.swappiness, 0 to 200: the lower, the less the kernel swaps", func(*fleet.Snapshot, fleet.Ref) []string { return []string{"10", "1", "60"} }},
				{"keep", "no: until the next boot; yes: at boot too, in " + fleet.SysctlFile, func(*fleet.Snapshot, fleet.Ref) []string { return []string{"no", "yes"} }},
			},
		}),
	}
}

func turning(of func(turn) Action) func(fleet.Ref, Args) (Action, error) {
	return func(r fleet.Ref, args Args) (Action, error) {
		override, err := yes("override", args["override"])
		return of(turn{Source: r.Source, Target: r.Name, When: args["boot"], Override: override}), err
	}
}

func newSwappiness(r fleet.Ref, args Args) (Action, error) {
	n, err := strconv.Atoi(args["value"])
	if err != nil {
		return nil, fmt.Errorf("value=%q is no number from 0 to 200", args["value"])
	}
	keep, err := yes("keep", args["keep"])
	a := Swappiness{Source: r.Source, Host: r.Name, Value: n, Keep: keepLeave}
	if keep {
		a.Keep, a.Kept = keepSet, n
	}
	return a, err
}

// yes reads yes and no; "" is no.
func yes(param, text string) (bool, error) {
	switch text {
	case "yes":
		return true, nil
	case "no", "":
		return false, nil
	}
	return false, fmt.Errorf("%s=%q is neither yes nor no", param, text)
}
