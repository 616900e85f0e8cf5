package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// file is the YAML form. What is absent is nil and leaves the default.
type file struct {
	ReadOnly *bool    `yaml:"readOnly"`
	Write    *string  `yaml:"write"`
	Clouds   []string `yaml:"clouds"`
	Contexts []string `yaml:"contexts"`
	Hosts    []struct {
		Name  string   `yaml:"name"`
		SSH   string   `yaml:"ssh"`
		Sudo  bool     `yaml:"sudo"`
		Allow []string `yaml:"allow"`
	} `yaml:"hosts"`
	Checks     []fileCheck `yaml:"checks"`
	Prometheus oneOrMany   `yaml:"prometheus"`
	Poll       struct {
		OpenStack  *string `yaml:"openstack"`
		Host       *string `yaml:"host"`
		Smart      *string `yaml:"smart"`
		Prometheus *string `yaml:"prometheus"`
	} `yaml:"poll"`
	UI struct {
		ASCII *bool `yaml:"ascii"`
		Mouse *bool `yaml:"mouse"`
	} `yaml:"ui"`
	Audit struct {
		Path *string `yaml:"path"`
	} `yaml:"audit"`
}

// Parse reads a configuration over the given defaults. Its errors are Faults: they know the line.
func Parse(name string, text []byte, c Config) (got Config, err error) {
	defer func() {
		// The YAML library panics on some malformed tags.
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the YAML reader gave up on it: %v", name, p)
		}
	}()
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Config{}, faultOf(name, text, err)
	}
	if len(tree.Docs) > 1 && tree.Docs[1].Body != nil {
		at := tree.Docs[1].Body.GetToken().Position
		return Config{}, newFault(name, text, at.Line, at.Column, "a second document begins here; the configuration is one")
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return Config{}, faultOf(name, text, err)
	}
	set(&c.ReadOnly, f.ReadOnly)
	if w := f.Write; w != nil {
		if c.Write = Write(*w); c.Write != Always && c.Write != Ask {
			return Config{}, faultAt(name, text, "$.write", fmt.Sprintf("%q is neither always nor ask", *w))
		}
	}
	set(&c.UI.ASCII, f.UI.ASCII)
	set(&c.UI.Mouse, f.UI.Mouse)
	c.Clouds, c.Contexts = f.Clouds, f.Contexts
	for _, d := range []struct {
		path  string
		text  *string
		least time.Duration
		into  *time.Duration
	}{
		{"$.poll.openstack", f.Poll.OpenStack, LeastOpenStack, &c.Poll.OpenStack},
		{"$.poll.host", f.Poll.Host, leastHost, &c.Poll.Host},
		{"$.poll.smart", f.Poll.Smart, leastSmart, &c.Poll.Smart},
		{"$.poll.prometheus", f.Poll.Prometheus, leastPrometheus, &c.Poll.Prometheus},
	} {
		if d.text == nil {
			continue
		}
		v, err := time.ParseDuration(*d.text)
		switch {
		case err != nil:
			return Config{}, faultAt(name, text, d.path, fmt.Sprintf("%q is no time; write it as 5s, 2m or 1h30m", *d.text))
		case v < d.least:
			return Config{}, faultAt(name, text, d.path, fmt.Sprintf("%s is too often; the least is %s", v, d.least))
		}
		*d.into = v
	}
	if err := c.addHosts(f, name, text); err != nil {
		return Config{}, err
	}
	if err := c.addChecks(f.Checks, name, text); err != nil {
		return Config{}, err
	}
	if c.Prometheus, err = f.Prometheus.take(name, text); err != nil {
		return Config{}, err
	}
	if p := f.Audit.Path; p != nil {
		if !filepath.IsAbs(*p) {
			return Config{}, faultAt(name, text, "$.audit.path", fmt.Sprintf("%q is no absolute path", *p))
		}
		c.Audit.Path = *p
	}
	return c, nil
}

func (c *Config) addHosts(f file, name string, text []byte) error {
	for i, h := range f.Hosts {
		if h.SSH == "" {
			h.SSH = h.Name
		}
		host := Host{h.Name, h.SSH, h.Sudo, strings.Join(h.Allow, " ")}
		at := fmt.Sprintf("$.hosts[%d]", i)
		if err := host.Fault(); err != nil {
			return faultAt(name, text, at, err.Error())
		}
		if slices.ContainsFunc(c.Hosts, func(o Host) bool { return o.Name == h.Name }) {
			return faultAt(name, text, at, fmt.Sprintf("there are two hosts %q", h.Name))
		}
		c.Hosts = append(c.Hosts, host)
	}
	return nil
}

func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

// Fault is an error in the file with the place it is at.
type Fault struct {
	File         string
	Line, Column int // from 1
	Says         string
	Source       string // the line
}

// Error is one line. Show adds the source and a caret.
func (f *Fault) Error() string { return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Says) }

// Show is the error with its line and a caret under the place.
func (f *Fault) Show() string {
	column := min(max(f.Column-1, 0), len([]rune(f.Source)))
	lead := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string([]rune(f.Source)[:column]))
	number := fmt.Sprintf("%5d | ", f.Line)
	return fmt.Sprintf("%s\n%s%s\n%s%s^", f.Error(), number, f.Source, strings.Repeat(" ", len(number)-2)+"| ", lead)
}

func newFault(name string, text []byte, line, column int, says string) *Fault {
	f := &Fault{File: name, Line: line, Column: column, Says: says}
	if lines := strings.Split(string(text), "\n"); line >= 1 && line <= len(lines) {
		f.Source = strings.TrimRight(lines[line-1], "\r")
	}
	return f
}

func faultAt(name string, text []byte, path, says string) error {
	at, err := yaml.PathString(path)
	if err != nil {
		return fmt.Errorf("%s: %s", name, says)
	}
	node, err := at.ReadNode(strings.NewReader(string(text)))
	if err != nil || node == nil {
		return fmt.Errorf("%s: %s", name, says)
	}
	p := node.GetToken().Position
	return newFault(name, text, p.Line, p.Column, says)
}

// faultOf says what the YAML library found in an operator's words.
func faultOf(name string, text []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	says := at.GetMessage()
	var unknown *yaml.UnknownFieldError
	var kind *yaml.TypeError
	switch {
	case errors.As(err, &unknown):
		says = fmt.Sprintf("there is no key %q here; strata config init - shows them all", at.GetToken().Value)
	case errors.As(err, &kind) && kind.DstType != nil && kind.DstType.Kind().String() == "bool":
		says = fmt.Sprintf("%q is neither true nor false", at.GetToken().Value)
	}
	p := at.GetToken().Position
	return newFault(name, text, p.Line, p.Column, says)
}
