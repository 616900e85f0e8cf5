package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAHostIsAddedAndTheRestStays(t *testing.T) {
	t.Parallel()
	beta := Host{Name: "beta", SSH: "op@10.0.0.7"}
	for name, c := range map[string]struct{ text, want string }{
		"nothing yet":   {"", "hosts:\n  - name: beta\n    ssh: op@10.0.0.7\n"},
		"only comments": {"# mine\n", "# mine\n\nhosts:\n  - name: beta\n    ssh: op@10.0.0.7\n"},
		"no hosts":      {"# mine\nreadOnly: true # really", "# mine\nreadOnly: true # really\n\nhosts:\n  - name: beta\n    ssh: op@10.0.0.7\n"},
		"an empty list": {"hosts: [] # none\n#  - name: x\nui:\n  ascii: true\n", "hosts: # none\n  - name: beta\n    ssh: op@10.0.0.7\n#  - name: x\nui:\n  ascii: true\n"},
		"no list":       {"hosts:\nui:\n  ascii: true\n", "hosts:\n  - name: beta\n    ssh: op@10.0.0.7\nui:\n  ascii: true\n"},
		"others": {
			"hosts:\n  # the big one\n  - name: alpha   # in the cellar\n    ssh: root@alpha\n    allow: [unit-limit,\n      unit-unlimit]\n# how often\npoll:\n  host: 3s\n",
			"hosts:\n  # the big one\n  - name: alpha   # in the cellar\n    ssh: root@alpha\n    allow: [unit-limit,\n      unit-unlimit]\n  - name: beta\n    ssh: op@10.0.0.7\n# how often\npoll:\n  host: 3s\n",
		},
		"not indented": {"hosts:\n- name: alpha\nwrite: ask\n", "hosts:\n- name: alpha\n- name: beta\n  ssh: op@10.0.0.7\nwrite: ask\n"},
		"in brackets":  {"hosts: [{name: alpha}] # one\n", "hosts: [{name: alpha}, {name: beta, ssh: op@10.0.0.7}] # one\n"},
		"at the end":   {"hosts:\n  - name: alpha", "hosts:\n  - name: alpha\n  - name: beta\n    ssh: op@10.0.0.7\n"},
	} {
		if got, err := AddHost("f", []byte(c.text), beta); err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s%v\nwant\n%s", name, got, err, c.want)
		}
	}
	got, err := AddHost("f", []byte(Example), Host{Name: "gamma", SSH: "me@you@10.0.0.1", Sudo: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(Example, "hosts: []\n", "hosts:\n  - name: gamma\n    ssh: me@you@10.0.0.1\n    sudo: true\n", 1); string(got) != want {
		t.Errorf("the example with a host:\n%s", got)
	}
}

func TestWhatIsThereIsNotAddedTwice(t *testing.T) {
	t.Parallel()
	text := []byte("hosts:\n  - name: alpha\n    ssh: root@10.0.0.7\n")
	for _, h := range []Host{{Name: "alpha", SSH: "x"}, {Name: "beta", SSH: "root@10.0.0.7"}, {Name: "-x", SSH: "x"}, {Name: "x", SSH: "-oProxyCommand=evil"}} {
		if got, err := AddHost("f", text, h); err == nil {
			t.Errorf("%+v was added:\n%s", h, got)
		}
	}
	if _, err := AddHost("f", []byte("hosts: ["), Host{Name: "a", SSH: "a"}); err == nil {
		t.Error("a file that is wrong was added to")
	}
}

func TestAFileIsReplacedWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "deep", "config.yaml")
	if err := SaveHost(link, Host{Name: "alpha", SSH: "alpha"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(link); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file has the mode %v, %v", info.Mode(), err)
	}
	if err := os.Rename(link, real); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(real, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := SaveHost(link, Host{Name: "beta", SSH: "beta"}); err != nil {
		t.Fatal(err)
	}
	c, err := Load(real, true, home)
	if err != nil || len(c.Hosts) != 2 {
		t.Errorf("%+v, %v", c.Hosts, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is a file now")
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".config-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Whatever the file is: a host is added and nothing else changes, or it is not touched.
func FuzzAddHost(f *testing.F) {
	f.Add([]byte(Example), "beta", "op@10.0.0.7")
	f.Add([]byte("hosts:\n- name: a\n  ssh: |\n    x\n"), "b", "y")
	f.Add([]byte("{hosts: [], ui: {mouse: false}}"), "b", "it's")
	f.Add([]byte("hosts: &x\n  - {name: a}\n"), "no", "true")
	f.Fuzz(func(t *testing.T, text []byte, name, to string) {
		got, err := AddHost("f", text, Host{Name: name, SSH: to})
		if err != nil {
			return
		}
		c, err := Parse("f", got, Config{})
		if err != nil || len(c.Hosts) == 0 || c.Hosts[len(c.Hosts)-1] != (Host{Name: name, SSH: to}) {
			t.Errorf("%q with %s and %s became %q: %+v, %v", text, name, to, got, c.Hosts, err)
		}
	})
}
