package connect

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
)

// Writing holds the clients that may change something. The read-only program never makes one. Logins are made when
// they are first needed, apart from those for reading.
type Writing struct {
	clouds map[string]*OpenStack // by source name
}

// ForWriting makes the writing clients of some clouds. It does not use the network.
func ForWriting(version string, clouds ...Cloud) *Writing {
	w := &Writing{clouds: map[string]*OpenStack{}}
	for _, c := range clouds {
		base := newTransport(c.tls)
		w.clouds[c.Source()] = newOpenStack(c, version, base, &exceptLogin{
			login: c.loginURL(), plain: base, noticing: noticeLost(base),
		})
	}
	return w
}

// exceptLogin lets a lost login be an ordinary failure: it changed nothing.
type exceptLogin struct {
	login           string
	plain, noticing http.RoundTripper
}

func (t *exceptLogin) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.String() == t.login {
		return t.plain.RoundTrip(req)
	}
	return t.noticing.RoundTrip(req)
}

// Compute returns a client of Nova that may POST, for the source "openstack/NAME", at microversion 2.minor or the
// newest that is there.
func (w *Writing) Compute(ctx context.Context, source string, minor int) (*gophercloud.ServiceClient, error) {
	o, err := w.OpenStack(source)
	if err != nil {
		return nil, err
	}
	return o.Compute(ctx, minor)
}

// OpenStack returns all clients of the source "openstack/NAME" that may write.
func (w *Writing) OpenStack(source string) (*OpenStack, error) {
	if w == nil || w.clouds[source] == nil {
		return nil, fmt.Errorf("connecting to %s for writing: it is not among the clouds", source)
	}
	return w.clouds[source], nil
}

// Close drops idle connections.
func (w *Writing) Close() {
	for _, o := range w.clouds {
		o.Close()
	}
}
