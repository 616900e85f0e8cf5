package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// flavor returns the flavor of the lab's server as it is seen now.
func (l *lab) flavor(t *testing.T) *fleet.Flavor {
	t.Helper()
	for f := range fleet.All[*fleet.Flavor](l.store.Snapshot(), fleet.KindFlavor) {
		if f.Name == "m1.medium" {
			return f
		}
	}
	t.Fatal("the flavor is not seen")
	return nil
}

// quota makes a FlavorQuota as the command line does.
func (l *lab) quota(t *testing.T, args Args) Action {
	t.Helper()
	o, _ := Find("flavor-quota")
	a, err := o.Make(l.store.Snapshot(), l.flavor(t).Ref(), args)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDiskLimitsOfAFlavorAreSetAndPutBackExactly(t *testing.T) {
	l := start(t, 20*time.Second)
	had := map[string]string{"quota:disk_total_bytes_sec": "0200", "hw:disk_bus": "virtio", "other": "stays"}
	l.cloud.AddFlavor(nova.Flavor{Name: "m1.medium", VCPUs: 2, RAMMiB: 4096, DiskGiB: 40, Extra: had})
	l.runner.Wake(l.source)
	l.until(t, func(s *fleet.Snapshot) bool { return len(l.flavor(t).Extra) == 3 })

	p := l.quota(t, Args{"write_bytes_sec": "2M"}).Plan(l.store.Snapshot())
	if all := strings.Join(p.Refused, ";"); !strings.Contains(all, "libvirt starts no server with both quota:disk_total_bytes_sec and quota:disk_write_bytes_sec") {
		t.Errorf("refused: %q", all)
	}
	a := l.quota(t, Args{"write_bytes_sec": "10MB", "read_iops_sec": "500", "total_bytes_sec": "none"})
	p, said, err := l.do(t, a)
	if err != nil {
		t.Fatal(err)
	}
	if want := "openstack --os-cloud home flavor set --property quota:disk_read_iops_sec=500 --property quota:disk_write_bytes_sec=10000000 m1.medium"; p.Line() != want {
		t.Errorf("the plan shows %s", p.Line())
	}
	all := strings.Join(append(p.Effects, p.Against...), ";")
	for _, want := range []string{"flavor unset --property quota:disk_total_bytes_sec m1.medium", "until they are resized to it: k8s-worker-1", "hw_disk_bus", "hw:disk_bus=virtio, which nova ignores"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q lacks %q", all, want)
		}
	}
	if last := said[len(said)-1]; last.Phase != Seen {
		t.Errorf("it ended with %+v", last)
	}
	f := l.flavor(t)
	if f.Extra["quota:disk_write_bytes_sec"] != "10000000" || f.Extra["quota:disk_read_iops_sec"] != "500" || f.Extra["quota:disk_total_bytes_sec"] != "" || f.Extra["other"] != "stays" {
		t.Errorf("the flavor has %v", f.Extra)
	}
	if got := l.server().Flavor.Extra; len(got) != 0 {
		t.Errorf("the server that was made before has %v", got)
	}
	if _, _, err := l.do(t, p.Undo); err != nil {
		t.Fatal(err)
	}
	f = l.flavor(t)
	if len(f.Extra) != 3 || f.Extra["quota:disk_total_bytes_sec"] != "0200" {
		t.Errorf("after the undo the flavor has %v", f.Extra)
	}
}

func TestOnlyAnAdminSetsDiskLimits(t *testing.T) {
	l := startAs(t, "alice", 20*time.Second)
	_, _, err := l.do(t, l.quota(t, Args{"write_bytes_sec": "2M"}))
	if err == nil || !strings.Contains(err.Error(), "os-flavor-extra-specs:create") || !strings.Contains(err.Error(), "alice has the role member in project demo, and this needs admin") {
		t.Errorf("outcome %v", err)
	}
}

func TestALostAnswerOfDiskLimitsIsSeen(t *testing.T) {
	l := start(t, 20*time.Second)
	l.cloud.Break(nova.Nova, nova.Only("/flavors/"+l.flavor(t).ID+"/os-extra_specs", nova.LoseAnswer()))
	_, said, err := l.do(t, l.quota(t, Args{"read_bytes_sec": "1Mi"}))
	if err != nil || said[len(said)-1].Phase != Seen || l.flavor(t).Extra["quota:disk_read_bytes_sec"] != "1048576" {
		t.Errorf("%v, %+v", err, said[len(said)-1])
	}
}

func TestDiskLimitsAreRefused(t *testing.T) {
	t.Parallel()
	s := fleet.NewSnapshot(1, time.Now(), []fleet.Part{{Source: "openstack/home", Scope: "flavors", Kind: fleet.KindFlavor, Facts: fleet.Facts{
		&fleet.Flavor{Source: "openstack/home", ID: "f", Name: "m", Extra: map[string]string{"quota:disk_read_iops_sec": "5"}},
	}}}, nil, nil)
	for why, a := range map[string]FlavorQuota{
		"nothing is asked for":                      {},
		"no quota:disk_write_iops_sec to take away": {WriteIOPS: "none"},
		"these limits already":                      {ReadIOPS: "5"},
	} {
		a.Source, a.ID = "openstack/home", "f"
		if p := a.Plan(s); !strings.Contains(strings.Join(p.Refused, ";"), why) {
			t.Errorf("refused because of %q, want %q", p.Refused, why)
		}
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{"500": 500, "2M": 2e6, "10MB": 1e7, "10 MB/s": 1e7, "1.5Ki": 1536, "2MiB": 2 << 20, "1g": 1e9} {
		if n, err := amount(text, true); err != nil || n != want {
			t.Errorf("%q is %d, %v, want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "0", "-5", "M", "2X", "nan", "inf", "1e400", "2 M B", "0.2", "9999999T"} {
		if n, err := amount(text, true); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
	if n, err := amount("2kB", false); err == nil {
		t.Errorf("2kB operations are %d", n)
	}
}
