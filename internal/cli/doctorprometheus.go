package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// examinePrometheus asks a Prometheus and its Alertmanager who they are.
func examinePrometheus(ctx context.Context, p connect.Prometheus) *of {
	subject := &of{subject: "Prometheus " + p.Name + " (prometheus in the configuration)"}
	client, err := p.ForReading(userAgent())
	if err != nil {
		subject.trouble("configured", err)
		return subject
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var built struct {
		Data struct {
			Version string `json:"version"`
		} `json:"data"`
	}
	if err := client.Ask(ctx, false, "api/v1/status/buildinfo", nil, decodeInto(&built)); err != nil {
		subject.trouble("answers", p.Trouble("asking for the version", err))
	} else {
		subject.add(fine, "answers", "version "+built.Data.Version+" at "+p.URL, "")
	}
	if p.Alertmanager == "" {
		subject.add(note, "alertmanager", "none is configured: its alerts are not seen", "name it: alertmanager under prometheus in the configuration")
		return subject
	}
	var status struct {
		VersionInfo struct {
			Version string `json:"version"`
		} `json:"versionInfo"`
	}
	if err := client.Ask(ctx, true, "api/v2/status", nil, decodeInto(&status)); err != nil {
		subject.trouble("alertmanager", p.Trouble("asking the Alertmanager", err))
	} else {
		subject.add(fine, "alertmanager", "version "+status.VersionInfo.Version+" at "+p.Alertmanager, "")
	}
	return subject
}

func decodeInto(v any) func(io.Reader) error {
	return func(body io.Reader) error {
		if err := json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(v); err != nil {
			return fmt.Errorf("something else than its API answered: %w", err)
		}
		return nil
	}
}

// exporters tells from what was seen which exporters a Prometheus scrapes, and what the others would show.
func exporters(subject *of, s *fleet.Snapshot, source string) {
	part, ok := s.Part(source, "host")
	if !ok || part.Failing() {
		return // its scopes say why
	}
	hosts, lost, bare, why := 0, 0, 0, ""
	for h := range fleet.All[*fleet.Host](s, fleet.KindHost) {
		switch {
		case h.Source != source:
		case h.Identity.Lost != "":
			lost++
			why = h.Identity.Lost
		case len(h.Missing) > 0:
			hosts, bare = hosts+1, bare+1
			why = h.Name + ": " + h.Missing[0]
		default:
			hosts++
		}
	}
	smart := 0
	for d := range fleet.All[*fleet.Disk](s, fleet.KindDisk) {
		if d.Source == source && d.Smart != nil {
			smart++
		}
	}
	if hosts+lost == 0 {
		subject.add(missing, "node_exporter", "no machine beside those that strata watches itself tells node_uname_info", "scrape node_exporter on each machine (apt install prometheus-node-exporter)")
	} else {
		subject.add(fine, "node_exporter", fmt.Sprintf("on %d machines", hosts+lost), "")
	}
	if lost > 0 {
		subject.add(missing, "machines", fmt.Sprintf("%d of %d are lost: %s", lost, hosts+lost, why), "see Status, Targets in Prometheus")
	}
	if bare > 0 {
		subject.add(missing, "figures", fmt.Sprintf("%d machines do not tell everything: %s", bare, why), "see which collectors node_exporter runs with")
	}
	for _, x := range []struct {
		name, what, fix string
		seen            int
	}{
		{"temperatures", "sensors", "node_exporter needs its hwmon collector, and the machine a driver for its sensors", count(s, source, "sensors")},
		{"smartctl_exporter", "disks with SMART", "scrape smartctl_exporter on each machine", smart},
		{"libvirt exporter", "virtual machines", "scrape a libvirt exporter on each hypervisor (apt install prometheus-libvirt-exporter)", count(s, source, "domains")},
	} {
		if x.seen > 0 {
			subject.add(fine, x.name, fmt.Sprintf("%d %s", x.seen, x.what), "")
		} else {
			subject.add(note, x.name, "tells no "+x.what, x.fix)
		}
	}
}
