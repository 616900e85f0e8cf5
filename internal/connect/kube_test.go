package connect

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"strata/internal/fleet"
)

// kubeconfig writes a kubeconfig with one context of that name and returns its path.
func kubeconfig(t *testing.T, name, server, current string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".yaml")
	text := strings.NewReplacer("NAME", name, "SERVER", server, "CURRENT", current).Replace(`apiVersion: v1
kind: Config
current-context: "CURRENT"
contexts:
- {name: NAME, context: {cluster: NAME, user: NAME, namespace: team-NAME}}
clusters:
- {name: NAME, cluster: {server: "SERVER", insecure-skip-tls-verify: true}}
users:
- {name: NAME, user: {token: token-of-NAME}}
`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func kubeEnv(files ...string) func(string) string {
	return func(name string) string {
		if name == "KUBECONFIG" {
			return strings.Join(files, string(filepath.ListSeparator))
		}
		return ""
	}
}

func clusterNames(all []Cluster) string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

func TestClustersAreFoundAsKubectlFindsThem(t *testing.T) {
	t.Parallel()
	one := kubeconfig(t, "one", "https://one:6443", "two")
	two := kubeconfig(t, "two", "https://two:6443", "one")
	quiet := kubeconfig(t, "quiet", "https://quiet:6443", "")
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		search KubeSearch
		want   string
	}{
		"the current context of the first file": {KubeSearch{Getenv: kubeEnv(one, two)}, "two"},
		"contexts asked for, once each":         {KubeSearch{Getenv: kubeEnv(one, two), Contexts: []string{"one", "two", "one"}}, "one two"},
		"a missing file is passed over":         {KubeSearch{Getenv: kubeEnv(missing, two)}, "one"},
		"the only context":                      {KubeSearch{Getenv: kubeEnv(quiet)}, "quiet"},
		"nothing":                               {KubeSearch{Getenv: kubeEnv(), Home: t.TempDir()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, looked := Clusters(c.search)
			if got := clusterNames(found); got != c.want {
				t.Errorf("found %q, want %q; looked at %v", got, c.want, looked)
			}
		})
	}
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(one, two), Contexts: []string{"one"}})
	if c := found[0]; c.Server != "https://one:6443" || c.Namespace != "team-one" || c.User != "one" || c.From != one {
		t.Errorf("context one is %+v", c)
	}
}

func TestTheKubeconfigOfTheHome(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kubeconfig(t, "mine", "https://mine", "mine"), filepath.Join(home, ".kube", "config")); err != nil {
		t.Fatal(err)
	}
	found, looked := Clusters(KubeSearch{Getenv: kubeEnv(), Home: home})
	if clusterNames(found) != "mine" || !strings.Contains(looked.String(), "1 contexts") {
		t.Errorf("found %v; looked at %v", found, looked)
	}
}

func TestABrokenKubeconfigDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("contexts: [{"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := kubeconfig(t, "good", "https://good", "good")
	found, looked := Clusters(KubeSearch{Getenv: kubeEnv(broken, good)})
	if clusterNames(found) != "good broken.yaml" {
		t.Fatalf("found %q", clusterNames(found))
	}
	if found[0].Err() != nil {
		t.Errorf("the good one: %v", found[0].Err())
	}
	err := found[1].Err()
	if err == nil || !strings.Contains(err.Error(), broken) || fleet.FixOf(err) == "" {
		t.Errorf("the broken one: %v, fix %q", err, fleet.FixOf(err))
	}
	if _, err := found[1].ForReading("strata"); err == nil {
		t.Error("a client was made of a broken file")
	}
	if !strings.Contains(looked.String(), broken) {
		t.Errorf("doctor would not tell of the broken file: %v", looked)
	}
}

func TestAnUnknownContextNamesThoseThereAre(t *testing.T) {
	t.Parallel()
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(kubeconfig(t, "one", "https://one", "one")), Contexts: []string{"onne"}})
	if len(found) != 1 || found[0].Err() == nil || !strings.Contains(found[0].Err().Error(), "only one") {
		t.Errorf("found %+v", found)
	}
}

func TestSeveralContextsAndNoneCurrent(t *testing.T) {
	t.Parallel()
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(
		kubeconfig(t, "one", "https://one", ""), kubeconfig(t, "two", "https://two", ""))})
	if len(found) != 1 || found[0].Err() == nil || !strings.Contains(fleet.FixOf(found[0].Err()), "--context") {
		t.Errorf("found %+v", found)
	}
}

func TestCommandsCanBePasted(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"kubectl --context 'my prod' get nodes":       Cluster{Name: "my prod"}.Command("get", "nodes"),
		"kubectl get nodes":                           Cluster{Name: InCluster}.Command("get", "nodes"),
		"openstack --os-cloud 'a;b' token issue":      Cloud{Name: "a;b"}.Command("token", "issue"),
		"openstack server show 'x y'":                 Cloud{Name: EnvCloud}.Command("server", "show", "x y"),
		"try: openstack --os-cloud 'a b' server list": Cloud{Name: "a b"}.Trouble("listing servers", errors.New("odd")).Fix,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "my files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "config")
	if err := os.WriteFile(broken, []byte("contexts: [{"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(broken)})
	if fix := fleet.FixOf(found[0].Err()); !strings.Contains(fix, "kubectl --kubeconfig '"+broken+"' config view") {
		t.Errorf("the fix of a broken file is %s", fix)
	}
}

func TestKubeReadingReadsAndNothingElse(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r }))
	defer server.Close()
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(kubeconfig(t, "one", server.URL+"/prefix", "one"))})
	reading, err := found[0].ForReading("strata/1.2")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	answer, err := reading.HTTP.Get(reading.Server.JoinPath("/api/v1/pods").String())
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	r := <-asked
	if r.URL.Path != "/prefix/api/v1/pods" || r.UserAgent() != "strata/1.2" || r.Header.Get("Authorization") != "Bearer token-of-one" {
		t.Errorf("the request was %s with %v", r.URL, r.Header)
	}
	_, err = reading.HTTP.Post(reading.Server.String(), "application/json", strings.NewReader("{}"))
	var refused *Refused
	if !errors.As(err, &refused) || len(asked) > 0 {
		t.Errorf("a POST was answered with %v, and %d requests came", err, len(asked))
	}
}

// withPlugin writes a kubeconfig whose user's token comes from a script. more is said of the plugin besides.
func withPlugin(t *testing.T, server, script, more string) string {
	t.Helper()
	dir := t.TempDir()
	plugin, config := filepath.Join(dir, "plugin"), filepath.Join(dir, "config")
	if err := os.WriteFile(plugin, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it must run
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(`apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "`+server+`", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: "`+plugin+`", `+more+`}}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// These swap os.Stderr and os.Stdin, which everything in this process shares: they are not parallel.

func TestACredentialPluginIsKeptOffTheTerminal(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer from-plugin" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	config := withPlugin(t, server.URL, `echo noise >&2
if read line; then exit 3; fi
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}'
`, "interactiveMode: IfAvailable")
	terminal, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Close() }()
	stderr := os.Stderr
	os.Stderr = terminal
	defer func() { os.Stderr = stderr }()

	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(config)})
	reading, err := found[0].ForReading("strata")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	if os.Stderr != terminal {
		t.Error("os.Stderr was not put back")
	}
	answer, err := reading.HTTP.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the server answered %s", answer.Status)
	}
	if said, err := os.ReadFile(terminal.Name()); err != nil || len(said) > 0 {
		t.Errorf("the plugin wrote on the terminal: %q (%v)", said, err)
	}
}

func TestClientsWithPluginsAreMadeSideBySide(t *testing.T) {
	stderr := os.Stderr
	config := withPlugin(t, "https://127.0.0.1:1", "exit 1\n", "interactiveMode: Never")
	before := openFiles(t)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			found, _ := Clusters(KubeSearch{Getenv: kubeEnv(config)})
			reading, err := found[0].ForReading("strata")
			if err != nil {
				t.Error(err)
				return
			}
			reading.Close()
		})
	}
	group.Wait()
	if os.Stderr != stderr {
		t.Error("os.Stderr was not put back")
	}
	if after := openFiles(t); after > before+4 {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestAPluginsArgumentsAreNotTold(t *testing.T) {
	master, slave, err := pty.Open() // without a terminal the plugin is refused for another reason
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	os.Stdin = slave
	defer func() {
		os.Stdin = stdin
		_ = errors.Join(slave.Close(), master.Close())
	}()
	config := withPlugin(t, "https://127.0.0.1:1", "exit 1\n", "interactiveMode: Always, args: [--token, s3cret]")
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(config)})
	reading, err := found[0].ForReading("strata")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	_, err = reading.HTTP.Get(reading.Server.String()) //nolint:bodyclose // there is none
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "kubectl --context c get nodes") {
		t.Errorf("the request ended with %v", err)
	}
}

func TestAHungCredentialPluginDoesNotHoldARequest(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	found, _ := Clusters(KubeSearch{Getenv: kubeEnv(withPlugin(t, "https://127.0.0.1:1", "read line < "+pipe+"\n", "interactiveMode: IfAvailable"))})
	reading, err := found[0].ForReading("strata")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, reading.Server.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reading.HTTP.Do(request); !errors.Is(err, context.DeadlineExceeded) { //nolint:bodyclose // there is none
		t.Errorf("the request ended with %v", err)
	}
	// Opening the pipe waits for the plugin to read it, and closing it lets the plugin end.
	end, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = end.Close()
}
