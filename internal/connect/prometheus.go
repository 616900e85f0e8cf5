package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"strata/internal/config"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// Prometheus is one of the configuration, with its Alertmanager if it has one. It holds no connection and no secret.
type Prometheus struct {
	config.Prometheus
	Getenv func(string) string
}

// Prometheuses are those of a configuration, with this process' environment.
func Prometheuses(all []config.Prometheus) (found []Prometheus) {
	for _, p := range all {
		found = append(found, Prometheus{p, os.Getenv})
	}
	return found
}

// Source is the name under which its machines are seen: "prometheus/NAME".
func (p Prometheus) Source() string { return fleet.FleetSource + p.Name }

// PrometheusReading reads from one Prometheus and its Alertmanager. Its transport lets nothing but reading out.
type PrometheusReading struct {
	at        Prometheus
	agent     string
	http      http.Client
	transport *http.Transport
}

// ForReading makes a client that can only read. Nothing is sent yet. agent is the User-Agent.
func (p Prometheus) ForReading(agent string) (*PrometheusReading, error) {
	var trust *tls.Config
	if p.CAFile != "" {
		text, err := os.ReadFile(p.CAFile)
		pool := x509.NewCertPool()
		if err == nil && !pool.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s holds no certificate", p.CAFile)
		}
		if err != nil {
			return nil, p.Trouble("reading the CA file", err)
		}
		trust = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	r := &PrometheusReading{at: p, agent: agent, transport: newTransport(trust)}
	r.http = http.Client{Transport: ReadOnly(r.transport), CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Host != via[0].URL.Host {
			return fmt.Errorf("it sends us on to %s, which must not get the login", to.URL.Host)
		}
		if len(via) > 3 {
			return errors.New("it sends us round in circles")
		}
		return nil
	}}
	return r, nil
}

// Close drops idle connections.
func (r *PrometheusReading) Close() { r.transport.CloseIdleConnections() }

// Ask gets a path below the URL of Prometheus, or of its Alertmanager, and gives the body to read. Any status but 200 is an
// *Answer.
func (r *PrometheusReading) Ask(ctx context.Context, alertmanager bool, path string, query url.Values, read func(io.Reader) error) error {
	base := r.at.URL
	if alertmanager {
		base = r.at.Alertmanager
	}
	body, err := r.get(ctx, base, path, query)
	if err == nil {
		err = read(body)
		_ = body.Close() // it was read
	}
	if ctx.Err() != nil {
		return ctx.Err() // what a reader says of a body that stopped coming would mislead
	}
	return err
}

func (r *PrometheusReading) get(ctx context.Context, base, path string, query url.Values) (io.ReadCloser, error) {
	at, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	at = at.JoinPath(path)
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", r.agent)
	if err := r.at.login(request); err != nil {
		return nil, err
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // what came of it is told
	return nil, &Answer{
		Status: answer.StatusCode, Message: prometheusSays(body),
		RetryAfter: retryAfter(answer.Header.Get("Retry-After"), answer.Header.Get("Date")),
	}
}

// prometheusSays takes the sentence out of an error of Prometheus, or the first words of what a proxy sent instead.
func prometheusSays(body []byte) string {
	var said struct{ Error string }
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return short(said.Error)
	}
	return message(body)
}

// errSecret is a secret that is not where the configuration says.
var errSecret = errors.New("the login is not complete")

// login puts the secret in. It is read each time: tokens in files are replaced while strata runs.
func (p Prometheus) login(request *http.Request) error {
	read := func(file, variable string) (string, error) {
		if file == "" {
			if secret := p.Getenv(variable); secret != "" {
				return secret, nil
			}
			return "", fmt.Errorf("%w: the variable %s is empty", errSecret, variable)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errSecret, err)
		}
		secret := strings.TrimRight(string(text), "\r\n")
		if secret == "" || strings.ContainsAny(secret, "\r\n") {
			return "", fmt.Errorf("%w: %s must hold one line", errSecret, file)
		}
		return secret, nil
	}
	switch {
	case p.User != "":
		password, err := read(p.PasswordFile, p.PasswordEnv)
		if err != nil {
			return err
		}
		request.SetBasicAuth(p.User, password)
	case p.TokenFile != "" || p.TokenEnv != "":
		token, err := read(p.TokenFile, p.TokenEnv)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// Trouble says what went wrong in the server's or the network's own words, and what to do about it.
func (p Prometheus) Trouble(doing string, err error) *fleet.Trouble {
	var known *fleet.Trouble
	if errors.As(err, &known) {
		return known
	}
	cause := bare(err)
	return &fleet.Trouble{Doing: doing + " of prometheus " + p.Name, Cause: cause, Fix: p.fix(cause)}
}

func (p Prometheus) fix(err error) string {
	if a, ok := AnswerOf(err); ok {
		switch {
		case a.Status == http.StatusUnauthorized && p.User == "" && p.TokenFile+p.TokenEnv == "":
			return "it wants a login: name user and passwordFile, or tokenFile, under prometheus in the configuration"
		case a.Status == http.StatusUnauthorized:
			return "it does not take the login: check user and password, or the token, under prometheus in the configuration"
		case a.Status == http.StatusForbidden:
			return "this login may not read there: see the proxy before it"
		case a.Status == http.StatusNotFound:
			return "check the url, with the path that a proxy puts it under"
		case a.Status == http.StatusTooManyRequests:
			return "the proxy before it limits the rate: raise poll.prometheus"
		case a.Status >= 500:
			return "see its log; a query that takes too long ends at --query.timeout"
		}
	}
	var authority x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, errSecret):
		return "check what prometheus in the configuration names, and who may read it"
	case errors.As(err, &authority), errors.As(err, &verify):
		return "name who signed its certificate: caFile under prometheus in the configuration"
	case errors.As(err, &dns):
		return "the name does not resolve here: check the url and /etc/resolv.conf"
	case errors.As(err, &op) && op.Op == "dial":
		return "nothing answers there: check the service and the network"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it took the connection and did not answer: see its load"
	}
	return "try: " + sh.Quote("curl", "-sS", p.URL+"/-/ready")
}
