package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"strata/internal/fleet"
)

func env(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }

var home = env(map[string]string{"HOME": "/home/op"})

func TestPathsFollowXDGAndIgnoreRelativeFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vars          map[string]string
		config, state string
	}{
		{map[string]string{"HOME": "/home/op"}, "/home/op/.config/strata/config.yaml", "/home/op/.local/state/strata"},
		{map[string]string{"HOME": "/home/op", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/strata/config.yaml", "/s/strata"},
		{map[string]string{"HOME": "/home/op", "XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "./s"}, "/home/op/.config/strata/config.yaml", "/home/op/.local/state/strata"},
	} {
		if got := Path(env(c.vars)); got != c.config {
			t.Errorf("Path with %v = %s, want %s", c.vars, got, c.config)
		}
		if got := StateDir(env(c.vars)); got != c.state {
			t.Errorf("StateDir with %v = %s, want %s", c.vars, got, c.state)
		}
	}
}

func TestExampleIsTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := Parse("example", []byte(Example), Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := Default(home)
	want.Clouds, want.Contexts, want.Audit.Path = []string{}, []string{}, ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example says\n%+v, the defaults are\n%+v", got, want)
	}
}

// The example must name every key, or nobody learns of it.
func TestExampleNamesEveryKey(t *testing.T) {
	t.Parallel()
	uncommented := strings.NewReplacer("#audit:", "audit:", "#  path:", "  path:").Replace(Example)
	var shown map[string]any
	if err := yaml.Unmarshal([]byte(uncommented), &shown); err != nil {
		t.Fatal(err)
	}
	var missing func(reflect.Type, map[string]any, string)
	missing = func(typ reflect.Type, in map[string]any, at string) {
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("yaml")
			v, ok := in[key]
			if !ok {
				t.Errorf("the example does not show %s%s", at, key)
			} else if typ.Field(i).Type.Kind() == reflect.Struct {
				inner, _ := v.(map[string]any)
				missing(typ.Field(i).Type, inner, at+key+".")
			}
		}
	}
	missing(reflect.TypeFor[file](), shown, "")
	if _, err := Parse("example", []byte(uncommented), Default(home)); err != nil {
		t.Errorf("the example without its comment marks: %v", err)
	}
}

func TestWhatIsLeftOutKeepsItsDefault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "poll:\n", "ui:\n  ascii:\n", "{}"} {
		got, err := Parse("f", []byte(text), Default(home))
		if err != nil || !reflect.DeepEqual(got, Default(home)) {
			t.Errorf("%q gives %+v, %v; want the defaults", text, got, err)
		}
	}
	got, err := Parse("f", []byte("clouds: [home, lab]\npoll: {openstack: 1m30s}\nui: {mouse: false}\naudit: {path: /a.jsonl}\n"), Default(home))
	want := Default(home)
	want.Clouds, want.Poll.OpenStack, want.UI.Mouse, want.Audit.Path = []string{"home", "lab"}, 90*time.Second, false, "/a.jsonl"
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestFaultsPointAtTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, shown string }{
		{"readOnly: false\npolll:\n  openstack: 5s\n", "f:2:1: there is no key \"polll\" here; strata config init - shows them all\n    2 | polll:\n      | ^"},
		{"poll:\n  openstack: 1s\n", "f:2:14: 1s is too often; the least is 2s\n    2 |   openstack: 1s\n      |              ^"},
		{"poll:\n  openstack: 5\n", "f:2:14: \"5\" is no time; write it as 5s, 2m or 1h30m\n    2 |   openstack: 5\n      |              ^"},
		{"poll:\n  host: -3s\n", "f:2:9: -3s is too often; the least is 1s\n    2 |   host: -3s\n      |         ^"},
		{"readOnly: maybe\n", "f:1:11: \"maybe\" is neither true nor false\n    1 | readOnly: maybe\n      |           ^"},
		{"audit:\n  path: here\n", "f:2:9: \"here\" is no absolute path\n    2 |   path: here\n      |         ^"},
		{"poll:\n\topenstack: 5s\n", "f:2:1: found character '\t' that cannot start any token\n    2 | \topenstack: 5s\n      | ^"},
	} {
		_, err := Parse("f", []byte(c.text), Default(home))
		var f *Fault
		if !errors.As(err, &f) {
			t.Errorf("%q gives %v, want a fault", c.text, err)
			continue
		}
		if got := f.Show(); got != c.shown {
			t.Errorf("%q shows\n%s\nwant\n%s", c.text, got, c.shown)
		}
	}
	for _, text := range []string{"clouds: a\n", "poll: 5\n", "a: b: c\n", "[1, 2]\n", "readOnly: true\nreadOnly: false\n", "readOnly: true\n---\nreadOnly: false\n"} {
		if got, err := Parse("f", []byte(text), Default(home)); err == nil {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func TestOnlyANamedFileMustBeThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if got, err := Load(path, false, home); err != nil || !reflect.DeepEqual(got, Default(home)) {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	if _, err := Load(path, true, home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a named file that is missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("readOnly: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path, false, home); err != nil || !got.ReadOnly {
		t.Errorf("with a file: %+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example))
	f.Add([]byte("poll:\n  openstack: 1s\n"))
	f.Add([]byte("clouds: [a, b]\n---\nx: 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("f", text, Default(home))
		if err != nil {
			var fault *Fault
			if errors.As(err, &fault) && fault.Show() == "" {
				t.Error("a fault without words")
			}
			return
		}
		if c.Poll.Prometheus < leastPrometheus || c.Poll.OpenStack < LeastOpenStack || c.Poll.Host < leastHost || c.Poll.Smart < leastSmart {
			t.Errorf("%q gives polls of %+v", text, c.Poll)
		}
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Host{
		"root@alpha":        {Name: "alpha", SSH: "root@alpha"},
		"alpha":             {Name: "alpha", SSH: "alpha"},
		"a=me@you@10.0.0.1": {Name: "a", SSH: "me@you@10.0.0.1"},
		"k8s.host_1=jump":   {Name: "k8s.host_1", SSH: "jump"},
	} {
		if got, err := ParseHost(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "=x", "-x=y", "a=-oProxyCommand=evil", "a=b c", "a;b=c", "a="} {
		if got, err := ParseHost(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
	parse := func(text string) (Config, error) {
		return Parse("c.yaml", []byte(text), Default(func(string) string { return "" }))
	}
	c, err := parse("hosts:\n  - name: alpha\n    ssh: root@alpha\n    sudo: true\n  - name: beta\n")
	if err != nil || len(c.Hosts) != 2 || c.Hosts[0] != (Host{Name: "alpha", SSH: "root@alpha", Sudo: true}) || c.Hosts[1].SSH != "beta" {
		t.Errorf("hosts %+v, %v", c.Hosts, err)
	}
	for text, want := range map[string]string{
		"hosts:\n  - name: a b\n":             "c.yaml:2:9: ",
		"hosts:\n  - name: a\n  - name: a\n":  "two hosts",
		"hosts:\n  - name: a\n    port: 22\n": "port",
		"write: sometimes\n":                  "neither always nor ask",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	parse := func(text string) (Config, error) { return Parse("c.yaml", []byte(text), Default(home)) }
	c, err := parse(`hosts: [{name: far}]
checks:
  - {name: ssh, address: "10.0.0.9:22"}
  - {name: shop, url: "https://10.0.0.28:30443/health", status: 200, text: UP, tls: shop.example, from: far, every: 1m, timeout: 2s, on: w1}
  - {name: db, type: mysql, address: "[::1]:3306"}
`)
	if err != nil || len(c.Checks) != 3 {
		t.Fatalf("%+v, %v", c.Checks, err)
	}
	if got, want := c.Checks[0].Endpoint, (fleet.Endpoint{Name: "ssh", Type: "tcp", Address: "10.0.0.9:22", Every: 15 * time.Second, Timeout: 5 * time.Second}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := c.Checks[1], (Check{fleet.Endpoint{
		Name: "shop", Type: "http", Address: "https://10.0.0.28:30443/health", Every: time.Minute, Timeout: 2 * time.Second, Status: 200, Text: "UP", TLS: "shop.example", On: "w1",
	}, "far"}); got != want || got.Machine() != "w1" {
		t.Errorf("%+v", got)
	}
	if got := c.Checks[2].Endpoint; got.Every != time.Minute || got.Type != "mysql" || got.Machine() != "::1" {
		t.Errorf("%+v", got)
	}
	for text, want := range map[string]string{
		`{address: "a:1"}`:                               "is no name",
		`{name: x, address: a}`:                          "is no address",
		`{name: x, address: "a:1", url: "http://a/"}`:    "http has a url",
		`{name: x, type: http, address: "a:1"}`:          "http has a url",
		`{name: x, url: "ftp://a/"}`:                     "is no URL",
		`{name: x, url: "http://me:secret@a/"}`:          "has no login",
		`{name: x, type: ping, address: "a:1"}`:          "none of tcp, http and mysql",
		`{name: x, address: "a:1", every: 10ms}`:         "too often",
		`{name: x, address: "a:1", every: soon}`:         "is no time",
		`{name: x, address: "a:1", timeout: 5m}`:         "not between",
		`{name: x, address: "a:1", text: y}`:             "are for http",
		`{name: x, type: mysql, address: "a:1", tls: b}`: "before TLS",
		`{name: x, address: "a:1", ca: /b}`:              "ca and insecure are for TLS",
		`{name: x, url: "https://a", ca: b}`:             "whole path",
		`{name: x, address: "a:1", from: far}`:           "not among hosts",
		`{name: x, address: "a:1", color: red}`:          `no key "color"`,
	} {
		if _, err := parse("checks:\n  - " + text + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := parse("checks: [{name: x, address: \"a:1\"}, {name: x, address: \"a:2\"}]\n"); err == nil || !strings.Contains(err.Error(), "two checks") {
		t.Errorf("twice: %v", err)
	}
}
