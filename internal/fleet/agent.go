package fleet

import "time"

// Agent is strata itself on another machine, as the cockpit's end of the conversation sees it.
type Agent struct {
	Source      string        `json:"source"`
	Name        string        `json:"name"`
	Destination string        `json:"destination"` // what ssh was given
	State       string        `json:"state"`       // connecting, connected, failing; not connected: AgentKnown
	Since       time.Time     `json:"since"`       // of the state
	Says        string        `json:"says,omitempty"`
	Build       string        `json:"build,omitempty"`
	Skew        Opt[float64]  `json:"skewSec"` // how far that machine's clock is ahead of ours, in seconds
	RoundTrip   time.Duration `json:"roundTripNs,omitempty"`
	CPU         Opt[float64]  `json:"cpu"` // share of one core that it takes there
	RSS         Opt[uint64]   `json:"rssBytes"`
	BytesSec    Opt[float64]  `json:"bytesPerSec"` // what it sends, before ssh compresses it
}

// AgentKnown is the state of a machine that is known of and on which there is no agent; Says tells how it is known.
const AgentKnown = "not connected"

// Ref of an agent is the name of its machine.
func (a *Agent) Ref() Ref { return Ref{KindAgent, a.Source, a.Name} }

// Health is whether it is there.
func (a *Agent) Health() Health {
	switch a.State {
	case "connected":
		if a.Skew.OK && (a.Skew.V > 2 || a.Skew.V < -2) {
			return Health{StateWarn, "clock is off"}
		}
		return Health{StateOK, a.State}
	case "failing":
		return Health{StateBad, a.State}
	}
	return Health{StateUnknown, a.State}
}
