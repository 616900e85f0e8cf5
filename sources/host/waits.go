package host

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// How often tasks are looked at: a look reads a file of every process, which is most of what this source costs.
const (
	waitsCalm = 10 * time.Second
	waitsHot  = 4 * time.Second // while something waits
	waitsMost = 4000            // tasks in one look
	waitsTold = 12
)

// waits finds tasks in state D.
type waits struct {
	at     tree.Tree
	last   time.Time
	told   *fleet.Waits
	before map[taskKey]fleet.WaitingTask
	buffer []byte
}

// taskKey is one wait of one task: ran grows whenever it runs.
type taskKey struct {
	pid, tid int
	start    string
	ran      string
}

// look returns what waits. Between two looks it is what the last one saw; nil before the first.
func (w *waits) look(now time.Time, h *fleet.Host) *fleet.Waits {
	every := waitsCalm
	if w.hot(h) {
		every = waitsHot
	}
	if w.told != nil && now.Sub(w.last) < every && !now.Before(w.last) {
		return w.told
	}
	names, err := w.at.List("/proc")
	if err != nil {
		return nil
	}
	w.last = now
	if w.buffer == nil {
		w.buffer = make([]byte, 4096)
	}
	seen := map[taskKey]fleet.WaitingTask{}
	left := waitsMost
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if left--; left < 0 {
			break
		}
		comm := w.task("/proc/"+name, pid, pid, now, seen)
		// Of a virtual machine the threads count: it is they that run its processors and read its disks.
		if !strings.HasPrefix(comm, "qemu") {
			continue
		}
		threads, _ := w.at.List("/proc/" + name + "/task")
		for _, thread := range threads {
			if tid, err := strconv.Atoi(thread); err == nil && tid != pid && left > 0 {
				left--
				w.task("/proc/"+name+"/task/"+thread, pid, tid, now, seen)
			}
		}
	}
	w.before = seen
	w.told = tellWaits(seen, left < 0)
	return w.told
}

// hot reports whether something seems to wait: then a look is worth more.
func (w *waits) hot(h *fleet.Host) bool {
	if w.told != nil && len(w.told.Tasks) > 0 {
		return true
	}
	if p := h.Pressure; p != nil && (p.IO.Some10 > 5 || p.Memory.Some10 > 1) {
		return true
	}
	return h.LoadKnown() && h.Busy.OK && h.Load[0] > h.Busy.V*float64(h.CPUs)+1
}

// task looks at one task, notes it when it is in state D, and returns its name.
func (w *waits) task(folder string, pid, tid int, now time.Time, seen map[taskKey]fleet.WaitingTask) string {
	stat, err := w.at.Small(folder+"/stat", w.buffer)
	if err != nil {
		return "" // it ended
	}
	comm, state, start, ok := parseTask(stat)
	if !ok || state != 'D' {
		return comm
	}
	key := taskKey{pid: pid, tid: tid, start: start, ran: lastField(w.at.Word(folder + "/schedstat"))}
	t, waited := w.before[key]
	if !waited {
		t = fleet.WaitingTask{PID: pid, TID: tid, Comm: comm, Since: now}
	}
	t.Looks++
	if t.Wchan = w.at.Word(folder + "/wchan"); t.Wchan == "0" {
		t.Wchan = ""
	}
	seen[key] = t
	return comm
}

// parseTask reads the name, the state and the start of /proc/PID/stat (proc(5)). The name may hold anything.
func parseTask(stat []byte) (comm string, state byte, start string, ok bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open || len(stat) < end+3 {
		return "", 0, "", false
	}
	comm, state = strings.ToValidUTF8(string(stat[open+1:end]), "?"), stat[end+2]
	if state != 'D' {
		return comm, state, "", true
	}
	if f := bytes.Fields(stat[end+2:]); len(f) > 19 {
		start = string(f[19])
	}
	return comm, state, start, true
}

// lastField is the number of times a task was run, in /proc/PID/schedstat.
func lastField(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

// tellWaits sorts what waits, longest first.
func tellWaits(seen map[taskKey]fleet.WaitingTask, cut bool) *fleet.Waits {
	told := &fleet.Waits{Cut: cut}
	for _, t := range seen {
		told.Tasks = append(told.Tasks, t)
	}
	slices.SortFunc(told.Tasks, func(a, b fleet.WaitingTask) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID))
	})
	if told.More = len(told.Tasks) - waitsTold; told.More > 0 {
		told.Tasks = slices.Clip(told.Tasks[:waitsTold])
	} else {
		told.More = 0
	}
	return told
}
