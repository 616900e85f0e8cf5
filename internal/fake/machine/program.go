package machine

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Program runs a program of the machine to its end and returns what it printed and its exit code. An error is that
// ctx ended; a program that the machine does not have is fs.ErrNotExist.
func (m *Machine) Program(ctx context.Context, argv ...string) (stdout, stderr []byte, code int, err error) {
	name := ""
	if len(argv) > 0 {
		name = argv[0]
	}
	switch filepath.Base(name) {
	case "smartctl":
		stdout, code, err = m.Smartctl(ctx, argv[1:]...)
		return stdout, nil, code, err
	case "virsh":
		return m.virsh(ctx, argv[1:])
	case "swapoff":
		return m.swapoff(ctx, argv[1:])
	case "swapon":
		return m.swapon(argv[1:])
	case "systemctl":
		return m.systemctl(argv[1:])
	case "journalctl":
		return m.journalctl(argv[1:])
	case "qemu-img":
		return m.qemuImg(argv[1:])
	case "cp":
		return m.copyDisk(argv[1:])
	case "df":
		return m.df(argv[1:])
	}
	return nil, nil, 0, fmt.Errorf("starting %q: %w", name, fs.ErrNotExist)
}
