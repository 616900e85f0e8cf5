package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// header is the first line: name, mode, worst state of each layer, clock.
func (m *Model) header(c *scene, w int) string {
	left := (&pen{t: c.t}).put(bold, " strata ")
	m.putMode(left)
	if m.screen.frozen {
		left.put(warnInk, " FROZEN "+coarse(c.now(), m.screen.newest.At)+" ")
	}
	clock := "--:--:--"
	if at := m.screen.newest.At; !at.IsZero() {
		clock = at.Local().Format("15:04:05")
	}
	// Where there is little room the layers that are well go first, then their names' owner, then all.
	all := layers(c)
	for _, some := range [][]layer{all, troubled(all), nil} {
		right := &pen{t: c.t}
		for _, l := range some {
			right.put(dim, l.name+" ").put(l.ink, l.says).put(plain, "  ")
		}
		right.put(bold, clock).put(plain, " ")
		room := w - left.n - right.n
		if room < 0 {
			continue
		}
		if name := width(m.o.Title); room > name+2 {
			left.put(dim, " "+m.o.Title)
		}
		return left.to(w-right.n).String() + right.String()
	}
	return fit(" strata", w, false)
}

func troubled(all []layer) (some []layer) {
	for _, l := range all {
		if !l.fine {
			some = append(some, l)
		}
	}
	return some
}

// tabs stand above a single pane: the panes of the overview with the worst state in each.
func (m *Model) tabs(c *scene, w int) string {
	p := &pen{t: c.t}
	for i := 0; i < overviewPanes; i++ {
		v := m.panes[i].view
		var t fleet.Tally
		for _, k := range v.kinds {
			for state, n := range c.s.Tally(k) {
				t[state] += n
			}
		}
		style := dim
		if i == m.focus {
			style = accent
		}
		says, ink := c.tally(t)
		if p.n+width(v.name)+width(says)+5 > w {
			break
		}
		p.put(style, " "+strconv.Itoa(i+1)+" "+v.name+" ").put(ink, says).put(plain, " ")
	}
	return p.to(w).String()
}

// tally says the worst state and how many have it. What cannot be known stands beside what is fine, not above it.
func (c *scene) tally(t fleet.Tally) (string, ink) {
	worst := t.Worst()
	says := c.t.glyph(worst)
	switch {
	case t.Total() == 0:
		return "", dim
	case worst == fleet.StateBad || worst == fleet.StateWarn:
		says += strconv.Itoa(t[worst])
	case worst == fleet.StateUnknown && t[fleet.StateOK] > 0:
		return c.t.glyph(fleet.StateOK) + says + strconv.Itoa(t[fleet.StateUnknown]), okInk
	}
	return says, c.t.state(worst)
}

type layer struct {
	name, says string
	ink        ink
	fine       bool
}

// layers gives the worst state of each layer of the systems that are connected, whether they answer or not.
func layers(c *scene) (out []layer) {
	for _, l := range []struct {
		name, system string
		kinds        []fleet.Kind
	}{
		{"pods", "kube", []fleet.Kind{fleet.KindPod}},
		{"nodes", "kube", []fleet.Kind{fleet.KindNode}},
		{"servers", "openstack", []fleet.Kind{fleet.KindServer}},
		{"nova", "", []fleet.Kind{fleet.KindCompute, fleet.KindHypervisor}},
		{"hosts", "host", []fleet.Kind{fleet.KindHost, fleet.KindFilesystem}},
		{"heat", "", []fleet.Kind{fleet.KindSensor}},
		{"disks", "", []fleet.Kind{fleet.KindDisk}},
		{"alerts", "", []fleet.Kind{fleet.KindAlert}},
	} {
		var t fleet.Tally
		stale, failing := false, false
		for i := range c.s.Parts {
			p := &c.s.Parts[i]
			failing = failing || l.system != "" && strings.HasPrefix(p.Source, l.system+"/") && p.Err != "" && !p.Unconfigured
			for _, k := range l.kinds {
				if p.Kind == k {
					for s, n := range p.Tally {
						t[s] += n
					}
					stale = stale || p.Stale(c.now()) || c.stale[scopeOf{p.Source, everything}]
				}
			}
		}
		says, style := c.tally(t)
		switch {
		case t.Total() == 0 && !failing:
			continue
		case stale || t.Total() == 0:
			says, style = c.t.stale()+says, warnInk
		}
		worst := t.Worst()
		out = append(out, layer{l.name, says, style, !stale && t.Total() > 0 && (worst == fleet.StateOK || worst == fleet.StateUnknown)})
	}
	return out
}

// root is the second line: what to look at first, or that all is quiet; and at its end how the sources are.
func (m *Model) root(c *scene, w int) string {
	health := sourceHealth(c, w >= overviewWidth)
	room := w
	if health.n > 0 && health.n < w/2 {
		room -= health.n + 1
	} else {
		health = &pen{t: c.t}
	}
	p := &pen{t: c.t}
	answered := 0
	for i := range c.s.Parts {
		if c.s.Parts[i].Err == "" {
			answered++
		}
	}
	switch f, found := diagnose.Root(c.s); {
	case found:
		style := c.t.state(f.Severity.State())
		p.put(style, " "+c.t.glyph(f.Severity.State())+" ")
		text, hint := clean(f.Says), "  5 enter: why, and what to do"
		if p.n+width(text)+len(hint) <= room {
			p.put(style, text).put(dim, hint)
		} else {
			p.put(style, fit(text, room-p.n, false))
		}
	case answered == 0:
		p.put(dim, fit(" "+c.t.glyph(fleet.StateUnknown)+" waiting for the first answers", room, false))
	case failing(c) > 0:
		p.put(warnInk, fit(" "+c.t.glyph(fleet.StateWarn)+" no finding in what can be read; what cannot is not judged  (:sources)", room, false))
	default:
		p.put(okInk, " "+c.t.glyph(fleet.StateOK)).put(dim, fit(" no finding: "+census(c), room-2, false))
	}
	return p.to(w-health.n).String() + health.String()
}

// failing counts the scopes that cannot be read.
func failing(c *scene) (n int) {
	for i := range c.s.Parts {
		if p := &c.s.Parts[i]; p.Err != "" && !p.Unconfigured {
			n++
		}
	}
	return n
}

// sourceHealth says which sources are failing and for how long, and how old the oldest look at the others is.
func sourceHealth(c *scene, room bool) *pen {
	p := &pen{t: c.t}
	well, oldest := 0, c.now()
	for i := 0; i < len(c.s.Parts); {
		source, since, counts := c.s.Parts[i].Source, time.Time{}, false
		for ; i < len(c.s.Parts) && c.s.Parts[i].Source == source; i++ {
			part := &c.s.Parts[i]
			counts = counts || !part.Unconfigured
			if part.Failing() && !part.Unconfigured && (since.IsZero() || part.ErrAt.Before(since)) {
				since = part.ErrAt
			}
			// Slow scopes, such as filesystems, show their age in their panes; what is pushed has none.
			if part.Err == "" && part.Every > 0 && part.Every <= 10*time.Second && part.At.Before(oldest) {
				oldest = part.At
			}
		}
		switch {
		case !counts || source == "audit" || source == "known": // neither looks at a system
		case since.IsZero():
			well++
		default:
			p.put(badInk, " "+c.t.stale()+" "+short(source)+" failing "+coarse(since, c.now()))
		}
	}
	if well > 0 && room {
		p.put(dim, " "+c.t.glyph(fleet.StateOK)+" "+itoa(well)+" "+plural("source", well)+" "+coarse(oldest, c.now()))
	}
	if p.n > 0 {
		p.put(plain, " ")
	}
	return p
}

// short is a source's name in the header: hosts go by their own, systems by what they are.
func short(source string) string {
	kind, name, _ := strings.Cut(source, "/")
	switch kind {
	case "openstack":
		return "nova:" + clean(name)
	case "kube":
		return "kube:" + clean(name)
	case "prometheus":
		return "prometheus:" + clean(name)
	}
	return clean(or(name, kind))
}

func census(c *scene) string {
	var says []string
	for _, k := range []fleet.Kind{fleet.KindServer, fleet.KindNode, fleet.KindPod, fleet.KindHost, fleet.KindDisk} {
		if n := c.s.Tally(k).Total(); n > 0 {
			says = append(says, fmt.Sprintf("%d %s", n, plural(string(k), n)))
		}
	}
	return strings.Join(says, ", ")
}

func plural(s string, n int) string {
	if n == 1 {
		return s
	}
	return s + "s"
}
