package connect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/godbus/dbus/v5"

	"strata/internal/fleet"
)

// Infinity is how systemd writes that there is no limit.
const Infinity uint64 = math.MaxUint64

// Systemd is the service manager of a machine, spoken to over its system bus.
type Systemd struct {
	conn    *dbus.Conn
	machine string
}

// Property is a property of a unit. Value has the type that systemd wants, such as []DeviceValue or uint64.
type Property struct {
	Name  string
	Value any
}

// DeviceValue is a value for one block device, as in IOWriteBandwidthMax.
type DeviceValue struct {
	Device string // path in /dev
	Value  uint64
}

const (
	systemdName    = "org.freedesktop.systemd1"
	systemdPath    = "/org/freedesktop/systemd1"
	systemdManager = systemdName + ".Manager"
)

// Systemd connects to the machine's service manager. The caller closes what it gets.
func (m Machine) Systemd(ctx context.Context) (*Systemd, error) {
	dial := dbus.ConnectSystemBus
	if m.Bus != "" {
		dial = func(o ...dbus.ConnOption) (*dbus.Conn, error) { return dbus.Connect(m.Bus, o...) }
	}
	conn, err := dial(dbus.WithContext(ctx))
	if err != nil {
		return nil, &fleet.Trouble{
			Doing: "connecting to the system bus of " + m.Name, Cause: err,
			Fix: "systemd must run there, and its bus answer: busctl list",
		}
	}
	return &Systemd{conn, m.Name}, nil
}

// Close ends the connection.
func (s *Systemd) Close() { _ = s.conn.Close() }

// Set sets properties of a unit: for now, which for a service is until the machine starts again, or kept. That it returns
// without an error does not prove that the kernel took them.
func (s *Systemd) Set(ctx context.Context, unit string, kept bool, properties ...Property) error {
	list := variants(properties)
	return s.call(ctx, "setting properties of "+unit, "SetUnitProperties", unit, !kept, list)
}

// At has a program run once after a while, whether or not strata still runs then. unit is a name without its ending, for
// Cancel. program is an absolute path.
func (s *Systemd) At(ctx context.Context, unit, says string, after time.Duration, program string, args ...string) error {
	type command struct {
		Path    string
		Argv    []string
		Failure bool // of the program counts as none
	}
	type aux struct {
		Name       string
		Properties []variant
	}
	timer := variants([]Property{
		{"Description", says},
		{"TimersMonotonic", []struct {
			Base string
			USec uint64
		}{{"OnActiveSec", uint64(after.Microseconds())}}},
		{"AccuracyUSec", uint64(time.Second.Microseconds())},
		{"RemainAfterElapse", false},
	})
	service := aux{unit + ".service", variants([]Property{
		{"Description", says},
		{"CollectMode", "inactive-or-failed"}, // or it stays as failed when the unit is gone by then
		{"ExecStart", []command{{program, append([]string{program}, args...), false}}},
	})}
	return s.call(ctx, "starting the timer "+unit, "StartTransientUnit", unit+".timer", "fail", timer, []aux{service})
}

// Cancel takes back what At set up. That there is nothing is no error.
func (s *Systemd) Cancel(ctx context.Context, unit string) error {
	// Looking needs no right; systemd asks polkit about a stop before it says that there is no such timer.
	err := s.call(ctx, "looking for the timer "+unit, "GetUnit", unit+".timer")
	if err == nil {
		err = s.call(ctx, "stopping the timer "+unit, "StopUnit", unit+".timer", "replace")
	}
	var refused dbus.Error
	if errors.As(err, &refused) && refused.Name == systemdName+".NoSuchUnit" {
		return nil
	}
	return err
}

// variant is a(sv), the form of properties on the bus.
type variant struct {
	Name  string
	Value dbus.Variant
}

func variants(properties []Property) []variant {
	list := make([]variant, len(properties))
	for i, p := range properties {
		list[i] = variant{p.Name, dbus.MakeVariant(p.Value)}
	}
	return list
}

// answerIn is how long systemd may take to answer. Setting a property took it a third of a second on a slow machine.
const answerIn = 30 * time.Second

// call calls a method of the manager.
func (s *Systemd) call(ctx context.Context, doing, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	return answered(doing, s.conn.Object(systemdName, systemdPath).CallWithContext(ctx, systemdManager+"."+method, 0, args...).Err)
}

// answered is what came of a call: nil, systemd's refusal, or a Lost.
func answered(doing string, err error) error {
	var refused dbus.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
		return &Lost{fmt.Errorf("%s: %w", doing, err)}
	}
	switch refused.Name {
	case "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "org.freedesktop.DBus.Error.AccessDenied":
		return &fleet.Trouble{Doing: doing, Cause: refused, Fix: "be root, or have a polkit rule that allows it: strata doctor shows one"}
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.TimedOut":
		return &Lost{fmt.Errorf("%s: %w", doing, refused)}
	}
	return fmt.Errorf("%s: %w", doing, refused)
}
