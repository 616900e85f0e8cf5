package machine

import "fmt"

// Waiting is a task in state D, for as long as it is in the state of its machine.
type Waiting struct {
	PID, TID int // the same for the first thread of a process
	Comm     string
	Wchan    string
}

func (w Waiting) folder() string {
	if w.PID == w.TID {
		return fmt.Sprintf("proc/%d/", w.PID)
	}
	return fmt.Sprintf("proc/%d/task/%d/", w.PID, w.TID)
}

// waitFiles adds the files of tasks that wait; those that did before run now.
func (m *Machine) waitFiles(files map[string]string) {
	now := map[Waiting]bool{}
	for _, w := range m.state.Waiting {
		now[w] = true
		if m.waited == nil {
			m.waited = map[Waiting]int{}
		}
		if m.waited[w]%2 == 0 {
			m.waited[w]++
		}
	}
	for w, turn := range m.waited {
		state, in := "S", "0"
		if now[w] {
			state, in = "D", w.Wchan
		} else if turn%2 == 1 {
			m.waited[w]++
		}
		files[w.folder()+"stat"] = fmt.Sprintf("%d (%s) %s 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 4 0 6000 0\n", w.TID, w.Comm, state)
		files[w.folder()+"schedstat"] = fmt.Sprintf("1000 20 %d\n", m.waited[w])
		files[w.folder()+"wchan"] = in
	}
}
