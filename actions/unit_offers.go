package actions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"strata/internal/fleet"
)

// unitOffers are the actions on systemd units: limits on I/O and swap.
func unitOffers() []Offer {
	return []Offer{
		offer[LimitUnit](Offer{
			Key: "l", Title: "limit disk I/O", Kind: fleet.KindUnit, New: newLimit, Mend: mendLimit,
			Params: []Param{
				{"device", "the disk, as in /sys/block; a partition or volume means the disk below it", suggestDisks},
				{"read", "bytes per second to read at most: 2M, 500K (K is 1000, as in systemd), none for no limit, empty leaves it as it is", suggestLost("read")},
				{"write", "bytes per second to write at most, the same way; offered is a quarter of what it writes now", suggestWrite},
				{"riops", "reads per second at most: a number, none for no limit, empty leaves it as it is", suggestLost("riops")},
				{"wiops", "writes per second at most: a number, none for no limit, empty leaves it as it is", suggestLost("wiops")},
				{"for", "until-restart, a time after which systemd clears it (2h), or kept", suggestFor},
			},
		}),
		offer[UnlimitUnit](Offer{
			Key: "u", Title: "clear disk I/O limits", Kind: fleet.KindUnit,
			Params: []Param{
				{"device", "the disk, or all", suggestLimited},
				{"for", "until-restart, or kept: for the next boot too", func(*fleet.Snapshot, fleet.Ref) []string { return []string{untilRestart, kept} }},
			},
			New: func(r fleet.Ref, args Args) (Action, error) {
				if !slices.Contains([]string{untilRestart, kept}, args["for"]) {
					return nil, fmt.Errorf("for=%q is neither until-restart nor kept", args["for"])
				}
				device := args["device"]
				if device == "all" {
					device = ""
				}
				return UnlimitUnit{Source: r.Source, Unit: r.Name, Device: device, Keep: args["for"] == kept}, nil
			},
		}),
		offer[LimitUnitSwap](Offer{
			Key: "w", Title: "keep from swapping", Kind: fleet.KindUnit,
			Params: []Param{{"max", "how much of it may be in swap: 0, a number of bytes such as 500M, none for no limit", func(*fleet.Snapshot, fleet.Ref) []string { return []string{"0", "none"} }}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				n, err := parseLimit("max", args["max"])
				if err == nil && !n.OK {
					err = fmt.Errorf("max is missing: give 0, a number such as 500M, or none")
				}
				return LimitUnitSwap{Source: r.Source, Unit: r.Name, Max: n.V}, err
			},
		}),
		offer[RestoreLimits](Offer{Title: "restore disk I/O limits", Kind: fleet.KindUnit}),
	}
}

func newLimit(r fleet.Ref, args Args) (Action, error) {
	a := LimitUnit{Source: r.Source, Unit: r.Name, Device: args["device"], For: args["for"]}
	for _, v := range limitValues() {
		n, err := parseLimit(v.param, args[v.param])
		if err != nil {
			return nil, err
		}
		*v.of(&a.Set) = n
	}
	return a, nil
}

// suggestDisks offers the disks that a unit touches, the busiest first.
func suggestDisks(s *fleet.Snapshot, r fleet.Ref) (names []string) {
	for _, io := range busiest(s, r) {
		names = append(names, io.Disk)
	}
	if u, ok := fleet.Find[*fleet.Unit](s, r); ok && names == nil {
		for d := range fleet.All[*fleet.Disk](s, fleet.KindDisk) {
			if d.Source == u.Source {
				names = append(names, d.Name)
			}
		}
	}
	return names
}

// suggestWrite offers what was lost, and about a quarter of what a unit writes to its busiest disk now. Nothing comes first:
// a limit that nobody asked for must not come with another.
func suggestWrite(s *fleet.Snapshot, r fleet.Ref) []string {
	all := busiest(s, r)
	if lost := suggestLost("write")(s, r); len(lost) > 2 {
		return lost
	}
	if len(all) == 0 || !all[0].WriteBytesSec.OK {
		return []string{"", "2M", "none"}
	}
	return []string{"", quarter(all[0].WriteBytesSec.V), "none"}
}

// mendLimit is what was lost, else a quarter of what a unit writes now.
func mendLimit(s *fleet.Snapshot, r fleet.Ref) Args {
	args := Args{}
	for _, v := range limitValues() {
		if lost := suggestLost(v.param)(s, r); len(lost) > 2 {
			args[v.param] = lost[1]
		}
	}
	if all := busiest(s, r); len(args) == 0 && len(all) > 0 && all[0].WriteBytesSec.V > 0 {
		args["write"] = quarter(all[0].WriteBytesSec.V)
	}
	if len(args) == 0 {
		return nil
	}
	return args
}

// quarter is about a quarter of a rate, in two digits and not below 500K: less starves a guest.
func quarter(rate float64) string {
	n := max(rate/4, 500e3)
	digits := math.Pow(10, math.Floor(math.Log10(n))-1)
	return decimal(math.Round(n/digits) * digits)
}

// suggestLost offers the limit that an earlier scope of the unit's domain had, by the name of its parameter.
func suggestLost(param string) func(*fleet.Snapshot, fleet.Ref) []string {
	return func(s *fleet.Snapshot, r fleet.Ref) []string {
		values := []string{""}
		if u, ok := fleet.Find[*fleet.Unit](s, r); ok && len(u.Lost) > 0 {
			for _, v := range limitValues() {
				if was := *v.of(&u.Lost[0].Limit); v.param == param && was.OK {
					values = append(values, strconv.FormatUint(was.V, 10))
				}
			}
		}
		return append(values, "none")
	}
}

func suggestFor(s *fleet.Snapshot, r fleet.Ref) []string {
	if u, ok := fleet.Find[*fleet.Unit](s, r); ok && u.Domain == "" && (LimitUnit{For: kept, Set: fleet.IOLimit{ReadsSec: fleet.Some[uint64](1)}}).refuse(u) == nil {
		return []string{untilRestart, "2h", kept}
	}
	return []string{untilRestart, "2h"}
}

func suggestLimited(s *fleet.Snapshot, r fleet.Ref) []string {
	names := []string{"all"}
	if u, ok := fleet.Find[*fleet.Unit](s, r); ok {
		for _, io := range u.IO {
			if io.Limit.Any() {
				names = append(names, io.Disk)
			}
		}
	}
	return names
}

// busiest are the disks of a unit, the one it loads most first.
func busiest(s *fleet.Snapshot, r fleet.Ref) []fleet.UnitIO {
	u, ok := fleet.Find[*fleet.Unit](s, r)
	if !ok {
		return nil
	}
	load := func(io fleet.UnitIO) float64 { return io.ReadBytesSec.Or(0) + io.WriteBytesSec.Or(0) }
	return slices.SortedStableFunc(slices.Values(u.IO), func(a, b fleet.UnitIO) int { return cmp.Compare(load(b), load(a)) })
}
