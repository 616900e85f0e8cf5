package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata/internal/config"
	"strata/internal/connect"
	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/plain"
	"strata/internal/sh"
)

type hostsOptions struct {
	options
	wait         time.Duration
	sudo, dryRun bool
}

func (p *program) hostsVerb() *cobra.Command {
	var list, add hostsOptions
	verb := &cobra.Command{
		Use:   "hosts",
		Short: "List the machines that are watched over ssh, and those that are known and could be",
		Long: `hosts lists the machines of the configuration, and below them those that the clouds, clusters and libvirts in view tell of
and that are not watched: hypervisors of Nova, nodes of Kubernetes, running domains. It reads as snapshot does and starts
no agent.`,
		Example: `  strata hosts
  strata hosts add openstack-host=root@10.0.0.2
  strata hosts add --sudo op@10.0.0.28`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(p.listHosts(c.Context(), list)) },
	}
	list.looking(verb)
	verb.Flags().DurationVar(&list.wait, "wait", 10*time.Second, "how long to wait for answers")
	one := &cobra.Command{
		Use:   "add [NAME=]DESTINATION",
		Short: "Try a machine over ssh, show what can be read there, and write it into the configuration",
		Long: `add reaches a machine with the system's own ssh, as the cockpit would: it asks nothing. It copies strata into the cache
folder of the user there, starts its agent, and prints what can be read, what cannot and what would grant it, how far the
clock is off and what the agent costs. Then it adds the machine to the configuration and leaves the rest of that file
as it is. What cannot be reached is not written.

DESTINATION is what ssh takes: user@machine, or a Host of ~/.ssh/config.`,
		Example: `  strata hosts add root@10.0.0.2
  strata hosts add openstack-host=root@10.0.0.2
  strata hosts add --sudo --dry-run op@10.0.0.28`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return failed(p.addHost(c.Context(), add, args[0])) },
	}
	f := one.Flags()
	f.BoolVar(&add.sudo, "sudo", false, "start the agent there with sudo -n, so that it can read all")
	f.BoolVar(&add.dryRun, "dry-run", false, "only show; write nothing")
	f.StringVar(&add.config, "config", "", "write into this configuration `file`")
	f.DurationVar(&add.wait, "wait", 2*time.Minute, "how long to wait for the first answers; a slow link carries strata itself first")
	verb.AddCommand(one)
	return verb
}

func (p *program) listHosts(ctx context.Context, o hostsOptions) error {
	c, err := p.settings(o.options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	at := here(c, o.noHost)
	at.remotes = nil
	a := assemble(at, c, choice{fleet.KindHypervisor, fleet.KindNode, fleet.KindHost, fleet.KindDomain}.wanted)
	s, err := a.once(ctx, a.awaited)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	if len(c.Hosts) == 0 {
		fmt.Fprintln(out, "no machine is configured: strata hosts add NAME=user@machine")
	}
	for _, h := range c.Hosts {
		notes := ""
		if h.Sudo {
			notes = "sudo"
		}
		fmt.Fprintf(out, "%-24s %-32s %s\n", h.Name, h.SSH, strings.TrimSpace(notes+" "+h.Allow))
	}
	known := slices.DeleteFunc(diagnose.Unwatched(s), func(m diagnose.Machine) bool {
		return slices.ContainsFunc(c.Hosts, func(h config.Host) bool { return goesTo(h, m) })
	})
	if len(known) > 0 {
		fmt.Fprintln(out, "\nknown and not watched:")
	}
	for _, m := range known {
		fmt.Fprintf(out, "%-24s %-32s %s\n", plain.Text(m.Name), plain.Text(cmp.Or(m.Address, "no address is told")), plain.Text(strings.Join(m.How, ", ")))
	}
	unseen := map[string]bool{}
	for i := range s.Parts {
		if q := &s.Parts[i]; q.Err != "" && !q.Unconfigured && !unseen[q.Source] {
			unseen[q.Source] = true
			fmt.Fprintf(p.stderr, "strata: what %s knows cannot be seen: %s\n", plain.Text(q.Source), plain.Text(q.Err))
		}
	}
	return out.Flush()
}

// goesTo reports whether a configured host is that machine.
func goesTo(h config.Host, m diagnose.Machine) bool {
	to := h.SSH[strings.LastIndex(h.SSH, "@")+1:]
	return sameMachine(h.Name, m.Name) || to == m.Address && to != "" || sameMachine(to, m.Name)
}

func (p *program) addHost(ctx context.Context, o hostsOptions, text string) error {
	h, err := config.ParseHost(text)
	if err != nil {
		return &exit{exitUsage, &fleet.Trouble{Doing: err.Error(), Fix: "write it as NAME=user@machine"}}
	}
	h.Sudo = o.sudo
	path := cmp.Or(o.config, config.Path(p.getenv))
	c, err := config.Load(path, false, p.getenv) // one that is not there is made
	if err != nil {
		return &exit{exitUsage, &fleet.Trouble{Doing: err.Error(), Fix: fixConfig(path, err)}}
	}
	if err := c.Taken(h); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	speaks, err := p.tryHost(ctx, h)
	switch {
	case err != nil:
		return err
	case !speaks:
		return &exit{code: exitFailed}
	case o.dryRun:
		_, err = fmt.Fprintf(p.stdout, "would be written into %s: %s\n", path, h)
		return err
	}
	if err := config.SaveHost(path, h); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "written into %s: %s\n", path, h)
	return err
}

// How long a new agent is watched for what it costs, and how often it tells that.
const (
	trialFor  = 3 * time.Second
	trialBeat = time.Second
)

// tryHost watches a machine for a moment and prints what can be seen there. It reports whether its agent speaks.
func (p *program) tryHost(ctx context.Context, h config.Host) (speaks bool, err error) {
	remote := connect.Remote{Name: h.Name, Destination: h.SSH, Sudo: h.Sudo}
	a := assemble(places{remotes: []connect.Remote{remote}, beat: trialBeat}, config.Default(p.getenv), agentKinds)
	s, err := a.during(ctx, func(ctx context.Context) *fleet.Snapshot {
		a.settled(ctx, a.awaited)
		trial, done := context.WithTimeout(ctx, trialFor)
		defer done()
		return a.until(trial, func(s *fleet.Snapshot) bool {
			agent, ok := fleet.Find[*fleet.Agent](s, fleet.Ref{Kind: fleet.KindAgent, Source: "agent/" + h.Name, Name: h.Name})
			return ok && agent.State != "connected"
		})
	})
	if err != nil {
		return false, err
	}
	r, subject := &report{}, &of{subject: "host " + remote.Name + " (" + sh.Quote(remote.Destination) + ")"}
	if speaks = examineRemote(subject, s, remote); speaks {
		r.addScopes(subject, s, "host/"+remote.Name, answers(s, a.awaited, 0))
	}
	r.Checks = subject.checks
	return speaks, r.printChecks(p.stdout)
}
