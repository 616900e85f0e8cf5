package cli

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/notes"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/agent"
	"strata/sources/audit"
	"strata/sources/checks"
	"strata/sources/host"
	"strata/sources/kube"
	"strata/sources/libvirt"
	"strata/sources/openstack"
	"strata/sources/prometheus"
)

// places are where the layers are looked for. The demo has its own.
type places struct {
	openstack connect.Search
	kube      connect.KubeSearch
	hosts     []host.Config
	libvirts  []connect.LibvirtAt
	machines  []connect.Machine // that may be acted on
	remotes   []connect.Remote
	fleets    []connect.Prometheus
	name      string                      // of this machine
	checks    map[string][]fleet.Endpoint // by the name of the machine that dials
	marks     string                      // file of the marks of error counters; "" keeps none
	simulated bool                        // nothing here is real
	beat      time.Duration               // how often agents are asked for a sign of life; zero is the usual
}

// here looks where the tools of each layer look, with this process' environment, and at this machine.
func here(c config.Config, noHost bool) places {
	p := places{openstack: connect.SearchHere(c.Clouds...), kube: connect.KubeSearchHere(c.Contexts...), remotes: remotes(c), fleets: connect.Prometheuses(c.Prometheus), name: host.Name("")}
	p.marks = marksPath(c)
	p.checks = map[string][]fleet.Endpoint{}
	for _, one := range c.Checks {
		from := cmp.Or(one.From, p.name)
		p.checks[from] = append(p.checks[from], one.Endpoint)
	}
	if !noHost {
		name := p.name
		p.hosts = []host.Config{{Name: name}}
		p.machines = []connect.Machine{connect.ThisMachine(name)}
		p.libvirts = []connect.LibvirtAt{{Name: name, Run: sh.Run}}
	}
	return p
}

// connecting is how the reader of a cockpit over these places has more machines watched. A simulated cloud has none to
// reach: its addresses are somebody else's.
func (p places) connecting(s *joined) func(name, destination string) (string, error) {
	if p.simulated {
		return func(string, string) (string, error) {
			return "", errors.New("the machines of the demo cannot be reached over ssh")
		}
	}
	return s.connect
}

// assembly is everything that looks, put together and not started yet.
type assembly struct {
	name     string // of this machine
	store    *fleet.Store
	put      func(fleet.Observation) // into the store
	wishes   *sources.Wishes
	clouds   []connect.Cloud
	clusters []connect.Cluster
	machines []connect.Machine
	remotes  []connect.Remote
	libvirts []connect.LibvirtAt
	fleets   []connect.Prometheus
	sources  []sources.Source
	awaited  []awaited
	absent   []fleet.Observation // layers that were looked for and are not there
	broke    chan error          // the diagnosis panicked
	marks    *notes.Marks        // nil keeps none
}

// awaited is a scope that a source will answer for.
type awaited struct{ source, scope string }

// assemble finds clouds, clusters and hosts and makes their sources. It uses no network. A cloud or cluster that is
// described badly is a source that says so. wanted says which kinds matter; a layer without any of them is not even
// looked for.
func assemble(at places, c config.Config, wanted func(...fleet.Kind) bool) *assembly {
	a := &assembly{name: at.name, wishes: sources.NewWishes(), machines: at.machines, remotes: at.remotes, broke: make(chan error, 1)}
	a.store = fleet.NewStore(a.guarded(diagnose.Derive(diagnose.Rules())))
	if wanted(fleet.KindServer, fleet.KindCompute, fleet.KindHypervisor, fleet.KindFlavor) {
		a.addClouds(at.openstack, c, wanted(fleet.KindFlavor))
	}
	if wanted(fleet.KindNode, fleet.KindLease, fleet.KindPod, fleet.KindEvent, fleet.KindVolume, fleet.KindClaim, fleet.KindWorkload, fleet.KindApp) {
		a.addClusters(at.kube)
	}
	if wanted(hostKinds()...) {
		a.addHosts(at.hosts, c)
	}
	if wanted(append(machineKinds(), fleet.KindAgent)...) {
		a.addRemotes(at)
	}
	if dial := at.checks[at.name]; len(dial) > 0 && wanted(fleet.KindCheck) {
		a.add(checks.New(checks.Config{Host: at.name, Endpoints: checks.Fixed(dial), Wishes: a.wishes}), checks.Scope)
	}
	if wanted(fleet.KindDomain) {
		for _, l := range at.libvirts {
			a.libvirts = append(a.libvirts, l)
			a.add(libvirt.New(libvirt.Config{LibvirtAt: l, Wishes: a.wishes}), libvirt.Scope)
		}
	}
	if wanted(append(fleetKinds(), fleet.KindAlert)...) {
		for _, f := range at.fleets {
			a.fleets = append(a.fleets, f)
			a.add(prometheus.New(f, prometheus.Options{Every: c.Poll.Prometheus, Agent: userAgent(), Wishes: a.wishes}), prometheus.Scopes(f)...)
		}
	}
	if wanted(fleet.KindDeed) {
		a.add(audit.New(c.Audit.Path, 0), audit.Scope)
	}
	a.put = a.way(at.marks)
	return a
}

// way is what observations go through on their way into the store.
func (a *assembly) way(marks string) func(fleet.Observation) {
	put := a.store.Put
	if marks != "" {
		a.marks = notes.Open(marks)
		put = sources.Remember(put, a.marks)
	}
	if len(a.fleets) > 0 {
		put = sources.Prefer(put, sources.LostFor)
	}
	return put
}

// marksPath is where the marks of error counters are kept: beside the audit log.
func marksPath(c config.Config) string {
	return filepath.Join(filepath.Dir(c.Audit.Path), "marks.json")
}

// hostKinds are what the source of a machine sees; machineKinds are all that an agent tells of its machine.
func hostKinds() []fleet.Kind {
	return []fleet.Kind{
		fleet.KindHost, fleet.KindSensor, fleet.KindDisk, fleet.KindFilesystem, fleet.KindUnit, fleet.KindSwap,
		fleet.KindKernel, fleet.KindKernelLog, fleet.KindBoot,
	}
}

// hostScopes are the scopes of a machine's source.
func hostScopes() []string {
	return []string{
		host.ScopeHost, host.ScopeSensors, host.ScopeDisks, host.ScopeFilesystems, host.ScopeUnits, host.ScopeSwaps,
		host.ScopeKernel, host.ScopeKernelLogs, host.ScopeBoots,
	}
}

// fleetKinds are what a Prometheus tells of machines.
func fleetKinds() []fleet.Kind {
	return []fleet.Kind{fleet.KindHost, fleet.KindSensor, fleet.KindDisk, fleet.KindFilesystem, fleet.KindDomain}
}

func machineKinds() []fleet.Kind { return append(hostKinds(), fleet.KindDomain, fleet.KindCheck) }

func (a *assembly) addRemotes(at places) {
	for _, r := range at.remotes {
		a.add(agent.New(r, agent.Options{Wishes: a.wishes, Beat: at.beat, Expect: hostScopes(), Checks: at.checks[r.Name]}), agent.Scope)
		if len(at.checks[r.Name]) > 0 {
			a.awaited = append(a.awaited, awaited{"checks/" + r.Name, checks.Scope})
		}
		for _, scope := range hostScopes() {
			a.awaited = append(a.awaited, awaited{"host/" + r.Name, scope})
		}
	}
}

func (a *assembly) add(s sources.Source, scopes ...string) {
	a.sources = append(a.sources, s)
	for _, scope := range scopes {
		a.awaited = append(a.awaited, awaited{s.Name(), scope})
	}
}

func (a *assembly) addClouds(where connect.Search, c config.Config, flavors bool) {
	var looked connect.Looked
	if a.clouds, looked = connect.Clouds(where); len(a.clouds) == 0 {
		a.absent = append(a.absent, fleet.Observation{Source: "openstack", Err: looked.Trouble()})
	}
	for _, cloud := range a.clouds {
		a.add(openstack.New(cloud, openstack.Options{Every: c.Poll.OpenStack, Wishes: a.wishes, Version: versionOf().Version}),
			openstack.ScopeServers, openstack.ScopeServices, openstack.ScopeHypervisors)
		if flavors {
			a.awaited = append(a.awaited, awaited{cloud.Source(), openstack.ScopeFlavors})
		}
	}
}

func (a *assembly) addClusters(where connect.KubeSearch) {
	var looked connect.Looked
	if a.clusters, looked = connect.Clusters(where); len(a.clusters) == 0 {
		a.absent = append(a.absent, fleet.Observation{Source: "kube", Err: connect.KubeTrouble(looked)})
	}
	for _, cluster := range a.clusters {
		a.add(kube.New(cluster, kube.Options{Agent: userAgent(), Wishes: a.wishes}), "nodes", "leases", "pods", "events", "volumes", "claims",
			"workloads/deployments", "workloads/statefulsets", "workloads/daemonsets", "workloads/jobs", "apps")
	}
}

func (a *assembly) addHosts(hosts []host.Config, c config.Config) {
	if len(hosts) == 0 {
		a.absent = append(a.absent, fleet.Observation{Source: "host", Err: &fleet.Trouble{
			Doing: "this machine is not watched", Fix: "leave --no-host out", Unconfigured: true,
		}})
	}
	for _, h := range hosts {
		h.Wishes = a.wishes
		if h.Every == 0 {
			h.Every = c.Poll.Host
		}
		if h.SmartEvery == 0 {
			h.SmartEvery = c.Poll.Smart
		}
		a.add(host.New(h), hostScopes()...)
	}
}

// reach is what can be acted on: what is looked at.
func (a *assembly) reach() connect.Reach {
	return connect.Reach{Clouds: a.clouds, Clusters: a.clusters, Machines: a.machines, Remotes: a.remotes, Marks: a.marks}
}

// run watches everything until ctx ends.
func (a *assembly) run(ctx context.Context) error {
	for _, o := range a.absent {
		o.At = time.Now()
		a.store.Put(o)
	}
	return sources.Run(ctx, a.put, append(slices.Clip(a.sources), sources.Clock())...)
}

// guarded keeps a panic of the diagnosis, which runs in a goroutine of the store, from ending the process with the
// terminal in pieces. The first one is told on broke; links and findings then stay as they were.
func (a *assembly) guarded(derive fleet.Derive) fleet.Derive {
	return func(prev, next *fleet.Snapshot, changed []fleet.Change) (links []fleet.Link, findings []fleet.Finding) {
		defer func() {
			if err := caught("diagnosing", recover()); err != nil {
				links, findings = prev.Links, prev.Findings
				select {
				case a.broke <- err:
				default:
				}
			}
		}()
		return derive(prev, next, changed)
	}
}

// title names what is watched, for the top of the screen.
func (a *assembly) title() string {
	var names []string
	for _, c := range a.clouds {
		names = append(names, c.Name)
	}
	for _, c := range a.clusters {
		if !slices.Contains(names, c.Name) { // people give a cloud and its cluster the same name
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, " ")
}

// layerName is what people call the layer of an absent source.
func layerName(source string) string {
	switch source {
	case "openstack":
		return "OpenStack"
	case "kube":
		return "Kubernetes"
	}
	return "this machine"
}

// everything wants all kinds.
func everything(...fleet.Kind) bool { return true }
