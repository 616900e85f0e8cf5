package prometheus

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fake/nova"
	"strata/internal/fake/prometheus"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

// place is the fake as the configuration would have it.
func place(s *prometheus.Server) connect.Prometheus {
	return connect.Prometheus{Prometheus: config.Prometheus{Name: "x", URL: s.URL, Alertmanager: s.Alertmanager}, Getenv: func(string) string { return "" }}
}

func start(t *testing.T, n int) *prometheus.Server {
	t.Helper()
	s := prometheus.Start(n)
	t.Cleanup(s.Close)
	return s
}

func TestConformance(t *testing.T) {
	f := start(t, 3)
	f.SetAlerts(prometheus.Alert{Fingerprint: "a1", Name: "Down", Severity: "critical"})
	extra := prometheus.NewMachine(7, time.Now())
	extra.Domains = []string{"instance-7"}
	f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		all[0].Domains = []string{"instance-1"}
		return all
	})
	add := func() {
		f.Change(func(all []*prometheus.Machine) []*prometheus.Machine { return append(all, extra) })
	}
	remove := func() {
		f.Change(func(all []*prometheus.Machine) []*prometheus.Machine { return all[:len(all)-1] })
	}
	for scope, name := range map[string]fleet.Ref{
		ScopeHosts:       {Kind: fleet.KindHost, Name: "node-0007"},
		ScopeSensors:     {Kind: fleet.KindSensor, Name: "node-0007/nvme_nvme0/temp1"},
		ScopeDisks:       {Kind: fleet.KindDisk, Name: "node-0007/sdb"},
		ScopeFilesystems: {Kind: fleet.KindFilesystem, Name: "node-0007//srv"},
		ScopeDomains:     {Kind: fleet.KindDomain, Name: "00000000-node-0007"},
		ScopeAlerts:      {Kind: fleet.KindAlert, Name: "a2"},
	} {
		name.Source = "prometheus/x"
		h := sourcetest.Harness{
			New:   func() sources.Source { return New(place(f), Options{Every: 10 * time.Millisecond}) },
			Scope: scope, Extra: name, Add: add, Remove: remove, Quiet: f.Quiet,
			Break: func() { f.Break("", nova.Unavailable(0)) }, Heal: f.Heal,
		}
		if scope == ScopeAlerts {
			one := prometheus.Alert{Fingerprint: "a1", Name: "Down", Severity: "critical"}
			h.Add = func() { f.SetAlerts(one, prometheus.Alert{Fingerprint: "a2", Name: "Hot"}) }
			h.Remove = func() { f.SetAlerts(one) }
		}
		t.Run(scope, func(t *testing.T) { sourcetest.Run(t, h) })
	}
}

// looked runs a source until want says that it has seen enough, and returns the last observation of each scope.
func looked(t *testing.T, s sources.Source, want func(map[string]fleet.Observation) bool) map[string]fleet.Observation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	seen := map[string]fleet.Observation{}
	_ = s.Watch(ctx, func(o fleet.Observation) {
		if ctx.Err() == nil {
			if seen[o.Scope] = o; want(seen) {
				cancel()
			}
		}
	})
	if !want(seen) {
		t.Fatalf("not seen in time; the scopes are %v", slices.Collect(maps.Keys(seen)))
	}
	return seen
}

func allScopes(seen map[string]fleet.Observation) bool { return len(seen) == 6 }

func find[T fleet.Object](t *testing.T, o fleet.Observation, name string) T {
	t.Helper()
	if o.Err != nil {
		t.Fatalf("scope %s fails: %v", o.Scope, o.Err)
	}
	for _, f := range o.Facts {
		if f.Ref().Name == name {
			return f.(T)
		}
	}
	t.Fatalf("there is no %s in %s", name, o.Scope)
	panic("not reached")
}

func TestAMachineAsItsExportersTellIt(t *testing.T) {
	t.Parallel()
	f := start(t, 20)
	f.SetAlerts(
		prometheus.Alert{Fingerprint: "1", Name: "Down", Severity: "critical", Instance: "10.0.0.3:9100", Summary: "gone"},
		prometheus.Alert{Fingerprint: "2", Name: "Down", Severity: "critical", Silenced: true},
		prometheus.Alert{Fingerprint: "3", Name: "Slow", Severity: "warning", Inhibited: true},
	)
	var boot time.Time
	f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		m := all[12]
		m.Domains, m.Media, m.Busy, m.Load, boot = []string{"instance-00000012", "plain"}, 3, 0.25, 4.5, m.Boot
		return all
	})
	seen := looked(t, New(place(f), Options{}), allScopes)
	h := find[*fleet.Host](t, seen[ScopeHosts], "node-0012")
	want := &fleet.Host{
		Source: "prometheus/x", Name: "node-0012", Boot: boot, CPUs: 16, Load: [3]float64{4.5, 4.5, 4.5},
		Identity: fleet.HostID{Kernel: "6.1.0-42-amd64", OS: "Debian GNU/Linux 12 (bookworm)", Model: "Dell Inc. PowerEdge R650", SystemUUID: "00000000-0000-4000-8000-000000000012"},
	}
	if h.Boot != want.Boot || h.CPUs != want.CPUs || h.Load != want.Load || !reflect.DeepEqual(h.Identity, want.Identity) || len(h.Missing) > 0 {
		t.Errorf("the host is %+v", h)
	}
	if b := h.Busy.V; b < 0.249 || b > 0.251 || h.Steal.V < 0.009 || h.Steal.V > 0.011 {
		t.Errorf("busy %v, steal %v", h.Busy, h.Steal)
	}
	if h.Memory.Total != 64<<30 || h.Memory.Available.V != 32<<30 || h.Swap.Total != 8<<30 || h.Swap.Used != 2<<30 || h.Swap.InBytesSec.V != 8192 || h.Swap.OutBytesSec.V != 16384 {
		t.Errorf("memory %+v, swap %+v", h.Memory, h.Swap)
	}
	if p := h.Pressure; p == nil || p.Memory.Some60 != 2 || p.Memory.Full10 != 1 || p.IO.Some10 != 5 || p.CPU.Some10 != 10 {
		t.Errorf("pressure %+v", p)
	}
	s := find[*fleet.Sensor](t, seen[ScopeSensors], "node-0012/nvme_nvme0/temp1")
	if s.Chip != "nvme" || s.Label != "Composite" || s.Disk != "nvme0n1" || s.Celsius.V != 47 || s.Max.V != 84 || s.Crit.V != 100 || s.Host != "node-0012" {
		t.Errorf("the sensor is %+v", s)
	}
	d := find[*fleet.Disk](t, seen[ScopeDisks], "node-0012/nvme0n1")
	if d.Smart == nil || !d.Smart.Passed.V || d.Smart.UsedPct.V != 4 || d.Smart.Celsius.V != 47 || d.Smart.Hours.V != 1000 || d.Bus != "nvme" || d.Bytes != 512e9 || d.Model != "SAMSUNG MZVLB512HBJQ" {
		t.Errorf("the disk is %+v, SMART %+v", d, d.Smart)
	}
	if c, ok := d.Counter("media_errors"); !ok || c.Value != 3 || c.Grew() != 0 {
		t.Errorf("media errors are %+v", c)
	}
	if d.IO.Await.V != 2*time.Millisecond || d.IO.Util.V != 0.25 || d.IO.WriteBytesSec.V != 2e6 {
		t.Errorf("the disk does %+v", d.IO)
	}
	ata := find[*fleet.Disk](t, seen[ScopeDisks], "node-0012/sda")
	if c, ok := ata.Counter("reallocated"); !ok || c.Value != 8 {
		t.Errorf("reallocated is %+v", c)
	}
	if c, ok := ata.Counter("command_timeout"); !ok || c.Value != 0 {
		t.Errorf("the low part of 1<<32 time-outs is %+v", c)
	}
	if _, ok := ata.Counter("media_errors"); ok || ata.Smart.UsedPct.OK {
		t.Error("an ATA disk has the figures of NVMe that the exporter makes up")
	}
	if none := find[*fleet.Disk](t, seen[ScopeDisks], "node-0012/sdb"); none.Smart != nil || len(none.Missing) != 1 {
		t.Errorf("a disk without SMART is %+v", none)
	}
	fs := find[*fleet.Filesystem](t, seen[ScopeFilesystems], "node-0012//srv")
	if fs.Total != 100<<30 || fs.Used != 40<<30 || fs.Available != 55<<30 || fs.Device != "/dev/sda3" || fs.Type != "ext4" || fs.InodesFree != 9e5 {
		t.Errorf("the filesystem is %+v", fs)
	}
	vm := find[*fleet.Domain](t, seen[ScopeDomains], "00000000-node-0012")
	if vm.State != "running" || vm.Nova != "web" || vm.Compute.VCPUs != 2 || vm.Compute.Memory != 4<<30 || vm.Process.CPU.V != 0.5 || len(vm.Disks) != 2 || vm.Disks[0].Target != "vda" || vm.Disks[0].Read.V != 2e5 {
		t.Errorf("the domain is %+v", vm)
	}
	vm = find[*fleet.Domain](t, seen[ScopeDomains], "00000001-node-0012")
	if vm.Name != "plain" || vm.State != "running" || vm.Compute.VCPUs != 2 || len(vm.Disks) != 2 {
		t.Errorf("the domain of an exporter that has the uuid on every metric is %+v", vm)
	}
	for name, want := range map[string]fleet.Health{"1": {State: fleet.StateBad, Word: "firing"}, "2": {State: fleet.StateOK, Word: "silenced"}, "3": {State: fleet.StateOK, Word: "inhibited"}} {
		if a := find[*fleet.Alert](t, seen[ScopeAlerts], name); a.Health() != want {
			t.Errorf("alert %s is %v, want %v", name, a.Health(), want)
		}
	}
}

// One question for each metric, whatever the number of machines, and nothing but reading.
func TestOneQuestionForEachMetric(t *testing.T) {
	t.Parallel()
	asked := map[int]int{}
	for _, n := range []int{2, 40} {
		f := start(t, n)
		looked(t, New(place(f), Options{Every: time.Hour}), allScopes)
		queries := f.Asked()
		asked[n] = len(queries)
		for i, q := range queries {
			if slices.Contains(queries[:i], q) {
				t.Errorf("%s was asked twice in a round", q)
			}
			if strings.HasPrefix(q, http.MethodPost) {
				t.Errorf("it sent %s", q)
			}
		}
	}
	if asked[2] != asked[40] || asked[2] < 40 {
		t.Errorf("2 machines take %d questions, 40 take %d", asked[2], asked[40])
	}
}

func TestAMachineThatIsDownIsLostAndHidesNoOther(t *testing.T) {
	t.Parallel()
	f := start(t, 3)
	down := func(is bool) {
		f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
			all[1].Down = is
			return all
		})
	}
	lost := func(o fleet.Observation) bool {
		for _, h := range o.Facts {
			if h, ok := h.(*fleet.Host); ok && h.Name == "node-0001" && h.Identity.Lost != "" {
				return true
			}
		}
		return false
	}
	step := 0
	seen := looked(t, New(place(f), Options{Every: 10 * time.Millisecond}), func(seen map[string]fleet.Observation) bool {
		switch {
		case step == 0 && len(seen) == 6:
			down(true)
			step++
		case step == 1 && lost(seen[ScopeHosts]):
			clear(seen) // what comes after it was down
			step++
		}
		return step == 2 && len(seen) == 6
	})
	h := find[*fleet.Host](t, seen[ScopeHosts], "node-0001")
	if h.Health() != (fleet.Health{State: fleet.StateBad, Word: "lost"}) || h.LoadKnown() || h.MemoryKnown() || h.Busy.OK || h.Pressure != nil || h.Boot.IsZero() || h.Identity.OS == "" {
		t.Errorf("the lost machine is %+v", h)
	}
	if !strings.Contains(h.Identity.Lost, "10.0.0.1:9100") || !strings.Contains(h.Identity.Lost, "last seen") {
		t.Errorf("it is lost because %q", h.Identity.Lost)
	}
	if s := find[*fleet.Sensor](t, seen[ScopeSensors], "node-0001/nvme_nvme0/temp1"); s.Celsius.OK || s.NoData == "" {
		t.Errorf("its sensor reads %+v", s)
	}
	if d := find[*fleet.Disk](t, seen[ScopeDisks], "node-0001/sda"); d.IO.Util.OK || d.Smart != nil || len(d.Counters) > 0 || d.Model == "" {
		t.Errorf("its disk is %+v", d)
	}
	if fs := find[*fleet.Filesystem](t, seen[ScopeFilesystems], "node-0001//srv"); fs.Total != 0 || fs.NoData == "" {
		t.Errorf("its filesystem is %+v", fs)
	}
	if h := find[*fleet.Host](t, seen[ScopeHosts], "node-0002"); h.Identity.Lost != "" || !h.LoadKnown() {
		t.Errorf("another machine is %+v", h)
	}
}

// A target can go down between two questions: up is still 1, and it does not say who it is any more.
func TestASensorTellsHowItTurned(t *testing.T) {
	t.Parallel()
	f := start(t, 2)
	set := func(celsius float64) {
		f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
			all[1].Celsius = celsius
			return all
		})
	}
	composite := func(seen map[string]fleet.Observation) (s *fleet.Sensor) {
		for _, o := range seen[ScopeSensors].Facts {
			if o.Ref().Name == "node-0001/nvme_nvme0/temp1" {
				s = o.(*fleet.Sensor)
			}
		}
		return s
	}
	warm := false
	seen := looked(t, New(place(f), Options{Every: 10 * time.Millisecond}), func(seen map[string]fleet.Observation) bool {
		s := composite(seen)
		if s != nil && !warm {
			warm = true
			set(90)
		}
		return s != nil && s.Celsius.V == 90
	})
	if got := composite(seen).Turns; len(got) != 1 || got[0].From != 46 || got[0].To != 90 || got[0].At.IsZero() {
		t.Errorf("it went over its maximum of 84: %+v", got)
	}
}

func TestAMachineKeepsItsNameWhileItIsLost(t *testing.T) {
	t.Parallel()
	f := start(t, 2)
	names := map[string]bool{}
	step := 0
	looked(t, New(place(f), Options{Every: 10 * time.Millisecond}), func(seen map[string]fleet.Observation) bool {
		lost := ""
		for _, o := range seen[ScopeHosts].Facts {
			h := o.(*fleet.Host)
			if names[h.Name] = true; h.Identity.Lost != "" {
				lost = h.Identity.Lost
			}
		}
		switch {
		case step == 0 && len(names) == 2:
			f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
				all[1].Odd = map[string]string{"node_uname_info": "NaN"}
				return all
			})
			step++
		case step == 1 && strings.Contains(lost, "no node_uname_info"):
			f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
				all[1].Down = true
				return all
			})
			step++
		}
		return step == 2 && strings.Contains(lost, "up is 0")
	})
	if len(names) != 2 {
		t.Errorf("two machines were called %v", slices.Collect(maps.Keys(names)))
	}
}

// A machine that is down before strata starts is known by what it said before.
func TestAMachineThatWasDownBefore(t *testing.T) {
	t.Parallel()
	f := start(t, 2)
	f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		all[0].Down, all[1].Down = true, true
		return all
	})
	seen := looked(t, New(place(f), Options{}), func(seen map[string]fleet.Observation) bool { return len(seen) > 0 && seen[ScopeHosts].Source != "" })
	if h := find[*fleet.Host](t, seen[ScopeHosts], "node-0001"); h.Identity.Lost == "" || len(seen[ScopeHosts].Facts) != 2 {
		t.Errorf("it is %+v", h)
	}
}

func TestWhatIsNotToldIsMissing(t *testing.T) {
	t.Parallel()
	f := start(t, 2)
	f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		all[0].Odd = map[string]string{
			"node_load1": "NaN", "node_memory_MemTotal_bytes": "+Inf", "node_hwmon_temp_celsius": "1e9", "node_hwmon_temp_max_celsius": "65261.85",
			"node_filesystem_size_bytes": "-1", "node_pressure_io_waiting_seconds_total": "NaN", "node_disk_reads_completed_total": "NaN",
		}
		return all
	})
	seen := looked(t, New(place(f), Options{}), allScopes)
	h := find[*fleet.Host](t, seen[ScopeHosts], "node-0000")
	if h.LoadKnown() || h.MemoryKnown() || h.SwapKnown() || h.Pressure != nil || len(h.Missing) != 2 {
		t.Errorf("the host is %+v", h)
	}
	if s := find[*fleet.Sensor](t, seen[ScopeSensors], "node-0000/nvme_nvme0/temp1"); s.Celsius.OK || s.Max.OK || !strings.HasPrefix(s.NoData, "implausible") {
		t.Errorf("the sensor is %+v", s)
	}
	if d := find[*fleet.Disk](t, seen[ScopeDisks], "node-0000/sda"); d.IO.ReadsSec.OK || d.IO.Await.OK || !d.IO.WritesSec.OK {
		t.Errorf("the disk does %+v", d.IO)
	}
	if fs := find[*fleet.Filesystem](t, seen[ScopeFilesystems], "node-0000//srv"); fs.Total != 0 || fs.InodesFree != 0 || fs.NoData == "" {
		t.Errorf("the filesystem is %+v", fs)
	}
	if h := find[*fleet.Host](t, seen[ScopeHosts], "node-0001"); len(h.Missing) > 0 {
		t.Errorf("another host misses %v", h.Missing)
	}
}

func TestHostileLabels(t *testing.T) {
	t.Parallel()
	f := start(t, 3)
	evil := "\x1b]0;owned\x07\"\\\n" + strings.Repeat("ü", 1<<16)
	f.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		all[0].Node, all[0].Mounts = evil, []string{evil}
		all[1].Node = "node-0002" // as the third
		return all
	})
	seen := looked(t, New(place(f), Options{}), allScopes)
	names := map[string]bool{}
	for _, o := range seen[ScopeHosts].Facts {
		h := o.(*fleet.Host)
		names[h.Name] = true
		if len(h.Name) > longestLabel {
			t.Errorf("a name of %d bytes", len(h.Name))
		}
	}
	if len(names) != 3 || !names["node-0002 (10.0.0.1:9100)"] || !names["node-0002 (10.0.0.2:9100)"] {
		t.Errorf("machines of one name are called %v", slices.Collect(maps.Keys(names)))
	}
}

func TestFaultsInWordsAndOneAtATime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		only   string
		fault  nova.Fault
		says   string
		others bool // the other scopes are well
	}{
		"the login is refused":      {"", nova.Unauthorized(), "HTTP 401", false},
		"the rate is limited":       {"", nova.RateLimit(time.Second), "HTTP 429", false},
		"a proxy without a backend": {"", nova.Unavailable(0), "HTTP 503: 503 Service Unavailable", false},
		"it hangs":                  {"", nova.Hang(), "deadline", false},
		"a body that is cut":        {"", nova.CutBody(), "ends before it is whole", false},
		"a captive portal":          {"", nova.Garbage(), "not that of Prometheus", false},
		"one metric fails":          {"node_hwmon_temp_celsius", nova.Unavailable(0), "HTTP 503", true},
		"one metric hangs":          {"node_hwmon_temp_celsius", nova.Hang(), "deadline", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, 2)
			f.Break(c.only, c.fault)
			seen := looked(t, New(place(f), Options{Every: 10 * time.Millisecond, Patience: 2 * time.Second}), allScopes)
			for scope, o := range seen {
				if bad := !c.others || scope == ScopeSensors; bad != (o.Err != nil) {
					t.Errorf("scope %s: %v", scope, o.Err)
				} else if bad && scope != ScopeAlerts && (!strings.Contains(o.Err.Error(), c.says) || fleet.FixOf(o.Err) == "") {
					t.Errorf("scope %s: %v; to do: %s; want %q", scope, o.Err, fleet.FixOf(o.Err), c.says)
				}
			}
		})
	}
}

func TestLogins(t *testing.T) {
	t.Parallel()
	f := start(t, 1)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(with config.Prometheus) error {
		p := place(f)
		with.Name, with.URL = p.Name, p.URL
		p.Prometheus, p.Getenv = with, func(name string) string { return map[string]string{"PASSWORD": "s3cret"}[name] }
		return looked(t, New(p, Options{}), func(seen map[string]fleet.Observation) bool { return seen[ScopeHosts].Source != "" })[ScopeHosts].Err
	}
	f.Want("op:s3cret", "")
	for _, with := range []config.Prometheus{{User: "op", PasswordFile: secret}, {User: "op", PasswordEnv: "PASSWORD"}} {
		if err := try(with); err != nil {
			t.Errorf("%+v: %v", with, err)
		}
	}
	for says, with := range map[string]config.Prometheus{
		"HTTP 401":                      {User: "nobody", PasswordFile: secret},
		"the variable NOTHING is empty": {User: "op", PasswordEnv: "NOTHING"},
		"no such file":                  {TokenFile: secret + ".away"},
	} {
		err := try(with)
		if err == nil || !strings.Contains(err.Error(), says) || fleet.FixOf(err) == "" || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v, want %q", with, err, says)
		}
	}
	f.Want("", "s3cret")
	if err := try(config.Prometheus{TokenFile: secret}); err != nil {
		t.Error(err)
	}
	var answer *connect.Answer
	if err := try(config.Prometheus{}); !errors.As(err, &answer) || !strings.Contains(fleet.FixOf(err), "it wants a login") {
		t.Errorf("without a login: %v; %s", err, fleet.FixOf(err))
	}
}
