package machine

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *Machine {
	t.Helper()
	spec, err := OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *Machine) file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.Root(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEverySpecRuns(t *testing.T) {
	t.Parallel()
	openstack, err1 := OpenstackHost()
	kubernetes, err2 := KubernetesHost()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, s := range []Spec{openstack, kubernetes, Compute(), Controller()} {
		m, err := New(t.TempDir(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.file(t, "proc/sys/kernel/hostname"); got != s.Hostname+"\n" {
			t.Errorf("%s calls itself %q", s.Hostname, got)
		}
		for _, d := range s.Disks {
			if m.file(t, "sys/block/"+d.Name+"/size") == "0\n" {
				t.Errorf("%s of %s is empty", d.Name, s.Hostname)
			}
		}
	}
}

func TestTimePassesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	m := start(t)
	before, stat := m.file(t, "proc/uptime"), m.file(t, "proc/diskstats")
	if err := m.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	if m.file(t, "proc/uptime") == before || m.file(t, "proc/diskstats") == stat {
		t.Error("a minute changed nothing")
	}
	id := m.file(t, "proc/sys/kernel/random/boot_id")
	if err := m.Reboot(); err != nil {
		t.Fatal(err)
	}
	if m.file(t, "proc/sys/kernel/random/boot_id") == id || !strings.HasPrefix(m.file(t, "proc/uptime"), "0.00") {
		t.Error("a reboot left the boot id or the uptime")
	}
}

func TestRunMovesAndStops(t *testing.T) {
	t.Parallel()
	m := start(t)
	before := m.file(t, "proc/uptime")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); m.file(t, "proc/uptime") == before; {
		if time.Now().After(deadline) {
			t.Fatal("time stands still")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestChangeShows(t *testing.T) {
	t.Parallel()
	m := start(t)
	err := m.Change(func(s *State) {
		s.Temps["coretemp.0/temp1"] = 97
		s.Temps["coretemp.0/temp2"] = math.NaN()
		s.Smart["nvme0n1"].Values["thermal_temp2_transitions"] = 5
		s.Smart["sda"].Values["Reallocated_Sector_Ct"] = 24
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := "sys/class/hwmon/hwmon3/"
	if m.file(t, folder+"name") != "coretemp\n" || m.file(t, folder+"temp1_input") != "97000\n" || m.file(t, folder+"temp2_fault") != "1\n" {
		t.Error("the temperatures did not change")
	}
	out, code, err := m.Smartctl(t.Context(), "--json=co", "/dev/nvme0n1")
	if err != nil || code != 0 || !json.Valid(out) || !strings.Contains(string(out), "Thermal Temp. 2 Transition Count: 5") {
		t.Errorf("smartctl: %s, %d, %v", out, code, err)
	}
	if out, _, _ = m.Smartctl(t.Context(), "--json=co", "/dev/sda"); !strings.Contains(string(out), `"string":"24"`) {
		t.Errorf("smartctl: %s", out)
	}
	if err := m.Change(func(s *State) { s.Temps["no/temp1"] = 1 }); err == nil {
		t.Error("a sensor that is not there was set")
	}
	if err := m.Change(func(*State) {}); err != nil {
		t.Errorf("what was refused stayed: %v", err)
	}
}

func TestHungMountComesBackWhenItIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t)
		set := func(hangs bool) {
			if err := m.Change(func(s *State) { s.Mounts[2].Hangs = hangs }); err != nil {
				t.Error(err)
			}
		}
		set(true)
		returned := false
		go func() {
			if err := m.Statfs("/home", new(syscall.Statfs_t)); err != nil {
				t.Error(err)
			}
			returned = true
		}()
		synctest.Wait()
		if returned {
			t.Error("statfs of a hung mount returned")
		}
		set(false)
		synctest.Wait()
		if !returned {
			t.Error("statfs of a healed mount hangs")
		}
		if err := m.Statfs("/nowhere", new(syscall.Statfs_t)); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("got %v, want ENOENT", err)
		}
	})
}
