package diagnose

import (
	"slices"
	"time"

	"strata/internal/fleet"
)

// Power is whether a server ran during a span of time.
type Power uint8

// What a server did during a span. Where no action of it is known to have come before, it is not known.
const (
	PowerUnknown Power = iota
	PowerNone          // it was not made yet
	PowerOff
	PowerUp
	PowerBoth // it went on, off or through a reboot
)

// turn is when an action turned a server on or off.
type turn struct {
	at time.Time
	to Power
}

// PowerOf divides the time from one moment to another into n equal spans and tells what a server did in each, by nova's list
// of its actions and its status now, which holds at the end of the last one. It is nil when that list was not fetched.
func PowerOf(s *fleet.Server, from, to time.Time, n int) []Power {
	if s.Actions == nil || n < 1 || !from.Before(to) {
		return nil
	}
	turns := turnsOf(s)
	out := make([]Power, n)
	now, next := PowerUnknown, 0
	if len(s.Actions) > 0 && s.Actions[len(s.Actions)-1].Action == "create" {
		now = PowerNone
	}
	for ; next < len(turns) && !turns[next].at.After(from); next++ {
		now = turns[next].to
	}
	for i := range out {
		end := from.Add(to.Sub(from) * time.Duration(i+1) / time.Duration(n))
		out[i] = now
		for ; next < len(turns) && (turns[next].at.Before(end) || i == n-1 && !turns[next].at.After(end)); next++ {
			if now = turns[next].to; out[i] != now {
				out[i] = join(out[i], now)
			}
		}
	}
	return out
}

// join is what a span is called in which a server was this and then that.
func join(before, then Power) Power {
	if before == PowerUnknown || before == PowerNone {
		return then
	}
	return PowerBoth
}

// turnsOf are the turns of a server, oldest first. Where its status contradicts the last one, what became of it since is not known.
func turnsOf(s *fleet.Server) (turns []turn) {
	for _, a := range slices.Backward(s.Actions) {
		if a.Failed() {
			continue
		}
		switch a.Action {
		case "reboot", "rebuild":
			turns = append(turns, turn{a.Start, PowerOff}, turn{a.Start, PowerUp})
		case "create", "start", "resume", "unpause", "unshelve", "restore", "rescue", "unrescue":
			turns = append(turns, turn{a.Start, PowerUp})
		case "stop", "pause", "suspend", "shelve", "delete", "softDelete":
			turns = append(turns, turn{a.Start, PowerOff})
		}
	}
	now := PowerOff
	switch s.Run.Status {
	case "ACTIVE", "RESCUE", "PASSWORD":
		now = PowerUp
	case "SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED", "DELETED", "SOFT_DELETED":
	default:
		return turns // it says nothing of it
	}
	if last := len(turns) - 1; last >= 0 && turns[last].to != now {
		turns = append(turns, turn{turns[last].at.Add(time.Second), PowerUnknown})
	}
	return turns
}
