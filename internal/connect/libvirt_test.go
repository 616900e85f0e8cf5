package connect

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/digitalocean/go-libvirt"

	"strata/internal/fleet"
	"strata/internal/sh"
)

const aDomain = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"

// daemon speaks libvirt's remote protocol on a socket, as far as strata does.
type daemon struct {
	t    *testing.T
	path string

	mu     sync.Mutex
	called []uint32
	opened uint32 // the flags of the last connect_open
	answer func(proc uint32) (status uint32, payload []byte, how string)
}

func xdr(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
			b = append(b, p...)
			b = append(b, make([]byte, (4-len(p)%4)%4)...)
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(int32(p)))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// told is remote_error: code, domain, message, level and what is absent.
func told(code int, message string) []byte {
	return xdr(code, 10, 1, message, 2, 0, 0, 0, 0, 0, 0, 0)
}

func serveLibvirt(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{t: t, path: filepath.Join(t.TempDir(), "sock")}
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer conn.Close(); d.serve(conn) })
		}
	})
	return d
}

func (d *daemon) serve(conn net.Conn) {
	for {
		head := make([]byte, packetHeader)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-packetHeader)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		proc := binary.BigEndian.Uint32(head[12:])
		d.mu.Lock()
		d.called = append(d.called, proc)
		if proc == procOpen {
			d.opened = binary.BigEndian.Uint32(body[len(body)-4:])
		}
		status, payload, how := d.reply(proc)
		d.mu.Unlock()
		switch how {
		case "hang":
			continue
		case "end":
			return
		case "short", "huge":
			binary.BigEndian.PutUint32(head, map[string]uint32{"short": 5, "huge": 1 << 30}[how])
			_, _ = conn.Write(head)
			continue
		}
		binary.BigEndian.PutUint32(head, uint32(packetHeader+len(payload)))
		binary.BigEndian.PutUint32(head[16:], 1) // a reply
		binary.BigEndian.PutUint32(head[24:], status)
		if _, err := conn.Write(append(head, payload...)); err != nil {
			return
		}
	}
}

func (d *daemon) reply(proc uint32) (uint32, []byte, string) {
	if d.answer != nil {
		if status, payload, how := d.answer(proc); how != "" {
			return status, payload, how
		}
	}
	if proc == procAuthList {
		return 0, xdr(1, 0), ""
	}
	if proc == procDomainStats {
		uuid := domainOf(aDomain).UUID
		return 0, xdr(1, "plain vm", uuid[:], 7, 2, "state.state", 1, 1, "block.0.rd.bytes", 4, uint64(1<<40)), ""
	}
	if proc == procDomainXML {
		return 0, xdr("<domain/>"), ""
	}
	if proc == procDiskErrors {
		return 0, xdr(2, "vda", 2, "vdb", 1, 2), ""
	}
	return 0, nil, ""
}

func (d *daemon) open(t *testing.T) *Libvirt {
	t.Helper()
	l, err := OpenLibvirt(t.Context(), LibvirtAt{Sockets: []string{filepath.Join(t.TempDir(), "none"), d.path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func (d *daemon) on(proc uint32, status uint32, payload []byte, how string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = func(p uint32) (uint32, []byte, string) {
		if p == proc {
			return status, payload, how
		}
		return 0, nil, ""
	}
}

func TestLibvirtIsReadOverItsSocket(t *testing.T) {
	t.Parallel()
	d := serveLibvirt(t)
	l := d.open(t)
	domains, err := l.Domains(t.Context())
	if err != nil || len(domains) != 1 || domains[0].Name != "plain vm" || domains[0].UUID != aDomain || domains[0].ID != fleet.Some(7) ||
		domains[0].Stats["block.0.rd.bytes"] != "1099511627776" || domains[0].Stats["state.state"] != "1" {
		t.Errorf("domains %+v, %v", domains, err)
	}
	if text, err := l.XML(t.Context(), aDomain, true); err != nil || text != "<domain/>" {
		t.Errorf("XML %q, %v", text, err)
	}
	if words, err := l.BlockErrors(t.Context(), aDomain); err != nil || words["vda"] != "no space" || words["vdb"] != "unspecified error" {
		t.Errorf("disk errors %v, %v", words, err)
	}
	d.on(procDomainXML, 1, told(int(api.ErrNoDomain), "Domain not found"), "say")
	if _, err := l.XML(t.Context(), aDomain, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a domain that is gone: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened != connectRO {
		t.Errorf("opened with flags %d, want VIR_CONNECT_RO", d.opened)
	}
}

func TestAConnectionThatReadsCannotWrite(t *testing.T) {
	t.Parallel()
	d := serveLibvirt(t)
	l := d.open(t)
	for name, call := range map[string]func(*api.Libvirt) error{
		"destroy": func(c *api.Libvirt) error { return c.DomainDestroy(domainOf(aDomain)) },
		"start":   func(c *api.Libvirt) error { return c.DomainCreate(domainOf(aDomain)) },
		"tune":    func(c *api.Libvirt) error { return c.DomainSetBlockIOTune(domainOf(aDomain), "vda", nil, 1) },
		"monitor": func(c *api.Libvirt) error {
			_, err := c.QEMUDomainMonitorCommand(domainOf(aDomain), "quit", 0)
			return err
		},
	} {
		l := l
		if name != "destroy" { // each refusal ends its connection
			l = d.open(t)
		}
		if err := l.wire.call(t.Context(), name, call); err == nil || !strings.Contains(err.Error(), "read-only strata") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, proc := range d.called {
		if !libvirtReads()[proc] {
			t.Errorf("procedure %d reached the daemon", proc)
		}
	}
}

func TestALibvirtThatHangsOrRaves(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hang", "end", "short", "huge"} {
		d := serveLibvirt(t)
		l := d.open(t)
		d.on(procDomainStats, 0, nil, how)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		if _, err := l.Domains(ctx); err == nil || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", how, err, time.Since(began))
		}
		cancel()
	}
	d := serveLibvirt(t)
	d.on(procDomainStats, 0, []byte{0xff, 0xff, 0xff, 0xff}, "say")
	if _, err := d.open(t).Domains(t.Context()); err == nil {
		t.Error("nonsense was taken for an answer")
	}
	d.on(procOpen, 0, nil, "hang")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := OpenLibvirt(ctx, LibvirtAt{Sockets: []string{d.path}}); err == nil {
		t.Error("connected to a daemon that says nothing")
	}
}

func TestADeedOnADomain(t *testing.T) {
	t.Parallel()
	d := serveLibvirt(t)
	m := Machine{Name: "a", Libvirt: d.path}
	for verb, proc := range map[string]uint32{
		"start": procDomainCreate, "shutdown": procDomainShutdown, "destroy": procDomainDestroy, "resume": procDomainResume, "blkdeviotune": procDomainTune,
	} {
		deed := LibvirtDeed{Verb: verb, UUID: aDomain}
		if verb == "blkdeviotune" {
			deed.Target, deed.Live = "vda", true
		}
		if err := m.Libvirted(t.Context(), deed); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		d.mu.Lock()
		if last := d.called[len(d.called)-1]; last != proc || d.opened != 0 {
			t.Errorf("%s called procedure %d, opened with flags %d", verb, last, d.opened)
		}
		d.mu.Unlock()
	}
	var lost *Lost
	d.on(procDomainDestroy, 1, told(int(api.ErrOperationInvalid), "domain is not running"), "say")
	if err := m.Libvirted(t.Context(), LibvirtDeed{Verb: "destroy", UUID: aDomain}); err == nil || errors.As(err, &lost) || !strings.Contains(err.Error(), "not running") {
		t.Errorf("a refusal: %v", err)
	}
	d.on(procDomainDestroy, 1, told(int(api.ErrAuthUnavailable), "no polkit agent"), "say")
	if err := m.Libvirted(t.Context(), LibvirtDeed{Verb: "destroy", UUID: aDomain}); !strings.Contains(fleet.FixOf(err), "org.libvirt.unix.manage") {
		t.Errorf("without rights: %v; %s", err, fleet.FixOf(err))
	}
	for _, how := range []string{"end", "hang"} {
		d.on(procDomainDestroy, 0, nil, how)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := m.Libvirted(ctx, LibvirtDeed{Verb: "destroy", UUID: aDomain}); !errors.As(err, &lost) {
			t.Errorf("%s: an answer that never came is %v, want Lost", how, err)
		}
		cancel()
	}
}

func TestVirshServesWhereThereIsNoSocket(t *testing.T) {
	t.Parallel()
	deed := LibvirtDeed{Verb: "blkdeviotune", UUID: aDomain, Target: "vda", Tune: LibvirtTune{WriteBytes: 5e6}, Live: true, Kept: true}
	want := "virsh -c qemu:///system blkdeviotune " + aDomain + " vda --total-bytes-sec 0 --read-bytes-sec 0 --write-bytes-sec 5000000 --total-iops-sec 0 --read-iops-sec 0 --write-iops-sec 0 --live --config"
	var lost *Lost
	for name, c := range map[string]struct {
		result     sh.Result
		err        error
		ok, isLost bool
		fix        string
	}{
		"done":      {ok: true},
		"refused":   {result: sh.Result{Code: 1, Stderr: "error: Domain is already active"}},
		"no rights": {result: sh.Result{Code: 1, Stderr: "error: authentication unavailable: no polkit agent"}, fix: "group libvirt"},
		"deadline":  {err: sh.ErrDeadline, isLost: true},
		"cut off":   {result: sh.Result{Code: 1, Stderr: "error: Disconnected from qemu:///system due to end of file"}, isLost: true},
		"missing":   {err: sh.ErrMissing},
	} {
		var ran []string
		m := Machine{Name: "a", Libvirt: filepath.Join(t.TempDir(), "none"), Run: func(_ context.Context, cmd sh.Cmd) (sh.Result, error) {
			ran = cmd.Argv
			return c.result, c.err
		}}
		err := m.Libvirted(t.Context(), deed)
		if (err == nil) != c.ok || errors.As(err, &lost) != c.isLost || !strings.Contains(fleet.FixOf(err), c.fix) {
			t.Errorf("%s: %v; %s", name, err, fleet.FixOf(err))
		}
		if strings.Join(ran, " ") != want {
			t.Errorf("%s: ran %q", name, ran)
		}
	}
	if err := (Machine{Name: "a", Libvirt: filepath.Join(t.TempDir(), "none")}).Libvirted(t.Context(), deed); err == nil || errors.As(err, &lost) {
		t.Errorf("with neither: %v", err)
	}
}

func FuzzDiskErrors(f *testing.F) {
	f.Add(xdr(2, "vda", 2, "vdb", 1, 2))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if words := diskErrors(b); len(words) > 256 {
			t.Errorf("%d disks", len(words))
		}
	})
}
