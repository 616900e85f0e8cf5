// Package tree reads what several sources need of a machine's own files: proc, sys, etc and dev below a root, its
// mounts, and the way from a file or device down to the controller of its disk. It only reads.
package tree

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Tree is where proc, sys, etc and dev are: "" for the real machine. Paths given to its methods are below it.
type Tree string

// Path is where a file of the tree really is.
func (t Tree) Path(p string) string { return string(t) + p }

// Bytes is a file's content.
func (t Tree) Bytes(p string) ([]byte, error) { return os.ReadFile(t.Path(p)) }

// Text is a file's content without the white space around it.
func (t Tree) Text(p string) (string, error) {
	b, err := t.Bytes(p)
	return strings.TrimSpace(string(b)), err
}

// Word is Text with "" for a file that is not there or not readable.
func (t Tree) Word(p string) string {
	s, _ := t.Text(p)
	return s
}

// Number reads a decimal count; it reports false for a file that is not there, not readable or not a number.
func (t Tree) Number(p string) (uint64, bool) {
	n, err := strconv.ParseUint(t.Word(p), 10, 64)
	return n, err == nil
}

// List returns the names in a folder, sorted.
func (t Tree) List(p string) ([]string, error) {
	entries, err := os.ReadDir(t.Path(p))
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Exists reports whether there is such a file or folder.
func (t Tree) Exists(p string) bool {
	_, err := os.Stat(t.Path(p))
	return err == nil
}

// Resolve follows symbolic links and returns the path below the tree, "" if there is nothing.
func (t Tree) Resolve(p string) string {
	real, err := filepath.EvalSymlinks(t.Path(p))
	if err != nil {
		return ""
	}
	if t == "" {
		return real
	}
	// The tree itself may lie behind a link.
	base, err := filepath.EvalSymlinks(string(t))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(real, base)
}

// Folders returns the names of the folders in a folder.
func (t Tree) Folders(p string) (names []string, err error) {
	entries, err := os.ReadDir(t.Path(p))
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Small reads a file that fits into a buffer, into it: what is longer is cut. It costs half of what Bytes does, which
// counts where hundreds of files are read every other second.
func (t Tree) Small(p string, buffer []byte) ([]byte, error) {
	path := t.Path(p)
	file, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(file) }()
	read := 0
	for read < len(buffer) {
		n, err := syscall.Read(file, buffer[read:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return buffer[:read], nil
		default:
			read += n
		}
	}
	return buffer[:read], nil
}
