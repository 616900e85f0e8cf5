package libvirt

import (
	"context"
	"errors"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// daemon is libvirt as this source needs it: over its socket (connect.Libvirt) or through virsh. XML of a domain that is
// gone is fs.ErrNotExist.
type daemon interface {
	Domains(ctx context.Context) ([]connect.LibvirtDomain, error)
	XML(ctx context.Context, uuid string, stored bool) (string, error)
	Kept(ctx context.Context) (persistent, autostart map[string]bool, err error)
	BlockErrors(ctx context.Context, uuid string) (map[string]string, error)
	Close()
}

// open finds a way to the daemon: its socket, else virsh, whose own settings may know better than we do.
func open(ctx context.Context, at connect.LibvirtAt) (daemon, error) {
	began := time.Now()
	socket, err := connect.OpenLibvirt(ctx, at)
	switch {
	case err == nil:
		return socket, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case time.Since(began) > patience:
		return nil, err // virsh would hang as well
	}
	tool := virsh{at}
	toolErr := tool.try(ctx)
	switch {
	case toolErr == nil:
		return tool, nil
	case !connect.LibvirtAbsent(err):
		return nil, err // what is wrong with the socket says more
	case connect.LibvirtAbsent(toolErr):
		return nil, nowhere(at)
	}
	var t *fleet.Trouble
	if errors.As(toolErr, &t) {
		return nil, toolErr
	}
	return nil, &fleet.Trouble{Doing: "connecting to libvirt of " + at.Name, Cause: toolErr, Fix: "see journalctl -u libvirtd -u virtqemud"}
}
