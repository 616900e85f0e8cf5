package actions

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/notes"
)

// accept takes the values that error counters of an object have as what is normal: only what they grow beyond that counts. It
// changes strata's own notes on the machine that strata runs on, and nothing on the target.
type accept struct {
	Source string `json:"source"`
	Object string `json:"name"`
	// Values are counters with the value that is accepted and, in an undo, since when: "media_errors=2,pending=0@2026-11-20T10:00:00Z".
	Values string `json:"values"`
	Owner  string `json:"owner,omitempty"` // whose counters they are (notes.Owner); Plan fills it in
}

// DiskAccept accepts the error counters of a disk.
type DiskAccept struct{ accept }

// FilesystemAccept accepts the error counters of a filesystem.
type FilesystemAccept struct{ accept }

// Name is disk-accept.
func (a DiskAccept) Name() string { return "disk-accept" }

// Name is filesystem-accept.
func (a FilesystemAccept) Name() string { return "filesystem-accept" }

// Target is the disk.
func (a DiskAccept) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindDisk, Source: a.Source, Name: a.Object}
}

// Target is the filesystem.
func (a FilesystemAccept) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindFilesystem, Source: a.Source, Name: a.Object}
}

// Plan shows what each counter counts from, and what it would.
func (a DiskAccept) Plan(s *fleet.Snapshot) Plan {
	next, before, p := a.plan(s, a)
	p.Action, p.Undo = DiskAccept{next}, DiskAccept{before}
	return p
}

// Plan shows what each counter counts from, and what it would.
func (a FilesystemAccept) Plan(s *fleet.Snapshot) Plan {
	next, before, p := a.plan(s, a)
	p.Action, p.Undo = FilesystemAccept{next}, FilesystemAccept{before}
	return p
}

// ownNotes marks actions on what strata itself keeps here, wherever their target is.
type ownNotes interface{ ownNotes() }

func (accept) ownNotes() {}

func countersOffers() []Offer {
	values := Param{"values", "the counters and the values to accept: name=value,name=value", func(s *fleet.Snapshot, r fleet.Ref) []string {
		var now []string
		for _, c := range countersOf(s, r) {
			now = append(now, c.Name+"="+strconv.FormatUint(c.Value, 10))
		}
		return []string{strings.Join(now, ",")}
	}}
	accepting := func(of func(accept) Action) func(fleet.Ref, Args) (Action, error) {
		return func(r fleet.Ref, args Args) (Action, error) {
			a := accept{Source: r.Source, Object: r.Name, Values: args["values"]}
			_, err := a.marks()
			return of(a), err
		}
	}
	return []Offer{
		offer[DiskAccept](Offer{
			Key: "a", Title: "accept its error counters as they are", Kind: fleet.KindDisk, Params: []Param{values},
			New: accepting(func(a accept) Action { return DiskAccept{a} }),
		}),
		offer[FilesystemAccept](Offer{
			Key: "a", Title: "accept its error counters as they are", Kind: fleet.KindFilesystem, Params: []Param{values},
			New: accepting(func(a accept) Action { return FilesystemAccept{a} }),
		}),
	}
}

// countersOf are the error counters of a disk or a filesystem that have marks.
func countersOf(s *fleet.Snapshot, r fleet.Ref) (all []fleet.Counter) {
	o, _ := s.Get(r)
	switch o := o.(type) {
	case *fleet.Disk:
		all = o.Counters
	case *fleet.Filesystem:
		all = o.Counters
	}
	return slices.DeleteFunc(slices.Clone(all), func(c fleet.Counter) bool { return !notes.Keeps(c.Name) })
}

// marks reads Values.
func (a accept) marks() (map[string]notes.Mark, error) {
	all := map[string]notes.Mark{}
	for one := range strings.SplitSeq(a.Values, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		text, at, dated := strings.Cut(one, "@")
		name, number, _ := strings.Cut(text, "=")
		value, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("values: %q is no counter with a value, such as media_errors=2", one)
		}
		mark := notes.Mark{Value: value}
		if dated {
			if mark.Since, err = time.Parse(time.RFC3339, at); err != nil {
				return nil, fmt.Errorf("values: %q is no time, such as 2026-11-20T10:00:00Z", at)
			}
		}
		all[strings.TrimSpace(name)] = mark
	}
	return all, nil
}

// plan returns the action with its owner, and what takes it back.
func (a accept) plan(s *fleet.Snapshot, act Action) (next, before accept, p Plan) {
	p = Plan{Title: "accept the error counters of " + a.Object, Command: []string{"strata", "act", act.Name(), a.Object, "values=" + a.Values}}
	next, before = a, a
	o, ok := s.Get(act.Target())
	if !ok {
		p.Refused = []string{fmt.Sprintf("no such %s is seen in %s", act.Target().Kind, a.Source)}
		return next, before, p
	}
	next.Owner, p.Now = notes.Owner(o), o.Health().Word
	marks, err := a.marks()
	if err != nil {
		p.Refused = []string{err.Error()}
	}
	var was []string
	for _, c := range countersOf(s, act.Target()) {
		mark, named := marks[c.Name]
		delete(marks, c.Name)
		switch {
		case !named || mark.Value == c.First && mark.Since.IsZero():
		case mark.Value > c.Value:
			p.Refused = append(p.Refused, fmt.Sprintf("%s is %d now: it cannot be accepted at %d", c.Name, c.Value, mark.Value))
		default:
			p.Effects = append(p.Effects, fmt.Sprintf("%s counts from %d; since %s it counted from %d", c.Name, mark.Value, c.Since.UTC().Format(time.RFC3339), c.First))
			was = append(was, fmt.Sprintf("%s=%d@%s", c.Name, c.First, c.Since.UTC().Format(time.RFC3339Nano)))
		}
	}
	for name := range marks {
		p.Refused = append(p.Refused, fmt.Sprintf("it has no counter %q", name))
	}
	slices.Sort(p.Refused)
	if len(p.Effects) == 0 && len(p.Refused) == 0 {
		p.Refused = []string{"none of its counters has grown"}
	}
	p.Refused = append(p.Refused, onlyTold(act.Target())...)
	p.Effects = append(p.Effects, "findings on what they grew end, and come again when they grow; nothing on the machine is changed")
	before.Values = strings.Join(was, ",")
	p.Against = append(old(s, act.Target()), against(s, act)...)
	return next, before, p
}

func (a accept) apply(_ context.Context, hands Hands, _ func(Step)) error {
	kept, err := hands.writing.Marks()
	if err != nil {
		return err
	}
	marks, err := a.marks()
	if err != nil {
		return err
	}
	for name, mark := range marks {
		if mark.Since.IsZero() {
			mark.Since = time.Now()
		}
		marks[name] = mark
	}
	return kept.Set(map[string]map[string]notes.Mark{a.Owner: marks})
}

func (a DiskAccept) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return a.counted(s, a.Target())
}

func (a FilesystemAccept) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return a.counted(s, a.Target())
}

func (a accept) counted(s *fleet.Snapshot, target fleet.Ref) (verdict, string) {
	marks, _ := a.marks() // it was read when it was planned
	for _, c := range countersOf(s, target) {
		if mark, named := marks[c.Name]; named && c.First != mark.Value {
			return waiting, fmt.Sprintf("%s counts from %d", c.Name, c.First)
		}
	}
	return done, "its counters count from " + a.Values
}
