package connect

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

const scope = `machine-qemu\x2d2\x2dcompute.scope`

// bus is a simulated machine with its bus behind a line that is cut once a word went over it.
func bus(t *testing.T, cutAt string) (*machine.Machine, Machine) {
	t.Helper()
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	address, stop, err := m.Bus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if cutAt != "" {
		address = cutter(t, strings.TrimPrefix(address, "unix:path="), cutAt)
	}
	return m, Machine{Name: "openstack-host", Root: m.Root(), Bus: address}
}

func cutter(t *testing.T, to, word string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = in.Close() }()
		out, err := net.Dial("unix", to)
		if err != nil {
			return
		}
		all.Go(func() { _, _ = io.Copy(in, out) })
		defer func() { _ = out.Close() }()
		buffer := make([]byte, 1<<16)
		for {
			n, err := in.Read(buffer)
			if err != nil {
				return
			}
			cut := bytes.Contains(buffer[:n], []byte(word))
			if cut {
				_ = in.Close() // the question arrives, the answer does not
			}
			if _, err := out.Write(buffer[:n]); err != nil || cut {
				return
			}
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return "unix:path=" + socket
}

func TestSystemdOverItsBus(t *testing.T) {
	m, at := bus(t, "")
	s, err := at.Systemd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Set(t.Context(), scope, false, Property{"IOWriteBandwidthMax", []DeviceValue{{"/dev/nvme0n1", 2e6}}}, Property{"MemorySwapMax", uint64(0)}); err != nil {
		t.Fatal(err)
	}
	u := m.Units()[1]
	if u.Name != scope || u.Limits["259:0"]["wbps"] != 2e6 || u.SwapMax != fleet.Some(uint64(0)) {
		t.Errorf("unit %+v", u)
	}
	if err := s.At(t.Context(), "strata-clear-x", "clear", time.Hour, "/usr/bin/systemctl", "set-property", scope, "IOWriteBandwidthMax="); err != nil {
		t.Fatal(err)
	}
	if err := s.At(t.Context(), "strata-clear-x", "clear", time.Hour, "/usr/bin/systemctl", "x"); err == nil || !strings.Contains(err.Error(), "already loaded") {
		t.Errorf("the same timer twice: %v", err)
	}
	if err := m.Advance(2 * time.Hour); err != nil || len(m.Units()[1].Limits) != 0 {
		t.Errorf("after the timer: %+v, %v", m.Units()[1].Limits, err)
	}
	if err := s.Cancel(t.Context(), "strata-clear-x"); err != nil {
		t.Errorf("nothing to cancel: %v", err)
	}
	var lost *Lost
	if err := s.Set(t.Context(), "no.scope", false, Property{"MemorySwapMax", uint64(0)}); err == nil || errors.As(err, &lost) || !strings.Contains(err.Error(), "Unit no.scope not found") {
		t.Errorf("no such unit: %v", err)
	}
}

func TestAnAnswerOfSystemdThatIsLost(t *testing.T) {
	_, at := bus(t, "SetUnitProperties")
	s, err := at.Systemd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var lost *Lost
	if err := s.Set(t.Context(), scope, false, Property{"MemorySwapMax", uint64(0)}); !errors.As(err, &lost) {
		t.Errorf("got %v, want a lost answer", err)
	}
}

func TestNoBus(t *testing.T) {
	_, err := Machine{Name: "alpha", Bus: "unix:path=/nonexistent"}.Systemd(t.Context())
	if err == nil || fleet.FixOf(err) == "" {
		t.Errorf("got %v", err)
	}
}

func TestWhatSystemdRefuses(t *testing.T) {
	refusal := func(name string) error { return dbus.Error{Name: name, Body: []any{"no"}} }
	var lost *Lost
	if err := answered("doing", refusal("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")); fleet.FixOf(err) == "" || errors.As(err, &lost) {
		t.Errorf("not allowed: %v", err)
	}
	if err := answered("doing", refusal("org.freedesktop.DBus.Error.NoReply")); !errors.As(err, &lost) {
		t.Errorf("no answer: %v", err)
	}
}
