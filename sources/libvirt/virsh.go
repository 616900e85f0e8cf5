package libvirt

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// virsh reads through the program of that name, with -r on a read-only connection.
type virsh struct{ at connect.LibvirtAt }

func (v virsh) run(ctx context.Context, args ...string) (string, error) {
	if v.at.Run == nil {
		return "", sh.ErrMissing
	}
	uri := v.at.URI
	if uri == "" {
		uri = connect.LibvirtURI
	}
	argv := append([]string{"virsh", "-r", "-q", "-c", uri}, args...)
	r, err := v.at.Run(ctx, sh.Cmd{Argv: argv, Deadline: patience, MaxOut: 16 << 20})
	switch {
	case err != nil:
		return "", err
	case r.Code == 0:
		return string(r.Stdout), nil
	case strings.Contains(r.Stderr, "failed to get domain") || strings.Contains(r.Stderr, "Domain not found"):
		return "", fmt.Errorf("virsh %s: %w", args[0], fs.ErrNotExist)
	case strings.Contains(r.Stderr, "Failed to connect socket") && strings.Contains(r.Stderr, "No such file"):
		return "", fmt.Errorf("virsh %s: no socket: %w", args[0], fs.ErrNotExist)
	case strings.Contains(r.Stderr, "authentication") || strings.Contains(r.Stderr, "Permission denied"):
		return "", &fleet.Trouble{
			Doing: "virsh " + args[0], Cause: fmt.Errorf("%s", connect.VirshSaid(r.Stderr)),
			Fix: "as a member of group libvirt, or with a polkit rule for org.libvirt.unix.monitor, or as root",
		}
	}
	return "", fmt.Errorf("virsh %s: %s (exit code %d)", args[0], connect.VirshSaid(r.Stderr), r.Code)
}

// try reports whether virsh is there and gets an answer.
func (v virsh) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	_, err := v.run(ctx, "list", "--all", "--uuid")
	return err
}

func (v virsh) Domains(ctx context.Context) ([]connect.LibvirtDomain, error) {
	list, err := v.run(ctx, "list", "--all", "--uuid", "--name")
	if err != nil {
		return nil, err
	}
	stats, err := v.run(ctx, "domstats", "--nowait")
	if err != nil {
		return nil, err
	}
	counted := parseDomstats(stats)
	var all []connect.LibvirtDomain
	for _, d := range parseList(list) {
		// One that came or went between the two calls shows at the next look.
		if d.Stats = counted[d.Name]; d.Stats != nil {
			all = append(all, d)
		}
	}
	return all, nil
}

func (v virsh) XML(ctx context.Context, uuid string, stored bool) (string, error) {
	args := []string{"dumpxml", uuid}
	if stored {
		args = append(args, "--inactive")
	}
	return v.run(ctx, args...)
}

func (v virsh) Kept(ctx context.Context) (persistent, autostart map[string]bool, err error) {
	list := func(which string) (map[string]bool, error) {
		text, err := v.run(ctx, "list", "--all", which, "--uuid")
		all := map[string]bool{}
		for _, uuid := range strings.Fields(text) {
			all[uuid] = true
		}
		return all, err
	}
	if persistent, err = list("--persistent"); err != nil {
		return nil, nil, err
	}
	autostart, err = list("--autostart")
	return persistent, autostart, err
}

func (v virsh) BlockErrors(ctx context.Context, uuid string) (map[string]string, error) {
	text, err := v.run(ctx, "domblkerror", uuid)
	return parseBlockErrors(text), err
}

// Close: each call is a process of its own.
func (v virsh) Close() {}

// parseList reads `virsh list --uuid --name`: a UUID, white space and a name, which may hold white space itself.
func parseList(text string) (all []connect.LibvirtDomain) {
	for line := range strings.Lines(text) {
		uuid, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if name = strings.TrimSpace(name); ok && len(uuid) == 36 && strings.Trim(uuid, "0123456789abcdefABCDEF-") == "" && name != "" {
			all = append(all, connect.LibvirtDomain{Name: name, UUID: strings.ToLower(uuid)})
		}
	}
	return all
}

// parseDomstats reads `virsh domstats`: a line with each domain's name in quotes, then its values.
func parseDomstats(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	var stats map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "Domain: '"); ok {
			stats = map[string]string{}
			all[strings.TrimSuffix(strings.TrimRight(name, " "), "'")] = stats
			continue
		}
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && stats != nil {
			stats[key] = value
		}
	}
	return all
}

// parseBlockErrors reads `virsh domblkerror`: "vda: no space", or that there are none.
func parseBlockErrors(text string) map[string]string {
	words := map[string]string{}
	for line := range strings.Lines(text) {
		if disk, word, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && word != "" && word != "no error" {
			words[disk] = word
		}
	}
	return words
}
