package actions

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"strata/internal/connect"
	"strata/internal/notes"
)

const fstabPath = "/etc/fstab"

// lineChange makes a line a comment, or brings it back from one. It is told without the blanks around it.
type lineChange struct {
	line string
	off  bool
}

// changeLines puts a # before lines of a text or takes it away, and leaves every other byte alone. Each line must be
// there exactly once: else somebody changed the file meanwhile.
func changeLines(text []byte, changes ...lineChange) ([]byte, error) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for _, c := range changes {
		at := -1
		for i, raw := range lines {
			rest := raw
			if !c.off {
				var comment bool
				if rest, comment = bytes.CutPrefix(raw, []byte("#")); !comment {
					continue
				}
			}
			if c.line == "" || string(bytes.TrimSpace(rest)) != c.line {
				continue
			}
			if at >= 0 {
				return nil, fmt.Errorf("the line %q is there twice", c.line)
			}
			at = i
		}
		switch {
		case at < 0 && c.off:
			return nil, fmt.Errorf("the line %q is not there any more", c.line)
		case at < 0:
			return nil, fmt.Errorf("the line %q is not there any more as a comment", c.line)
		case c.off:
			lines[at] = append([]byte("#"), lines[at]...)
		default:
			lines[at] = lines[at][1:]
		}
	}
	return bytes.Join(lines, nil), nil
}

// changeFstab changes lines of /etc/fstab: a new file beside it, written and synced, takes its place with the same mode
// and owner, and the old content is kept in a copy. It returns the path of that copy.
func changeFstab(m connect.Machine, now time.Time, changes ...lineChange) (backup string, err error) {
	path, err := realPath(m, fstabPath)
	if err != nil {
		return "", fmt.Errorf("changing %s: %w", fstabPath, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("changing %s: %w", fstabPath, err)
	}
	after, err := changeLines(before, changes...)
	if err != nil {
		return "", fmt.Errorf("changing %s: nothing was changed: %w", fstabPath, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("changing %s: %w", fstabPath, err)
	}
	backup = fstabPath + ".strata-" + now.UTC().Format("20060102T150405.000Z")
	if err := writeSynced(m.Path(backup), before, info); err != nil {
		return "", fmt.Errorf("keeping a copy of %s: nothing was changed: %w", fstabPath, err)
	}
	next := path + ".strata-next"
	_ = os.Remove(next) // of a run that was cut off
	if err := writeSynced(next, after, info); err != nil {
		return "", fmt.Errorf("changing %s: nothing was changed: %w", fstabPath, err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, before) {
		return "", errors.Join(fmt.Errorf("changing %s: nothing was changed: somebody else changed it at the same time", fstabPath), os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return "", errors.Join(fmt.Errorf("changing %s: nothing was changed: %w", fstabPath, err), os.Remove(next))
	}
	return backup, notes.SyncFolder(filepath.Dir(path))
}

// realPath follows the symbolic links of a file of the machine, whose root may be a folder of ours.
func realPath(m connect.Machine, name string) (string, error) {
	const most = 10
	for range most {
		to, err := os.Readlink(m.Path(name))
		switch {
		case errors.Is(err, syscall.EINVAL): // no link
			return m.Path(name), nil
		case err != nil:
			return "", err
		case filepath.IsAbs(to):
			name = to
		default:
			name = filepath.Join(filepath.Dir(name), to)
		}
	}
	return "", fmt.Errorf("%s: too many symbolic links", name)
}

// writeSynced makes a file that must not be there yet, with the mode and owner of another.
func writeSynced(path string, content []byte, like os.FileInfo) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, like.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Chmod(like.Mode().Perm()); err != nil { // whatever the umask says
		return err
	}
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	return f.Sync()
}
