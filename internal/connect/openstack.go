package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
)

// Cloud is the description of one OpenStack cloud: where it is and who logs in. Clouds makes it.
type Cloud struct {
	Name string
	From string // "/root/.config/openstack/clouds.yaml:4"

	auth     gophercloud.AuthOptions
	endpoint gophercloud.EndpointOpts
	tls      *tls.Config
	err      error
}

// Source is the name under which the things of this cloud are seen: "openstack/" and the cloud's name.
func (c Cloud) Source() string { return "openstack/" + c.Name }

// Err says why the description cannot be used; nil when it can.
func (c Cloud) Err() error { return c.err }

// AuthURL is the address of Keystone's version 3.
func (c Cloud) AuthURL() string { return c.auth.IdentityEndpoint }

// ForReading makes the clients of a cloud for looking: nothing but GET, HEAD and the login gets out. It does not use
// the network. version goes into the User-Agent.
func (c Cloud) ForReading(version string) *OpenStack {
	base := newTransport(c.tls)
	return newOpenStack(c, version, base, ReadOnly(base, c.loginURL()))
}

func (c Cloud) loginURL() string { return c.auth.IdentityEndpoint + "auth/tokens" }

// Limits of one conversation. A poll has its own deadline above them; these end a connection that hangs.
const (
	dialTimeout   = 5 * time.Second
	headerTimeout = 20 * time.Second
	loginTimeout  = 15 * time.Second
	// loginRest is how long a refused login is not tried again: Keystone may lock an account that fails often.
	loginRest = time.Minute
)

func newTransport(config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   8,
		ForceAttemptHTTP2:     true,
		// Without pings a dead HTTP/2 connection would be used again by every poll.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
}

// OpenStack holds the clients of one cloud behind one login, which is made when it is first needed and renewed when
// the token expires. It is safe for concurrent use.
type OpenStack struct {
	Cloud Cloud

	agent string
	base  *http.Transport
	http  http.Client
	turn  chan struct{} // holds one token: whoever has it may log in or negotiate

	mu       sync.Mutex
	provider *gophercloud.ProviderClient // nil before the first login
	newest   int                         // newest compute microversion 2.n there, 0 when not asked yet
	refused  error                       // the login was refused
	until    time.Time                   // and is not tried again before
}

func newOpenStack(c Cloud, version string, base *http.Transport, guard http.RoundTripper) *OpenStack {
	o := &OpenStack{Cloud: c, agent: "strata/" + version, base: base, turn: make(chan struct{}, 1)}
	o.http = http.Client{Transport: guard, CheckRedirect: sameHost}
	return o
}

// sameHost refuses redirects to other hosts: net/http would send the token along.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("redirected to another host: %s", req.URL.Host)
	}
	if len(via) >= 5 {
		return errors.New("redirected too often")
	}
	return nil
}

// Close drops idle connections. The value can still be used.
func (o *OpenStack) Close() { o.base.CloseIdleConnections() }

// LoginError is a login that failed, as opposed to a request that did.
type LoginError struct{ Err error }

func (e *LoginError) Error() string { return "logging in: " + e.Err.Error() }

func (e *LoginError) Unwrap() error { return e.Err }

// Provider returns the logged-in client of the cloud. Only one login runs at a time, with its own deadline.
func (o *OpenStack) Provider(ctx context.Context) (*gophercloud.ProviderClient, error) {
	if o.Cloud.err != nil {
		return nil, o.Cloud.err
	}
	o.mu.Lock()
	provider := o.provider
	o.mu.Unlock()
	if provider != nil {
		return provider, nil
	}
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return nil, &LoginError{ctx.Err()}
	}
	if o.provider != nil {
		return o.provider, nil // somebody else logged in while this one waited
	}
	provider, err := openstack.NewClient(o.Cloud.auth.IdentityEndpoint)
	if err != nil {
		return nil, &LoginError{err}
	}
	provider.HTTPClient = o.http
	provider.UserAgent.Prepend(o.agent)
	// Whoever polls honours Retry-After itself: it knows its deadline and can show the wait.
	provider.MaxBackoffRetries, provider.RetryBackoffFunc = 1, nil
	err = o.tryLogin(ctx, func(ctx context.Context) error {
		return openstack.Authenticate(ctx, provider, o.Cloud.auth)
	})
	if err != nil {
		return nil, err
	}
	if again := provider.ReauthFunc; again != nil {
		provider.ReauthFunc = func(ctx context.Context) error { return o.tryLogin(ctx, again) }
	}
	o.mu.Lock()
	o.provider = provider
	o.mu.Unlock()
	return provider, nil
}

// tryLogin runs a login with a deadline, unless one was refused a moment ago.
func (o *OpenStack) tryLogin(ctx context.Context, login func(context.Context) error) error {
	o.mu.Lock()
	refused, until := o.refused, o.until
	o.mu.Unlock()
	if refused != nil && time.Now().Before(until) {
		return refused
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	err := login(ctx)
	if err == nil {
		return nil
	}
	failed := &LoginError{bare(err)}
	if a, ok := AnswerOf(err); ok && (a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden) {
		o.mu.Lock()
		o.refused, o.until = failed, time.Now().Add(loginRest)
		o.mu.Unlock()
	}
	return failed
}
