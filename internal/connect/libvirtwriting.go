package connect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"
	"syscall"
	"time"

	api "github.com/digitalocean/go-libvirt"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// LibvirtTune is a limit on one disk of a domain, inside qemu (blkdeviotune). Zero is no limit.
type LibvirtTune struct {
	TotalBytes uint64 `json:"totalBytes,omitempty"` // per second, as all of them
	ReadBytes  uint64 `json:"readBytes,omitempty"`
	WriteBytes uint64 `json:"writeBytes,omitempty"`
	TotalIOPS  uint64 `json:"totalIops,omitempty"`
	ReadIOPS   uint64 `json:"readIops,omitempty"`
	WriteIOPS  uint64 `json:"writeIops,omitempty"`
}

// values are the limits with the names that virsh and libvirt have for them. All six are always set, so that one that
// was set before cannot stay behind.
func (t LibvirtTune) values() []tuneValue {
	return []tuneValue{
		{"total_bytes_sec", t.TotalBytes},
		{"read_bytes_sec", t.ReadBytes},
		{"write_bytes_sec", t.WriteBytes},
		{"total_iops_sec", t.TotalIOPS},
		{"read_iops_sec", t.ReadIOPS},
		{"write_iops_sec", t.WriteIOPS},
	}
}

type tuneValue struct {
	name  string
	value uint64
}

// LibvirtDeed is one change to a domain.
type LibvirtDeed struct {
	Verb string // as virsh has it: start, shutdown, destroy, resume, blkdeviotune
	UUID string
	// Target, Tune, Live and Kept are of blkdeviotune: the disk, its limits, and whether they hold now, for the stored
	// definition, or both.
	Target     string
	Tune       LibvirtTune
	Live, Kept bool
}

// Argv is the command that does the same. It names the domain by its UUID: virsh takes a name that is a number for an id.
func (d LibvirtDeed) Argv() []string {
	argv := []string{"virsh", "-c", LibvirtURI, d.Verb, d.UUID}
	if d.Target == "" {
		return argv
	}
	argv = append(argv, d.Target)
	for _, v := range d.Tune.values() {
		argv = append(argv, "--"+strings.ReplaceAll(v.name, "_", "-"), strconv.FormatUint(v.value, 10))
	}
	if d.Live {
		argv = append(argv, "--live")
	}
	if d.Kept {
		argv = append(argv, "--config")
	}
	return argv
}

// deedTakes is how long libvirt may take: the start of a domain waits for its qemu.
const deedTakes = 2 * time.Minute

// Libvirted does one deed on a domain of the machine's libvirt, over its read-write socket; where there is none, through
// virsh. A Lost error leaves open whether it was done.
func (m Machine) Libvirted(ctx context.Context, d LibvirtDeed) error {
	paths := socketsOf(m.Root, "")
	if m.Libvirt != "" {
		paths = []string{m.Libvirt}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deedTakes, errors.New("no answer within "+deedTakes.String()))
	defer cancel()
	allowed := libvirtReads()
	maps.Copy(allowed, map[uint32]bool{
		procDomainCreate: true, procDomainShutdown: true, procDomainDestroy: true, procDomainResume: true, procDomainTune: true,
	})
	wire, err := dialLibvirt(ctx, paths, "", allowed)
	switch {
	case err == nil:
		defer wire.close()
		return d.over(ctx, wire)
	case ctx.Err() == nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return m.virsh(ctx, d, err)
	}
	return err
}

func (d LibvirtDeed) over(ctx context.Context, wire *libvirtWire) error {
	domain := domainOf(d.UUID)
	err := wire.call(ctx, "virsh "+d.Verb, func(c *api.Libvirt) error {
		switch d.Verb {
		case "start":
			return c.DomainCreate(domain)
		case "shutdown":
			return c.DomainShutdown(domain)
		case "destroy":
			return c.DomainDestroyFlags(domain, 0)
		case "resume":
			return c.DomainResume(domain)
		case "blkdeviotune":
			return c.DomainSetBlockIOTune(domain, d.Target, d.params(), d.flags())
		}
		return api.Error{Message: "strata does not know how to " + d.Verb}
	})
	var told api.Error
	switch {
	case err == nil || errors.As(err, &told) && !denied(err):
		return err
	case denied(err):
		return &fleet.Trouble{Doing: "acting on libvirt at " + wire.path, Cause: err, Fix: rightsForLibvirt}
	}
	return &Lost{err}
}

func (d LibvirtDeed) params() (all []api.TypedParam) {
	for _, v := range d.Tune.values() {
		all = append(all, api.TypedParam{Field: v.name, Value: *api.NewTypedParamValueUllong(v.value)})
	}
	return all
}

func (d LibvirtDeed) flags() (flags uint32) {
	if d.Live {
		flags |= uint32(api.DomainAffectLive)
	}
	if d.Kept {
		flags |= uint32(api.DomainAffectConfig)
	}
	return flags
}

const rightsForLibvirt = "as a member of group libvirt, or with a polkit rule for org.libvirt.unix.manage, or as root"

// virsh does a deed through the program. noSocket is why it is not done over the socket.
func (m Machine) virsh(ctx context.Context, d LibvirtDeed, noSocket error) error {
	if m.Run == nil {
		return fmt.Errorf("connecting to libvirt of %s: %w", m.Name, noSocket)
	}
	r, err := m.Run(ctx, sh.Cmd{Argv: d.Argv(), Deadline: deedTakes})
	switch {
	case errors.Is(err, sh.ErrMissing):
		return fmt.Errorf("connecting to libvirt of %s: %w; virsh is not installed either", m.Name, noSocket)
	case err != nil:
		return &Lost{fmt.Errorf("virsh %s: %w", d.Verb, err)}
	case r.Code == 0:
		return nil
	}
	said := fmt.Errorf("virsh %s: %s", d.Verb, VirshSaid(r.Stderr))
	for _, lost := range []string{"End of file while reading data", "Disconnected from", "client socket is closed", "keepalive"} {
		if strings.Contains(r.Stderr, lost) {
			return &Lost{said}
		}
	}
	for _, no := range []string{"authentication", "Permission denied", "access denied"} {
		if strings.Contains(r.Stderr, no) {
			return &fleet.Trouble{Doing: "acting on libvirt of " + m.Name, Cause: said, Fix: rightsForLibvirt}
		}
	}
	return said
}

// VirshSaid joins the lines of virsh's errors, without their prefix.
func VirshSaid(stderr string) string {
	var parts []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "error:")); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, ": ")
}
