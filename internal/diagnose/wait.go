package diagnose

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// stuckFor is how long a task is in one wait before it is worth a word.
const stuckFor = 10 * time.Second

func waitRules() []Rule {
	return []Rule{{
		ID: "IO-04", Title: "tasks stuck in the kernel", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "state D in /proc/PID/stat without running for 10 s: three tasks; serious for ten, or a virtual machine or nova-compute for 30 s (heuristic)",
		Clear:  20 * time.Second, Fold: Fold{Parts: true}, Explains: []string{"KRN-HUNG", "KRN-HUNG-APF"}, Judge: on(stuckTasks),
	}}
}

// vital are tasks that a machine's guests hang on.
func vital(t fleet.WaitingTask) bool {
	return strings.HasPrefix(t.Comm, "qemu") || strings.HasPrefix(t.Comm, "nova-compute") || strings.HasPrefix(t.Comm, "CPU ") && strings.HasSuffix(t.Comm, "/KVM")
}

func stuckTasks(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Waits == nil {
		return Verdict{State: CannotTell, Missing: []string{"what waits in the kernel: ps -eo state,pid,wchan:30,comm | grep ^D on " + h.Name}}
	}
	var again time.Time
	for _, t := range h.Waits.Tasks {
		for _, long := range []time.Duration{stuckFor, 30 * time.Second} {
			if at := t.Since.Add(long); at.After(s.At) {
				again = sooner(again, at)
			}
		}
	}
	stuck := h.Waits.For(stuckFor, s.At)
	v := Verdict{State: OK, Again: again}
	guest := ""
	for _, t := range h.Waits.For(30*time.Second, s.At) {
		if vital(t) {
			guest = t.Comm
		}
	}
	n := len(stuck) + h.Waits.More
	if len(stuck) < 3 && guest == "" {
		return v
	}
	v.State, v.Since = Bad, stuck[0].Since
	v.Because = waitEvidence(h)
	v.Says = fmt.Sprintf("tasks on %s are stuck in the kernel, in %s", h.Name, waitsIn(stuck))
	if guest != "" {
		v.Severity = fleet.Serious
		v.Says = fmt.Sprintf("%s on %s is stuck in the kernel, in %s", guest, h.Name, waitsIn(stuck))
	}
	if n >= 10 {
		v.Severity = fleet.Serious
	}
	return v
}

// waitsIn words what most of some tasks wait for.
func waitsIn(stuck []fleet.WaitingTask) string {
	tally := map[string]int{}
	most := ""
	for _, t := range stuck {
		if tally[t.Wchan]++; tally[t.Wchan] > tally[most] || most == "" {
			most = t.Wchan
		}
	}
	switch {
	case most == "":
		return "a wait that only root may see"
	case strings.HasPrefix(most, "kvm_async_pf"):
		return most + ": the host below has swapped the page out, look at its swap"
	}
	for _, net := range []string{"nfs", "rpc_", "cifs_", "smb2_", "ceph_"} {
		if strings.HasPrefix(most, net) {
			return most + ": they wait for the server of a network filesystem"
		}
	}
	for _, io := range []string{"folio_wait", "wait_on_page", "io_schedule", "blk_", "rq_qos", "submit_bio", "jbd2", "xfs_", "ext4_", "btrfs_", "nvme", "do_swap_page", "swap_"} {
		if strings.HasPrefix(most, io) {
			return most + ": they wait for a disk or for swap"
		}
	}
	return most
}

// waitEvidence is what tasks of a host wait in for longer than one look, for findings that it bears on. It does not change
// with the clock.
func waitEvidence(h *fleet.Host) (all []fleet.Evidence) {
	if h.Waits == nil {
		return nil
	}
	for _, t := range h.Waits.Tasks {
		if t.Looks < 2 {
			continue
		}
		in := t.Wchan
		if in == "" {
			in = "a wait that only root may see"
		}
		if len(all) == 5 {
			break
		}
		all = append(all, because(h, t.Since, fmt.Sprintf("/proc/%d/task/%d/stat and wchan on %s", t.PID, t.TID, h.Name), "%s[%d] waits in %s and cannot be interrupted", t.Comm, t.TID, in))
	}
	return all
}
