package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// QemuLogs is the folder below the root that holds what each domain's qemu prints.
const QemuLogs = "var/log/libvirt/qemu"

// hostGone is the reason of a domain that is off because its host stopped under it.
const hostGone = "unknown"

// qemuLine is a line for the log of a domain.
type qemuLine struct{ domain, text string }

// QemuLog writes a line into the log of a domain's qemu, as it is.
func (m *Machine) QemuLog(domain, line string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.virt.logs = append(m.virt.logs, qemuLine{domain, line})
	return m.writeQemuLogs()
}

func byLibvirt(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000-0700") + ": " }

func (v *virt) logStart(d *Domain, at time.Time) {
	v.logs = append(v.logs,
		qemuLine{d.Name, byLibvirt(at) + "starting up libvirt version: 10.10.0, package: 7.el9, qemu version: 9.1.0qemu-kvm-9.1.0-15.el9"},
		qemuLine{d.Name, `LC_ALL=C \`}, qemuLine{d.Name, `/usr/libexec/qemu-kvm \`},
		qemuLine{d.Name, "-name guest=" + d.Name + `,debug-threads=on \`}, qemuLine{d.Name, `-msg timestamp=on`})
}

// logEnd writes how a domain ended. One whose host stopped writes nothing, nor does libvirt.
func (v *virt) logEnd(d *Domain, at time.Time) {
	switch d.Reason {
	case hostGone:
		return
	case "destroyed":
		v.logs = append(v.logs, qemuLine{d.Name, at.UTC().Format("2006-01-02T15:04:05.000000Z") + " qemu-kvm: terminating on signal 15 from pid 1211 (/usr/sbin/libvirtd)"})
	}
	v.logs = append(v.logs, qemuLine{d.Name, byLibvirt(at) + "shutting down, reason=" + d.Reason})
}

// writeQemuLogs appends what there is to write.
func (m *Machine) writeQemuLogs() error {
	logs := m.virt.logs
	m.virt.logs = nil
	for _, l := range logs {
		if strings.Contains(l.domain, "/") {
			continue
		}
		path := filepath.Join(m.root, QemuLogs, l.domain+".log")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(file, l.text)
		if e := file.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}
