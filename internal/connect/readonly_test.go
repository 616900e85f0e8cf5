package connect

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// sent counts what a transport would have put on the wire.
type sent struct{ n int }

func (s *sent) RoundTrip(*http.Request) (*http.Response, error) {
	s.n++
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

const login = "https://keystone:5000/v3/auth/tokens"

func TestReadOnlyPassesReading(t *testing.T) {
	t.Parallel()
	for _, req := range []*http.Request{
		request(t, "GET", "https://nova/v2.1/servers/detail?all_tenants=1"),
		request(t, "HEAD", "https://nova/v2.1/servers"),
		request(t, "", "https://nova/v2.1/servers"),
		request(t, "GET", login),
		request(t, "POST", login),
		request(t, "GET", "https://api/api/v1/pods?watch=1", "Connection", "keep-alive"),
	} {
		wire := &sent{}
		if _, err := ReadOnly(wire, login).RoundTrip(req); err != nil || wire.n != 1 {
			t.Errorf("%s %s: err %v, sent %d, want it sent", req.Method, req.URL, err, wire.n)
		}
	}
}

func TestReadOnlyRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	post := request(t, "POST", login)
	post.Host = "nova:8774"
	odd := request(t, "GET", "https://nova/v2.1/servers/1/action")
	odd.Header = http.Header{"x-http-method-override": {"POST"}} // a key that Header.Get does not find
	for name, req := range map[string]*http.Request{
		"post":                  request(t, "POST", "https://nova/v2.1/servers/1/action"),
		"put":                   request(t, "PUT", "https://nova/v2.1/os-services/1"),
		"patch":                 request(t, "PATCH", "https://api/api/v1/nodes/a"),
		"delete":                request(t, "DELETE", "https://nova/v2.1/servers/1"),
		"options":               request(t, "OPTIONS", "https://nova/v2.1/servers/1"),
		"connect":               request(t, "CONNECT", "https://nova/"),
		"lower case get":        request(t, "get", "https://nova/v2.1/servers"),
		"mixed case post":       request(t, "Post", login),
		"lower case post":       request(t, "post", login),
		"delete of the token":   request(t, "DELETE", login),
		"login, trailing slash": request(t, "POST", login+"/"),
		"login, extension":      request(t, "POST", "https://keystone:5000/v3/auth/tokens/OS-PKI/revoked"),
		"login, query":          request(t, "POST", login+"?x=1"),
		"login, dots":           request(t, "POST", "https://keystone:5000/v3/auth/tokens/../../users"),
		"login, encoded":        request(t, "POST", "https://keystone:5000/v3/auth%2Ftokens"),
		"login, other host":     request(t, "POST", "https://elsewhere:5000/v3/auth/tokens"),
		"login, other scheme":   request(t, "POST", "http://keystone:5000/v3/auth/tokens"),
		"login, other prefix":   request(t, "POST", "https://keystone:5000/x/v3/auth/tokens"),
		"login, other Host":     post,
		"websocket":             request(t, "GET", "https://api/exec", "Connection", "Upgrade", "Upgrade", "websocket"),
		"spdy":                  request(t, "GET", "https://api/exec", "Upgrade", "SPDY/3.1"),
		"connection: upgrade":   request(t, "GET", "https://api/exec", "Connection", "keep-alive, UPGRADE"),
		"h2c":                   request(t, "GET", "https://api/exec", "HTTP2-Settings", "AAMAAABk"),
		"override":              request(t, "GET", "https://nova/x", "X-HTTP-Method-Override", "DELETE"),
		"override, other":       request(t, "GET", "https://nova/x", "X-Method-Override", "DELETE"),
		"override, raw key":     odd,
	} {
		wire := &sent{}
		body := &closing{Reader: strings.NewReader("{}")}
		req.Body = body
		_, err := ReadOnly(wire, login).RoundTrip(req)
		var refused *Refused
		if !errors.As(err, &refused) || wire.n != 0 {
			t.Errorf("%s: err %v, sent %d, want Refused and nothing sent", name, err, wire.n)
		}
		if !body.closed {
			t.Errorf("%s: the body was left open", name)
		}
	}
}

func TestReadOnlyRefusesABodyOnGet(t *testing.T) {
	t.Parallel()
	wire := &sent{}
	req := request(t, "GET", "https://nova/v2.1/servers")
	req.Body = io.NopCloser(strings.NewReader("{}"))
	if _, err := ReadOnly(wire).RoundTrip(req); err == nil || wire.n != 0 {
		t.Errorf("err %v, sent %d", err, wire.n)
	}
}

func TestReadOnlyWithoutLoginsRefusesEveryLogin(t *testing.T) {
	t.Parallel()
	wire := &sent{}
	if _, err := ReadOnly(wire).RoundTrip(request(t, "POST", login)); err == nil || wire.n != 0 {
		t.Errorf("err %v, sent %d", err, wire.n)
	}
}

func TestRefusedDoesNotShowAPassword(t *testing.T) {
	t.Parallel()
	_, err := ReadOnly(&sent{}).RoundTrip(request(t, "POST", "https://user:secret@nova/v2.1/servers"))
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func request(t *testing.T, method, url string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Method = method
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}
