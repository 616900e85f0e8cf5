package prometheus

import (
	"context"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// page is what smartctl_exporter has of a disk.
type page struct {
	smart                 fleet.Smart
	model, serial, bus    string
	bytes                 uint64
	exit                  fleet.Opt[int]
	rotates               bool
	media, errors, unsafe fleet.Opt[uint64]
	raw                   map[string]uint64 // of ATA attributes, by their ids
}

// ataCounters are the attributes whose raw value counts errors, as strata's own reader names them.
func ataCounters() [][2]string {
	return [][2]string{
		{"5", "reallocated"},
		{"187", "reported_uncorrect"},
		{"188", "command_timeout"},
		{"197", "pending"},
		{"198", "offline_uncorrectable"},
		{"199", "crc_errors"},
	}
}

func some(v float64) fleet.Opt[int] {
	if v < 0 || v > 1<<40 {
		return fleet.Opt[int]{}
	}
	return fleet.Some(int(v))
}

func count(v float64) fleet.Opt[uint64] {
	n, ok := whole(v)
	return fleet.Opt[uint64]{V: n, OK: ok}
}

// readSmart reads the pages of all disks.
func readSmart(ctx context.Context, a *asker, now time.Time, r *roster) (map[key]*page, error) {
	pages := map[key]*page{}
	ask := func(q query, set func(p *page, labels []string, v float64)) error {
		return a.ask(ctx, q, func(labels []string, v float64) {
			if host, ok := r.machineOf(labels[0]); ok && labels[1] != "" {
				k := key{host, a.intern([]byte(wholeDisk(labels[1])))}
				if pages[k] == nil {
					pages[k] = &page{smart: fleet.Smart{At: now}, raw: map[string]uint64{}}
				}
				set(pages[k], labels, v)
			}
		})
	}
	err := ask(of("smartctl_device", "", "device", "interface", "protocol", "model_name", "serial_number"), func(p *page, v []string, _ float64) {
		p.model, p.serial, p.bus = v[4], v[5], busOfProtocol(v[2], v[3])
	})
	if err != nil || len(pages) == 0 {
		return pages, err // no smartctl_exporter: nothing else to ask for
	}
	for _, m := range smartQueries() {
		if err := ask(m.query, m.set); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

type smartQuery struct {
	query
	set func(p *page, labels []string, v float64)
}

func smartQueries() []smartQuery {
	figure := func(metric, matchers string, set func(*page, float64)) smartQuery {
		return smartQuery{of("smartctl_device_"+metric, matchers, "device"), func(p *page, _ []string, v float64) { set(p, v) }}
	}
	// Older exporters tell the figures of NVMe for ATA disks too, as zero.
	nvme := func(metric string, set func(*page, float64)) smartQuery {
		return figure(metric, "", func(p *page, v float64) {
			if p.bus == "nvme" {
				set(p, v)
			}
		})
	}
	return []smartQuery{
		figure("smartctl_exit_status", "", func(p *page, v float64) { p.exit = some(v) }),
		// Exporters tell 0 for a disk without a verdict too; smartctl's own word for failing is bit 3 of its exit status.
		figure("smart_status", "", func(p *page, v float64) {
			if v == 1 || !p.exit.OK || p.exit.V&8 != 0 {
				p.smart.Passed = fleet.Some(v == 1)
			}
		}),
		figure("temperature", `temperature_type="current"`, func(p *page, v float64) {
			if v > 0 && v < 200 { // a disk that tells none is told as 0
				p.smart.Celsius = fleet.Some(v)
			}
		}),
		figure("capacity_bytes", "", func(p *page, v float64) { p.bytes, _ = whole(v) }),
		figure("power_on_seconds", "", func(p *page, v float64) { p.smart.Hours = some(v / 3600) }),
		figure("power_cycle_count", "", func(p *page, v float64) { p.smart.Cycles = some(v) }),
		figure("rotation_rate", "", func(p *page, v float64) { p.rotates = v > 0 }),
		nvme("critical_warning", func(p *page, v float64) { p.smart.Warning = some(v) }),
		nvme("available_spare", func(p *page, v float64) { p.smart.SparePct = some(v) }),
		nvme("available_spare_threshold", func(p *page, v float64) { p.smart.SpareMin = some(v) }),
		nvme("percentage_used", func(p *page, v float64) { p.smart.UsedPct = some(v) }),
		nvme("media_errors", func(p *page, v float64) { p.media = count(v) }),
		nvme("num_err_log_entries", func(p *page, v float64) { p.errors = count(v) }),
		nvme("unsafe_shutdowns", func(p *page, v float64) { p.unsafe = count(v) }),
		{of("smartctl_device_attribute", `attribute_value_type="raw",attribute_id=~"5|187|188|197|198|199"`, "device", "attribute_id"), func(p *page, v []string, n float64) {
			if raw, ok := whole(n); ok {
				if v[2] == "188" {
					raw &= 0xffff // three counts in one; the low one is that of all time-outs
				}
				p.raw[v[2]] = raw
			}
		}},
	}
}

func busOfProtocol(interfaceName, protocol string) string {
	switch p := strings.ToLower(protocol); {
	case p == "nvme" || strings.HasPrefix(interfaceName, "nvme"):
		return "nvme"
	case p == "ata", strings.HasPrefix(interfaceName, "sat"):
		return "ata"
	}
	return "scsi"
}

// complete puts a page into its disk.
func (p *page) complete(d *fleet.Disk, ledger *sources.Ledger, now time.Time) {
	if p.model != "" {
		d.Model = p.model
	}
	if p.serial != "" {
		d.Serial = p.serial
	}
	d.Bus, d.Bytes = p.bus, p.bytes
	if p.rotates {
		d.Rotational = fleet.Some(true)
	}
	smart := p.smart
	if smart.SparePct.V == 0 && smart.SpareMin.V == 0 { // a controller that keeps no account of its spare
		smart.SparePct, smart.SpareMin = fleet.Opt[int]{}, fleet.Opt[int]{}
	}
	d.Smart = &smart
	add := func(name string, v fleet.Opt[uint64]) {
		if v.OK {
			d.Counters = append(d.Counters, ledger.Count(owner(d), name, v.V, now))
		}
	}
	add("media_errors", p.media)
	add("num_err_log_entries", p.errors)
	add("unsafe_shutdowns", p.unsafe)
	for _, a := range ataCounters() {
		raw, ok := p.raw[a[0]]
		add(a[1], fleet.Opt[uint64]{V: raw, OK: ok})
	}
	if !smart.Passed.OK {
		d.Missing = append(d.Missing, missing("SMART", "smartctl_exporter", "smartctl_device_smart_status"))
	}
}
