package fleet

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Endpoint is an address that users reach, and what must come back from it.
type Endpoint struct {
	Name    string        `json:"name"`
	Type    string        `json:"type"`    // tcp, http, mysql
	Address string        `json:"address"` // HOST:PORT; of http the URL
	Every   time.Duration `json:"everyNs"`
	Timeout time.Duration `json:"timeoutNs"`
	Status  int           `json:"status,omitempty"` // http: what must come; 0 is anything below 400
	Text    string        `json:"text,omitempty"`   // http: what must be in the first 64 KiB
	TLS     string        `json:"tls,omitempty"`    // the name that the certificate must be for; tcp speaks TLS only with one
	// CA is a file of PEM certificates on the machine that dials: who may have signed the certificate, beside those that the
	// machine trusts anyway. Insecure takes any certificate.
	CA       string `json:"ca,omitempty"`
	Insecure bool   `json:"insecure,omitempty"`
	On       string `json:"on,omitempty"` // the node, server or host that it is on, where its address does not tell
}

// Types of endpoints.
const (
	EndpointTCP   = "tcp"
	EndpointHTTP  = "http"
	EndpointMySQL = "mysql"
)

// leastEvery is how often an endpoint is dialled at most.
const leastEvery = time.Second

// Fault says what is wrong with an endpoint, nil when it can be dialled.
func (e Endpoint) Fault() error {
	switch {
	case e.Name == "" || len(e.Name) > 100 || strings.ContainsFunc(e.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no name for a check", e.Name)
	case e.Type != EndpointTCP && e.Type != EndpointHTTP && e.Type != EndpointMySQL:
		return fmt.Errorf("%q is none of tcp, http and mysql", e.Type)
	case e.Type != EndpointHTTP && (e.Status != 0 || e.Text != ""):
		return fmt.Errorf("%s: status and text are for http", e.Name)
	case e.Type == EndpointMySQL && e.TLS != "":
		return fmt.Errorf("%s: a MySQL server greets before TLS begins", e.Name)
	case (e.CA != "" || e.Insecure) && e.TLS == "" && !strings.HasPrefix(e.Address, "https:"):
		return fmt.Errorf("%s: ca and insecure are for TLS: of tcp say tls too", e.Name)
	case e.CA != "" && (e.Insecure || !strings.HasPrefix(e.CA, "/")):
		return fmt.Errorf("%s: ca is the whole path of a file, and insecure would not look into it", e.Name)
	case e.Status != 0 && (e.Status < 100 || e.Status > 599):
		return fmt.Errorf("%s: %d is no HTTP status", e.Name, e.Status)
	case e.Every < leastEvery:
		return fmt.Errorf("%s: every %s is too often; the least is %s", e.Name, e.Every, leastEvery)
	case e.Timeout < leastEvery/10 || e.Timeout > time.Minute:
		return fmt.Errorf("%s: a timeout of %s is not between 100ms and 1m", e.Name, e.Timeout)
	case e.Type == EndpointHTTP:
		u, err := url.Parse(e.Address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return fmt.Errorf("%s: %q is no URL such as https://shop.example/health (and has no login)", e.Name, e.Address)
		}
		return nil
	}
	if host, port := e.dialled(); host == "" || port == "" || strings.ContainsAny(e.Address, "/@?# ") {
		return fmt.Errorf("%s: %q is no address such as 10.0.0.28:30306", e.Name, e.Address)
	}
	return nil
}

// dialled is the host and the port of the address, "" where it tells none.
func (e Endpoint) dialled() (host, port string) {
	address := e.Address
	if e.Type != EndpointHTTP {
		address = "//" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	return u.Hostname(), u.Port()
}

// Machine is the name or address of the machine that an endpoint is on.
func (e Endpoint) Machine() string {
	if e.On != "" {
		return e.On
	}
	host, _ := e.dialled()
	return host
}

// Values of Check.State; "" is one that was not dialled yet.
const (
	CheckUp   = "up"
	CheckDown = "down"
)

// Check is an endpoint as one machine finds it, dialled again and again.
type Check struct {
	Source   string             `json:"source"`
	Host     string             `json:"host"` // the machine that dials
	Endpoint Endpoint           `json:"endpoint"`
	State    string             `json:"state,omitempty"`  // up, down
	Wrong    string             `json:"wrong,omitempty"`  // refused, timeout, name, unreachable, cut, tls, status, text, mysql, protocol, failed
	Says     string             `json:"says,omitempty"`   // what is wrong in words
	Server   string             `json:"server,omitempty"` // what the other side says it is: an HTTP status, MySQL's version
	Latency  Opt[time.Duration] `json:"latencyNs"`        // how long the last good answer took
	Since    time.Time          `json:"since,omitzero"`   // of the state
	Fails    int                `json:"fails,omitempty"`  // failures in a row
	Flaps    int                `json:"flaps,omitempty"`  // changes of state in the last hour
}

// Ref of a check is its endpoint's name.
func (c *Check) Ref() Ref { return Ref{KindCheck, c.Source, c.Endpoint.Name} }

// Health is whether it answers as it should; a single failure may be one of the network's.
func (c *Check) Health() Health {
	switch {
	case c.State == CheckUp:
		return Health{StateOK, c.State}
	case c.State == CheckDown && c.Fails < 2:
		return Health{StateWarn, c.Wrong}
	case c.State == CheckDown:
		return Health{StateBad, c.Wrong}
	}
	return Health{StateUnknown, "not dialled yet"}
}

// Sample is how long it took, in milliseconds.
func (c *Check) Sample() (float64, bool) {
	return float64(c.Latency.V) / float64(time.Millisecond), c.Latency.OK
}
