package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// Protocol is what an agent and its cockpit speak: JSON lines, one of the fields of Line in each. What a reader does not
// know, it ignores, so that the two need not be of one version; the number grows when that does not do any more.
const Protocol = 1

// MaxLine is how long a line may be, in bytes. A longer one ends the conversation.
const MaxLine = 8 << 20

// Line is one line, either way. Exactly one field is set in a line that means something.
type Line struct {
	Hello *Hello `json:"hello,omitempty"` // the agent's first, and the first of all
	Start *Start `json:"start,omitempty"` // the cockpit's first: the agent waits for it before it looks
	Scope *Scope `json:"scope,omitempty"` // agent: a scope was looked at
	Beat  *Beat  `json:"beat,omitempty"`  // agent: it lives; answers a ping
	Ping  *Ping  `json:"ping,omitempty"`  // cockpit
	Wish  *Wish  `json:"wish,omitempty"`  // cockpit: look sooner
	Do    *Do    `json:"do,omitempty"`    // cockpit, to an agent with hands: act, once
	Abort *Abort `json:"abort,omitempty"` // cockpit: stop that where it is safe
	Did   *Did   `json:"did,omitempty"`   // agent with hands: how far it is; the last line says how it ended
}

// Start says what the agent shall be.
type Start struct {
	Name   string           `json:"name"`             // what its machine is called
	Checks []fleet.Endpoint `json:"checks,omitempty"` // what it shall dial; nothing else is dialled by it
}

// Hello says who speaks.
type Hello struct {
	Protocol int       `json:"protocol"`
	Build    string    `json:"build"`
	Host     string    `json:"host"` // what its machine calls itself
	Now      time.Time `json:"now"`
}

// Scope is what changed in one scope since it was last told of. The first line of a scope is whole.
type Scope struct {
	Source       string            `json:"source"`
	Scope        string            `json:"scope"`
	Kind         fleet.Kind        `json:"kind,omitempty"`
	At           time.Time         `json:"at,omitzero"`
	Every        time.Duration     `json:"everyNs,omitempty"`
	Err          string            `json:"error,omitempty"`
	Fix          string            `json:"fix,omitempty"`
	Partial      bool              `json:"partial,omitempty"`
	Unconfigured bool              `json:"unconfigured,omitempty"`
	Whole        bool              `json:"whole,omitempty"` // objects are all there are
	Objects      []json.RawMessage `json:"objects,omitempty"`
	Gone         []string          `json:"gone,omitempty"` // names of objects that are no more
}

// Beat is a sign of life with what the agent costs.
type Beat struct {
	Now      time.Time `json:"now"`
	Ping     time.Time `json:"ping,omitzero"` // the cockpit's time in the ping that is answered
	CPU      float64   `json:"cpu"`           // share of one core since the beat before
	RSSBytes uint64    `json:"rssBytes"`
	BytesSec float64   `json:"bytesPerSec"` // what it wrote since the beat before
}

// Ping asks for a beat.
type Ping struct {
	Now time.Time `json:"now"`
}

// Wish is what the reader wants seen sooner: an object, or all of a source.
type Wish struct {
	Look    fleet.Ref `json:"look,omitzero"`
	Refresh string    `json:"refresh,omitempty"`
}

// Do is an action that was agreed to. The agent plans it anew, and refuses what its own machine speaks against.
type Do struct {
	fleet.Recipe
	Typed string `json:"typed,omitempty"` // what was typed to agree
	Who   string `json:"who"`             // the operator, for the audit log there
}

// Abort has no fields yet.
type Abort struct{}

// Did is the progress of an action, as its runner tells it.
type Did struct {
	Phase  string             `json:"phase"`
	Says   string             `json:"says,omitempty"`
	Share  fleet.Opt[float64] `json:"share,omitzero"`
	Output string             `json:"output,omitempty"`
}

// EncodeLine writes one line with its break.
func EncodeLine(l Line) ([]byte, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("writing a line: %w", err)
	}
	return append(b, '\n'), nil
}

// DecodeLine reads one line. What is unknown in it is ignored.
func DecodeLine(b []byte) (l Line, err error) {
	if err := json.Unmarshal(bytes.TrimSpace(b), &l); err != nil {
		return Line{}, fmt.Errorf("reading a line: %w", err)
	}
	return l, nil
}

// Sender turns snapshots into lines about what changed. The zero value has told nothing yet.
type Sender struct {
	told map[[2]string]fleet.Part
}

// Next returns the lines that bring a receiver from the last snapshot to this one.
func (s *Sender) Next(now *fleet.Snapshot) (lines []Line, err error) {
	if s.told == nil {
		s.told = map[[2]string]fleet.Part{}
	}
	for _, p := range now.Parts {
		key := [2]string{p.Source, p.Scope}
		before, known := s.told[key]
		if known && before.At.Equal(p.At) && before.Err == p.Err && before.Partial == p.Partial && fleet.Shared(before.Facts, p.Facts) {
			continue
		}
		line, err := scopeLine(before, p, !known)
		if err != nil {
			return nil, err
		}
		s.told[key] = p
		lines = append(lines, Line{Scope: line})
	}
	return lines, nil
}

func scopeLine(before, p fleet.Part, whole bool) (*Scope, error) {
	line := &Scope{
		Source: p.Source, Scope: p.Scope, Kind: p.Kind, At: p.At, Every: p.Every, Err: p.Err, Fix: p.Fix,
		Partial: p.Partial, Unconfigured: p.Unconfigured, Whole: whole,
	}
	i := 0
	for _, o := range p.Facts {
		for i < len(before.Facts) && fleet.Compare(before.Facts[i], o) < 0 {
			line.Gone = append(line.Gone, before.Facts[i].Ref().Name)
			i++
		}
		if i < len(before.Facts) && fleet.Compare(before.Facts[i], o) == 0 {
			i++
			if before.Facts[i-1] == o {
				continue
			}
		}
		b, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", o.Ref(), err)
		}
		line.Objects = append(line.Objects, b)
	}
	for ; i < len(before.Facts); i++ {
		line.Gone = append(line.Gone, before.Facts[i].Ref().Name)
	}
	return line, nil
}

// Receiver turns the lines of one conversation into observations. The zero value was told nothing yet.
type Receiver struct {
	known map[[2]string]fleet.Facts
}

// Take returns the observation of a scope line, its times moved by shift onto the reader's clock. A scope of a kind that
// is not known here is none. An object that cannot be read is left out, and said in the observation's error.
func (r *Receiver) Take(l *Scope, shift time.Duration) (fleet.Observation, bool) {
	if r.known == nil {
		r.known = map[[2]string]fleet.Facts{}
	}
	if _, ok := blank(l.Kind); !ok && (l.Kind != "" || len(l.Objects) > 0) {
		return fleet.Observation{}, false
	}
	key := [2]string{l.Source, l.Scope}
	old := r.known[key]
	if l.Whole {
		old = nil
	}
	fresh, bad := readObjects(l, shift)
	facts := make(fleet.Facts, 0, len(old)+len(fresh))
	for _, o := range old {
		name := o.Ref().Name
		replaced := slices.ContainsFunc(fresh, func(f fleet.Object) bool { return f.Ref().Name == name })
		if !replaced && !slices.Contains(l.Gone, name) {
			facts = append(facts, o)
		}
	}
	facts = append(facts, fresh...)
	slices.SortFunc(facts, fleet.Compare)
	facts = slices.CompactFunc(facts, func(a, b fleet.Object) bool { return fleet.Compare(a, b) == 0 })
	if len(facts) == len(old) && len(fresh) == 0 {
		facts = old
	}
	r.known[key] = facts
	o := fleet.Observation{Source: l.Source, Scope: l.Scope, At: moved(l.At, shift), Every: l.Every, Err: l.trouble(bad)}
	if o.Err == nil || l.Partial || bad != "" && l.Err == "" {
		if o.Facts = facts; facts == nil {
			o.Facts = fleet.Facts{}
		}
	}
	return o, true
}

func (l *Scope) trouble(bad string) error {
	says := l.Err
	if says == "" {
		says = bad
	}
	if says == "" {
		return nil
	}
	return &fleet.Trouble{Doing: says, Fix: l.Fix, Unconfigured: l.Unconfigured}
}

func readObjects(l *Scope, shift time.Duration) (facts fleet.Facts, bad string) {
	for _, raw := range l.Objects {
		o, _, err := decode(l.Kind, raw)
		switch {
		case err != nil:
			bad = fmt.Sprintf("an object of %s %s could not be read: %v", l.Source, l.Scope, err)
		case o.Ref().Source != l.Source || o.Ref().Kind != l.Kind:
			bad = fmt.Sprintf("an object of %s %s says that it is of %s", l.Source, l.Scope, o.Ref().Source)
		default:
			shiftTimes(o, shift)
			facts = append(facts, o)
		}
	}
	return facts, bad
}
