package kube

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// bookmarkEvery is how often a watch that wants bookmarks gets one.
const bookmarkEvery = time.Minute

// watch streams the changes of a resource until the client leaves, the time it asked for is over, or the stream is cut.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, t *table, namespace string, cut <-chan struct{}) {
	q := r.URL.Query()
	initial := q.Get("sendInitialEvents") == "true"
	if initial && s.options.Old {
		answerStatus(w, http.StatusUnprocessableEntity, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch "+
			"unless the WatchList feature gate is enabled")
		return
	}
	at, err := strconv.ParseUint(orElse(q.Get("resourceVersion"), "0"), 10, 64)
	if err != nil {
		answerStatus(w, http.StatusBadRequest, "invalid resource version")
		return
	}
	var over <-chan time.Time
	if seconds, err := strconv.Atoi(q.Get("timeoutSeconds")); err == nil && seconds > 0 {
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		over = timer.C
	}
	bookmarks := time.NewTicker(bookmarkEvery)
	defer bookmarks.Stop()

	w.Header().Set("Content-Type", "application/json")
	out := &stream{w: bufio.NewWriterSize(w, 64<<10), flush: http.NewResponseController(w).Flush, table: t}
	out.send() // the headers, before the first event
	pick := newFilter(namespace, q.Get("fieldSelector"))
	all := initial || at == 0
	for {
		var changes []change
		s.mu.Lock()
		now, wake := s.version, s.changed
		switch {
		case all:
			for _, key := range t.keys() {
				if e := t.objects[key]; pick.picks(e) {
					changes = append(changes, change{after: e})
				}
			}
		case at < t.floor:
			s.mu.Unlock()
			out.event("ERROR", status(http.StatusGone, fmt.Sprintf("too old resource version: %d (%d)", at, t.floor)))
			out.send()
			return
		default:
			changes = t.since(at)
		}
		s.mu.Unlock()

		for _, c := range changes {
			out.change(c, pick)
		}
		if initial {
			out.bookmark(now, true)
		}
		all, initial, at = false, false, now
		if !out.send() {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-cut:
			panic(http.ErrAbortHandler) // the way to break a connection without a proper end
		case <-over:
			return
		case <-wake:
		case <-bookmarks.C:
			if q.Get("allowWatchBookmarks") == "true" {
				out.bookmark(now, false)
			}
		}
	}
}

// stream writes the events of one watch.
type stream struct {
	w     *bufio.Writer
	flush func() error
	table *table
}

func (o *stream) send() bool { return o.w.Flush() == nil && o.flush() == nil }

func (o *stream) event(kind string, body []byte) {
	// Writing errors stay with the writer until send.
	_, _ = fmt.Fprintf(o.w, `{"type":%q,"object":%s}`+"\n", kind, body)
}

// change tells a change as the filter sees it: what it no longer picks is deleted.
func (o *stream) change(c change, pick filter) {
	before, after := pick.picks(c.before), pick.picks(c.after)
	switch {
	case before && after:
		o.event("MODIFIED", c.after.json)
	case after:
		o.event("ADDED", c.after.json)
	case before:
		// The last version of an object that is gone bears the version of its end.
		old, now := `"resourceVersion":"`+version(c.before.version)+`"`, `"resourceVersion":"`+version(c.version)+`"`
		o.event("DELETED", bytes.Replace(c.before.json, []byte(old), []byte(now), 1))
	}
}

func (o *stream) bookmark(at uint64, end bool) {
	annotations := ""
	if end {
		annotations = `,"annotations":{"k8s.io/initial-events-end":"true"}`
	}
	o.event("BOOKMARK", fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","creationTimestamp":null%s}}`,
		o.table.kind, o.table.version, at, annotations))
}
