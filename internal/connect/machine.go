package connect

import (
	"context"
	"path/filepath"

	"strata/internal/sh"
)

// Machine is a machine that strata may change: its files, its programs, its system bus and its libvirt.
type Machine struct {
	Name string // as in its sources, "host/NAME"
	Root string // a folder that holds its proc, sys and etc; "" is the real machine
	// Run runs a program there to its end.
	Run func(context.Context, sh.Cmd) (sh.Result, error)
	// Bus is the address of its system bus; "" is the usual one.
	Bus string
	// Libvirt is the path of its libvirt's read-write socket; "" is the usual one. Where there is none, virsh serves.
	Libvirt string
}

// ThisMachine is the machine strata runs on, under the name its sources have.
func ThisMachine(name string) Machine { return Machine{Name: name, Run: sh.Run} }

// Path is where an absolute path of the machine is found.
func (m Machine) Path(p string) string { return filepath.Join("/", m.Root, p) }
