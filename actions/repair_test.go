package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// repairWorld is a scope that lost its limit on the disk that it writes to, and the domain in it.
func repairWorld() (*fleet.Snapshot, *fleet.Unit, *fleet.Domain) {
	unit := &fleet.Unit{
		Source: "host/a", Host: "a", Name: "machine-qemu-1-db.scope", Domain: "db",
		IO:   []fleet.UnitIO{{Disk: "sda", WriteBytesSec: fleet.Some(8e6)}},
		Lost: []fleet.LostLimit{{Disk: "sda", Limit: fleet.IOLimit{WriteBytesSec: fleet.Some[uint64](50e6)}}},
	}
	domain := &fleet.Domain{
		Source: "libvirt/a", Host: "a", UUID: "u", Name: "db", State: "running",
		Process: fleet.DomainRun{Unit: unit.Name}, Disks: []fleet.DomainDisk{{Target: "vda", Write: fleet.Some(8e6)}},
	}
	at := time.Date(2025, 7, 1, 8, 0, 0, 0, time.UTC)
	return fleet.NewSnapshot(1, at, []fleet.Part{
		{Source: "host/a", Scope: "disks", Kind: fleet.KindDisk, At: at, Facts: fleet.Facts{&fleet.Disk{Source: "host/a", Host: "a", Name: "sda"}}},
		{Source: "host/a", Scope: "units", Kind: fleet.KindUnit, At: at, Facts: fleet.Facts{unit}},
		{Source: "libvirt/a", Scope: "domains", Kind: fleet.KindDomain, At: at, Facts: fleet.Facts{domain}},
	}, nil, nil), unit, domain
}

func TestRepairsAreCommandsThatRepair(t *testing.T) {
	t.Parallel()
	s, unit, domain := repairWorld()
	limits := []string{"unit-limit", "domain-limit"}
	disk := fleet.Ref{Kind: fleet.KindDisk, Source: "host/a", Name: "sda"}
	all := Repairs(s, &fleet.Finding{About: unit.Ref(), Remedies: limits}, &fleet.Finding{About: disk, On: unit.Ref(), Remedies: limits})
	if len(all) != 2 {
		t.Fatalf("the same on the same, twice: %+v", all)
	}
	if line := all[0].Line(); !strings.Contains(line, "IOWriteBandwidthMax=/dev/sda 50000000") || all[0].Refused != nil {
		t.Errorf("what was lost is set again: %s, refused %q", line, all[0].Refused)
	}
	if all[1].On != domain.Ref() || !strings.Contains(all[1].Line(), "--write-bytes-sec 4000000") {
		t.Errorf("the domain in that scope: %+v", all[1])
	}
	unit.Lost = nil
	if line := RepairOf(s, "unit-limit", unit.Ref()).Line(); !strings.HasSuffix(line, "'IOWriteBandwidthMax=/dev/sda 2000000'") {
		t.Errorf("a quarter of what it writes: %s", line)
	}
}

func TestARepairOfOneOfManyLeavesTheChoice(t *testing.T) {
	t.Parallel()
	s, _, _ := repairWorld()
	host := fleet.Ref{Kind: fleet.KindHost, Source: "host/a", Name: "a"}
	all := Repairs(s, &fleet.Finding{About: host, Remedies: []string{"unit-noswap"}})
	if len(all) != 1 || all[0].Pick != fleet.KindUnit || all[0].Command != nil || !strings.HasPrefix(all[0].Line(), "strata act unit-noswap UNIT  # one of:") {
		t.Errorf("%+v: %s", all, all[0].Line())
	}
}
