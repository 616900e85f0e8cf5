package prometheus

import (
	"cmp"
	"context"
	"time"

	"strata/internal/fleet"
)

// domainLook looks at the scope "domains": what the libvirt exporters tell. There are several of one ancestry, which agree on
// most names.
type domainLook struct {
	source string
	ask    *asker
}

func (l *domainLook) look(ctx context.Context, _ time.Time, r *roster) (fleet.Facts, error) {
	all := map[key]*fleet.Domain{} // by host and domain
	ask := func(q query, set func(d *fleet.Domain, labels []string, v float64)) error {
		return l.ask.ask(ctx, q, func(labels []string, v float64) {
			host, ok := r.machineOf(labels[0])
			if !ok || labels[1] == "" {
				return
			}
			k := key{host, labels[1]}
			if all[k] == nil {
				all[k] = &fleet.Domain{
					Source: l.source, Host: host, Name: labels[1], State: "not told",
					Missing: []string{"the libvirt exporter tells no definition: its disks' limits, process and unit are not known"},
				}
			}
			set(all[k], labels, v)
		})
	}
	err := ask(of("libvirt_domain_info_virtual_cpus", "", "domain", "uuid"), func(d *fleet.Domain, labels []string, v float64) {
		d.Compute.VCPUs = some(v).V
		d.UUID = cmp.Or(labels[2], d.UUID) // some put it on every metric, some on the one of the meta data
	})
	if err != nil || len(all) == 0 {
		return nil, err // no libvirt exporter: nothing else to ask for
	}
	for _, q := range domainQueries() {
		if err := ask(q.query, q.set); err != nil {
			return nil, err
		}
	}
	facts := make(fleet.Facts, 0, len(all))
	taken := map[string]bool{} // a domain that migrates is on two hosts for a moment
	for _, d := range all {
		if taken[d.UUID] {
			d.UUID = ""
		}
		taken[d.UUID] = d.UUID != ""
		facts = append(facts, d)
	}
	return facts, nil
}

type domainQuery struct {
	query
	set func(d *fleet.Domain, labels []string, v float64)
}

func domainQueries() []domainQuery {
	state := func(d *fleet.Domain, _ []string, v float64) {
		if word := stateWord(int(v)); word != "" {
			d.State = word
		}
	}
	return []domainQuery{
		{of("libvirt_domain_info_vstate", "", "domain"), state},
		{of("libvirt_domain_state_code", "", "domain"), state},
		{of("libvirt_domain_info_maximum_memory_bytes", "", "domain"), func(d *fleet.Domain, _ []string, v float64) { d.Compute.Memory, _ = whole(v) }},
		{rate("libvirt_domain_info_cpu_time_seconds_total", "", "domain"), func(d *fleet.Domain, _ []string, v float64) { d.Process.CPU = fleet.Some(max(v, 0)) }},
		{of("libvirt_domain_info_meta", "", "domain", "uuid", "instance_name"), func(d *fleet.Domain, labels []string, _ float64) {
			d.UUID, d.Nova = cmp.Or(labels[2], d.UUID), labels[3]
		}},
		{rate("libvirt_domain_block_stats_read_bytes_total", "", "domain", "target_device"), func(d *fleet.Domain, labels []string, v float64) { disk(d, labels[2]).Read = fleet.Some(v) }},
		{rate("libvirt_domain_block_stats_write_bytes_total", "", "domain", "target_device"), func(d *fleet.Domain, labels []string, v float64) { disk(d, labels[2]).Write = fleet.Some(v) }},
	}
}

// disk is a disk of a domain, added when it is new. They stay sorted by their targets.
func disk(d *fleet.Domain, target string) *fleet.DomainDisk {
	at := 0
	for ; at < len(d.Disks) && d.Disks[at].Target <= target; at++ {
		if d.Disks[at].Target == target {
			return &d.Disks[at]
		}
	}
	d.Disks = append(d.Disks, fleet.DomainDisk{})
	copy(d.Disks[at+1:], d.Disks[at:])
	d.Disks[at] = fleet.DomainDisk{Target: target}
	return &d.Disks[at]
}

// stateWord is libvirt's word for a state (virDomainState), "" for one that is none.
func stateWord(n int) string {
	words := [...]string{1: "running", 2: "idle", 3: "paused", 4: "in shutdown", 5: "shut off", 6: "crashed", 7: "suspended"}
	if n < 0 || n >= len(words) {
		return ""
	}
	return words[n]
}
