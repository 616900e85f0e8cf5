package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// target is what a request is about.
type target struct {
	table           *table
	namespace, name string
	sub             string // subresource: eviction, scale, log
}

// resource is what RBAC calls it.
func (a target) resource() string {
	if a.sub != "" {
		return a.table.name + "/" + a.sub
	}
	return a.table.name
}

func verbOf(r *http.Request, a target) string {
	switch r.Method {
	case http.MethodPatch:
		return "patch"
	case http.MethodPost:
		return "create"
	case http.MethodDelete:
		return "delete"
	case http.MethodPut:
		return "update"
	}
	if a.name == "" {
		return "list"
	}
	return "get"
}

// DenyVerb forbids one verb on a resource or subresource: "patch" on "nodes", "create" on "pods/eviction".
func (s *Server) DenyVerb(verb, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deniedVerbs[verb+" "+resource] = true
}

// BeforeWrite has something done before each writing request is carried out; nil is nothing.
func (s *Server) BeforeWrite(do func(method, path string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beforeWrite = do
}

// AfterWrite has something done after each writing request was carried out, before it is answered; nil is nothing.
func (s *Server) AfterWrite(do func(method, path string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterWrite = do
}

// verbRefused is the message of a 403 for one verb, "" when it may pass.
func (s *Server) verbRefused(verb string, a target) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deniedVerbs[verb+" "+a.resource()] {
		return ""
	}
	where := "at the cluster scope"
	if a.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.namespace)
	}
	return fmt.Sprintf("%s %q is forbidden: User %q cannot %s resource %q in API group %q %s",
		a.table.name, a.name, User, verb, a.resource(), a.table.group(), where)
}

// unheard is a ResponseWriter whose answer nobody gets.
type unheard http.Header

func (u unheard) Header() http.Header         { return http.Header(u) }
func (u unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u unheard) WriteHeader(int)             {}

// write carries out a request that changes something.
func (s *Server) write(w http.ResponseWriter, r *http.Request, a target) {
	s.mu.Lock()
	before, after := s.beforeWrite, s.afterWrite
	s.mu.Unlock()
	if before != nil {
		before(r.Method, r.URL.Path)
	}
	if after != nil {
		defer after(r.Method, r.URL.Path)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 3<<20))
	var in map[string]any
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		answerStatus(w, http.StatusBadRequest, "the body of the request: "+err.Error())
		return
	}
	defer s.control()
	switch {
	case a.sub == "eviction" && r.Method == http.MethodPost:
		options, _ := in["deleteOptions"].(map[string]any)
		s.evict(w, a, options)
	case a.sub == "" && r.Method == http.MethodDelete:
		s.remove(w, a, in)
	case (a.sub == "" || a.sub == "scale") && r.Method == http.MethodPatch:
		s.patch(w, r, a, in)
	default:
		answerStatus(w, http.StatusMethodNotAllowed, "")
	}
}

// evict deletes a pod if its budgets allow it.
func (s *Server) evict(w http.ResponseWriter, a target, options map[string]any) {
	s.mu.Lock()
	e := a.table.objects[a.namespace+"/"+a.name]
	why := ""
	if e != nil {
		p, _ := e.value.(Pod)
		for _, b := range s.tables["poddisruptionbudgets"].objects {
			if budget, ok := b.value.(Budget); ok && budget.guards(p) && p.Deleting.IsZero() && p.ready() {
				if healthy := s.healthy(budget); healthy-1 < budget.MinAvailable {
					why = fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", budget.Name, budget.MinAvailable, healthy)
				}
			}
		}
	}
	s.mu.Unlock()
	if why != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_ = json.NewEncoder(w).Encode(jsonObject{ // the client may be gone
			"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429,
			"message": "Cannot evict pod as it would violate the pod's disruption budget.",
			"details": jsonObject{"causes": []any{jsonObject{"reason": "DisruptionBudget", "message": why}}},
		})
		return
	}
	s.remove(w, a, options)
}

// deleteGrace is what pods say of themselves, in seconds.
const deleteGrace = 30

// remove deletes an object; a pod on a node has a grace first.
func (s *Server) remove(w http.ResponseWriter, a target, options map[string]any) {
	key, code, message := a.namespace+"/"+a.name, http.StatusOK, ""
	s.change(func(at uint64) {
		e := a.table.objects[key]
		if e == nil {
			code, message = http.StatusNotFound, fmt.Sprintf("%s %q not found", a.table.name, a.name)
			return
		}
		pre, _ := options["preconditions"].(map[string]any)
		if want, ok := pre["uid"].(string); ok && want != uidIn(e.json) {
			code = http.StatusConflict
			message = fmt.Sprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", want, uidIn(e.json))
			return
		}
		if want, ok := pre["resourceVersion"].(string); ok && want != version(e.version) {
			code = http.StatusConflict
			message = fmt.Sprintf("Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s", want, version(e.version))
			return
		}
		p, isPod := e.value.(Pod)
		grace := float64(deleteGrace)
		if g, ok := options["gracePeriodSeconds"].(float64); ok {
			grace = g
		}
		if !isPod || p.Node == "" || grace == 0 {
			a.table.drop(at, key)
		} else if p.Deleting.IsZero() {
			p.Deleting = s.options.Now().Add(time.Duration(grace) * time.Second)
			s.put(at, "pods", p.Namespace, p.Name, p.render(s.options.Now()), p)
		}
	})
	if code != http.StatusOK {
		answerStatus(w, code, message)
		return
	}
	answer(w, []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`))
}

func (s *Server) renewBudgets(at uint64) {
	for _, e := range s.tables["poddisruptionbudgets"].objects {
		if b, ok := e.value.(Budget); ok {
			s.putBudget(at, b)
		}
	}
}

func uidIn(body []byte) string {
	var o struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(body, &o) // it was rendered here
	return o.Metadata.UID
}

// patch merges a patch into an object, unless it bears another version.
func (s *Server) patch(w http.ResponseWriter, r *http.Request, a target, patch map[string]any) {
	if kind := r.Header.Get("Content-Type"); !strings.Contains(kind, "merge-patch") {
		answerStatus(w, http.StatusUnsupportedMediaType, "the body of the request was in an unknown format "+kind)
		return
	}
	key, code, message := a.namespace+"/"+a.name, http.StatusOK, ""
	var now []byte
	s.change(func(at uint64) {
		e := a.table.objects[key]
		if e == nil {
			code, message = http.StatusNotFound, fmt.Sprintf("%s %q not found", a.table.name, a.name)
			return
		}
		meta, _ := patch["metadata"].(map[string]any)
		if want, ok := meta["resourceVersion"].(string); ok && want != version(e.version) {
			code = http.StatusConflict
			message = fmt.Sprintf("Operation cannot be fulfilled on %s %q: the object has been modified; please apply your changes to the latest version and try again", a.table.name, a.name)
			return
		}
		var whole map[string]any
		_ = json.Unmarshal(e.json, &whole) // it was rendered here
		merge(whole, patch)
		value, body := s.absorb(e.value, whole)
		if body == nil {
			code, message = http.StatusUnprocessableEntity, "the fake server has no patches for "+a.table.name
			return
		}
		who := orElse(r.URL.Query().Get("fieldManager"), r.Header.Get("User-Agent"))
		body["metadata"].(jsonObject)["managedFields"] = []any{jsonObject{"manager": who, "operation": "Update", "time": s.options.Now().UTC().Format(time.RFC3339)}}
		s.put(at, a.table.name, e.namespace, e.name, body, value)
		now = a.table.objects[key].json
	})
	if code != http.StatusOK {
		answerStatus(w, code, message)
		return
	}
	answer(w, now)
}

// merge is RFC 7386.
func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isObject:
			at, _ := into[key].(map[string]any)
			if at == nil {
				at = map[string]any{}
			}
			merge(at, inner)
			into[key] = at
		default:
			into[key] = value
		}
	}
}

// at walks into an object; nil when there is nothing.
func at(o any, path ...string) any {
	for _, key := range path {
		m, _ := o.(map[string]any)
		o = m[key]
	}
	return o
}

func textAt(o any, path ...string) string { s, _ := at(o, path...).(string); return s }

// absorb takes over what a patch may change of an object, as its admission and controllers would.
func (s *Server) absorb(value any, whole map[string]any) (any, jsonObject) {
	now := s.options.Now()
	switch v := value.(type) {
	case Node:
		v.Unschedulable, _ = at(whole, "spec", "unschedulable").(bool)
		taints, _ := at(whole, "spec", "taints").([]any)
		v.Taints = nil
		for _, t := range taints {
			added, _ := time.Parse(time.RFC3339, textAt(t, "timeAdded"))
			v.Taints = append(v.Taints, Taint{Key: textAt(t, "key"), Value: textAt(t, "value"), Effect: textAt(t, "effect"), Added: added})
		}
		return v, v.render(now)
	case Workload:
		before := v
		if n, ok := at(whole, "spec", "replicas").(float64); ok {
			v.Replicas = int(n)
		}
		v.RestartedAt = textAt(whole, "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
		if v.RestartedAt != before.RestartedAt && v.Kind == "Deployment" {
			v.Hash = hashOf(v.Name, v.RestartedAt)
		}
		if v != before {
			v.Generation++
		}
		return v, v.render(now)
	case App:
		v.Refresh = textAt(whole, "metadata", "annotations", "argocd.argoproj.io/refresh")
		v.Asked = at(whole, "operation") != nil
		v.Operation.Phase = textAt(whole, "status", "operationState", "phase")
		return v, v.render(now)
	}
	return nil, nil
}

// scaleOf renders the subresource scale.
func scaleOf(e *entry) []byte {
	v, ok := e.value.(Workload)
	if !ok {
		return nil
	}
	body, err := json.Marshal(jsonObject{
		"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": jsonObject{"replicas": v.Replicas}, "status": jsonObject{"replicas": v.Status.Total},
		"metadata": jsonObject{"name": v.Name, "namespace": v.Namespace, "resourceVersion": version(e.version)},
	})
	if err != nil {
		return nil // maps of strings always render
	}
	return body
}
