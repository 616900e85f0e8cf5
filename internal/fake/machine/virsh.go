package machine

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// virsh answers as virsh 9 does. A machine without domains has no libvirt.
func (m *Machine) virsh(ctx context.Context, args []string) (stdout, stderr []byte, code int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	readOnly := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-r":
			readOnly = true
		case "-c":
			args = args[min(1, len(args)-1):]
		}
		args = args[1:]
	}
	no := func(format string, a ...any) ([]byte, []byte, int, error) {
		return nil, fmt.Appendf(nil, "error: "+format+"\n", a...), 1, nil
	}
	broken := m.virt.broken
	if broken == Hangs {
		return nil, nil, 0, m.wait(ctx, func() bool { return m.virt.broken != Hangs })
	}
	if broken == Absent || broken == Whole && len(m.virt.domains) == 0 && m.virt.last == 0 {
		return no("failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory")
	}
	if broken == Denied {
		return no("failed to connect to the hypervisor\nerror: authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'")
	}
	if len(args) == 0 {
		return no("no command")
	}
	switch args[0] {
	case "list", "domstats":
		return []byte(m.virt.tell(args, func(d *Domain) float64 { return m.counts.units[d.scope()].cpu })), nil, 0, nil
	}
	if len(args) < 2 {
		return no("command '%s' requires <domain> option", args[0])
	}
	d := m.virt.find(args[1])
	if d == nil {
		return no("failed to get domain '%s'", args[1])
	}
	switch args[0] {
	case "dumpxml":
		return []byte(d.definition(slices.Contains(args, "--inactive"))), nil, 0, nil
	case "domblkerror":
		return []byte(d.blockErrors()), nil, 0, nil
	}
	if readOnly {
		return no("operation forbidden: read only access prevents %s", args[0])
	}
	if said := m.virt.act(d, args); said != "" {
		return no("%s", said)
	}
	if err := m.domainFiles(); err != nil {
		return nil, nil, 0, err
	}
	if broken == Loses {
		return nil, nil, 0, errors.New("running virsh: did not end in time")
	}
	return nil, nil, 0, nil
}

// wait waits, with the lock, until something holds or ctx ends.
func (m *Machine) wait(ctx context.Context, until func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.moved.Broadcast()
	})
	defer stop()
	for !until() && ctx.Err() == nil {
		m.moved.Wait()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.New("the connection was lost")
}

// act does what changes a domain and returns what libvirt says against it.
func (v *virt) act(d *Domain, args []string) (refused string) {
	off := "Requested operation is not valid: domain is not running"
	set := func(state, reason string) {
		if v.by == nil {
			v.by = map[string]string{}
		}
		v.by[d.Name] = args[0]
		v.change(d, func(d *Domain) { d.State, d.Reason = state, reason })
	}
	switch args[0] {
	case "start":
		if d.active() {
			return "Domain is already active"
		}
		set("running", "booted")
	case "shutdown":
		if !d.active() {
			return off
		}
		set("shut off", "shutdown")
	case "destroy":
		if !d.active() {
			return off
		}
		set("shut off", "destroyed")
	case "resume":
		if d.State != "paused" {
			return "Requested operation is not valid: domain is already running"
		}
		for _, disk := range d.Disks {
			if disk.Error != "" && disk.Error != "cleared" {
				return "" // qemu goes on, meets the same error and stops again
			}
		}
		set("running", "unpaused")
	case "blkdeviotune":
		return d.tune(args[2:], off)
	default:
		return "unknown command: '" + args[0] + "'"
	}
	return ""
}

func (d *Domain) tune(args []string, off string) string {
	if len(args) == 0 {
		return "command 'blkdeviotune' requires <device> option"
	}
	i := slices.IndexFunc(d.Disks, func(k DomainDisk) bool { return k.Target == args[0] })
	if i < 0 {
		return "Unable to change block I/O throttle\nerror: invalid argument: disk '" + args[0] + "' not found in domain"
	}
	live, kept := slices.Contains(args, "--live"), slices.Contains(args, "--config")
	if live && !d.active() {
		return off
	}
	for n := 1; n+1 < len(args); n++ {
		key, ok := strings.CutPrefix(args[n], "--")
		if !ok || key == "live" || key == "config" {
			continue
		}
		value, err := strconv.ParseUint(args[n+1], 10, 64)
		if err != nil {
			return "Unable to parse integer parameter"
		}
		key = strings.ReplaceAll(key, "-", "_")
		for _, which := range []struct {
			on    bool
			value *map[string]uint64
		}{{live || !kept && d.active(), &d.Disks[i].Tune}, {kept, &d.Disks[i].Kept}} {
			if !which.on {
				continue
			}
			if *which.value == nil {
				*which.value = map[string]uint64{}
			}
			(*which.value)[key] = value
		}
	}
	return ""
}

// tell answers list and domstats; cpu is what the unit of a domain has counted, seconds.
func (v *virt) tell(args []string, cpu func(*Domain) float64) string {
	var b strings.Builder
	for _, d := range v.domains {
		switch {
		case args[0] == "domstats":
			b.WriteString(d.stats(cpu(d)))
		case slices.Contains(args, "--persistent") && d.Transient, slices.Contains(args, "--autostart") && !d.Autostart:
		case slices.Contains(args, "--name"):
			fmt.Fprintf(&b, "%s %s\n", d.UUID, d.Name)
		default:
			fmt.Fprintln(&b, d.UUID)
		}
	}
	return b.String()
}

func (d *Domain) stats(cpu float64) string {
	states := map[string]int{"running": 1, "paused": 3, "shut off": 5, "crashed": 6}
	reasons := map[string]map[string]int{
		"running":  {"booted": 1, "unpaused": 5},
		"paused":   {"user": 1, "I/O error": 5},
		"shut off": {"shutdown": 1, "destroyed": 2, "crashed": 3},
		"crashed":  {"panicked": 1},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Domain: '%s'\n  state.state=%d\n  state.reason=%d\n", d.Name, states[d.State], reasons[d.State][d.Reason])
	if d.active() {
		fmt.Fprintf(&b, "  cpu.time=%.0f\n", cpu*1e9)
	}
	fmt.Fprintf(&b, "  balloon.current=%d\n  balloon.maximum=%d\n  vcpu.current=%d\n  block.count=%d\n", d.Memory/1024, d.Memory/1024, d.VCPUs, len(d.Disks))
	for i, k := range d.Disks {
		fmt.Fprintf(&b, "  block.%d.name=%s\n  block.%d.path=%s\n", i, k.Target, i, k.File)
		if d.active() {
			fmt.Fprintf(&b, "  block.%d.rd.bytes=%.0f\n  block.%d.wr.bytes=%.0f\n", i, k.read, i, k.written)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func (d *Domain) blockErrors() string {
	var b strings.Builder
	for _, k := range d.Disks {
		if k.Error != "" && d.active() {
			fmt.Fprintf(&b, "%s: %s\n", k.Target, k.Error)
		}
	}
	if b.Len() == 0 {
		return "No errors found\n"
	}
	return b.String()
}

func (d *Domain) definition(stored bool) string {
	if d.XML != "" {
		return d.XML
	}
	text := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	live := d.active() && !stored
	var b strings.Builder
	b.WriteString("<domain type='kvm'")
	if live {
		fmt.Fprintf(&b, " id='%d'", d.ID)
	}
	fmt.Fprintf(&b, ">\n  <name>%s</name>\n  <uuid>%s</uuid>\n", text(d.Name), d.UUID)
	if d.Nova != "" {
		fmt.Fprintf(&b, "  <metadata>\n    <nova:instance xmlns:nova=\"http://openstack.org/xmlns/libvirt/nova/1.1\">\n      <nova:name>%s</nova:name>\n    </nova:instance>\n  </metadata>\n", text(d.Nova))
	}
	fmt.Fprintf(&b, "  <memory unit='KiB'>%d</memory>\n  <vcpu placement='static'>%d</vcpu>\n  <devices>\n", d.Memory/1024, d.VCPUs)
	for _, k := range d.Disks {
		fmt.Fprintf(&b, "    <disk type='file' device='disk'>\n      <driver name='qemu' type='%s'/>\n      <source file='%s'/>\n", k.Format, text(k.File))
		if live && k.Backing != "" {
			fmt.Fprintf(&b, "      <backingStore type='file'>\n        <format type='raw'/>\n        <source file='%s'/>\n        <backingStore/>\n      </backingStore>\n", text(k.Backing))
		}
		fmt.Fprintf(&b, "      <target dev='%s' bus='virtio'/>\n", k.Target)
		tune := k.Kept
		if live {
			tune = k.Tune
		}
		b.WriteString("      <iotune>\n")
		for _, key := range []string{"total_bytes_sec", "read_bytes_sec", "write_bytes_sec", "total_iops_sec", "read_iops_sec", "write_iops_sec"} {
			if tune[key] > 0 {
				fmt.Fprintf(&b, "        <%s>%d</%s>\n", key, tune[key], key)
			}
		}
		b.WriteString("      </iotune>\n    </disk>\n")
	}
	fmt.Fprintf(&b, "    <interface type='bridge'>\n      <mac address='%s'/>\n    </interface>\n  </devices>\n</domain>\n", d.MAC)
	return b.String()
}
