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

// tally is an error counter read once, before the ledger knows since when it counts.
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

// scalar is a JSON value that should be a number or a truth. Whatever else it turns out to be is missing, and no error:
// one odd field must not cost the report.
type scalar string

func (n *scalar) UnmarshalJSON(b []byte) error {
	*n = scalar(strings.Trim(string(b), `"`))
	return nil
}

func (n scalar) truth() fleet.Opt[bool] {
	return fleet.Opt[bool]{V: n == "true", OK: n == "true" || n == "false"}
}

func (n scalar) uint() (uint64, bool) {
	v, err := strconv.ParseUint(string(n), 10, 64)
	return v, err == nil
}

func (n scalar) int() fleet.Opt[int] {
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
	Status      struct{ Passed scalar }        `json:"smart_status"`
	NVMe        map[string]scalar              `json:"nvme_smart_health_information_log"`
	ATA         struct{ Table []ataAttribute } `json:"ata_smart_attributes"`
	Tests       struct {
		Standard struct {
			Count scalar `json:"count"`
			Table []struct {
				Type   struct{ String string }         `json:"type"`
				Status struct{ String, Passed scalar } `json:"status"`
				Hours  scalar                          `json:"lifetime_hours"`
			} `json:"table"`
		} `json:"standard"`
	} `json:"ata_smart_self_test_log"`
	Temperature struct{ Current scalar } `json:"temperature"`
	PowerOn     struct{ Hours scalar }   `json:"power_on_time"`
	Cycles      scalar                   `json:"power_cycle_count"`
}

type ataAttribute struct {
	ID     scalar `json:"id"`
	Name   string `json:"name"`
	Failed string `json:"when_failed"` // now, past
	Flags  struct {
		Prefailure scalar `json:"prefailure"`
	} `json:"flags"`
	Raw struct {
		Value  scalar `json:"value"`
		String string `json:"string"`
	} `json:"raw"`
}

// parseSmart reads the output of `smartctl --json=co -n standby,3 -H -A -i -l error`, of an ATA disk also `-l selftest`, whatever its exit code.
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
	if code == exitAsleep && j.Status.Passed == "" {
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
		SMR: strings.Contains(j.ModelFamily, "SMR"), Passed: j.Status.Passed.truth(),
	}
	if len(j.NVMe) > 0 {
		r.nvme(health, &j)
	}
	if j.Device.Protocol == "ATA" && len(j.ATA.Table) > 0 {
		r.ata(j.ATA.Table)
		health.ATA = ataOnly(j.ATA.Table)
	}
	health.Test = j.lastTest()
	if health.Passed.OK || health.Celsius.OK || health.Hours.OK || len(j.NVMe) > 0 || len(j.ATA.Table) > 0 {
		r.smart = health
	}
	return r, nil
}

func celsius(n scalar) fleet.Opt[float64] {
	v := n.int()
	return fleet.Opt[float64]{V: float64(v.V), OK: v.OK}
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
