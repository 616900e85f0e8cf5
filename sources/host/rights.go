package host

import (
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// rights reads what this process may do, nil when that cannot be told.
func (m *hostReader) rights() *fleet.Rights {
	b, err := m.at.Bytes("/proc/self/status")
	if err != nil {
		return nil
	}
	return parseRights(b)
}

// parseRights reads the user and capabilities of /proc/PID/status. Programs that root starts get what root has, those
// of others only what is ambient.
func parseRights(b []byte) *fleet.Rights {
	fields := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Fields(value)
	}
	if len(fields["Uid"]) < 2 {
		return nil
	}
	uid, err := strconv.Atoi(fields["Uid"][1]) // real, effective, saved, filesystem
	set := "CapAmb"
	if uid == 0 {
		set = "CapEff"
	}
	if err != nil || len(fields[set]) != 1 {
		return nil
	}
	capabilities, err := strconv.ParseUint(fields[set][0], 16, 64)
	if err != nil {
		return nil
	}
	return &fleet.Rights{UID: uid, Capabilities: capabilities}
}

// swappiness reads vm.swappiness, and what strata's own file sets at boot.
func (m *hostReader) swappiness() (now, kept fleet.Opt[int]) {
	if n, ok := m.at.Number("/proc/sys/vm/swappiness"); ok && n <= 200 {
		now = fleet.Some(int(n))
	}
	b, err := m.at.Bytes(fleet.SysctlFile)
	if err != nil {
		return now, kept
	}
	return now, parseSwappiness(b)
}

// parseSwappiness finds vm.swappiness in a file of /etc/sysctl.d; the last line counts.
func parseSwappiness(b []byte) (kept fleet.Opt[int]) {
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.TrimSpace(name) != "vm.swappiness" {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 && n <= 200 {
			kept = fleet.Some(n)
		}
	}
	return kept
}
