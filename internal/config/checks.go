package config

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// fileCheck is the YAML form of a Check.
type fileCheck struct {
	Name     string `yaml:"name"`
	Type     string `yaml:"type"`
	Address  string `yaml:"address"`
	URL      string `yaml:"url"`
	From     string `yaml:"from"`
	Every    string `yaml:"every"`
	Timeout  string `yaml:"timeout"`
	Status   int    `yaml:"status"`
	Text     string `yaml:"text"`
	TLS      string `yaml:"tls"`
	CA       string `yaml:"ca"`
	Insecure bool   `yaml:"insecure"`
	On       string `yaml:"on"`
}

// How often is dialled, and how long an answer may take, where the file does not say.
const (
	checkEvery   = "15s"
	mysqlEvery   = "1m" // each look counts there as a connection that broke off
	checkTimeout = "5s"
)

func (c *Config) addChecks(all []fileCheck, name string, text []byte) error {
	for i, f := range all {
		check, err := f.read()
		switch {
		case err != nil:
		case check.From != "" && !slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Name == check.From }):
			err = fmt.Errorf("%s: from: %q is not among hosts", f.Name, check.From)
		case slices.ContainsFunc(c.Checks, func(o Check) bool { return o.Name == f.Name }):
			err = fmt.Errorf("there are two checks %q", f.Name)
		}
		if err != nil {
			return faultAt(name, text, fmt.Sprintf("$.checks[%d]", i), err.Error())
		}
		c.Checks = append(c.Checks, check)
	}
	return nil
}

func (f fileCheck) read() (Check, error) {
	c := Check{From: f.From, Endpoint: fleet.Endpoint{
		Name: f.Name, Type: f.Type, Address: cmp.Or(f.URL, f.Address), Status: f.Status, Text: f.Text, TLS: f.TLS, CA: f.CA, Insecure: f.Insecure, On: f.On,
	}}
	if c.Type == "" {
		if c.Type = fleet.EndpointTCP; f.URL != "" {
			c.Type = fleet.EndpointHTTP
		}
	}
	if isHTTP := c.Type == fleet.EndpointHTTP; (f.URL != "") != isHTTP || (f.Address != "") == isHTTP {
		return c, fmt.Errorf("%s: http has a url, tcp and mysql an address", f.Name)
	}
	every := checkEvery
	if c.Type == fleet.EndpointMySQL {
		every = mysqlEvery
	}
	for _, d := range []struct {
		text string
		into *time.Duration
	}{{cmp.Or(f.Every, every), &c.Every}, {cmp.Or(f.Timeout, checkTimeout), &c.Timeout}} {
		v, err := time.ParseDuration(d.text)
		if err != nil {
			return c, fmt.Errorf("%s: %q is no time; write it as 5s, 2m or 1h30m", f.Name, d.text)
		}
		*d.into = v
	}
	return c, c.Fault()
}
