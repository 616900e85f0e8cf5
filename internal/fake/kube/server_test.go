package kube

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *Server, method, path, bearer string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.URL()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // its own certificate
	t.Cleanup(transport.CloseIdleConnections)
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

type podList struct {
	Metadata struct{ ResourceVersion, Continue string }
	Items    []struct {
		Metadata struct{ Name, Namespace, ResourceVersion string }
	}
}

func decode[T any](t *testing.T, r *http.Response) (v T) {
	t.Helper()
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestListsArePagedFilteredAndExpire(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	for n := range 5 {
		s.AddPod(Pod{Namespace: fmt.Sprint("ns-", n%2), Name: fmt.Sprint("pod-", n), Node: "a"})
	}
	s.AddPod(Pod{Namespace: "ns-0", Name: "other", Node: "b"})
	var names []string
	path := "/api/v1/pods?limit=2&fieldSelector=spec.nodeName%3Da"
	next := path
	for pages := 0; ; pages++ {
		page := decode[podList](t, ask(t, s, "GET", next, token))
		for _, i := range page.Items {
			names = append(names, i.Metadata.Namespace+"/"+i.Metadata.Name)
		}
		if page.Metadata.Continue == "" {
			break
		}
		if pages > 5 {
			t.Fatal("pages without end")
		}
		next = path + "&continue=" + page.Metadata.Continue
	}
	if got := strings.Join(names, " "); got != "ns-0/pod-0 ns-0/pod-2 ns-0/pod-4 ns-1/pod-1 ns-1/pod-3" {
		t.Errorf("the pages had %s", got)
	}
	if page := decode[podList](t, ask(t, s, "GET", "/api/v1/namespaces/ns-1/pods", token)); len(page.Items) != 2 {
		t.Errorf("namespace ns-1 has %d pods", len(page.Items))
	}
	s.Expire()
	if got := ask(t, s, "GET", next, token).StatusCode; got != http.StatusGone {
		t.Errorf("an expired page is answered %d", got)
	}
}

type watched struct {
	Type   string
	Object struct {
		Code     int
		Metadata struct {
			Name, ResourceVersion string
			Annotations           map[string]string
		}
	}
}

func TestAWatchTellsWhatHappensSinceAVersion(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	s.AddNode(Node{Name: "one"})
	answer := ask(t, s, "GET", "/api/v1/nodes?watch=true&sendInitialEvents=true&allowWatchBookmarks=true", token)
	lines := bufio.NewScanner(answer.Body)
	next := func() (w watched) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := next(); w.Type != "ADDED" || w.Object.Metadata.Name != "one" {
		t.Errorf("first came %+v", w)
	}
	end := next()
	if end.Type != "BOOKMARK" || end.Object.Metadata.Annotations["k8s.io/initial-events-end"] != "true" {
		t.Errorf("the initial events end with %+v", end)
	}
	s.SetNodeReady("one", "False", "KubeletNotReady", "")
	changed := next()
	s.Delete("nodes", "", "one")
	gone := next()
	if changed.Type != "MODIFIED" || gone.Type != "DELETED" || gone.Object.Metadata.ResourceVersion == changed.Object.Metadata.ResourceVersion {
		t.Errorf("then came %+v and %+v", changed, gone)
	}
	s.Expire()
	again := ask(t, s, "GET", "/api/v1/nodes?watch=true&resourceVersion="+end.Object.Metadata.ResourceVersion, token)
	lines = bufio.NewScanner(again.Body)
	if w := next(); w.Type != "ERROR" || w.Object.Code != http.StatusGone {
		t.Errorf("an expired version is answered with %+v", w)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{})
	s.AddPod(Pod{Namespace: "a", Name: "x"})
	s.DenyWide("pods")
	s.Deny("nodes")
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/api/v1/pods", "wrong", 401},
		{"GET", "/api/v1/pods", token, 403},
		{"GET", "/api/v1/namespaces/a/pods", token, 200},
		{"GET", "/api/v1/namespaces/a/pods/x", token, 200},
		{"GET", "/api/v1/namespaces/a/pods/y", token, 404},
		{"GET", "/api/v1/nodes", token, 403},
		{"GET", "/api/v1/secrets", token, 404},
		{"PUT", "/api/v1/namespaces/a/pods/x", token, 405},
		{"GET", "/apis", token, 200},
		{"GET", "/api/v1", token, 200},
		{"GET", "/version", token, 200},
	} {
		if got := ask(t, s, c.method, c.path, c.token).StatusCode; got != c.want {
			t.Errorf("%s %s is answered %d, want %d", c.method, c.path, got, c.want)
		}
	}
	if n := len(s.Requests()); n != 11 {
		t.Errorf("%d requests are on record, want 11", n)
	}
}

// send sends a writing request and returns the status and the answer.
func send(t *testing.T, s *Server, method, path, body string) (int, string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", map[string]string{"PATCH": "application/merge-patch+json"}[method])
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(said)
}

func TestWritesChangeObjects(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.AddNode(Node{Name: "w1"})
	s.AddWorkload(Workload{Kind: "Deployment", Namespace: "shop", Name: "web", Replicas: 2})
	s.AddPod(Pod{Namespace: "shop", Name: "web-1", Node: "w1", Owner: "ReplicaSet/web-58589d7bdc"})
	s.AddPod(Pod{Namespace: "shop", Name: "web-2", Node: "w1", Owner: "ReplicaSet/web-58589d7bdc"})
	s.AddBudget(Budget{Namespace: "shop", Name: "pdb", Workload: "web", MinAvailable: 2})
	const pods, web = "/api/v1/namespaces/shop/pods/", "/apis/apps/v1/namespaces/shop/deployments/web"
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"PATCH", "/api/v1/nodes/w1", `{"spec":{"unschedulable":true,"taints":[{"key":"a","effect":"NoSchedule"}]}}`, 200, `"manager"`},
		{"PATCH", "/api/v1/nodes/w1", `{"metadata":{"resourceVersion":"1"},"spec":{"unschedulable":null}}`, 409, "the object has been modified"},
		{"PATCH", "/api/v1/nodes/w9", `{}`, 404, "not found"},
		{"PATCH", web + "/scale", `{"spec":{"replicas":5}}`, 200, `"replicas":5`},
		{"POST", pods + "web-1/eviction", `{}`, 429, "The disruption budget pdb needs 2 healthy pods and has 2 currently"},
		{"DELETE", pods + "web-2", `{"preconditions":{"uid":"other"}}`, 409, "Precondition failed"},
		{"DELETE", pods + "web-2", `{"gracePeriodSeconds":7}`, 200, "Success"},
		{"DELETE", pods + "web-1", `{"gracePeriodSeconds":0}`, 200, "Success"},
		{"PATCH", "/api/v1/nodes/w1", `nonsense`, 400, "body"},
	} {
		if code, said := send(t, s, c.method, c.path, c.body); code != c.want || !strings.Contains(said, c.says) {
			t.Errorf("%s %s %s is answered %d, want %d with %q: %s", c.method, c.path, c.body, code, c.want, c.says, said)
		}
	}
	if n := s.Nodes()[0]; !n.Unschedulable || len(n.Taints) != 1 {
		t.Errorf("the node is %+v", n)
	}
	if w := s.Workloads()[0]; w.Replicas != 5 || w.Generation != 2 {
		t.Errorf("the workload is %+v", w)
	}
	if left := s.Pods(); len(left) != 1 || left[0].Deleting.IsZero() {
		t.Errorf("pods %+v", left)
	}
}
