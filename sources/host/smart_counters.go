package host

import (
	"strconv"
	"strings"

	"strata/internal/fleet"
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

func (r *report) nvme(health *fleet.Smart, j *smartJSON) {
	health.Warning = j.NVMe["critical_warning"].int()
	health.UsedPct = j.NVMe["percentage_used"].int()
	health.SparePct, health.SpareMin = j.NVMe["available_spare"].int(), j.NVMe["available_spare_threshold"].int()
	// A controller that does not keep account of its spare says none left of none needed.
	if health.SparePct.V == 0 && health.SpareMin.V == 0 {
		health.SparePct, health.SpareMin = fleet.Opt[int]{}, fleet.Opt[int]{}
	}
	health.Errors = nvmeErrors(j.Smartctl.Output)
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
