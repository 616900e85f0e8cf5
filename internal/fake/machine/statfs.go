package machine

import "syscall"

// Statfs answers as statfs(2) would. For a mount that hangs it comes back when the mount no longer does.
func (m *Machine) Statfs(mount string, into *syscall.Statfs_t) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		f, ok := m.mountAt(mount)
		if !ok {
			return syscall.ENOENT
		}
		if !f.Hangs {
			const block = 4096
			*into = syscall.Statfs_t{
				Bsize: block, Frsize: block,
				Blocks: f.Total / block, Bfree: (f.Total - f.Used) / block, Bavail: f.Available / block,
				Files: f.InodesTotal, Ffree: f.InodesFree,
			}
			if f.ReadOnly {
				into.Flags = 1 // ST_RDONLY
			}
			return nil
		}
		m.moved.Wait()
	}
}

func (m *Machine) mountAt(point string) (Mount, bool) {
	for _, f := range m.state.Mounts {
		if f.Point == point {
			return f, true
		}
	}
	return Mount{}, false
}
