package prometheus

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"strata/internal/fleet"
)

// alertLook looks at the scope "alerts": what Alertmanager has, silenced and inhibited ones too.
type alertLook struct {
	source string
	ask    *asker
}

// mostAlerts is how many alerts are read: a broken rule can make as many as there are machines.
const mostAlerts = 20_000

// wireAlert is an alert of Alertmanager's API v2.
type wireAlert struct {
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	Link        string            `json:"generatorURL"`
	Status      struct {
		State       string   `json:"state"`
		SilencedBy  []string `json:"silencedBy"`
		InhibitedBy []string `json:"inhibitedBy"`
		MutedBy     []string `json:"mutedBy"`
	} `json:"status"`
}

func (l *alertLook) look(ctx context.Context, _ time.Time, _ *roster) (fleet.Facts, error) {
	ctx, done := context.WithTimeout(ctx, l.ask.patience)
	defer done()
	var facts fleet.Facts
	err := l.ask.client.Ask(ctx, true, "api/v2/alerts", nil, func(body io.Reader) (err error) {
		facts, err = readAlerts(io.LimitReader(body, largestAnswer), l.source)
		return err
	})
	return facts, err
}

// readAlerts reads a list of alerts. One that has no fingerprint is none, and one that comes twice counts once.
func readAlerts(body io.Reader, source string) (facts fleet.Facts, err error) {
	in := json.NewDecoder(body)
	if first, err := in.Token(); err != nil || first != json.Delim('[') {
		return nil, fmt.Errorf("the answer is not that of Alertmanager: it is no list (%w)", cmp.Or(err, errCut))
	}
	seen := map[string]bool{}
	for in.More() && len(facts) < mostAlerts {
		var a wireAlert
		if err := in.Decode(&a); err != nil {
			return nil, fmt.Errorf("reading the alerts: %w", err)
		}
		if a.Fingerprint == "" || seen[a.Fingerprint] {
			continue
		}
		seen[a.Fingerprint] = true
		facts = append(facts, a.object(source))
	}
	if in.More() {
		return facts, nil
	}
	if _, err := in.Token(); err != nil {
		return nil, errCut
	}
	return facts, nil
}

func (a *wireAlert) object(source string) *fleet.Alert {
	labels := make(map[string]string, len(a.Labels))
	for name, value := range a.Labels {
		labels[clip(name)] = clip(value)
	}
	says := a.Annotations["summary"]
	for _, name := range []string{"description", "message"} {
		says = cmp.Or(says, a.Annotations[name])
	}
	return &fleet.Alert{
		Source: source, Fingerprint: clip(a.Fingerprint), Name: cmp.Or(labels["alertname"], "without a name"), Severity: labels["severity"],
		Instance: labels["instance"], Says: clip(says), Starts: a.StartsAt, Updated: a.UpdatedAt, Labels: labels, Link: clip(a.Link),
		Status: fleet.AlertStatus{State: a.Status.State, Silenced: a.Status.SilencedBy, Inhibited: a.Status.InhibitedBy, Muted: a.Status.MutedBy},
	}
}
