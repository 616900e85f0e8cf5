package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// InCluster is the name of the cluster that strata itself runs in as a pod, when no kubeconfig names one.
const InCluster = "in-cluster"

// serviceAccount is where a pod finds its own credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// KubeSearch says where to look for Kubernetes clusters. Environment and home are values so that a test has its own.
type KubeSearch struct {
	Contexts []string            // --context; none means the current context
	Getenv   func(string) string // os.Getenv
	Home     string              // the home of the user
}

// KubeSearchHere looks where kubectl looks, with the environment of this process.
func KubeSearchHere(contexts ...string) KubeSearch {
	s := KubeSearch{Contexts: contexts, Getenv: os.Getenv}
	s.Home, _ = os.UserHomeDir() // without a home the other places still count
	return s
}

// Cluster is one context of the kubeconfig, or the cluster around this pod. It holds no connection.
type Cluster struct {
	Name      string // the context
	Server    string // URL of the API server
	User      string // the kubeconfig's name of the user
	Namespace string // the context's namespace, "default" when it names none
	From      string // the files it was read from

	config *rest.Config
	err    error
}

// Source is the name under which the things of this cluster are seen: "kube/" and the context's name.
func (c Cluster) Source() string { return "kube/" + c.Name }

// Command is a call of kubectl for this cluster, quoted for a shell.
func (c Cluster) Command(args ...string) string {
	argv := []string{"kubectl"}
	if c.Name != InCluster {
		argv = append(argv, "--context", c.Name)
	}
	return sh.Quote(append(argv, args...)...)
}

// KubeSubject is the option that names the user of a refusal to kubectl create clusterrolebinding. The name is the
// server's word: it may hold anything.
func KubeSubject(message string) string {
	m := regexp.MustCompile(`User "([^"]+)"`).FindStringSubmatch(message)
	if m == nil {
		return "--user=NAME"
	}
	if account, ok := strings.CutPrefix(m[1], "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account
	}
	return "--user=" + m[1]
}

// Err says why the cluster cannot be reached as it is described: a broken file, a context that is not there.
func (c Cluster) Err() error { return c.err }

// Clusters finds the clusters to watch, without any network. One whose description is broken is among them: its Err
// says why, so that it shows among the others instead of hiding them.
func Clusters(s KubeSearch) ([]Cluster, Looked) {
	var looked Looked
	all, broken := s.load(&looked)
	names := slices.Clone(s.Contexts)
	if len(names) == 0 {
		switch {
		case all.CurrentContext != "":
			names = []string{all.CurrentContext}
		case len(all.Contexts) == 1:
			names = contextNames(all)
		case len(all.Contexts) > 1:
			broken = append(broken, Cluster{Name: "kubeconfig", err: &fleet.Trouble{
				Doing: "choosing a context of the kubeconfig",
				Cause: fmt.Errorf("no current context among %s", strings.Join(contextNames(all), ", ")),
				Fix:   "start with --context NAME, or run: kubectl config use-context NAME",
			}})
		}
	}
	var found []Cluster
	for i, name := range names {
		if !slices.Contains(names[:i], name) {
			found = append(found, named(all, name))
		}
	}
	if len(found) == 0 && len(broken) == 0 {
		found = s.inside(&looked)
	}
	return append(found, broken...), looked
}

// KubeTrouble says that no cluster is configured and where one may be.
func KubeTrouble(l Looked) *fleet.Trouble {
	return &fleet.Trouble{
		Doing: "looking for Kubernetes clusters", Cause: errors.New(l.String()), Unconfigured: true,
		Fix: "put a kubeconfig into ~/.kube/config, or set KUBECONFIG, before starting",
	}
}

// load merges the kubeconfig files as kubectl does: of equal names, and of the current context, the first file's count.
func (s KubeSearch) load(looked *Looked) (*clientcmdapi.Config, []Cluster) {
	files := filepath.SplitList(s.Getenv("KUBECONFIG"))
	looked.add("KUBECONFIG", s.Getenv("KUBECONFIG"))
	if len(files) == 0 && s.Home != "" {
		files = []string{filepath.Join(s.Home, ".kube", "config")}
	}
	var whole []string
	var broken []Cluster
	for _, file := range files {
		if file == "" {
			continue
		}
		place := Place{Where: file}
		config, err := clientcmd.LoadFromFile(file)
		switch {
		case err == nil:
			place.Found = fmt.Sprintf("%d contexts", len(config.Contexts))
			whole = append(whole, file)
		case !errors.Is(err, fs.ErrNotExist):
			place.Err = &fleet.Trouble{
				Doing: "reading kubeconfig " + file, Cause: err,
				Fix: "mend it, or take it out of KUBECONFIG; " + sh.Quote("kubectl", "--kubeconfig", file, "config", "view") + " shows it",
			}
			broken = append(broken, Cluster{Name: filepath.Base(file), From: file, err: place.Err})
		}
		looked.Places = append(looked.Places, place)
	}
	rules := clientcmd.ClientConfigLoadingRules{Precedence: whole}
	all, err := rules.Load()
	if err != nil {
		// Each file was read a moment ago; what fails here is the joining of them.
		broken = append(broken, Cluster{Name: "kubeconfig", err: fmt.Errorf("merging %s: %w", strings.Join(whole, ", "), err)})
	}
	if all == nil {
		all = clientcmdapi.NewConfig()
	}
	return all, broken
}

func contextNames(all *clientcmdapi.Config) []string {
	names := make([]string, 0, len(all.Contexts))
	for name := range all.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func named(all *clientcmdapi.Config, name string) Cluster {
	c := Cluster{Name: name}
	context, ok := all.Contexts[name]
	if !ok {
		c.err = &fleet.Trouble{
			Doing: "looking for context " + name + " in the kubeconfig",
			Cause: fmt.Errorf("it has only %s", strings.Join(contextNames(all), ", ")),
			Fix:   "start with --context and one of these, or set KUBECONFIG to the file that has it",
		}
		return c
	}
	c.From, c.User, c.Namespace = context.LocationOfOrigin, context.AuthInfo, context.Namespace
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*all, name, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		c.err = &fleet.Trouble{
			Doing: "reading context " + name + " of kubeconfig " + c.From, Cause: err,
			Fix: sh.Quote("kubectl", "config", "view", "--context", name) + " shows what is there",
		}
		return c
	}
	c.Server, c.config = config.Host, config
	return c
}

// inside is the cluster this process runs in as a pod, if it does.
func (s KubeSearch) inside(looked *Looked) []Cluster {
	looked.add("KUBERNETES_SERVICE_HOST", s.Getenv("KUBERNETES_SERVICE_HOST"))
	if s.Getenv("KUBERNETES_SERVICE_HOST") == "" {
		return nil
	}
	c := Cluster{Name: InCluster, From: serviceAccount, Namespace: "default"}
	if namespace, err := os.ReadFile(filepath.Join(serviceAccount, "namespace")); err == nil {
		c.Namespace = strings.TrimSpace(string(namespace))
	}
	if c.config, c.err = rest.InClusterConfig(); c.err != nil {
		c.err = &fleet.Trouble{
			Doing: "reading the service account of this pod", Cause: c.err,
			Fix: "set automountServiceAccountToken, or give strata a kubeconfig",
		}
		return []Cluster{c}
	}
	c.Server = c.config.Host
	return []Cluster{c}
}
