package checks

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// answer is how one dial went. wrong is "" when all came as it should.
type answer struct {
	took    time.Duration
	server  string
	wrong   string // a word of fleet.Check.Wrong
	says    string
	blocked bool // the server is tired of this machine
}

// What is read of an answer at most, in bytes.
const (
	mostHead = 64 << 10
	mostText = 64 << 10
)

// ask dials an endpoint once.
func ask(ctx context.Context, e fleet.Endpoint) answer {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	began := time.Now()
	var a answer
	if e.Type == fleet.EndpointHTTP {
		a = askHTTP(ctx, e)
	} else {
		a = askTCP(ctx, e)
	}
	a.took = time.Since(began)
	return a
}

func askTCP(ctx context.Context, e fleet.Endpoint) answer {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", e.Address)
	if err != nil {
		return failure(e, "connection", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // what is read or written then is too late
	switch {
	case e.Type == fleet.EndpointMySQL:
		g, err := readGreeting(conn)
		switch {
		case err != nil:
			return failure(e, "greeting", err)
		case g.code != 0:
			return answer{wrong: "mysql", says: fmt.Sprintf("MySQL error %d: %s", g.code, g.says), blocked: g.code == errHostBlocked}
		}
		return answer{server: "MySQL " + g.version}
	case e.TLS != "":
		secure := tls.Client(conn, &tls.Config{ServerName: e.TLS, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return failure(e, "TLS handshake", err)
		}
	}
	return answer{}
}

// askHTTP gets a page: no redirect is followed, nothing is kept, and what would write cannot get out.
func askHTTP(ctx context.Context, e fleet.Endpoint) answer {
	var phase atomic.Value
	phase.Store("connection")
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { phase.Store("TLS handshake") },
		GotConn:           func(httptrace.GotConnInfo) { phase.Store("answer") },
	})
	failed := func(err error) answer {
		at, _ := phase.Load().(string)
		return failure(e, at, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Address, nil)
	if err != nil {
		return failed(err)
	}
	req.Header.Set("User-Agent", "strata")
	if e.TLS != "" {
		req.Host = e.TLS
	}
	transport := &http.Transport{
		DialContext: new(net.Dialer).DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: mostHead, DisableCompression: true,
		TLSClientConfig: &tls.Config{ServerName: e.TLS, MinVersion: tls.VersionTLS12},
	}
	resp, err := connect.ReadOnly(transport).RoundTrip(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	a := answer{server: "HTTP " + resp.Status}
	if want := e.Status; want != 0 && resp.StatusCode != want || want == 0 && resp.StatusCode >= http.StatusBadRequest {
		a.wrong, a.says = "status", "status "+resp.Status
		if want != 0 {
			a.says += fmt.Sprintf(", not %d", want)
		}
		return a
	}
	if e.Text == "" {
		return a
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostText))
	switch {
	case bytes.Contains(body, []byte(e.Text)):
	case err != nil:
		return failed(err)
	default:
		a.wrong, a.says = "text", fmt.Sprintf("%q is not in the answer, which begins %q", e.Text, start(body))
	}
	return a
}

// start is the beginning of what came, for people.
func start(b []byte) string {
	const enough = 40
	return strings.ToValidUTF8(string(b[:min(len(b), enough)]), "?")
}
