package checks

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// hello is the packet that a server greets with.
func hello(version string) []byte {
	p := append([]byte{10}, version...)
	p = append(p, 0, 9, 0, 0, 0)
	p = append(p, "abcdefgh\x00\xff\xf7\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00caching_sha2_password\x00"...)
	return packet(p)
}

func packet(p []byte) []byte { return append([]byte{byte(len(p)), byte(len(p) >> 8), 0, 0}, p...) }

// refusal is an ERR packet, as a server sends it in place of a greeting.
func refusal(code int, says string) []byte {
	return packet(append([]byte{0xff, byte(code), byte(code >> 8)}, says...))
}

// hang keeps a connection open until the other side gives up.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// hears waits for a question before it answers.
func hears(c net.Conn, answer string) {
	_, _ = c.Read(make([]byte, 4<<10))
	_, _ = io.WriteString(c, answer)
}

func says(b []byte) func(net.Conn) { return func(c net.Conn) { _, _ = c.Write(b) } }

func TestWhatAServerDoesIsSaidInWords(t *testing.T) {
	const quick = 300 * time.Millisecond
	mysql, plain, web := fleet.EndpointMySQL, fleet.EndpointTCP, fleet.EndpointHTTP
	for name, c := range map[string]struct {
		kind          string
		play          func(net.Conn) // nil: nobody listens
		tls           string
		timeout       time.Duration
		wrong, server string
		says          string
	}{
		"nobody":               {kind: plain, wrong: "refused", says: "connection refused"},
		"somebody":             {kind: plain, play: func(net.Conn) {}},
		"mysql":                {kind: mysql, play: says(hello("8.0.39-0ubuntu0.24.04.1")), server: "MySQL 8.0.39-0ubuntu0.24.04.1"},
		"mariadb":              {kind: mysql, play: says(hello("5.5.5-10.11.6-MariaDB")), server: "MySQL 10.11.6-MariaDB"},
		"too many connections": {kind: mysql, play: says(refusal(1040, "Too many connections")), wrong: "mysql", says: "1040: Too many connections"},
		"with an SQL state":    {kind: mysql, play: says(refusal(1040, "#08004Too many connections")), wrong: "mysql", says: "1040: Too many connections"},
		"blocked":              {kind: mysql, play: says(refusal(1129, "Host 'a' is blocked because of many connection errors")), wrong: "mysql", says: "1129: Host 'a' is blocked"},
		"no greeting":          {kind: mysql, play: hang, timeout: quick, wrong: "timeout", says: "no greeting within 300ms"},
		"half a greeting":      {kind: mysql, play: says(hello("8.0.39")[:20]), wrong: "cut", says: "before the greeting was there"},
		"half, then silence":   {kind: mysql, play: func(c net.Conn) { says(hello("8.0.39")[:20])(c); hang(c) }, timeout: quick, wrong: "timeout", says: "no greeting"},
		"ssh in its place":     {kind: mysql, play: says([]byte("SSH-2.0-OpenSSH_9.6\r\n")), wrong: "protocol", says: "SSH-2.0-OpenSSH"},
		"garbage":              {kind: mysql, play: says(bytes.Repeat([]byte{0xfe}, 100)), wrong: "protocol", says: "it does not speak MySQL"},
		"10 MB":                {kind: mysql, play: says(append([]byte{0xff, 0xff, 0xff, 0}, make([]byte, 10<<20)...)), wrong: "protocol", says: "it does not speak MySQL"},
		"no TLS":               {kind: plain, tls: "shop.example", play: says([]byte("220 smtp ready\r\n")), wrong: "tls", says: "does not speak TLS"},
		"slow TLS":             {kind: plain, tls: "shop.example", play: hang, timeout: quick, wrong: "timeout", says: "no TLS handshake within 300ms"},
		"no page":              {kind: web, play: hang, timeout: quick, wrong: "timeout", says: "no answer within 300ms"},
		"cut off":              {kind: web, play: func(net.Conn) {}, wrong: "cut", says: "before the answer was there"},
		"no HTTP":              {kind: web, play: says([]byte("SSH-2.0-OpenSSH_9.6\r\n")), wrong: "protocol", says: "does not speak HTTP: malformed HTTP response \"SSH-2.0"},
		"a long status":        {kind: web, play: func(c net.Conn) { hears(c, "HTTP/1.1 200 "+strings.Repeat("O", 5000)+"\r\n\r\n") }, server: "HTTP 200 " + strings.Repeat("O", mostSaid-9)},
		"10 MB of headers":     {kind: web, play: says([]byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 10<<20))), wrong: "protocol", says: "its header has no end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := fleet.Endpoint{Name: name, Type: c.kind, TLS: c.tls, Timeout: c.timeout}
			if e.Timeout == 0 {
				e.Timeout = 10 * time.Second
			}
			if e.Address = nobody(t); c.play != nil {
				e.Address = serve(t, c.play)
			}
			if c.kind == web {
				e.Address = "http://" + e.Address + "/"
			}
			got := ask(t.Context(), e)
			if got.wrong != c.wrong || !strings.Contains(got.says, c.says) || got.server != c.server || (got.wrong == "") != (got.says == "") {
				t.Errorf("%q, %q, %q; want %q, %q, %q", got.wrong, got.says, got.server, c.wrong, c.says, c.server)
			}
			if got.took > e.Timeout+5*time.Second || got.blocked != (name == "blocked") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestPages(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"UP"}`) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/bad", http.StatusFound) })
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "strata" || r.Method != http.MethodGet {
			t.Errorf("%s by %s", r.Method, r.UserAgent())
		}
		for range 60 {
			_, _ = w.Write(make([]byte, 1000))
			_ = http.NewResponseController(w).Flush() // the client may be gone
		}
		fmt.Fprint(w, "the end")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20)) })
	plain, secure := httptest.NewServer(mux), httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	dir := t.TempDir()
	ca, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	for file, content := range map[string][]byte{
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), empty: nil,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		url, text, tls, ca string
		insecure           bool
		status             int
		wrong, says        string
	}{
		{url: secure.URL + "/ok", ca: ca},
		{url: secure.URL + "/ok", ca: ca, tls: "other.example", wrong: "tls", says: "for another name"},
		{url: secure.URL + "/ok", ca: empty, wrong: "tls", says: "holds no certificate"},
		{url: secure.URL + "/ok", ca: "/nowhere.pem", wrong: "tls", says: "/nowhere.pem: no such file"},
		{url: secure.URL + "/ok", insecure: true, tls: "other.example"},
		{url: plain.URL + "/ok"},
		{url: plain.URL + "/ok", text: `"UP"`},
		{url: plain.URL + "/ok", text: `"DOWN"`, wrong: "text", says: `"\"DOWN\"" is not in the answer, which begins "{\"status\":\"UP\"}"`},
		{url: plain.URL + "/ok", status: 204, wrong: "status", says: "status 200 OK, not 204"},
		{url: plain.URL + "/bad", wrong: "status", says: "status 502 Bad Gateway"},
		{url: plain.URL + "/bad", status: 502},
		{url: plain.URL + "/away"}, // it is not followed
		{url: plain.URL + "/chunks", text: "the end"},
		{url: plain.URL + "/large", text: "x", wrong: "text", says: "is not in the answer"},
		{url: secure.URL + "/ok", wrong: "tls", says: "an authority that this machine does not know"},
		{url: strings.Replace(plain.URL, "http:", "https:", 1) + "/ok", wrong: "tls", says: "does not speak TLS"},
		{url: "http://no.such.name.invalid/", wrong: "name", says: "no.such.name.invalid is not known"},
	} {
		e := fleet.Endpoint{Name: "x", Type: fleet.EndpointHTTP, Address: c.url, Text: c.text, Status: c.status, TLS: c.tls, CA: c.ca, Insecure: c.insecure, Timeout: 10 * time.Second}
		if got := ask(t.Context(), e); got.wrong != c.wrong || !strings.Contains(got.says, c.says) {
			if c.wrong == "name" && got.wrong != "" { // without any resolver the words differ
				continue
			}
			t.Errorf("%s %s: %q, %q; want %q, %q", c.url, c.text, got.wrong, got.says, c.wrong, c.says)
		}
	}
}

func TestAskingEndsWithItsContext(t *testing.T) {
	at := serve(t, hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer)
	go func() {
		done <- ask(ctx, fleet.Endpoint{Name: "x", Type: fleet.EndpointMySQL, Address: at, Timeout: time.Minute})
	}()
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it waits on")
	}
}

func FuzzGreeting(f *testing.F) {
	for _, b := range [][]byte{hello("8.0.39"), hello("5.5.5-10.11.6-MariaDB"), refusal(1040, "#08004Too many connections"), refusal(1129, ""), []byte("SSH-2.0-x\r\n"), {1, 0, 0, 0, 10}, {0, 0, 0, 0}, {3, 0, 0, 0, 0xff, 0x10}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := readGreeting(bytes.NewReader(b))
		var foreign *notMySQL
		switch {
		case err != nil && !errors.As(err, &foreign) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("%q: %v", b, err)
		case err == nil && (g.version == "") == (g.code == 0) && b[4] == 0xff:
			t.Errorf("%q is neither a greeting nor an error: %+v", b, g)
		case len(g.version) > 3*mostSaid || len(g.says) > 3*mostSaid:
			t.Errorf("%d bytes are kept", len(g.version)+len(g.says))
		}
	})
}
