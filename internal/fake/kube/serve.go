package kube

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// ServeHTTP answers as kube-apiserver does, for what this server knows.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.record(r)
	if r.Header.Get("Authorization") != "Bearer "+token {
		answerStatus(w, http.StatusUnauthorized, "")
		return
	}
	if s.discovery(w, r.URL.Path) {
		return
	}
	t, namespace, name, sub := s.route(r.URL.Path)
	if t == nil || t.name == "applications" && !s.installed() {
		answerStatus(w, http.StatusNotFound, "the server could not find the requested resource")
		return
	}
	a := target{t, namespace, name, sub}
	f, cut := s.fault(a.resource())
	if s.goWrong(f, w, r) {
		return
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	why := s.verbRefused(verbOf(r, a), a)
	if reads && why == "" {
		why = s.refusal(t, namespace)
	}
	if why != "" {
		answerStatus(w, http.StatusForbidden, why)
		return
	}
	if f.Cut {
		w = &half{ResponseWriter: w}
	}
	switch {
	case !reads && f.Lose:
		s.write(unheard{}, r, a)
		panic(http.ErrAbortHandler)
	case !reads:
		s.write(w, r, a)
	case sub == "log" && s.there(a):
		s.log(w, r, a, cut)
	case name != "":
		s.one(w, a)
	case r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1":
		s.watch(w, r, t, namespace, cut)
	default:
		s.list(w, r, t, namespace)
	}
}

// half is a ResponseWriter that breaks the connection after the first bytes.
type half struct{ http.ResponseWriter }

func (h *half) Write(b []byte) (int, error) {
	_, _ = h.ResponseWriter.Write(b[:len(b)/2]) // the connection ends in any case
	_ = http.NewResponseController(h.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// installed reports whether Argo CD is.
func (s *Server) installed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasApps
}

func (s *Server) there(a target) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.table.objects[a.namespace+"/"+a.name] != nil
}

// route splits a path into its resource, namespace, object and subresource.
func (s *Server) route(path string) (t *table, namespace, name, sub string) {
	for _, t := range s.tables {
		rest, ok := strings.CutPrefix(path, t.path+"/")
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		if len(parts) >= 3 && parts[0] == "namespaces" {
			namespace, parts = parts[1], parts[2:]
		}
		if parts[0] != t.name || namespace != "" && !t.namespaced || len(parts) > 3 {
			namespace = ""
			continue
		}
		if len(parts) > 1 {
			name = parts[1]
		}
		if len(parts) > 2 {
			sub = parts[2]
		}
		return t, namespace, name, sub
	}
	return nil, "", "", ""
}

func (s *Server) one(w http.ResponseWriter, a target) {
	s.mu.Lock()
	e := a.table.objects[a.namespace+"/"+a.name]
	s.mu.Unlock()
	if e == nil {
		answerStatus(w, http.StatusNotFound, fmt.Sprintf("%s %q not found", a.table.name, a.name))
		return
	}
	if a.sub == "scale" {
		answer(w, scaleOf(e))
		return
	}
	answer(w, e.json)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, t *table, namespace string) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit")) // 0 when it is not there
	pick := newFilter(namespace, q.Get("fieldSelector"))

	s.mu.Lock()
	at, keys := s.version, t.keys()
	if token := q.Get("continue"); token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		since, after, ok := strings.Cut(string(raw), " ")
		v, numErr := strconv.ParseUint(since, 10, 64)
		if err != nil || numErr != nil || !ok {
			s.mu.Unlock()
			answerStatus(w, http.StatusBadRequest, "continue key is not valid")
			return
		}
		if v < t.floor {
			s.mu.Unlock()
			answerStatus(w, http.StatusGone, "The provided continue parameter is too old to display a consistent list result.")
			return
		}
		at = v
		keys = keys[sort.SearchStrings(keys, after+"\x00"):]
	}
	var page []*entry
	next := ""
	for _, key := range keys {
		e := t.objects[key]
		if !pick.picks(e) {
			continue
		}
		if limit > 0 && len(page) == limit {
			next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", at, page[limit-1].key()))
			break
		}
		page = append(page, e)
	}
	s.mu.Unlock()

	body := fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","continue":%q},"items":[`,
		t.kind+"List", t.version, at, next)
	for i, e := range page {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.json...)
	}
	answer(w, append(body, "]}"...))
}

// discovery answers what does not belong to a resource.
func (s *Server) discovery(w http.ResponseWriter, path string) bool {
	var body jsonObject
	switch path {
	case "/readyz", "/livez", "/healthz":
		_, _ = w.Write([]byte("ok")) // the client may be gone
		return true
	case "/version":
		body = jsonObject{"major": "1", "minor": "33", "gitVersion": "v1.33.4", "platform": "linux/amd64"}
	case "/api":
		body = jsonObject{"kind": "APIVersions", "versions": []string{"v1"}}
	case "/apis":
		var groups []any
		for _, name := range []string{"coordination.k8s.io", "apps", "batch", "policy"} {
			v := jsonObject{"groupVersion": name + "/v1", "version": "v1"}
			groups = append(groups, jsonObject{"name": name, "versions": []any{v}, "preferredVersion": v})
		}
		body = jsonObject{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	case "/apis/argoproj.io/v1alpha1":
		if !s.installed() {
			return false
		}
		body = jsonObject{"kind": "APIResourceList", "groupVersion": "argoproj.io/v1alpha1"}
	case "/api/v1", "/apis/coordination.k8s.io/v1", "/apis/apps/v1", "/apis/batch/v1", "/apis/policy/v1":
		var all []any
		for _, r := range resources() {
			if r.path == path {
				all = append(all, jsonObject{
					"name": r.name, "kind": r.kind, "namespaced": r.namespaced, "verbs": []string{"get", "list", "watch"},
				})
			}
		}
		_, groupVersion, _ := strings.Cut(path[1:], "/")
		body = jsonObject{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": all}
	default:
		return false
	}
	rendered, err := json.Marshal(body)
	if err != nil {
		return false // maps of strings always render
	}
	answer(w, rendered)
	return true
}

func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client may be gone
}

// answerStatus answers with an error as the API words it; message may be empty.
func answerStatus(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(code)
	_, _ = w.Write(status(code, message)) // the client may be gone
}

func status(code int, message string) []byte {
	reasons := map[int]string{
		400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict", 410: "Expired",
		422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
	}
	if message == "" {
		message = http.StatusText(code)
	}
	body, err := json.Marshal(jsonObject{
		"kind": "Status", "apiVersion": "v1", "metadata": jsonObject{}, "status": "Failure",
		"message": message, "reason": reasons[code], "code": code,
	})
	if err != nil {
		return nil // maps of strings always render
	}
	return body
}
