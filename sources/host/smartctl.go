package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// reading of an error counter, before the ledger knows since when it counts.
type tally struct {
	name  string
	value uint64
}

// report is what one run of smartctl told.
type report struct {
	smart         *fleet.Smart // nil when it told nothing of the disk's health
	tallies       []tally
	absent        []string // counters that this kind of disk has and this one did not tell
	troubles      []string // smartctl's own errors and warnings
	model, serial string
	asleep        bool
}

// The bits of smartctl's exit status that matter here; bits 3 to 7 come with a whole report (smartctl(8)).
const (
	exitUsage   = 1 << 0
	exitOpen    = 1 << 1
	exitCommand = 1 << 2
	exitAsleep  = 3 // what -n standby,3 asks for
)

// nvmeCounters are keys of nvme_smart_health_information_log. The thermal ones no smartctl up to 7.3 puts there, only
// into its text.
func nvmeCounters() []string {
	return []string{
		"media_errors", "num_err_log_entries", "unsafe_shutdowns", "warning_temp_time", "critical_comp_time",
		"thermal_temp1_transitions", "thermal_temp2_transitions",
	}
}

type attribute struct {
	id   int
	name string
}

// ataCounters are the attributes whose raw value counts errors, by id.
func ataCounters() []attribute {
	return []attribute{
		{5, "reallocated"},
		{187, "reported_uncorrect"},
		{188, "command_timeout"},
		{197, "pending"},
		{198, "offline_uncorrectable"},
		{199, "crc_errors"},
	}
}

// counterNames lists the SMART counters to expect on a bus.
func counterNames(bus string) (names []string) {
	switch bus {
	case "nvme":
		return nvmeCounters()
	case "ata":
		for _, a := range ataCounters() {
			names = append(names, a.name)
		}
	}
	return names
}

// number is a JSON value that should be a number. Whatever else it turns out to be is no number, and no error: one odd
// field must not cost the report.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	*n = number(strings.Trim(string(b), `"`))
	return nil
}

func (n number) uint() (uint64, bool) {
	v, err := strconv.ParseUint(string(n), 10, 64)
	return v, err == nil
}

func (n number) int() fleet.Opt[int] {
	v, err := strconv.ParseInt(string(n), 10, 32)
	return fleet.Opt[int]{V: int(v), OK: err == nil}
}

type smartJSON struct {
	Smartctl struct {
		Messages []struct{ String, Severity string } `json:"messages"`
		Output   []string                            `json:"output"`
	} `json:"smartctl"`
	Device      struct{ Protocol string }      `json:"device"`
	ModelFamily string                         `json:"model_family"`
	ModelName   string                         `json:"model_name"`
	Serial      string                         `json:"serial_number"`
	Status      struct{ Passed *bool }         `json:"smart_status"`
	NVMe        map[string]number              `json:"nvme_smart_health_information_log"`
	ATA         struct{ Table []ataAttribute } `json:"ata_smart_attributes"`
	Temperature struct{ Current number }       `json:"temperature"`
	PowerOn     struct{ Hours number }         `json:"power_on_time"`
	Cycles      number                         `json:"power_cycle_count"`
}

type ataAttribute struct {
	ID   number `json:"id"`
	Name string `json:"name"`
	Raw  struct {
		Value  number `json:"value"`
		String string `json:"string"`
	} `json:"raw"`
}

// parseSmart reads the output of `smartctl --json=co -n standby,3 -H -A -i -l error`, whatever its exit code.
func parseSmart(out []byte, code int, at time.Time) (report, error) {
	var j smartJSON
	var odd *json.UnmarshalTypeError
	// After a value of an unexpected type everything else is there all the same.
	if err := json.Unmarshal(out, &j); err != nil && !errors.As(err, &odd) {
		return report{}, fmt.Errorf("smartctl (exit code %d) wrote no JSON: %w", code, err)
	}
	r := report{model: j.ModelName, serial: j.Serial}
	for _, m := range j.Smartctl.Messages {
		if m.Severity != "information" {
			r.troubles = append(r.troubles, m.String)
		}
	}
	if code == exitAsleep && j.Status.Passed == nil {
		r.asleep = true
		return r, nil
	}
	if len(r.troubles) == 0 {
		switch {
		case code&exitUsage != 0:
			r.troubles = append(r.troubles, "smartctl did not understand its arguments")
		case code&exitOpen != 0:
			r.troubles = append(r.troubles, "smartctl could not open or identify the disk")
		case code&exitCommand != 0:
			r.troubles = append(r.troubles, "a SMART command failed, or a checksum was wrong")
		}
	}
	health := &fleet.Smart{
		At: at, Celsius: celsius(j.Temperature.Current), Hours: j.PowerOn.Hours.int(), Cycles: j.Cycles.int(),
		SMR: strings.Contains(j.ModelFamily, "SMR"),
	}
	if j.Status.Passed != nil {
		health.Passed = fleet.Some(*j.Status.Passed)
	}
	if len(j.NVMe) > 0 {
		r.nvme(health, &j)
	}
	if j.Device.Protocol == "ATA" && len(j.ATA.Table) > 0 {
		r.ata(j.ATA.Table)
	}
	if health.Passed.OK || health.Celsius.OK || health.Hours.OK || len(j.NVMe) > 0 || len(j.ATA.Table) > 0 {
		r.smart = health
	}
	return r, nil
}

func celsius(n number) fleet.Opt[float64] {
	v := n.int()
	return fleet.Opt[float64]{V: float64(v.V), OK: v.OK}
}

func (r *report) nvme(health *fleet.Smart, j *smartJSON) {
	health.Warning = j.NVMe["critical_warning"].int()
	health.UsedPct = j.NVMe["percentage_used"].int()
	health.SparePct, health.SpareMin = j.NVMe["available_spare"].int(), j.NVMe["available_spare_threshold"].int()
	// A controller that does not keep account of its spare says none left of none needed.
	if health.SparePct.V == 0 && health.SpareMin.V == 0 {
		health.SparePct, health.SpareMin = fleet.Opt[int]{}, fleet.Opt[int]{}
	}
	thermal := thermalLines(j.Smartctl.Output)
	for _, name := range nvmeCounters() {
		v, ok := j.NVMe[name].uint()
		if !ok {
			v, ok = thermal[name]
		}
		if ok {
			r.tallies = append(r.tallies, tally{name, v})
		} else {
			r.absent = append(r.absent, name)
		}
	}
}

// thermalLines reads the transition counts from smartctl's text. It prints them only when they are not zero: a text
// with the health log but without them says zero.
func thermalLines(text []string) map[string]uint64 {
	found := map[string]uint64{}
	for _, line := range text {
		if strings.HasPrefix(line, "SMART/Health Information (NVMe Log 0x02") {
			found["thermal_temp1_transitions"], found["thermal_temp2_transitions"] = 0, 0
		}
	}
	if len(found) == 0 {
		return nil
	}
	for _, line := range text {
		label, value, _ := strings.Cut(line, ":")
		for name, is := range map[string]string{
			"thermal_temp1_transitions": "Thermal Temp. 1 Transition Count",
			"thermal_temp2_transitions": "Thermal Temp. 2 Transition Count",
		} {
			if label == is {
				if v, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(value), ",", ""), 10, 64); err == nil {
					found[name] = v
				} else {
					delete(found, name)
				}
			}
		}
	}
	return found
}

func (r *report) ata(table []ataAttribute) {
	for _, want := range ataCounters() {
		found := false
		for _, a := range table {
			if id := a.ID.int(); !id.OK || id.V != want.id || a.Name == "Not_In_Use" || a.Name == "Not_Supported" {
				continue
			}
			if v, ok := a.count(want.id); ok {
				r.tallies = append(r.tallies, tally{want.name, v})
				found = true
			}
			break
		}
		if !found {
			r.absent = append(r.absent, want.name)
		}
	}
}

// count takes an error count out of an attribute's 48 raw bits.
func (a *ataAttribute) count(id int) (uint64, bool) {
	raw, ok := a.Raw.Value.uint()
	if id == 188 {
		// Seagate packs three 16 bit counts; the low one is that of all time-outs.
		return raw & 0xffff, ok
	}
	// Some drives keep more in the upper bits; smartctl's text has the count first: "8 (0 3)".
	digits := strings.IndexFunc(a.Raw.String+" ", func(c rune) bool { return c < '0' || c > '9' })
	if v, err := strconv.ParseUint(a.Raw.String[:digits], 10, 64); err == nil && !strings.Contains(a.Raw.String, "/") {
		return v, true
	}
	return raw, ok
}

// parseScan reads the device types of `smartctl --json=c --scan-open`, by device path.
func parseScan(out []byte) (map[string]string, error) {
	var j struct {
		Devices []struct{ Name, Type string } `json:"devices"`
	}
	var odd *json.UnmarshalTypeError
	if err := json.Unmarshal(out, &j); err != nil && !errors.As(err, &odd) {
		return nil, fmt.Errorf("reading what smartctl --scan-open wrote: %w", err)
	}
	types := map[string]string{}
	for _, d := range j.Devices {
		types[d.Name] = d.Type
	}
	return types, nil
}
