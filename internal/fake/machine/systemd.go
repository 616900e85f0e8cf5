package machine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"strata/internal/fleet"
)

// manager is what systemd remembers beyond what the kernel does. The machine's lock guards it.
type manager struct {
	timers  map[string]timer // by name, with .timer
	masked  map[string]bool
	journal []entry
	loses   string // the method whose replies are lost
	calls   int
}

// timer runs a program once.
type timer struct {
	due  time.Duration // of State.Up
	argv []string
}

// entry is a line of the journal.
type entry struct {
	at         time.Time
	unit, says string
}

// property is one that is set: for devices, or a number.
type property struct {
	name    string
	devices []deviceValue
	value   uint64
}

type deviceValue struct {
	Device string
	Value  uint64
}

// manage answers a call to systemd's manager.
func (m *Machine) manage(method string, body []any) ([]any, *dbus.Error) {
	bad := busError("org.freedesktop.DBus.Error.InvalidArgs", "Invalid arguments of "+method+".")
	type pair struct {
		Name  string
		Value dbus.Variant
	}
	switch method {
	case "SetUnitProperties":
		var unit string
		var runtime bool
		var list []pair
		if dbus.Store(body, &unit, &runtime, &list) != nil {
			return nil, bad
		}
		var set []property
		for _, p := range list {
			one := property{name: p.Name}
			if dbus.Store([]any{p.Value.Value()}, &one.value) != nil && dbus.Store([]any{p.Value.Value()}, &one.devices) != nil {
				return nil, bad
			}
			set = append(set, one)
		}
		return nil, m.setProperties(unit, set)
	case "StartTransientUnit":
		var name, mode string
		var list []pair
		var aux []struct {
			Name       string
			Properties []pair
		}
		if dbus.Store(body, &name, &mode, &list, &aux) != nil || len(aux) != 1 {
			return nil, bad
		}
		var after []deviceValue // of the same form: base and time
		var commands []struct {
			Path   string
			Argv   []string
			Ignore bool
		}
		for _, p := range slices.Concat(list, aux[0].Properties) {
			switch p.Name {
			case "TimersMonotonic":
				_ = dbus.Store([]any{p.Value.Value()}, &after)
			case "ExecStart":
				_ = dbus.Store([]any{p.Value.Value()}, &commands)
			}
		}
		if len(after) != 1 || after[0].Device != "OnActiveSec" || len(commands) != 1 || !strings.HasPrefix(commands[0].Path, "/") {
			return nil, bad
		}
		return job(), m.startTimer(name, time.Duration(after[0].Value)*time.Microsecond, commands[0].Argv)
	case "GetUnit":
		name, _ := body[0].(string)
		if !slices.Contains(m.Timers(), name) && !slices.ContainsFunc(m.Units(), func(u Unit) bool { return u.Name == name }) {
			return nil, busError("org.freedesktop.systemd1.NoSuchUnit", "Unit "+name+" not loaded.")
		}
		return []any{dbus.ObjectPath("/org/freedesktop/systemd1/unit/some")}, nil
	case "StopUnit":
		name, _ := body[0].(string)
		return job(), m.stopTimer(name)
	}
	return nil, busError("org.freedesktop.DBus.Error.UnknownMethod", "Unknown method "+method+".")
}

func job() []any { return []any{dbus.ObjectPath("/org/freedesktop/systemd1/job/1")} }

func (m *Machine) startTimer(name string, after time.Duration, argv []string) *dbus.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.systemd.timers[name]; there {
		return busError("org.freedesktop.systemd1.UnitExists", "Unit "+name+" was already loaded or has a fragment file.")
	}
	if m.systemd.timers == nil {
		m.systemd.timers = map[string]timer{}
	}
	m.systemd.timers[name] = timer{m.state.Up + after, argv}
	return nil
}

func (m *Machine) stopTimer(name string) *dbus.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.systemd.timers[name]; !there {
		return busError("org.freedesktop.systemd1.NoSuchUnit", "Unit "+name+" not loaded.")
	}
	delete(m.systemd.timers, name)
	return nil
}

// Timers are the names of the timers that wait.
func (m *Machine) Timers() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.systemd.timers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ring runs what timers are due.
func (m *Machine) ring() {
	m.mu.Lock()
	var due [][]string
	for name, t := range m.systemd.timers {
		if m.state.Up >= t.due {
			due = append(due, t.argv)
			delete(m.systemd.timers, name)
		}
	}
	m.mu.Unlock()
	for _, argv := range due {
		_, _, _, _ = m.Program(context.Background(), argv...) // nobody waits for it
	}
}

// setProperties does what systemd does, with its faults: a device that is not there and a value of zero are accepted
// and limit nothing; only the journal tells.
func (m *Machine) setProperties(unit string, set []property) *dbus.Error {
	if i := slices.IndexFunc(m.Units(), func(u Unit) bool { return u.Name == unit }); i < 0 {
		return busError("org.freedesktop.systemd1.NoSuchUnit", "Unit "+unit+" not found.")
	}
	keys := map[string]string{"IOReadBandwidthMax": "rbps", "IOWriteBandwidthMax": "wbps", "IOReadIOPSMax": "riops", "IOWriteIOPSMax": "wiops"}
	for _, p := range set {
		key, io := keys[p.name]
		switch {
		case p.name == "MemorySwapMax":
			most := fleet.Some(p.value)
			if p.value == math.MaxUint64 {
				most = fleet.Opt[uint64]{}
			}
			m.told(unit, m.SetSwapMax(unit, most), "memory.swap.max", fmt.Sprint(p.value))
		case !io:
			return busError("org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property "+p.name+", or unknown property.")
		case len(p.devices) == 0:
			m.clear(unit, key)
		}
		for _, d := range p.devices {
			number, ok := m.wholeNumber(d.Device)
			if !ok {
				m.say(unit, "Couldn't stat device '"+d.Device+"': No such file or directory")
				continue
			}
			m.told(unit, m.SetIOMax(unit, number, map[string]uint64{key: d.Value}), "io.max", fmt.Sprintf("%s %s=%d", number, key, d.Value))
		}
	}
	return nil
}

// clear takes a key out of all limits of a unit.
func (m *Machine) clear(unit, key string) {
	for _, u := range m.Units() {
		if u.Name != unit {
			continue
		}
		for number := range u.Limits {
			m.told(unit, m.SetIOMax(unit, number, map[string]uint64{key: math.MaxUint64}), "io.max", number)
		}
	}
}

// wholeNumber is the number of the disk that a device is on.
func (m *Machine) wholeNumber(device string) (string, bool) {
	number, ok := m.DeviceNumber(device)
	if !ok {
		return "", false
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(m.root, "sys/dev/block", number))
	if err != nil {
		return "", false
	}
	for _, d := range m.spec.Disks {
		if strings.Contains(folder+"/", "/"+d.Name+"/") {
			return m.DeviceNumber(d.Name)
		}
	}
	if len(m.spec.Disks) > 0 { // volumes lie on the first disk
		return m.DeviceNumber(m.spec.Disks[0].Name)
	}
	return "", false
}

// told puts the kernel's refusal into the journal.
func (m *Machine) told(unit string, err error, file, value string) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		says := errno.Error()
		m.say(unit, fmt.Sprintf("%s: Failed to set '%s' attribute on '%s' to '%s': %s", unit, file, unit, value, strings.ToUpper(says[:1])+says[1:]))
	}
}

func (m *Machine) say(unit, says string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.systemd.journal = append(m.systemd.journal, entry{time.Now(), unit, says})
}

// systemctl is systemctl with the verbs set-property, mask, unmask and daemon-reload.
func (m *Machine) systemctl(args []string) (stdout, stderr []byte, code int, err error) {
	fail := func(says string) ([]byte, []byte, int, error) { return nil, []byte(says + "\n"), 1, nil }
	if len(args) == 0 {
		return fail("Too few arguments.")
	}
	verb, rest := args[0], slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--runtime" })
	switch {
	case verb == "daemon-reload":
		return nil, nil, 0, nil
	case (verb == "mask" || verb == "unmask") && len(rest) > 0:
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.systemd.masked == nil {
			m.systemd.masked = map[string]bool{}
		}
		for _, unit := range rest {
			m.systemd.masked[unit] = verb == "mask"
		}
		return nil, nil, 0, nil
	case verb == "set-property" && len(rest) > 1:
		var set []property
		for _, assignment := range rest[1:] {
			p, err := parseProperty(assignment)
			if err != nil {
				return fail("Failed to parse " + assignment + ": " + err.Error())
			}
			set = append(set, p)
		}
		if fault := m.setProperties(rest[0], set); fault != nil {
			return fail("Failed to set unit properties on " + rest[0] + ": " + fault.Error())
		}
		return nil, nil, 0, nil
	}
	return fail("Unknown command verb " + verb + ".")
}

// parseProperty reads NAME=VALUE and NAME=DEVICE VALUE.
func parseProperty(text string) (p property, err error) {
	name, value, _ := strings.Cut(text, "=")
	p.name = name
	device, number, two := strings.Cut(value, " ")
	if !two {
		number = value
	}
	if number == "" {
		return p, nil
	}
	n := uint64(math.MaxUint64)
	if number != "infinity" {
		n, err = strconv.ParseUint(number, 10, 64)
	}
	if two {
		p.devices = []deviceValue{{device, n}}
	}
	p.value = n
	return p, err
}

// journalctl tells of the boots (--list-boots, --boot=ID), or prints the lines of a unit (-u UNIT), or all for _PID=1, since --since=@SECONDS, at most -n of them.
func (m *Machine) journalctl(args []string) (stdout, stderr []byte, code int, err error) {
	unit, since, most := "", int64(0), 10
	for i, a := range args {
		if text, ok := strings.CutPrefix(a, "--since=@"); ok {
			since, _ = strconv.ParseInt(text, 10, 64)
		}
		if i+1 < len(args) && a == "-u" {
			unit = args[i+1]
		}
		if i+1 < len(args) && a == "-n" {
			most, _ = strconv.Atoi(args[i+1])
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range args {
		if a == "--list-boots" {
			return m.listBoots(), nil, 0, nil
		}
		if id, ok := strings.CutPrefix(a, "--boot="); ok {
			return m.bootTail(id), nil, 0, nil
		}
	}
	var lines []string
	for _, e := range m.systemd.journal {
		if (unit == "" || e.unit == unit) && e.at.Unix() >= since {
			lines = append(lines, e.says+"\n")
		}
	}
	return []byte(strings.Join(lines[max(0, len(lines)-most):], "")), nil, 0, nil
}
