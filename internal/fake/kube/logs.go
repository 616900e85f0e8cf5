package kube

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// written is a line of a log.
type written struct {
	at   time.Time
	text string
}

// logKept is how many lines of each container the server keeps.
const logKept = 5000

func logKey(namespace, pod, container string, previous bool) string {
	return fmt.Sprintf("%s/%s/%s/%v", namespace, pod, container, previous)
}

// Log has a container write lines.
func (s *Server) Log(namespace, pod, container string, lines ...string) {
	s.logLines(logKey(namespace, pod, container, false), lines)
}

// LogPrevious has the container before have written lines.
func (s *Server) LogPrevious(namespace, pod, container string, lines ...string) {
	s.logLines(logKey(namespace, pod, container, true), lines)
}

func (s *Server) logLines(key string, lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range lines {
		s.logs[key] = append(s.logs[key], written{s.options.Now().UTC(), text})
	}
	if over := len(s.logs[key]) - logKept; over > 0 {
		s.logs[key] = append([]written(nil), s.logs[key][over:]...)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// Followed returns the logs that are being followed, as namespace, pod and container.
func (s *Server) Followed() (all [][3]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, n := range s.followed {
		if n > 0 {
			all = append(all, who)
		}
	}
	return all
}

// CutLogs breaks the connections of all logs being followed.
func (s *Server) CutLogs() { s.CutWatches("pods/log") }

// log answers with a container's log, as a kubelet does.
func (s *Server) log(w http.ResponseWriter, r *http.Request, a target, cut <-chan struct{}) {
	q := r.URL.Query()
	previous, follow := q.Get("previous") == "true", q.Get("follow") == "true"
	container, why := s.logOf(a, q.Get("container"), previous)
	if why != "" {
		answerStatus(w, http.StatusBadRequest, why)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	out := bufio.NewWriterSize(w, 64<<10)
	flush := http.NewResponseController(w).Flush
	key := logKey(a.namespace, a.name, container, previous)
	since, _ := time.Parse(time.RFC3339, q.Get("sinceTime")) // zero when it is not there
	last, tail := since.Add(-time.Nanosecond), -1
	if n, err := strconv.Atoi(q.Get("tailLines")); err == nil {
		tail = n
	}
	if follow {
		who := [3]string{a.namespace, a.name, container}
		s.follows(who, 1)
		defer s.follows(who, -1)
	}
	sent := 0 // how many lines of the newest time
	for {
		s.mu.Lock()
		lines, wake := s.logs[key], s.changed
		gone := s.tables["pods"].objects[a.namespace+"/"+a.name] == nil
		s.mu.Unlock()
		if tail >= 0 {
			lines, tail = lines[max(0, len(lines)-tail):], -1
		}
		skip := sent
		for _, l := range lines {
			if l.at.Before(last) {
				continue
			}
			if l.at.Equal(last) {
				if skip > 0 {
					skip--
					continue
				}
			} else {
				last, sent = l.at, 0
			}
			sent++
			if q.Get("timestamps") == "true" {
				_, _ = out.WriteString(l.at.Format(time.RFC3339Nano) + " ") // errors stay until Flush
			}
			_, _ = out.WriteString(l.text + "\n")
		}
		if out.Flush() != nil || flush() != nil || !follow || gone {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-cut:
			panic(http.ErrAbortHandler) // the way to break a connection without a proper end
		case <-wake:
		}
	}
}

func (s *Server) follows(who [3]string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed[who] += by
	if s.followed[who] == 0 {
		delete(s.followed, who)
	}
}

// logOf finds the container whose log is asked for, or says why there is none.
func (s *Server) logOf(a target, container string, previous bool) (name, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, _ := a.table.objects[a.namespace+"/"+a.name].value.(Pod)
	all := append(append([]Container(nil), p.Init...), p.Containers...)
	if len(all) == 0 {
		all = []Container{usualContainer(orElse(p.Phase, "Running"))}
	}
	if container == "" && len(all) > 1 {
		return "", "a container name must be specified for pod " + a.name
	}
	for _, c := range all {
		switch {
		case container != "" && c.Name != container:
			continue
		case previous && c.Last == nil && len(s.logs[logKey(a.namespace, a.name, c.Name, true)]) == 0:
			return "", fmt.Sprintf("previous terminated container %q in pod %q not found", c.Name, a.name)
		case !previous && c.Waiting != "" && c.Last == nil:
			return "", fmt.Sprintf("container %q in pod %q is waiting to start: %s", c.Name, a.name, c.Waiting)
		}
		return c.Name, ""
	}
	return "", fmt.Sprintf("container %s is not valid for pod %s", container, a.name)
}
