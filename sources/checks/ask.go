package checks

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

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
	a := askOnce(ctx, e)
	a.took, a.says, a.server = time.Since(began), text([]byte(a.says)), text([]byte(a.server))
	return a
}

func askOnce(ctx context.Context, e fleet.Endpoint) answer {
	address, secure, name := e.Address, e.TLS != "", e.TLS
	var page *url.URL
	if e.Type == fleet.EndpointHTTP {
		var err error
		if page, err = url.Parse(e.Address); err != nil {
			return failure(e, "connection", err)
		}
		port := "80"
		if secure = page.Scheme == "https"; secure {
			port = "443"
		}
		address, name = net.JoinHostPort(page.Hostname(), cmp.Or(page.Port(), port)), cmp.Or(e.TLS, page.Hostname())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return failure(e, "connection", err)
	}
	defer conn.Close()                                                               //nolint:errcheck // nothing is kept
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // what is read or written then is too late
	if secure {
		trusted, err := trust(e.CA)
		if err != nil {
			return answer{wrong: "tls", says: err.Error()}
		}
		over := tls.Client(conn, &tls.Config{
			ServerName: name, MinVersion: tls.VersionTLS12, RootCAs: trusted, InsecureSkipVerify: e.Insecure, //nolint:gosec // as configured
		})
		if err := over.HandshakeContext(ctx); err != nil {
			return failure(e, "TLS handshake", err)
		}
		conn = over
	}
	switch e.Type {
	case fleet.EndpointMySQL:
		return askMySQL(conn, e)
	case fleet.EndpointHTTP:
		return askHTTP(ctx, conn, page, e)
	}
	return answer{}
}

// trust is who may sign a certificate: whom this machine trusts, and those of a file. Nil is the former alone.
func trust(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	more, err := os.ReadFile(file) // at each dial: certificates are renewed
	if err != nil {
		return nil, fmt.Errorf("reading who may have signed its certificate: %w", err)
	}
	all, err := x509.SystemCertPool()
	if err != nil {
		all = x509.NewCertPool()
	}
	if !all.AppendCertsFromPEM(more) {
		return nil, fmt.Errorf("reading who may have signed its certificate: %s holds no certificate", file)
	}
	return all, nil
}

// askMySQL waits for the greeting, and leaves.
func askMySQL(conn net.Conn, e fleet.Endpoint) answer {
	g, err := readGreeting(conn)
	switch {
	case err != nil:
		return failure(e, "greeting", err)
	case g.code != 0:
		return answer{wrong: "mysql", says: fmt.Sprintf("MySQL error %d: %s", g.code, g.says), blocked: g.code == errHostBlocked}
	}
	return answer{server: "MySQL " + g.version}
}

// askHTTP gets one page. It is done by hand as a client of net/http keeps connections, and a log of servers that speak
// before they are asked. No redirect is followed.
func askHTTP(ctx context.Context, conn net.Conn, page *url.URL, e fleet.Endpoint) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page.String(), nil)
	if err != nil {
		return failure(e, "answer", err)
	}
	req.Close = true
	req.Header.Set("User-Agent", "strata")
	req.Host = cmp.Or(e.TLS, page.Host)
	if err := req.Write(conn); err != nil {
		return failure(e, "answer", err)
	}
	most := &io.LimitedReader{R: conn, N: mostHead}
	resp, err := http.ReadResponse(bufio.NewReader(most), req)
	var network net.Error
	switch {
	case err == nil:
	case most.N == 0:
		return answer{wrong: "protocol", says: "it does not speak HTTP: its header has no end"}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failure(e, "answer", err)
	default:
		return answer{wrong: "protocol", says: "it does not speak HTTP: " + err.Error()}
	}
	defer resp.Body.Close()
	most.N += 2 * mostText // with what chunks take
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
		return failure(e, "answer", err)
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
