package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// diskIORules judge how a disk keeps up with what is asked of it.
func diskIORules() []Rule {
	return []Rule{{
		ID: "IO-01", Title: "disk answers slowly", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source: "mean time of an operation over 100 ms, of a solid-state disk over 20 ms, at five a second and more, for 2 min; serious over half a second (heuristic); " +
			"who loads it is io.stat of each unit and virtual machine",
		Hold: 2 * time.Minute, Clear: 20 * time.Second, Explains: []string{"X-04", "IO-03"},
		Reads: Reads{Around: []fleet.Kind{fleet.KindUnit}}, Remedies: []string{"unit-limit", "domain-limit"}, Judge: on(slowDisk),
	}, {
		ID: "IO-02", Title: "disk has more to do than it can", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source: "node-mixin: ten operations waiting, and in use over 80 % of the time, for 5 min, where each takes half of what IO-01 calls slow: " +
			"both are normal for a disk that does many at once, and quickly; who loads it is io.stat of each unit and virtual machine, " +
			"where its I/O is counted (IOAccounting)",
		Hold: 5 * time.Minute, Clear: 20 * time.Second, Explains: []string{"IO-01", "IO-03"},
		Reads: Reads{Around: []fleet.Kind{fleet.KindUnit}}, Remedies: []string{"unit-limit", "domain-limit"}, Judge: on(fullQueue),
	}, {
		ID: "IO-03", Title: "tasks wait for disks", Kind: fleet.KindHost, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "/proc/pressure/io: full avg60 >= 5, serious from 20 (heuristic); who loads the disks is io.stat of each unit and virtual machine",
		Hold:   time.Minute, Clear: 30 * time.Second, Fold: Fold{Parts: true}, Reads: Reads{Around: []fleet.Kind{fleet.KindUnit}}, Judge: on(ioPressure),
	}, {
		ID: "IO-05", Title: "CPUs idle while I/O is under way", Kind: fleet.KindHost, Severity: fleet.Info, Confidence: fleet.Low,
		Source: "iowait of /proc/stat over 10 % for 2 min: a hint only (proc.rst)",
		Hold:   2 * time.Minute, Clear: time.Minute, Judge: on(idleForIO),
	}}
}

const (
	leastOps = 5 // a second, to judge how long they take
	terrible = 500 * time.Millisecond
)

// ops is how many operations a disk did each second.
func ops(d *fleet.Disk) float64 { return d.IO.ReadsSec.V + d.IO.WritesSec.V }

// verySlow reports whether each operation takes half a second and more.
func verySlow(d *fleet.Disk) bool { return d.IO.Await.Or(0) > terrible && ops(d) >= leastOps }

func noRates(d *fleet.Disk) Verdict {
	return Verdict{State: CannotTell, Missing: []string{"how it keeps up: iostat -x 5 2 /dev/" + d.Name + " on " + d.Host}}
}

func diskEvidence(d *fleet.Disk) fleet.Evidence {
	queue := "not told"
	if d.IO.Queue.OK {
		queue = fmt.Sprintf("%.1f", d.IO.Queue.V)
	}
	return because(d, time.Time{}, "/proc/diskstats", "%.0f reads/s %.0f writes/s, each %s, in use %.0f %%, queue %s",
		d.IO.ReadsSec.V, d.IO.WritesSec.V, d.IO.Await.V.Round(time.Millisecond/10), d.IO.Util.V*100, queue)
}

// slowFrom is how long an operation takes on a disk that is slow for its sort.
func slowFrom(d *fleet.Disk) time.Duration {
	if d.Rotational.OK && !d.Rotational.V {
		return 20 * time.Millisecond
	}
	return 100 * time.Millisecond
}

func slowDisk(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	if !d.IO.ReadsSec.OK || !d.IO.WritesSec.OK {
		return noRates(d)
	}
	limit := slowFrom(d)
	v := Verdict{State: Bad}
	switch await := d.IO.Await.Or(0); {
	case ops(d) < leastOps, await <= limit*7/10:
		return Verdict{State: OK}
	case await <= limit:
		return Verdict{State: Lingering}
	case await > terrible:
		v.Severity = fleet.Serious
		v.Says = diskName(d) + " takes more than half a second for each request"
	default:
		v.Says = fmt.Sprintf("%s takes more than %v for each request", diskName(d), limit)
	}
	return withLoad(s, d, v)
}

func fullQueue(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	if !d.IO.Util.OK || !d.IO.Queue.OK {
		return noRates(d)
	}
	// None that was done in that time took forever.
	limit := slowFrom(d) / 2
	await := d.IO.Await.Or(2 * limit)
	switch busy, queue := d.IO.Util.V, d.IO.Queue.V; {
	case busy <= 0.7 || queue <= 7 || await <= limit*7/10:
		return Verdict{State: OK}
	case busy <= 0.8 || queue <= 10 || await <= limit:
		return Verdict{State: Lingering}
	}
	return withLoad(s, d, Verdict{State: Bad, Says: diskName(d) + " has more to do than it can: more than ten requests wait all the time"})
}

// withLoad adds to a verdict what the disk does, and for whom: it is about the unit that does most of it, if one does.
func withLoad(s *fleet.Snapshot, d *fleet.Disk, v Verdict) Verdict {
	total := fleet.Opt[float64]{V: d.IO.ReadBytesSec.V + d.IO.WriteBytesSec.V, OK: d.IO.ReadBytesSec.OK && d.IO.WriteBytesSec.OK}
	v.Because = []fleet.Evidence{diskEvidence(d)}
	if u := loaders(s, d.Source, d.Host, d.Name, total, &v); u != nil {
		v.On = u.Ref()
	}
	return v
}

func idleForIO(_ *fleet.Snapshot, h *fleet.Host) Verdict {
	switch {
	case h.Waits == nil || !h.Waits.IO.OK:
		return Verdict{State: CannotTell, Missing: []string{"iowait: vmstat 1 5 on " + h.Name}}
	case h.Waits.IO.V < 0.10:
		return Verdict{State: OK}
	case h.Waits.IO.V < 0.15:
		return Verdict{State: Lingering}
	}
	return Verdict{
		State: Bad, Says: "the CPUs of " + h.Name + " idle more than a tenth of the time while I/O is under way",
		Because: append([]fleet.Evidence{because(h, time.Time{}, "/proc/stat", "iowait %.0f %%", h.Waits.IO.V*100)}, waitEvidence(h)...),
	}
}

func ioPressure(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Pressure == nil {
		return Verdict{State: CannotTell, Missing: []string{"/proc/pressure/io: boot " + h.Name + " with psi=1"}}
	}
	p := h.Pressure.IO
	v := Verdict{
		State: Bad, Says: "tasks on " + h.Name + " wait for disks",
		Because: []fleet.Evidence{because(h, time.Time{}, "/proc/pressure/io", "some avg10=%.1f avg60=%.1f, full avg10=%.1f avg60=%.1f", p.Some10, p.Some60, p.Full10, p.Full60)},
	}
	switch {
	case p.Full60 < 4:
		return Verdict{State: OK}
	case p.Full60 < 5:
		return Verdict{State: Lingering}
	case p.Full60 >= 20:
		v.Severity = fleet.Serious
		v.Says = "all tasks on " + h.Name + " wait for disks a fifth of the time"
	}
	loaders(s, h.Source, h.Name, "", fleet.Opt[float64]{}, &v)
	v.Because = append(v.Because, waitEvidence(h)...)
	return v
}
