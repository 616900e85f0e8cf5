package libvirt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"strata/internal/fleet"
)

// qemuFolder is where libvirt's log daemon writes what each qemu prints.
const qemuFolder = "/var/log/libvirt/qemu"

// qemuTail is how much of the end of a log is read. A start is up to 8 KiB of arguments.
const qemuTail = 64 << 10

// qemuSeen is a log as it was when it was last read.
type qemuSeen struct {
	file fs.FileInfo
	told *fleet.QemuLog
}

// qemuLog reads the end of a domain's log where it changed. It is nil where there is none. The name is the world's: nothing
// outside of the folder is opened for it, whatever it is, or leads to.
func (w *watcher) qemuLog(domain string, seen *qemuSeen) *fleet.QemuLog {
	if domain == "" || strings.ContainsAny(domain, "/\x00") {
		return nil
	}
	name := domain + ".log"
	folder, err := os.OpenRoot(w.at.Path(qemuFolder))
	if err != nil {
		return seen.none(name, err)
	}
	defer func() { _ = folder.Close() }()
	info, err := folder.Lstat(name)
	if err != nil {
		return seen.none(name, err)
	}
	if seen.file != nil && os.SameFile(seen.file, info) && seen.file.Size() == info.Size() && seen.file.ModTime().Equal(info.ModTime()) {
		return seen.told
	}
	text, err := tailOf(folder, name, qemuTail)
	if err != nil {
		return seen.none(name, err)
	}
	if len(text) < qemuTail/2 {
		// It was rotated a short while ago: by virtlogd to .0, by logrotate to .1.
		for _, older := range []string{name + ".0", name + ".1"} {
			if before, err := tailOf(folder, older, qemuTail/2); err == nil {
				text = before + text
				break
			}
		}
	}
	told := parseQemuLog(text, w.rules)
	told.File = qemuFolder + "/" + name
	seen.file, seen.told = info, &told
	return seen.told
}

// none is the log of a domain that cannot be read; nil when there is no such file.
func (s *qemuSeen) none(name string, err error) *fleet.QemuLog {
	s.file = nil
	if errors.Is(err, fs.ErrNotExist) {
		s.told = nil
		return nil
	}
	why := err.Error()
	var at *fs.PathError
	if errors.As(err, &at) {
		why = at.Err.Error()
	}
	if errors.Is(err, fs.ErrPermission) {
		why += ": it is for root"
	}
	if s.told == nil || s.told.NoData != why {
		s.told = &fleet.QemuLog{File: qemuFolder + "/" + name, NoData: why}
	}
	return s.told
}

// tailOf is the end of a regular file, from the start of a line.
func tailOf(folder *os.Root, name string, most int64) (string, error) {
	info, err := folder.Lstat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no regular file")
	}
	file, err := folder.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	from := max(0, info.Size()-most)
	b, err := io.ReadAll(io.NewSectionReader(file, from, most))
	if err != nil {
		return "", err
	}
	text := string(b)
	if from > 0 {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text, nil
}
