package host

import (
	"os"
	"testing"

	"strata/internal/fleet"
)

func TestRights(t *testing.T) {
	t.Parallel()
	const own = "Name:\tstrata\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000200000\nCapAmb:\t0000000000020000\n"
	r := parseRights([]byte(own))
	if r == nil || r.Root() || r.Has(fleet.CapSysAdmin) || !r.Has(fleet.CapSysRawIO) {
		t.Errorf("a program of a user has what is ambient: %+v", r)
	}
	r = parseRights([]byte("Uid:\t1000\t0\t0\t0\nCapEff:\t000001ffffdfffff\nCapAmb:\t0\n"))
	if r == nil || !r.Root() || r.Has(fleet.CapSysAdmin) || !r.Has(fleet.CapSyslog) {
		t.Errorf("root in a container that may not swap: %+v", r)
	}
	if parseRights([]byte("Uid: x")) != nil || parseRights(nil) != nil {
		t.Error("rights out of nothing")
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if r := parseRights(b); r == nil || r.UID != os.Geteuid() {
		t.Errorf("our own: %+v", r)
	}
}

func FuzzRights(f *testing.F) {
	f.Add([]byte("Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r := parseRights(b); r != nil && r.UID != 0 && r.Root() {
			t.Errorf("%q made somebody root", b)
		}
	})
}

func TestSwappinessThatIsKept(t *testing.T) {
	t.Parallel()
	if got := parseSwappiness([]byte("# vm.swappiness = 5\nvm.swappiness=10\n vm.swappiness = 20 \nvm.swappiness = many\n")); got != fleet.Some(20) {
		t.Errorf("got %v", got)
	}
	if got := parseSwappiness([]byte("vm.dirty_ratio = 5\n")); got.OK {
		t.Errorf("got %v", got)
	}
}

func FuzzSwappiness(f *testing.F) {
	f.Add([]byte("vm.swappiness = 10\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := parseSwappiness(b); got.V < 0 || got.V > 200 {
			t.Errorf("%q gave %d", b, got.V)
		}
	})
}
