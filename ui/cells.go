package ui

import (
	"strconv"
	"strings"

	"strata/actions"
	"strata/internal/fleet"
)

// of makes a cell function of one object type out of a general one.
func of[T fleet.Object](f func(*scene, T) cell) func(*scene, fleet.Object) cell {
	return func(c *scene, o fleet.Object) cell {
		if t, ok := o.(T); ok {
			return f(c, t)
		}
		return cell{}
	}
}

func text[T fleet.Object](f func(T) string) func(fleet.Object) sortKey {
	return func(o fleet.Object) sortKey {
		if t, ok := o.(T); ok {
			return sortKey{str: f(t)}
		}
		return sortKey{}
	}
}

func number[T fleet.Object](f func(T) float64) func(fleet.Object) sortKey {
	return func(o fleet.Object) sortKey {
		if t, ok := o.(T); ok {
			return sortKey{num: f(t)}
		}
		return sortKey{}
	}
}

// worst sorts by the object's own state.
func worst(_ fleet.Object, s fleet.State) sortKey { return sortKey{num: float64(s.Rank())} }

func health(c *scene, o fleet.Object) cell {
	h := o.Health()
	if len(c.running) > 0 {
		if p, ok := c.running[o.Ref()]; ok {
			return doing(p, o)
		}
	}
	return cell{h.Word, c.t.state(h.State)}
}

// amounts says how many there are of some kinds, and of those that are not all fine how many are not.
func (c *scene) amounts(kinds ...fleet.Kind) string {
	var says []string
	trouble := false
	for _, k := range kinds {
		t := c.s.Tally(k)
		says = append(says, strconv.Itoa(t.Total())+" "+plural(string(k), t.Total()))
		if n := t[fleet.StateBad] + t[fleet.StateWarn]; n > 0 {
			says[len(says)-1], trouble = strconv.Itoa(n)+"/"+says[len(says)-1], true
		}
	}
	all := strings.Join(says, ", ")
	if trouble {
		all += " not fine"
	}
	return all
}

// doing says what is being done to an object: "start: waiting to see it", its first words where there is little room.
func doing(p actions.Progress, o fleet.Object) cell {
	return cell{strings.TrimSuffix(p.Title, " "+fleet.NameOf(o)) + ": " + string(p.Phase), accent}
}

// system is the name of a cloud, cluster or host without what kind of system it is.
func system(source string) string {
	if _, name, ok := strings.Cut(source, "/"); ok {
		return name
	}
	return source
}

func or(s, alt string) string {
	if s == "" {
		return alt
	}
	return s
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// rate is bytes per second, "—" when not known and blank at zero.
func rate(v fleet.Opt[float64]) string {
	switch {
	case !v.OK:
		return "—"
	case v.V < 1:
		return ""
	}
	return bytesOf(v.V) + "/s"
}

func percent(v fleet.Opt[float64]) string {
	if !v.OK {
		return "—"
	}
	return strconv.Itoa(int(v.V*100+0.5)) + " %"
}
