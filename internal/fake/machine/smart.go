package machine

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reports of real drives, as smartctl --json=co writes them.
//
//go:embed reports/*.json
var reports embed.FS

// Report is what smartctl tells of a disk.
type Report struct {
	base   []byte // a report of a real drive
	Values map[string]uint64
	// Failing turns the overall verdict; Asleep, Denied and Hangs are how the disk answers instead of a report.
	Failing, Asleep, Denied, Hangs bool
	Celsius                        int // 0 leaves the base's
}

// Drive returns the report of one of the drives captured: samsung-mzvlb512, micron-2450 or wd10spzx.
//
// Values replaces what it says: keys of the NVMe health log, thermal_temp1_transitions, thermal_temp2_transitions, or
// names of ATA attributes.
func Drive(name string) (*Report, error) {
	b, err := reports.ReadFile("reports/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("no report of a drive %s: %w", name, err)
	}
	return &Report{base: b, Values: map[string]uint64{}}, nil
}

func (r *Report) clone() *Report {
	c := *r
	c.Values = maps.Clone(r.Values)
	if c.Values == nil {
		c.Values = map[string]uint64{}
	}
	return &c
}

// Smartctl answers as smartctl would: its stdout and its exit code.
func (m *Machine) Smartctl(ctx context.Context, args ...string) ([]byte, int, error) {
	if slices.Contains(args, "--scan-open") || slices.Contains(args, "--scan") {
		out, err := m.scan()
		return out, 0, err
	}
	if len(args) == 0 {
		return nil, 1, nil
	}
	device := args[len(args)-1]
	m.mu.Lock()
	r := m.state.Smart[strings.TrimPrefix(device, "/dev/")]
	m.mu.Unlock()
	if r == nil {
		return refusal(device+": Unable to detect device type", 1)
	}
	switch {
	case r.Hangs:
		<-ctx.Done()
		return nil, 0, ctx.Err()
	case r.Denied:
		return refusal("Smartctl open device: "+device+" failed: Permission denied", 2)
	case r.Asleep && slices.Contains(args, "standby,3"):
		out, _, err := refusal("", 3)
		return out, 3, err
	}
	return r.render()
}

func (m *Machine) scan() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	type device struct {
		Name     string `json:"name"`
		InfoName string `json:"info_name"`
		Type     string `json:"type"`
		Protocol string `json:"protocol"`
	}
	found := []device{}
	for _, d := range m.spec.Disks {
		if bus(d.Name) == "ata" && m.state.Smart[d.Name] != nil {
			name := "/dev/" + d.Name
			found = append(found, device{name, name + " [SAT]", "sat", "ATA"})
		}
	}
	return json.Marshal(map[string]any{"json_format_version": []int{1, 0}, "smartctl": map[string]any{"exit_status": 0}, "devices": found})
}

func refusal(message string, code int) ([]byte, int, error) {
	about := map[string]any{"version": []int{7, 2}, "exit_status": code}
	if message != "" {
		about["messages"] = []map[string]string{{"string": message, "severity": "error"}}
	}
	out, err := json.Marshal(map[string]any{"json_format_version": []int{1, 0}, "smartctl": about})
	return out, code, err
}

// render is the base report with the values replaced.
func (r *Report) render() ([]byte, int, error) {
	var j map[string]any
	if err := json.Unmarshal(r.base, &j); err != nil {
		return nil, 0, fmt.Errorf("reading the report of a drive: %w", err)
	}
	about, _ := j["smartctl"].(map[string]any)
	health, _ := j["nvme_smart_health_information_log"].(map[string]any)
	for name, v := range r.Values {
		switch {
		case strings.HasPrefix(name, "thermal_temp"):
			label := fmt.Sprintf("Thermal Temp. %c Transition Count:", name[len("thermal_temp")])
			about["output"] = replaceLine(about["output"], label, v)
		case health != nil:
			health[name] = v
		default:
			setAttribute(j, name, v)
		}
	}
	if r.Celsius != 0 {
		j["temperature"] = map[string]any{"current": r.Celsius}
		if health != nil {
			health["temperature"] = r.Celsius
		}
	}
	code := 0
	if r.Failing {
		code = 8
		j["smart_status"] = map[string]any{"passed": false}
	}
	about["exit_status"] = code
	out, err := json.Marshal(j)
	return out, code, err
}

// replaceLine sets the value of a line of smartctl's text; as smartctl does, it leaves the line out for zero.
func replaceLine(text any, label string, v uint64) []any {
	lines, _ := text.([]any)
	next := make([]any, 0, len(lines)+1)
	for _, l := range lines {
		if s, _ := l.(string); !strings.HasPrefix(s, label) {
			next = append(next, l)
		}
	}
	if v > 0 {
		next = append(next, fmt.Sprintf("%s %d", label, v))
	}
	return next
}

func setAttribute(j map[string]any, name string, v uint64) {
	attributes, _ := j["ata_smart_attributes"].(map[string]any)
	table, _ := attributes["table"].([]any)
	for _, row := range table {
		if a, _ := row.(map[string]any); a["name"] == name {
			a["raw"] = map[string]any{"value": v, "string": fmt.Sprint(v)}
		}
	}
}
