// Package notes is what strata writes for its own next run: files that are replaced whole or not at all, and the values
// at which error counters were accepted. It knows nothing of where those come from.
package notes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace gives a file a new content at once, whether or not it is there; the folder is made if need be. When it fails the
// file is as it was.
func Replace(path string, content []byte, mode fs.FileMode) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncFolder(folder)
}

// SyncFolder makes what was created, renamed or removed in a folder outlast a loss of power.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
