package machine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// PastBoot is a boot before the one a machine is in when it is made, newest last.
type PastBoot struct {
	Ran time.Duration // how long it lasted
	Off time.Duration // how long the machine was off after it
	Cut bool          // its journal ends in the middle
}

// bootRun is a boot that is over.
type bootRun struct {
	id         string
	begin, end time.Time
	cut        bool
}

// recall makes the boots before this one.
func (m *Machine) recall() {
	at := m.boot
	for i := len(m.state.Past) - 1; i >= 0; i-- {
		p := m.state.Past[i]
		end := at.Add(-p.Off)
		at = end.Add(-p.Ran)
		m.past = append([]bootRun{{m.bootIDOf(i - len(m.state.Past)), at, end, p.Cut}}, m.past...)
	}
}

// bootID is a UUID that differs at each boot and is the same in each run.
func (m *Machine) bootID() string { return m.bootIDOf(m.boots) }

func (m *Machine) bootIDOf(boot int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s boot %d", m.spec.Hostname, boot))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func digits(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }

// listBoots is journalctl --list-boots --output=json.
func (m *Machine) listBoots() []byte {
	type row struct {
		Index int    `json:"index"`
		ID    string `json:"boot_id"`
		First int64  `json:"first_entry"`
		Last  int64  `json:"last_entry"`
	}
	var rows []row
	for i, b := range m.past {
		rows = append(rows, row{i - len(m.past), digits(b.id), b.begin.UnixMicro(), b.end.UnixMicro()})
	}
	rows = append(rows, row{0, digits(m.bootID()), m.boot.UnixMicro(), m.boot.Add(m.state.Up).UnixMicro()})
	b, _ := json.Marshal(rows) // numbers and hex digits
	return b
}

// bootTail is the end of the journal of a boot that is over.
func (m *Machine) bootTail(id string) []byte {
	var b strings.Builder
	line := func(who, pid, text, message string) {
		fields := map[string]string{"SYSLOG_IDENTIFIER": who, "_PID": pid, "MESSAGE": text, "_BOOT_ID": id}
		if message != "" {
			fields["MESSAGE_ID"] = message
		}
		text2, _ := json.Marshal(fields) // strings only
		b.Write(append(text2, '\n'))
	}
	for _, run := range m.past {
		if digits(run.id) != id {
			continue
		}
		line("systemd", "1", "Started Session 212 of User root.", "39f53479d3a045ac8e11786248231fbf")
		line("sshd", "40412", "Accepted publickey for root from 192.168.122.1 port 50122 ssh2", "")
		if run.cut {
			line("systemd", "1", "Starting dnf makecache...", "7d4958e842da4a758f6c1cdc7b36dcc5")
			continue
		}
		line("systemd", "1", "Stopped target Multi-User System.", "9d1aaa27d60140bd96365438aad20286")
		line("systemd", "1", "Reached target Late Shutdown Services.", "39f53479d3a045ac8e11786248231fbf")
		line("systemd", "1", "Reached target System Reboot.", "39f53479d3a045ac8e11786248231fbf")
		line("systemd", "1", "Shutting down.", "")
		line("systemd-shutdown", "1", "Syncing filesystems and block devices.", "")
		line("systemd-journald", "702", "Journal stopped", "d93fb3c9c24d451a97cea615ce59c00b")
	}
	return []byte(b.String())
}
