package host

import (
	"testing"

	"strata/internal/fleet"
)

const scopeOfGuest = `machine-qemu\x2d1\x2dinstance\x2d0000001c.scope`

// What `systemctl set-property` was told and the kernel does not have is said, with the file; what holds is not, nor what was
// taken back or means no limit.
func TestALimitThatSystemdNeverSetIsTold(t *testing.T) {
	t.Parallel()
	const transient, control, kept = "run/systemd/transient/", "run/systemd/system.control/", "etc/systemd/system.control/"
	s, n := planted(t, map[string]string{
		transient + scopeOfGuest + ".d/50-IOReadBandwidthMax.conf": "# This is a drop-in\n[Scope]\nIOReadBandwidthMax=\nIOReadBandwidthMax=253:0 50000000\n",
		transient + scopeOfGuest + ".d/50-IOWriteIOPSMax.conf":     "[Scope]\nIOWriteIOPSMax=/dev/sda 100\nIOWriteIOPSMax=\n",
		transient + scopeOfGuest + ".d/50-IOReadIOPSMax.conf":      "[Scope]\nIOReadIOPSMax=/dev/sda 0\nIOReadIOPSMax=/dev/sdb infinity\nIOReadIOPSMax\n",
		transient + scopeOfGuest + ".d/50-MemorySwapMax.conf":      "[Scope]\nMemorySwapMax=0\n",
		control + "db.service.d/50-IOWriteBandwidthMax.conf":       "[Service]\nIOWriteBandwidthMax=/dev/gone 1000\n",
		kept + "db.service.d/50-IOWriteBandwidthMax.conf":          "[Service]\nIOWriteBandwidthMax=\n",
	})
	u := newUnits(s, n)
	u.told = u.toldOf()
	guest := &fleet.Unit{Name: scopeOfGuest}
	got := u.inert(guest)
	if len(got) != 1 || got[0].Disk != "253:0" || got[0].Limit != (fleet.IOLimit{ReadBytesSec: fleet.Some[uint64](50000000)}) ||
		got[0].DropIn != "/"+transient+scopeOfGuest+".d/50-IOReadBandwidthMax.conf" {
		t.Errorf("got %+v", got)
	}
	guest.IO = []fleet.UnitIO{{Disk: "vda", Limit: fleet.IOLimit{ReadBytesSec: fleet.Some[uint64](50000000)}}}
	if got := u.inert(guest); len(got) != 0 {
		t.Errorf("it holds, and yet: %+v", got)
	}
	if got := u.inert(&fleet.Unit{Name: "db.service"}); len(got) != 0 {
		t.Errorf("what is kept takes back what is not: %+v", got)
	}
	if got := u.inert(&fleet.Unit{Name: scopeOfGuest, Missing: []string{"io.max: permission denied"}}); len(got) != 0 {
		t.Errorf("what cannot be seen is called missing: %+v", got)
	}
}
