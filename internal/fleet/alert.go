package fleet

import (
	"strings"
	"time"
)

// Alert is an alert that Alertmanager has: a rule of Prometheus fires, and nobody took it back.
type Alert struct {
	Source      string            `json:"source"`
	Fingerprint string            `json:"fingerprint"` // Alertmanager's own name for it
	Name        string            `json:"name"`        // label alertname
	Severity    string            `json:"severity,omitempty"`
	Instance    string            `json:"instance,omitempty"` // label instance: the target it is about
	Says        string            `json:"says,omitempty"`     // annotation summary, description or message
	Starts      time.Time         `json:"starts"`
	Updated     time.Time         `json:"updated,omitzero"`
	Status      AlertStatus       `json:"status"`
	Labels      map[string]string `json:"labels,omitempty"` // all of them
	Link        string            `json:"link,omitempty"`   // generatorURL: the expression in Prometheus
}

// AlertStatus is what Alertmanager does with an alert. It tells nobody of one that is silenced, inhibited or muted.
type AlertStatus struct {
	State     string   `json:"state"`                 // unprocessed, active, suppressed
	Silenced  []string `json:"silencedBy,omitempty"`  // ids of silences
	Inhibited []string `json:"inhibitedBy,omitempty"` // fingerprints of other alerts
	Muted     []string `json:"mutedBy,omitempty"`     // time intervals
}

// Quiet reports whether Alertmanager tells nobody of the alert.
func (s AlertStatus) Quiet() bool {
	return s.State == "suppressed" || len(s.Silenced)+len(s.Inhibited)+len(s.Muted) > 0
}

// Ref of an alert is its fingerprint.
func (a *Alert) Ref() Ref { return Ref{KindAlert, a.Source, a.Fingerprint} }

// Health is by the label severity, which has no fixed words: what is not known to be mild is a warning. What
// Alertmanager keeps quiet is no trouble.
func (a *Alert) Health() Health {
	switch {
	case len(a.Status.Silenced) > 0:
		return Health{StateOK, "silenced"}
	case len(a.Status.Inhibited) > 0:
		return Health{StateOK, "inhibited"}
	case a.Status.Quiet():
		return Health{StateOK, "muted"}
	}
	switch strings.ToLower(a.Severity) {
	case "critical", "page", "emergency", "fatal", "error", "disaster", "high":
		return Health{StateBad, "firing"}
	case "info", "none", "notice", "debug":
		return Health{StateOK, "firing"}
	}
	return Health{StateWarn, "firing"}
}
