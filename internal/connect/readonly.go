// Package connect is the only place that makes API clients. Clients made for reading carry a transport that lets no
// writing request out, whatever the code above it does; writing ones come out of ForWriting alone.
package connect

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Refused is the error of a request that a read-only client did not let out. No byte of it was sent.
type Refused struct {
	Method, URL string
	Why         string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("read-only: %s %s was not sent: %s", r.Method, r.URL, r.Why)
}

// ReadOnly lets through GET and HEAD without an upgrade, a body or a method override, and nothing else. A websocket
// GET can run a command in a pod, so an upgrade is no reading.
//
// logins are the exact URLs to which a POST is let through because it is a login: Keystone has no other way to give
// out a token. Any other host, path, query or method of a login URL is refused.
func ReadOnly(next http.RoundTripper, logins ...string) http.RoundTripper {
	return &readOnly{next: next, logins: slices.Clone(logins)}
}

type readOnly struct {
	next   http.RoundTripper
	logins []string
}

func (t *readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if why := t.objection(req); why != "" {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper closes the body even when it sends nothing
		}
		return nil, &Refused{Method: req.Method, URL: req.URL.Redacted(), Why: why}
	}
	return t.next.RoundTrip(req)
}

func (t *readOnly) objection(req *http.Request) string {
	for name, values := range req.Header {
		switch strings.ToLower(name) {
		case "upgrade", "http2-settings":
			return "it asks to upgrade the connection"
		case "connection":
			if strings.Contains(strings.ToLower(strings.Join(values, ",")), "upgrade") {
				return "it asks to upgrade the connection"
			}
		case "x-http-method-override", "x-http-method", "x-method-override":
			return "it hides another method in " + name
		}
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead:
		if req.Body != nil && req.Body != http.NoBody {
			return "reading requests have no body"
		}
		return ""
	case http.MethodPost:
		if slices.Contains(t.logins, req.URL.String()) && (req.Host == "" || req.Host == req.URL.Host) {
			return ""
		}
		return "only GET and HEAD may pass, and the login at its own address"
	}
	return "only GET and HEAD may pass"
}
