package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// When swap is turned on or off.
const (
	swapNowOnly = "now"
	swapAtBoot  = "boot"
	swapBoth    = "now+boot"
)

// turn is what turning swap on and off have in common: one area of a machine, or all of them.
type turn struct {
	Source string `json:"source"`
	Target string `json:"target"` // the area's path, or the host's name
	When   string `json:"when"`   // swapNowOnly, swapAtBoot, swapBoth
	// Override lets swap be turned off though memory is short; then the host's name must be typed.
	Override bool `json:"override,omitempty"`
	// Areas are what it turns, as JSON of []turned. Plan finds them, but for an undo, which brings its own.
	Areas string `json:"areas,omitempty"`
}

// turned is one swap area and what is done to it.
type turned struct {
	Path     string   `json:"path"`
	Now      bool     `json:"now,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Fstab    string   `json:"fstab,omitempty"` // the line that is changed for boot
	Units    []string `json:"units,omitempty"` // and the units
}

func (t turn) now() bool  { return t.When != swapAtBoot }
func (t turn) boot() bool { return t.When != swapNowOnly }

func (t turn) badWhen() []string {
	if slices.Contains([]string{swapNowOnly, swapAtBoot, swapBoth}, t.When) {
		return nil
	}
	return []string{fmt.Sprintf("boot=%s is none of now, boot, now+boot", t.When)}
}

func (t turn) decoded() (all []turned, err error) {
	if t.Areas == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(t.Areas), &all); err != nil {
		return nil, fmt.Errorf("reading which swap areas: %w", err)
	}
	return all, nil
}

func encodeTurned(all []turned) string {
	text, _ := json.Marshal(all) // text and numbers
	return string(text)
}

// areasOf are the swap areas of a source, of one path or all.
func areasOf(s *fleet.Snapshot, source, path string) (all []*fleet.SwapArea) {
	for a := range fleet.All[*fleet.SwapArea](s, fleet.KindSwap) {
		if a.Source == source && (path == "" || a.Name == path) {
			all = append(all, a)
		}
	}
	return all
}

// hostOf is the machine that a source watches.
func hostOf(s *fleet.Snapshot, source string) *fleet.Host {
	for h := range fleet.All[*fleet.Host](s, fleet.KindHost) {
		if h.Source == source {
			return h
		}
	}
	return nil
}

// noHost refuses a machine that its source does not see, or only hears of: all swap of a source must not be turned under another name.
func noHost(s *fleet.Snapshot, target fleet.Ref) []string {
	if _, ok := s.Get(target); !ok {
		return []string{"no such host is seen in " + target.Source}
	}
	return onlyTold(target)
}

// swapState is areas in words, for Plan.Now.
func swapState(areas []*fleet.SwapArea) string {
	var parts []string
	for _, a := range areas {
		says := a.Name + " is off"
		if a.Active {
			says = a.Name + " is on"
			if a.Used.OK {
				says += ", " + sizeText(a.Used.V) + " of " + sizeText(a.Total.Or(0)) + " used"
			}
		}
		switch {
		case a.Fstab != "":
			says += ", on at boot by fstab"
		case len(a.Units) > 0:
			says += ", on at boot by " + strings.Join(a.Units, ", ")
		}
		parts = append(parts, says)
	}
	return strings.Join(parts, "; ")
}

// bootEffects says what is changed for boot.
func bootEffects(all []turned, off bool) (says []string) {
	for _, a := range all {
		if a.Fstab != "" && off {
			says = append(says, "this line of "+fstabPath+" becomes a comment (a copy of the file is kept): "+a.Fstab)
		} else if a.Fstab != "" {
			says = append(says, "this line of "+fstabPath+" is brought back (a copy of the file is kept): "+a.Fstab)
		}
		for _, u := range a.Units {
			switch {
			case off && a.Fstab != "":
				says = append(says, "unit "+u+" is masked, unless it is made from that line at each boot")
			case off:
				says = append(says, "unit "+u+" is masked")
			default:
				says = append(says, "unit "+u+" is unmasked")
			}
		}
	}
	return says
}

// bootArgv is what a person would type for the first change for boot.
func bootArgv(all []turned, off bool) []string {
	for _, a := range all {
		escaped := strings.ReplaceAll(regexp.QuoteMeta(a.Fstab), "/", `\/`)
		switch {
		case a.Fstab != "" && off:
			return []string{"sed", "-E", "-i", "/^" + escaped + "$/s/^/#/", fstabPath}
		case a.Fstab != "":
			return []string{"sed", "-E", "-i", "/^#" + escaped + "$/s/^#//", fstabPath}
		case len(a.Units) > 0 && off:
			return append([]string{"systemctl", "mask"}, a.Units...)
		case len(a.Units) > 0:
			return append([]string{"systemctl", "unmask"}, a.Units...)
		}
	}
	return nil
}

// changeBoot makes areas be turned on at boot, or no longer.
func changeBoot(ctx context.Context, m connect.Machine, all []turned, off bool) error {
	var changes []lineChange
	var units []string
	for _, a := range all {
		if a.Fstab != "" {
			changes = append(changes, lineChange{a.Fstab, off})
		}
		for _, unit := range a.Units {
			if !off || !ofFstab(m, unit) {
				units = append(units, unit)
			}
		}
	}
	if len(changes) > 0 {
		if _, err := changeFstab(m, time.Now(), changes...); err != nil {
			return err
		}
	}
	if len(units) == 0 {
		return nil
	}
	verb := "unmask"
	if off {
		verb = "mask"
	}
	argv := append([]string{"systemctl", verb}, units...)
	r, err := m.Run(ctx, sh.Cmd{Argv: argv})
	if err == nil && r.Code != 0 {
		err = errors.New(r.Stderr)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", sh.Quote(argv...), err)
	}
	return nil
}

// ofFstab reports whether systemd makes a unit from fstab: without the line it is gone at the next boot.
func ofFstab(m connect.Machine, unit string) bool {
	b, err := os.ReadFile(m.Path(path.Join("/run/systemd/generator", unit)))
	return err == nil && strings.Contains(string(b), "SourcePath="+fstabPath)
}

// seenTurned judges whether areas, looked at after since, are as they should be.
func (t turn) seenTurned(s *fleet.Snapshot, since time.Time, off bool) (verdict, string) {
	all, err := t.decoded()
	if err != nil {
		return failed, err.Error()
	}
	var says []string
	for _, want := range all {
		ref := fleet.Ref{Kind: fleet.KindSwap, Source: t.Source, Name: want.Path}
		if !s.SeenAt(ref).After(since) {
			return waiting, want.Path + " was not looked at yet"
		}
		a, there := fleet.Find[*fleet.SwapArea](s, ref)
		if want.Now && (there && a.Active) == off {
			return waiting, want.Path + map[bool]string{true: " is still on", false: " is still off"}[off]
		}
		if want.Fstab != "" && (there && a.Fstab == want.Fstab) == off {
			return waiting, fstabPath + " is as it was"
		}
		says = append(says, want.Path+map[bool]string{true: " is off", false: " is on"}[off])
	}
	if !t.now() {
		return done, "changed for boot"
	}
	return done, strings.Join(says, ", ")
}
