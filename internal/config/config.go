// Package config reads strata's own settings: what to watch, how often, and how the screen looks. Secrets are not
// among them; those stay in clouds.yaml, kubeconfig and ssh-agent. It must not look at the world beyond its file.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// Config is what the file says, with the defaults for what it does not.
type Config struct {
	ReadOnly bool     // the cockpit starts without hands
	Write    Write    // whether a cockpit with hands may use them at once
	Clouds   []string // of clouds.yaml; none means those the OpenStack clients would take
	Contexts []string // of the kubeconfig; none means the current one
	Hosts    []Host   // other machines, watched over ssh
	Checks   []Check  // endpoints that are dialled
	// Prometheus are those that watch machines for a fleet beyond ssh.
	Prometheus []Prometheus
	Who        string // who acts, for the audit log; "" is found out. No key of the file.
	Poll       Poll
	UI         UI
	Audit      Audit
}

// Write is when a cockpit that is not read-only may act.
type Write string

// Values of Write.
const (
	Always Write = "always" // from its start on
	Ask    Write = "ask"    // once its reader says :write
)

// Host is a machine that is watched over ssh.
type Host struct {
	Name string // what it is called; letters, digits, dots, dashes and underscores
	SSH  string // what ssh takes: user@machine, or a Host of ~/.ssh/config
	Sudo bool   // start the agent there with sudo -n
	// Allow is which actions may be done there, by their names with blanks between; "" is all.
	Allow string
}

// Check is an endpoint that is dialled.
type Check struct {
	fleet.Endpoint
	From string // the name under Hosts of the machine that dials; "" is this one
}

// ParseHost reads a host as a flag has it: NAME=DESTINATION, or a destination whose machine is the name.
func ParseHost(s string) (Host, error) {
	name, to, named := strings.Cut(s, "=")
	if !named {
		to = s
		name = s[strings.LastIndex(s, "@")+1:]
	}
	h := Host{Name: name, SSH: to}
	return h, h.Fault()
}

// Fault says what is wrong with a host, nil when it can be connected to.
func (h Host) Fault() error {
	if !isName(h.Name) {
		return fmt.Errorf("%q is no name for a host: letters, digits, dots, dashes and underscores", h.Name)
	}
	if h.SSH == "" || strings.HasPrefix(h.SSH, "-") || strings.ContainsAny(h.SSH, " \t\r\n") {
		return fmt.Errorf("%q is nothing that ssh takes as a destination", h.SSH)
	}
	return nil
}

// Poll is how often the sources look.
type Poll struct {
	OpenStack time.Duration // changed servers; the lists that cost more are asked for less often
	Host      time.Duration // load, temperatures and disk rates
	Smart     time.Duration // SMART of each disk
	// Prometheus is for what it has of all machines, and alerts; filesystems and what is slower take four times as long.
	Prometheus time.Duration
}

// UI is how the screen looks.
type UI struct {
	ASCII bool // draw with ASCII characters only; otherwise it is found out
	Mouse bool
}

// Audit is the log of what was done.
type Audit struct {
	Path string // absolute
}

// The least a poll may take: below it the looking would be a load of its own.
const (
	LeastOpenStack  = 2 * time.Second
	leastHost       = time.Second
	leastSmart      = time.Minute
	leastPrometheus = 5 * time.Second
)

// Default is the configuration without a file.
func Default(getenv func(string) string) Config {
	return Config{
		Write: Always,
		Poll:  Poll{OpenStack: 5 * time.Second, Host: 2 * time.Second, Smart: 5 * time.Minute, Prometheus: 15 * time.Second},
		UI:    UI{Mouse: true},
		Audit: Audit{Path: filepath.Join(StateDir(getenv), "audit.jsonl")},
	}
}

// Path is where the file is looked for: $XDG_CONFIG_HOME/strata/config.yaml.
func Path(getenv func(string) string) string {
	return filepath.Join(xdg(getenv, "XDG_CONFIG_HOME", ".config"), "strata", "config.yaml")
}

// StateDir is where the audit log and the program's own log are: $XDG_STATE_HOME/strata.
func StateDir(getenv func(string) string) string {
	return filepath.Join(xdg(getenv, "XDG_STATE_HOME", ".local/state"), "strata")
}

// xdg is a base folder of the XDG specification, which says that relative paths in its variables are ignored.
func xdg(getenv func(string) string, variable, below string) string {
	if dir := getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	home := getenv("HOME")
	if home == "" {
		home = "/root" // a login without HOME: a rescue shell, an init script
	}
	return filepath.Join(home, below)
}

// Load reads the file at path. When it was not asked for by name, a missing one is as good as an empty one.
func Load(path string, named bool, getenv func(string) string) (Config, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return Default(getenv), nil
	case err != nil:
		return Config{}, &fleet.Trouble{
			Doing: "reading the configuration", Cause: err,
			Fix: sh.Quote("strata", "config", "init", path) + " writes one to start from",
		}
	}
	return Parse(path, text, Default(getenv))
}
