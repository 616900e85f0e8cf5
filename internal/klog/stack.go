package klog

import (
	"strings"
	"time"

	"strata/internal/fleet"
)

// stackTakes is how long after the line that announces it a stack is looked for.
const stackTakes = 2 * time.Second

// stack reads what is below a line about a task that hangs or a panic: the frames, and of a panic the task that ran.
type stack struct {
	of    *held
	boot  string
	until time.Duration
	rank  int
}

// see takes the frame of a line that says most about what is waited for.
func (s *stack) see(line Line) {
	if s.of == nil || line.Boot != s.boot || line.Mono > s.until {
		s.of = nil
		return
	}
	if s.of.now.Class == fleet.ClassPanic { // its cause is told with it
		if task, ok := running(line.Text); ok && s.of.now.Subject == "" {
			s.of.now.Subject = task
		}
		return
	}
	name, ok := Frame(line.Text)
	if !ok {
		return
	}
	if r := rank(name); r > s.rank {
		s.rank, s.of.now.Cause = r, name
	}
}

// running reads which task ran: "CPU: 0 PID: 3053 Comm: dnf Kdump: loaded Not tainted 5.14.0".
func running(text string) (task string, ok bool) {
	_, rest, found := strings.Cut(text, "PID: ")
	pid, rest, ok := strings.Cut(rest, " Comm: ")
	for _, end := range []string{" Kdump: ", " Not tainted ", " Tainted: "} {
		rest, _, _ = strings.Cut(rest, end)
	}
	return rest + "[" + pid + "]", found && ok && rest != "" && len(rest) < 64 && len(pid) < 12
}

// Frame reads the function of a line of a stack trace ("kvm_async_pf_task_wait_schedule+0xf3/0x180"). A guess of the
// unwinder, marked with a question mark, is none.
func Frame(text string) (name string, ok bool) {
	text = strings.TrimSpace(text)
	if rest, ip := strings.CutPrefix(text, "RIP: "); ip {
		_, text, _ = strings.Cut(rest, ":")
	}
	name, offset, ok := strings.Cut(text, "+0x")
	if !ok || !strings.Contains(offset, "/0x") || name == "" || strings.ContainsAny(name, " ?:[]()") {
		return "", false
	}
	return name, true
}

// rank tells how much a frame says: 0 for those that are in every stack.
func rank(frame string) int {
	for _, at := range []struct {
		rank     int
		prefixes []string
	}{
		{9, []string{"kvm_async_pf_task_wait"}}, // the page is swapped out by the host below
		{0, []string{
			"__schedule", "schedule", "context_switch", "kthread", "ret_from_fork", "entry_SYSCALL", "do_syscall_64", "__x64_sys", "asm_", "exc_", "worker_thread",
			"process_one_work", "__wait_for_common", "wait_for_completion", "secondary_startup", "start_secondary", "x64_sys_call",
		}},
		{5, []string{"jbd2_", "__jbd2", "ext4_", "xfs_", "__xfs", "btrfs_", "nfs", "rpc_", "ceph_", "fuse_", "md_", "raid", "dm_", "nvme_", "do_swap_page", "blk_mq_"}},
		{3, []string{"io_schedule"}},
		{2, []string{"rwsem_down", "down_", "__mutex_lock", "mutex_lock", "__down"}},
	} {
		for _, p := range at.prefixes {
			if strings.HasPrefix(frame, p) {
				return at.rank
			}
		}
	}
	return 1
}
