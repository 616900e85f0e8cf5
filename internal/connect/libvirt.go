package connect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	api "github.com/digitalocean/go-libvirt"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// LibvirtURI is the libvirt that is looked at and acted on: the system's, of QEMU.
const LibvirtURI = "qemu:///system"

// LibvirtAt is where a machine's libvirt is. The zero value is the machine strata runs on.
type LibvirtAt struct {
	Name string // of the machine, for messages
	Root string // a folder that holds its run; "" is the real machine
	// Sockets are those of its daemon for reading; none is the usual ones, below Root.
	Sockets []string
	// Run runs virsh there where no socket answers. Nil has none.
	Run func(context.Context, sh.Cmd) (sh.Result, error)
	// URI is LibvirtURI when empty.
	URI string
}

// Paths are the sockets that are tried, in this order: of the QEMU daemon alone, and of the one for all drivers.
func (at LibvirtAt) Paths() []string {
	if len(at.Sockets) > 0 {
		return at.Sockets
	}
	return socketsOf(at.Root, "-ro")
}

func socketsOf(root, suffix string) []string {
	return []string{
		filepath.Join("/", root, "run/libvirt/virtqemud-sock"+suffix),
		filepath.Join("/", root, "run/libvirt/libvirt-sock"+suffix),
	}
}

// Libvirt is a connection to a libvirt daemon over its socket that only reads: it is opened with VIR_CONNECT_RO, and
// no packet leaves that would call anything but the procedures below. Its methods are for one goroutine at a time; each
// is over when its context ends, and the connection with it.
type Libvirt struct{ wire *libvirtWire }

// OpenLibvirt connects for reading, over the first socket that is there.
func OpenLibvirt(ctx context.Context, at LibvirtAt) (*Libvirt, error) {
	wire, err := dialLibvirt(ctx, at.Paths(), at.URI, libvirtReads())
	if err != nil {
		return nil, err
	}
	return &Libvirt{wire}, nil
}

// LibvirtAbsent reports whether a failure to connect is that there is no libvirt: no socket, or virsh not installed.
func LibvirtAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, sh.ErrMissing)
}

// LibvirtDomain is one domain with what libvirt counts of it: "state.reason", "block.0.rd.bytes" and so on, as
// `virsh domstats` prints them.
type LibvirtDomain struct {
	Name, UUID string
	ID         fleet.Opt[int] // while it runs
	Stats      map[string]string
}

// Domains returns all domains.
func (l *Libvirt) Domains(ctx context.Context) (all []LibvirtDomain, err error) {
	const what = api.DomainStatsState | api.DomainStatsCPUTotal | api.DomainStatsBalloon | api.DomainStatsVCPU | api.DomainStatsBlock
	err = l.wire.call(ctx, "reading the domains", func(c *api.Libvirt) error {
		records, err := c.ConnectGetAllDomainStats(nil, uint32(what), uint32(api.ConnectGetAllDomainsStatsNowait))
		for _, r := range records {
			d := LibvirtDomain{Name: r.Dom.Name, UUID: uuidText(r.Dom.UUID), Stats: make(map[string]string, len(r.Params))}
			if r.Dom.ID >= 0 {
				d.ID = fleet.Some(int(r.Dom.ID))
			}
			for _, p := range r.Params {
				d.Stats[p.Field] = fmt.Sprint(p.Value.I)
			}
			all = append(all, d)
		}
		return err
	})
	return all, err
}

// XML returns the definition of a domain: as it is at work, or as it is stored. A domain that is gone is fs.ErrNotExist.
func (l *Libvirt) XML(ctx context.Context, uuid string, stored bool) (text string, err error) {
	var flags api.DomainXMLFlags
	if stored {
		flags = api.DomainXMLInactive
	}
	err = l.wire.call(ctx, "reading the definition of domain "+uuid, func(c *api.Libvirt) error {
		text, err = c.DomainGetXMLDesc(domainOf(uuid), flags)
		return err
	})
	return text, err
}

// Kept returns the UUIDs of the domains that are defined for good, and of those that start with the machine.
func (l *Libvirt) Kept(ctx context.Context) (persistent, autostart map[string]bool, err error) {
	list := func(flag api.ConnectListAllDomainsFlags) (all map[string]bool, err error) {
		err = l.wire.call(ctx, "listing domains", func(c *api.Libvirt) error {
			domains, _, err := c.ConnectListAllDomains(1, flag)
			all = make(map[string]bool, len(domains))
			for _, d := range domains {
				all[uuidText(d.UUID)] = true
			}
			return err
		})
		return all, err
	}
	if persistent, err = list(api.ConnectListDomainsPersistent); err != nil {
		return nil, nil, err
	}
	autostart, err = list(api.ConnectListDomainsAutostart)
	return persistent, autostart, err
}

// BlockErrors returns the words for the errors of a domain's disks, by target: "no space", "unspecified error".
func (l *Libvirt) BlockErrors(ctx context.Context, uuid string) (words map[string]string, err error) {
	err = l.wire.call(ctx, "reading the disk errors of domain "+uuid, func(c *api.Libvirt) error {
		const most = 256
		if _, _, err := c.DomainGetDiskErrors(domainOf(uuid), most, 0); err != nil {
			// What the library cannot decode is decoded below; only what libvirt itself said counts.
			if told := (api.Error{}); errors.As(err, &told) || errors.Is(err, api.ErrInterrupted) {
				return err
			}
		}
		words = diskErrors(l.wire.conn.answer())
		return nil
	})
	return words, err
}

// Close ends the connection.
func (l *Libvirt) Close() { l.wire.close() }

// openIn is how long a daemon may take to answer at first. One that is started for this, by its socket, probes its
// QEMU binaries meanwhile.
const openIn = 45 * time.Second

// libvirtTrouble says what to do about a socket that does not let us in.
func libvirtTrouble(path string, err error) error {
	t := &fleet.Trouble{Doing: "connecting to libvirt at " + path, Cause: err}
	switch {
	case errors.Is(err, fs.ErrPermission), denied(err):
		t.Fix = rightsForLibvirt + " (to read, org.libvirt.unix.monitor is enough)"
	case errors.Is(err, syscall.ECONNREFUSED):
		t.Fix = "nobody listens there: systemctl status libvirtd.socket virtqemud.socket"
	default:
		t.Fix = "see journalctl -u libvirtd -u virtqemud"
	}
	return t
}

func denied(err error) bool {
	var told api.Error
	if !errors.As(err, &told) {
		return false
	}
	switch api.ErrorNumber(told.Code) {
	case api.ErrAuthFailed, api.ErrAuthCancelled, api.ErrAuthUnavailable, api.ErrAccessDenied, api.ErrOperationDenied:
		return true
	}
	return false
}
