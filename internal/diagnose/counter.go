package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// counterRules judge error counters by what they grew since they were first read, or accepted: lifetime values of most mean
// nothing.
func counterRules() []Rule {
	accepting := []string{"disk-accept"}
	return []Rule{{
		ID: "SMT-02", Title: "disk loses data", Kind: fleet.KindDisk, Severity: fleet.Critical,
		Source:   "media_errors, ATA 5, 187, 197, 198; Backblaze: any of them predicts failure, growth above all",
		Explains: []string{"IO-10", "SMT-09", "KRN-IO", "IO-02"},
		Judge: grown(counted{"media_errors", fleet.Critical}, counted{"pending", fleet.Critical},
			counted{"offline_uncorrectable", fleet.Critical}, counted{"reported_uncorrect", fleet.Critical}, counted{"reallocated", fleet.Serious}),
	}, {
		ID: "SMT-09", Title: "disk has damaged places", Kind: fleet.KindDisk, Severity: fleet.Serious,
		Source: "media_errors, ATA 197, 198: any non-zero value is bad",
		Judge:  on(damaged),
	}, {
		ID: "SMT-10", Title: "disk's link or commands fail", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source:   "ATA 199 CRC errors (cable), 188 command timeouts, SCSI ioerr_cnt; growth only",
		Remedies: accepting,
		Judge:    grown(counted{"crc_errors", fleet.Warn}, counted{"command_timeout", fleet.Warn}, counted{"ioerr_cnt", fleet.Warn}),
	}, {
		ID: "SMT-04", Title: "NVMe logged errors", Kind: fleet.KindDisk, Severity: fleet.Info,
		Source:   "num_err_log_entries is no failure counter: commands the drive does not know count too (smartd.conf.5)",
		Remedies: accepting,
		Judge:    on(loggedMore),
	}, {
		ID: "SMT-06", Title: "disk lost power", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source: "NVMe unsafe_shutdowns; growth only, info as often as its machine was cut off since", Remedies: accepting,
		Reads: Reads{Around: []fleet.Kind{fleet.KindBoot}}, Judge: on(lostPower),
	}, {
		ID: "SMT-07", Title: "disk throttles for heat", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source:   "NVMe thermal management transitions (T1 light, T2 heavy), minutes over its temperature limits; growth only",
		Remedies: accepting,
		Judge: grown(counted{"thermal_temp1_transitions", fleet.Warn}, counted{"warning_temp_time", fleet.Warn},
			counted{"thermal_temp2_transitions", fleet.Serious}, counted{"critical_comp_time", fleet.Serious}),
	}, {
		ID: "SMT-15", Title: "disk has throttled for heat", Kind: fleet.KindDisk, Severity: fleet.Info,
		Source: "the same transitions in its life, where none is new",
		Judge:  on(heatPast),
	}, {
		ID: "MD-01", Title: "array degraded", Kind: fleet.KindDisk, Severity: fleet.Critical,
		Source: "/sys/block/mdN/md/degraded", Judge: on(degraded),
	}}
}

// loggedMore tells what the new entries are, where they can be read.
func loggedMore(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	v := grown(counted{"num_err_log_entries", fleet.Info})(s, d)
	if v.State == Bad {
		v.Because = append(v.Because, logEvidence(d)...)
	}
	return v
}

// lostPower judges how often a disk lost its power: with its machine is BOOT-02's.
func lostPower(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	v := grown(counted{"unsafe_shutdowns", fleet.Warn})(s, d)
	p, ok := s.Part(d.Source, fleet.KindBoot.Scope())
	if v.State != Bad || !ok {
		return v
	}
	c, _ := d.Counter("unsafe_shutdowns")
	cuts := uint64(0)
	for _, o := range p.Facts {
		if b, ok := o.(*fleet.BootRecord); ok && b.Host == d.Host && b.Ended == fleet.BootCut && b.End.After(c.Since) {
			cuts++
			v.Because = append(v.Because, because(b, b.End, "journalctl -b "+b.ID+" on "+d.Host, "it ends in the middle"))
		}
	}
	if c.Grew() <= cuts {
		v.Severity = fleet.Info
		v.Says += ", as its machine was cut off"
	}
	return v
}

// heatPast tells of heat that is over as of a note; what is new is SMT-07's. There is nothing in it to accept.
func heatPast(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	v := Verdict{State: Bad}
	n, known := uint64(0), false
	for _, name := range [...]string{"thermal_temp1_transitions", "thermal_temp2_transitions"} {
		c, ok := d.Counter(name)
		if known = known || ok; c.Grew() > 0 {
			return Verdict{State: OK}
		}
		if c.Value > 0 {
			n += c.Value
			v.Because = append(v.Because, because(d, time.Time{}, "counter "+name, "%d in its life, none since %s", c.Value, clock(s, c.Since)))
		}
	}
	switch {
	case !known && d.Bus == "nvme":
		return noSmart(d)
	case n == 0:
		return Verdict{State: OK}
	}
	v.Says = fmt.Sprintf("%s has throttled for heat %s in its life, none of it lately", diskName(d), plural(n, "time"))
	return v
}

// counted is a counter with what its growth means.
type counted struct {
	name     string
	severity fleet.Severity
}

// grown makes a Judge of the counters that should not grow. A disk that has none of them cannot be told about.
func grown(watch ...counted) func(*fleet.Snapshot, fleet.Object) Verdict {
	return on(func(s *fleet.Snapshot, d *fleet.Disk) Verdict {
		verdict := Verdict{State: CannotTell}
		var words, absent []string
		for _, w := range watch {
			c, ok := d.Counter(w.name)
			if !ok {
				absent = append(absent, w.name)
				continue
			}
			if verdict.State == CannotTell {
				verdict.State = OK
			}
			if c.Grew() == 0 {
				continue
			}
			verdict.State = Bad
			verdict.Severity = max(verdict.Severity, w.severity)
			verdict.Since = sooner(verdict.Since, c.Since)
			words = append(words, fmt.Sprintf("%s +%d", c.Name, c.Grew()))
			verdict.Because = append(verdict.Because, counterEvidence(d, s, c))
		}
		switch verdict.State {
		case CannotTell:
			verdict.Missing = append(slices.Clone(d.Missing), strings.Join(absent, ", ")+": smartctl -A -l error /dev/"+d.Name+" on "+d.Host)
		case Bad:
			verdict.Says = fmt.Sprintf("%s: %s since %s", diskName(d), strings.Join(words, ", "), clock(s, verdict.Since))
		}
		return fresh(d, verdict)
	})
}

func counterEvidence(o fleet.Object, s *fleet.Snapshot, c fleet.Counter) fleet.Evidence {
	if c.Grown.IsZero() {
		return because(o, c.Since, "counter "+c.Name, "%d, was %d at %s", c.Value, c.First, clock(s, c.Since))
	}
	return because(o, c.Grown, "counter "+c.Name, "%d, was %d at %s; seen to grow last at %s", c.Value, c.First, clock(s, c.Since), clock(s, c.Grown))
}

// counterWord says in a word or two what it means that a counter grew.
func counterWord(name string) string {
	switch name {
	case "thermal_temp1_transitions", "thermal_temp2_transitions":
		return "throttled for heat"
	case "warning_temp_time", "critical_comp_time":
		return "too hot"
	case "unsafe_shutdowns":
		return "lost power"
	}
	return "errors grew"
}

// counterSays tells of a counter that grew: at the time that it names where it was not seen when.
func counterSays(c fleet.Counter) string {
	name := strings.ReplaceAll(c.Name, "_", " ")
	if c.Grown.IsZero() {
		return fmt.Sprintf("%s +%d since then, now %d", name, c.Grew(), c.Value)
	}
	return fmt.Sprintf("%s %d now, %d at %s", name, c.Value, c.First, c.Since.UTC().Format("2006-01-02 15:04:05Z"))
}

func damaged(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	verdict := Verdict{State: CannotTell, Missing: noSmart(d).Missing}
	var words []string
	for _, name := range [...]string{"media_errors", "pending", "offline_uncorrectable"} {
		c, ok := d.Counter(name)
		if !ok {
			continue
		}
		if verdict.State == CannotTell {
			verdict = Verdict{State: OK}
		}
		if c.Value > 0 {
			verdict.State = Bad
			words = append(words, fmt.Sprintf("%s %d", name, c.Value))
			verdict.Because = append(verdict.Because, counterEvidence(d, s, c))
		}
	}
	if verdict.State == Bad {
		verdict.Says = fmt.Sprintf("%s has damaged places: %s", diskName(d), strings.Join(words, ", "))
	}
	return fresh(d, verdict)
}

func degraded(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	c, ok := d.Counter("degraded")
	switch {
	case d.Bus != "md":
		return Verdict{State: OK}
	case !ok:
		return Verdict{State: CannotTell, Missing: []string{"cat /sys/block/" + d.Name + "/md/degraded on " + d.Host}}
	case c.Value == 0:
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Because: []fleet.Evidence{counterEvidence(d, s, c)},
		Says: fmt.Sprintf("array %s on %s runs without %s", d.Name, d.Host, plural(c.Value, "disk")),
	}
}
