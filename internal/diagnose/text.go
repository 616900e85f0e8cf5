package diagnose

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// clock is a time of day in UTC, with the date when that is not the snapshot's.
func clock(s *fleet.Snapshot, t time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) == s.At.UTC().Format(time.DateOnly) {
		return t.Format("15:04:05Z")
	}
	return t.Format("2006-01-02 15:04:05Z")
}

// sentence makes one short line of what the world says.
func sentence(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	const most = 160
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// ending is the last part of a message: those of the cluster say from where to where an error went, and what it was last.
func ending(text string) string {
	const most = 120
	for len(text) > most {
		_, rest, ok := strings.Cut(text, ": ")
		if !ok {
			break
		}
		text = rest
	}
	return sentence(text)
}

// names lists up to three.
func names(all []string) string {
	switch n := len(all); {
	case n == 0:
		return "nothing"
	case n == 1:
		return all[0]
	case n <= 3:
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	default:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:3], ", "), n-3)
	}
}

// plural is "1 server", "2 servers".
func plural[N int | int32 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// because is one piece of evidence.
func because(o fleet.Object, at time.Time, where, format string, args ...any) fleet.Evidence {
	return fleet.Evidence{At: at, Ref: o.Ref(), Where: where, Says: fmt.Sprintf(format, args...)}
}

func bytes[N uint64 | float64](n N) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 5 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}
