package connect

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	_ "k8s.io/client-go/plugin/pkg/client/auth/oidc" // kubeconfigs with auth-provider: oidc
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
	"k8s.io/klog/v2"

	"strata/internal/fleet"
)

// Rates at which one cluster's clients ask at most. client-go's own (5 and 10) would make a start wait for itself.
const (
	kubeRate  = 50
	kubeBurst = 100
)

// How long a connection to an API server may take, and when a silent one counts as dead. HTTP/2 connections are pinged
// besides, by client-go's defaults: after 30 s of silence, and given up 15 s later.
const (
	kubeDial      = 10 * time.Second
	kubeIdle      = 15 * time.Second
	kubeProbe     = 10 * time.Second
	kubeProbeLost = 3
)

// KubeReading reads from one API server. Its transport refuses whatever is not reading.
type KubeReading struct {
	HTTP   *http.Client
	Server *url.URL // with the path prefix of a proxy, if there is one

	connections *connrotation.Dialer
}

// Close ends all connections, whatever still goes on over them.
func (k *KubeReading) Close() { k.connections.CloseAll() }

// KubeWriting may write to one API server. A request whose answer never came fails with a Lost.
type KubeWriting struct {
	HTTP   *http.Client
	Server *url.URL // with the path prefix of a proxy, if there is one

	connections *connrotation.Dialer
}

// ForReading makes a client of the cluster that can only read. Nothing is sent yet. agent is the User-Agent,
// "strata/VERSION". There is no overall timeout, as a watch lasts; callers bound what they ask.
func (c Cluster) ForReading(agent string) (*KubeReading, error) {
	client, server, connections, err := c.client(agent, func(under http.RoundTripper) http.RoundTripper { return ReadOnly(under) })
	if err != nil {
		return nil, err
	}
	return &KubeReading{client, server, connections}, nil
}

func (c Cluster) forWriting(agent string) (*KubeWriting, error) {
	client, server, connections, err := c.client(agent, noticeLost)
	if err != nil {
		return nil, err
	}
	return &KubeWriting{client, server, connections}, nil
}

func (c Cluster) client(agent string, guard func(http.RoundTripper) http.RoundTripper) (*http.Client, *url.URL, *connrotation.Dialer, error) {
	if c.err != nil {
		return nil, nil, nil, c.err
	}
	config := rest.CopyConfig(c.config)
	config.UserAgent = agent
	config.QPS, config.Burst = kubeRate, kubeBurst
	config.Timeout = 0
	dialer := net.Dialer{Timeout: kubeDial, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: kubeIdle, Interval: kubeProbe, Count: kubeProbeLost,
	}}
	connections := connrotation.NewDialer(dialer.DialContext)
	config.Dial = connections.DialContext
	config.Wrap(guard)
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, nil, nil, c.trouble(err)
	}
	client, err := quietly(config, c.Command("get", "nodes"), func() (*http.Client, error) { return rest.HTTPClientFor(config) })
	if err != nil {
		return nil, nil, nil, c.trouble(err)
	}
	return client, server, connections, nil
}

func (c Cluster) trouble(err error) error {
	return &fleet.Trouble{
		Doing: fmt.Sprintf("making a client for cluster %s", c.Name), Cause: err,
		Fix: c.Command("get", "nodes") + " shows the same",
	}
}

// building serialises the clients that are made with os.Stderr swapped.
var building sync.Mutex

// nowhere is where credential plugins write. It stays open, as their clients may run them at any time.
var nowhere = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) })

// quietly makes a client whose credential plugin, if it has one, can neither read the terminal nor write on it. login is
// the command that lets a person answer the plugin. The plugin's own arguments are not told: they may hold secrets.
func quietly(config *rest.Config, login string, client func() (*http.Client, error)) (*http.Client, error) {
	if config.ExecProvider == nil {
		return client()
	}
	plugin := *config.ExecProvider
	plugin.StdinUnavailable = true
	plugin.StdinUnavailableMessage = "the terminal belongs to strata; log in in a shell first: " + login
	config.ExecProvider = &plugin

	null, err := nowhere()
	if err != nil {
		return nil, err
	}
	made, err := withStderr(null, client)
	if err != nil {
		return nil, err
	}
	made.Transport = impatient{made.Transport}
	return made, nil
}

// withStderr makes a client while os.Stderr is another file. client-go gives a plugin the os.Stderr of the moment in
// which the client is made, and takes no other.
func withStderr(file *os.File, client func() (*http.Client, error)) (*http.Client, error) {
	building.Lock()
	defer building.Unlock()
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	return client()
}

// impatient answers when the request's context ends, even if a credential plugin hangs: client-go runs it inside of the
// request and without a deadline.
type impatient struct{ next http.RoundTripper }

func (i impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	type outcome struct {
		answer *http.Response
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := i.next.RoundTrip(r)
		done <- outcome{answer, err}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-r.Context().Done():
		go func() {
			if o := <-done; o.err == nil {
				_ = o.answer.Body.Close() // nobody waits for it any more
			}
		}()
		return nil, r.Context().Err()
	}
}

// QuietKlog sends what client-go logs by itself to a handler instead of standard error, where it would tear the
// screen. It sets process-wide state: call it once, before any client is made.
func QuietKlog(to slog.Handler) { klog.SetSlogLogger(slog.New(to)) }
