package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// FlavorQuota sets the disk limits that servers made with a flavor get (POST and DELETE /flavors/{id}/os-extra_specs).
// Each value is the text of an extra spec: "" leaves it as it is, "none" takes it away.
type FlavorQuota struct {
	Source     string `json:"source"`
	ID         string `json:"id"`
	ReadBytes  string `json:"readBytesSec,omitempty"`
	WriteBytes string `json:"writeBytesSec,omitempty"`
	TotalBytes string `json:"totalBytesSec,omitempty"`
	ReadIOPS   string `json:"readIopsSec,omitempty"`
	WriteIOPS  string `json:"writeIopsSec,omitempty"`
	TotalIOPS  string `json:"totalIopsSec,omitempty"`
}

// noQuota takes a limit away.
const noQuota = "none"

// quotas are the values by the name of their param; the extra spec is "quota:disk_" and that.
func (a *FlavorQuota) quotas() map[string]*string {
	return map[string]*string{
		"read_bytes_sec": &a.ReadBytes, "write_bytes_sec": &a.WriteBytes, "total_bytes_sec": &a.TotalBytes,
		"read_iops_sec": &a.ReadIOPS, "write_iops_sec": &a.WriteIOPS, "total_iops_sec": &a.TotalIOPS,
	}
}

func quotaParams() (all []Param) {
	for _, name := range []string{"read_bytes_sec", "write_bytes_sec", "total_bytes_sec", "read_iops_sec", "write_iops_sec", "total_iops_sec"} {
		help := "operations per second"
		if strings.Contains(name, "bytes") {
			help = "bytes per second: 2M is 2000000, 2Mi is 2097152"
		}
		all = append(all, Param{Name: name, Help: help + "; empty leaves it, none takes it away"})
	}
	return all
}

// newFlavorQuota reads the limits.
func newFlavorQuota(r fleet.Ref, args Args) (Action, error) {
	a := FlavorQuota{Source: r.Source, ID: r.Name}
	for name, value := range a.quotas() {
		text := args[name]
		if text == "" || text == noQuota {
			*value = text
			continue
		}
		n, err := amount(text, strings.Contains(name, "bytes"))
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, text, err)
		}
		*value = strconv.FormatUint(n, 10)
	}
	return a, nil
}

// amount reads "2M", "10MB", "2MiB/s", "500": with k, M, G, T for thousands as systemd and disk makers count, and Ki, Mi,
// Gi, Ti. No limit is none, not 0.
func amount(text string, bytes bool) (uint64, error) {
	number := strings.TrimRight(text, "kKmMgGtTiBbs/ ")
	n, err := strconv.ParseFloat(number, 64)
	unit := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text[len(number):])), "/s")
	if bytes {
		unit = strings.TrimSuffix(unit, "b")
	}
	scale, known := map[string]float64{
		"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
	}[unit]
	switch {
	case err != nil || !known:
		return 0, errors.New("it is no number such as 500, 2M or 10MiB")
	case !(n*scale >= 1 && n*scale <= 1<<53): // not a number is neither
		return 0, errors.New("it must be at least 1; none takes the limit away")
	}
	return uint64(n * scale), nil
}

// Name is flavor-quota.
func (a FlavorQuota) Name() string { return "flavor-quota" }

// Target is the flavor.
func (a FlavorQuota) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindFlavor, Source: a.Source, Name: a.ID}
}

// changes are the extra specs to set, and those to take away, in order.
func (a FlavorQuota) changes() (set map[string]string, drop []string) {
	set = map[string]string{}
	for name, value := range a.quotas() {
		switch key := "quota:disk_" + name; *value {
		case "":
		case noQuota:
			drop = append(drop, key)
		default:
			set[key] = *value
		}
	}
	slices.Sort(drop)
	return set, drop
}

// Plan says who does not get it: a server keeps the flavor it was made with.
func (a FlavorQuota) Plan(s *fleet.Snapshot) Plan {
	p := Plan{Action: a, Title: "set disk limits of flavor " + a.ID}
	f, ok := fleet.Find[*fleet.Flavor](s, a.Target())
	if !ok {
		p.Command = a.command(a.ID)[0]
		p.Refused = []string{"no such flavor is seen in " + a.Source}
		return p
	}
	commands := a.command(f.Name)
	p.Title, p.Command, p.Now = "set disk limits of flavor "+f.Name, commands[0], quotaNow(f)
	if len(commands) > 1 {
		p.Effects = append(p.Effects, "and: "+strings.Join(commands[1], " "))
	}
	p.Effects = append(p.Effects,
		fmt.Sprintf("servers made with or resized to %s from now on get these limits on each of their disks", f.Name), a.without(s, f),
		"the bus and the cache mode are no keys of a flavor: the bus is the image's hw_disk_bus, the cache mode disk_cachemodes in nova.conf of the host")
	for _, key := range []string{"hw:disk_bus", "hw:cache_mode"} {
		if value, has := f.Extra[key]; has {
			p.Against = append(p.Against, fmt.Sprintf("it has %s=%s, which nova ignores", key, value))
		}
	}
	p.Refused = a.refuses(f)
	p.Against = append(append(p.Against, old(s, a.Target())...), against(s, a)...)
	p.Undo = a.before(f)
	return p
}

// command is what a person would type: one line sets, another takes away.
func (a FlavorQuota) command(name string) (all [][]string) {
	set, drop := a.changes()
	if len(set) > 0 || len(drop) == 0 {
		argv := openstackArgv(a.Source, "flavor", "set")
		for _, key := range slices.Sorted(maps.Keys(set)) {
			argv = append(argv, "--property", key+"="+set[key])
		}
		all = append(all, append(argv, name))
	}
	if len(drop) > 0 {
		argv := openstackArgv(a.Source, "flavor", "unset")
		for _, key := range drop {
			argv = append(argv, "--property", key)
		}
		all = append(all, append(argv, name))
	}
	return all
}

func quotaNow(f *fleet.Flavor) string {
	var has []string
	for _, key := range slices.Sorted(maps.Keys(f.Extra)) {
		if strings.HasPrefix(key, "quota:disk_") {
			has = append(has, key+"="+f.Extra[key])
		}
	}
	if len(has) == 0 {
		return "it limits no disks"
	}
	return strings.Join(has, " ")
}

// without names the servers that keep the limits they have.
func (a FlavorQuota) without(s *fleet.Snapshot, f *fleet.Flavor) string {
	const most = 8
	var names []string
	for sv := range fleet.All[*fleet.Server](s, fleet.KindServer) {
		if f.Made(sv) {
			names = append(names, sv.Name)
		}
	}
	if len(names) == 0 {
		return "no server that is seen was made with it"
	}
	slices.Sort(names)
	if n := len(names); n > most {
		names = append(names[:most], fmt.Sprintf("and %d more", n-most))
	}
	return "not these, which keep the flavor they were made with until they are resized to it: " + strings.Join(names, ", ")
}

// refuses a change of nothing, and what no server could be started with: libvirt takes a total or a limit for each
// direction, not both.
func (a FlavorQuota) refuses(f *fleet.Flavor) (why []string) {
	set, drop := a.changes()
	if len(set)+len(drop) == 0 {
		return []string{"nothing is asked for: give at least one limit"}
	}
	after := maps.Clone(f.Extra)
	if after == nil {
		after = map[string]string{}
	}
	maps.Copy(after, set)
	for _, key := range drop {
		if _, has := after[key]; !has {
			why = append(why, "it has no "+key+" to take away")
		}
		delete(after, key)
	}
	if len(why) == 0 && maps.Equal(after, f.Extra) {
		why = append(why, "it has these limits already")
	}
	for _, unit := range []string{"bytes_sec", "iops_sec"} {
		total := "quota:disk_total_" + unit
		for _, way := range []string{"read", "write"} {
			key := "quota:disk_" + way + "_" + unit
			if after[total] != "" && after[key] != "" {
				why = append(why, fmt.Sprintf("libvirt starts no server with both %s and %s: take one away (=none)", total, key))
			}
		}
	}
	return why
}

// before is the action that puts back what the flavor has now.
func (a FlavorQuota) before(f *fleet.Flavor) Action {
	undo := FlavorQuota{Source: a.Source, ID: a.ID}
	was := undo.quotas()
	for name, value := range a.quotas() {
		if *value == "" {
			continue
		}
		*was[name] = noQuota
		if had, ok := f.Extra["quota:disk_"+name]; ok {
			*was[name] = had
		}
	}
	return undo
}

// apply takes away first, then sets. What was done before it failed is said.
func (a FlavorQuota) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	cloud, err := hands.writing.OpenStack(a.Source)
	if err != nil {
		return err
	}
	doing := "setting disk limits of flavor " + a.ID
	client, err := cloud.Compute(ctx, 86) // from there on Nova looks at the values
	if err != nil {
		return inWords(ctx, cloud, "admin", doing, err)
	}
	specs := client.ServiceURL("flavors", url.PathEscape(a.ID), "os-extra_specs")
	set, drop := a.changes()
	var gone []string
	for _, key := range drop {
		_, err := client.Delete(ctx, specs+"/"+url.PathEscape(key), &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusNoContent}})
		if answer, ok := connect.AnswerOf(err); ok && answer.Status == http.StatusNotFound {
			err = nil // it is gone already
		}
		if err != nil {
			return partly(gone, inWords(ctx, cloud, "admin", doing, err))
		}
		gone = append(gone, key)
	}
	if len(set) == 0 {
		return nil
	}
	if _, err := client.Post(ctx, specs, map[string]any{"extra_specs": set}, nil, okOrAccepted()); err != nil {
		return partly(gone, inWords(ctx, cloud, "admin", doing, err))
	}
	return nil
}

// partly says what was done before an error.
func partly(gone []string, err error) error {
	if len(gone) == 0 {
		return err
	}
	return fmt.Errorf("%w; taken away before that: %s", err, strings.Join(gone, ", "))
}

// seen compares the flavor's extra specs.
func (a FlavorQuota) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	f, ok := fleet.Find[*fleet.Flavor](s, a.Target())
	if !ok {
		return failed, "the flavor is gone"
	}
	set, drop := a.changes()
	for key, value := range set {
		if f.Extra[key] != value {
			return waiting, quotaNow(f)
		}
	}
	for _, key := range drop {
		if _, has := f.Extra[key]; has {
			return waiting, quotaNow(f)
		}
	}
	return done, quotaNow(f)
}
