package host

import (
	"time"

	"strata/internal/fleet"
)

// lostFor is how long it is told that a domain lost its limit.
const lostFor = 24 * time.Hour

// limits remembers what domains were limited to. A scope takes its limits with it when it ends, and the next start of the
// domain has another one: who set the limit hears nothing of that.
type limits map[string]remembered // by domain

type remembered struct {
	unit string // the scope that was limited
	lost []fleet.LostLimit
}

// follow learns from a unit that was just read, and says in it what an earlier scope of its domain was limited to.
func (l limits) follow(u *fleet.Unit, now time.Time) {
	if u.Domain == "" || u.Lacks("io.max") {
		return
	}
	var has []fleet.LostLimit
	for i := range u.IO {
		if d := &u.IO[i]; d.Limit.Any() {
			has = append(has, fleet.LostLimit{Disk: d.Disk, Limit: d.Limit, Unit: u.Name})
		}
	}
	last, known := l[u.Domain]
	switch {
	case len(has) > 0:
		l[u.Domain] = remembered{u.Name, has}
	case !known:
	case last.unit == u.Name || !last.lost[0].At.IsZero() && now.Sub(last.lost[0].At) >= lostFor:
		delete(l, u.Domain)
	default:
		for i := range last.lost {
			if last.lost[i].At.IsZero() {
				last.lost[i].At = now
			}
		}
		u.Lost = last.lost
	}
}
