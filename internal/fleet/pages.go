package fleet

import "time"

// Log is the end of a container's log, while somebody reads it.
type Log struct {
	Source     string    `json:"source"`
	Pod        string    `json:"pod"` // namespace/name
	Container  string    `json:"container"`
	Previous   bool      `json:"previous,omitempty"`   // of the container that ended before the one there is now
	Containers []string  `json:"containers,omitempty"` // all of the pod, init containers first
	Lines      []LogLine `json:"lines,omitempty"`
	Dropped    int       `json:"dropped,omitempty"` // older lines that were read and are not kept
	Cut        int       `json:"cut,omitempty"`     // lines that were too long and lack their end
	Says       string    `json:"says,omitempty"`    // how it is with the reading: following, ended, or why it cannot be read
	Failing    bool      `json:"failing,omitempty"` // Says is a failure
}

// LogLine is a line of a log. At is when the container wrote it; zero when that is not told.
type LogLine struct {
	At   time.Time `json:"at,omitzero"`
	Text string    `json:"text"`
}

// Ref of a log is that of its pod with the container's name behind.
func (l *Log) Ref() Ref { return Ref{KindLog, l.Source, l.Pod + "/" + l.Container} }

// Health of a log is whether it can be read.
func (l *Log) Health() Health {
	if l.Failing {
		return Health{StateWarn, l.Says}
	}
	return Health{StateOK, l.Says}
}

// Manifest is an object as its API server has it, while somebody reads it.
type Manifest struct {
	Source string `json:"source"`
	About  Ref    `json:"about"`
	Text   string `json:"text,omitempty"`  // JSON, without metadata.managedFields
	Error  string `json:"error,omitempty"` // why it could not be read
}

// Ref of a manifest is its object's kind and name.
func (m *Manifest) Ref() Ref {
	return Ref{KindManifest, m.Source, string(m.About.Kind) + "/" + m.About.Name}
}

// Health of a manifest is whether it could be read.
func (m *Manifest) Health() Health {
	if m.Error != "" {
		return Health{StateWarn, m.Error}
	}
	return Health{StateOK, ""}
}
