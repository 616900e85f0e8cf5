package incident

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/nova"
)

// reader looks at a world from outside: over HTTP and through files.
type reader struct {
	*testing.T
	world *World
	http  *http.Client
	token string
}

// fast is a play in which 100 s take 2.5 s; steady leaves time to see what does not last.
const fast, steady = 40, 20

func start(t *testing.T, o Options) *reader {
	t.Helper()
	dir, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o.Dir = dir
	w, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{T: t, world: w, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust(t, w.Kubeconfig)}}}}
	t.Cleanup(func() {
		w.Stop()
		r.http.CloseIdleConnections()
		if err := w.Err(); err != nil {
			t.Error(err)
		}
	})
	login := `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"name":"Default"},"password":"` +
		nova.Password + `"}}},"scope":{"project":{"name":"admin","domain":{"name":"Default"}}}}}`
	answer := r.do(http.MethodPost, w.Nova.AuthURL()+"/auth/tokens", login, nil)
	r.token = answer.Header.Get("X-Subject-Token")
	return r
}

// trust returns the authority that a kubeconfig names.
func trust(t *testing.T, kubeconfig string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "certificate-authority-data: ")
	data, _, _ := strings.Cut(rest, "}")
	pem, err := base64.StdEncoding.DecodeString(data)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no authority in %s: %v", text, err)
	}
	return pool
}

func (r *reader) do(method, url, body string, into any) *http.Response {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	request.Header.Set("X-Auth-Token", r.token)
	request.Header.Set("X-OpenStack-Nova-API-Version", "2.93")
	request.Header.Set("Authorization", "Bearer demo-token")
	answer, err := r.http.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		r.Fatalf("%s %s: %s %v %s", method, url, answer.Status, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			r.Fatalf("%s %s: %v in %s", method, url, err, text)
		}
	}
	return answer
}

// until waits for a state of the world, which must come within half a minute by the wall clock.
func (r *reader) until(what string, is func() bool) {
	r.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			r.Fatalf("waited 30 s until %s", what)
		}
		select {
		case <-r.Context().Done():
			r.Fatal(r.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (r *reader) compute(path string) string {
	return strings.TrimSuffix(r.world.Nova.AuthURL(), "/identity/v3") + "/compute/v2.1" + path
}

func (r *reader) act(server, body string) {
	r.Helper()
	r.do(http.MethodPost, r.compute("/servers/"+server+"/action"), body, nil)
}

func (r *reader) status(server string) string {
	var got struct{ Server struct{ Status string } }
	r.do(http.MethodGet, r.compute("/servers/"+server), "", &got)
	return got.Server.Status
}

type action struct {
	Action  string
	User    *string `json:"user_id"`
	Project *string `json:"project_id"`
	Request string  `json:"request_id"`
	Start   string  `json:"start_time"`
}

func (r *reader) actions(server string) []action {
	var got struct{ InstanceActions []action }
	r.do(http.MethodGet, r.compute("/servers/"+server+"/os-instance-actions"), "", &got)
	return got.InstanceActions
}

// computeState is the state of the hypervisor compute, and the text of its uptime.
func (r *reader) computeState() (state, uptime string) {
	var got struct {
		Hypervisors []struct {
			Name   string `json:"hypervisor_hostname"`
			State  string
			Uptime string
		}
	}
	r.do(http.MethodGet, r.compute("/os-hypervisors/detail"), "", &got)
	for _, h := range got.Hypervisors {
		if h.Name == hostCompute {
			return h.State, h.Uptime
		}
	}
	return "", ""
}

type condition struct{ Type, Status, Reason, Message string }

type item struct {
	Metadata struct {
		Namespace, Name string
		Deleting        string `json:"deletionTimestamp"`
	}
	Spec struct {
		NodeName      string
		RenewTime     string
		Unschedulable bool
		Taints        []struct{ Key string }
	}
	Status struct {
		Phase      string
		Conditions []condition
		NodeInfo   struct{ BootID, SystemUUID string }
		Containers []struct {
			Ready   bool
			Restart int `json:"restartCount"`
		} `json:"containerStatuses"`
	}
	Reason, Type string
	About        struct{ Kind, Name string } `json:"involvedObject"`
}

func (i item) condition(kind string) condition {
	for _, c := range i.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

func (i item) ready() bool { return i.condition("Ready").Status == "True" }

func (r *reader) list(path string) []item {
	var got struct{ Items []item }
	r.do(http.MethodGet, r.world.Kube.URL()+path, "", &got)
	return got.Items
}

func (r *reader) node(name string) item {
	r.Helper()
	for _, n := range r.list("/api/v1/nodes") {
		if n.Metadata.Name == name {
			return n
		}
	}
	r.Fatalf("no node %s", name)
	return item{}
}

func (r *reader) pods(keep func(item) bool) (all []item) {
	for _, p := range r.list("/api/v1/pods") {
		if keep(p) {
			all = append(all, p)
		}
	}
	return all
}

func unplaced(p item) bool { return p.Spec.NodeName == "" }
func leaving(p item) bool  { return p.Metadata.Deleting != "" }

// whole tells that every pod runs and is ready, and none leaves.
func (r *reader) whole() bool {
	return len(r.pods(func(p item) bool {
		return p.Status.Phase != "Succeeded" && (!p.ready() || leaving(p) || p.Status.Phase != "Running")
	})) == 0
}

func (r *reader) lease(node string) time.Time {
	r.Helper()
	for _, l := range r.list("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases") {
		if l.Metadata.Name == node {
			at, err := time.Parse(time.RFC3339, l.Spec.RenewTime)
			if err != nil {
				r.Fatal(err)
			}
			return at
		}
	}
	r.Fatalf("no lease %s", node)
	return time.Time{}
}

// file reads a file of a machine.
func (r *reader) file(machine, name string) string {
	r.Helper()
	for _, m := range r.world.Machines {
		if m.Name == machine {
			text, err := os.ReadFile(filepath.Join(m.Root, name))
			if err != nil {
				r.Fatal(err)
			}
			return string(bytes.TrimSpace(text))
		}
	}
	r.Fatalf("no machine %s", machine)
	return ""
}

// celsius is the CPU's temperature of openstack-host.
func (r *reader) celsius() int {
	n, err := strconv.Atoi(r.file("openstack-host", "sys/class/hwmon/hwmon3/temp1_input"))
	if err != nil {
		r.Fatal(err)
	}
	return n / 1000
}

// memory is a line of openstack-host's /proc/meminfo in KiB.
func (r *reader) memory(name string) int {
	for line := range strings.Lines(r.file("openstack-host", "proc/meminfo")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name+":" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	r.Fatalf("no %s", name)
	return 0
}

func (r *reader) swapUsed() float64 {
	return 1 - float64(r.memory("SwapFree"))/float64(r.memory("SwapTotal"))
}
