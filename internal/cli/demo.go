package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"strata/internal/connect"
	"strata/internal/fake/incident"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources/host"
)

type demoOptions struct {
	options
	speed float64
	quiet bool
}

func (p *program) demoVerb() *cobra.Command {
	var o demoOptions
	verb := &cobra.Command{
		Use:   "demo",
		Short: "Open the cockpit over a simulated cloud that breaks",
		Long: `demo plays a small private cloud on this machine: Nova, Kubernetes and four hosts, spoken to over HTTP on the loopback
and read from files in a temporary folder. It breaks as a real one did, and it can be repaired. Nothing outside is
looked at or changed.`,
		Example: `  strata demo
  strata demo --speed 5          five times as fast
  strata demo --quiet-start      all is well for two minutes`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(p.demo(c.Context(), o)) },
	}
	f := verb.Flags()
	f.Float64Var(&o.speed, "speed", 1, "how fast it goes")
	f.BoolVar(&o.quiet, "quiet-start", false, "let all be well for two minutes first")
	o.drawing(verb)
	return verb
}

func (p *program) demo(ctx context.Context, o demoOptions) (err error) {
	if o.speed <= 0 {
		return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("--speed %g is no speed", o.speed), Fix: "choose a number above 0, such as 2"}}
	}
	t, err := p.terminal()
	if err != nil {
		return err
	}
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	dir, err := incident.Folder()
	if err != nil {
		return err
	}
	world, err := incident.Start(ctx, incident.Options{Speed: o.speed, Quiet: o.quiet, Dir: dir})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	clear := sync.OnceValue(func() error {
		world.Stop()
		return os.RemoveAll(dir)
	})
	t.atLast(func() { _ = clear() }) // nobody is left to tell
	defer func() { err = errors.Join(err, clear()) }()

	// What the operator set for their own clouds does not hold here, and their audit log is no place for play.
	c.ReadOnly, c.Audit.Path = o.readOnly, filepath.Join(dir, "audit.jsonl")
	why := ""
	if o.readOnly {
		why = "started with --read-only"
	}
	if err := p.open(ctx, t, c, why, placesOf(world, dir)); err != nil {
		return err
	}
	return world.Err()
}

// placesOf are the endpoints and machines of the simulated cloud.
func placesOf(world *incident.World, dir string) places {
	env := map[string]string{"OS_CLIENT_CONFIG_FILE": world.CloudsYAML, "KUBECONFIG": world.Kubeconfig}
	getenv := func(name string) string { return env[name] }
	at := places{
		simulated: true,
		marks:     filepath.Join(dir, "marks.json"),
		openstack: connect.Search{Getenv: getenv, Dir: dir, Home: dir, System: dir},
		kube:      connect.KubeSearch{Getenv: getenv, Home: dir},
	}
	// Who dials is the machine on which the cloud's users come in.
	at.name = world.Machines[0].Name
	at.checks = map[string][]fleet.Endpoint{at.name: world.Endpoints}
	for _, m := range world.Machines {
		run := simulated(m.Simulated)
		at.hosts = append(at.hosts, host.Config{Name: m.Name, Root: m.Root, Smartctl: m.Smartctl, Statfs: m.Statfs, Run: run})
		at.libvirts = append(at.libvirts, connect.LibvirtAt{Name: m.Name, Root: m.Root, Run: run})
		at.machines = append(at.machines, connect.Machine{Name: m.Name, Root: m.Root, Run: run, Bus: m.Bus})
	}
	return at
}

// simulated runs the programs of a simulated machine.
func simulated(m *machine.Machine) func(context.Context, sh.Cmd) (sh.Result, error) {
	return func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
		if c.Deadline > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, c.Deadline, sh.ErrDeadline)
			defer cancel()
		}
		stdout, stderr, code, err := m.Program(ctx, c.Argv...)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("starting %s: %w", c.Argv[0], sh.ErrMissing)
		}
		return sh.Result{Stdout: stdout, Stderr: strings.TrimSpace(string(stderr)), Code: code}, err
	}
}
