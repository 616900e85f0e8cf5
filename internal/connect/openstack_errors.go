package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/fleet"
	"strata/internal/plain"
	"strata/internal/sh"
)

// Answer is an OpenStack API's refusal: an HTTP status that is no success, in the API's own words.
type Answer struct {
	Status     int
	Message    string
	RetryAfter time.Duration // 0 when the API does not say
}

func (a *Answer) Error() string {
	said := a.Message
	if said == "" {
		said = http.StatusText(a.Status)
	}
	return fmt.Sprintf("HTTP %d: %s", a.Status, said)
}

// AnswerOf finds the API's answer in an error of a client made here.
func AnswerOf(err error) (*Answer, bool) {
	var a *Answer
	if errors.As(err, &a) {
		return a, true
	}
	var again *gophercloud.ErrUnableToReauthenticate
	if errors.As(err, &again) {
		return AnswerOf(again.ErrReauth) // the library's error does not unwrap
	}
	var code gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &code) {
		return nil, false
	}
	return &Answer{
		Status: code.Actual, Message: message(code.Body),
		RetryAfter: retryAfter(code.ResponseHeader.Get("Retry-After"), code.ResponseHeader.Get("Date")),
	}, true
}

// message takes the sentence out of {"conflictingRequest": {"message": ...}}, Keystone's {"error": {...}}, or the
// first words of whatever a proxy sent instead.
func message(body []byte) string {
	var wrapped map[string]struct{ Message string }
	if json.Unmarshal(body, &wrapped) == nil {
		for _, inner := range wrapped {
			if inner.Message != "" {
				return short(inner.Message)
			}
		}
	}
	text := string(body)
	if _, after, ok := strings.Cut(text, "<title>"); ok {
		text, _, _ = strings.Cut(after, "</title>")
	}
	return short(text)
}

// short makes one short line of text from the world.
func short(text string) string {
	text = strings.Join(strings.Fields(plain.Text(text)), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:299]) + "…"
	}
	return text
}

// retryAfter reads seconds or a date, which is measured by the server's own clock.
func retryAfter(value, date string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(date)
	if err != nil {
		now = time.Now()
	}
	return max(0, until.Sub(now))
}

// bare turns the library's long errors into what the API or the network said.
func bare(err error) error {
	var login *LoginError
	var again *gophercloud.ErrUnableToReauthenticate
	switch {
	case errors.As(err, &login):
		return login
	case errors.As(err, &again):
		return &LoginError{bare(again.ErrReauth)}
	}
	if a, ok := AnswerOf(err); ok {
		return a
	}
	var web *url.Error
	if errors.As(err, &web) {
		if where, perr := url.Parse(web.URL); perr == nil {
			return fmt.Errorf("%s: %w", where.Host, web.Err)
		}
	}
	return err
}

type noEndpoint struct{ region, face string }

func (e *noEndpoint) Error() string {
	where := e.face + " interface"
	if e.region != "" {
		where = "region " + e.region + ", " + where
	}
	return "the catalog of this cloud has no compute endpoint in " + where
}

// Trouble says what went wrong in the API's or the network's own words, and what to do about it.
func (c Cloud) Trouble(doing string, err error) *fleet.Trouble {
	var known *fleet.Trouble
	if errors.As(err, &known) {
		return known
	}
	cause := bare(err)
	return &fleet.Trouble{Doing: doing + " of cloud " + c.Name, Cause: cause, Fix: c.fix(cause)}
}

func (c Cloud) fix(err error) string {
	var login *LoginError
	if errors.As(err, &login) {
		if a, ok := AnswerOf(err); ok && (a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden) {
			return fmt.Sprintf("check user, password and project in %s; try: %s", c.From, c.Command("token", "issue"))
		}
	}
	if a, ok := AnswerOf(err); ok {
		return c.fixAnswer(a)
	}
	var endpoint *noEndpoint
	var authority x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	var dns *net.DNSError
	var op *net.OpError
	var syntax *json.SyntaxError
	var timeout net.Error
	switch {
	case errors.As(err, &endpoint):
		return fmt.Sprintf("check region_name and interface in %s; see: %s", c.From, c.Command("catalog", "show", "compute"))
	case errors.As(err, &authority), errors.As(err, &verify):
		return fmt.Sprintf("name the cloud's CA file: cacert in %s, or OS_CACERT", c.From)
	case errors.As(err, &dns):
		return "the name does not resolve here: check auth_url in " + c.From + " and /etc/resolv.conf"
	case errors.As(err, &op) && op.Op == "dial":
		return "nothing answers there: check the service and the network; try: " + sh.Quote("curl", "-sS", c.AuthURL())
	case errors.As(err, &syntax):
		return "something else than the API answered: check for a proxy, and the endpoint in the catalog"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it took the connection and did not answer: see the API's log and its database on the controller"
	}
	return "try: " + c.Command("server", "list")
}

func (c Cloud) fixAnswer(a *Answer) string {
	switch {
	case a.Status == http.StatusUnauthorized:
		return "the API does not accept Keystone's token: see keystone_authtoken in nova.conf on the controller"
	case a.Status == http.StatusForbidden:
		return "the role of this user is not enough; see: " + c.Command("role", "assignment", "list", "--names", "--user", "USER")
	case a.Status == http.StatusNotFound:
		return "check the endpoint: " + c.Command("catalog", "show", "compute")
	case a.Status == http.StatusConflict:
		return "it is not in a state that allows this; see: " + c.Command("server", "show", "ID")
	case a.Status == http.StatusTooManyRequests:
		return "the API limits the rate; poll less often, or raise the limit"
	case a.Status >= 500:
		return "see the log of nova-api and keystone on the controller"
	}
	return "try: " + c.Command("server", "list")
}

// Command is a call of the openstack command line for this cloud, quoted for a shell.
func (c Cloud) Command(args ...string) string {
	argv := []string{"openstack"}
	if c.Name != EnvCloud {
		argv = append(argv, "--os-cloud", c.Name)
	}
	return sh.Quote(append(argv, args...)...)
}
