package fleet_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata/internal/fleet"
)

// What could not be read is not zero, neither on the screen nor in JSON.
func TestWhatAHostCouldNotReadIsMissing(t *testing.T) {
	whole := &fleet.Host{Name: "h", Load: [3]float64{}, Memory: fleet.Memory{Total: 100, Available: fleet.Some(uint64(90))}}
	blind := &fleet.Host{Name: "h", Missing: []string{"load: /proc/loadavg: permission denied", "memory: /proc/meminfo: permission denied"}, Swap: fleet.Swap{InBytesSec: fleet.Some(1.5)}}
	if !whole.LoadKnown() || !whole.MemoryKnown() || !whole.SwapKnown() || whole.Health().State != fleet.StateOK {
		t.Errorf("an idle host without swap: %v %v %v %v", whole.LoadKnown(), whole.MemoryKnown(), whole.SwapKnown(), whole.Health())
	}
	if blind.LoadKnown() || blind.MemoryKnown() || blind.SwapKnown() || blind.Health().State != fleet.StateUnknown {
		t.Errorf("a host that tells nothing: %v %v %v %v", blind.LoadKnown(), blind.MemoryKnown(), blind.SwapKnown(), blind.Health())
	}
	comes(t, whole, new(fleet.Host), `"load":[0,0,0]`, `"memory":{"totalBytes":100,`, `"swap":{"totalBytes":0,"usedBytes":0,`)
	comes(t, blind, new(fleet.Host), `"load":null`, `"availableBytes":null,"totalBytes":null`, `"inBytesPerSec":1.5,"outBytesPerSec":null,`, `"totalBytes":null,"usedBytes":null}`)
}

func TestAFilesystemThatHangsHasNoSize(t *testing.T) {
	comes(t, &fleet.Filesystem{Mount: "/mnt", NoData: "no answer for 2s"}, new(fleet.Filesystem),
		`"totalBytes":null`, `"usedBytes":null`, `"availableBytes":null`, `"noData":"no answer for 2s"`)
	comes(t, &fleet.Filesystem{Mount: "/", Total: 10, Used: 10}, new(fleet.Filesystem), `"totalBytes":10,"usedBytes":10,"availableBytes":0`)
}

// comes checks what an object is in JSON, that it comes back the same, and that nothing is said twice.
func comes(t *testing.T, o, back fleet.Object, want ...string) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(b), w) {
			t.Errorf("%s is not in %s", w, b)
		}
	}
	if n := strings.Count(string(b), `"load":`); n > 1 {
		t.Errorf("load comes %d times: %s", n, b)
	}
	if err := json.Unmarshal(b, back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(o, back); d != "" {
		t.Error(d)
	}
}

func TestSmartThatIsOldIsNotCurrent(t *testing.T) {
	for _, c := range []struct {
		smart fleet.Smart
		want  fleet.Health
	}{
		{fleet.Smart{Passed: fleet.Some(true)}, fleet.Health{State: fleet.StateOK, Word: "PASSED"}},
		{fleet.Smart{Passed: fleet.Some(true), Old: true}, fleet.Health{State: fleet.StateUnknown, Word: "PASSED (old)"}},
		{fleet.Smart{Passed: fleet.Some(true), Old: true, Asleep: true}, fleet.Health{State: fleet.StateUnknown, Word: "PASSED (old)"}},
		{fleet.Smart{Old: true}, fleet.Health{State: fleet.StateUnknown, Word: "SMART is old"}},
		{fleet.Smart{Passed: fleet.Some(false), Old: true}, fleet.Health{State: fleet.StateBad, Word: "FAILING"}},
	} {
		if got := (&fleet.Disk{Smart: &c.smart}).Health(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.smart, got, c.want)
		}
	}
}

// Compare must order as the refs do, or the parts of a snapshot would not be sorted.
func TestThingsOfManyMachinesAreOrderedAsTheirRefs(t *testing.T) {
	t.Parallel()
	var all []fleet.Object
	for _, source := range []string{"host/a", "prometheus/x", "prometheus/y"} {
		for _, host := range []string{"a", "a-b", "a/b", "a0", "b"} {
			for _, name := range []string{"", "b/c", "sda", "/"} {
				all = append(all, &fleet.Disk{Source: source, Host: host, Name: name}, &fleet.Sensor{Source: source, Host: host, Name: name}, &fleet.Filesystem{Source: source, Host: host, Mount: name})
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			if got, want := fleet.Compare(a, b), a.Ref().Compare(b.Ref()); got != want {
				t.Fatalf("Compare(%v, %v) = %d, their refs say %d", a.Ref(), b.Ref(), got, want)
			}
		}
	}
}
