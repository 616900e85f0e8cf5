package libvirt

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// process is the qemu of a domain. It is looked up each time: a domain that was started anew has another one, in a scope
// of another name.
type process struct {
	pid     int
	unit    string
	started time.Time
	swapped fleet.Opt[uint64]
}

// findProcess finds the qemu of a domain by libvirt's pid file, else by the scope that systemd-machined names by its id.
func findProcess(t tree.Tree, domain string, id fleet.Opt[int]) process {
	pid := 0
	if !strings.Contains(domain, "/") {
		pid = qemu(t, t.Word("/run/libvirt/qemu/"+domain+".pid"))
	}
	if pid == 0 && id.OK {
		const slice = "/sys/fs/cgroup/machine.slice"
		scopes, _ := filepath.Glob(filepath.Join("/", t.Path(slice), `machine-qemu\\x2d`+strconv.Itoa(id.V)+`\\x2d*.scope`))
		for _, scope := range scopes {
			first, _, _ := strings.Cut(t.Word(filepath.Join(slice, filepath.Base(scope), "libvirt/cgroup.procs")), "\n")
			if pid = qemu(t, first); pid != 0 {
				break
			}
		}
	}
	if pid == 0 {
		return process{}
	}
	at := "/proc/" + strconv.Itoa(pid)
	return process{
		pid: pid, unit: unitOf(t.Word(at + "/cgroup")), started: startOf(t.Word(at+"/stat"), t.Word("/proc/stat")),
		swapped: t.VMSwap(pid),
	}
}

// qemu is a pid if its process is a qemu: a stale file may name any other.
func qemu(t tree.Tree, text string) int {
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || pid <= 0 || !strings.Contains(t.Comm(pid), "qemu") {
		return 0
	}
	return pid
}

// unitOf is the innermost scope or service in /proc/PID/cgroup; of a machine with control groups of both versions the
// line of systemd or of version 2.
func unitOf(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || parts[1] != "" && parts[1] != "name=systemd" {
			continue
		}
		folders := strings.Split(parts[2], "/")
		for i := len(folders) - 1; i >= 0; i-- {
			if strings.HasSuffix(folders[i], ".scope") || strings.HasSuffix(folders[i], ".service") {
				return folders[i]
			}
		}
	}
	return ""
}

// ticks is the unit of /proc/PID/stat: USER_HZ, 100 on every architecture that runs libvirt.
const ticks = 100

// startOf is field 22 of /proc/PID/stat, counted from the boot time in /proc/stat. The name in parentheses may hold
// blanks and parentheses.
func startOf(stat, machine string) time.Time {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return time.Time{}
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return time.Time{}
	}
	since, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil || since < 0 {
		return time.Time{}
	}
	for line := range strings.Lines(machine) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			boot, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err == nil {
				return time.Unix(boot+since/ticks, 0)
			}
		}
	}
	return time.Time{}
}
