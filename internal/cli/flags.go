package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// options are the flags that several verbs share. A flag beats the configuration file.
type options struct {
	clouds, contexts []string
	hosts            []string
	config           string
	interval         time.Duration
	noHost           bool
	readOnly         bool
	ascii, noMouse   bool

	why string // why the cockpit is read-only, when its verb makes it so
}

// looking are the flags that say what is looked at.
func (o *options) looking(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.clouds, "cloud", nil, "watch this cloud of clouds.yaml (may repeat; envvars is that of the OS_* variables)")
	f.StringArrayVar(&o.contexts, "context", nil, "watch this context of the kubeconfig (may repeat)")
	f.StringArrayVar(&o.hosts, "host", nil, "watch this machine over ssh too: `[NAME=]DESTINATION` (may repeat)")
	f.StringVar(&o.config, "config", "", "read this configuration `file`")
	f.DurationVar(&o.interval, "interval", 0, "how often to ask OpenStack for what changed, 2s or more (default 5s)")
	f.BoolVar(&o.noHost, "no-host", false, "do not watch the machine strata runs on")
	// Completion is a service: without it the flags work all the same.
	_ = c.RegisterFlagCompletionFunc("cloud", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		found, _ := connect.Clouds(connect.SearchHere())
		for _, cloud := range found {
			names = append(names, cloud.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// cockpit are the flags of the cockpit.
func (o *options) cockpit(c *cobra.Command) {
	o.looking(c)
	o.drawing(c)
}

// drawing are the flags that say how the cockpit looks and whether it can act.
func (o *options) drawing(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.ascii, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.noMouse, "no-mouse", false, "leave the mouse to the terminal")
	f.BoolVar(&o.readOnly, "read-only", false, "start without the ability to change anything")
}

// settings joins the flags with the configuration file.
func (p *program) settings(o options) (config.Config, error) {
	path, named := o.config, o.config != ""
	if !named {
		path = config.Path(p.getenv)
	}
	c, err := config.Load(path, named, p.getenv)
	if err != nil {
		return config.Config{}, &exit{exitUsage, &fleet.Trouble{Doing: err.Error(), Cause: nil, Fix: fixConfig(path, err)}}
	}
	if o.interval != 0 && o.interval < config.LeastOpenStack {
		return config.Config{}, &exit{exitUsage, &fleet.Trouble{
			Doing: fmt.Sprintf("--interval %s is too often", o.interval),
			Fix:   fmt.Sprintf("the least is %s", config.LeastOpenStack),
		}}
	}
	if o.interval != 0 {
		c.Poll.OpenStack = o.interval
	}
	if len(o.clouds) > 0 {
		c.Clouds = o.clouds
	}
	if len(o.contexts) > 0 {
		c.Contexts = o.contexts
	}
	for _, one := range o.hosts {
		h, err := config.ParseHost(one)
		if err != nil {
			return config.Config{}, &exit{exitUsage, &fleet.Trouble{Doing: "--host: " + err.Error(), Fix: "write it as NAME=user@machine"}}
		}
		c.Hosts = append(slices.DeleteFunc(c.Hosts, func(o config.Host) bool { return o.Name == h.Name }), h)
	}
	c.ReadOnly = c.ReadOnly || o.readOnly
	c.UI.ASCII = c.UI.ASCII || o.ascii
	c.UI.Mouse = c.UI.Mouse && !o.noMouse
	return c, nil
}

func fixConfig(path string, err error) string {
	if fix := fleet.FixOf(err); fix != "" {
		return fix
	}
	return sh.Quote("strata", "config", "check", path) + " shows the place"
}
