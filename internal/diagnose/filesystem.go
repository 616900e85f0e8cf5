package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func filesystemRules() []Rule {
	return []Rule{{
		ID: "IO-09", Title: "filesystem nearly full", Kind: fleet.KindFilesystem, Severity: fleet.Warn,
		Source: "node-mixin, awesome-prometheus-alerts: 10 % and 3 % left, of space or inodes", Clear: 10 * time.Second, Explains: []string{"K8S-03", "NOVA-25", "X-05", "VIRT-06"}, Judge: on(nearlyFull),
	}, {
		ID: "IO-10", Title: "filesystem found errors", Kind: fleet.KindFilesystem, Severity: fleet.Critical,
		Source: "ext4 errors_count, btrfs error_stats; growth only", Judge: on(filesystemErrors),
	}}
}

// Shares of a filesystem in use: a finding begins at full or packed and ends below its relief.
const (
	full   = 0.90
	packed = 0.97
	relief = 0.02
)

func nearlyFull(_ *fleet.Snapshot, f *fleet.Filesystem) Verdict {
	used := f.UsedShare()
	if f.ReadOnly { // nothing will be written there
		return Verdict{State: OK}
	}
	if !used.OK {
		return Verdict{State: CannotTell, Missing: []string{"its size: df " + f.Mount + " on " + f.Host}}
	}
	what, share := "space", used.V
	if f.InodesTotal > 0 {
		if inodes := 1 - float64(f.InodesFree)/float64(f.InodesTotal); inodes > share {
			what, share = "inodes", inodes
		}
	}
	if share < full-relief {
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s has used %.0f %% of its %s", f.Mount, f.Host, share*100, what),
		Because: []fleet.Evidence{because(f, time.Time{}, "statfs "+f.Mount, "%s of %s used, %s available, %d of %d inodes free",
			bytes(f.Used), bytes(f.Total), bytes(f.Available), f.InodesFree, f.InodesTotal)},
	}
	if what == "space" {
		verdict.Says += fmt.Sprintf(", %s left", bytes(f.Available))
	}
	switch {
	case share >= packed:
		verdict.Severity = fleet.Serious
	case share < full:
		verdict.State = Lingering
	}
	return verdict
}

func filesystemErrors(s *fleet.Snapshot, f *fleet.Filesystem) Verdict {
	if len(f.Counters) == 0 {
		return Verdict{State: CannotTell, Missing: []string{"error counters: " + cmp.Or(f.Type, "this filesystem") + " keeps none that can be read; dmesg on " + f.Host}}
	}
	verdict := Verdict{State: OK}
	var words []string
	for _, c := range f.Counters {
		if c.Grew() == 0 {
			continue
		}
		verdict.State = Bad
		verdict.Since = sooner(verdict.Since, c.Since)
		severity := fleet.Critical
		if strings.Contains(c.Name, "warning") {
			severity = fleet.Warn
		}
		verdict.Severity = max(verdict.Severity, severity)
		words = append(words, fmt.Sprintf("%s +%d", c.Name, c.Grew()))
		verdict.Because = append(verdict.Because, counterEvidence(f, s, c))
	}
	if verdict.State == Bad {
		verdict.Says = fmt.Sprintf("%s on %s: %s since %s", f.Mount, f.Host, strings.Join(words, ", "), clock(s, verdict.Since))
	}
	return verdict
}
