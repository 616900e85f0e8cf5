package connect

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	api "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

// libvirtWire is a connection to libvirt that knows contexts: the library does not.
type libvirtWire struct {
	client *api.Libvirt
	conn   *libvirtConn
	path   string
}

// dialLibvirt opens the first of some sockets that is there, for a set of procedures.
func dialLibvirt(ctx context.Context, paths []string, uri string, allowed map[uint32]bool) (*libvirtWire, error) {
	var absent error
	for _, path := range paths {
		wire, err := dialOne(ctx, path, uri, allowed)
		if err == nil {
			return wire, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, libvirtTrouble(path, err)
		}
		absent = err
	}
	return nil, absent
}

func dialOne(ctx context.Context, path, uri string, allowed map[uint32]bool) (*libvirtWire, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openIn, errors.New("no answer"))
	defer cancel()
	plain, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	conn := &libvirtConn{Conn: plain, allowed: allowed}
	w := &libvirtWire{client: api.NewWithDialer(dialers.NewAlreadyConnected(conn)), conn: conn, path: path}
	if uri == "" {
		uri = LibvirtURI
	}
	if err := w.within(ctx, func(c *api.Libvirt) error { return c.ConnectToURI(api.ConnectURI(uri)) }); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// call makes one call. When ctx ends first the connection is closed, for the library would wait for ever.
func (w *libvirtWire) call(ctx context.Context, doing string, f func(*api.Libvirt) error) error {
	err := w.within(ctx, f)
	switch {
	case err == nil:
		return nil
	case api.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", doing, fs.ErrNotExist, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (w *libvirtWire) within(ctx context.Context, f func(*api.Libvirt) error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			// The library decodes by reflection what the daemon sends.
			if p := recover(); p != nil {
				done <- fmt.Errorf("reading libvirt's answer: %v", p)
			}
		}()
		done <- f(w.client)
	}()
	select {
	case err := <-done:
		if why := w.conn.why(); err != nil && why != nil {
			return why
		}
		return err
	case <-ctx.Done():
		w.close()
		_ = <-done // it ended because of the above
		return context.Cause(ctx)
	}
}

// close ends the connection and waits until the library has noticed.
func (w *libvirtWire) close() {
	_ = w.conn.Close()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case <-w.client.Disconnected():
	case <-patience.C:
	}
}

// domainOf names a domain to libvirt, which looks at the UUID alone.
func domainOf(uuid string) (d api.Domain) {
	digits, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err == nil {
		copy(d.UUID[:], digits)
	}
	d.ID = -1
	return d
}

func uuidText(u api.UUID) string {
	d := hex.EncodeToString(u[:])
	return strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:]}, "-")
}
