package prometheus

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// machine is one that a node_exporter tells of, by the label instance of its target.
type machine struct {
	instance, job string
	name          string // nodename, made unique
	node          string // nodename
	kernel, arch  string
	lost          string // why it cannot be seen now; "" is seen
	seen          time.Time
}

// roster is which machines there are in a round. It never changes once it is made.
type roster struct {
	machines map[string]*machine // by instance
	hosts    map[string]*machine // by the host part of the instance, where only one has it
	jobs     map[string]bool     // that scrape node_exporters
	lost     map[string]string   // why, by name
}

// remembered is how long ago a machine may have told its name for it to be known while it is down.
const remembered = "[1h]"

// target is one of Prometheus, as its metric up has it.
type target struct {
	instance, job string
	up            bool
}

// call finds out which machines there are. A machine whose target is down stays, lost; one that is no target any more is
// gone.
func call(ctx context.Context, a *asker, now time.Time, before *roster) (*roster, error) {
	var targets []target
	err := a.ask(ctx, of("up", "", "job"), func(l []string, v float64) {
		targets = append(targets, target{l[0], l[1], v > 0})
	})
	if err != nil {
		return nil, err
	}
	r := &roster{machines: map[string]*machine{}, hosts: map[string]*machine{}, jobs: map[string]bool{}, lost: map[string]string{}}
	labels := []string{"job", "nodename", "release", "machine"}
	add := func(seen time.Time) func([]string, float64) {
		return func(l []string, _ float64) {
			r.jobs[l[1]] = true
			if l[0] != "" && r.machines[l[0]] == nil {
				r.machines[l[0]] = &machine{instance: l[0], job: l[1], node: l[2], kernel: l[3], arch: l[4], seen: seen}
			}
		}
	}
	if err := a.ask(ctx, of("node_uname_info", "", labels...), add(now)); err != nil {
		return nil, err
	}
	if before == nil && slices.ContainsFunc(targets, func(t target) bool { return !t.up && r.machines[t.instance] == nil }) {
		// Nobody here has seen them yet: what they said before they went down.
		past := query{"max by (instance, " + strings.Join(labels, ", ") + ") (last_over_time(node_uname_info" + remembered + "))", append([]string{"instance"}, labels...)}
		now := r.machines
		r.machines = map[string]*machine{}
		if err := a.ask(ctx, past, add(time.Time{})); err != nil {
			return nil, err
		}
		before = &roster{machines: r.machines, jobs: r.jobs}
		r.machines = now
	}
	down := r.down(targets, before)
	r.keep(down, before)
	r.name()
	return r, nil
}

// down are the targets that do not say who they are now and are, by what is known of their job or of themselves,
// node_exporters. One may go down between two questions, when up is still 1.
func (r *roster) down(targets []target, before *roster) (all []target) {
	for _, t := range targets {
		known := before != nil && before.machines[t.instance] != nil
		job := r.jobs[t.job] || before != nil && before.jobs[t.job]
		if r.machines[t.instance] == nil && (known || !t.up && job) {
			all = append(all, t)
		}
	}
	return all
}

// keep takes the machines in that are down.
func (r *roster) keep(down []target, before *roster) {
	for _, t := range down {
		if t.up && r.machines[t.instance] != nil {
			continue // it is a target of several jobs, of which one has lost it
		}
		m := &machine{instance: t.instance, job: t.job, node: hostPart(t.instance)}
		if before != nil {
			if old := before.machines[t.instance]; old != nil {
				again := *old
				m = &again
			}
			if before.jobs[t.job] {
				r.jobs[t.job] = true
			}
		}
		m.lost = fmt.Sprintf("Prometheus cannot scrape %s (up is 0)", t.instance)
		if t.up {
			m.lost = "Prometheus has no node_uname_info of " + t.instance
		}
		if !m.seen.IsZero() {
			m.lost += ", last seen " + m.seen.UTC().Format(time.DateTime) + "Z"
		}
		r.machines[t.instance] = m
	}
}

// name gives each machine the name that it gives itself. Those that share one have their instance behind it.
func (r *roster) name() {
	nodes, hosts := map[string]int{}, map[string]int{}
	for _, m := range r.machines {
		nodes[m.node]++
		hosts[hostPart(m.instance)]++
	}
	for _, m := range r.machines {
		switch {
		case m.node == "":
			m.name = m.instance
		case nodes[m.node] > 1:
			m.name = m.node + " (" + m.instance + ")"
		default:
			m.name = m.node
		}
		if host := hostPart(m.instance); hosts[host] == 1 {
			r.hosts[host] = m
		}
		if m.lost != "" {
			r.lost[m.name] = m.lost
		}
	}
}

// machineOf is the machine of an exporter's target: the node_exporter itself, or another on the same host. ok is false for
// one whose figures would be old; of a host without a node_exporter the name is all there is.
func (r *roster) machineOf(instance string) (name string, ok bool) {
	m := r.machines[instance]
	if m == nil {
		m = r.hosts[hostPart(instance)]
	}
	if m == nil {
		return hostPart(instance), instance != ""
	}
	return m.name, m.lost == "" || m.instance != instance
}

// hostPart is an instance without its port.
func hostPart(instance string) string {
	if host, _, err := net.SplitHostPort(instance); err == nil && host != "" {
		return host
	}
	return instance
}
