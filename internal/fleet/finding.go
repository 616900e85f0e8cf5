package fleet

import (
	"slices"
	"time"
)

// Link says that From stands on To: a pod on its node, a node on its Nova server, a server on its hypervisor.
// Links that an object states itself (a pod's node) are not stored; internal/diagnose derives those on demand.
type Link struct {
	From Ref        `json:"from"`
	To   Ref        `json:"to"`
	How  string     `json:"how"` // what established it: providerID, systemUUID, machineID, address, name
	Sure Confidence `json:"sure"`
}

// Confidence is how far the evidence alone proves a claim.
type Confidence uint8

// Confidences.
const (
	Low Confidence = iota + 1
	Medium
	High
)

var confidenceWords = [...]string{"", "low", "medium", "high"}

func (c Confidence) String() string { return wordOf(confidenceWords[:], c) }

// MarshalText writes the word.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word; one that is not known is none.
func (c *Confidence) UnmarshalText(b []byte) error {
	*c = Confidence(max(0, slices.Index(confidenceWords[:], string(b))))
	return nil
}

// Severity of a finding.
type Severity uint8

// Severities: Info is worth knowing, Warn worth a look, Serious will recur or cause loss, Critical is down or at risk now.
const (
	Info Severity = iota + 1
	Warn
	Serious
	Critical
)

var severityWords = [...]string{"", "info", "warn", "serious", "critical"}

func (s Severity) String() string { return wordOf(severityWords[:], s) }

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word; one that is not known is none.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = Severity(max(0, slices.Index(severityWords[:], string(b))))
	return nil
}

func wordOf[T ~uint8](words []string, n T) string {
	if int(n) < len(words) {
		return words[n]
	}
	return ""
}

// State maps a severity onto the states a row can have.
func (s Severity) State() State {
	switch s {
	case Critical, Serious:
		return StateBad
	case Warn:
		return StateWarn
	}
	return StateOK
}

// Evidence is one observed fact that speaks for a finding, verbatim, with where it came from.
type Evidence struct {
	At    time.Time `json:"at,omitzero"`
	Ref   Ref       `json:"ref"`   // the object it was seen on
	Where string    `json:"where"` // the API field, file or log it was read from
	Says  string    `json:"says"`
}

// Finding is a rule's verdict on one object.
type Finding struct {
	Rule       string     `json:"rule"`
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	About      Ref        `json:"about"`
	On         Ref        `json:"on,omitzero"` // a part of it, or of what it runs on, that it is about: the disk below a filesystem that broke
	Says       string     `json:"says"`
	Because    []Evidence `json:"because,omitempty"`
	Missing    []string   `json:"missing,omitempty"`  // what could not be seen, and the command that would show it
	Under      string     `json:"under,omitempty"`    // Key of the finding that explains this one
	Remedies   []string   `json:"remedies,omitempty"` // names of actions
	Since      time.Time  `json:"since"`
	Shown      bool       `json:"shown"` // false until it has lasted as long as its rule's hold
	// Cleared is since when it no longer holds; zero while it does. A finding stays a moment longer so as not to flicker.
	Cleared time.Time `json:"cleared,omitzero"`
}

// Ref of a finding is its key, so that it can stand in a table like what it is about.
func (f *Finding) Ref() Ref { return Ref{KindFinding, f.About.Source, f.Key()} }

// Health is by severity.
func (f *Finding) Health() Health { return Health{f.Severity.State(), f.Severity.String()} }

// Key identifies a finding across snapshots.
func (f *Finding) Key() string {
	return f.Rule + "|" + string(f.About.Kind) + "|" + f.About.Source + "|" + f.About.Name
}
